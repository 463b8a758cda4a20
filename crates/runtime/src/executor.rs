//! Jobs to results, on whatever threads somebody has.

use std::sync::{Mutex, PoisonError};

/// Runs independent pieces of work, possibly at once.
///
/// Decoding hands out memory that such work writes, so soundness must not rely on the executor.
/// [`map_jobs`](#method.map_jobs) runs each job that an executor leaves out, and never runs one twice.
pub trait Executor: Sync {
    /// Calls `work(0)` to `work(n - 1)`, in any order, and returns when all have returned.
    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync));

    /// Whether all work stays on the calling thread.
    fn is_serial(&self) -> bool {
        false
    }
}

/// A job on its way to its result.
enum Stage<J, T> {
    Waiting(J),
    /// Some thread has it, or had it and panicked.
    Taken,
    Done(T),
}

/// The stage of one job. No thread waits for the lock unless an executor runs a job twice.
struct Cell<J, T>(Mutex<Stage<J, T>>);

impl<J, T> Cell<J, T> {
    fn new(job: J) -> Self {
        Self(Mutex::new(Stage::Waiting(job)))
    }

    fn replace(&self, stage: Stage<J, T>) -> Stage<J, T> {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), stage)
    }

    /// Runs the job, if no thread has taken it. Not under the lock: a panic must not lose the job.
    fn run(&self, work: impl FnOnce(J) -> T) {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *stage, Stage::Taken) {
            Stage::Waiting(job) => {
                drop(stage);
                let value = work(job);
                self.replace(Stage::Done(value));
            },
            other => *stage = other,
        }
    }
}

impl dyn Executor + '_ {
    /// The results of `work`, in the order of the jobs. Each job is handed out once, whatever the executor does.
    ///
    /// # Panics
    /// If `work` does, also where the executor swallows the panic.
    ///
    /// ```
    /// use floe_runtime::{Executor, Serial};
    ///
    /// let executor: &dyn Executor = &Serial;
    /// let mut memory = [0; 5];
    /// let jobs = memory.chunks_mut(2).collect();
    /// let lens = executor.map_jobs(jobs, |chunk: &mut [i32]| {
    ///     chunk.fill(7);
    ///     chunk.len()
    /// });
    /// assert_eq!((lens, memory), (vec![2, 2, 1], [7; 5]));
    /// ```
    pub fn map_jobs<J: Send, T: Send>(&self, jobs: Vec<J>, work: impl Fn(J) -> T + Sync) -> Vec<T> {
        if jobs.len() <= 1 || self.is_serial() {
            return jobs.into_iter().map(work).collect();
        }
        let cells: Vec<Cell<J, T>> = jobs.into_iter().map(Cell::new).collect();
        self.for_each(cells.len(), &|i| {
            // An executor that counts too far runs nothing.
            if let Some(cell) = cells.get(i) {
                cell.run(&work);
            }
        });
        let value = |(i, cell): (usize, Cell<J, T>)| {
            cell.run(&work);
            match cell.replace(Stage::Taken) {
                Stage::Done(value) => value,
                // The thread that took it made no value of it, and no call goes on after `for_each`: it borrows `cells`.
                Stage::Waiting(_) | Stage::Taken => {
                    panic!("an executor went on after piece {i} of its work had panicked")
                },
            }
        };
        cells.into_iter().enumerate().map(value).collect()
    }

    /// The results of `work(0)` to `work(n - 1)`, in that order. Each is called once, whatever the executor does.
    ///
    /// # Panics
    /// As [`map_jobs`](#method.map_jobs).
    ///
    /// ```
    /// use floe_runtime::{Executor, Serial};
    ///
    /// let executor: &dyn Executor = &Serial;
    /// assert_eq!(executor.map(4, |i| i * i), [0, 1, 4, 9]);
    /// ```
    pub fn map<T: Send>(&self, n: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
        self.map_jobs((0..n).collect(), work)
    }

    /// The results of two different pieces of work.
    ///
    /// # Panics
    /// As [`map_jobs`](#method.map_jobs).
    ///
    /// ```
    /// use floe_runtime::{Executor, Serial};
    ///
    /// let executor: &dyn Executor = &Serial;
    /// assert_eq!(executor.join(|| 1, || "two"), (1, "two"));
    /// ```
    pub fn join<A: Send, B: Send>(
        &self,
        one: impl FnOnce() -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        enum Either<A, B> {
            One(A),
            Other(B),
        }
        let results = self.map_jobs(vec![Either::One(one), Either::Other(other)], |job| match job {
            Either::One(one) => Either::One(one()),
            Either::Other(other) => Either::Other(other()),
        });
        let mut results = results.into_iter();
        match (results.next(), results.next()) {
            (Some(Either::One(one)), Some(Either::Other(other))) => (one, other),
            _ => unreachable!("there is one result for each job, in the order of the jobs"),
        }
    }
}

/// An [`Executor`] that stays on the calling thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Serial;

impl Executor for Serial {
    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..n).for_each(work);
    }

    fn is_serial(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Runs what it likes, as often as it likes.
    struct Odd(fn(usize, &(dyn Fn(usize) + Sync)));

    impl Executor for Odd {
        fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
            (self.0)(n, work);
        }
    }

    type Run = fn(usize, &(dyn Fn(usize) + Sync));

    const ODD: [Run; 4] = [
        |_, _| {},
        |n, work| (0..n).chain(0..n + 5).for_each(work),
        |n, work| (0..n).step_by(3).for_each(work),
        |n, work| {
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| (0..n).for_each(work));
                }
            });
        },
    ];

    #[test]
    fn all_work_is_done_once_whatever_the_executor_does() {
        for run in ODD {
            let counts: Vec<AtomicUsize> = (0..100).map(|_| AtomicUsize::new(0)).collect();
            let executor: &dyn Executor = &Odd(run);
            let values = executor.map(counts.len(), |i| {
                counts[i].fetch_add(1, Ordering::Relaxed);
                i
            });
            assert!(values.into_iter().eq(0..100));
            assert!(counts.into_iter().all(|count| count.into_inner() == 1));
        }
    }

    #[test]
    fn jobs_are_owned_and_results_come_in_their_order() {
        for run in ODD {
            let executor: &dyn Executor = &Odd(run);
            let jobs: Vec<Box<usize>> = (0..50).map(Box::new).collect();
            let texts = executor.map_jobs(jobs, |job| job.to_string());
            assert!(texts.into_iter().eq((0..50).map(|i: usize| i.to_string())));
            let mut memory = vec![0u8; 1_000];
            let lens = executor.map_jobs(memory.chunks_mut(64).collect(), |chunk| {
                chunk.fill(1);
                chunk.len()
            });
            assert_eq!((lens.len(), lens.iter().sum::<usize>()), (16, 1_000));
            assert!(memory.iter().all(|byte| *byte == 1));
            assert_eq!(executor.join(|| 7, || "seven"), (7, "seven"));
        }
    }

    #[test]
    fn a_panic_that_the_executor_swallows_is_one() {
        let executor: &dyn Executor = &Odd(|n, work| {
            for i in 0..n {
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(i)));
            }
        });
        let map = || executor.map(3, |i| assert!(i != 1));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(map)).is_err());
    }
}
