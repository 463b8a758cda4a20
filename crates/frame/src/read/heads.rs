//! Messages that the blocks of a footer or an index point at.

use floe_format::{
    Block, DictionaryHeader, Error, ErrorKind, Header, IpcLimits, Message, Result, Version, decode_message,
};
use polars_core::prelude::*;

use super::pending::BatchHead;
use super::ranged::{RangedSource, read_one};
use crate::error::format_error;

/// Where a block's message starts and its body begins.
pub(super) fn head_range(block: Block) -> std::ops::Range<u64> {
    block.offset..body_start(block)
}

/// Where a block's body begins. Blocks have been checked against the source.
pub(super) fn body_start(block: Block) -> u64 {
    block.offset.saturating_add(block.metadata_len.into())
}

/// The head of a record batch, in a source.
pub(super) fn batch_at(
    source: &dyn RangedSource,
    block: Block,
    index: usize,
    limits: &IpcLimits,
) -> PolarsResult<BatchHead> {
    let head = read_one(source, head_range(block)).map_err(|e| in_batch(index, e))?;
    batch_of(&head, block, index, limits)
}

/// The head of a record batch, whose bytes are there.
pub(super) fn batch_of(
    head: &[u8],
    block: Block,
    index: usize,
    limits: &IpcLimits,
) -> PolarsResult<BatchHead> {
    let Message { header, version, metadata, not_utf8, .. } =
        message_of(head, block, limits).map_err(|e| in_batch(index, e))?;
    let Header::Batch(header) = header else {
        polars_bail!(ComputeError: "record batch {index}: the footer points at a message of another kind")
    };
    Ok(BatchHead { header, version, metadata, not_utf8 })
}

/// The head of a dictionary batch, in a source.
pub(super) fn dictionary_at(
    source: &dyn RangedSource,
    block: Block,
    index: usize,
    limits: &IpcLimits,
) -> PolarsResult<(DictionaryHeader, Version)> {
    let head = read_one(source, head_range(block)).map_err(|e| in_dictionary(index, e))?;
    dictionary_of(&head, block, index, limits)
}

/// The head of a dictionary batch, whose bytes are there.
pub(super) fn dictionary_of(
    head: &[u8],
    block: Block,
    index: usize,
    limits: &IpcLimits,
) -> PolarsResult<(DictionaryHeader, Version)> {
    let message = message_of(head, block, limits).map_err(|e| in_dictionary(index, e))?;
    let Header::Dictionary(header) = message.header else {
        polars_bail!(ComputeError: "dictionary batch {index}: the footer points at a message of another kind")
    };
    Ok((header, message.version))
}

fn in_batch(index: usize, error: PolarsError) -> PolarsError {
    error.wrap_msg(|msg| format!("record batch {index}: {msg}"))
}

fn in_dictionary(index: usize, error: PolarsError) -> PolarsError {
    error.wrap_msg(|msg| format!("dictionary batch {index}: {msg}"))
}

/// The message that a block points at.
fn message_of(head: &[u8], block: Block, limits: &IpcLimits) -> PolarsResult<Message> {
    let message = decode_head(head, limits).map_err(format_error)?;
    if message.body_len != block.body_len {
        polars_bail!(
            ComputeError: "the footer says the body has {} bytes, the message says {}", block.body_len, message.body_len
        );
    }
    Ok(message)
}

/// The flatbuffer behind a marker and a length, or behind a length alone.
fn decode_head(head: &[u8], limits: &IpcLimits) -> Result<Message> {
    let truncated = || Error::new(ErrorKind::Truncated { need: 8, have: head.len() as u64 });
    let (word, rest) = head.split_first_chunk::<4>().ok_or_else(truncated)?;
    let (len, metadata) = if *word == [0xff; 4] {
        let (len, rest) = rest.split_first_chunk::<4>().ok_or_else(truncated)?;
        (i32::from_le_bytes(*len), rest)
    } else {
        (i32::from_le_bytes(*word), rest)
    };
    let need =
        usize::try_from(len).map_err(|_| Error::invalid(format!("a message head claims {len} bytes")))?;
    if metadata.len() != need {
        return Err(Error::invalid(format!(
            "the footer says the message's metadata takes {} bytes, the message says {need}",
            metadata.len()
        )));
    }
    decode_message(metadata, limits)
}
