//! A value that the pool computes while the caller does something else.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use floe_runtime::fork_join::Job;
use polars_core::runtime::THREAD_POOL;

use super::locked;
use super::queue::Queue;

/// A value that a task of the pool will deliver.
pub(crate) struct Task<T> {
    pub(super) shared: Arc<Shared<T>>,
    /// The queue in which the task waits for a thread, if the thread that waits for the task works on the queue
    /// meanwhile.
    pub(super) queue: Option<Queue>,
}

pub(super) struct Shared<T> {
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

    /// The job that delivers the value, and the place it delivers to.
    pub(super) fn job(work: impl FnOnce() -> T + Send + 'static) -> (Arc<Shared<T>>, Job) {
        let shared = Arc::new(Shared { value: Mutex::new(None), ready: Condvar::new() });
        let deliver = Arc::clone(&shared);
        let job = move || {
            // A panic of the work is carried to the waiting thread, instead of aborting the process.
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

    /// Waits for the value. The waiting thread works meanwhile: on the task's queue if there is one, and on the pool's other
    /// tasks if it is one of the pool's threads.
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
