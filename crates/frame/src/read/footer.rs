//! The footer of a file: found from the end, read, and checked against the file.
//!
//! ```text
//!   ARROW1 | messages | end marker | footer | its length | ARROW1
//!   ^ start, 6 bytes                 ^ range  ^ suffix, 10 bytes
//! ```
//!
//! Nothing here reads: the functions are given bytes. [`read_footer`] reads them for [`IpcReader`](crate::IpcReader), an
//! [`IpcIndexBuilder`](crate::IpcIndexBuilder) asks for them.

use std::ops::Range;

use floe_format::constants::{FILE_MAGIC, FILE_PREFIX, FILE_SUFFIX_LEN};
use floe_format::sniff::check_file;
use floe_format::{ErrorKind, Footer, IpcLimits, Place, decode_footer, footer_len};
use polars_core::prelude::*;

use super::ranged::{RangedSource, SparseSource, read_joined_ranges, read_one};
use crate::error::format_error;

/// Bytes at the start by which the format is named, if it is none of the two.
pub(super) const SNIFFED_BYTES: usize = 4 << 10;
/// Bytes at the end that are read together with a file's suffix, where a read costs little.
const TAIL_BYTES: u64 = 4 << 10;

/// Where the footer of a file is, which has `len` bytes of which `suffix` are the last ones.
pub(super) fn footer_range(len: u64, suffix: &[u8], limits: &IpcLimits) -> PolarsResult<Range<u64>> {
    let suffix_len = FILE_SUFFIX_LEN as u64;
    let suffix: &[u8; FILE_SUFFIX_LEN] = match suffix.last_chunk() {
        Some(suffix) if len >= FILE_PREFIX.len() as u64 + suffix_len => suffix,
        _ => {
            polars_bail!(ComputeError: "the Arrow IPC file is truncated: it has no footer; IpcReader::recover reads its complete batches")
        },
    };
    let footer = footer_len(suffix, limits).map_err(|e| {
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
    Ok(len - suffix_len - footer..len - suffix_len)
}

/// Decodes a footer that starts at `start` of a file of `len` bytes, and checks its claims about the file.
pub(super) fn parse_footer(bytes: &[u8], start: u64, len: u64, limits: &IpcLimits) -> PolarsResult<Footer> {
    let footer = decode_footer(bytes, limits).map_err(|e| format_error(e.at(Place::Footer)))?;
    for (i, block) in footer.dictionaries.iter().enumerate() {
        block.check(start).map_err(|e| format_error(e.at(format!("footer, dictionary block {i}"))))?;
    }
    for (i, block) in footer.batches.iter().enumerate() {
        block.check(start).map_err(|e| format_error(e.at(format!("footer, record batch block {i}"))))?;
    }
    footer.check_overlap(len, limits).map_err(|e| format_error(e.at(Place::Footer)))?;
    Ok(footer)
}

/// Reads and checks the footer of a file: the start and the end by one read, the rest of the footer by another one.
pub(super) fn read_footer(source: &dyn RangedSource, limits: &IpcLimits) -> PolarsResult<Footer> {
    let len = source.len();
    let tail = len.saturating_sub(TAIL_BYTES)..len;
    let mut known = SparseSource::new(len);
    for (range, bytes) in read_joined_ranges(source, &[0..len.min(FILE_MAGIC.len() as u64), tail.clone()], 0)?
    {
        known.put(range.start, bytes);
    }
    // Both ranges were read above; without bytes the magic is missing, which is an error.
    let start = known.get(0..len.min(FILE_MAGIC.len() as u64)).unwrap_or_default();
    if start.as_slice() != FILE_MAGIC {
        check_file(&read_one(source, 0..len.min(SNIFFED_BYTES as u64))?).map_err(format_error)?;
    }
    let suffix = known.get(len.saturating_sub(FILE_SUFFIX_LEN as u64)..len).unwrap_or_default();
    let range = footer_range(len, &suffix, limits)?;
    if range.start < tail.start {
        known.put(range.start, read_one(source, range.start..tail.start)?);
    }
    let bytes = known.get(range.clone());
    let bytes =
        bytes.ok_or_else(|| polars_err!(ComputeError: "the footer of the Arrow IPC file was not read"))?;
    parse_footer(&bytes, range.start, len, limits)
}
