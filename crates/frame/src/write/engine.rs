//! Frames to messages: cut, encoded in parallel, emitted in order.
//!
//! ```text
//!   calling thread   cut b0 b1 b2 ..          emit b0        emit b1
//!   pool             [b0 c0][b0 c1][b1 c0]..  [b2 c0] ...
//! ```
//!
//! A batch is submitted as tasks of some columns each; a bounded window of batches is in flight;
//! the calling thread awaits the oldest, writes it, and submits the next. So the user's `W` needs
//! no `Send`, memory is bounded by the window, and the bytes are the same for any thread count. What is
//! not compressed it helps to encode where it would wait; what is written as it lies it writes at once. Tasks of the
//! oldest batch come first, and of those the largest: see [`Queue`]. Of the first batch that is not compressed some
//! buffers are only promised: it is written while they are made, see [`Promise`](floe_array::encode::Promise).

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use floe_array::encode::Remap;
use floe_format::{Field, KeyValues, Text};
use polars_core::prelude::*;

use super::choices::{Choices, Role};
use super::chunk;
use super::convert::{Columns, Pieces, estimate};
use super::dictionaries::{Due, Trackers, dictionary_field, has_dictionary};
use super::emit::{Container, Emitter};
use super::encode::{self, Apart, EncodedColumns, Encoding, assemble, column, columns};
use super::group::{Part, Plan, encode_group, grouped};
use super::in_flight::{Encoded, InFlight};
use super::options::{Options, codec};
use super::statistics::{Texts, flags_metadata};
use crate::cumulative;
use crate::error::{format_error, is_io};
use crate::options::Metadata;
use crate::pool::{Writer, executor, threads};
use crate::schema::WriteSchema;
use crate::statistics::{ColumnStatistics, KEY};
use crate::summary::WriteSummary;

/// Columns are put together into tasks of about this many bytes.
const TASK_BYTES: usize = 256 << 10;
/// Tasks of a batch for each thread, at most about so many.
const TASKS: usize = 8;
/// Below this a batch is encoded on the calling thread: handing it over costs more.
const INLINE_BYTES: usize = 64 << 10;
/// The same for a batch that is not compressed and that the caller waits for: there is nothing to do meanwhile.
const INLINE_RAW_BYTES: usize = 512 << 10;
/// What an array that is written as it lies takes, in terms of bytes to be looked at.
const ARRAY_BYTES: usize = 64;

/// A writer of one stream or file.
pub(crate) struct Engine<W> {
    emitter: Emitter<W>,
    plan: Arc<Plan>,
    trackers: Trackers,
    remaps: Arc<[Option<Remap>]>,
    footer_metadata: Option<Metadata>,
    batch_size: Option<usize>,
    /// Sortedness flags are written.
    flags: bool,
    /// If statistics are written.
    statistics: Option<Texts>,
    parallel: bool,
    deltas: bool,
    container: Container,
    choices: Choices,
    in_flight: InFlight,
}

impl<W: Write> Engine<W> {
    /// Writes the schema.
    pub(crate) fn start(writer: W, schema: &SchemaRef, options: &Options) -> PolarsResult<Self> {
        let Options {
            container,
            compression,
            compat_level,
            record_batch_size,
            record_batch_statistics,
            statistics,
            canonical_views,
            unreferenced_data,
            parallel,
            dictionary_deltas,
            schema_metadata,
            field_metadata,
        } = options;
        let schema = WriteSchema::new(schema, *compat_level, schema_metadata.as_deref(), field_metadata)?;
        let compression = compression.map(codec);
        if let Some(compression) = compression {
            // A codec that is not there, or a level that does not exist, is found before anything is written.
            floe_codec::compress_always(compression, &[], &mut Vec::new())
                .map_err(|e| polars_err!(InvalidOperation: "{e}"))?;
        }
        let mut emitter = Emitter::new(writer, *container);
        emitter.start(&schema.wire)?;
        let trackers = Trackers::new(&schema);
        let remaps = trackers.remaps().into();
        let plan = Arc::new(Plan {
            schema,
            compression,
            statistics: *statistics,
            canonical_views: *canonical_views,
            unreferenced_data: *unreferenced_data,
            parallel: *parallel,
        });
        Ok(Self {
            emitter,
            remaps,
            trackers,
            footer_metadata: None,
            batch_size: *record_batch_size,
            flags: *record_batch_statistics,
            statistics: plan.statistics.then(|| Texts::new(&plan.schema.wire)),
            parallel: *parallel,
            deltas: *dictionary_deltas,
            container: *container,
            choices: Choices::default(),
            in_flight: InFlight::new(if compression.is_none() { Writer::Helps } else { Writer::Waits }),
            plan,
        })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.plan.schema.polars
    }

    pub(crate) fn summary(&self) -> WriteSummary {
        self.emitter.summary()
    }

    pub(crate) fn into_inner(self) -> W {
        self.emitter.into_inner()
    }

    pub(crate) fn get_mut(&mut self) -> &mut W {
        self.emitter.get_mut()
    }

    /// Adds to the footer's custom metadata.
    pub(crate) fn set_footer_metadata(&mut self, metadata: Metadata) {
        self.footer_metadata = Some(metadata);
    }

    /// Writes a whole frame: dictionaries first, then batches. For frames that are all there is.
    pub(crate) fn write_whole(&mut self, df: &DataFrame) -> PolarsResult<()> {
        self.guarded(|this| {
            let waits = true;
            if let Some(chunks) = this.small(df, waits) {
                return this.write_small(df, &chunks, &KeyValues::new());
            }
            let columns = Columns::new(df);
            if !this.trackers.is_empty() {
                this.note(&columns)?;
                if df.height() > 0 {
                    this.write_dictionaries(false)?;
                }
            }
            let ranges = chunk::ranges(&columns, this.batch_size);
            this.submit_ranges(df, &columns, ranges, &KeyValues::new(), waits)?;
            this.drain(0)
        })
    }

    /// Writes a frame as one more batch, or several if it is large.
    pub(crate) fn write_more(&mut self, df: &DataFrame, metadata: &KeyValues) -> PolarsResult<()> {
        self.guarded(|this| {
            this.submit(df, metadata, true)?;
            this.drain(0)
        })
    }

    /// Writes the oldest batch in flight; false if there is none.
    pub(crate) fn write_oldest(&mut self) -> PolarsResult<bool> {
        let Some(keep) = self.in_flight.len().checked_sub(1) else {
            // Nothing is left after a failure, either, which is no reason to believe that all has been written.
            return if self.emitter.has_failed() { self.emitter.check().map(|()| false) } else { Ok(false) };
        };
        self.guarded(|this| this.drain(keep))?;
        Ok(true)
    }

    /// Gives back memory that only the next batch needs.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.emitter.shrink_to_fit();
    }

    /// As [`write_more`](Self::write_more), but leaves a window of batches in flight behind.
    pub(crate) fn submit_more(&mut self, df: &DataFrame, metadata: &KeyValues) -> PolarsResult<()> {
        self.guarded(|this| this.submit(df, metadata, false))
    }

    /// Starts work on a frame, for which the caller `waits`, or does not.
    fn submit(&mut self, df: &DataFrame, metadata: &KeyValues, waits: bool) -> PolarsResult<()> {
        if let Some(chunks) = self.small(df, waits) {
            return self.write_small(df, &chunks, metadata);
        }
        let columns = Columns::new(df);
        if !self.trackers.is_empty() {
            self.note(&columns)?;
            self.write_dictionaries(true)?;
        }
        let whole = 0..df.height();
        let ranges = match self.batch_size {
            None if df.height() == 0 => vec![whole],
            rows => chunk::ranges(&columns, rows),
        };
        self.submit_ranges(df, &columns, ranges, metadata, waits)
    }

    /// Bytes that encoding a column of so many has to look at, roughly. Thousands of arrays that are written as they lie
    /// take less time than waking the pool's threads.
    fn work(&self, field: &Field, arrays: &[ArrayRef], size: usize) -> usize {
        let Plan { compression, statistics, parallel, .. } = &*self.plan;
        let as_written =
            compression.is_none() && !statistics && encode::are_as_written(field, arrays, size, *parallel);
        if as_written { size.min(arrays.len() * ARRAY_BYTES) } else { size }
    }

    /// A batch of less work than this many bytes is encoded on the calling thread.
    fn inline_bytes(&self, waits: bool) -> usize {
        let is_raw = self.plan.compression.is_none() && !self.plan.statistics;
        if waits && is_raw { INLINE_RAW_BYTES } else { INLINE_BYTES }
    }

    /// The only chunk of each column, if the frame is one batch without dictionaries that is encoded in no time:
    /// then what is done around the encoding would cost more than the encoding.
    fn small<'d>(&self, df: &'d DataFrame, waits: bool) -> Option<Vec<&'d ArrayRef>> {
        let rows = df.height();
        let most = self.batch_size.unwrap_or(chunk::DEFAULT_ROWS);
        if rows == 0
            || rows > most
            || self.plan.statistics
            || self.plan.canonical_views
            || !self.trackers.is_empty()
            || !self.in_flight.is_empty()
        {
            return None;
        }
        let (mut bytes, mut work) = (0, 0);
        let most_work = self.inline_bytes(waits);
        let only_chunk = |(field, column): (&Field, &'d Column)| {
            let Column::Series(series) = column else { return None };
            let [one] = series.chunks().as_slice() else { return None };
            let size = estimate(one.as_ref());
            bytes += size;
            work += self.work(field, series.chunks(), size);
            (work < most_work && bytes <= chunk::MAX_BYTES).then_some(one)
        };
        self.plan.schema.wire.fields.iter().zip(df.columns()).map(only_chunk).collect()
    }

    fn write_small(
        &mut self,
        df: &DataFrame,
        chunks: &[&ArrayRef],
        metadata: &KeyValues,
    ) -> PolarsResult<()> {
        let Plan { schema, compression, unreferenced_data, .. } = &*self.plan;
        let encoded = columns(&schema.wire.fields, chunks, *compression, *unreferenced_data);
        let encoded = encoded.map_err(format_error)?;
        if self.flags {
            let mut metadata = metadata.clone();
            metadata.push(flags_metadata(df));
            return self.emit(df.height(), vec![encoded], &metadata);
        }
        self.emit(df.height(), vec![encoded], metadata)
    }

    /// Writes what is due at the end, and the end.
    pub(crate) fn finish(&mut self) -> PolarsResult<WriteSummary> {
        self.guarded(|this| {
            this.drain(0)?;
            if this.container == Container::File && this.emitter.summary().batches > 0 {
                this.write_dictionaries(false)?;
            }
            let footer_metadata = this.footer_metadata.take();
            let statistics = this.statistics.as_mut().and_then(Texts::take_footer);
            let footer = |rows: &[u64]| footer_key_values(footer_metadata.as_ref(), rows, statistics);
            this.emitter.finish(&this.plan.schema.wire, footer)?;
            Ok(())
        })?;
        Ok(self.summary())
    }

    /// An error leaves the output marked as failed, and nothing in flight. So does a panic, of the writer or of a task,
    /// which the caller may catch.
    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> PolarsResult<()>) -> PolarsResult<()> {
        struct Guard<'a, W: Write>(&'a mut Engine<W>);
        impl<W: Write> Drop for Guard<'_, W> {
            fn drop(&mut self) {
                self.0.emitter.fail();
                self.0.in_flight.clear();
            }
        }
        self.emitter.check()?;
        let guard = Guard(self);
        work(&mut *guard.0)?;
        std::mem::forget(guard);
        Ok(())
    }

    fn note(&mut self, columns: &Columns) -> PolarsResult<()> {
        let fields = self.plan.schema.wire.fields.iter().enumerate();
        let noted: Vec<_> = fields
            .filter(|(_, field)| has_dictionary(field))
            .map(|(i, field)| (field, columns.whole(i)))
            .collect();
        self.trackers.note(&noted, executor(self.plan.parallel))?;
        self.remaps = self.trackers.remaps().into();
        Ok(())
    }

    /// Writes the dictionaries that are due. With `more` to come, a file keeps those that may
    /// still grow for its end: the format allows it only one each.
    fn write_dictionaries(&mut self, more: bool) -> PolarsResult<()> {
        for slot in self.trackers.slots() {
            let deltas = self.deltas && self.container == Container::Stream;
            let Some(tracker) = self.trackers.get_mut(slot) else { continue };
            if more && self.container == Container::File && !tracker.is_fixed() {
                continue;
            }
            let from = match tracker.due(deltas) {
                Due::Nothing => continue,
                Due::All => 0,
                Due::From(position) => position,
            };
            let executor = executor(self.parallel);
            let field = dictionary_field(self.plan.schema.views);
            let values = tracker.take(from, &field, executor)?;
            // Batches that use the dictionary as it was come first.
            self.drain(0)?;
            let rows = values.len();
            let (queue, batch) = self.in_flight.next();
            let apart = self.parallel.then_some(Apart { queue, batch, column: 0 });
            let compression = self.plan.compression;
            let encoding = Encoding {
                remaps: &[],
                compression,
                canonical_views: true,
                unreferenced_data: false,
                executor,
            };
            let encoded = column(&field, &values, encoding, apart, Role::Alone)
                .and_then(|encoded| assemble(rows, vec![encoded], self.plan.compression));
            let batch = encoded.map_err(format_error)?;
            let id = i64::try_from(slot).unwrap_or(i64::MAX);
            self.emitter.dictionary(id, from > 0, batch)?;
        }
        Ok(())
    }

    fn submit_ranges(
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

    /// Starts work on a batch, having made room for it; does it if it is less than `inline_bytes`.
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
        let work: usize = self.plan.schema.wire.fields.iter().zip(&pieces).zip(&sizes).map(work).sum();
        let compresses = self.plan.compression.is_some();
        let part = |((i, pieces), field): ((usize, Pieces), &Field)| {
            let role = if compresses { self.choices.role(i, field, rows) } else { Role::Alone };
            // Polars, which makes the rows of a scalar, may do other work of the pool meanwhile, and others wait.
            match role {
                Role::Finds(_) => (i, Pieces::Arrays(pieces.into_arrays()), role),
                _ => (i, pieces, role),
            }
        };
        let all: Vec<Part> =
            pieces.into_iter().enumerate().zip(&self.plan.schema.wire.fields).map(part).collect();
        if !self.parallel || work < inline_bytes {
            self.drain(0)?;
            let columns = encode_group(all, &self.plan, &self.remaps, None)?;
            return self.emit(rows, vec![columns], &metadata);
        }
        while self.in_flight.is_full(bytes) {
            self.drain(self.in_flight.len() - 1)?;
        }
        // Statistics look at the bytes that are written. What is not compressed is taken apart only while nothing is
        // written: so that something can be.
        let apart = !self.plan.statistics && (compresses || self.in_flight.is_empty());
        let tasks_most = (threads() * TASKS).max(1);
        let target = if sizes.len() <= tasks_most { TASK_BYTES } else { TASK_BYTES.max(bytes / tasks_most) };
        for (group, bytes) in grouped(all.into_iter().zip(sizes), target) {
            let (plan, remaps) = (Arc::clone(&self.plan), Arc::clone(&self.remaps));
            let (queue, batch) = self.in_flight.next();
            let queue = queue.clone();
            let work = move || encode_group(group, &plan, &remaps, apart.then_some((&queue, batch)));
            self.in_flight.start(bytes, work);
        }
        self.in_flight.push(rows, bytes, metadata);
        Ok(())
    }

    /// Writes the oldest batches in flight until `keep` are left.
    fn drain(&mut self, keep: usize) -> PolarsResult<()> {
        while self.in_flight.len() > keep {
            let Some(Encoded { rows, columns, metadata }) = self.in_flight.pop()? else { break };
            self.emit(rows, columns, &metadata)?;
        }
        Ok(())
    }

    fn emit(
        &mut self,
        rows: usize,
        mut columns: Vec<EncodedColumns>,
        metadata: &KeyValues,
    ) -> PolarsResult<()> {
        let Some(texts) = &mut self.statistics else {
            let batch = assemble(rows, columns, self.plan.compression).map_err(format_error)?;
            return self.emitter.batch(batch, metadata);
        };
        let statistics = columns.iter_mut().flat_map(|columns| std::mem::take(&mut columns.statistics));
        let statistics: Vec<ColumnStatistics> = statistics.collect();
        let mut metadata = metadata.clone();
        metadata.push((KEY.into(), texts.next(rows, statistics).into()));
        let batch = assemble(rows, columns, self.plan.compression).map_err(format_error)?;
        self.emitter.batch(batch, &metadata)
    }
}

/// Writes a frame as a whole stream or file. `broken` is set when that fails midway: what is there
/// then is not whole, and nothing more may be written behind it.
pub(crate) fn write_frame<W: Write>(
    writer: W,
    df: &DataFrame,
    options: &Options,
    broken: &mut bool,
) -> PolarsResult<WriteSummary> {
    polars_ensure!(
        !*broken,
        ComputeError: "an earlier write to this writer failed; what has been written is not complete"
    );
    // Also if the writer panics, which the caller may catch.
    *broken = true;
    let started = Engine::start(writer, df.schema(), options);
    // A dtype that cannot be written is found before the first byte: the writer is still good.
    *broken = !matches!(&started, Err(error) if !is_io(error));
    let mut engine = started?;
    engine.write_whole(df)?;
    let summary = engine.finish()?;
    *broken = false;
    Ok(summary)
}

fn footer_key_values(custom: Option<&Metadata>, rows: &[u64], statistics: Option<Text>) -> KeyValues {
    let mut out: KeyValues = custom.map(crate::schema::key_values).unwrap_or_default();
    out.retain(|(key, _)| key != KEY);
    out.extend(statistics.map(|text| (KEY.into(), text)));
    cumulative::put(&mut out, rows);
    out
}
