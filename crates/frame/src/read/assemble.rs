//! Batches to a DataFrame, all at once.

use std::ops::Range;

use arrow::array::Array;
use floe_array::decode::{Budget, ColumnOffsets, decode_column, is_plain};
use floe_array::{Body, ColumnPart, DecodeCtx};
use floe_format::{Error, Field, Place};
use floe_runtime::{Executor, Serial};
use polars_core::prelude::*;

use super::frame::series;
use super::options::{ColumnCounts, Projection, ReadOptions};
use super::pending::PendingBatch;
use crate::error::format_error;
use crate::schema::ReadSchema;

/// The rows of all batches, and where each one's columns start.
pub(super) fn checked(
    schema: &ReadSchema,
    options: &ReadOptions,
    batches: &[PendingBatch<'_>],
) -> PolarsResult<(usize, Vec<Vec<ColumnOffsets>>)> {
    let mut all_starts: Vec<Vec<ColumnOffsets>> = Vec::with_capacity(batches.len());
    let mut rows = 0usize;
    let mut counts = ColumnCounts::default();
    for batch in batches {
        let at = |e: Error| format_error(e.at(Place::RecordBatch(batch.index)));
        all_starts.push(counts.starts(schema, batch.header(), batch.version()).map_err(at)?);
        rows = rows.saturating_add(batch.rows());
        check_rows(rows)?;
        let unbacked = options.limits.max_unbacked_rows;
        if schema.columns.is_empty() && batch.rows() > unbacked {
            polars_bail!(ComputeError: "{} rows exceed the limit `max_unbacked_rows` of {unbacked}", batch.rows());
        }
    }
    Ok((rows, all_starts))
}

/// Decodes batches into one frame: contiguous columns if asked, else one chunk per batch.
pub(crate) fn decode_frame(
    schema: &ReadSchema,
    projection: &Projection,
    options: &ReadOptions,
    batches: &[PendingBatch<'_>],
    budget: &Budget,
    executor: &dyn Executor,
) -> PolarsResult<DataFrame> {
    let (rows, all_starts) = checked(schema, options, batches)?;
    let width = projection.indices.len();
    // One allocation for all batches, also when one chunk per batch is wanted: it is cut up then. Only buffers that are
    // views into the source are better off by themselves.
    let joined =
        batches.len() > 1 && same_version(batches) && (options.rechunk || !batches.iter().all(is_view));
    let group_len = if joined { batches.len() } else { 1 };
    let groups: Vec<Range<usize>> =
        (0..batches.len()).step_by(group_len).map(|start| start..start + group_len).collect();
    let jobs = groups.len() * width;
    let is_little = work(schema, projection, batches, &all_starts, joined) < INLINE_BYTES;
    let executor = if is_little { &Serial } else { executor };
    let arrays = executor.map(jobs, |job| {
        let (group, column) = (&groups[job / width], projection.indices[job % width]);
        let (batches, starts) = (&batches[group.clone()], &all_starts[group.clone()]);
        decode_group(schema, options, column, batches, starts, budget, executor)
    });
    let mut arrays = arrays.into_iter();
    let chunks = |_| Vec::with_capacity(groups.len());
    let mut columns: Vec<Vec<Box<dyn Array>>> = (0..width).map(chunks).collect();
    for _ in &groups {
        for column in &mut columns {
            match arrays.next() {
                Some(array) => column.push(array?),
                None => polars_bail!(ComputeError: "a column was not decoded"),
            }
        }
    }
    let mut out = Vec::with_capacity(width);
    for ((mut chunks, dtype), name) in columns.into_iter().zip(&projection.dtypes).zip(&projection.names) {
        if joined && !options.rechunk {
            chunks = cut(&chunks, batches);
        }
        out.push(series(name, chunks, dtype)?.into_column());
    }
    let mut df = DataFrame::new(rows, out)?;
    if options.rechunk && groups.len() > 1 {
        df.rechunk_mut_par();
    }
    Ok(df)
}

/// Fails when there are more rows than Polars can count.
pub(crate) fn check_rows(rows: usize) -> PolarsResult<()> {
    polars_ensure!(
        rows < IdxSize::MAX as usize,
        ComputeError: "more than {} rows, which is all that Polars can count", IdxSize::MAX
    );
    Ok(())
}

/// Work up to which batches are decoded on the calling thread: handing it over costs more.
const INLINE_BYTES: u64 = 64 << 10;
/// The least work of decoding a column, counted in bytes read.
const COLUMN_BYTES: u64 = 256;

/// Stored bytes that decoding has to read, roughly.
fn work(
    schema: &ReadSchema,
    projection: &Projection,
    batches: &[PendingBatch<'_>],
    all_starts: &[Vec<ColumnOffsets>],
    joined: bool,
) -> u64 {
    let mut work = 0u64;
    for (batch, starts) in batches.iter().zip(all_starts) {
        let stays = !joined && is_view(batch);
        for column in &projection.indices {
            let ends = starts.get(*column).zip(starts.get(column + 1));
            let buffers = ends.and_then(|(from, to)| batch.header().buffers.get(from.buffer..to.buffer));
            let field = schema.wire.fields.get(*column);
            work = work.saturating_add(COLUMN_BYTES);
            if !(stays && field.is_some_and(is_plain)) {
                // An estimate: a column that is missing is an error when it is decoded.
                let bytes = buffers.unwrap_or_default().iter().map(|buffer| buffer.len);
                work = bytes.fold(work, u64::saturating_add);
            }
        }
    }
    work
}

/// Whether a batch's buffers need neither decompression nor a copy.
fn is_view(batch: &PendingBatch<'_>) -> bool {
    !batch.is_compressed() && batch.body.shared(0..0).is_some()
}

/// A chunk for each batch, out of the one array of all.
fn cut(arrays: &[Box<dyn Array>], batches: &[PendingBatch<'_>]) -> Vec<Box<dyn Array>> {
    let mut start = 0;
    let chunks = batches.iter().filter_map(|batch| {
        let from = start;
        start += batch.rows();
        arrays.first().map(|array| array.sliced(from, batch.rows()))
    });
    chunks.collect()
}

fn same_version(batches: &[PendingBatch<'_>]) -> bool {
    batches.windows(2).all(|pair| pair[0].version() == pair[1].version())
}

fn decode_group(
    schema: &ReadSchema,
    options: &ReadOptions,
    column: usize,
    batches: &[PendingBatch<'_>],
    starts: &[Vec<ColumnOffsets>],
    budget: &Budget,
    executor: &dyn Executor,
) -> PolarsResult<Box<dyn Array>> {
    let group = ColumnGroup { schema, options, column, batches, starts, budget, executor };
    group.decode(|ctx, field| {
        let array = decode_column(ctx, field)?;
        Ok((array.len(), array))
    })
}

/// A column of batches of one version.
pub(super) struct ColumnGroup<'a> {
    pub(super) schema: &'a ReadSchema,
    pub(super) options: &'a ReadOptions,
    /// Its place in the schema.
    pub(super) column: usize,
    pub(super) batches: &'a [PendingBatch<'a>],
    pub(super) starts: &'a [Vec<ColumnOffsets>],
    pub(super) budget: &'a Budget,
    pub(super) executor: &'a dyn Executor,
}

impl ColumnGroup<'_> {
    /// Runs `decode`, and checks the rows that it says came of it.
    pub(super) fn decode<T>(
        self,
        decode: impl FnOnce(&mut DecodeCtx<'_>, &Field) -> floe_format::Result<(usize, T)>,
    ) -> PolarsResult<T> {
        let Self { schema, options, column, batches, starts, budget, executor } = self;
        let Some(first) = batches.first() else {
            polars_bail!(ComputeError: "a column of no record batches");
        };
        let field: &Field = &schema.wire.fields[column];
        let parts = batches.iter().zip(starts).map(|(batch, starts)| {
            ColumnPart::new(batch.header(), &batch.body, &batch.dictionaries, starts[column])
        });
        let decode_options = options.decode_options(schema, first.version());
        let mut ctx = DecodeCtx::new(parts.collect(), &decode_options, budget, executor);
        let first = first.index;
        let place = || match batches.len() {
            1 => Place::RecordBatch(first),
            n => Place::Text(format!("record batches {first} to {}", first + n - 1)),
        };
        let (len, out) = decode(&mut ctx, field).map_err(|e| format_error(e.at(place())))?;
        let rows: usize = batches.iter().map(PendingBatch::rows).sum();
        if len != rows {
            let message = format!("column \"{}\": {len} values in a batch of {rows} rows", field.name);
            return Err(format_error(Error::invalid(message).at(place())));
        }
        Ok(out)
    }
}
