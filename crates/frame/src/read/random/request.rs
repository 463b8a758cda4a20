//! Ranges that somebody is asked for, and their bytes.

use std::ops::Range;

use floe_array::Body;
use polars_buffer::Buffer;
use polars_core::prelude::*;

use crate::read::ranged::{RangedSource, SparseSource, join_ranges, read_joined_ranges};

/// The ranges that have been asked for and not been given yet, and the bytes that have.
pub(super) struct Request {
    pub(super) given: SparseSource,
    needed: Vec<Range<u64>>,
}

impl Request {
    /// Of a source of `len` bytes.
    pub(super) fn new(len: u64) -> Self {
        Self { given: SparseSource::new(len), needed: Vec::new() }
    }

    /// Asks for ranges, without the parts that are there.
    pub(super) fn ask(&mut self, ranges: &[Range<u64>]) {
        let missing: Vec<Range<u64>> =
            ranges.iter().filter(|range| !self.given.has(range)).cloned().collect();
        self.needed = join_ranges(&missing, 0);
    }

    pub(super) fn needed(&self) -> &[Range<u64>] {
        &self.needed
    }

    /// Takes the bytes of a range, which holds at least one of those that are needed.
    pub(super) fn give(&mut self, range: Range<u64>, bytes: Buffer<u8>) -> PolarsResult<()> {
        let Range { start, end } = range;
        polars_ensure!(
            end.checked_sub(start) == Some(bytes.as_slice().len() as u64),
            ComputeError: "bytes {start} to {end} were to be given, and {} bytes came", bytes.as_slice().len()
        );
        let len = self.given.len();
        polars_ensure!(
            end <= len,
            ComputeError: "bytes {start} to {end} were given of a source that has {len} bytes"
        );
        let before = self.needed.len();
        self.needed.retain(|needed| needed.start < start || needed.end > end);
        if self.needed.len() == before {
            let needed = match self.needed.first() {
                Some(first) => format!("bytes {} to {} are needed next", first.start, first.end),
                None => "nothing more is needed".to_owned(),
            };
            polars_bail!(ComputeError: "bytes {start} to {end} were given and not asked for: {needed}");
        }
        self.given.put(start, bytes);
        Ok(())
    }

    /// Reads the needed ranges by one call of a source, and returns how many bytes came.
    pub(super) fn read_from(&mut self, source: &dyn RangedSource, gap: u64) -> PolarsResult<u64> {
        let mut read = 0;
        for (range, bytes) in read_joined_ranges(source, &self.needed, gap)? {
            read += range.end - range.start;
            self.give(range, bytes)?;
        }
        Ok(read)
    }
}

/// A body that only records which ranges would be read.
#[derive(Default)]
pub(super) struct Recorder(pub(super) std::sync::Mutex<Vec<Range<u64>>>);

impl Body for Recorder {
    fn shared(&self, _: Range<u64>) -> Option<Buffer<u8>> {
        None
    }

    fn read_into(&self, range: Range<u64>, dst: &mut [u8]) -> floe_format::Result<()> {
        dst.fill(0);
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(range);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_has_to_be_what_was_asked_for() {
        let mut request = Request::new(100);
        request.ask(&[10..20, 15..30, 50..60]);
        assert_eq!(request.needed(), [10..30, 50..60]);
        let give = |request: &mut Request, range: Range<u64>, len: usize| {
            request.give(range, vec![0; len].into()).map_err(|e| e.to_string())
        };
        assert!(give(&mut request, 10..30, 19).unwrap_err().contains("19 bytes came"));
        assert!(give(&mut request, 10..30, 21).unwrap_err().contains("21 bytes came"));
        assert!(give(&mut request, 11..30, 19).unwrap_err().contains("bytes 10 to 30 are needed next"));
        assert!(give(&mut request, 50..101, 51).unwrap_err().contains("has 100 bytes"));
        #[expect(clippy::reversed_empty_ranges, reason = "the mistake that is told")]
        let backwards = 30..10;
        assert!(give(&mut request, backwards, 0).is_err());
        give(&mut request, 5..30, 25).unwrap();
        assert!(give(&mut request, 10..30, 20).unwrap_err().contains("bytes 50 to 60 are needed next"));
        give(&mut request, 50..60, 10).unwrap();
        assert!(give(&mut request, 50..60, 10).unwrap_err().contains("nothing more is needed"));
        request.ask(&[5..30, 55..60, 60..61]);
        assert!(request.needed().iter().cloned().eq(std::iter::once(60..61)));
    }
}
