//! Reading columns of batches, several requests at a time, in order.

use std::collections::BTreeMap;
use std::ops::{Bound, Range, RangeBounds};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use floe_frame::{ReadPlan, join_ranges};
use futures_core::Stream;
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use polars_core::prelude::*;
use tokio::sync::Semaphore;

use crate::columns::ObjectColumns;
use crate::error::placed;
use crate::groups::{Piece, bounded, groups};
use crate::object::IpcObject;
use crate::offload::offload;

/// A read of an [`IpcObject`]: which columns, batches and rows, and how many requests at a time. See [`IpcObject::read`].
#[derive(Debug, Clone)]
#[must_use]
pub struct IpcObjectRead {
    object: IpcObject,
    columns: ObjectColumns,
    batches: (Bound<usize>, Bound<usize>),
    rows: (Bound<usize>, Bound<usize>),
    concurrency: usize,
}

/// Requests at a time, unless told otherwise.
const CONCURRENCY: usize = 8;

impl IpcObjectRead {
    pub(crate) fn new(object: IpcObject) -> Self {
        let all = (Bound::Unbounded, Bound::Unbounded);
        Self { object, columns: ObjectColumns::default(), batches: all, rows: all, concurrency: CONCURRENCY }
    }

    /// These columns only, in this order: names or positions. No columns at all are frames that have their height, for which
    /// nothing is read.
    ///
    /// ```
    /// # use floe_object_store::IpcObject;
    /// # fn read(object: &IpcObject) {
    /// let by_name = object.read().columns(["delay", "day"]);
    /// let by_position = object.read().columns([3, 0]);
    /// # let _ = (by_name, by_position);
    /// # }
    /// ```
    pub fn columns(mut self, columns: impl Into<ObjectColumns>) -> Self {
        self.columns = columns.into();
        self
    }

    /// These batches only.
    ///
    /// ```
    /// # use floe_object_store::IpcObject;
    /// # fn read(object: &IpcObject) {
    /// let read = object.read().batches(4..8);
    /// # let _ = read;
    /// # }
    /// ```
    pub fn batches(mut self, batches: impl RangeBounds<usize>) -> Self {
        self.batches = (batches.start_bound().cloned(), batches.end_bound().cloned());
        self
    }

    /// These rows only, counted over all batches of the object. With [`batches`](Self::batches) those of them that are in
    /// these batches.
    ///
    /// ```
    /// # use floe_object_store::IpcObject;
    /// # fn read(object: &IpcObject) {
    /// let read = object.read().rows(1_000..2_000);
    /// # let _ = read;
    /// # }
    /// ```
    pub fn rows(mut self, rows: impl RangeBounds<usize>) -> Self {
        self.rows = (rows.start_bound().cloned(), rows.end_bound().cloned());
        self
    }

    /// Requests at a time, and batches (or groups of small ones) on their way. Defaults to 8; 0 counts as 1. Memory is
    /// bounded by the columns of this many batches.
    ///
    /// ```
    /// # use floe_object_store::IpcObject;
    /// # fn read(object: &IpcObject) {
    /// let read = object.read().concurrency(32);
    /// # let _ = read;
    /// # }
    /// ```
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests.clamp(1, Semaphore::MAX_PERMITS);
        self
    }

    /// The frames, one for each batch, in order. Nothing is asked for before the stream is polled.
    ///
    /// # Errors
    /// The stream yields an error when a column, batch or row is not there, a request fails, the object has been replaced,
    /// or a batch is not valid. It ends then.
    pub fn stream(self) -> IpcObjectStream {
        let Self { object, columns, batches, rows, concurrency } = self;
        let index = &object.index;
        let started = columns.positions(index).and_then(|columns| {
            // A missing column or batch is an error before anything is read.
            index.schema(Some(&columns))?;
            let batches = bounded(&batches, index.num_record_batches(), "record batches")?;
            let rows = bounded(&rows, index.num_rows(), "rows")?;
            Ok((groups(index, batches, rows), columns))
        });
        let (groups, columns) = match started {
            Ok(started) => started,
            Err(error) => {
                let error = placed(&object.remote.meta.location, error);
                return IpcObjectStream::new(stream::iter([Err(error)]));
            },
        };
        // Dictionaries are read once: with the first group, before the others ask what they need.
        let first = if index.has_dictionaries(&columns) { groups.len().min(1) } else { 0 };
        let reader = Arc::new(Reader { object, columns, requests: Semaphore::new(concurrency) });
        let (head, tail): (Vec<_>, Vec<_>) = groups.into_iter().enumerate().partition(|(i, _)| *i < first);
        let read = move |(_, group): (usize, Vec<Piece>)| {
            let reader = Arc::clone(&reader);
            async move { reader.read(group).await }
        };
        let head = stream::iter(head).then(read.clone());
        let tail = stream::iter(tail).map(read).buffered(concurrency);
        let frames = head.chain(tail).map_ok(|frames| stream::iter(frames.into_iter().map(Ok)));
        IpcObjectStream::new(frames.try_flatten())
    }

    /// All frames, as one.
    ///
    /// ```
    /// # use floe_object_store::IpcObject;
    /// # use polars_core::prelude::*;
    /// # async fn read(object: &IpcObject) -> PolarsResult<()> {
    /// let df = object.read().columns(["day"]).collect().await?;
    /// assert_eq!(df.height(), object.num_rows());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`stream`](Self::stream).
    pub async fn collect(self) -> PolarsResult<DataFrame> {
        let (object, columns) = (self.object.clone(), self.columns.clone());
        let mut frames = self.stream();
        let Some(first) = frames.next().await else {
            return object.index.read_rows(0..0, &columns.positions(&object.index)?, false);
        };
        let mut all = first?;
        while let Some(frame) = frames.next().await {
            all.vstack_mut_owned(frame?)?;
        }
        Ok(all)
    }
}

/// The state that the reads of all groups share.
#[derive(Debug)]
struct Reader {
    object: IpcObject,
    columns: Vec<usize>,
    requests: Semaphore,
}

impl Reader {
    /// Reads and decodes the batches of a group.
    async fn read(&self, group: Vec<Piece>) -> PolarsResult<Vec<DataFrame>> {
        let path = &self.object.remote.meta.location;
        let mut plans = Vec::with_capacity(group.len());
        for piece in &group {
            let plan = self.object.index.plan(piece.batch..piece.batch + 1, &self.columns);
            let plan = plan.map_err(|e| placed(path, e))?;
            plans.push(plan.with_rows(piece.rows.start, piece.rows.len()));
        }
        loop {
            let needed: Vec<Range<u64>> = plans.iter().flat_map(ReadPlan::needed).collect();
            if needed.is_empty() {
                break;
            }
            let parts = self.fetch(&needed).await?;
            for plan in &mut plans {
                for range in plan.needed() {
                    let bytes = part(&parts, &range)?;
                    plan.give(range, bytes).map_err(|e| placed(path, e))?;
                }
            }
        }
        let decode =
            move || plans.into_iter().map(ReadPlan::decode).collect::<PolarsResult<Vec<DataFrame>>>();
        offload(decode).await?.map_err(|e| placed(path, e))
    }

    /// Ranges, near ones together, by where they start.
    async fn fetch(&self, needed: &[Range<u64>]) -> PolarsResult<BTreeMap<u64, Bytes>> {
        let get = |range: Range<u64>| async move {
            let permit = self.requests.acquire().await;
            let _permit = permit.map_err(|_| polars_err!(ComputeError: "the read has ended"))?;
            let start = range.start;
            Ok::<_, PolarsError>((start, self.object.remote.get(range).await?))
        };
        let joined = join_ranges(needed, self.object.gap_bytes);
        Ok(try_join_all(joined.into_iter().map(get)).await?.into_iter().collect())
    }
}

/// A range of what has been fetched, which holds it as a whole.
fn part(parts: &BTreeMap<u64, Bytes>, range: &Range<u64>) -> PolarsResult<Bytes> {
    let found = parts.range(..=range.start).next_back();
    let slice = found.and_then(|(start, bytes)| {
        let at = |position: u64| usize::try_from(position - start).ok();
        let (from, to) = (at(range.start)?, at(range.end)?);
        (to <= bytes.len()).then(|| bytes.slice(from..to))
    });
    slice.ok_or_else(
        || polars_err!(ComputeError: "bytes {} to {} have not been fetched", range.start, range.end),
    )
}

/// Frames of an object, as they come. Made by [`IpcObjectRead::stream`].
///
/// Dropped, it ends the requests that are on their way.
///
/// ```
/// # use floe_object_store::{IpcObject, IpcObjectStream};
/// # use futures_util::TryStreamExt;
/// # use polars_core::prelude::*;
/// # async fn read(object: &IpcObject) -> PolarsResult<()> {
/// let mut frames: IpcObjectStream = object.read().stream();
/// let first = frames.try_next().await?;
/// # let _ = first;
/// # Ok(())
/// # }
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct IpcObjectStream {
    /// None after an error, and at the end.
    frames: Option<Pin<Box<dyn Stream<Item = PolarsResult<DataFrame>> + Send>>>,
}

impl IpcObjectStream {
    fn new(frames: impl Stream<Item = PolarsResult<DataFrame>> + Send + 'static) -> Self {
        Self { frames: Some(Box::pin(frames)) }
    }
}

impl Stream for IpcObjectStream {
    type Item = PolarsResult<DataFrame>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(frames) = &mut self.frames else { return Poll::Ready(None) };
        let next = std::task::ready!(frames.as_mut().poll_next(cx));
        if !matches!(next, Some(Ok(_))) {
            self.frames = None;
        }
        Poll::Ready(next)
    }
}

impl std::fmt::Debug for IpcObjectStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpcObjectStream").field("has_ended", &self.frames.is_none()).finish()
    }
}
