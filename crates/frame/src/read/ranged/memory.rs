//! Memory as a source.

use std::io;
use std::ops::Range;

use floe_array::Body;
use polars_buffer::Buffer;

use super::source::{RangedSource, ReadCost};
use crate::read::bytes::OwnedBytes;

impl RangedSource for Buffer<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Buffer<u8>>> {
        let part = |range: &Range<u64>| Body::shared(self, range.clone());
        ranges.iter().map(|range| part(range).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())).collect()
    }

    fn read_into(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        copy_from(self, start, out)
    }

    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        Body::shared(self, range)
    }

    fn read_cost(&self) -> ReadCost {
        ReadCost::Memory
    }
}

impl RangedSource for OwnedBytes {
    fn len(&self) -> u64 {
        RangedSource::len(self.buffer())
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Buffer<u8>>> {
        self.buffer().read_ranges(ranges)
    }

    fn read_into(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        copy_from(self.buffer(), start, out)
    }

    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        Body::shared(self.buffer(), range)
    }

    fn read_cost(&self) -> ReadCost {
        ReadCost::Memory
    }
}

/// Copies bytes of memory.
pub(super) fn copy_from(bytes: &[u8], start: u64, out: &mut [u8]) -> io::Result<()> {
    let start = usize::try_from(start).map_err(io::Error::other)?;
    let slice = start.checked_add(out.len()).and_then(|end| bytes.get(start..end));
    out.copy_from_slice(slice.ok_or(io::ErrorKind::UnexpectedEof)?);
    Ok(())
}
