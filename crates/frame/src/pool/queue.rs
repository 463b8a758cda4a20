//! The order in which the tasks of batches run.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use floe_runtime::fork_join::Job;
use polars_core::runtime::THREAD_POOL;

use super::task::Task;
use super::{locked, threads};

/// Tasks of batches that are written one after another. Those of the oldest batch come first, so that it can be written
/// while the others are worked on. Tasks of one batch go by their [`Priority`].
#[derive(Clone)]
pub(crate) struct Queue {
    queued: Arc<Mutex<Queued>>,
    role: CallerRole,
}

/// The role of the calling thread while it waits for tasks, whose results it writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallerRole {
    /// It works on tasks, and one thread of the pool less does. Writing takes about as long as the tasks do, so that it needs
    /// a core of its own.
    Helps,
    /// It only waits. Tasks take much longer than writing, as compression does: busy with one, it would be late for the next
    /// batch.
    Waits,
}

#[derive(Default)]
struct Queued {
    jobs: BTreeMap<Rank, Job>,
    /// How many jobs there have been.
    pushed: u64,
    /// Threads of the pool that work until the queue is empty, or have been asked to.
    workers: usize,
}

/// Where a job stands: its batch, its priority, and how many were pushed before it.
type Rank = (u64, Priority, u64);

/// The order of tasks of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Priority {
    /// Nothing can be written before the task is done. Those that look at the most bytes come first, so that no large one
    /// is left for the end.
    Largest(Reverse<usize>),
    /// Behind all of those, by columns: its result is waited for when the column is written.
    InOrder { column: usize },
}

impl Priority {
    /// The priority of a task that looks at that many bytes, and that the batch waits for.
    pub(crate) fn of_bytes(bytes: usize) -> Self {
        Self::Largest(Reverse(bytes))
    }
}

impl Queue {
    pub(crate) fn new(role: CallerRole) -> Self {
        Self { queued: Arc::default(), role }
    }

    /// Adds a task of batch number `batch`.
    pub(crate) fn push<T: Send + 'static>(
        &self,
        batch: u64,
        turn: Priority,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Task<T> {
        let (shared, job) = Task::job(work);
        let mut queued = locked(&self.queued);
        let rank = (batch, turn, queued.pushed);
        queued.pushed += 1;
        queued.jobs.insert(rank, job);
        let queue = self.clone();
        match self.role {
            CallerRole::Waits => {
                drop(queued);
                THREAD_POOL.spawn_fifo(move || _ = queue.run_one());
                Task { shared, queue: None }
            },
            CallerRole::Helps => {
                if queued.workers < threads().saturating_sub(1).max(1) {
                    queued.workers += 1;
                    drop(queued);
                    THREAD_POOL.spawn_fifo(move || queue.work());
                }
                Task { shared, queue: Some(self.clone()) }
            },
        }
    }

    /// Runs the task that comes first. False if there is none.
    pub(super) fn run_one(&self) -> bool {
        let first = locked(&self.queued).jobs.pop_first();
        first.map(|(_, job)| job()).is_some()
    }

    /// Runs tasks until the queue is empty: the work of a pool thread where the calling one helps.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_batch_comes_first_and_of_it_the_largest_task() {
        let queue = Queue::new(CallerRole::Helps);
        let done = Arc::new(Mutex::new(Vec::new()));
        let (bytes, in_order) = (Priority::of_bytes, |column| Priority::InOrder { column });
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
        let push = |(i, (batch, turn)): (usize, (u64, Priority))| {
            let done = Arc::clone(&done);
            queue.push(batch, turn, move || locked(&done).push(i))
        };
        let tasks: Vec<Task<()>> = order.into_iter().enumerate().map(push).collect();
        assert!(tasks.iter().all(|task| !task.is_done()));
        // A thread that waits for the last of them first runs all that come before it.
        tasks.into_iter().rev().for_each(Task::wait);
        assert_eq!(*locked(&done), [3, 7, 1, 6, 4, 5, 0, 2]);
        assert!(!queue.run_one(), "nothing is left");
    }

    #[test]
    fn tasks_of_both_kinds_are_all_done() {
        for role in [CallerRole::Helps, CallerRole::Waits] {
            let queue = Queue::new(role);
            let tasks: Vec<Task<usize>> =
                (0..1_000).map(|i| queue.push(i as u64 % 7, Priority::of_bytes(i % 13), move || i)).collect();
            assert!(tasks.into_iter().map(Task::wait).eq(0..1_000));
        }
    }
}
