//! The buffers of a body as they are written, and those that are still being made.

use floe_array::encode::EncodedBuffer;
use floe_codec::UncompressedFrame;
use floe_format::Result;
use polars_buffer::Buffer;

use crate::pool::Task;

/// Pieces shorter than this are copied together before they are written. Longer ones are handed over where they lie:
/// copying that many bytes takes longer than one more piece of a vectored write.
pub(crate) const MAX_COPIED_PIECE_BYTES: usize = 4 << 10;

/// A buffer as it is written.
pub(crate) enum BodyBuffer {
    /// The values themselves.
    Raw(EncodedBuffer),
    /// Prefix and frame.
    Compressed(Vec<u8>),
    /// Prefix and a frame whose blocks are parts of the buffer itself: compression would not shrink it.
    Uncompressed { prefix: [u8; 8], frame: UncompressedFrame, bytes: Buffer<u8> },
}

impl BodyBuffer {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Raw(bytes) => bytes.len(),
            Self::Compressed(bytes) => bytes.len(),
            Self::Uncompressed { prefix, frame, .. } => prefix.len() + frame.len(),
        }
    }

    /// The pieces that make it up, in their order.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        (0..).map_while(|i| self.piece(i))
    }

    fn piece(&self, i: usize) -> Option<&[u8]> {
        match self {
            Self::Raw(bytes) => bytes.piece(i),
            Self::Compressed(bytes) => (i == 0).then_some(bytes.as_slice()),
            Self::Uncompressed { prefix, frame, bytes } => match i.checked_sub(1) {
                None => Some(prefix),
                Some(i) => frame.piece(bytes, i),
            },
        }
    }
}

impl Default for BodyBuffer {
    /// A buffer without bytes, in the place of one that is still being made.
    fn default() -> Self {
        Self::Raw(Buffer::default().into())
    }
}

/// Consecutive buffers that a task makes.
pub(crate) struct PendingBuffers {
    /// The number of the first of them.
    first: usize,
    task: Task<Result<Vec<BodyBuffer>>>,
}

impl PendingBuffers {
    pub(crate) fn new(first: usize, task: Task<Result<Vec<BodyBuffer>>>) -> Self {
        Self { first, task }
    }

    /// The number of the first of them among the buffers of the batch.
    pub(crate) fn first(&self) -> usize {
        self.first
    }

    /// The same buffers, behind `before` others.
    pub(crate) fn behind(self, before: usize) -> Self {
        Self { first: before + self.first, ..self }
    }

    /// Whether the task has made them.
    pub(crate) fn is_done(&self) -> bool {
        self.task.is_done()
    }

    /// Waits for the task, and puts its buffers into their places.
    pub(crate) fn place(self, buffers: &mut [BodyBuffer]) -> Result<()> {
        let made = self.task.wait()?;
        let places = buffers.iter_mut().skip(self.first);
        debug_assert!(places.len() >= made.len(), "each pending buffer has a place");
        places.zip(made).for_each(|(place, buffer)| *place = buffer);
        Ok(())
    }
}
