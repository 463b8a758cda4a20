//! A file whose footer has been read: its batches by their numbers.

use std::sync::{Arc, Mutex, PoisonError};

use floe_array::Dictionaries;
use floe_format::{Block, IpcLimits, KeyValues, NotUtf8, Place};
use polars_core::prelude::*;
use polars_io::mmap::MmapBytesReader;

use super::assemble::decode_frame;
use super::dictionary_store::Store;
use super::fetch::fetch;
use super::flags;
use super::footer::read_footer;
use super::frame::finish_frame;
use super::heads::{batch_at, body_start, dictionary_at};
use super::ledger::{Account, Ledger};
use super::options::{Projection, ReadOptions};
use super::pending::{BatchBody, PendingBatch};
use super::ranged::{RangedSource, ReaderSource, SourceBody};
use super::types::TypeOptions;
use crate::cumulative;
use crate::error::format_error;
use crate::pool;
use crate::schema::ReadSchema;

/// Slots, of which schema, and their dictionaries.
type KeptDictionaries = (Vec<usize>, Arc<ReadSchema>, Arc<Dictionaries>);

/// A file whose footer has been read.
pub(super) struct OpenFile<R> {
    pub(super) source: ReaderSource<R>,
    /// As it was asked for last.
    schema: Mutex<Arc<ReadSchema>>,
    dictionaries: Vec<Block>,
    pub(super) batches: Vec<Block>,
    pub(super) metadata: KeyValues,
    pub(super) not_utf8: Vec<NotUtf8>,
    /// The dictionaries read last: `get_batch` after `get_batch` needs the same ones.
    known: Mutex<Option<KeptDictionaries>>,
    ledger: Ledger,
}

impl<R: MmapBytesReader> OpenFile<R> {
    /// Reads the footer.
    pub(super) fn new(source: ReaderSource<R>, limits: &IpcLimits) -> PolarsResult<Self> {
        let footer = read_footer(&source, limits)?;
        Ok(Self {
            source,
            schema: Mutex::new(Arc::new(ReadSchema::new(footer.schema, &TypeOptions::default()))),
            dictionaries: footer.dictionaries,
            batches: footer.batches,
            metadata: footer.metadata,
            not_utf8: footer.not_utf8,
            known: Mutex::new(None),
            ledger: Ledger::default(),
        })
    }
}

impl<R> OpenFile<R> {
    /// The schema, with the given choice of column types.
    pub(super) fn schema(&self, types: &TypeOptions) -> Arc<ReadSchema> {
        let mut schema = self.schema.lock().unwrap_or_else(PoisonError::into_inner);
        if schema.types != *types {
            *schema = Arc::new(schema.with_types(types));
        }
        Arc::clone(&schema)
    }

    /// # Errors
    /// When the number is none of a batch: which ones there are.
    pub(super) fn check_index(&self, index: usize) -> PolarsResult<()> {
        let n = self.batches.len();
        if index >= n {
            polars_bail!(OutOfBounds: "record batch {index} is out of range: the file has {n} record batches, 0 to {}", n.saturating_sub(1));
        }
        Ok(())
    }
}

impl<R: MmapBytesReader> OpenFile<R> {
    /// The dictionaries that some columns need.
    fn read_dictionaries(
        &self,
        schema: &Arc<ReadSchema>,
        projection: &Projection,
        options: &ReadOptions,
        account: &Account,
    ) -> PolarsResult<Arc<Dictionaries>> {
        let mut store = Store::new(Arc::clone(schema), &projection.slots).map_err(format_error)?;
        let wanted = if projection.slots.is_empty() { &[][..] } else { &self.dictionaries };
        for (i, block) in wanted.iter().enumerate() {
            let (header, version) = dictionary_at(&self.source, *block, i, &options.limits)?;
            let id = header.id;
            if !store.wants(id) {
                continue;
            }
            if store.knows(id) && !header.is_delta {
                polars_bail!(ComputeError: "dictionary batch {i}: dictionary {id} is replaced, which files must not do");
            }
            let body = SourceBody { source: &self.source, start: body_start(*block) };
            let decode = options.decode_options(schema, version);
            store
                .apply(&header, &body, &decode, &account.budget, pool::executor(options.parallel))
                .map_err(|e| format_error(e.at(Place::DictionaryBatch(i))))?;
        }
        Ok(store.snapshot())
    }
}

impl<R: MmapBytesReader> OpenFile<R> {
    /// The rows of all batches: as the footer says, if the heads of the first, the middle and the last one agree.
    pub(super) fn num_rows(&self, limits: &IpcLimits) -> PolarsResult<usize> {
        let rows = |i: usize, block: Block| Ok(batch_at(&self.source, block, i, limits)?.header.rows);
        if let Some(all) = self.rows_of_footer(&rows)? {
            return Ok(all);
        }
        let mut blocks = self.batches.iter().enumerate();
        blocks.try_fold(0usize, |sum, (i, block)| Ok(sum.saturating_add(rows(i, *block)?)))
    }

    fn rows_of_footer(
        &self,
        rows: &impl Fn(usize, Block) -> PolarsResult<usize>,
    ) -> PolarsResult<Option<usize>> {
        let count = self.batches.len();
        // Without an index there are no ends, and all headers are read.
        let ends = cumulative::find(&self.metadata, count).unwrap_or_default();
        let Some(all) = ends.last().and_then(|all| usize::try_from(*all).ok()) else { return Ok(None) };
        let mut sampled = vec![0, count / 2, count - 1];
        sampled.dedup();
        for i in sampled {
            // The first batch begins at row 0.
            let start = i.checked_sub(1).map_or(0, |before| ends[before]);
            if ends[i] - start != rows(i, self.batches[i])? as u64 {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }
}

/// A file, some of its columns, and the dictionaries that those need.
pub(super) struct FileView<R> {
    pub(super) file: Arc<OpenFile<R>>,
    schema: Arc<ReadSchema>,
    projection: Projection,
    dictionaries: Arc<Dictionaries>,
    account: Account,
}

impl<R: MmapBytesReader> FileView<R> {
    pub(super) fn new(file: Arc<OpenFile<R>>, options: &ReadOptions) -> PolarsResult<Self> {
        let account =
            Ledger::default().open(&options.limits, file.source.len(), 0..0).map_err(format_error)?;
        Self::with_account(file, options, account)
    }

    /// For one batch, which may be one of many that are alike: see [`Ledger`].
    pub(super) fn of_batch(
        file: Arc<OpenFile<R>>,
        options: &ReadOptions,
        index: usize,
    ) -> PolarsResult<Self> {
        let account =
            file.ledger.open(&options.limits, file.source.len(), index..index + 1).map_err(format_error)?;
        Self::with_account(file, options, account)
    }

    fn with_account(file: Arc<OpenFile<R>>, options: &ReadOptions, account: Account) -> PolarsResult<Self> {
        let schema = file.schema(&options.types);
        let projection = Projection::new(&schema, options)?;
        // Not locked while dictionaries are decoded: the pool may run another read of this file on
        // this very thread meanwhile.
        let known = file.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((slots, of, dictionaries)) = known
            && slots == projection.slots
            && Arc::ptr_eq(&of, &schema)
        {
            return Ok(Self { schema, projection, dictionaries, account, file });
        }
        let dictionaries = file.read_dictionaries(&schema, &projection, options, &account)?;
        let known = (projection.slots.clone(), Arc::clone(&schema), Arc::clone(&dictionaries));
        *file.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(Self { schema, projection, dictionaries, account, file })
    }

    /// Records the bytes that the batch has charged.
    pub(super) fn close(&self) {
        self.file.ledger.close(&self.account);
    }

    /// A batch, whose body has not been read yet.
    pub(super) fn locate(&self, index: usize, options: &ReadOptions) -> PolarsResult<PendingBatch<'_>> {
        let source: &dyn RangedSource = &self.file.source;
        let block = self.file.batches[index];
        let head = batch_at(source, block, index, &options.limits)?;
        self.account.budget.charge(head.metadata_bytes()).map_err(format_error)?;
        let body = BatchBody::InSource { source, start: body_start(block) };
        Ok(PendingBatch { index, head, body, dictionaries: Arc::clone(&self.dictionaries) })
    }

    pub(super) fn decode(
        &self,
        mut batches: Vec<PendingBatch<'_>>,
        options: &ReadOptions,
        before: usize,
    ) -> PolarsResult<DataFrame> {
        let executor = pool::executor(options.parallel);
        let Self { schema, projection, account, .. } = self;
        fetch(&mut batches, schema, projection, options, executor)?;
        let mut df = decode_frame(schema, projection, options, &batches, &account.budget, executor)?;
        flags::restore(&mut df, projection, batches.iter().map(|batch| &batch.head.metadata))?;
        finish_frame(df, options, before)
    }
}
