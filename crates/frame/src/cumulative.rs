//! The rows of a file's batches, in its footer: how Polars slices a file without reading the batches' headers.
//!
//! ```text
//!   __POLARS_IPC_METADATA = {"record_batch_cum_len":[262144,524288,1000000]}
//! ```

use std::fmt::Write;

use floe_format::KeyValues;
use polars_core::prelude::IdxSize;
use serde_json::Value;

pub(crate) const KEY: &str = "__POLARS_IPC_METADATA";
const CUMULATIVE: &str = "record_batch_cum_len";
/// Bytes that most numbers take in the text, without the text around them.
const BYTES_PER_NUMBER: usize = 8;

/// Puts the index of batches with these numbers of rows into the footer's metadata, in place of one that is there. If
/// there are more rows than Polars can count, there is no index, rather than a wrong one.
pub(crate) fn put(metadata: &mut KeyValues, rows: &[u64]) {
    let mut end = 0u64;
    let mut text = String::with_capacity(CUMULATIVE.len() + BYTES_PER_NUMBER * (1 + rows.len()));
    text.extend(["{\"", CUMULATIVE, "\":["]);
    for (i, rows) in rows.iter().enumerate() {
        end += rows;
        if IdxSize::try_from(end).is_err() {
            return;
        }
        text.push_str(if i == 0 { "" } else { "," });
        // Writing to a string cannot fail.
        let _ = write!(text, "{end}");
    }
    text.push_str("]}");
    metadata.retain(|(key, _)| key != KEY);
    metadata.push((KEY.into(), text.into()));
}

/// The row at which each batch ends, if the footer has an ascending index of exactly that many batches.
pub(crate) fn find(metadata: &KeyValues, batches: usize) -> Option<Vec<u64>> {
    let (_, text) = metadata.iter().rev().find(|(key, _)| key == KEY)?;
    let index: Value = serde_json::from_str(text.as_str()).ok()?;
    let ends = index.get(CUMULATIVE)?.as_array()?.iter().map(Value::as_u64);
    let ends = ends.collect::<Option<Vec<u64>>>()?;
    (ends.len() == batches && ends.is_sorted()).then_some(ends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_found() {
        let mut metadata = KeyValues::new();
        put(&mut metadata, &[1, 2]);
        put(&mut metadata, &[3, 0, 4]);
        assert_eq!(metadata.len(), 1);
        assert_eq!(metadata[0].1.as_str(), r#"{"record_batch_cum_len":[3,3,7]}"#);
        assert_eq!(find(&metadata, 3), Some(vec![3, 3, 7]));
        assert_eq!(find(&metadata, 2), None);
    }

    #[test]
    fn what_makes_no_sense_is_not() {
        for text in
            ["", "{", "[]", "{}", r#"{"record_batch_cum_len":[2,1]}"#, r#"{"record_batch_cum_len":[1,-2]}"#]
        {
            assert_eq!(find(&vec![(KEY.into(), text.into())], 2), None, "{text}");
        }
        assert_eq!(find(&KeyValues::new(), 0), None);
    }
}
