//! The dictionaries that a batch needs, wherever in a stream it is.

use std::ops::Range;
use std::sync::{Arc, PoisonError};

use floe_array::Dictionaries;
use floe_array::decode::Budget;
use floe_format::{Block, Place};
use polars_core::prelude::*;

use super::origin::Reading;
use super::{IpcIndex, IpcKind};
use crate::error::format_error;
use crate::pool;
use crate::read::dictionaries::Store;
use crate::read::index::dictionary_at;
use crate::read::options::{Projection, ReadOptions};
use crate::schema::ReadSchema;

/// A dictionary message.
pub(super) struct DictionaryEntry {
    pub(super) block: Block,
    pub(super) id: i64,
    pub(super) is_delta: bool,
}

/// Dictionaries as they were after some messages of one stream, for some slots.
pub(super) struct Known {
    slots: Vec<usize>,
    /// From the first of the stream.
    messages: Range<usize>,
    store: Store,
}

/// Snapshots of dictionaries that are kept. A file needs one for each projection.
const KNOWN_MOST: usize = 8;

impl IpcIndex {
    /// The dictionaries as a batch knows them that has these dictionary messages of its stream before it.
    pub(super) fn dictionaries_for(
        &self,
        reading: &Reading<'_>,
        schema: &Arc<ReadSchema>,
        projection: &Projection,
        messages: Range<usize>,
        options: &ReadOptions,
        budget: &Budget,
    ) -> PolarsResult<Arc<Dictionaries>> {
        let slots = &projection.slots;
        let lock = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // The nearest that came before, from which on the rest is applied. Not locked meanwhile: the
        // pool may run another read on this very thread.
        let nearest = lock()
            .iter()
            .filter(|known| known.messages.start == messages.start && known.slots == *slots)
            .filter(|known| known.messages.end <= messages.end)
            .max_by_key(|known| known.messages.end)
            .map(|known| (known.messages.end, known.store.clone()));
        let (from, mut store) = match nearest {
            Some((known, store)) if known == messages.end => return Ok(store.snapshot()),
            Some(known) => known,
            None => (messages.start, Store::new(Arc::clone(schema), slots).map_err(format_error)?),
        };
        for number in self.needed_dictionaries(&store, schema, from..messages.end)? {
            let Some(entry) = self.dictionaries.get(number) else { continue };
            let dictionary = reading
                .counted(entry.block, |source| dictionary_at(source, entry.block, number, &self.limits))?;
            let decode = options.decode_options(schema, dictionary.version);
            let body = reading.body(dictionary.body);
            store
                .apply(&dictionary.header, &body, &decode, budget, pool::executor(options.parallel))
                .map_err(|e| format_error(e.at(Place::DictionaryBatch(number))))?;
        }
        let dictionaries = store.snapshot();
        let mut known = lock();
        if known.len() == KNOWN_MOST {
            known.pop_front();
        }
        known.push_back(Known { slots: slots.clone(), messages, store });
        Ok(dictionaries)
    }

    /// Which of some dictionary messages still count behind them: of each dictionary that is wanted the
    /// last whole one, and the deltas behind it.
    fn needed_dictionaries(
        &self,
        store: &Store,
        schema: &ReadSchema,
        range: Range<usize>,
    ) -> PolarsResult<Vec<usize>> {
        let messages = self.dictionaries.get(range.clone()).unwrap_or_default();
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
