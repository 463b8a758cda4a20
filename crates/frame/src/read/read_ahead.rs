//! ReadAhead of messages, read ahead: enough at a time for most of them, without much of the bodies behind. Where bodies
//! are short, one read sees many messages, bodies and all.

use std::ops::Range;

use polars_buffer::Buffer;
use polars_core::prelude::*;

/// Bytes read at once, if nothing else is known.
const MIN_BYTES: u64 = 4 << 10;

/// A stretch of a source, read ahead.
pub(crate) struct ReadAhead {
    bytes: Buffer<u8>,
    start: u64,
    size: u64,
}

impl Default for ReadAhead {
    fn default() -> Self {
        Self { bytes: Buffer::default(), start: 0, size: MIN_BYTES }
    }
}

impl ReadAhead {
    /// The bytes of a range that lies within the source, which has `len` bytes and of which `read` reads some: part
    /// of what was read at once.
    pub(crate) fn get(
        &mut self,
        range: Range<u64>,
        len: u64,
        read: impl FnOnce(Range<u64>) -> PolarsResult<Buffer<u8>>,
    ) -> PolarsResult<Buffer<u8>> {
        if let Some(missing) = self.missing(&range, len) {
            let start = missing.start;
            let bytes = read(missing)?;
            self.put(start, bytes);
        }
        if range.is_empty() {
            return Ok(Buffer::default());
        }
        let within = |at: u64| at.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        match (within(range.start), within(range.end)) {
            (Some(start), Some(end)) if end <= self.bytes.len() => Ok(self.bytes.clone().sliced(start..end)),
            _ => polars_bail!(ComputeError: "a message's head does not fit in memory"),
        }
    }

    /// The bytes to read of a source of `len` bytes before a range of it is there.
    pub(crate) fn missing(&self, range: &Range<u64>, len: u64) -> Option<Range<u64>> {
        let end = self.start + self.bytes.len() as u64;
        let missing = !range.is_empty() && (range.start < self.start || range.end > end);
        let to = range.end.max(range.start.saturating_add(self.size)).min(len);
        missing.then_some(range.start..to)
    }

    /// Takes in bytes that have been read.
    pub(crate) fn put(&mut self, start: u64, bytes: Buffer<u8>) {
        (self.start, self.bytes) = (start, bytes);
    }

    /// Reads this many bytes at once from now on, or more.
    pub(crate) fn read_ahead(&mut self, bytes: u64) {
        self.size = bytes.max(MIN_BYTES);
    }
}
