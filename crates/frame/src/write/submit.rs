//! Frames to batches in flight: cut, and started as tasks of the pool.

use std::ops::Range;
use std::sync::Arc;

use floe_format::{Field, KeyValues};
use polars_core::prelude::*;

use super::chunk;
use super::convert::{Columns, Pieces};
use super::engine::Engine;
use super::group::{ColumnPart, encode_group, grouped};
use super::message_sink::MessageSink;
use super::plans::PlanRole;
use super::statistics::flags_metadata;
use crate::pool::threads;

/// Columns are put together until a task has this many bytes.
const MIN_TASK_BYTES: usize = 256 << 10;
/// Tasks of a batch, at most about this many for each thread.
const MAX_TASKS_PER_THREAD: usize = 8;

impl<S: MessageSink> Engine<S> {
    /// Starts work on a frame. `waits` says whether the caller waits for it.
    pub(super) fn submit(&mut self, df: &DataFrame, metadata: &KeyValues, waits: bool) -> PolarsResult<()> {
        let df = &*self.as_written(df)?;
        if let Some(chunks) = self.small(df, waits) {
            return self.write_small(df, &chunks, metadata);
        }
        let columns = Columns::new(df);
        if !self.dictionaries.is_empty() {
            self.note_categories(&columns)?;
            self.write_dictionaries(true)?;
        }
        let whole = 0..df.height();
        let ranges = match self.batch_size {
            None if df.height() == 0 => vec![whole],
            rows => chunk::ranges(&columns, rows),
        };
        self.submit_ranges(df, &columns, ranges, metadata, waits)
    }

    pub(super) fn submit_ranges(
        &mut self,
        df: &DataFrame,
        columns: &Columns,
        ranges: Vec<Range<usize>>,
        metadata: &KeyValues,
        waits: bool,
    ) -> PolarsResult<()> {
        let inline_bytes = self.inline_bytes(waits && ranges.len() == 1);
        for range in ranges {
            let mut metadata = metadata.clone();
            if self.flags {
                metadata.push(flags_metadata(df));
            }
            let pieces: Vec<Pieces> =
                (0..columns.width()).map(|i| columns.slice(i, range.start, range.len())).collect();
            self.submit_batch(range.len(), pieces, metadata, inline_bytes)?;
        }
        Ok(())
    }

    /// Starts work on a batch, having made room for it. A batch of less work than `inline_bytes` is done at once.
    fn submit_batch(
        &mut self,
        rows: usize,
        pieces: Vec<Pieces>,
        metadata: KeyValues,
        inline_bytes: usize,
    ) -> PolarsResult<()> {
        let sizes: Vec<usize> = pieces.iter().map(Pieces::estimated_bytes).collect();
        let bytes: usize = sizes.iter().sum();
        let work = |((field, pieces), size): ((&Field, &Pieces), &usize)| match pieces {
            Pieces::Arrays(arrays) => self.work(field, arrays, *size),
            Pieces::Scalar(_) => *size,
        };
        let work: usize = self.config.schema.wire.fields.iter().zip(&pieces).zip(&sizes).map(work).sum();
        let parts = self.parts(rows, pieces);
        if !self.config.parallel || work < inline_bytes {
            self.drain(0)?;
            let columns = encode_group(parts, &self.config, &self.remaps, None)?;
            return self.emit(rows, vec![columns], &metadata);
        }
        while self.in_flight.is_full(bytes) {
            self.drain(self.in_flight.len() - 1)?;
        }
        self.start_tasks(parts, sizes, bytes);
        self.in_flight.push(rows, bytes, metadata);
        Ok(())
    }

    /// The columns of a batch, with their roles.
    fn parts(&mut self, rows: usize, pieces: Vec<Pieces>) -> Vec<ColumnPart> {
        let compresses = self.config.compression.is_some();
        let part = |((column, pieces), field): ((usize, Pieces), &Field)| {
            let role =
                if compresses { self.column_plans.role(column, field, rows) } else { PlanRole::Independent };
            let pieces = match role {
                // Polars makes the rows of a scalar, and may do other work of the pool meanwhile: work that waits for
                // this very leader.
                PlanRole::Leader(_) => Pieces::Arrays(pieces.into_arrays()),
                PlanRole::Independent | PlanRole::Follower(_) => pieces,
            };
            ColumnPart { column, pieces, role }
        };
        pieces.into_iter().enumerate().zip(&self.config.schema.wire.fields).map(part).collect()
    }

    /// Starts the tasks of the next batch in flight.
    fn start_tasks(&mut self, parts: Vec<ColumnPart>, sizes: Vec<usize>, bytes: usize) {
        // Statistics look at the bytes that are written, so a column is one task then. Uncompressed columns are split
        // only while the writer is idle, to get the first bytes out early.
        let compresses = self.config.compression.is_some();
        let splits = !self.config.statistics && (compresses || self.in_flight.is_empty());
        let max_tasks = (threads() * MAX_TASKS_PER_THREAD).max(1);
        let target =
            if sizes.len() <= max_tasks { MIN_TASK_BYTES } else { MIN_TASK_BYTES.max(bytes / max_tasks) };
        for (group, bytes) in grouped(parts.into_iter().zip(sizes), target) {
            let (config, remaps) = (Arc::clone(&self.config), Arc::clone(&self.remaps));
            let (queue, batch) = self.in_flight.next();
            let queue = queue.clone();
            let work = move || encode_group(group, &config, &remaps, splits.then_some((&queue, batch)));
            self.in_flight.start(bytes, work);
        }
    }
}
