//! Bodies on disk, read in few large pieces instead of buffer by buffer: what the decoder then
//! makes of buffers that are not compressed are views into those.

use std::ops::Range;

use floe_array::Segments;
use floe_array::{share, share_region};
use floe_format::{BatchHeader, Error, Place, Result, Version};
use floe_runtime::{Executor, Region, alloc};
use polars_buffer::Buffer;
use polars_core::prelude::*;
use polars_io::mmap::MmapBytesReader;

use super::options::{ColumnCounts, Projection, ReadOptions};
use super::segments::{becomes_views, ranges};
use super::source::{LARGE, Source};
use crate::error::format_error;
use crate::schema::ReadSchema;

/// The most that is read of what does not stay in the result: frames to decompress, offsets.
const PASSING: u64 = 32 << 20;

/// Buffers that are larger on average are as well read one by one.
const SMALL: u64 = 256 << 10;
/// The same for what does not stay in the result, whose memory is used again and again then.
const SMALL_PASSING: u64 = 16 << 10;

/// A batch, and where its body starts.
pub(crate) struct Placed<'a> {
    /// Its number, for messages.
    pub(crate) index: usize,
    pub(crate) header: &'a BatchHeader,
    pub(crate) version: Version,
    pub(crate) body: u64,
}

/// Reads what the projected columns need of these batches, if their decoder would not rather read
/// each buffer to where it belongs: into the one allocation of many batches, or decompressed.
pub(crate) fn fetch<R: MmapBytesReader>(
    source: &Source<R>,
    schema: &ReadSchema,
    projection: &Projection,
    options: &ReadOptions,
    batches: &[Placed<'_>],
    executor: &dyn Executor,
) -> PolarsResult<Option<Vec<Segments>>> {
    if source.is_in_memory() || (options.rechunk && batches.len() > 1) {
        return Ok(None);
    }
    let fields = &schema.wire.fields;
    let stays = !projection.indices.iter().any(|i| fields.get(*i).is_some_and(becomes_views))
        && batches.iter().all(|batch| batch.header.compression.is_none());
    let mut jobs: Vec<(usize, Range<u64>)> = Vec::new();
    let mut buffers = 0u64;
    let mut counts = ColumnCounts::default();
    for (i, batch) in batches.iter().enumerate() {
        let starts = counts.starts(schema, batch.header, batch.version);
        let starts = starts.map_err(|e| format_error(e.at(Place::RecordBatch(batch.index))))?;
        let used = |column: &usize| {
            starts.get(*column..column + 2).map_or(0, |ends| ends[1].buffer - ends[0].buffer)
        };
        buffers += projection.indices.iter().map(used).sum::<usize>() as u64;
        jobs.extend(
            ranges(batch.header, &starts, fields, &projection.indices, &[])
                .into_iter()
                .map(|range| (i, range)),
        );
    }
    let bytes: u64 = jobs.iter().map(|(_, range)| range.end - range.start).sum();
    let (small, most) = if stays { (SMALL, u64::MAX) } else { (SMALL_PASSING, PASSING) };
    if bytes > buffers.saturating_mul(small) || bytes > most {
        return Ok(None);
    }
    let read = executor.map(jobs.len(), |i| {
        let (batch, range) = &jobs[i];
        let start = batches[*batch].body;
        read_range(source, start + range.start..start + range.end)
    });
    let mut bodies = vec![Segments::default(); batches.len()];
    for ((batch, range), bytes) in jobs.iter().zip(read) {
        let at = |e: Error| format_error(e.at(Place::RecordBatch(batches[*batch].index)));
        bodies[*batch].push(range.start, bytes.map_err(at)?);
    }
    Ok(Some(bodies))
}

/// The bytes of a range, which lies in the file.
fn read_range<R: MmapBytesReader>(source: &Source<R>, range: Range<u64>) -> Result<Buffer<u8>> {
    let len = usize::try_from(range.end - range.start);
    let len = len.map_err(|_| Error::invalid("a part of the file does not fit in memory"))?;
    if len < LARGE {
        let mut bytes = alloc::try_initialised::<u8>(len)?;
        source.read_at(range.start, &mut bytes).map_err(Error::io)?;
        return Ok(share(bytes));
    }
    let mut region = Region::new(len)?;
    source.read_at(range.start, region.as_mut_slice()).map_err(Error::io)?;
    Ok(share_region(region, len))
}
