//! Polars' thread pool: loops, tasks, and waiting without getting in the pool's way.
//!
//! Work goes to [`THREAD_POOL`], never to a pool of floe's own. [`Pool`] runs loops in which the caller takes part, a
//! [`Task`] runs while the caller does something else, and a [`Queue`] orders the tasks of batches.
//!
//! A caller may be one of the pool's threads itself, when floe is used inside a `par_iter`. Then it does other work of the
//! pool while it waits for a task: a pool of one thread would otherwise wait for itself for ever. A loop waits only for
//! threads that are at work in it.

mod queue;
mod task;

use std::sync::{Mutex, MutexGuard, PoisonError};

use floe_runtime::Executor;
use floe_runtime::ablation::{self, Mechanism};
use floe_runtime::fork_join::ForkJoin;
use polars_core::runtime::THREAD_POOL;

pub(crate) use self::queue::{CallerRole, Priority, Queue};
pub(crate) use self::task::Task;
use crate::trace;

/// Threads of the pool.
pub(crate) fn threads() -> usize {
    THREAD_POOL.current_num_threads()
}

/// The pool's threads that take part in loops of [`Pool`].
static FORK_JOIN: ForkJoin = ForkJoin::new();

/// An [`Executor`] of the calling thread and Polars' pool.
pub(crate) struct Pool;

impl Executor for Pool {
    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        let work = |i: usize| {
            let _span = trace::span("decode");
            work(i);
        };
        if !ablation::is_on(Mechanism::ForkJoin) {
            return THREAD_POOL.in_place_scope(|scope| (0..n).for_each(|i| scope.spawn(move |_| work(i))));
        }
        // The calling thread takes the place of one of the pool's.
        FORK_JOIN.for_each(n, threads().saturating_sub(1), &work, |job| THREAD_POOL.spawn(job));
    }
}

/// The executor of Polars' pool, or of the calling thread alone.
pub(crate) fn executor(parallel: bool) -> &'static dyn Executor {
    if parallel { &Pool } else { &floe_runtime::Serial }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
