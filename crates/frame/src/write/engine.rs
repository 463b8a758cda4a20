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

use std::borrow::Cow;
use std::io::Write;
use std::sync::Arc;

use floe_array::encode::Remap;
use floe_format::{KeyValues, Text};
use polars_core::prelude::*;

use super::append::{Appending, Opening};
use super::batch::{EncodedColumns, assemble};
use super::chunk;
use super::convert::Columns;
use super::dictionary_builder::DictionaryBuilders;
use super::emit::{Container, Emitter};
use super::group::EncodeConfig;
use super::in_flight::{Encoded, InFlight};
use super::interop::Interop;
use super::message_sink::MessageSink;
use super::options::{Options, codec};
use super::output::Output;
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
pub(crate) struct Engine<S> {
    pub(super) emitter: Emitter<S>,
    pub(super) config: Arc<EncodeConfig>,
    pub(super) dictionaries: DictionaryBuilders,
    /// The renumbering of the keys of each dictionary.
    pub(super) remaps: Arc<[Option<Remap>]>,
    footer_metadata: Option<Metadata>,
    /// The metadata of the old footer, if this writer goes on with a file.
    footer_before: KeyValues,
    /// The file that this writer goes on with, if any.
    appending: Option<Appending>,
    /// How frames are changed before they are written, if they are.
    pub(super) interop: Option<Interop>,
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

impl<S: MessageSink> Engine<S> {
    /// Writes the schema.
    pub(crate) fn start(sink: S, schema: &SchemaRef, options: &Options) -> PolarsResult<Self> {
        let Options {
            container,
            compression,
            // `level` takes both into account.
            compat_level: _,
            interop,
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
            append,
        } = options;
        let level = options.level()?;
        let interop = interop.then(|| Interop::new(schema)).transpose()?;
        let schema = interop.as_ref().map_or(schema, |interop| &interop.written);
        let existing = append.as_ref().map(|append| append.open(schema, options)).transpose()?;
        let schema = match &existing {
            None => WriteSchema::new(schema, level, schema_metadata.as_deref(), field_metadata)?,
            Some(opening) => opening.schema.clone(),
        };
        let compression = compression.map(codec);
        if let Some(compression) = compression {
            // A codec that is not there, or a level that does not exist, is found before anything is written.
            floe_codec::compress_always(compression, &[], &mut Vec::new())
                .map_err(|e| polars_err!(InvalidOperation: "{e}"))?;
        }
        let mut statistics_log = statistics.then(|| StatisticsLog::new(&schema.wire));
        let mut dictionaries = DictionaryBuilders::new(&schema);
        let mut emitter = Emitter::new(sink, *container, *layout);
        let (mut appending, mut footer_before) = (None, KeyValues::new());
        match existing {
            None => emitter.start(&schema.wire)?,
            Some(opening) => {
                let (begun, metadata) =
                    resume(opening, &mut emitter, &mut dictionaries, statistics_log.as_mut())?;
                (appending, footer_before) = (Some(begun), metadata);
            },
        }
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
            footer_before,
            appending,
            interop,
            batch_size: *record_batch_size,
            flags: *record_batch_statistics,
            statistics: statistics_log,
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

    /// The schema of the frames that are given to it.
    pub(crate) fn schema(&self) -> &SchemaRef {
        self.interop.as_ref().map_or(&self.config.schema.polars, |interop| &interop.given)
    }

    /// The frame that is written for one that is given.
    pub(super) fn as_written<'a>(&self, df: &'a DataFrame) -> PolarsResult<Cow<'a, DataFrame>> {
        self.interop.as_ref().map_or(Ok(Cow::Borrowed(df)), |interop| interop.convert(df))
    }

    pub(crate) fn summary(&self) -> WriteSummary {
        self.emitter.summary()
    }

    pub(crate) fn into_sink(self) -> S {
        self.emitter.into_sink()
    }

    pub(crate) fn sink_mut(&mut self) -> &mut S {
        self.emitter.sink_mut()
    }

    /// Adds to the footer's custom metadata.
    pub(crate) fn set_footer_metadata(&mut self, metadata: Metadata) {
        self.footer_metadata = Some(metadata);
    }

    /// Writes a whole frame: dictionaries first, then batches. For frames that are all there is.
    pub(crate) fn write_whole(&mut self, df: &DataFrame) -> PolarsResult<()> {
        self.guarded(|this| {
            let df = &*this.as_written(df)?;
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

    /// Adds the categories of a frame to the dictionaries, whose batches come later.
    pub(crate) fn note_more(&mut self, df: &DataFrame) -> PolarsResult<()> {
        if self.dictionaries.is_empty() {
            return Ok(());
        }
        self.guarded(|this| this.note_categories(&Columns::new(df)))
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
            let before = std::mem::take(&mut this.footer_before);
            let footer = |rows: &[u64]| footer_key_values(before, footer_metadata.as_ref(), rows, statistics);
            this.emitter.finish(&this.config.schema.wire, footer)?;
            this.appending.take().map_or(Ok(()), Appending::commit)
        })?;
        Ok(self.summary())
    }

    /// An error leaves the output marked as failed, and nothing in flight. So does a panic, of the writer or of a task,
    /// which the caller may catch.
    fn guarded(&mut self, work: impl FnOnce(&mut Self) -> PolarsResult<()>) -> PolarsResult<()> {
        struct Guard<'a, S: MessageSink>(&'a mut Engine<S>);
        impl<S: MessageSink> Drop for Guard<'_, S> {
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

/// Goes on behind messages that are there. Returns the metadata of their footer as well.
fn resume<S: MessageSink>(
    opening: Opening,
    emitter: &mut Emitter<S>,
    dictionaries: &mut DictionaryBuilders,
    statistics: Option<&mut StatisticsLog>,
) -> PolarsResult<(Appending, KeyValues)> {
    let Opening { schema: _, opened } = opening;
    dictionaries.resume(&opened.existing.categories)?;
    let (begun, mut existing) = opened.begin()?;
    emitter.resume(&mut existing, begun.position())?;
    if let Some(log) = statistics {
        let lines = existing.metadata.iter().find(|(key, _)| key == KEY);
        log.resume(existing.rows.len(), lines.map_or("", |(_, lines)| lines));
    }
    Ok((begun, existing.metadata))
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
        !*broken || options.append.is_some(),
        ComputeError: "an earlier write to this writer failed; what has been written is not complete"
    );
    // Also if the writer panics, which the caller may catch.
    *broken = true;
    let started = Engine::start(Output::new(writer), df.schema(), options);
    // A dtype that cannot be written is found before the first byte: the writer is still good.
    *broken = !matches!(&started, Err(error) if !is_io(error));
    let mut engine = started?;
    engine.write_whole(df)?;
    let summary = engine.finish()?;
    *broken = false;
    Ok(summary)
}

/// The metadata of the old footer, with this writer's in place of the same keys.
fn footer_key_values(
    before: KeyValues,
    custom: Option<&Metadata>,
    rows: &[u64],
    statistics: Option<Text>,
) -> KeyValues {
    let mut custom: KeyValues = custom.map(crate::schema::key_values).unwrap_or_default();
    custom.retain(|(key, _)| key != KEY);
    custom.extend(statistics.map(|text| (KEY.into(), text)));
    let mut out = before;
    out.retain(|(key, _)| key != cumulative::KEY);
    out.retain(|(key, _)| custom.iter().all(|(new, _)| new != key));
    out.append(&mut custom);
    cumulative::put(&mut out, rows);
    out
}
