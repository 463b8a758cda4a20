//! A stream that is being read: its state, and whether it can be read on.

use std::sync::Arc;

use floe_array::decode::Budget;
use floe_format::{Header, Message};
use polars_core::prelude::*;

use super::begin::{Begin, begin};
use super::decoding::Decoding;
use super::dictionary_store::Store;
use super::enclosed::Enclosed;
use super::health::Health;
use super::message_source::{BodyRequest, Item, MessageSource};
use super::options::{ColumnCounts, Projection, ReadOptions};
use super::pending::PendingBatch;
use super::plan::Plan;
use crate::error::format_error;
use crate::schema::ReadSchema;

/// A stream being read: the schema is known, dictionaries are kept, batches come out. When it has ended the next one of
/// its source can be begun.
pub(super) struct Stream<S> {
    pub(super) input: S,
    pub(super) current: Current,
    /// How many streams came before this one.
    pub(super) number: usize,
    pub(super) health: Health,
}

/// The state of one stream.
#[derive(Default)]
pub(super) struct Current {
    /// Whether it has been looked for, and is there.
    begun: bool,
    /// Whether any of it has been given out.
    pub(super) entered: bool,
    schema: Option<Arc<ReadSchema>>,
    /// Set when the first batch is asked for.
    pub(super) plan: Option<Plan>,
    pub(super) batches: usize,
    /// Rows of all batches that have been given out.
    pub(super) rows: usize,
    pub(super) ended: Option<bool>,
    pub(super) budget: Arc<Budget>,
    /// Set if it lies in a file.
    pub(super) file: Option<Enclosed>,
}

impl<S: MessageSource> Stream<S> {
    pub(super) fn new(input: S) -> Self {
        Self { input, current: Current::default(), number: 0, health: Health::default() }
    }

    pub(super) fn into_input(self) -> S {
        self.input
    }

    pub(crate) fn saw_end_marker(&self) -> bool {
        self.current.ended == Some(true)
    }

    /// Where the next byte is.
    pub(super) fn position(&self) -> u64 {
        self.input.position()
    }

    /// Puts the reader behind the bytes that have been read.
    pub(crate) fn leave(&mut self) -> PolarsResult<()> {
        self.input.leave()
    }

    /// Whether the schema has been read.
    pub(super) fn has_schema(&self) -> bool {
        self.current.schema.is_some()
    }

    /// Whether it lies in a file.
    pub(super) fn is_in_file(&self) -> bool {
        self.current.file.is_some()
    }

    /// The dictionaries as of now, if a batch has been asked for.
    pub(super) fn store(&self) -> Option<&Store> {
        self.current.plan.as_ref().map(|plan| &plan.store)
    }

    /// Looks for the stream, once. False if the source ends here.
    pub(super) fn begin(&mut self) -> PolarsResult<bool> {
        if !self.current.begun {
            let start = self.input.position();
            let found = begin(&mut self.input)?;
            if found == Begin::End {
                return Ok(false);
            }
            self.current = Current::begun(found, start);
        }
        Ok(true)
    }

    /// Reads the schema message, once.
    pub(super) fn read_schema(&mut self, options: &ReadOptions) -> PolarsResult<Arc<ReadSchema>> {
        if let Some(schema) = &self.current.schema {
            if schema.types == options.types {
                return Ok(Arc::clone(schema));
            }
            polars_ensure!(
                self.current.plan.is_none(),
                InvalidOperation: "what columns become has to be said before the first batch is asked for"
            );
            let schema = Arc::new(schema.with_types(&options.types));
            self.current.schema = Some(Arc::clone(&schema));
            return Ok(schema);
        }
        let item =
            if self.begin()? { self.input.next(&options.limits) } else { Ok(Item::End { marked: false }) };
        match item? {
            Item::Message(Message { header: Header::Schema(schema), body_len, .. }) => {
                self.input.body(BodyRequest::skip(body_len))?;
                let schema = Arc::new(ReadSchema::new(schema, &options.types));
                self.current.schema = Some(Arc::clone(&schema));
                Ok(schema)
            },
            Item::Message(_) => {
                polars_bail!(ComputeError: "the Arrow IPC stream does not start with a schema message")
            },
            Item::End { .. } if self.number > 0 => {
                polars_bail!(ComputeError: "the source has no further Arrow IPC stream")
            },
            Item::End { .. } => {
                polars_bail!(ComputeError: "the Arrow IPC stream is empty: it has no schema message")
            },
        }
    }

    /// An error, with its likely cause if this is a file.
    pub(super) fn in_file(&self, error: PolarsError) -> PolarsError {
        if self.current.file.is_some() { Enclosed::hint(error) } else { error }
    }

    pub(super) fn plan(&mut self, options: &ReadOptions) -> PolarsResult<Arc<ReadSchema>> {
        let schema = self.read_schema(options)?;
        if self.current.plan.is_none() {
            let projection = Projection::new(&schema, options)?;
            let store = Store::new(Arc::clone(&schema), &projection.slots).map_err(format_error)?;
            self.current.budget = Arc::new(Budget::new(&options.limits));
            let projection = Arc::new(projection);
            self.current.plan = Some(Plan { projection, store, counts: ColumnCounts::default() });
        }
        Ok(schema)
    }

    pub(crate) fn projection(&mut self, options: &ReadOptions) -> PolarsResult<Arc<Projection>> {
        self.plan(options)?;
        match &self.current.plan {
            Some(plan) => Ok(Arc::clone(&plan.projection)),
            None => polars_bail!(ComputeError: "the stream has no plan"),
        }
    }

    /// Decoded frames are the caller's now: `max_total_bytes` counts anew.
    pub(crate) fn hand_over(&self) {
        self.current.budget.restart_total();
    }

    /// The inputs of decoding, to be sent to the pool.
    pub(super) fn decoding(&mut self, options: &ReadOptions) -> PolarsResult<Decoding> {
        Ok(Decoding {
            schema: self.plan(options)?,
            projection: self.projection(options)?,
            options: options.clone(),
            budget: Arc::clone(&self.current.budget),
        })
    }

    /// Decodes batches into one frame, which begins at row `before`.
    pub(crate) fn decode(
        &mut self,
        batches: Vec<PendingBatch<'static>>,
        options: &ReadOptions,
        before: usize,
    ) -> PolarsResult<DataFrame> {
        self.decoding(options)?.frame(batches, before)
    }
}

impl<S: MessageSource> Stream<S> {
    /// Reads on, if no read before has failed. After a failure no other one will be done.
    pub(super) fn once<T>(&mut self, read: impl FnOnce(&mut Self) -> PolarsResult<T>) -> PolarsResult<T> {
        self.guarded(false, read)
    }

    /// As [`Self::once`], for steps that lose nothing when the reader has nothing yet.
    pub(super) fn again<T>(&mut self, read: impl FnOnce(&mut Self) -> PolarsResult<T>) -> PolarsResult<T> {
        self.guarded(true, read)
    }

    fn guarded<T>(
        &mut self,
        resumes: bool,
        read: impl FnOnce(&mut Self) -> PolarsResult<T>,
    ) -> PolarsResult<T> {
        self.health.check()?;
        self.health = Health::Reading;
        let result = read(self).map_err(|e| self.in_stream(self.in_file(e)));
        self.health = match &result {
            Ok(_) => Health::Sound,
            Err(error) if resumes && self.input.resumes(error) => Health::Sound,
            Err(error) => Health::Failed(error.clone()),
        };
        result
    }

    /// An error with the number of the stream, if there are several.
    fn in_stream(&self, error: PolarsError) -> PolarsError {
        match self.number {
            0 => error,
            number => error.wrap_msg(|msg| format!("stream {} of the source: {msg}", number + 1)),
        }
    }
}

impl Current {
    /// A stream that has been found at `start`.
    pub(super) fn begun(begin: Begin, start: u64) -> Self {
        let file = (begin == Begin::File).then(|| Enclosed::new(start));
        Self { begun: true, file, ..Self::default() }
    }

    /// Notes where a message is, for the footer of the file that it may be in.
    pub(super) fn note(&mut self, start: u64, is_dictionary: bool) {
        if let Some(file) = &mut self.file {
            let start = file.place(start);
            if is_dictionary { file.dictionaries.push(start) } else { file.batches.push(start) }
        }
    }
}
