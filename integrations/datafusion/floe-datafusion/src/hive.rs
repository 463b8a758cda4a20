//! The types of the keys of folders, which floe's partitioned sinks write into each file's schema.
//!
//! They are an Arrow IPC stream without batches, in hexadecimal digits, under [`KEY`].

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use floe::StreamDecoder;

use crate::fetch::Object;
use crate::open::{Indexes, Opened};
use crate::options::FloeOptions;
use crate::types::schema;

const KEY: &[u8] = b"floe.hive_schema";

/// The keys that a file says the types of. Text that cannot be read counts as none.
pub(crate) async fn types(
    object: &Object,
    indexes: &Indexes,
    options: &FloeOptions,
) -> Result<Vec<(String, DataType)>> {
    let Opened::File(index, _) = indexes.open(object, options).await? else { return Ok(Vec::new()) };
    let metadata = index.custom_metadata_bytes();
    let text = metadata.iter().find(|(key, _)| key == KEY).map(|(_, value)| value.as_slice());
    Ok(text.and_then(parsed).unwrap_or_default())
}

fn parsed(text: &[u8]) -> Option<Vec<(String, DataType)>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
        _ => None,
    };
    let stream = text.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
    let mut decoder = StreamDecoder::new();
    decoder.push(stream).ok()?;
    let keys = schema(&decoder.schema().ok()??).ok()?;
    // Text is compared with text as plain strings.
    let plain = |data_type: &DataType| match data_type {
        DataType::Utf8View => DataType::Utf8,
        other => other.clone(),
    };
    Some(keys.fields().iter().map(|field| (field.name().clone(), plain(field.data_type()))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_stream_has_no_types() {
        for text in ["", "0", "zz", "ffffffff", "00112233445566778899"] {
            assert_eq!(parsed(text.as_bytes()), None, "{text}");
        }
    }
}
