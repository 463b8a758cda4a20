//! Polars' thread pool, and waiting for it without getting in its way.
//!
//! Work goes to [`THREAD_POOL`], never to a pool of floe's own. A caller may be one of the pool's
//! threads itself (floe used inside a `par_iter`): then waiting means doing other work of the
//! pool, or a pool of one thread would wait for itself for ever.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use floe_array::Executor;
use floe_array::crew::Crew;
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
pub(crate) struct Task<T>(Arc<Shared<T>>);

struct Shared<T> {
    value: Mutex<Option<std::thread::Result<T>>>,
    ready: Condvar,
}

impl<T: Send + 'static> Task<T> {
    /// Starts `work` on the pool.
    pub(crate) fn spawn(work: impl FnOnce() -> T + Send + 'static) -> Self {
        let shared = Arc::new(Shared { value: Mutex::new(None), ready: Condvar::new() });
        let deliver = Arc::clone(&shared);
        THREAD_POOL.spawn_fifo(move || {
            // A panic of the work is carried to whoever waits, instead of aborting the process.
            let value = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            *deliver.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            deliver.ready.notify_all();
        });
        Self(shared)
    }

    /// Whether the value is there.
    pub(crate) fn is_done(&self) -> bool {
        self.0.value.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Waits for the value. A thread of the pool works on other tasks meanwhile.
    pub(crate) fn wait(self) -> T {
        let in_pool = THREAD_POOL.current_thread_index().is_some();
        let mut value = self.0.value.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match value.take() {
                Some(Ok(value)) => return value,
                Some(Err(panic)) => std::panic::resume_unwind(panic),
                None if in_pool => {
                    drop(value);
                    if THREAD_POOL.yield_now() != Some(rayon::Yield::Executed) {
                        std::thread::yield_now();
                    }
                    value = self.0.value.lock().unwrap_or_else(PoisonError::into_inner);
                },
                None => value = self.0.ready.wait(value).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}
