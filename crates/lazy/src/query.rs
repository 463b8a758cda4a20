//! A query on Polars' streaming engine, its frames handed on as they come.
//!
//! Polars calls back with one frame at a time, on varying threads, and waits for the call: that is the back-pressure.
//! An error behind the callback stops the query, but does not travel through it: errors would be wrapped and panics
//! lost. The receiver keeps them.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use polars_core::prelude::*;
use polars_core::runtime::RAYON;
use polars_lazy::prelude::{Engine, LazyFrame, PlanCallback};

use crate::batch_sizing::BatchSizing;
use crate::regroup::Regroup;
use crate::scan::LazyIpcPrune;
use crate::slices;

/// Takes a frame; false if it wants no more.
pub(crate) type Deliver = Box<dyn FnMut(DataFrame) -> bool + Send>;

/// Runs a query, and delivers its rows in frames of the size asked for. Without an error all were
/// delivered, or the one who took them wanted no more.
pub(crate) fn run(
    lf: LazyFrame,
    maintain_order: bool,
    sizing: BatchSizing,
    deliver: Deliver,
) -> PolarsResult<()> {
    // Polars may hold on to the callback for longer than the query runs. So its contents are taken out again, however
    // this function ends.
    let delivery = Arc::new(Mutex::new(Some(Delivery { regroup: Regroup::new(sizing), deliver })));
    let _taken_on_drop = TakenOnDrop(Arc::clone(&delivery));
    let callback = {
        let delivery = Arc::clone(&delivery);
        PlanCallback::new(move |df: DataFrame| {
            let mut delivery = delivery.lock().unwrap_or_else(PoisonError::into_inner);
            match delivery.as_mut() {
                Some(delivery) => Ok(!delivery.take(df)?),
                None => Ok(true),
            }
        })
    };
    let lf = slices::safe(lf).prune_ipc();
    lf.sink_batches(callback, maintain_order, None)?.collect_with_engine(Engine::Streaming)?;
    let delivery = delivery.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(Delivery { mut regroup, mut deliver }) = delivery
        && let Some(rest) = regroup.rest()
    {
        deliver(rest);
    }
    Ok(())
}

struct Delivery {
    regroup: Regroup,
    deliver: Deliver,
}

impl Delivery {
    fn take(&mut self, df: DataFrame) -> PolarsResult<bool> {
        Ok(self.regroup.push(df)?.into_iter().all(&mut self.deliver))
    }
}

/// Empties the delivery when it goes.
struct TakenOnDrop(Arc<Mutex<Option<Delivery>>>);

impl Drop for TakenOnDrop {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// The receiver of a query's frames, on a thread of its own.
pub(crate) trait Consumer: Send + 'static {
    /// Its result.
    type Output: Send + 'static;

    /// Takes the next frame.
    fn take(&mut self, df: DataFrame) -> PolarsResult<()>;

    /// Does a piece of the work that is left, while no frame waits; false if there is none.
    fn work(&mut self) -> PolarsResult<bool>;

    /// Ends well: there are no more frames.
    fn finish(self) -> PolarsResult<Self::Output>;
}

enum Message {
    Frame(DataFrame),
    /// The query ended without an error.
    End,
}

/// Runs a query into a consumer. The first error is returned; the consumer is dropped before that.
pub(crate) fn consume<C: Consumer>(
    lf: LazyFrame,
    maintain_order: bool,
    sizing: BatchSizing,
    consumer: C,
) -> PolarsResult<C::Output> {
    // On a thread of Polars' pool, waiting must not keep the pool from its work.
    RAYON.block_on(move || {
        let (sender, receiver) = sync_channel(1);
        let thread =
            thread::Builder::new().name("floe-sink".into()).spawn(move || serve(consumer, &receiver))?;
        let thread = JoinOnDrop(Some(thread));
        let ran = feed(lf, maintain_order, sizing, sender);
        // Only its own answer ended the consumer before the query's end.
        match (thread.join(), ran) {
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
            (Ok(Some(output)), Ok(())) => Ok(output),
            (Ok(None), Ok(())) => polars_bail!(ComputeError: "the query ended without its last frame"),
        }
    })
}

/// Runs the query; the sender is gone afterwards, also after a panic.
fn feed(
    lf: LazyFrame,
    maintain_order: bool,
    sizing: BatchSizing,
    sender: SyncSender<Message>,
) -> PolarsResult<()> {
    let frames = sender.clone();
    let deliver = Box::new(move |df| frames.send(Message::Frame(df)).is_ok());
    run(lf, maintain_order, sizing, deliver)?;
    // Nobody there: the consumer has failed, and says why.
    let _ = sender.send(Message::End);
    Ok(())
}

/// The consumer's thread. None if the query did not end well.
fn serve<C: Consumer>(mut consumer: C, frames: &Receiver<Message>) -> PolarsResult<Option<C::Output>> {
    loop {
        let message = match frames.try_recv() {
            Ok(message) => message,
            Err(TryRecvError::Disconnected) => return Ok(None),
            Err(TryRecvError::Empty) if consumer.work()? => continue,
            Err(TryRecvError::Empty) => match frames.recv() {
                Ok(message) => message,
                Err(_) => return Ok(None),
            },
        };
        match message {
            Message::Frame(df) => consumer.take(df)?,
            Message::End => return consumer.finish().map(Some),
        }
    }
}

/// A thread that is waited for, also when this one panics: its resources are free then.
struct JoinOnDrop<T>(Option<thread::JoinHandle<T>>);

impl<T> JoinOnDrop<T> {
    /// Its result, or its panic.
    fn join(mut self) -> T {
        match self.0.take().map(thread::JoinHandle::join) {
            Some(Ok(value)) => value,
            Some(Err(panic)) => resume_unwind(panic),
            None => unreachable!("joined once, by value"),
        }
    }
}

impl<T> Drop for JoinOnDrop<T> {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}
