//! Reads of ranges: those that are near each other become one.

use std::io;
use std::ops::Range;

use floe_array::share;
use floe_runtime::alloc::try_initialised;
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::source::{RangedSource, ReadCost};
use crate::error::{format_error, io_error};

/// Ranges in ascending order, where those that overlap, touch, or have a gap of at most `gap` bytes between them are one.
/// Empty ones are left out.
///
/// Ranges pass through this before a [`RangedSource`] is asked for them. Callers that read for a
/// [`ReadPlan`](crate::ReadPlan) or an [`IpcIndexBuilder`](crate::IpcIndexBuilder) may do the same.
///
/// ```
/// use floe_frame::join_ranges;
///
/// assert_eq!(join_ranges(&[100..200, 0..50, 60..90], 10), [0..200]);
/// assert_eq!(join_ranges(&[100..200, 0..50, 60..90], 9), [0..50, 60..90, 100..200]);
/// ```
#[must_use]
pub fn join_ranges(ranges: &[Range<u64>], gap: u64) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
    sorted.sort_unstable_by_key(|range| range.start);
    let mut out: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match out.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(gap) => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

/// Reads ranges by one call, those together that have at most `gap` bytes between them. The answer has a buffer for each
/// joined range, which ascend: see [`join_ranges`].
pub(in crate::read) fn read_joined_ranges(
    source: &dyn RangedSource,
    ranges: &[Range<u64>],
    gap: u64,
) -> PolarsResult<Vec<(Range<u64>, Buffer<u8>)>> {
    let joined = join_ranges(ranges, gap);
    if joined.is_empty() {
        return Ok(Vec::new());
    }
    let read = source.read_ranges(&joined).map_err(source_failed)?;
    let whole = |(range, bytes): (&Range<u64>, &Buffer<u8>)| bytes.len() as u64 == range.end - range.start;
    if read.len() != joined.len() || !joined.iter().zip(&read).all(whole) {
        let cut =
            io::Error::new(io::ErrorKind::UnexpectedEof, "the source gave other bytes than it was asked for");
        return Err(source_failed(cut));
    }
    Ok(joined.into_iter().zip(read).collect())
}

/// The bytes of one range, which the caller has checked against the source's length.
pub(in crate::read) fn read_one(source: &dyn RangedSource, range: Range<u64>) -> PolarsResult<Buffer<u8>> {
    if range.is_empty() {
        return Ok(Buffer::default());
    }
    if let Some(shared) = source.shared(range.clone()) {
        return Ok(shared);
    }
    if source.read_cost() == ReadCost::Request {
        let mut read = read_joined_ranges(source, std::slice::from_ref(&range), 0)?;
        let read = read.pop().map(|(_, bytes)| bytes);
        return read.ok_or_else(|| source_failed(io::ErrorKind::UnexpectedEof.into()));
    }
    let len = usize::try_from(range.end - range.start).map_err(|_| too_large())?;
    let mut out = try_initialised::<u8>(len).map_err(|e| format_error(e.into()))?;
    source.read_into(range.start, &mut out).map_err(source_failed)?;
    Ok(share(out))
}

fn too_large() -> PolarsError {
    polars_err!(ComputeError: "a part of the file does not fit in memory")
}

fn source_failed(error: io::Error) -> PolarsError {
    io_error(error, "reading an Arrow IPC file")
}

#[cfg(test)]
mod tests {
    use super::super::sparse::SparseSource;
    use super::*;
    use crate::OwnedBytes;

    /// The bytes of each range, in the order given.
    fn read_joined(
        source: &dyn RangedSource,
        ranges: &[Range<u64>],
        gap: u64,
    ) -> PolarsResult<Vec<Buffer<u8>>> {
        let mut known = SparseSource::new(source.len());
        for (range, bytes) in read_joined_ranges(source, ranges, gap)? {
            known.put(range.start, bytes);
        }
        Ok(known.read_ranges(ranges).unwrap())
    }

    #[test]
    fn each_range_gets_its_bytes_in_the_order_given() {
        let source = OwnedBytes::new((0..=255).collect::<Vec<u8>>());
        for gap in [0, 1, 8, 1 << 20] {
            let ranges = [9..12, 0..0, 200..256, 3..9, 10..11];
            let read = read_joined(&source, &ranges, gap).unwrap();
            for (range, bytes) in ranges.into_iter().zip(read) {
                assert!(bytes.iter().map(|byte| u64::from(*byte)).eq(range));
            }
        }
    }

    #[test]
    fn a_source_that_answers_with_other_bytes_is_an_error() {
        struct Liar(Vec<usize>);
        impl RangedSource for Liar {
            fn len(&self) -> u64 {
                100
            }
            fn read_ranges(&self, _: &[Range<u64>]) -> io::Result<Vec<Buffer<u8>>> {
                Ok(self.0.iter().map(|len| vec![0; *len].into()).collect())
            }
        }
        let read = |lens: &[usize]| read_joined(&Liar(lens.to_vec()), &[0..5, 50..60], 0);
        assert!(read(&[5, 10]).is_ok());
        for lens in [&[5][..], &[5, 9], &[5, 11], &[10, 5], &[5, 10, 1], &[]] {
            assert!(read(lens).unwrap_err().to_string().contains("other bytes"), "{lens:?}");
        }
        assert!(Liar(vec![3]).read_into(0, &mut [0; 4]).is_err());
    }
}
