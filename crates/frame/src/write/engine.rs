//! Frames to messages: cut, encoded in parallel, emitted in order.
//!
//! ```text
//!   calling thread   cut b0 b1 b2 ..          emit b0        emit b1
//!   pool             [b0 c0][b0 c1][b1 c0]..  [b2 c0] ...
//! ```
//!
//! A batch is submitted as tasks of some columns each (`submit`), and a bounded window of batches is in flight. The
//! calling thread awaits the oldest batch, writes it, and submits the next. So the user's `W` needs no `Send`, the window
//! bounds memory, and the bytes are the same for any number of threads.
//!
//! Where nothing is compressed, the calling thread helps to encode instead of waiting, and writes buffers from where they
//! lie. Tasks of the oldest batch come first, and of those the largest: see [`Queue`](crate::pool::Queue). Some buffers
//! of the first uncompressed batch are deferred: the batch is written while they are made, see
//! [`DeferredBuffers`](floe_array::encode::DeferredBuffers).
//!
//! Neighbours: `submit` starts batches, `small` skips all that for tiny ones, `dictionary_writer` puts dictionaries in
//! front of the batches that use them.

use std::io::Write;
use std::sync::Arc;

use floe_array::encode::Remap;
use floe_format::{KeyValues, Text};
use polars_core::prelude::*;

use super::batch::{EncodedColumns, assemble};
use super::chunk;
use super::convert::Columns;
use super::dictionary_builder::DictionaryBuilders;
use super::emit::{Container, Emitter};
use super::group::EncodeConfig;
use super::in_flight::{Encoded, InFlight};
use super::options::{Options, codec};
use super::plans::ColumnPlans;
use super::statistics::StatisticsLog;
use crate::cumulative;
use crate::error::{format_error, is_io};
use crate::options::Metadata;
use crate::pool::CallerRole;
use crate::schema::WriteSchema;
use crate::statistics::KEY;
use crate::summary::WriteSummary;

/// A writer of one stream or file.
pub(crate) struct Engine<W> {
    pub(super) emitter: Emitter<W>,
    pub(super) config: Arc<EncodeConfig>,
    pub(super) dictionaries: DictionaryBuilders,
    /// The renumbering of the keys of each dictionary.
    pub(super) remaps: Arc<[Option<Remap>]>,
    footer_metadata: Option<Metadata>,
    pub(super) batch_size: Option<usize>,
    /// Whether sortedness flags are written.
    pub(super) flags: bool,
    /// If statistics are written.
    statistics: Option<StatisticsLog>,
    /// Whether grown dictionaries are extended rather than replaced.
    pub(super) deltas: bool,
    pub(super) container: Container,
    pub(super) column_plans: ColumnPlans,
    pub(super) in_flight: InFlight,
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
            layout,
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
        let mut emitter = Emitter::new(writer, *container, *layout);
        emitter.start(&schema.wire)?;
        let dictionaries = DictionaryBuilders::new(&schema);
        let remaps = dictionaries.remaps().into();
        let config = Arc::new(EncodeConfig {
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
            dictionaries,
            footer_metadata: None,
            batch_size: *record_batch_size,
            flags: *record_batch_statistics,
            statistics: config.statistics.then(|| StatisticsLog::new(&config.schema.wire)),
            deltas: *dictionary_deltas,
            container: *container,
            column_plans: ColumnPlans::default(),
            in_flight: InFlight::new(if compression.is_none() {
                CallerRole::Helps
            } else {
                CallerRole::Waits
            }),
            config,
        })
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.config.schema.polars
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
            if let Some(chunks) = this.small(df, true) {
                return this.write_small(df, &chunks, &KeyValues::new());
            }
            let columns = Columns::new(df);
            if !this.dictionaries.is_empty() {
                this.note_categories(&columns)?;
                if df.height() > 0 {
                    this.write_dictionaries(false)?;
                }
            }
            let ranges = chunk::ranges(&columns, this.batch_size);
            this.submit_ranges(df, &columns, ranges, &KeyValues::new(), true)?;
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

    /// Writes the dictionaries that go to the end of a file, and the end.
    pub(crate) fn finish(&mut self) -> PolarsResult<WriteSummary> {
        self.guarded(|this| {
            this.drain(0)?;
            if this.container == Container::File && this.emitter.summary().batches > 0 {
                this.write_dictionaries(false)?;
            }
            let footer_metadata = this.footer_metadata.take();
            let statistics = this.statistics.as_mut().and_then(StatisticsLog::take_footer);
            let footer = |rows: &[u64]| footer_key_values(footer_metadata.as_ref(), rows, statistics);
            this.emitter.finish(&this.config.schema.wire, footer)?;
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

    /// Writes the oldest batches in flight until `keep` are left.
    pub(super) fn drain(&mut self, keep: usize) -> PolarsResult<()> {
        while self.in_flight.len() > keep {
            let Some(Encoded { rows, columns, metadata }) = self.in_flight.pop()? else { break };
            self.emit(rows, columns, &metadata)?;
        }
        Ok(())
    }

    /// Writes an encoded batch.
    pub(super) fn emit(
        &mut self,
        rows: usize,
        mut columns: Vec<EncodedColumns>,
        metadata: &KeyValues,
    ) -> PolarsResult<()> {
        let Some(log) = &mut self.statistics else {
            let batch = assemble(rows, columns, self.config.compression).map_err(format_error)?;
            return self.emitter.batch(batch, metadata);
        };
        let mut metadata = metadata.clone();
        metadata.push((KEY.into(), log.next(rows, &mut columns).into()));
        let batch = assemble(rows, columns, self.config.compression).map_err(format_error)?;
        self.emitter.batch(batch, &metadata)
    }
}

/// Writes a frame as a whole stream or file. `broken` is set when that fails midway: the output is
/// incomplete then, and nothing more may be written behind it.
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
    // Mostly the caller sets none.
    let mut out: KeyValues = custom.map(crate::schema::key_values).unwrap_or_default();
    out.retain(|(key, _)| key != KEY);
    out.extend(statistics.map(|text| (KEY.into(), text)));
    cumulative::put(&mut out, rows);
    out
}
