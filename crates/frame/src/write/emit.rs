//! Messages in order: those before and behind the batches, and where each of them lies.

use floe_format::constants::{END_OF_STREAM, FILE_MAGIC, FILE_PREFIX, FILE_SUFFIX_LEN};
use floe_format::{Block, DictionaryHeader, KeyValues, MessageEncoder, Schema, Version};
use polars_error::{PolarsResult, polars_bail};

use super::batch::EncodedBatch;
use super::message::IpcMessageKind;
use super::message_sink::MessageSink;
use super::statistics::FLAGS_KEY;
use crate::error::format_error;
use crate::layout::{self, LayoutLog};
use crate::read::Existing;
use crate::summary::WriteSummary;

/// Stream or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Stream,
    File,
}

/// Writes messages one after another. After a failure nothing more is written, and every later
/// call fails: an incomplete output must not look complete.
pub(crate) struct Emitter<S> {
    sink: S,
    container: Container,
    encoder: MessageEncoder,
    /// Where this writer began: not at 0 if it goes on with what was there.
    start: u64,
    /// With their ids.
    dictionaries: Vec<(i64, Block)>,
    batches: Vec<Block>,
    rows: Vec<u64>,
    /// Where buffers are, if the footer is to say so.
    layout: Option<LayoutLog>,
    /// Bytes that a file must not exceed for the sake of its layout.
    max_bytes: u64,
    state: State,
    summary: WriteSummary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Finished,
    Failed,
}

impl<S: MessageSink> Emitter<S> {
    pub(crate) fn new(sink: S, container: Container, layout: bool) -> Self {
        Self {
            sink,
            container,
            encoder: MessageEncoder::new(),
            start: 0,
            dictionaries: Vec::new(),
            batches: Vec::new(),
            rows: Vec::new(),
            layout: (layout && container == Container::File).then(LayoutLog::default),
            max_bytes: u64::MAX,
            state: State::New,
            summary: WriteSummary::default(),
        }
    }

    pub(crate) fn summary(&self) -> WriteSummary {
        WriteSummary { written_bytes: self.sink.position() - self.start, ..self.summary }
    }

    pub(crate) fn into_sink(self) -> S {
        self.sink
    }

    pub(crate) fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Leaves out the layout if the file has more bytes with it.
    pub(crate) fn set_max_bytes(&mut self, max_bytes: u64) {
        self.max_bytes = max_bytes;
    }

    /// Gives back memory that only the next message needs.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.sink.shrink_to_fit();
        self.encoder = MessageEncoder::new();
    }

    /// Runs one step of writing, unless a step before has failed. Until it has ended well the output
    /// counts as failed: it may end by an error or by a panic of the writer.
    fn step(&mut self, then: State, step: impl FnOnce(&mut Self) -> PolarsResult<()>) -> PolarsResult<()> {
        self.check()?;
        self.state = State::Failed;
        step(self)?;
        self.state = then;
        Ok(())
    }

    /// Whether more can be written.
    ///
    /// # Errors
    /// When a step has failed, or the output is finished.
    pub(crate) fn check(&self) -> PolarsResult<()> {
        match self.state {
            State::Failed => polars_bail!(
                ComputeError: "an earlier write to this Arrow IPC {} failed; what has been written is not complete",
                self.name()
            ),
            State::Finished => {
                polars_bail!(ComputeError: "this Arrow IPC {} is finished already", self.name())
            },
            State::New | State::Open => Ok(()),
        }
    }

    fn name(&self) -> &'static str {
        match self.container {
            Container::Stream => "stream",
            Container::File => "file",
        }
    }

    /// Marks the output as failed: something before it reached the emitter went wrong.
    pub(crate) fn fail(&mut self) {
        self.state = State::Failed;
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.state == State::Failed
    }

    /// Goes on behind messages that are there, in place of [`start`](Self::start).
    pub(crate) fn resume(&mut self, existing: &mut Existing, position: u64) -> PolarsResult<()> {
        let Existing { batches, dictionaries, rows, layout, .. } = existing;
        self.step(State::Open, |this| {
            this.sink.go_on_at(position);
            this.start = position;
            this.dictionaries.clone_from(dictionaries);
            this.batches.clone_from(batches);
            this.rows.clone_from(rows);
            this.layout = this.layout.take().and(layout.take());
            Ok(())
        })
    }

    /// The file's magic, and the schema message.
    pub(crate) fn start(&mut self, schema: &Schema) -> PolarsResult<()> {
        self.step(State::Open, |this| {
            schema.check_encodable().map_err(format_error)?;
            if this.container == Container::File {
                this.sink.start(&FILE_PREFIX)?;
            }
            let message = this.encoder.schema(schema);
            this.sink.message(IpcMessageKind::Schema, message, None)?;
            Ok(())
        })
    }

    /// A record batch.
    pub(crate) fn batch(&mut self, batch: EncodedBatch, metadata: &KeyValues) -> PolarsResult<()> {
        self.step(State::Open, |this| {
            let (rows, raw_bytes) = (batch.header.rows as u64, batch.raw_bytes);
            let message =
                this.encoder.batch(&batch.header, batch.body_len, metadata).map_err(format_error)?;
            if metadata.iter().any(|(key, _)| key == FLAGS_KEY) {
                // Those who read by the layout would miss the flags, which the heads have.
                this.layout = None;
            }
            this.layout = this.layout.take().filter(|layout| layout.has_room_for(&batch.header));
            if let Some(layout) = &mut this.layout {
                layout.note(&batch.header);
            }
            let block = this.sink.message(IpcMessageKind::RecordBatch { rows }, message, Some(batch))?;
            this.batches.push(block);
            this.rows.push(rows);
            this.summary.rows += rows;
            this.summary.batches += 1;
            this.summary.raw_bytes += raw_bytes;
            Ok(())
        })
    }

    /// A dictionary batch.
    pub(crate) fn dictionary(&mut self, id: i64, is_delta: bool, batch: EncodedBatch) -> PolarsResult<()> {
        self.step(State::Open, |this| {
            let (body_len, raw_bytes) = (batch.body_len, batch.raw_bytes);
            let header = DictionaryHeader { id, is_delta, batch: batch.header };
            let message = this.encoder.dictionary(&header, body_len, &[]).map_err(format_error)?;
            let batch = EncodedBatch { header: header.batch, ..batch };
            let block =
                this.sink.message(IpcMessageKind::Dictionary { id, is_delta }, message, Some(batch))?;
            if this.container == Container::File && !is_delta {
                // A file has one dictionary of an id, of which the footer says where it is. The one before
                // it has the same values at the same positions, and is passed over.
                this.dictionaries.retain(|(known, _)| *known != id);
            }
            this.dictionaries.push((id, block));
            this.summary.dictionaries += 1;
            this.summary.raw_bytes += raw_bytes;
            Ok(())
        })
    }

    /// The end marker; of a file also the footer. Flushes the writer.
    pub(crate) fn finish(
        &mut self,
        schema: &Schema,
        footer_metadata: impl FnOnce(&[u64]) -> KeyValues,
    ) -> PolarsResult<()> {
        self.step(State::Finished, |this| {
            if this.container == Container::Stream {
                return this.sink.end(&[&END_OF_STREAM]);
            }
            let metadata = footer_metadata(&this.rows);
            this.footer(schema, metadata)
        })
    }

    /// The end marker, the footer of a file, its length and the magic.
    fn footer(&mut self, schema: &Schema, mut metadata: KeyValues) -> PolarsResult<()> {
        metadata.retain(|(key, _)| key != layout::KEY);
        let before = self.sink.position().saturating_add(END_OF_STREAM.len() as u64);
        let layout = self.layout.take().filter(|_| before > layout::FROM_BYTES);
        let layout = layout.and_then(|layout| layout.finish(schema, &self.batches));
        let has_layout = layout.is_some();
        metadata.extend(layout.map(|text| (layout::KEY.into(), text)));
        let dictionaries: Vec<Block> = self.dictionaries.iter().map(|(_, block)| *block).collect();
        let Self { encoder, batches, max_bytes, .. } = self;
        let mut encode = |metadata: &KeyValues| {
            let bytes = encoder.footer_of(schema, &dictionaries, batches, metadata, Version::V5);
            bytes.map(<[u8]>::to_vec).map_err(format_error)
        };
        let mut bytes = encode(&metadata)?;
        if has_layout && before.saturating_add((bytes.len() + FILE_SUFFIX_LEN) as u64) > *max_bytes {
            metadata.pop();
            bytes = encode(&metadata)?;
        }
        let Ok(len) = i32::try_from(bytes.len()) else {
            polars_bail!(ComputeError: "the footer takes {} bytes, more than the format allows", bytes.len());
        };
        self.sink.end(&[&END_OF_STREAM, &bytes, &len.to_le_bytes(), &FILE_MAGIC])
    }
}
