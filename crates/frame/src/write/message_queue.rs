//! Messages that a caller takes, and writes in its own way.
//!
//! ```text
//!   body     | validity | 0 | values ............ | 0 | offsets | 0 |
//!   pieces   | gathered     | shared              | gathered        |
//! ```

use std::ops::Range;

use floe_format::constants::ALIGNMENT;
use floe_format::{Block, write_head};
use polars_buffer::Buffer;
use polars_error::{PolarsResult, polars_bail};

use super::batch::EncodedBatch;
use super::body_buffer::{BodyBuffer, MAX_COPIED_PIECE_BYTES};
use super::message::{IpcMessage, IpcMessageKind};
use super::message_sink::MessageSink;
use crate::error::format_error;

/// Messages in order, until they are taken.
#[derive(Default)]
pub(crate) struct MessageQueue {
    position: u64,
    messages: Vec<IpcMessage>,
}

impl MessageQueue {
    pub(super) fn take(&mut self) -> Vec<IpcMessage> {
        std::mem::take(&mut self.messages)
    }

    fn push_bytes(&mut self, kind: IpcMessageKind, bytes: Vec<u8>) {
        self.position += bytes.len() as u64;
        let (head, body) = (Buffer::from(bytes), Vec::new());
        self.messages.push(IpcMessage { kind, head, metadata_len: 0, body, body_len: 0 });
    }
}

impl MessageSink for MessageQueue {
    fn position(&self) -> u64 {
        self.position
    }

    fn go_on_at(&mut self, position: u64) {
        self.position = position;
    }

    fn start(&mut self, magic: &[u8]) -> PolarsResult<()> {
        self.push_bytes(IpcMessageKind::Start, magic.to_vec());
        Ok(())
    }

    fn message(
        &mut self,
        kind: IpcMessageKind,
        flatbuffer: &[u8],
        body: Option<EncodedBatch>,
    ) -> PolarsResult<Block> {
        let offset = self.position;
        let mut head = Vec::new();
        let len = write_head(&mut head, flatbuffer, offset).map_err(format_error)?;
        let Ok(metadata_len) = u32::try_from(len) else {
            polars_bail!(ComputeError: "a message head of {len} bytes is more than the format allows");
        };
        let body_len = body.as_ref().map_or(0, |body| body.body_len);
        let body = body.map(pieces).transpose()?.unwrap_or_default();
        debug_assert_eq!(body.iter().map(|piece| piece.len() as u64).sum::<u64>(), body_len);
        self.position += u64::from(metadata_len) + body_len;
        let head = Buffer::from(head);
        self.messages.push(IpcMessage { kind, head, metadata_len: flatbuffer.len(), body, body_len });
        Ok(Block { offset, metadata_len, body_len })
    }

    fn end(&mut self, pieces: &[&[u8]]) -> PolarsResult<()> {
        self.push_bytes(IpcMessageKind::End, pieces.concat());
        Ok(())
    }

    fn shrink_to_fit(&mut self) {
        self.messages.shrink_to_fit();
    }
}

/// A piece of a body: a range of the gathered bytes, or bytes where they lie.
enum Piece {
    Gathered(Range<usize>),
    Shared(Buffer<u8>),
}

/// The buffers of a body, each padded.
fn pieces(batch: EncodedBatch) -> PolarsResult<Vec<Buffer<u8>>> {
    let EncodedBatch { mut buffers, pending, .. } = batch;
    for pending in pending {
        pending.place(&mut buffers).map_err(format_error)?;
    }
    let (mut pieces, mut gathered, mut open) = (Vec::new(), Vec::new(), 0);
    for buffer in buffers {
        let len = buffer.len();
        for piece in buffer.into_shared_pieces() {
            if piece.len() < MAX_COPIED_PIECE_BYTES {
                gathered.extend_from_slice(&piece);
                continue;
            }
            if open < gathered.len() {
                pieces.push(Piece::Gathered(open..gathered.len()));
                open = gathered.len();
            }
            pieces.push(Piece::Shared(piece));
        }
        // Each buffer starts at a multiple of the alignment in its body.
        gathered.resize(gathered.len() + len.next_multiple_of(ALIGNMENT) - len, 0);
    }
    if open < gathered.len() {
        pieces.push(Piece::Gathered(open..gathered.len()));
    }
    let gathered = Buffer::from(gathered);
    let piece = |piece| match piece {
        Piece::Gathered(range) => gathered.clone().sliced(range),
        Piece::Shared(bytes) => bytes,
    };
    Ok(pieces.into_iter().map(piece).collect())
}

impl BodyBuffer {
    /// The pieces that make it up, in their order. Long ones are not copied.
    fn into_shared_pieces(self) -> Vec<Buffer<u8>> {
        use floe_array::encode::EncodedBuffer;
        match self {
            Self::Raw(EncodedBuffer::Whole(bytes)) => vec![bytes],
            Self::Raw(EncodedBuffer::Pieces(pieces)) => pieces,
            Self::Raw(EncodedBuffer::Deferred(_)) => {
                debug_assert!(false, "deferred buffers have been placed");
                Vec::new()
            },
            Self::Compressed(bytes) => vec![bytes.into()],
            Self::Uncompressed { ref bytes, .. } => self
                .pieces()
                .map(|piece| part_of(bytes, piece).unwrap_or_else(|| piece.to_vec().into()))
                .collect(),
        }
    }
}

/// The part of a buffer that a slice is.
fn part_of(buffer: &Buffer<u8>, part: &[u8]) -> Option<Buffer<u8>> {
    let start = part.as_ptr().addr().checked_sub(buffer.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= buffer.len()).then(|| buffer.clone().sliced(start..end))
}
