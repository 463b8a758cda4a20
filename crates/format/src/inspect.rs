//! A description of the physical layout of a stream or file, for people.
//!
//! A stream is walked from start to end; a file by the blocks of its footer, which also works for
//! writers that leave gaps. Only heads are read, bodies are skipped.

use std::fmt;

use crate::constants::{FILE_MAGIC, FILE_PREFIX, FILE_SUFFIX_LEN};
use crate::limits::wide;
use crate::sniff::check_stream;
use crate::{
    BatchHeader, Block, Error, ErrorKind, Field, Footer, Header, IpcLimits, KeyValues, Message, Next,
    NotUtf8, Place, Result, ResultExt, Schema, Version, footer_len, next_message,
};

/// The result of [`describe`]; its `Display` is a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The schema: of the footer in a file, of the first message in a stream.
    pub schema: Schema,
    /// The messages in the order of their bytes.
    pub messages: Vec<MessageInfo>,
    /// The footer, in a file.
    pub footer: Option<Footer>,
    /// Whether a stream ends with the end marker. (Always true of a file: it has a footer.)
    pub is_complete: bool,
    /// Bytes in all.
    pub len: usize,
}

/// One message, without its buffers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageInfo {
    /// Where it starts.
    pub offset: usize,
    /// Bytes of marker, length, metadata and padding.
    pub head_len: usize,
    /// Bytes of body.
    pub body_len: u64,
    /// The metadata version.
    pub version: Version,
    /// The kind of message, with the dictionary's id, rows, buffers and codec.
    pub summary: String,
}

/// Describes a stream, or a file.
///
/// ```
/// use floe_format::{IpcLimits, MessageEncoder, Schema, inspect::describe, write_head};
///
/// let mut stream = Vec::new();
/// write_head(&mut stream, MessageEncoder::new().schema(&Schema::default()), 0)?;
/// let description = describe(&stream, &IpcLimits::default())?;
/// assert!(!description.is_complete);
/// assert!(description.to_string().starts_with("Arrow IPC stream, 64 bytes, no end marker"));
/// # Ok::<(), floe_format::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::WrongFormat`] for input that is neither; those of [`next_message`], [`footer_len`] and
/// [`decode_footer`](crate::decode_footer).
pub fn describe(bytes: &[u8], limits: &IpcLimits) -> Result<Description> {
    match bytes.starts_with(&FILE_MAGIC) {
        true => describe_file(bytes, limits),
        false => {
            check_stream(bytes)?;
            describe_stream(bytes, limits)
        },
    }
}

fn describe_stream(bytes: &[u8], limits: &IpcLimits) -> Result<Description> {
    let mut description = Description {
        schema: Schema::default(),
        messages: vec![],
        footer: None,
        is_complete: false,
        len: bytes.len(),
    };
    let mut position = 0;
    loop {
        match next_message(bytes, position, limits)? {
            Next::EndOfInput => return Ok(description),
            Next::EndMarker { next } => {
                description.is_complete = true;
                description.len = next;
                return Ok(description);
            },
            Next::Message { message, head, body } => {
                description.messages.push(MessageInfo::new(head.start, head.len(), &message));
                position = body.end;
                if let Header::Schema(schema) = message.header {
                    description.schema = schema;
                }
            },
        }
    }
}

fn describe_file(bytes: &[u8], limits: &IpcLimits) -> Result<Description> {
    let Some((rest, suffix)) = bytes.split_last_chunk::<FILE_SUFFIX_LEN>() else {
        let expected = "a file of more than its magics";
        return Err(Error::new(ErrorKind::BadMagic { expected }));
    };
    let footer_len = footer_len(suffix, limits)?;
    let Some(footer_start) = rest.len().checked_sub(footer_len) else {
        return Err(
            Error::invalid(format!("{footer_len} bytes are more than the file has")).at(Place::Footer)
        );
    };
    // `footer_start` is at most the length of `rest`.
    let footer = crate::decode_footer(rest.get(footer_start..).unwrap_or_default(), limits)?;
    let mut messages = Vec::new();
    // Some writers do not frame the schema message of a file, so it is shown only if it is one.
    if let Ok(Next::Message { message, head, .. }) = next_message(bytes, FILE_PREFIX.len(), limits)
        && matches!(message.header, Header::Schema(_))
    {
        messages.push(MessageInfo::new(head.start, head.len(), &message));
    }
    let mut blocks: Vec<Block> = footer.dictionaries.iter().chain(&footer.batches).copied().collect();
    blocks.sort_unstable_by_key(|block| block.offset);
    let mut end = 0;
    for block in &blocks {
        messages.push(describe_block(bytes, footer_start, block, end, limits)?);
        end = block.end()?;
    }
    let (schema, len) = (footer.schema.clone(), bytes.len());
    Ok(Description { schema, messages, footer: Some(footer), is_complete: true, len })
}

/// `end` is where the block before ends: blocks that share bytes are wrong, and could make a small
/// file take very long.
fn describe_block(
    bytes: &[u8],
    footer: usize,
    block: &Block,
    end: u64,
    limits: &IpcLimits,
) -> Result<MessageInfo> {
    let place = || format!("block at byte {}", block.offset);
    block.check(wide(footer)).at(place)?;
    if block.offset < end {
        return Err(Error::invalid("it overlaps the block before it").at(place()));
    }
    let offset = usize::try_from(block.offset).map_err(|_| Error::invalid("too far").at(place()))?;
    match next_message(bytes, offset, limits)? {
        Next::Message { message, head, .. } => Ok(MessageInfo::new(head.start, head.len(), &message)),
        Next::EndMarker { .. } | Next::EndOfInput => Err(Error::invalid("there is no message").at(place())),
    }
}

impl MessageInfo {
    fn new(offset: usize, head_len: usize, message: &Message) -> Self {
        let summary = match &message.header {
            Header::Schema(schema) => format!("schema, {} fields", schema.fields.len()),
            Header::Batch(batch) => format!("record batch, {}", summarize(batch)),
            Header::Dictionary(header) => {
                let delta = if header.is_delta { " delta" } else { "" };
                format!("dictionary {}{delta}, {}", header.id, summarize(&header.batch))
            },
        };
        Self { offset, head_len, body_len: message.body_len, version: message.version, summary }
    }
}

fn summarize(batch: &BatchHeader) -> String {
    let codec = batch.compression.map_or(String::new(), |codec| format!(", {codec:?}"));
    format!("{} rows, {} buffers{codec}", batch.rows, batch.buffers.len())
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema, messages, footer, is_complete, len } = self;
        let kind = if footer.is_some() { "file" } else { "stream" };
        let end = if *is_complete { "" } else { ", no end marker" };
        writeln!(f, "Arrow IPC {kind}, {len} bytes{end}, {:?}-endian", schema.endianness)?;
        writeln!(f, "\nschema")?;
        write_fields(f, &schema.fields, 1)?;
        write_metadata(f, &schema.metadata, 1)?;
        write_bytes(f, &schema.not_utf8)?;
        writeln!(f, "\n{:>12} {:>10} {:>12}  ver  message", "offset", "head", "body")?;
        for MessageInfo { offset, head_len, body_len, version, summary } in messages {
            writeln!(f, "{offset:>12} {head_len:>10} {body_len:>12}  {version:?}   {summary}")?;
        }
        if let Some(Footer { schema: _, dictionaries, batches, metadata, not_utf8, version }) = footer {
            let (dictionaries, batches) = (dictionaries.len(), batches.len());
            writeln!(
                f,
                "\nfooter {version:?}: {dictionaries} dictionary blocks, {batches} record batch blocks"
            )?;
            write_metadata(f, metadata, 1)?;
            write_bytes(f, not_utf8)?;
        }
        Ok(())
    }
}

fn write_fields(f: &mut fmt::Formatter<'_>, fields: &[Field], depth: usize) -> fmt::Result {
    let indent = depth * 2;
    for Field { name, nullable, data_type, children, dictionary, metadata } in fields {
        write!(f, "{:indent$}{name:?}: {data_type}", "")?;
        if let Some(dictionary) = dictionary {
            let sign = if dictionary.index.signed { "int" } else { "uint" };
            write!(f, ", dictionary {} by {sign}{}", dictionary.id, dictionary.index.bits)?;
        }
        writeln!(f, "{}", if *nullable { "" } else { ", not null" })?;
        write_metadata(f, metadata, depth + 1)?;
        write_fields(f, children, depth + 1)?;
    }
    Ok(())
}

fn write_metadata(f: &mut fmt::Formatter<'_>, metadata: &KeyValues, depth: usize) -> fmt::Result {
    let indent = depth * 2;
    metadata.iter().try_for_each(|(key, value)| writeln!(f, "{:indent$}[{key:?} = {value:?}]", ""))
}

/// Metadata that is not UTF-8, with the field that it is of.
fn write_bytes(f: &mut fmt::Formatter<'_>, metadata: &[NotUtf8]) -> fmt::Result {
    for NotUtf8 { field, entry: _, key, value } in metadata {
        let of = if field.is_empty() { String::new() } else { format!(" of field {field:?}") };
        writeln!(f, "  [\"{}\" = \"{}\"]{of}, not UTF-8", key.escape_ascii(), value.escape_ascii())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LIMITS, file, for_each_damage, stream};

    #[test]
    fn streams_and_files_are_described() {
        let text = describe(&stream().0, &LIMITS).unwrap().to_string();
        assert!(text.contains("dictionary 3 delta, 10 rows, 4 buffers, Zstd"), "{text}");
        assert!(
            text.contains("\"outer\": list, dictionary 9223372036854775807 by int64, not null"),
            "{text}"
        );
        assert!(!text.contains("footer"));
        let (bytes, footer) = file();
        let description = describe(&bytes, &LIMITS).unwrap();
        assert_eq!((description.messages.len(), description.footer.as_ref()), (4, Some(&footer)));
        assert!(description.to_string().contains("footer V5: 1 dictionary blocks, 2 record batch blocks"));
    }

    #[test]
    fn damage_never_panics() {
        let (bytes, footer) = file();
        let tail = usize::try_from(footer.batches[0].offset).unwrap();
        for cut in 0..40 {
            let _ = describe(&bytes[..bytes.len() - cut], &LIMITS);
            let _ = describe(&bytes[..cut], &LIMITS);
        }
        for_each_damage(&bytes[tail..], |damaged| {
            let _ = describe(&[&bytes[..tail], damaged].concat(), &LIMITS).map(|found| found.to_string());
        });
    }
}
