//! Decoded arrays to a DataFrame.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::Array;
use arrow::bitmap::Bitmap;
use floe_array::decode::{Budget, ColumnBuilder, ColumnOffsets, decode_column, is_plain};
use floe_array::{Body, ColumnPart, DecodeCtx, DecodeOptions, Dictionaries};
use floe_format::{BatchHeader, Error, Field, Place};
use floe_runtime::{Executor, Serial};
use polars_core::prelude::*;

use super::options::{ColumnCounts, Projection, ReadOptions};
use crate::error::format_error;
use crate::schema::ReadSchema;

/// A batch to decode: its header, where its body is, the dictionaries as it knew them.
pub(crate) struct BatchInput<'a> {
    pub(crate) header: &'a BatchHeader,
    pub(crate) body: &'a dyn Body,
    pub(crate) dictionaries: Arc<Dictionaries>,
    /// Its number, for messages.
    pub(crate) index: usize,
    pub(crate) options: DecodeOptions,
}

/// The rows of all batches, and where each one's columns start.
fn checked(
    schema: &ReadSchema,
    options: &ReadOptions,
    batches: &[BatchInput<'_>],
) -> PolarsResult<(usize, Vec<Vec<ColumnOffsets>>)> {
    let mut all_starts: Vec<Vec<ColumnOffsets>> = Vec::with_capacity(batches.len());
    let mut rows = 0usize;
    let mut counts = ColumnCounts::default();
    for batch in batches {
        let at = |e: Error| format_error(e.at(Place::RecordBatch(batch.index)));
        all_starts.push(counts.starts(schema, batch.header, batch.options.version()).map_err(at)?);
        rows = rows.saturating_add(batch.header.rows);
        check_rows(rows)?;
        let unbacked = options.limits.max_unbacked_rows;
        if schema.columns.is_empty() && batch.header.rows > unbacked {
            polars_bail!(ComputeError: "{} rows exceed the limit `max_unbacked_rows` of {unbacked}", batch.header.rows);
        }
    }
    Ok((rows, all_starts))
}

/// Decodes batches into one frame: contiguous columns if asked, else a chunk a batch.
pub(crate) fn decode_frame(
    schema: &ReadSchema,
    projection: &Projection,
    options: &ReadOptions,
    batches: &[BatchInput<'_>],
    budget: &Budget,
    executor: &dyn Executor,
) -> PolarsResult<DataFrame> {
    let (rows, all_starts) = checked(schema, options, batches)?;
    let width = projection.indices.len();
    // One allocation for all batches, also when a chunk a batch is wanted: it is cut up then. Only
    // buffers that are views into the source are better off by themselves.
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
        decode_group(schema, column, batches, starts, budget, executor)
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
/// What decoding a column takes at least, in terms of bytes to be looked at.
const COLUMN_BYTES: u64 = 256;

/// Stored bytes that decoding has to look at, roughly.
fn work(
    schema: &ReadSchema,
    projection: &Projection,
    batches: &[BatchInput<'_>],
    all_starts: &[Vec<ColumnOffsets>],
    joined: bool,
) -> u64 {
    let mut work = 0u64;
    for (batch, starts) in batches.iter().zip(all_starts) {
        let stays = !joined && is_view(batch);
        for column in &projection.indices {
            let ends = starts.get(*column).zip(starts.get(column + 1));
            let buffers = ends.and_then(|(from, to)| batch.header.buffers.get(from.buffer..to.buffer));
            let field = schema.wire.fields.get(*column);
            work = work.saturating_add(COLUMN_BYTES);
            if !(stays && field.is_some_and(is_plain)) {
                let bytes = buffers.unwrap_or_default().iter().map(|buffer| buffer.len);
                work = bytes.fold(work, u64::saturating_add);
            }
        }
    }
    work
}

/// Whether a batch's buffers need neither decompression nor a copy.
fn is_view(batch: &BatchInput<'_>) -> bool {
    batch.header.compression.is_none() && batch.body.shared(0..0).is_some()
}

/// A chunk for each batch, out of the one array of all.
fn cut(arrays: &[Box<dyn Array>], batches: &[BatchInput<'_>]) -> Vec<Box<dyn Array>> {
    let mut start = 0;
    let chunks = batches.iter().filter_map(|batch| {
        let from = start;
        start += batch.header.rows;
        arrays.first().map(|array| array.sliced(from, batch.header.rows))
    });
    chunks.collect()
}

fn same_version(batches: &[BatchInput<'_>]) -> bool {
    batches.windows(2).all(|pair| pair[0].options.version() == pair[1].options.version())
}

fn decode_group(
    schema: &ReadSchema,
    column: usize,
    batches: &[BatchInput<'_>],
    starts: &[Vec<ColumnOffsets>],
    budget: &Budget,
    executor: &dyn Executor,
) -> PolarsResult<Box<dyn Array>> {
    with_column(schema, column, batches, starts, budget, executor, |ctx, field| {
        let array = decode_column(ctx, field)?;
        Ok((array.len(), array))
    })
}

/// Runs `decode` on a column of batches of one version, and checks the rows that it says came of it.
fn with_column<T>(
    schema: &ReadSchema,
    column: usize,
    batches: &[BatchInput<'_>],
    starts: &[Vec<ColumnOffsets>],
    budget: &Budget,
    executor: &dyn Executor,
    decode: impl FnOnce(&mut DecodeCtx<'_>, &Field) -> floe_format::Result<(usize, T)>,
) -> PolarsResult<T> {
    let field: &Field = &schema.wire.fields[column];
    let parts = batches.iter().zip(starts).map(|(batch, starts)| {
        ColumnPart::new(batch.header, batch.body, &batch.dictionaries, starts[column])
    });
    let mut ctx = DecodeCtx::new(parts.collect(), &batches[0].options, budget, executor);
    let first = batches[0].index;
    let place = || match batches.len() {
        1 => Place::RecordBatch(first),
        n => Place::Text(format!("record batches {first} to {}", first + n - 1)),
    };
    let (len, out) = decode(&mut ctx, field).map_err(|e| format_error(e.at(place())))?;
    let rows: usize = batches.iter().map(|batch| batch.header.rows).sum();
    if len != rows {
        let message = format!("column \"{}\": {len} values in a batch of {rows} rows", field.name);
        return Err(format_error(Error::invalid(message).at(place())));
    }
    Ok(out)
}

/// A frame of which one window of batches after another is decoded, or some of its columns.
pub(crate) struct GrowingFrame {
    columns: Vec<GrowingColumn>,
    rows: usize,
    so_far: SoFar,
}

/// What has become of batches so far. What is read to where it stays is kept otherwise than what is decoded, and to change
/// from one to the other copies all of it: that is done once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SoFar {
    /// None has been read to where it stays.
    NoneRead,
    /// The last ones have been.
    Read,
    /// Some have been, and others decoded behind them: from now on all are decoded.
    DecodedAfterRead,
}

struct GrowingColumn {
    /// Its place in the projection, ...
    at: usize,
    /// ... and in the schema.
    index: usize,
    growing: ColumnBuilder,
}

impl GrowingFrame {
    fn new(columns: Vec<GrowingColumn>) -> Self {
        Self { columns, rows: 0, so_far: SoFar::NoneRead }
    }

    /// The columns at some places of the projection, which ascend, and all others.
    pub(crate) fn split(projection: &Projection, places: &[usize]) -> (Self, Self) {
        let columns = projection.indices.iter().enumerate();
        let columns =
            columns.map(|(at, index)| GrowingColumn { at, index: *index, growing: ColumnBuilder::default() });
        let (here, others) = columns.partition(|column| places.binary_search(&column.at).is_ok());
        (Self::new(here), Self::new(others))
    }

    /// Its columns' places in the schema.
    pub(crate) fn indices(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|column| column.index)
    }

    /// Whether what follows may be read to where it stays.
    pub(crate) fn takes_reads(&self) -> bool {
        self.so_far != SoFar::DecodedAfterRead
    }

    /// Whether it has no columns.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Decodes batches behind those before them.
    pub(crate) fn decode(
        &mut self,
        schema: &ReadSchema,
        options: &ReadOptions,
        batches: &[BatchInput<'_>],
        budget: &Budget,
        executor: &dyn Executor,
    ) -> PolarsResult<()> {
        if self.so_far == SoFar::Read {
            self.so_far = SoFar::DecodedAfterRead;
        }
        let (rows, all_starts) = checked(schema, options, batches)?;
        let columns = self.columns.iter_mut().collect();
        let decoded = executor.map_jobs(columns, |column: &mut GrowingColumn| {
            let GrowingColumn { index, growing, .. } = column;
            let mut starts = all_starts.as_slice();
            for batches in batches.chunk_by(|a, b| a.options.version() == b.options.version()) {
                let (here, behind) = starts.split_at(batches.len());
                starts = behind;
                with_column(schema, *index, batches, here, budget, executor, |ctx, field| {
                    growing.decode(ctx, field).map(|rows| (rows, ()))
                })?;
            }
            Ok(())
        });
        decoded.into_iter().collect::<PolarsResult<()>>()?;
        self.rows = self.rows.saturating_add(rows);
        check_rows(self.rows)
    }

    /// Reads the next rows of its column number `column`: see [`ColumnBuilder::read`].
    pub(crate) fn read(
        &mut self,
        column: usize,
        fields: &[Field],
        rows: usize,
        validity: Option<Bitmap>,
        stored: u64,
        read: &mut dyn FnMut(&mut [u8]) -> floe_format::Result<()>,
    ) -> floe_format::Result<()> {
        self.so_far = SoFar::Read;
        let GrowingColumn { index, growing, .. } = &mut self.columns[column];
        let field = &fields[*index];
        growing
            .read(field, rows, validity, stored, read)
            .map_err(|e| e.at(Place::Column(field.name.to_string())))
    }

    /// The frame of these columns and of those that were split off, of one chunk a column.
    pub(crate) fn finish(self, split_off: Self, projection: &Projection) -> PolarsResult<DataFrame> {
        let mut columns = self.columns;
        columns.extend(split_off.columns);
        columns.sort_by_key(|column| column.at);
        let mut out = Vec::with_capacity(columns.len());
        for ((column, dtype), name) in columns.into_iter().zip(&projection.dtypes).zip(&projection.names) {
            let array = column.growing.finish().map_err(format_error)?;
            out.push(series(name, array.into_iter().collect(), dtype)?.into_column());
        }
        DataFrame::new(self.rows, out)
    }
}

/// A series of chunks whose physical type is the dtype's.
fn series(name: &PlSmallStr, chunks: Vec<Box<dyn Array>>, dtype: &DataType) -> PolarsResult<Series> {
    let is_physical =
        dtype.is_primitive_numeric() || dtype.is_bool() || dtype.is_string() || dtype.is_binary();
    if is_physical && !chunks.is_empty() {
        return Series::try_from((name.clone(), chunks));
    }
    let mut chunks = chunks.into_iter();
    let Some(first) = chunks.next() else {
        // Not `Series::new_empty`: Polars 0.55.2 panics in it for a `BinaryOffset` in a list in a struct.
        let physical = dtype.to_physical().to_arrow(CompatLevel::newest());
        return one_chunk(name, arrow::array::new_empty_array(physical), dtype);
    };
    let mut series = one_chunk(name, first, dtype)?;
    for chunk in chunks {
        series.append_owned(one_chunk(name, chunk, dtype)?)?;
    }
    Ok(series)
}

fn one_chunk(name: &PlSmallStr, chunk: Box<dyn Array>, dtype: &DataType) -> PolarsResult<Series> {
    #[cfg(feature = "dtype-extension")]
    if let DataType::Extension(kind, storage) = dtype {
        return Ok(one_chunk(name, chunk, storage)?.into_extension(kind.clone()));
    }
    Series::from_chunk_and_dtype(name.clone(), chunk, dtype)
}

/// The first rows. Not `DataFrame::head`, which makes a frame without rows anew, by
/// `Series::new_empty`.
fn head(df: &DataFrame, rows: usize) -> PolarsResult<DataFrame> {
    DataFrame::new(rows, df.columns().iter().map(|column| column.slice(0, rows)).collect())
}

/// What every read does to a frame at the end: the rows asked for, the row index.
pub(crate) fn finish_frame(df: DataFrame, options: &ReadOptions, before: usize) -> PolarsResult<DataFrame> {
    let df = match options.n_rows {
        Some(n) if before + df.height() > n => head(&df, n.saturating_sub(before))?,
        _ => df,
    };
    match &options.row_index {
        None => Ok(df),
        Some(index) => {
            let before = IdxSize::try_from(before).unwrap_or(IdxSize::MAX);
            let offset = index
                .offset
                .checked_add(before)
                .ok_or_else(|| polars_err!(ComputeError: "the row index overflows"))?;
            df.with_row_index(index.name.clone(), Some(offset))
        },
    }
}
