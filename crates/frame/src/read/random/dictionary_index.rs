//! The dictionaries that a batch needs, wherever in a stream it is.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use floe_array::Dictionaries;
use floe_array::decode::Budget;
use floe_format::{Block, IpcLimits, Place};
use polars_core::prelude::*;

use super::found::{DictionaryId, IpcKind};
use crate::error::format_error;
use crate::pool;
use crate::read::dictionary_store::Store;
use crate::read::heads::{body_start, dictionary_at};
use crate::read::options::{Projection, ReadOptions};
use crate::read::ranged::{RangedSource, SourceBody};
use crate::schema::ReadSchema;

/// The dictionary messages of a source.
pub(super) struct DictionaryIndex {
    kind: IpcKind,
    limits: IpcLimits,
    blocks: Vec<Block>,
    /// The headers of the dictionary batches, once they have been read.
    ids: OnceLock<Vec<DictionaryId>>,
    /// Dictionaries decoded lately.
    known: Mutex<VecDeque<KeptState>>,
}

/// Dictionaries as they were after some messages of one stream, for some slots.
struct KeptState {
    slots: Vec<usize>,
    /// From the first of the stream.
    messages: Range<usize>,
    store: Store,
}

/// Snapshots of dictionaries that are kept. A file needs one for each projection.
const MAX_KEPT_STATES: usize = 8;

/// The inputs of a read of dictionaries, beside the source.
pub(super) struct DictionaryRead<'a> {
    pub(super) schema: &'a Arc<ReadSchema>,
    pub(super) projection: &'a Projection,
    pub(super) options: &'a ReadOptions,
    pub(super) budget: &'a Budget,
}

impl DictionaryIndex {
    /// Of messages in these blocks; `ids` of all of them or of none.
    pub(super) fn new(kind: IpcKind, limits: IpcLimits, blocks: Vec<Block>, ids: Vec<DictionaryId>) -> Self {
        let known = if ids.len() == blocks.len() { OnceLock::from(ids) } else { OnceLock::new() };
        Self { kind, limits, blocks, ids: known, known: Mutex::default() }
    }

    /// The blocks of messages whose heads have not been read yet.
    pub(super) fn blocks_without_ids(&self) -> &[Block] {
        if self.ids.get().is_some() { &[] } else { &self.blocks }
    }

    /// The headers, which are read at the first call.
    fn ids(&self, source: &dyn RangedSource) -> PolarsResult<&[DictionaryId]> {
        if let Some(ids) = self.ids.get() {
            return Ok(ids);
        }
        let id = |(number, block): (usize, &Block)| {
            let (header, _) = dictionary_at(source, *block, number, &self.limits)?;
            Ok(DictionaryId { id: header.id, is_delta: header.is_delta })
        };
        let ids = self.blocks.iter().enumerate().map(id).collect::<PolarsResult<Vec<DictionaryId>>>()?;
        Ok(self.ids.get_or_init(|| ids))
    }

    /// The dictionaries as a batch knows them that has these dictionary messages of its stream before it.
    pub(super) fn read(
        &self,
        source: &dyn RangedSource,
        messages: Range<usize>,
        read: &DictionaryRead<'_>,
    ) -> PolarsResult<Arc<Dictionaries>> {
        let DictionaryRead { schema, projection, options, budget } = *read;
        let (from, mut store) = self.nearest(schema, projection, &messages)?;
        if from == messages.end {
            return Ok(store.snapshot());
        }
        for number in self.counting(source, &store, schema, from..messages.end)? {
            let Some(block) = self.blocks.get(number) else { continue };
            let (header, version) = dictionary_at(source, *block, number, &self.limits)?;
            let decode = options.decode_options(schema, version);
            let body = SourceBody { source, start: body_start(*block) };
            store
                .apply(&header, &body, &decode, budget, pool::executor(options.parallel))
                .map_err(|e| format_error(e.at(Place::DictionaryBatch(number))))?;
        }
        let dictionaries = store.snapshot();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() == MAX_KEPT_STATES {
            known.pop_front();
        }
        known.push_back(KeptState { slots: projection.slots.clone(), messages, store });
        Ok(dictionaries)
    }

    /// The blocks that such a read would read, if their heads are known or in the source.
    pub(super) fn needed(
        &self,
        source: &dyn RangedSource,
        messages: Range<usize>,
        schema: &Arc<ReadSchema>,
        projection: &Projection,
    ) -> PolarsResult<Vec<Block>> {
        let (from, store) = self.nearest(schema, projection, &messages)?;
        if from == messages.end {
            return Ok(Vec::new());
        }
        let numbers = self.counting(source, &store, schema, from..messages.end)?;
        Ok(numbers.into_iter().filter_map(|number| self.blocks.get(number).copied()).collect())
    }

    /// The kept state that comes before the end of these messages and is nearest to it, and its position: the rest is
    /// applied to that. Not locked meanwhile: the pool may run another read on this very thread.
    fn nearest(
        &self,
        schema: &Arc<ReadSchema>,
        projection: &Projection,
        messages: &Range<usize>,
    ) -> PolarsResult<(usize, Store)> {
        let slots = &projection.slots;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let nearest = known
            .iter()
            .filter(|known| known.messages.start == messages.start && known.slots == *slots)
            .filter(|known| known.messages.end <= messages.end)
            .max_by_key(|known| known.messages.end)
            .map(|known| (known.messages.end, known.store.clone()));
        drop(known);
        match nearest {
            Some(known) => Ok(known),
            None => Ok((messages.start, Store::new(Arc::clone(schema), slots).map_err(format_error)?)),
        }
    }

    /// Which of some dictionary messages still count behind them: of each dictionary that is wanted the
    /// last whole one, and the deltas behind it.
    fn counting(
        &self,
        source: &dyn RangedSource,
        store: &Store,
        schema: &ReadSchema,
        range: Range<usize>,
    ) -> PolarsResult<Vec<usize>> {
        if range.is_empty() || store.is_empty() {
            return Ok(Vec::new());
        }
        // Ranges are of messages that were indexed, each of which has an id.
        let messages = self.ids(source)?.get(range.clone()).unwrap_or_default();
        let wanted = range.zip(messages).filter(|(_, entry)| store.wants(entry.id));
        // The values of a dictionary may be keys of another, as it was when they were sent.
        let nested = schema.has_nested_dictionaries();
        let mut whole: PlHashMap<i64, usize> = PlHashMap::new();
        for (number, entry) in wanted.clone().filter(|(_, entry)| !entry.is_delta) {
            let before = whole.insert(entry.id, number);
            if self.kind == IpcKind::File && before.is_some() {
                polars_bail!(
                    ComputeError: "dictionary batch {number}: dictionary {} is replaced, which files must not do", entry.id
                );
            }
        }
        let counts = |number: usize, id: i64| nested || whole.get(&id).is_none_or(|last| number >= *last);
        Ok(wanted.filter(|(number, entry)| counts(*number, entry.id)).map(|(number, _)| number).collect())
    }
}
