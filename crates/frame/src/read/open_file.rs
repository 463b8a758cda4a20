//! A file whose footer has been read: its batches by their numbers.

use std::sync::{Arc, Mutex, PoisonError};

use floe_array::{Body, Dictionaries};
use floe_format::{BatchHeader, Block, IpcLimits, KeyValues, NotUtf8, Place};
use polars_core::prelude::*;
use polars_io::mmap::MmapBytesReader;

use super::assemble::{BatchInput, decode_frame, finish_frame};
use super::dictionaries::Store;
use super::fetch::{Placed, fetch};
use super::flags;
use super::index::{Located, batch_at, dictionary_at, metadata_bytes, read_footer};
use super::ledger::{Account, Ledger};
use super::options::{Projection, ReadOptions};
use super::source::{RangeOf, Source};
use super::types::TypeOptions;
use crate::error::format_error;
use crate::pool;
use crate::schema::ReadSchema;

/// Slots, of which schema, and their dictionaries.
type Known = (Vec<usize>, Arc<ReadSchema>, Arc<Dictionaries>);

/// A file whose footer has been read.
pub(super) struct OpenFile<R> {
    pub(super) source: Source<R>,
    /// As it was asked for last.
    schema: Mutex<Arc<ReadSchema>>,
    dictionaries: Vec<Block>,
    pub(super) batches: Vec<Block>,
    pub(super) metadata: KeyValues,
    pub(super) not_utf8: Vec<NotUtf8>,
    /// The dictionaries read last: `get_batch` after `get_batch` needs the same ones.
    known: Mutex<Option<Known>>,
    ledger: Ledger,
}

impl<R: MmapBytesReader> OpenFile<R> {
    /// Reads the footer.
    pub(super) fn new(source: Source<R>, limits: &IpcLimits) -> PolarsResult<Self> {
        let (footer, _) = read_footer(&source, limits)?;
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
    /// The schema, of columns that become what is said.
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
        let mut store = Store::new(Arc::clone(&schema), &projection.slots).map_err(format_error)?;
        if !projection.slots.is_empty() {
            for (i, block) in file.dictionaries.iter().enumerate() {
                let dictionary = dictionary_at(&file.source, *block, i, &options.limits)?;
                let id = dictionary.header.id;
                if !store.wants(id) {
                    continue;
                }
                if store.knows(id) && !dictionary.header.is_delta {
                    polars_bail!(ComputeError: "dictionary batch {i}: dictionary {id} is replaced, which files must not do");
                }
                let body = RangeOf { source: &file.source, start: dictionary.body };
                let decode = options.decode_options(&schema, dictionary.version);
                store
                    .apply(
                        &dictionary.header,
                        &body,
                        &decode,
                        &account.budget,
                        pool::executor(options.parallel),
                    )
                    .map_err(|e| format_error(e.at(Place::DictionaryBatch(i))))?;
            }
        }
        let dictionaries = store.snapshot();
        let known = (projection.slots.clone(), Arc::clone(&schema), Arc::clone(&dictionaries));
        *file.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
        Ok(Self { schema, projection, dictionaries, account, file })
    }

    /// Takes note of what the batch has taken.
    pub(super) fn close(&self) {
        self.file.ledger.close(&self.account);
    }

    pub(super) fn locate(&self, index: usize, options: &ReadOptions) -> PolarsResult<Located<BatchHeader>> {
        let batch = batch_at(&self.file.source, self.file.batches[index], index, &options.limits)?;
        self.account.budget.charge(metadata_bytes(&batch.metadata, &batch.not_utf8)).map_err(format_error)?;
        Ok(batch)
    }

    pub(super) fn decode(
        &self,
        batches: &[(usize, Located<BatchHeader>)],
        options: &ReadOptions,
        before: usize,
    ) -> PolarsResult<DataFrame> {
        let file = &*self.file;
        let executor = pool::executor(options.parallel);
        let placed = batches.iter().map(|(index, batch)| Placed {
            index: *index,
            header: &batch.header,
            version: batch.version,
            body: batch.body,
        });
        let placed: Vec<Placed<'_>> = placed.collect();
        let fetched = fetch(&file.source, &self.schema, &self.projection, options, &placed, executor)?;
        let ranges: Vec<RangeOf<'_, R>> =
            batches.iter().map(|(_, batch)| RangeOf { source: &file.source, start: batch.body }).collect();
        let bodies: Vec<&dyn Body> = match &fetched {
            Some(fetched) => fetched.iter().map(|body| body as &dyn Body).collect(),
            None => ranges.iter().map(|body| body as &dyn Body).collect(),
        };
        let inputs = batches.iter().zip(bodies).map(|((index, batch), body)| BatchInput {
            header: &batch.header,
            body,
            dictionaries: Arc::clone(&self.dictionaries),
            index: *index,
            options: options.decode_options(&self.schema, batch.version),
        });
        let inputs: Vec<BatchInput<'_>> = inputs.collect();
        let mut df =
            decode_frame(&self.schema, &self.projection, options, &inputs, &self.account.budget, executor)?;
        flags::restore(&mut df, &self.projection, batches.iter().map(|(_, batch)| &batch.metadata))?;
        finish_frame(df, options, before)
    }
}
