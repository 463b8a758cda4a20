//! Bodies on disk, read in few large pieces instead of buffer by buffer: buffers that are not compressed then become
//! views into those.

use std::ops::Range;

use floe_array::{Segments, share, share_region};
use floe_format::{Error, Place, Result};
use floe_runtime::{Executor, Region, alloc};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::options::{ColumnCounts, Projection, ReadOptions};
use super::pending::{BatchBody, PendingBatch};
use super::ranged::{LARGE_BYTES, RangedSource, ReadCost, SourceBody};
use super::segments::{becomes_views, ranges};

use crate::error::format_error;
use crate::schema::ReadSchema;

/// The most bytes read that do not stay in the result: frames to decompress, offsets.
const MAX_PASSING_BYTES: u64 = 32 << 20;

/// Buffers of more bytes on average are as well read one by one.
const MAX_MEAN_BUFFER_BYTES: u64 = 256 << 10;
/// The same for bytes that do not stay in the result, whose memory is then used again and again.
const MAX_MEAN_PASSING_BYTES: u64 = 16 << 10;

/// Reads the bytes that the projected columns need of batches on disk. Buffers are left out if their decoder reads them
/// to where they belong itself: into the one allocation of many batches, or decompressed.
pub(super) fn fetch(
    batches: &mut [PendingBatch<'_>],
    schema: &ReadSchema,
    projection: &Projection,
    options: &ReadOptions,
    executor: &dyn Executor,
) -> PolarsResult<()> {
    let on_disk = |batch: &PendingBatch<'_>| {
        batch.body.place().is_some_and(|place| place.source.read_cost() != ReadCost::Memory)
    };
    if !batches.iter().all(on_disk) || (options.rechunk && batches.len() > 1) {
        return Ok(());
    }
    let Some(jobs) = jobs(batches, schema, projection)? else { return Ok(()) };
    let read = executor.map(jobs.len(), |i| {
        let (batch, range) = &jobs[i];
        let Some(SourceBody { source, start }) = batches[*batch].body.place() else {
            return Err(Error::invalid("a body that has been read already"));
        };
        read_range(source, start + range.start..start + range.end)
    });
    let mut bodies = vec![Segments::default(); batches.len()];
    for ((batch, range), bytes) in jobs.iter().zip(read) {
        let at = |e: Error| format_error(e.at(Place::RecordBatch(batches[*batch].index)));
        bodies[*batch].push(range.start, bytes.map_err(at)?);
    }
    for (batch, segments) in batches.iter_mut().zip(bodies) {
        batch.body = BatchBody::Read(segments);
    }
    Ok(())
}

/// A range of the body of one of the batches.
type Job = (usize, Range<u64>);

/// The ranges to read together; none if buffers are as well read one by one.
fn jobs(
    batches: &[PendingBatch<'_>],
    schema: &ReadSchema,
    projection: &Projection,
) -> PolarsResult<Option<Vec<Job>>> {
    let fields = &schema.wire.fields;
    let stays = !projection.indices.iter().any(|i| fields.get(*i).is_some_and(becomes_views))
        && !batches.iter().any(PendingBatch::is_compressed);
    let mut jobs: Vec<Job> = Vec::new();
    let mut buffers = 0u64;
    let mut counts = ColumnCounts::default();
    for (i, batch) in batches.iter().enumerate() {
        let starts = counts.starts(schema, batch.header(), batch.version());
        let starts = starts.map_err(|e| format_error(e.at(Place::RecordBatch(batch.index))))?;
        let used = |column: &usize| {
            // `starts` has one entry more than there are columns, and projections are checked.
            starts.get(*column..column + 2).map_or(0, |ends| ends[1].buffer - ends[0].buffer)
        };
        buffers += projection.indices.iter().map(used).sum::<usize>() as u64;
        let ranges = ranges(batch.header(), &starts, fields, &projection.indices, &[]);
        jobs.extend(ranges.into_iter().map(|range| (i, range)));
    }
    let bytes: u64 = jobs.iter().map(|(_, range)| range.end - range.start).sum();
    let (small, most) =
        if stays { (MAX_MEAN_BUFFER_BYTES, u64::MAX) } else { (MAX_MEAN_PASSING_BYTES, MAX_PASSING_BYTES) };
    Ok((bytes <= buffers.saturating_mul(small) && bytes <= most).then_some(jobs))
}

/// The bytes of a range, which lies in the file.
fn read_range(source: &dyn RangedSource, range: Range<u64>) -> Result<Buffer<u8>> {
    let len = usize::try_from(range.end - range.start);
    let len = len.map_err(|_| Error::invalid("a part of the file does not fit in memory"))?;
    if len < LARGE_BYTES {
        let mut bytes = alloc::try_initialised::<u8>(len)?;
        source.read_into(range.start, &mut bytes).map_err(Error::io)?;
        return Ok(share(bytes));
    }
    let mut region = Region::new(len)?;
    source.read_into(range.start, region.as_mut_slice()).map_err(Error::io)?;
    Ok(share_region(region, len))
}
