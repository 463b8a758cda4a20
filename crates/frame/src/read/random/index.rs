//! The contents of an index, and reading by it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use floe_format::{BatchHeader, Block, IpcLimits, KeyValues, Version};
use polars_core::prelude::*;

use super::dictionary_index::{DictionaryIndex, DictionaryRead};
use super::found::{BatchEntry, Found, IpcKind, SchemaRun, StreamPlace};
use super::head_cache::HeadCache;
use super::options::Profile;
use super::origin::{Counted, Origin};
use crate::error::format_error;
use crate::pool;
use crate::read::assemble::{check_rows, decode_frame};
use crate::read::flags;
use crate::read::heads::{batch_at, body_start};
use crate::read::ledger::Ledger;
use crate::read::options::{Projection, ReadOptions};
use crate::read::pending::{BatchBody, BatchHead, PendingBatch};
use crate::read::ranged::{RangedSource, ReadCost};
use crate::schema::ReadSchema;
use crate::statistics::BatchStatistics;

/// An Arrow IPC file or stream, indexed by its headers: any batch and any column can be read, from
/// any thread, without reading the rest.
///
/// ```
/// use floe_frame::{IpcIndex, IpcLimits, IpcStreamWriter};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), [3, 4, 5])])?;
/// let mut bytes = Vec::new();
/// IpcStreamWriter::new(&mut bytes).with_record_batch_size(Some(1)).finish(&mut df)?;
///
/// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
/// assert_eq!((index.num_rows(), index.num_record_batches()), (3, 3));
/// let b = index.column_indices(&["b"])?;
/// assert_eq!(index.read(1..3, &b, true)?, df.select(["b"])?.slice(1, 2));
/// # PolarsResult::Ok(())
/// ```
///
/// A clone shares all that the index knows.
#[derive(Clone)]
pub struct IpcIndex(pub(super) Arc<Index>);

/// An index of a file or of streams, shared by those that read by it.
pub(super) struct Index {
    pub(super) origin: Origin,
    pub(super) kind: IpcKind,
    pub(super) schema: Arc<ReadSchema>,
    /// The streams that lie one behind another: one for a file.
    streams: Vec<StreamPlace>,
    pub(super) batches: Vec<BatchEntry>,
    /// Rows up to the end of each batch.
    pub(super) row_ends: Vec<usize>,
    pub(super) dictionaries: DictionaryIndex,
    pub(super) limits: IpcLimits,
    pub(super) has_statistics: bool,
    layout: Option<Vec<Arc<BatchHeader>>>,
    pub(super) trusted: Option<Vec<Option<BatchStatistics>>>,
    pub(super) profile: Profile,
    pub(super) heads: HeadCache,
    /// Bytes of the source.
    pub(super) len: u64,
    pub(super) bytes_read: AtomicU64,
    ledger: Ledger,
}

impl Index {
    pub(super) fn new(
        origin: Origin,
        kind: IpcKind,
        found: Found,
        limits: IpcLimits,
        profile: Profile,
        heads: HeadCache,
        len: u64,
    ) -> PolarsResult<Self> {
        let Found {
            streams,
            batches,
            dictionaries,
            dictionary_ids,
            has_statistics,
            layout,
            trusted,
            types: _,
        } = found;
        let Some(first) = streams.first() else {
            polars_bail!(ComputeError: "the Arrow IPC stream is empty: it has no schema message");
        };
        let mut rows = 0usize;
        let row_ends: Vec<usize> = batches
            .iter()
            .map(|batch| {
                rows = rows.saturating_add(batch.rows);
                rows
            })
            .collect();
        check_rows(rows)?;
        Ok(Self {
            origin,
            kind,
            schema: Arc::clone(&first.schema),
            streams,
            batches,
            row_ends,
            dictionaries: DictionaryIndex::new(kind, limits, dictionaries, dictionary_ids),
            limits,
            has_statistics,
            layout,
            trusted,
            profile,
            heads,
            len,
            bytes_read: AtomicU64::new(0),
            ledger: Ledger::default(),
        })
    }

    /// Opens the source, and adds the bytes that `read` reads to the sum.
    pub(super) fn reading<T>(
        &self,
        read: impl FnOnce(&Counted) -> PolarsResult<T>,
    ) -> PolarsResult<(T, u64)> {
        let source = self.origin.open()?;
        let result = read(&source);
        self.bytes_read.fetch_add(source.bytes(), Ordering::Relaxed);
        Ok((result?, source.bytes()))
    }

    /// The entries of a range of batches.
    pub(super) fn entries(&self, batches: &Range<usize>) -> PolarsResult<&[BatchEntry]> {
        self.batches.get(batches.clone()).ok_or_else(|| {
            let n = self.batches.len();
            polars_err!(OutOfBounds: "record batches {batches:?} are out of range: there are {n}")
        })
    }

    /// Reads some columns of batches out of a source where each read is cheap.
    pub(super) fn read(
        &self,
        source: &dyn RangedSource,
        batches: Range<usize>,
        columns: &[usize],
        parallel: bool,
    ) -> PolarsResult<DataFrame> {
        let mut all: Option<DataFrame> = None;
        for run in self.by_schema(batches)? {
            let df = self.read_run(source, run, columns, parallel)?;
            match &mut all {
                None => all = Some(df),
                Some(all) => {
                    all.vstack_mut_owned(df)?;
                },
            }
        }
        // There is a run for any range, so there is a frame.
        Ok(all.unwrap_or_default())
    }

    /// Reads batches that have one schema.
    fn read_run(
        &self,
        source: &dyn RangedSource,
        run: SchemaRun,
        columns: &[usize],
        parallel: bool,
    ) -> PolarsResult<DataFrame> {
        let SchemaRun { schema, batches } = run;
        let entries = self.entries(&batches)?;
        let mut options = self.options(columns, parallel);
        let projection = Projection::new(&schema, &options)?;
        let account = self.ledger.open(&self.limits, self.len, batches.clone()).map_err(format_error)?;
        let budget = &account.budget;
        let heads = entries.iter().zip(batches.clone()).map(|(entry, i)| self.known_head(source, entry, i));
        let heads = heads.collect::<PolarsResult<Vec<_>>>()?;
        for head in &heads {
            budget.charge(head.metadata_bytes()).map_err(format_error)?;
        }
        // Contiguous columns, unless that would copy buffers that can be views.
        options.rechunk = source.read_cost() != ReadCost::Memory
            || heads.iter().any(|head| head.header.compression.is_some());
        let mut pending = Vec::with_capacity(entries.len());
        for ((head, entry), index) in heads.into_iter().zip(entries).zip(batches) {
            let messages = self.stream_of(index)?.first_dictionary..entry.dictionaries;
            let read = DictionaryRead { schema: &schema, projection: &projection, options: &options, budget };
            let dictionaries = self.dictionaries.read(source, messages, &read)?;
            let body = BatchBody::InSource { source, start: body_start(entry.block) };
            pending.push(PendingBatch { index, head, body, dictionaries });
        }
        let executor = pool::executor(parallel);
        let mut df = decode_frame(&schema, &projection, &options, &pending, budget, executor)?;
        self.ledger.close(&account);
        flags::restore(&mut df, &projection, pending.iter().map(|batch| &batch.head.metadata))?;
        Ok(df)
    }

    /// The options of a read of some columns.
    pub(super) fn options(&self, columns: &[usize], parallel: bool) -> ReadOptions {
        ReadOptions {
            projection: Some(columns.to_vec()),
            limits: self.limits,
            parallel,
            ..ReadOptions::default()
        }
    }

    /// The stream that a batch is in.
    pub(super) fn stream_of(&self, batch: usize) -> PolarsResult<&StreamPlace> {
        let behind = self.streams.partition_point(|stream| stream.first_batch <= batch);
        let stream = behind.checked_sub(1).and_then(|at| self.streams.get(at));
        stream.ok_or_else(|| polars_err!(OutOfBounds: "record batch {batch} is in no stream"))
    }

    /// Batches in runs of those that have one schema: a single one, but for sources that hold several
    /// streams of different writers.
    pub(super) fn by_schema(&self, batches: Range<usize>) -> PolarsResult<Vec<SchemaRun>> {
        let mut schema = Arc::clone(&self.stream_of(batches.start)?.schema);
        let mut out = Vec::new();
        let mut start = batches.start;
        let later = self.streams.partition_point(|stream| stream.first_batch <= start);
        // `partition_point` is at most the length.
        for stream in self.streams.get(later..).unwrap_or_default() {
            if stream.first_batch >= batches.end {
                break;
            }
            if !Arc::ptr_eq(&stream.schema, &schema) {
                if start < stream.first_batch {
                    out.push(SchemaRun { schema, batches: start..stream.first_batch });
                }
                (schema, start) = (Arc::clone(&stream.schema), stream.first_batch);
            }
        }
        out.push(SchemaRun { schema, batches: start..batches.end });
        Ok(out)
    }

    /// The head of a batch, which must be as it was when it was indexed.
    pub(super) fn head(
        &self,
        source: &dyn RangedSource,
        entry: &BatchEntry,
        index: usize,
    ) -> PolarsResult<BatchHead> {
        let head = batch_at(source, entry.block, index, &self.limits)?;
        let rows = head.header.rows;
        polars_ensure!(
            rows == entry.rows,
            ComputeError: "record batch {index} has {rows} rows, and had {} when it was indexed", entry.rows
        );
        Ok(head)
    }

    /// A batch's head by the footer.
    fn head_of_footer(&self, index: usize) -> Option<BatchHead> {
        let header = self.layout.as_ref()?.get(index)?;
        let (header, metadata, not_utf8) = (BatchHeader::clone(header), KeyValues::new(), Vec::new());
        Some(BatchHead { header, version: Version::V5, metadata, not_utf8 })
    }

    /// As [`head`](Self::head), but that it need not be read where the footer has it.
    pub(super) fn known_head(
        &self,
        source: &dyn RangedSource,
        entry: &BatchEntry,
        index: usize,
    ) -> PolarsResult<BatchHead> {
        match self.head_of_footer(index) {
            Some(head) => Ok(head),
            None => self.head(source, entry, index),
        }
    }

    /// The blocks of batches whose heads have to be read.
    pub(super) fn blocks_to_read(&self, batches: &Range<usize>) -> Vec<Block> {
        if self.layout.is_some() { Vec::new() } else { self.blocks(batches) }
    }

    /// The blocks of batches.
    pub(super) fn blocks(&self, batches: &Range<usize>) -> Vec<Block> {
        // `entries` has checked the range.
        let entries = self.batches.get(batches.clone()).unwrap_or_default();
        entries.iter().map(|entry| entry.block).collect()
    }

    /// An error with the path that it is about.
    pub(super) fn place(&self, error: PolarsError) -> PolarsError {
        match self.origin.as_path() {
            Some(path) => error.wrap_msg(|msg| format!("{}: {msg}", path.display())),
            None => error,
        }
    }
}
