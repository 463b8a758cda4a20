//! Bytes on their way to the writer: positions, padding, and few large writes.
//!
//! Small pieces are copied together, large ones are handed over where they lie. A body goes out in vectored writes of both.

use std::io::{self, IoSlice, Write};
use std::ops::Range;

use floe_format::constants::ALIGNMENT;
use floe_format::{Block, write_head};
use polars_error::{PolarsResult, polars_bail};

use super::batch::EncodedBatch;
use super::body_buffer::{BodyBuffer, MAX_COPIED_PIECE_BYTES};
use super::message::IpcMessageKind;
use super::message_sink::MessageSink;
use crate::error::{format_error, io_error};

/// Gathered bytes are written when there are this many.
const MAX_GATHERED_BYTES: usize = 1 << 20;
/// Pieces of one vectored write: below the 1,024 that systems take.
const MAX_VECTORED_PIECES: usize = 1_000;

static ZEROS: [u8; ALIGNMENT] = [0; ALIGNMENT];

/// A piece of a body on its way out: a range of the gathered bytes, or bytes where they lie.
enum Piece<'a> {
    Gathered(Range<usize>),
    Lent(&'a [u8]),
}

/// A writer, the bytes gathered for it, and the position behind them.
pub(crate) struct Output<W> {
    writer: W,
    position: u64,
    gathered: Vec<u8>,
}

impl<W> Output<W> {
    pub(super) fn new(writer: W) -> Self {
        Self { writer, position: 0, gathered: Vec::new() }
    }

    pub(super) fn into_inner(self) -> W {
        self.writer
    }

    pub(super) fn get_mut(&mut self) -> &mut W {
        &mut self.writer
    }
}

impl<W: Write> Output<W> {
    /// Gathers a message's head, and returns where the message is.
    fn head(&mut self, message: &[u8], body_len: u64) -> PolarsResult<Block> {
        let offset = self.position;
        let len = write_head(&mut self.gathered, message, offset).map_err(format_error)?;
        let Ok(metadata_len) = u32::try_from(len) else {
            polars_bail!(ComputeError: "a message head of {len} bytes is more than the format allows");
        };
        self.position += u64::from(metadata_len);
        Ok(Block { offset, metadata_len, body_len })
    }

    /// The body behind the head that has been gathered last. A buffer that is still being made is waited for when all
    /// before it is written.
    fn body(&mut self, batch: EncodedBatch) -> PolarsResult<()> {
        let start = self.position;
        let EncodedBatch { header, body_len, mut buffers, pending, .. } = batch;
        let mut from = 0;
        for pending in pending {
            if !pending.is_done() {
                let ready = buffers.get(from..pending.first());
                self.buffers(start, ready.expect("pending buffers are in order and in range"))?;
                from = pending.first();
            }
            pending.place(&mut buffers).map_err(format_error)?;
        }
        self.buffers(start, &buffers[from..])?;
        debug_assert_eq!(self.position - start, body_len, "the body is as long as its head says");
        debug_assert_eq!(buffers.len(), header.buffers.len(), "the head has each buffer");
        Ok(())
    }

    /// Buffers of a body that starts at `start`, each padded.
    fn buffers(&mut self, start: u64, buffers: &[BodyBuffer]) -> PolarsResult<()> {
        let mut pieces = Vec::new();
        // Gathered bytes from here on are not among the pieces yet.
        let mut open = 0;
        for buffer in buffers {
            for piece in buffer.pieces() {
                self.position += piece.len() as u64;
                if piece.len() < MAX_COPIED_PIECE_BYTES {
                    self.gathered.extend_from_slice(piece);
                } else {
                    if open < self.gathered.len() {
                        pieces.push(Piece::Gathered(open..self.gathered.len()));
                        open = self.gathered.len();
                    }
                    pieces.push(Piece::Lent(piece));
                }
                if pieces.len() >= MAX_VECTORED_PIECES {
                    self.write_pieces(&mut pieces, &mut open)?;
                }
            }
            self.pad(start);
            if self.gathered.len() >= MAX_GATHERED_BYTES {
                self.write_pieces(&mut pieces, &mut open)?;
            }
        }
        self.write_pieces(&mut pieces, &mut open)
    }

    /// Gathers zeros up to the next multiple of the alignment, counted from the start of the body.
    fn pad(&mut self, start: u64) {
        let over = usize::try_from((self.position - start) % ALIGNMENT as u64);
        let over = over.expect("a remainder of the alignment");
        // Nothing behind the last multiple.
        let padding = ZEROS.get(over..).filter(|_| over > 0).unwrap_or_default();
        self.position += padding.len() as u64;
        self.gathered.extend_from_slice(padding);
    }

    /// Writes the pieces and the gathered bytes behind them, from `open` on.
    fn write_pieces(&mut self, pieces: &mut Vec<Piece<'_>>, open: &mut usize) -> PolarsResult<()> {
        pieces.push(Piece::Gathered(*open..self.gathered.len()));
        let slices = pieces.iter().map(|piece| match piece {
            Piece::Gathered(range) => IoSlice::new(&self.gathered[range.clone()]),
            Piece::Lent(piece) => IoSlice::new(piece),
        });
        let mut slices: Vec<IoSlice<'_>> = slices.collect();
        let written = write_all_vectored(&mut self.writer, &mut slices);
        written.map_err(|e| io_error(e, "writing Arrow IPC"))?;
        self.gathered.clear();
        pieces.clear();
        *open = 0;
        Ok(())
    }

    /// Hands the gathered bytes to the writer.
    fn flush_gathered(&mut self) -> PolarsResult<()> {
        let bytes = std::mem::take(&mut self.gathered);
        let result = self.write(&bytes);
        self.gathered = bytes;
        self.gathered.clear();
        result
    }

    /// Adds bytes to those that the next write takes.
    fn gather(&mut self, bytes: &[u8]) {
        self.gathered.extend_from_slice(bytes);
        self.position += bytes.len() as u64;
    }

    fn write(&mut self, bytes: &[u8]) -> PolarsResult<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let written = write_all_vectored(&mut self.writer, &mut [IoSlice::new(bytes)]);
        written.map_err(|e| io_error(e, "writing Arrow IPC"))
    }
}

impl<W: Write> MessageSink for Output<W> {
    /// Bytes written or gathered so far.
    fn position(&self) -> u64 {
        self.position
    }

    fn go_on_at(&mut self, position: u64) {
        self.position = position;
    }

    fn start(&mut self, magic: &[u8]) -> PolarsResult<()> {
        self.gather(magic);
        Ok(())
    }

    fn message(
        &mut self,
        _: IpcMessageKind,
        flatbuffer: &[u8],
        body: Option<EncodedBatch>,
    ) -> PolarsResult<Block> {
        let body_len = body.as_ref().map_or(0, |body| body.body_len);
        let block = self.head(flatbuffer, body_len)?;
        if let Some(body) = body {
            self.body(body)?;
        }
        self.flush_gathered()?;
        Ok(block)
    }

    /// In one write: end marker, footer and its length. Flushes the writer.
    fn end(&mut self, pieces: &[&[u8]]) -> PolarsResult<()> {
        pieces.iter().for_each(|piece| self.gather(piece));
        self.flush_gathered()?;
        self.writer.flush().map_err(|e| io_error(e, "flushing Arrow IPC output"))
    }

    /// After a failed write some bytes may be gathered still, which nobody will write.
    fn shrink_to_fit(&mut self) {
        self.gathered.shrink_to_fit();
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
