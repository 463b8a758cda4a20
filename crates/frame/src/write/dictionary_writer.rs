//! Dictionaries, in front of the batches that use them or at the end of a file.

use floe_format::Field;
use polars_core::prelude::*;

use super::batch::assemble;
use super::convert::Columns;
use super::dictionary_builder::{PendingDictionary, dictionary_field, has_dictionary};
use super::emit::Container;
use super::encode::{Encoding, column};
use super::engine::Engine;
use super::message_sink::MessageSink;
use super::plans::PlanRole;
use super::split::SplitQueue;
use crate::error::format_error;
use crate::pool::executor;

impl<S: MessageSink> Engine<S> {
    /// Adds the categories that a frame uses to the dictionaries.
    pub(super) fn note_categories(&mut self, columns: &Columns) -> PolarsResult<()> {
        let fields = self.config.schema.wire.fields.iter().enumerate();
        let noted: Vec<_> = fields
            .filter(|(_, field)| has_dictionary(field))
            .map(|(i, field)| (field, columns.whole(i)))
            .collect();
        self.dictionaries.note(&noted, executor(self.config.parallel))?;
        self.remaps = self.dictionaries.remaps().into();
        Ok(())
    }

    /// Writes the dictionaries that are pending. A file may have only one of each id, so with `more` batches to come it
    /// keeps those that may still grow for its end.
    pub(super) fn write_dictionaries(&mut self, more: bool) -> PolarsResult<()> {
        // A whole file has no room for deltas. One that is gone on with has, if its readers are known to take them.
        let deltas = self.deltas;
        let executor = executor(self.config.parallel);
        for slot in 0..self.dictionaries.len() {
            let dictionary = self.dictionaries.get_mut(slot)?;
            if more && self.container == Container::File && !dictionary.is_fixed() {
                continue;
            }
            let from = match dictionary.pending(deltas) {
                PendingDictionary::Nothing => continue,
                PendingDictionary::All => 0,
                PendingDictionary::From(position) => position,
            };
            let Some((id, values)) = self.config.schema.dictionaries.get(slot).cloned() else {
                polars_bail!(ComputeError: "the schema has no dictionary {slot}");
            };
            let field = dictionary_field(values);
            let values = dictionary.take(from, &field, executor)?;
            // Batches that use the dictionary as it was come first.
            self.drain(0)?;
            self.write_dictionary(id, from > 0, &field, &values)?;
        }
        Ok(())
    }

    fn write_dictionary(
        &mut self,
        id: i64,
        is_delta: bool,
        field: &Field,
        values: &ArrayRef,
    ) -> PolarsResult<()> {
        let (queue, batch) = self.in_flight.next();
        let split = self.config.parallel.then_some(SplitQueue { queue, batch, column: 0 });
        let compression = self.config.compression;
        let encoding = Encoding {
            remaps: &[],
            compression,
            canonical_views: true,
            unreferenced_data: false,
            executor: executor(self.config.parallel),
        };
        let encoded = column(field, values, encoding, split, PlanRole::Independent)
            .and_then(|encoded| assemble(values.len(), vec![encoded], compression));
        let batch = encoded.map_err(format_error)?;
        self.emitter.dictionary(id, is_delta, batch)
    }
}
