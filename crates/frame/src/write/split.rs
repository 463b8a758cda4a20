//! Work on a column that is left to other tasks.

use floe_array::encode::DeferredBuffers;
use floe_format::Result;

use super::body_buffer::{BodyBuffer, PendingBuffers};
use crate::pool::{Priority, Queue, Task};
use crate::trace;

/// Where a part of the work on a column is left: in the queue, for the batch of that number.
#[derive(Clone, Copy)]
pub(crate) struct SplitQueue<'a> {
    pub(crate) queue: &'a Queue,
    pub(crate) batch: u64,
    pub(crate) column: usize,
}

impl SplitQueue<'_> {
    /// Adds work without which the batch cannot be written at all: it looks at that many bytes.
    pub(super) fn push_awaited(
        &self,
        bytes: usize,
        work: impl FnOnce() -> Result<Vec<BodyBuffer>> + Send + 'static,
    ) -> Task<Result<Vec<BodyBuffer>>> {
        self.queue.push(self.batch, Priority::of_bytes(bytes), work)
    }

    /// Has deferred buffers made while the bytes before them are written.
    pub(super) fn make(&self, buffers: DeferredBuffers) -> PendingBuffers {
        let first = buffers.first();
        let task = self.queue.push(self.batch, Priority::InOrder { column: self.column }, move || {
            let _span = trace::span("encode");
            Ok(buffers.materialize()?.into_iter().map(BodyBuffer::Raw).collect())
        });
        PendingBuffers::new(first, task)
    }
}
