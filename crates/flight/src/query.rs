//! Queries as streams of frames.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use floe::lazy::{LazyInterrupt, LazyIpcExt};
use futures_util::stream;
use polars_core::prelude::*;
use polars_lazy::prelude::LazyFrame;
use tokio::sync::{mpsc, oneshot};

use crate::error::FlightResult;
use crate::frames::FrameStream;

/// Stack of the threads that plan queries: expressions are walked there, which may be deep.
const PLANNING_STACK: usize = 64 << 20;

/// Runs a query, and streams its frames as it computes them. The query runs on threads of its own, not on those of the
/// runtime. It waits while its frames are not taken. When the stream is dropped, it ends with its next frame, or that of a
/// join in it.
///
/// ```
/// use floe_flight::{FlightResult, FrameStream, frames_of};
/// use polars_core::prelude::*;
/// use polars_lazy::prelude::*;
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let df = DataFrame::new(3, vec![Column::new("n".into(), [1i64, 2, 3])])?;
/// let frames: FrameStream = frames_of(df.lazy().filter(col("n").gt(lit(1)))).await?;
/// # let _ = frames;
/// # FlightResult::Ok(())
/// # })?;
/// # FlightResult::Ok(())
/// ```
///
/// # Errors
/// When the schema of the query cannot be told. Errors of the query itself come from the stream.
pub async fn frames_of(lf: LazyFrame) -> FlightResult<FrameStream> {
    frames_by(move |_| Ok(lf)).await
}

/// As [`frames_of`], for a query that is made on its own thread.
pub(crate) async fn frames_by(
    make: impl FnOnce(&Watch) -> FlightResult<LazyFrame> + Send + 'static,
) -> FlightResult<FrameStream> {
    let (schema, began) = oneshot::channel();
    // One frame waits here, one in the query's own channel.
    let (frames, mut receiver) = mpsc::channel(1);
    spawn_planning("floe-flight-query", move || {
        // The sender is gone behind a panic, which would look like the end.
        let panicked = catch_unwind(AssertUnwindSafe(|| run(make, schema, &frames))).is_err();
        if panicked {
            let _ = frames.blocking_send(Err(panic_error()));
        }
    })?;
    let schema = began.await.map_err(|_| panic_error())??;
    Ok(FrameStream::new(schema, stream::poll_fn(move |cx| receiver.poll_recv(cx))))
}

/// Starts a thread with room for planning.
pub(crate) fn spawn_planning(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.into()).stack_size(PLANNING_STACK).spawn(work).map(drop)
}

/// Knows whether anybody still takes a query's frames.
pub(crate) struct Watch(mpsc::WeakSender<PolarsResult<DataFrame>>);

impl Watch {
    /// The same frames, with an error in their place once nobody takes the query's.
    pub(crate) fn over(&self, lf: LazyFrame) -> LazyFrame {
        // Weak: Polars may hold on to the plan, and the stream ends when the last sender is gone.
        let frames = self.0.clone();
        lf.interruptible(move || {
            let is_taken = frames.upgrade().is_some_and(|frames| !frames.is_closed());
            polars_ensure!(is_taken, ComputeError: "nobody takes the frames of this query any more");
            Ok(())
        })
    }
}

fn panic_error() -> PolarsError {
    polars_err!(ComputeError: "the query has panicked; its result is not complete")
}

/// The query's thread. It ends early when nobody takes the frames.
fn run(
    make: impl FnOnce(&Watch) -> FlightResult<LazyFrame>,
    schema: oneshot::Sender<FlightResult<SchemaRef>>,
    frames: &mpsc::Sender<PolarsResult<DataFrame>>,
) {
    let watch = Watch(frames.downgrade());
    let batches = match make(&watch).and_then(|lf| Ok(watch.over(lf).collect_ipc_batches(None)?)) {
        Ok(batches) => batches,
        Err(error) => {
            let _ = schema.send(Err(error));
            return;
        },
    };
    if schema.send(Ok(SchemaRef::clone(batches.schema()))).is_err() {
        return;
    }
    for batch in batches {
        if frames.blocking_send(batch).is_err() {
            return;
        }
    }
}
