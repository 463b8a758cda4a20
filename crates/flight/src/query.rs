//! Queries as streams of frames.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use floe::lazy::LazyIpcExt;
use polars_core::prelude::*;
use polars_lazy::prelude::LazyFrame;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;

use crate::error::FlightResult;
use crate::frames::FrameStream;

/// Runs a query, and streams its frames as it computes them. The query runs on threads of its own, not on those of the
/// runtime. It waits while its frames are not taken, and ends with its next frame when the stream is dropped.
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
    let (schema, began) = oneshot::channel();
    // One frame waits here, one in the query's own channel.
    let (frames, stream) = mpsc::channel(1);
    thread::Builder::new().name("floe-flight-query".into()).spawn(move || {
        // The sender is gone behind a panic, which would look like the end.
        let panicked = catch_unwind(AssertUnwindSafe(|| run(lf, schema, &frames))).is_err();
        if panicked {
            let _ = frames.blocking_send(Err(panic_error()));
        }
    })?;
    let schema = began.await.map_err(|_| panic_error())??;
    Ok(FrameStream::new(schema, ReceiverStream::new(stream)))
}

fn panic_error() -> PolarsError {
    polars_err!(ComputeError: "the query has panicked; its result is not complete")
}

/// The query's thread. It ends early when nobody takes the frames.
fn run(
    lf: LazyFrame,
    schema: oneshot::Sender<PolarsResult<SchemaRef>>,
    frames: &mpsc::Sender<PolarsResult<DataFrame>>,
) {
    let batches = match lf.collect_ipc_batches(None) {
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
