//! A query's result as an iterator of frames.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use polars_core::prelude::*;
use polars_core::runtime::THREAD_POOL;
use polars_lazy::prelude::LazyFrame;

use crate::batch_sizing::BatchSizing;
use crate::query;
use crate::size;

/// The frames of a query, as it makes them; made by
/// [`collect_ipc_batches`](crate::LazyIpcExt::collect_ipc_batches).
///
/// The query waits while its frames are not taken, and ends when this is dropped.
///
/// ```
/// use floe_lazy::*;
/// use polars_core::prelude::*;
///
/// # let df = DataFrame::new(3, vec![Column::new("n".into(), [1, 2, 3])])?;
/// let batches: IpcBatches = df.lazy().collect_ipc_batches(2)?;
/// let frames = batches.collect::<PolarsResult<Vec<DataFrame>>>()?;
/// assert_eq!(frames.len(), 2);
/// # PolarsResult::Ok(())
/// ```
pub struct IpcBatches {
    schema: SchemaRef,
    running: Option<Running>,
    /// The query has panicked, and the caller may have caught that: frames are missing.
    panicked: bool,
}

/// The stack of a query's thread: Polars plans by recursion, as deep as expressions are. Only pages that are used are memory.
const STACK: usize = 32 << 20;

struct Running {
    frames: Receiver<DataFrame>,
    query: JoinHandle<PolarsResult<()>>,
}

impl IpcBatches {
    pub(crate) fn start(mut lf: LazyFrame, rows: Option<usize>) -> PolarsResult<Self> {
        let schema = lf.collect_schema()?;
        let (sender, frames) = sync_channel(1);
        let deliver = Box::new(move |df: DataFrame| {
            // A frame of several batches, or of one.
            let step = rows.map_or(df.height(), |rows| rows.max(1));
            let starts = (0..df.height()).step_by(step);
            let mut slices = starts.map(|start| df.slice(size::row(start), step));
            slices.all(|df| sender.send(df).is_ok())
        });
        let sizing = BatchSizing::for_batches(rows, &schema);
        let query = thread::Builder::new()
            .name("floe-query".into())
            .stack_size(STACK)
            .spawn(move || query::run(lf, true, sizing, deliver))?;
        Ok(Self { schema, running: Some(Running { frames, query }), panicked: false })
    }

    /// The schema of the frames, also if there will be none.
    ///
    /// ```
    /// use floe_lazy::*;
    /// use polars_core::prelude::*;
    ///
    /// # let df = DataFrame::new(3, vec![Column::new("n".into(), [1, 2, 3])])?;
    /// let batches = df.lazy().collect_ipc_batches(None)?;
    /// assert!(batches.schema().contains("n"));
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Iterator for IpcBatches {
    type Item = PolarsResult<DataFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(df) = self.running.as_ref().and_then(|running| receive(&running.frames)) {
            return Some(Ok(df));
        }
        if std::mem::take(&mut self.panicked) {
            return Some(Err(
                polars_err!(ComputeError: "the query has panicked; its result is not complete"),
            ));
        }
        // The query has ended: well, or with an error, which is the last item.
        let Running { frames: _, query } = self.running.take()?;
        match query.join() {
            Ok(result) => result.err().map(Err),
            Err(panic) => {
                self.panicked = true;
                resume_unwind(panic)
            },
        }
    }
}

impl std::iter::FusedIterator for IpcBatches {}

impl fmt::Debug for IpcBatches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IpcBatches").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// The next frame. A thread of Polars' pool works for the pool meanwhile, which the query may need.
fn receive(frames: &Receiver<DataFrame>) -> Option<DataFrame> {
    if THREAD_POOL.current_thread_index().is_none() {
        return frames.recv().ok();
    }
    loop {
        match frames.try_recv() {
            Ok(df) => return Some(df),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {
                if THREAD_POOL.yield_now() != Some(rayon::Yield::Executed) {
                    thread::yield_now();
                }
            },
        }
    }
}
