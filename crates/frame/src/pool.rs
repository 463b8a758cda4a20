//! Polars' thread pool, and waiting for it without getting in its way.
//!
//! Work goes to [`THREAD_POOL`], never to a pool of floe's own: loops by [`Pool`], in which the caller takes part,
//! and what is done while the caller does something else by [`Task`]. A caller may be one of the pool's threads
//! itself (floe used inside a `par_iter`): then waiting for a task means doing other work of the pool, or a pool of
//! one thread would wait for itself for ever. A loop waits only for threads that are at work in it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use floe_array::Executor;
use floe_array::crew::{Crew, Job};
use polars_core::runtime::THREAD_POOL;

use crate::trace;

/// Threads of the pool.
pub(crate) fn threads() -> usize {
    THREAD_POOL.current_num_threads()
}

/// The pool's threads that take part in loops of [`Pool`].
static CREW: Crew = Crew::new();

/// An [`Executor`] of the calling thread and Polars' pool.
pub(crate) struct Pool;

impl Executor for Pool {
    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        let work = |i: usize| {
            let _span = trace::span("decode");
            work(i);
        };
        // The calling thread is one of as many as the pool has.
        CREW.for_each(n, threads().saturating_sub(1), &work, |job| THREAD_POOL.spawn(job));
    }
}

/// Polars' pool, or the calling thread alone.
pub(crate) fn executor(parallel: bool) -> &'static dyn Executor {
    if parallel { &Pool } else { &floe_array::Serial }
}

/// A value that a task of the pool will deliver.
pub(crate) struct Task<T> {
    shared: Arc<Shared<T>>,
    /// Where it waits for a thread, if whoever waits for it is to work on what is there.
    queue: Option<Queue>,
}

struct Shared<T> {
    value: Mutex<Option<std::thread::Result<T>>>,
    ready: Condvar,
}

impl<T: Send + 'static> Task<T> {
    /// Starts `work` on the pool.
    pub(crate) fn spawn(work: impl FnOnce() -> T + Send + 'static) -> Self {
        let (shared, job) = Self::job(work);
        THREAD_POOL.spawn_fifo(job);
        Self { shared, queue: None }
    }

    /// What delivers the value, and to where.
    fn job(work: impl FnOnce() -> T + Send + 'static) -> (Arc<Shared<T>>, Job) {
        let shared = Arc::new(Shared { value: Mutex::new(None), ready: Condvar::new() });
        let deliver = Arc::clone(&shared);
        let job = move || {
            // A panic of the work is carried to whoever waits, instead of aborting the process.
            let value = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            *locked(&deliver.value) = Some(value);
            deliver.ready.notify_all();
        };
        (shared, Box::new(job))
    }

    /// Whether the value is there.
    pub(crate) fn is_done(&self) -> bool {
        locked(&self.shared.value).is_some()
    }

    /// Waits for the value. A thread that waits works meanwhile: on what is in the same queue, if that wants help, and
    /// if it is one of the pool on the pool's other tasks.
    pub(crate) fn wait(self) -> T {
        let in_pool = THREAD_POOL.current_thread_index().is_some();
        let Self { shared, queue } = self;
        loop {
            let value = locked(&shared.value).take();
            match value {
                Some(Ok(value)) => return value,
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                None if queue.as_ref().is_some_and(Queue::run_one) => {},
                None if in_pool => {
                    if THREAD_POOL.yield_now() != Some(rayon::Yield::Executed) {
                        std::thread::yield_now();
                    }
                },
                None => {
                    let ready = shared.ready.wait_while(locked(&shared.value), |value| value.is_none());
                    drop(ready.unwrap_or_else(PoisonError::into_inner));
                },
            }
        }
    }
}

/// Tasks of batches that are written one after another: those of the oldest batch come first, so that it can be written
/// while the others are worked on, and of one batch by their [`Turn`].
#[derive(Clone)]
pub(crate) struct Queue {
    queued: Arc<Mutex<Queued>>,
    writer: Writer,
}

/// What the thread does that waits for tasks, to write what they make.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writer {
    /// It works where it would wait, and one thread less of the pool does: writing takes as long as the tasks do, so that it
    /// needs a core itself.
    Helps,
    /// It only waits. Tasks take much longer than writing, as compression does: it would be late for the next batch as
    /// often as it is a help.
    Waits,
}

#[derive(Default)]
struct Queued {
    jobs: BTreeMap<Rank, Job>,
    /// How many there have been.
    pushed: u64,
    /// Threads that have been asked to work until the queue is empty, and have not found it so.
    workers: usize,
}

/// Where a task stands: its batch, its turn, and how many were pushed before it.
type Rank = (u64, Turn, u64);

/// When a task comes, of those of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    /// Nothing can be written before it is done. The largest of these come first, so that none of them is left for the
    /// end: it is to look at so many bytes.
    Largest(Reverse<usize>),
    /// Behind all of those: what it makes of this column is waited for when that is written.
    InOrder { column: usize },
}

impl Turn {
    /// The turn of a task that is to look at so many bytes.
    pub(crate) fn of_bytes(bytes: usize) -> Self {
        Self::Largest(Reverse(bytes))
    }
}

impl Queue {
    pub(crate) fn new(writer: Writer) -> Self {
        Self { queued: Arc::default(), writer }
    }

    /// Adds a task of batch number `batch`.
    pub(crate) fn push<T: Send + 'static>(
        &self,
        batch: u64,
        turn: Turn,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Task<T> {
        let (shared, job) = Task::job(work);
        let mut queued = locked(&self.queued);
        let rank = (batch, turn, queued.pushed);
        queued.pushed += 1;
        queued.jobs.insert(rank, job);
        let queue = self.clone();
        match self.writer {
            Writer::Waits => {
                drop(queued);
                THREAD_POOL.spawn_fifo(move || _ = queue.run_one());
                Task { shared, queue: None }
            },
            Writer::Helps => {
                if queued.workers < threads().saturating_sub(1).max(1) {
                    queued.workers += 1;
                    drop(queued);
                    THREAD_POOL.spawn_fifo(move || queue.work());
                }
                Task { shared, queue: Some(self.clone()) }
            },
        }
    }

    /// Runs the task that comes first; whether there was one.
    fn run_one(&self) -> bool {
        let first = locked(&self.queued).jobs.pop_first();
        first.map(|(_, job)| job()).is_some()
    }

    /// What a thread of the pool does where the writing one helps.
    fn work(&self) {
        loop {
            let mut queued = locked(&self.queued);
            let Some((_, job)) = queued.jobs.pop_first() else {
                queued.workers -= 1;
                return;
            };
            drop(queued);
            job();
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_batch_comes_first_and_of_it_the_largest_task_that_is_waited_for() {
        let queue = Queue::new(Writer::Helps);
        let done = Arc::new(Mutex::new(Vec::new()));
        let (bytes, in_order) = (Turn::of_bytes, |column| Turn::InOrder { column });
        let order = [
            (1, bytes(50)),
            (0, bytes(10)),
            (2, bytes(999)),
            (0, bytes(30)),
            (0, in_order(7)),
            (1, bytes(70)),
            (0, in_order(2)),
            (0, bytes(30)),
        ];
        // As if all threads of the pool were at work elsewhere.
        locked(&queue.queued).workers = usize::MAX;
        let push = |(i, (batch, turn)): (usize, (u64, Turn))| {
            let done = Arc::clone(&done);
            queue.push(batch, turn, move || locked(&done).push(i))
        };
        let tasks: Vec<Task<()>> = order.into_iter().enumerate().map(push).collect();
        assert!(tasks.iter().all(|task| !task.is_done()));
        // Whoever waits for the last of them does all that comes before it.
        tasks.into_iter().rev().for_each(Task::wait);
        assert_eq!(*locked(&done), [3, 7, 1, 6, 4, 5, 0, 2]);
        assert!(!queue.run_one(), "nothing is left");
    }

    #[test]
    fn tasks_of_both_kinds_are_all_done() {
        for writer in [Writer::Helps, Writer::Waits] {
            let queue = Queue::new(writer);
            let tasks: Vec<Task<usize>> =
                (0..1_000).map(|i| queue.push(i as u64 % 7, Turn::of_bytes(i % 13), move || i)).collect();
            assert!(tasks.into_iter().map(Task::wait).eq(0..1_000));
        }
    }
}
