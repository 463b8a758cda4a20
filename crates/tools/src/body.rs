//! Buffers of a body: where they are, how long they are once decompressed, and their bytes.

use floe_codec::{Codec, ParsedBuffer, decompress_append, parse};
use floe_format::{BatchHeader, BufferSpec, Header, Message};

use crate::fault::{AtByte, Fault, Result};
use crate::scan::MessageInfo;
use crate::source::ReadAt;

/// The header of the batch that a message carries: of a dictionary, that of its values.
#[must_use]
pub fn batch_of(message: &Message) -> Option<&BatchHeader> {
    match &message.header {
        Header::Batch(batch) => Some(batch),
        Header::Dictionary(dictionary) => Some(&dictionary.batch),
        Header::Schema(_) => None,
    }
}

/// Bytes of a buffer once it is decompressed. Of a compressed one its prefix is read.
///
/// # Errors
/// When the prefix cannot be read.
pub fn raw_len(source: &dyn ReadAt, info: &MessageInfo, spec: BufferSpec) -> Result<u64> {
    if info.codec.is_none() || spec.len == 0 {
        return Ok(spec.len);
    }
    let at = info.body().saturating_add(spec.offset);
    let mut prefix = [0; 8];
    let prefix = prefix.get_mut(..usize::try_from(spec.len.min(8)).unwrap_or(8)).unwrap_or_default();
    source.read_exact_at(prefix, at).at_byte(at)?;
    match parse(prefix) {
        Ok(ParsedBuffer::Empty) => Ok(0),
        Ok(ParsedBuffer::Raw(_)) => Ok(spec.len.saturating_sub(8)),
        Ok(ParsedBuffer::Frame { len, .. }) => Ok(len),
        Err(error) => Err(Fault::new(at, error.to_string())),
    }
}

/// The bytes of a buffer as they are stored, out of a body.
pub(crate) fn stored(body: &[u8], spec: BufferSpec) -> &[u8] {
    let start = usize::try_from(spec.offset).unwrap_or(usize::MAX);
    let len = usize::try_from(spec.len).unwrap_or(usize::MAX);
    body.get(start..start.saturating_add(len)).unwrap_or_default()
}

/// Appends the decompressed bytes of a buffer to `out`.
pub(crate) fn decompressed(
    codec: Option<Codec>,
    stored: &[u8],
    max: u64,
    out: &mut Vec<u8>,
) -> std::result::Result<(), String> {
    let Some(codec) = codec else {
        out.extend_from_slice(stored);
        return Ok(());
    };
    match parse(stored).map_err(|error| error.to_string())? {
        ParsedBuffer::Empty => Ok(()),
        ParsedBuffer::Raw(bytes) => {
            out.extend_from_slice(bytes);
            Ok(())
        },
        ParsedBuffer::Frame { len, .. } if len > max => {
            Err(format!("{len} bytes exceed the limit of {max} for a buffer"))
        },
        ParsedBuffer::Frame { len, frame } => {
            decompress_append(codec, frame, len, out).map_err(|error| error.to_string())
        },
    }
}

/// The body of a message.
pub(crate) fn read_body(source: &dyn ReadAt, info: &MessageInfo, body: &mut Vec<u8>) -> Result<()> {
    read(source, info, info.body(), info.body_len, body)
}

/// The head and the body of a message.
pub(crate) fn read_whole(source: &dyn ReadAt, info: &MessageInfo, bytes: &mut Vec<u8>) -> Result<()> {
    read(source, info, info.offset, info.head_len.saturating_add(info.body_len), bytes)
}

fn read(source: &dyn ReadAt, info: &MessageInfo, at: u64, len: u64, out: &mut Vec<u8>) -> Result<()> {
    let too_large = || Fault::new(at, format!("no memory for {len} bytes of a message")).within(info.id);
    // These bytes exist: the walk has compared.
    let len = usize::try_from(len).map_err(|_| too_large())?;
    out.clear();
    out.try_reserve_exact(len).map_err(|_| too_large())?;
    out.resize(len, 0);
    source.read_exact_at(out, at).at_byte(at).map_err(|fault| fault.within(info.id))
}
