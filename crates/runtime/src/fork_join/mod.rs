//! Fork and join where the calling thread works too, and does not wait for threads that start late.
//!
//! ```text
//!   calling thread   0  2  3  5  6      returns
//!   first worker       1   4    7 ·     · no step is left here: looks for another loop that has some
//!   second worker                       starts too late, and does the same
//! ```
//!
//! A pool's own scopes either leave the calling thread idle (`install`), or wait until every job that was spawned has
//! run (`in_place_scope`), even one that finds nothing left to do. Both cost time. The scheduler may wake sleeping
//! threads on one core and leave them there for milliseconds, while the core of the waiting caller is idle.
//!
//! # Guide
//!
//! This code is subtle. These are its parts:
//!
//! - A loop (`shared_loop::Loop`) is `n` steps and the work that is called with the number of each. Threads claim steps
//!   by counting up one atomic. It is open from [`ForkJoin::for_each`]'s start to its end.
//! - `State`, under one lock, lists the open loops. A worker takes the oldest loop with unclaimed steps, counts itself
//!   as `inside` under that lock, and claims steps until there are none.
//! - The caller claims steps like any worker. When none is left it closes the loop (`CloseOnDrop`): takes it off the
//!   list, then waits until nobody is `inside`. After that no thread can reach the borrowed work.
//!
//! Loops may be within loops. There are never more workers than [`ForkJoin::for_each`] is told, whatever the number of
//! open loops. A caller that waits for workers to leave its loop works in younger loops meanwhile.
//!
//! **Why nothing deadlocks.** A thread that waits in a loop only starts steps of younger loops. So the loops on any
//! stack get younger from bottom to top, and what a thread waits for is never beneath on its own stack.
//!
//! **Memory ordering.** All atomics are relaxed. `next` only hands out numbers; each goes to one thread. `inside` changes
//! and is read under the lock, which orders what steps have written before the caller goes on.
//!
//! **What to watch when changing this.** The `unsafe` in `shared_loop` rests on three rules. A worker counts itself as
//! inside under the same lock in which it found the loop open. The loop is taken off the list before the wait. The wait
//! also happens when the caller's own step panics.

mod shared_loop;
#[cfg(test)]
mod tests;

use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use shared_loop::{BorrowedWork, Loop};

/// Something another thread may run, now, later or never.
pub type Job = Box<dyn FnOnce() + Send>;

/// The loops that are open, and the workers.
#[derive(Debug, Default)]
pub struct ForkJoin {
    state: Mutex<State>,
    /// Signalled while a caller waits: a loop was opened, or the last worker has left one.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The oldest first.
    open: Vec<Arc<Loop>>,
    /// Loops that have been opened, ever.
    opened: u64,
    /// Jobs that have been spawned and have not ended.
    workers: usize,
    /// Callers that wait for workers to leave their loops.
    waiting: usize,
}

impl ForkJoin {
    /// No loop and no worker.
    #[must_use]
    pub const fn new() -> Self {
        let state = State { open: Vec::new(), opened: 0, workers: 0, waiting: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `work(0)` to `work(n - 1)`, about in this order, on the calling thread and on those that run the jobs that
    /// `spawn` is given. Jobs are spawned until there are `workers` of them, those of other loops included. Returns when
    /// all calls have returned; jobs that have not started by then are not waited for.
    ///
    /// # Panics
    /// If `work` does, wherever it ran. Steps that have not been started then are left out.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use floe_runtime::fork_join::ForkJoin;
    ///
    /// static FORK_JOIN: ForkJoin = ForkJoin::new();
    ///
    /// let sum = AtomicU64::new(0);
    /// let add = |i: usize| {
    ///     sum.fetch_add(i as u64, Ordering::Relaxed);
    /// };
    /// FORK_JOIN.for_each(100, 3, &add, |job| {
    ///     std::thread::spawn(job);
    /// });
    /// assert_eq!(sum.into_inner(), 4950);
    /// ```
    pub fn for_each(
        &'static self,
        n: usize,
        workers: usize,
        work: &(dyn Fn(usize) + Sync),
        mut spawn: impl FnMut(Job),
    ) {
        if workers == 0 || n <= 1 {
            return (0..n).for_each(work);
        }
        let (this, missing) = self.open(n, workers, BorrowedWork::new(work));
        // From here on nobody is inside of the work when this function is left, also by a panic.
        let closing = CloseOnDrop { fork_join: self, this: &this };
        for _ in 0..missing {
            spawn(Box::new(|| self.run_worker()));
        }
        while let Some(i) = this.claim() {
            work(i);
        }
        drop(closing);
        if let Some(panic) = this.take_panic() {
            resume_unwind(panic);
        }
    }

    /// Opens a loop. Returns it, and how many workers are missing.
    fn open(&self, n: usize, workers: usize, work: BorrowedWork) -> (Arc<Loop>, usize) {
        let mut state = self.state();
        state.opened += 1;
        let this = Arc::new(Loop::new(work, n, state.opened));
        state.open.push(Arc::clone(&this));
        let missing = workers.saturating_sub(state.workers).min(n - 1);
        state.workers += missing;
        if state.waiting > 0 {
            self.changed.notify_all();
        }
        (this, missing)
    }

    /// Works in whatever loop has unclaimed steps, until none has.
    fn run_worker(&self) {
        let mut state = self.state();
        loop {
            match self.run_oldest(state, 0) {
                Ok(again) => state = again,
                Err(mut none) => {
                    // Under the lock: a loop that opens after this wants another worker.
                    none.workers -= 1;
                    return;
                },
            }
        }
    }

    /// Works in the oldest loop that has unclaimed steps, of those opened after number `after`, until it has none.
    /// `Err` if there is no such loop.
    fn run_oldest<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        after: u64,
    ) -> Result<MutexGuard<'a, State>, MutexGuard<'a, State>> {
        let Some(found) = state.open.iter().find(|open| open.number() > after && open.has_more()) else {
            return Err(state);
        };
        let found = Arc::clone(found);
        // Under the lock in which it was found to be open.
        found.enter();
        drop(state);
        // SAFETY: the loop was open when this thread was counted among those inside, under one lock:
        // `CloseOnDrop` waits for them before the borrow of the work ends.
        unsafe { found.run() };
        let state = self.state();
        let is_last = found.leave();
        if is_last && state.waiting > 0 {
            self.changed.notify_all();
        }
        Ok(state)
    }
}

/// Closes a loop, and waits for the threads inside of it.
struct CloseOnDrop<'a> {
    fork_join: &'a ForkJoin,
    this: &'a Arc<Loop>,
}

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        let Self { fork_join, this } = *self;
        // Also when the calling thread panicked.
        this.stop(None);
        let mut state = fork_join.state();
        state.open.retain(|open| !Arc::ptr_eq(open, this));
        while this.is_entered() {
            // Threads that are inside may have opened loops themselves. Younger ones only: see the guide above.
            state = match fork_join.run_oldest(state, this.number()) {
                Ok(again) => again,
                Err(mut none) => {
                    none.waiting += 1;
                    let mut woken = fork_join.changed.wait(none).unwrap_or_else(PoisonError::into_inner);
                    woken.waiting -= 1;
                    woken
                },
            };
        }
    }
}
