//! Bytes in order: framing, padding, positions, and what stands before and behind the batches.

use std::io::{self, IoSlice, Write};
use std::ops::Range;

use floe_format::constants::{ALIGNMENT, END_OF_STREAM, FILE_MAGIC, FILE_PREFIX};
use floe_format::{Block, DictionaryHeader, KeyValues, MessageEncoder, Schema, Version, write_head};
use polars_error::{PolarsResult, polars_bail};

use super::encode::{EncodedBatch, Stored};
use crate::error::{format_error, io_error};
use crate::summary::WriteSummary;

/// Pieces shorter than this are gathered before they are written, longer ones handed over as
/// they are: a copy of so many bytes takes longer than one more piece of a vectored write.
pub(super) const GATHER: usize = 4 << 10;

/// What is gathered is written when it comes to this many bytes.
const GATHERED_MOST: usize = 1 << 20;
/// Pieces of one vectored write: below the 1,024 that systems take.
const RUNS_MOST: usize = 1_000;

/// A piece of a body on its way out: among the gathered bytes, or where it lies.
enum Run<'a> {
    Gathered(Range<usize>),
    Lent(&'a [u8]),
}

static ZEROS: [u8; ALIGNMENT] = [0; ALIGNMENT];

/// Stream or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Stream,
    File,
}

/// Writes messages one after another. After a failure nothing more is written, and every later
/// call fails: what is there must not look whole.
pub(crate) struct Emitter<W> {
    writer: W,
    container: Container,
    position: u64,
    gathered: Vec<u8>,
    encoder: MessageEncoder,
    dictionaries: Vec<Block>,
    batches: Vec<Block>,
    rows: Vec<u64>,
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
    pub(crate) fn new(writer: W, container: Container) -> Self {
        Self {
            writer,
            container,
            position: 0,
            gathered: Vec::new(),
            encoder: MessageEncoder::new(),
            dictionaries: Vec::new(),
            batches: Vec::new(),
            rows: Vec::new(),
            state: State::New,
            summary: WriteSummary::default(),
        }
    }

    pub(crate) fn summary(&self) -> WriteSummary {
        WriteSummary { written_bytes: self.position, ..self.summary }
    }

    pub(crate) fn into_inner(self) -> W {
        self.writer
    }

    pub(crate) fn get_mut(&mut self) -> &mut W {
        &mut self.writer
    }

    /// Gives back memory that only the next message needs.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.gathered = Vec::new();
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
                this.put(&FILE_PREFIX)?;
            }
            let mut head = Vec::new();
            let message = this.encoder.schema(schema);
            write_head(&mut head, message, this.position).map_err(format_error)?;
            this.put(&head)?;
            this.flush_gathered()
        })
    }

    /// A record batch.
    pub(crate) fn batch(&mut self, batch: EncodedBatch, metadata: &KeyValues) -> PolarsResult<()> {
        self.step(State::Open, |this| {
            let (rows, raw_bytes) = (batch.header.rows as u64, batch.raw_bytes);
            let message =
                this.encoder.batch(&batch.header, batch.body_len, metadata).map_err(format_error)?;
            let block = message_block(&mut this.gathered, message, this.position, batch.body_len)?;
            this.body(block, batch)?;
            this.batches.push(block);
            this.rows.push(rows);
            this.summary.rows += rows;
            this.summary.batches += 1;
            this.summary.raw_bytes += raw_bytes;
            this.flush_gathered()
        })
    }

    /// A dictionary batch.
    pub(crate) fn dictionary(&mut self, id: i64, is_delta: bool, batch: EncodedBatch) -> PolarsResult<()> {
        self.step(State::Open, |this| {
            let (body_len, raw_bytes) = (batch.body_len, batch.raw_bytes);
            let header = DictionaryHeader { id, is_delta, batch: batch.header };
            let message = this.encoder.dictionary(&header, body_len, &[]).map_err(format_error)?;
            let block = message_block(&mut this.gathered, message, this.position, body_len)?;
            this.body(block, EncodedBatch { header: header.batch, ..batch })?;
            this.dictionaries.push(block);
            this.summary.dictionaries += 1;
            this.summary.raw_bytes += raw_bytes;
            this.flush_gathered()
        })
    }

    /// The end marker; of a file also the footer. Flushes the writer.
    pub(crate) fn finish(
        &mut self,
        schema: &Schema,
        footer_metadata: impl FnOnce(&[u64]) -> KeyValues,
    ) -> PolarsResult<()> {
        self.step(State::Finished, |this| {
            this.put(&END_OF_STREAM)?;
            if this.container == Container::File {
                let metadata = footer_metadata(&this.rows);
                let bytes = this
                    .encoder
                    .footer_of(schema, &this.dictionaries, &this.batches, &metadata, Version::V5)
                    .map_err(format_error)?;
                let Ok(len) = i32::try_from(bytes.len()) else {
                    polars_bail!(ComputeError: "the footer takes {} bytes, more than the format allows", bytes.len());
                };
                this.gathered.extend_from_slice(bytes);
                this.position += bytes.len() as u64;
                this.put(&len.to_le_bytes())?;
                this.put(&FILE_MAGIC)?;
            }
            this.flush_gathered()?;
            this.writer.flush().map_err(|e| io_error(e, "flushing Arrow IPC output"))
        })
    }

    /// The body behind a head that has been gathered already. What is still being made is waited for when all before it
    /// is written.
    fn body(&mut self, block: Block, batch: EncodedBatch) -> PolarsResult<()> {
        self.position += u64::from(block.metadata_len);
        let start = self.position;
        let EncodedBatch { header, body_len, mut buffers, later, .. } = batch;
        let mut from = 0;
        for later in later {
            if !later.is_done() {
                self.buffers(start, buffers.get(from..later.first).unwrap_or_default())?;
                from = later.first;
            }
            later.place(&mut buffers).map_err(format_error)?;
        }
        self.buffers(start, buffers.get(from..).unwrap_or_default())?;
        debug_assert_eq!(self.position - start, body_len);
        debug_assert_eq!(buffers.len(), header.buffers.len());
        Ok(())
    }

    /// Buffers of a body that starts at `start`, each padded: small pieces are gathered, and all goes out in few vectored
    /// writes.
    fn buffers(&mut self, start: u64, buffers: &[Stored]) -> PolarsResult<()> {
        let mut runs = Vec::new();
        let mut open = 0;
        for buffer in buffers {
            for piece in (0..).map_while(|i| buffer.piece(i)) {
                self.position += piece.len() as u64;
                if piece.len() < GATHER {
                    self.gathered.extend_from_slice(piece);
                } else {
                    if open < self.gathered.len() {
                        runs.push(Run::Gathered(open..self.gathered.len()));
                        open = self.gathered.len();
                    }
                    runs.push(Run::Lent(piece));
                }
                if runs.len() >= RUNS_MOST {
                    runs.push(Run::Gathered(open..self.gathered.len()));
                    self.write_runs(&std::mem::take(&mut runs))?;
                    open = 0;
                }
            }
            let over = usize::try_from((self.position - start) % ALIGNMENT as u64).unwrap_or(0);
            let padding = ZEROS.get(over..).filter(|_| over > 0).unwrap_or_default();
            self.position += padding.len() as u64;
            self.gathered.extend_from_slice(padding);
            if self.gathered.len() >= GATHERED_MOST {
                runs.push(Run::Gathered(open..self.gathered.len()));
                self.write_runs(&std::mem::take(&mut runs))?;
                open = 0;
            }
        }
        runs.push(Run::Gathered(open..self.gathered.len()));
        self.write_runs(&runs)
    }

    fn write_runs(&mut self, runs: &[Run<'_>]) -> PolarsResult<()> {
        let slices = runs.iter().map(|run| match run {
            Run::Gathered(range) => IoSlice::new(self.gathered.get(range.clone()).unwrap_or_default()),
            Run::Lent(piece) => IoSlice::new(piece),
        });
        let mut slices: Vec<IoSlice<'_>> = slices.collect();
        let written = write_all_vectored(&mut self.writer, &mut slices);
        written.map_err(|e| io_error(e, "writing Arrow IPC"))?;
        self.gathered.clear();
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> PolarsResult<()> {
        if bytes.len() < GATHER {
            self.gathered.extend_from_slice(bytes);
            if self.gathered.len() >= GATHERED_MOST {
                self.flush_gathered()?;
            }
        } else {
            self.flush_gathered()?;
            self.write(bytes)?;
        }
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn flush_gathered(&mut self) -> PolarsResult<()> {
        let bytes = std::mem::take(&mut self.gathered);
        let result = self.write(&bytes);
        self.gathered = bytes;
        self.gathered.clear();
        result
    }

    fn write(&mut self, bytes: &[u8]) -> PolarsResult<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = write_all_vectored(&mut self.writer, &mut [IoSlice::new(bytes)]);
        written.map_err(|e| io_error(e, "writing Arrow IPC"))
    }
}

/// Writes all of the slices, in as few calls as the writer takes. Not by [`Write::write_all`], which panics when the
/// writer says that it wrote more than it was given.
fn write_all_vectored<W: Write>(writer: &mut W, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match writer.write_vectored(slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) if n > slices.iter().map(|slice| slice.len()).sum() => {
                return Err(io::Error::other("the writer says it wrote more than it was given"));
            },
            Ok(n) => IoSlice::advance_slices(&mut slices, n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {},
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Gathers a message's head and says where it is.
fn message_block(out: &mut Vec<u8>, message: &[u8], position: u64, body_len: u64) -> PolarsResult<Block> {
    let len = write_head(out, message, position).map_err(format_error)?;
    let Ok(metadata_len) = u32::try_from(len) else {
        polars_bail!(ComputeError: "a message head of {len} bytes is more than the format allows");
    };
    Ok(Block { offset: position, metadata_len, body_len })
}
