//! Where the batches are: from a file's footer, or from the headers of a stream in memory.

use floe_format::constants::{FILE_MAGIC, FILE_PREFIX, FILE_SUFFIX_LEN};
use floe_format::sniff::check_file;
use floe_format::{
    BatchHeader, Block, DictionaryHeader, Error, ErrorKind, Footer, Header, IpcLimits, KeyValues, Message,
    NotUtf8, Place, Result, Schema, Version, decode_footer, decode_message, footer_len,
};
use polars_core::prelude::*;
use polars_io::mmap::MmapBytesReader;

use super::source::Source;
use crate::error::format_error;

/// A record batch's or dictionary's header, and where its body starts.
#[derive(Clone)]
pub(crate) struct Located<H> {
    pub(crate) header: H,
    pub(crate) body: u64,
    pub(crate) metadata: KeyValues,
    pub(crate) not_utf8: Vec<NotUtf8>,
    pub(crate) version: Version,
}

/// Bytes at the start that are looked at to tell what it is, if it is none of the two formats.
pub(crate) const SNIFFED: usize = 4 << 10;

/// Reads and checks the footer of a file.
pub(crate) fn read_footer<R: MmapBytesReader>(
    source: &Source<R>,
    limits: &IpcLimits,
) -> PolarsResult<(Footer, u64)> {
    let len = source.len();
    let suffix_len = FILE_SUFFIX_LEN as u64;
    let too_short = len < FILE_PREFIX.len() as u64 + suffix_len;
    if source.read(0..len.min(FILE_MAGIC.len() as u64))?.as_slice() != FILE_MAGIC {
        check_file(&source.read(0..len.min(SNIFFED as u64))?).map_err(format_error)?;
    }
    if too_short {
        polars_bail!(ComputeError: "the Arrow IPC file is truncated: it has no footer; IpcReader::recover reads its complete batches");
    }
    let mut suffix = [0; FILE_SUFFIX_LEN];
    suffix.copy_from_slice(&source.read(len - suffix_len..len)?);
    let footer = footer_len(&suffix, limits).map_err(|e| {
        let hint = match e.kind {
            ErrorKind::BadMagic { .. } => {
                "; the file may be cut off: IpcReader::recover reads its complete batches"
            },
            _ => "",
        };
        polars_err!(ComputeError: "the Arrow IPC file has no valid footer: {e}{hint}")
    })? as u64;
    let room = len - suffix_len - FILE_PREFIX.len() as u64;
    if footer > room {
        polars_bail!(ComputeError: "the Arrow IPC file's footer claims {footer} bytes, the file has room for {room}");
    }
    let start = len - suffix_len - footer;
    let bytes = source.read(start..len - suffix_len)?;
    let footer = decode_footer(&bytes, limits).map_err(|e| format_error(e.at(Place::Footer)))?;
    for (i, block) in footer.dictionaries.iter().enumerate() {
        block.check(start).map_err(|e| format_error(e.at(format!("footer, dictionary block {i}"))))?;
    }
    for (i, block) in footer.batches.iter().enumerate() {
        block.check(start).map_err(|e| format_error(e.at(format!("footer, record batch block {i}"))))?;
    }
    check_overlap(&footer, len, limits).map_err(|e| format_error(e.at(Place::Footer)))?;
    Ok((footer, start))
}

/// Blocks may lie on one another, which makes much of a small file: each counts.
fn check_overlap(footer: &Footer, len: u64, limits: &IpcLimits) -> Result<()> {
    let blocks = footer.dictionaries.iter().chain(&footer.batches);
    let size = |block: &Block| u64::from(block.metadata_len).saturating_add(block.body_len);
    let claimed = blocks.map(size).fold(0, u64::saturating_add);
    let allowed = limits.max_bytes_of(len, 0).max(len);
    if claimed > allowed {
        return Err(
            Error::new(ErrorKind::Amplified { input: len, claimed, allowed }).at("blocks that overlap")
        );
    }
    Ok(())
}

/// The message that a block of the footer points at.
fn read_block<R: MmapBytesReader>(
    source: &Source<R>,
    block: Block,
    limits: &IpcLimits,
) -> PolarsResult<Message> {
    let end = block.offset + u64::from(block.metadata_len);
    let head = source.read(block.offset..end)?;
    let message = decode_head(&head, limits).map_err(format_error)?;
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

/// Bytes that custom metadata takes.
pub(crate) fn metadata_bytes(metadata: &KeyValues, not_utf8: &[NotUtf8]) -> u64 {
    let others = not_utf8.iter().map(|entry| size_of::<NotUtf8>() + entry.key.len() + entry.value.len());
    let pair = |(key, value): &(floe_format::Text, floe_format::Text)| {
        size_of::<(floe_format::Text, floe_format::Text)>() + key.len() + value.len()
    };
    metadata.iter().map(pair).chain(others).fold(0u64, |sum, bytes| sum.saturating_add(bytes as u64))
}

fn locate<H>(message: Message, header: H, body: u64) -> Located<H> {
    let Message { metadata, not_utf8, version, .. } = message;
    Located { header, body, metadata, not_utf8, version }
}

/// The header of a file's record batch.
pub(crate) fn batch_at<R: MmapBytesReader>(
    source: &Source<R>,
    block: Block,
    index: usize,
    limits: &IpcLimits,
) -> PolarsResult<Located<BatchHeader>> {
    let at = |e: PolarsError| e.wrap_msg(|msg| format!("record batch {index}: {msg}"));
    let mut message = read_block(source, block, limits).map_err(at)?;
    match std::mem::replace(&mut message.header, Header::Schema(Schema::default())) {
        Header::Batch(header) => Ok(locate(message, header, block.offset + u64::from(block.metadata_len))),
        _ => {
            polars_bail!(ComputeError: "record batch {index}: the footer points at a message of another kind")
        },
    }
}

/// The header of a file's dictionary batch.
pub(crate) fn dictionary_at<R: MmapBytesReader>(
    source: &Source<R>,
    block: Block,
    index: usize,
    limits: &IpcLimits,
) -> PolarsResult<Located<DictionaryHeader>> {
    let at = |e: PolarsError| e.wrap_msg(|msg| format!("dictionary batch {index}: {msg}"));
    let mut message = read_block(source, block, limits).map_err(at)?;
    match std::mem::replace(&mut message.header, Header::Schema(Schema::default())) {
        Header::Dictionary(header) => {
            Ok(locate(message, header, block.offset + u64::from(block.metadata_len)))
        },
        _ => {
            polars_bail!(ComputeError: "dictionary batch {index}: the footer points at a message of another kind")
        },
    }
}
