//! Messages in order: those before and behind the batches, and where each of them lies.

use std::io::Write;

use floe_format::constants::{END_OF_STREAM, FILE_MAGIC, FILE_PREFIX, FILE_SUFFIX_LEN};
use floe_format::{Block, DictionaryHeader, KeyValues, MessageEncoder, Schema, Version, write_head};
use polars_error::{PolarsResult, polars_bail};

use super::batch::EncodedBatch;
use super::output::Output;
use super::statistics::FLAGS_KEY;
use crate::error::format_error;
use crate::layout::{self, LayoutLog};
use crate::summary::WriteSummary;

/// Stream or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Stream,
    File,
}

/// Writes messages one after another. After a failure nothing more is written, and every later
/// call fails: an incomplete output must not look complete.
pub(crate) struct Emitter<W> {
    output: Output<W>,
    container: Container,
    encoder: MessageEncoder,
    dictionaries: Vec<Block>,
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

impl<W: Write> Emitter<W> {
    pub(crate) fn new(writer: W, container: Container, layout: bool) -> Self {
        Self {
            output: Output::new(writer),
            container,
            encoder: MessageEncoder::new(),
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
        WriteSummary { written_bytes: self.output.position(), ..self.summary }
    }

    pub(crate) fn into_inner(self) -> W {
        self.output.into_inner()
    }

    pub(crate) fn get_mut(&mut self) -> &mut W {
        self.output.get_mut()
    }

    /// Leaves out the layout if the file has more bytes with it.
    pub(crate) fn set_max_bytes(&mut self, max_bytes: u64) {
        self.max_bytes = max_bytes;
    }

    /// Gives back memory that only the next message needs.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.output.shrink_to_fit();
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

    /// The file's magic, and the schema message.
    pub(crate) fn start(&mut self, schema: &Schema) -> PolarsResult<()> {
        self.step(State::Open, |this| {
            schema.check_encodable().map_err(format_error)?;
            if this.container == Container::File {
                this.output.put(&FILE_PREFIX)?;
            }
            let mut head = Vec::new();
            let message = this.encoder.schema(schema);
            write_head(&mut head, message, this.output.position()).map_err(format_error)?;
            this.output.put(&head)?;
            this.output.flush_gathered()
        })
    }

    /// A record batch.
    pub(crate) fn batch(&mut self, batch: EncodedBatch, metadata: &KeyValues) -> PolarsResult<()> {
        self.step(State::Open, |this| {
            let (rows, raw_bytes) = (batch.header.rows as u64, batch.raw_bytes);
            let message =
                this.encoder.batch(&batch.header, batch.body_len, metadata).map_err(format_error)?;
            let block = this.output.head(message, batch.body_len)?;
            if metadata.iter().any(|(key, _)| key == FLAGS_KEY) {
                // Those who read by the layout would miss the flags, which the heads have.
                this.layout = None;
            }
            if let Some(layout) = &mut this.layout {
                layout.note(&batch.header);
            }
            this.body(batch)?;
            this.batches.push(block);
            this.rows.push(rows);
            this.summary.rows += rows;
            this.summary.batches += 1;
            this.summary.raw_bytes += raw_bytes;
            this.output.flush_gathered()
        })
    }

    /// A dictionary batch.
    pub(crate) fn dictionary(&mut self, id: i64, is_delta: bool, batch: EncodedBatch) -> PolarsResult<()> {
        self.step(State::Open, |this| {
            let (body_len, raw_bytes) = (batch.body_len, batch.raw_bytes);
            let header = DictionaryHeader { id, is_delta, batch: batch.header };
            let message = this.encoder.dictionary(&header, body_len, &[]).map_err(format_error)?;
            let block = this.output.head(message, body_len)?;
            this.body(EncodedBatch { header: header.batch, ..batch })?;
            this.dictionaries.push(block);
            this.summary.dictionaries += 1;
            this.summary.raw_bytes += raw_bytes;
            this.output.flush_gathered()
        })
    }

    /// The end marker; of a file also the footer. Flushes the writer.
    pub(crate) fn finish(
        &mut self,
        schema: &Schema,
        footer_metadata: impl FnOnce(&[u64]) -> KeyValues,
    ) -> PolarsResult<()> {
        self.step(State::Finished, |this| {
            this.output.put(&END_OF_STREAM)?;
            if this.container == Container::File {
                let metadata = footer_metadata(&this.rows);
                this.footer(schema, metadata)?;
            }
            this.output.flush()
        })
    }

    /// The footer of a file, its length and the magic: one write, with the end marker before them.
    fn footer(&mut self, schema: &Schema, mut metadata: KeyValues) -> PolarsResult<()> {
        metadata.retain(|(key, _)| key != layout::KEY);
        let before = self.output.position();
        let layout = self.layout.take().filter(|_| before > layout::FROM_BYTES);
        let layout = layout.and_then(|layout| layout.finish(schema, &self.batches));
        let has_layout = layout.is_some();
        metadata.extend(layout.map(|text| (layout::KEY.into(), text)));
        let Self { encoder, dictionaries, batches, max_bytes, .. } = self;
        let mut encode = |metadata: &KeyValues| {
            let bytes = encoder.footer_of(schema, dictionaries, batches, metadata, Version::V5);
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
        self.output.gather(&bytes);
        self.output.put(&len.to_le_bytes())?;
        self.output.put(&FILE_MAGIC)
    }

    /// The body behind the head that has been gathered last. A buffer that is still being made is waited for when all
    /// before it is written.
    fn body(&mut self, batch: EncodedBatch) -> PolarsResult<()> {
        let start = self.output.position();
        let EncodedBatch { header, body_len, mut buffers, pending, .. } = batch;
        let mut from = 0;
        for pending in pending {
            if !pending.is_done() {
                let ready = buffers.get(from..pending.first());
                self.output.buffers(start, ready.expect("pending buffers are in order and in range"))?;
                from = pending.first();
            }
            pending.place(&mut buffers).map_err(format_error)?;
        }
        self.output.buffers(start, &buffers[from..])?;
        debug_assert_eq!(self.output.position() - start, body_len, "the body is as long as its head says");
        debug_assert_eq!(buffers.len(), header.buffers.len(), "the head has each buffer");
        Ok(())
    }
}
