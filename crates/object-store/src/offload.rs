//! Work that takes a processor for long, done on Polars' pool. A runtime's thread that did it would keep all its other
//! tasks waiting, and a current-thread runtime has no other thread.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use polars_core::prelude::*;
use polars_core::runtime::THREAD_POOL;
use tokio::sync::oneshot;

/// Work on its way. When this is dropped the work is done all the same, and its result dropped.
#[derive(Debug)]
pub(crate) struct Offloaded<T>(Stage<T>);

#[derive(Debug)]
enum Stage<T> {
    /// Done already.
    Done(Option<T>),
    Sent(oneshot::Receiver<thread::Result<T>>),
}

// Nothing in it is ever pinned.
impl<T> Unpin for Offloaded<T> {}

/// Starts work on the pool. On one of the pool's own threads it is done at once: if all of them waited for it, nobody
/// would do it.
pub(crate) fn offload<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Offloaded<T> {
    if THREAD_POOL.current_thread_index().is_some() {
        return Offloaded(Stage::Done(Some(work())));
    }
    let (sender, receiver) = oneshot::channel();
    // A panic in the pool would end the process. Nobody may be waiting any more.
    THREAD_POOL.spawn(move || drop(sender.send(catch_unwind(AssertUnwindSafe(work)))));
    Offloaded(Stage::Sent(receiver))
}

impl<T> Future for Offloaded<T> {
    type Output = PolarsResult<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let lost = || polars_err!(ComputeError: "work on Polars' thread pool was lost");
        match &mut self.0 {
            Stage::Done(result) => Poll::Ready(result.take().ok_or_else(lost)),
            Stage::Sent(receiver) => Pin::new(receiver).poll(cx).map(|received| match received {
                Ok(Ok(result)) => Ok(result),
                Ok(Err(panic)) => resume_unwind(panic),
                Err(_) => Err(lost()),
            }),
        }
    }
}
