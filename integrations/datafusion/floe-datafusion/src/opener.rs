//! Reading one file or stream, or the part of a file that is one partition's.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::{FileRange, PartitionedFile};
use datafusion::datasource::physical_plan::{FileOpenFuture, FileOpener};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use floe::{IpcIndex, StreamDecoder};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::path::Path;
use polars_core::prelude::DataFrame;

use crate::batches::Wanted;
use crate::error::{at, failed};
use crate::fetch::Object;
use crate::open::{Indexes, Opened, decoder};
use crate::options::FloeOptions;
use crate::pruning::candidates;

/// Rows up to which small batches are read together.
const GROUP_ROWS: usize = 1 << 16;
/// Bytes up to which small batches are read together.
const GROUP_BYTES: u64 = 8 << 20;
/// Groups that are on their way at a time.
const AHEAD: usize = 2;
/// Bytes of a stream that are handed to the decoder at once, at least.
const PIECE_BYTES: usize = 1 << 20;

/// The counters of a scan.
#[derive(Clone)]
pub(crate) struct Metrics {
    batches: Count,
    pruned: Count,
    bytes: Count,
}

impl Metrics {
    pub(crate) fn new(set: &ExecutionPlanMetricsSet, partition: usize) -> Self {
        let count = |name: &'static str| MetricBuilder::new(set).counter(name, partition);
        Self {
            batches: count("batches_read"),
            pruned: count("batches_pruned"),
            bytes: count("bytes_scanned"),
        }
    }
}

pub(crate) struct FloeOpener {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) options: FloeOptions,
    pub(crate) indexes: Arc<Indexes>,
    /// The table's columns that are wanted of the file.
    pub(crate) wanted: SchemaRef,
    /// All columns of the table, which the predicate is about.
    pub(crate) table: SchemaRef,
    pub(crate) predicate: Option<Arc<dyn PhysicalExpr>>,
    /// Rows that are enough.
    pub(crate) limit: Option<usize>,
    pub(crate) metrics: Metrics,
}

impl FileOpener for FloeOpener {
    fn open(&self, file: PartitionedFile) -> Result<FileOpenFuture> {
        let object = Object { store: Arc::clone(&self.store), meta: file.object_meta.clone() };
        let (options, indexes) = (self.options.clone(), Arc::clone(&self.indexes));
        let (wanted, table) = (Arc::clone(&self.wanted), Arc::clone(&self.table));
        let (predicate, limit, metrics) = (self.predicate.clone(), self.limit, self.metrics.clone());
        Ok(Box::pin(async move {
            match indexes.open(&object, &options).await? {
                Opened::File(index, e_tag) => {
                    let object = object.tagged(e_tag);
                    let kept = in_range(&index, file.range.as_ref());
                    let may = candidates(&index, predicate.as_ref(), &table);
                    let (batches, pruned): (Vec<usize>, Vec<usize>) =
                        kept.partition(|batch| may.get(*batch).copied().unwrap_or(true));
                    metrics.pruned.add(pruned.len());
                    let names: Vec<String> = index.column_names().map(|name| name.to_string()).collect();
                    let wanted = Wanted::new(wanted, names.iter().map(String::as_str));
                    let groups = groups(&index, batches, limit);
                    Ok(FileRead { object, index, wanted, gap: options.gap_bytes, metrics }.stream(groups))
                },
                // A stream has no index: the partition that has its start reads all of it.
                Opened::Stream if file.range.as_ref().is_some_and(|range| range.start > 0) => {
                    Ok(stream::empty().boxed())
                },
                Opened::Stream => read_stream(object, &options, wanted, limit, metrics).await,
            }
        }))
    }
}

/// The batches that belong to a range of the file's bytes. Ranges that do not overlap have no batch in common.
fn in_range(index: &IpcIndex, range: Option<&FileRange>) -> std::vec::IntoIter<usize> {
    let mut start = 0u64;
    let mut kept = Vec::new();
    for batch in 0..index.num_record_batches() {
        let bytes = index.batch_size(batch).map_or(0, |(_, bytes)| bytes);
        let is_in =
            |range: &FileRange| i64::try_from(start).is_ok_and(|at| (range.start..range.end).contains(&at));
        if range.is_none_or(is_in) {
            kept.push(batch);
        }
        // The sum of all batches is less than the file.
        start = start.saturating_add(bytes);
    }
    kept.into_iter()
}

/// Neighbouring batches that are read together, until there are enough rows.
fn groups(index: &IpcIndex, batches: Vec<usize>, limit: Option<usize>) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let (mut group_rows, mut group_bytes, mut all_rows) = (0usize, 0u64, 0usize);
    for batch in batches {
        if limit.is_some_and(|limit| all_rows >= limit) {
            break;
        }
        let (rows, bytes) = index.batch_size(batch).unwrap_or_default();
        all_rows = all_rows.saturating_add(rows);
        (group_rows, group_bytes) = (group_rows.saturating_add(rows), group_bytes.saturating_add(bytes));
        match groups.last_mut() {
            Some(group) if group.end == batch && group_rows <= GROUP_ROWS && group_bytes <= GROUP_BYTES => {
                group.end = batch + 1;
            },
            _ => {
                groups.push(batch..batch + 1);
                (group_rows, group_bytes) = (rows, bytes);
            },
        }
    }
    groups
}

/// The read of a file by its index.
struct FileRead {
    object: Object,
    index: IpcIndex,
    wanted: Wanted,
    gap: u64,
    metrics: Metrics,
}

impl FileRead {
    fn stream(self, groups: Vec<Range<usize>>) -> BoxStream<'static, Result<RecordBatch>> {
        let columns = self.wanted.positions();
        // Dictionaries are read once: with the first group, before the others ask what they need.
        let first = if self.index.has_dictionaries(&columns) { groups.len().min(1) } else { 0 };
        let (reader, tail) = (Arc::new(self), groups.get(first..).unwrap_or_default().to_vec());
        let head = groups.into_iter().take(first);
        let read = move |group: Range<usize>| {
            let reader = Arc::clone(&reader);
            async move { reader.read(group).await }
        };
        stream::iter(head).then(read.clone()).chain(stream::iter(tail).map(read).buffered(AHEAD)).boxed()
    }

    async fn read(&self, batches: Range<usize>) -> Result<RecordBatch> {
        let location = &self.object.meta.location;
        self.metrics.batches.add(batches.len());
        let plan = self.index.plan(batches, &self.wanted.positions()).map_err(|e| at(location, e))?;
        let mut plan = plan.with_parallel(false);
        loop {
            let needed = plan.needed();
            if needed.is_empty() {
                break;
            }
            let parts = self.object.fetch(&needed, self.gap).await?;
            for range in needed {
                let bytes = parts.get(&range)?;
                self.metrics.bytes.add(bytes.len());
                plan.give(range, bytes).map_err(|e| at(location, e))?;
            }
        }
        let frame = plan.decode().map_err(|e| at(location, e))?;
        self.wanted.batch(&frame).map_err(|error| error.context(location.to_string()))
    }
}

/// The batches of a stream, as they come.
async fn read_stream(
    object: Object,
    options: &FloeOptions,
    wanted: SchemaRef,
    limit: Option<usize>,
    metrics: Metrics,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let location = object.meta.location.clone();
    let mut bytes = object.stream().await?;
    // Which of the wanted columns there are has to be known before the first batch is decoded.
    let (mut head, mut probe) = (Vec::new(), decoder(options).with_n_rows(0));
    let (schema, has_ended) = loop {
        let (piece, has_ended) = piece(&mut bytes).await?;
        head.extend_from_slice(&piece);
        probe.push(piece).map_err(|e| at(&location, e))?;
        match probe.schema().map_err(|e| at(&location, e))? {
            Some(schema) => break (schema, has_ended),
            None if has_ended => {
                probe.finish().map_err(|e| at(&location, e))?;
                return Err(failed(format!("{location} is cut off: it has no schema message")));
            },
            None => {},
        }
    };
    let columns = Wanted::new(Arc::clone(&wanted), schema.iter_names().map(|name| name.as_str())).positions();
    let decoder = decoder(options).with_n_rows(limit).with_projection(Some(columns));
    let read = StreamRead { location, decoder, wanted, metrics };
    let state = (Some((read, Some((head, has_ended)))), bytes, limit);
    let batches = stream::try_unfold(state, |(read, mut bytes, left)| async move {
        let Some((mut read, head)) = read.filter(|_| left != Some(0)) else {
            return Ok::<_, DataFusionError>(None);
        };
        let (piece, has_ended) = match head {
            Some(head) => head,
            None => piece(&mut bytes).await?,
        };
        let batches = read.push(piece, has_ended)?;
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let left = left.map(|left| left.saturating_sub(rows));
        let read = (!has_ended).then_some((read, None));
        Ok(Some((stream::iter(batches.into_iter().map(Ok)), (read, bytes, left))))
    });
    Ok(batches.try_flatten().boxed())
}

/// The next bytes of a stream, and whether it has ended.
async fn piece(bytes: &mut BoxStream<'static, Result<Bytes>>) -> Result<(Vec<u8>, bool)> {
    let mut piece = Vec::new();
    while piece.len() < PIECE_BYTES {
        match bytes.try_next().await? {
            Some(more) => piece.extend_from_slice(&more),
            None => return Ok((piece, true)),
        }
    }
    Ok((piece, false))
}

struct StreamRead {
    location: Path,
    decoder: StreamDecoder,
    wanted: SchemaRef,
    metrics: Metrics,
}

impl StreamRead {
    /// The batches that a piece of the stream completes.
    fn push(&mut self, piece: Vec<u8>, is_last: bool) -> Result<Vec<RecordBatch>> {
        let location = self.location.clone();
        self.metrics.bytes.add(piece.len());
        let mut batches = Vec::new();
        let mut frames = self.decoder.push(piece).map_err(|e| at(&location, e))?;
        loop {
            self.metrics.batches.add(frames.len());
            for frame in &frames {
                batches.push(self.batch(frame)?);
            }
            // Streams may lie one behind another.
            match self.decoder.next_stream().map_err(|e| at(&location, e))? {
                Some(next) => frames = next,
                None => break,
            }
        }
        if is_last {
            self.decoder.finish().map_err(|e| at(&location, e))?;
        }
        Ok(batches)
    }

    fn batch(&self, frame: &DataFrame) -> Result<RecordBatch> {
        let names = frame.get_column_names();
        let wanted = Wanted::new(Arc::clone(&self.wanted), names.iter().map(|name| name.as_str()));
        wanted.batch(frame).map_err(|error| error.context(self.location.to_string()))
    }
}
