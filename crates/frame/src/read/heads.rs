//! Heads of messages, read ahead: enough at a time for most of them, without much of the bodies behind. Where bodies
//! are short, one read sees many messages, bodies and all.

use std::ops::Range;

use polars_buffer::Buffer;
use polars_core::prelude::*;

/// Bytes read at once, if nothing else is known.
const LEAST: u64 = 4 << 10;

/// A stretch of a source, read ahead.
pub(crate) struct Heads {
    bytes: Buffer<u8>,
    start: u64,
    size: u64,
}

impl Default for Heads {
    fn default() -> Self {
        Self { bytes: Buffer::default(), start: 0, size: LEAST }
    }
}

impl Heads {
    /// The bytes of a range that lies within the source, which has `len` bytes and of which `read` reads some: part
    /// of what was read at once.
    pub(crate) fn get(
        &mut self,
        range: Range<u64>,
        len: u64,
        read: impl FnOnce(Range<u64>) -> PolarsResult<Buffer<u8>>,
    ) -> PolarsResult<Buffer<u8>> {
        let end = self.start + self.bytes.len() as u64;
        if range.start < self.start || range.end > end {
            let to = range.end.max(range.start.saturating_add(self.size)).min(len);
            self.bytes = read(range.start..to)?;
            self.start = range.start;
        }
        let within = |at: u64| usize::try_from(at - self.start);
        match (within(range.start), within(range.end)) {
            (Ok(start), Ok(end)) => Ok(self.bytes.clone().sliced(start..end)),
            _ => polars_bail!(ComputeError: "a message's head does not fit in memory"),
        }
    }

    /// Reads this many bytes at once from now on, or more.
    pub(crate) fn read_ahead(&mut self, bytes: u64) {
        self.size = bytes.max(LEAST);
    }
}
