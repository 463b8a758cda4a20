//! A frame that grows: one window of batches after another is decoded behind those before.

use arrow::bitmap::Bitmap;
use floe_array::decode::{Budget, ColumnBuilder};
use floe_format::{Field, Place};
use floe_runtime::Executor;
use polars_core::prelude::*;

use super::assemble::{ColumnGroup, check_rows, checked};
use super::frame::series;
use super::options::{Projection, ReadOptions};
use super::pending::PendingBatch;
use crate::error::format_error;
use crate::schema::ReadSchema;

/// A frame of which one window of batches after another is decoded, or some of its columns.
pub(crate) struct FrameBuilder {
    columns: Vec<ColumnState>,
    rows: usize,
    mode: AppendMode,
}

/// How the next batches are appended. Values that are read in place are kept in another form than decoded ones, and switching
/// copies everything so far, so we switch at most once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum AppendMode {
    /// None has been read to where it stays.
    NoneRead,
    /// The last ones have been.
    Read,
    /// Some have been, and others decoded behind them: from now on all are decoded.
    DecodedAfterRead,
}

struct ColumnState {
    /// Its place in the projection, ...
    at: usize,
    /// ... and in the schema.
    index: usize,
    growing: ColumnBuilder,
}

impl FrameBuilder {
    fn new(columns: Vec<ColumnState>) -> Self {
        Self { columns, rows: 0, mode: AppendMode::NoneRead }
    }

    /// The columns at some places of the projection, which ascend, and all others.
    pub(crate) fn split(projection: &Projection, places: &[usize]) -> (Self, Self) {
        let columns = projection.indices.iter().enumerate();
        let columns =
            columns.map(|(at, index)| ColumnState { at, index: *index, growing: ColumnBuilder::default() });
        let (here, others) = columns.partition(|column| places.binary_search(&column.at).is_ok());
        (Self::new(here), Self::new(others))
    }

    /// Its columns' places in the schema.
    pub(crate) fn indices(&self) -> impl Iterator<Item = usize> {
        self.columns.iter().map(|column| column.index)
    }

    /// Whether the next values may be read to where they stay.
    pub(crate) fn takes_reads(&self) -> bool {
        self.mode != AppendMode::DecodedAfterRead
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
        batches: &[PendingBatch<'_>],
        budget: &Budget,
        executor: &dyn Executor,
    ) -> PolarsResult<()> {
        if self.mode == AppendMode::Read {
            self.mode = AppendMode::DecodedAfterRead;
        }
        let (rows, all_starts) = checked(schema, options, batches)?;
        let columns = self.columns.iter_mut().collect();
        let decoded = executor.map_jobs(columns, |column: &mut ColumnState| {
            let ColumnState { index, growing, .. } = column;
            let mut starts = all_starts.as_slice();
            for batches in batches.chunk_by(|a, b| a.version() == b.version()) {
                let (here, behind) = starts.split_at(batches.len());
                starts = behind;
                let group =
                    ColumnGroup { schema, options, column: *index, batches, starts: here, budget, executor };
                group.decode(|ctx, field| growing.decode(ctx, field).map(|rows| (rows, ())))?;
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
        self.mode = AppendMode::Read;
        let ColumnState { index, growing, .. } = &mut self.columns[column];
        let field = &fields[*index];
        growing
            .read(field, rows, validity, stored, read)
            .map_err(|e| e.at(Place::Column(field.name.to_string())))
    }

    /// The frame of these columns and of those that were split off, with one chunk per column.
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
