//! The window of batches that are being encoded, oldest first. Its size bounds a writer's memory.

use std::collections::VecDeque;

use floe_format::KeyValues;
use polars_core::prelude::*;

use super::batch::EncodedColumns;
use crate::pool::{CallerRole, Priority, Queue, Task};
use crate::row_size::scale;

/// Raw bytes in flight beyond which the next batch waits.
const WINDOW_BYTES: usize = 48 << 20;
/// Batches that are in flight whatever their size: one is encoded while the one before it is written.
const WINDOW_BATCHES: usize = 2;

/// Batches on their way.
pub(super) struct InFlight {
    queue: Queue,
    /// Batches that have been put into the queue.
    queued: u64,
    /// The tasks of the next batch that have been started.
    started: Vec<Task<PolarsResult<EncodedColumns>>>,
    batches: VecDeque<Pending>,
    bytes: usize,
    /// The raw bytes of the batch that was encoded last, and their estimate.
    last_size: (usize, usize),
}

struct Pending {
    rows: usize,
    bytes: usize,
    metadata: KeyValues,
    tasks: Vec<Task<PolarsResult<EncodedColumns>>>,
}

/// A batch that is ready to be written.
pub(super) struct Encoded {
    pub(super) rows: usize,
    pub(super) columns: Vec<EncodedColumns>,
    pub(super) metadata: KeyValues,
}

impl InFlight {
    pub(super) fn new(role: CallerRole) -> Self {
        Self {
            queue: Queue::new(role),
            queued: 0,
            started: Vec::new(),
            batches: VecDeque::new(),
            bytes: 0,
            last_size: (1, 1),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Drops all batches.
    pub(super) fn clear(&mut self) {
        self.started.clear();
        self.batches.clear();
        self.bytes = 0;
    }

    /// The queue, in which tasks of the next batch may leave work, and the number of that batch.
    pub(super) fn next(&self) -> (&Queue, u64) {
        (&self.queue, self.queued)
    }

    /// Starts a task of the next batch, which looks at `bytes` bytes.
    pub(super) fn start(
        &mut self,
        bytes: usize,
        work: impl FnOnce() -> PolarsResult<EncodedColumns> + Send + 'static,
    ) {
        self.started.push(self.queue.push(self.queued, Priority::of_bytes(bytes), work));
    }

    /// Adds the batch whose tasks have been [started](Self::start). `bytes` is the estimate of its size.
    pub(super) fn push(&mut self, rows: usize, bytes: usize, metadata: KeyValues) {
        let tasks = std::mem::take(&mut self.started);
        self.queued += 1;
        self.bytes += bytes;
        self.batches.push_back(Pending { rows, bytes, metadata, tasks });
    }

    /// Whether a batch of `bytes` bytes, by estimate, has to wait for another one to be written.
    ///
    /// Strings that use a part of their buffers are over-estimated, since the estimate counts whole buffers. So sizes are
    /// scaled by the last batch's actual to estimated ratio, but at most twice the window is allowed on that guess.
    pub(super) fn is_full(&self, bytes: usize) -> bool {
        let (actual, estimated) = self.last_size;
        let bytes = self.bytes + bytes;
        let likely = scale(bytes, actual.min(estimated), estimated.max(1));
        let batches = self.len();
        batches >= WINDOW_BATCHES
            && (likely > WINDOW_BYTES || (bytes > WINDOW_BYTES && batches >= 2 * WINDOW_BATCHES))
    }

    /// Waits for the oldest batch. `None` if there is none.
    pub(super) fn pop(&mut self) -> PolarsResult<Option<Encoded>> {
        let Some(Pending { rows, bytes, metadata, tasks }) = self.batches.pop_front() else {
            return Ok(None);
        };
        let columns = tasks.into_iter().map(Task::wait).collect::<PolarsResult<Vec<_>>>()?;
        self.bytes -= bytes;
        let took: u64 = columns.iter().map(|columns| columns.raw_bytes).sum();
        // An estimate: saturation is enough.
        self.last_size = (usize::try_from(took).unwrap_or(usize::MAX), bytes);
        Ok(Some(Encoded { rows, columns, metadata }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds batches of `bytes` bytes by estimate, and of `took` in fact, until one more would have to wait.
    fn fill(in_flight: &mut InFlight, bytes: usize, took: u64) -> usize {
        while !in_flight.is_full(bytes) {
            in_flight
                .start(bytes, move || Ok(EncodedColumns { raw_bytes: took, ..EncodedColumns::default() }));
            in_flight.push(10, bytes, KeyValues::default());
        }
        in_flight.len()
    }

    #[test]
    fn as_many_batches_as_there_is_room_for() {
        let mut in_flight = InFlight::new(CallerRole::Helps);
        assert_eq!(fill(&mut in_flight, WINDOW_BYTES / 4, 100), 4);
        let mut written = 0;
        while let Some(Encoded { rows, columns, .. }) = in_flight.pop().expect("encoded") {
            written += rows;
            assert_eq!(columns.len(), 1);
        }
        assert_eq!((written, in_flight.bytes), (40, 0));
        // They took little, so there is room for some more, but no more than twice as many large ones.
        assert_eq!(fill(&mut in_flight, 4 * WINDOW_BYTES, 100), 2 * WINDOW_BATCHES);
        in_flight.clear();
        assert_eq!((in_flight.len(), in_flight.bytes), (0, 0));
        assert_eq!(fill(&mut in_flight, WINDOW_BYTES / 3, 100), 4);
    }

    #[test]
    fn two_whatever_their_size() {
        assert_eq!(fill(&mut InFlight::new(CallerRole::Waits), 10 * WINDOW_BYTES, 1), WINDOW_BATCHES);
    }

    #[test]
    fn an_error_comes_instead_of_the_batch() {
        let mut in_flight = InFlight::new(CallerRole::Helps);
        in_flight.start(1, || Ok(EncodedColumns::default()));
        in_flight.start(1, || polars_bail!(ComputeError: "no"));
        in_flight.push(1, 1, KeyValues::default());
        assert!(in_flight.pop().is_err_and(|error| error.to_string().contains("no")));
    }
}
