//! A stream's schema, dictionaries and record batches, in the order in which they come.

use std::io::Read;
use std::sync::Arc;

use floe_array::Dictionaries;
use floe_array::decode::Budget;
use floe_format::{BatchHeader, DictionaryHeader, Header, KeyValues, Message, NotUtf8, Place, Version};
use polars_core::prelude::*;

use super::assemble::GrowingFrame;
use super::begin::Begin;
use super::decoding::Decoding;
use super::dictionaries::Store;
use super::enclosed::Enclosed;
use super::health::Health;
use super::in_place::InPlace;
use super::index::metadata_bytes;
use super::input::{Input, Item};
use super::on_disk::StreamBody;
use super::options::{ColumnCounts, Projection, ReadOptions};
use super::plan::Plan;
use crate::error::format_error;
use crate::pool;
use crate::schema::ReadSchema;

/// A record batch with what it needs to be decoded.
pub(crate) struct StreamBatch {
    pub(crate) header: BatchHeader,
    pub(crate) body: StreamBody,
    pub(crate) metadata: KeyValues,
    pub(crate) not_utf8: Vec<NotUtf8>,
    pub(crate) version: Version,
    pub(crate) dictionaries: Arc<Dictionaries>,
    pub(crate) index: usize,
}

/// A stream being read: the schema is known, dictionaries are kept, batches come out. When it has ended the next one of
/// its source can be begun.
pub(crate) struct Stream<R> {
    pub(super) input: Input<R>,
    pub(super) current: Current,
    /// How many streams came before this one.
    pub(super) number: usize,
    pub(super) health: Health,
}

/// What is known of one stream.
#[derive(Default)]
pub(super) struct Current {
    /// Whether it has been looked for, and is there.
    begun: bool,
    /// Whether any of it has been given out.
    pub(super) entered: bool,
    schema: Option<Arc<ReadSchema>>,
    /// Set when the first batch is asked for.
    plan: Option<Plan>,
    batches: usize,
    /// Rows of all batches that have been given out.
    pub(super) rows: usize,
    pub(super) ended: Option<bool>,
    budget: Arc<Budget>,
    /// Set if it lies in a file.
    file: Option<Enclosed>,
}

impl<R: Read> Stream<R> {
    pub(crate) fn new(input: Input<R>) -> Self {
        Self { input, current: Current::default(), number: 0, health: Health::default() }
    }

    pub(crate) fn into_input(self) -> Input<R> {
        self.input
    }

    pub(crate) fn saw_end_marker(&self) -> bool {
        self.current.ended == Some(true)
    }

    pub(crate) fn position(&self) -> usize {
        match &self.input {
            Input::Memory { at, .. } => *at,
            Input::OnDisk { .. } | Input::Reader(_) => 0,
        }
    }

    /// Has the reader stand behind what has been read.
    pub(crate) fn leave(&mut self) -> PolarsResult<()> {
        self.input.leave()
    }

    /// Looks for the stream, once. False if the source ends here.
    pub(super) fn begin(&mut self) -> PolarsResult<bool> {
        if !self.current.begun {
            let start = self.input.position();
            let begin = self.input.begin()?;
            if begin == Begin::End {
                return Ok(false);
            }
            self.current = Current::begun(begin, start);
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
                self.input.body(body_len, 0, &[], None, options.parallel)?;
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

    /// An error, and what it may come from if this is a file.
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

    /// The next record batch, not decoded yet; nothing at the end, or when enough rows are read.
    pub(crate) fn next_batch(&mut self, options: &ReadOptions) -> PolarsResult<Option<StreamBatch>> {
        self.next_batch_onto(options, None)
    }

    /// As [`Self::next_batch`]; the columns of `in_place` have its rows then.
    pub(super) fn next_batch_onto(
        &mut self,
        options: &ReadOptions,
        in_place: Option<&mut GrowingFrame>,
    ) -> PolarsResult<Option<StreamBatch>> {
        let schema = self.plan(options)?;
        self.current.entered = true;
        if self.current.ended.is_some() || options.n_rows.is_some_and(|n| self.current.rows >= n) {
            return Ok(None);
        }
        loop {
            let start = self.input.position();
            let batches = self.current.batches;
            let item = self.input.next(&options.limits).map_err(|e| place(batches, e))?;
            let Message { header, metadata, not_utf8, version, body_len } = match item {
                Item::Message(message) => message,
                Item::End { marked } => return self.end(marked, options).map(|()| None),
            };
            self.current.budget.charge(metadata_bytes(&metadata, &not_utf8)).map_err(format_error)?;
            match header {
                Header::Schema(_) => return Err(second_schema()),
                Header::Dictionary(header) => {
                    self.current.note(start, true);
                    self.dictionary(&header, version, body_len, &schema, options)?;
                },
                Header::Batch(header) => {
                    self.current.note(start, false);
                    let head = Head { header, metadata, not_utf8, version, body_len };
                    return self.batch(head, &schema, options, in_place).map(Some);
                },
            }
        }
    }

    /// The stream has come to its end.
    fn end(&mut self, marked: bool, options: &ReadOptions) -> PolarsResult<()> {
        self.current.ended = Some(marked);
        if let Some(file) = &self.current.file {
            polars_ensure!(
                marked,
                ComputeError: "the Arrow IPC file is cut off after {} record batches: it has no footer; \
                IpcReader::recover reads its complete batches", self.current.batches
            );
            return file.check(&mut self.input, &options.limits);
        }
        if !marked && options.end_marker_required {
            polars_bail!(
                ComputeError: "the Arrow IPC stream ends after {} record batches without an end marker: \
                its writer may not have finished", self.current.batches
            );
        }
        Ok(())
    }

    /// Reads the body of a dictionary, and takes it in.
    fn dictionary(
        &mut self,
        header: &DictionaryHeader,
        version: Version,
        body_len: u64,
        schema: &ReadSchema,
        options: &ReadOptions,
    ) -> PolarsResult<()> {
        let Some(plan) = &mut self.current.plan else { return Ok(()) };
        let all = 0..body_len;
        let wanted = plan.store.wants(header.id) && body_len > 0;
        let wanted = if wanted { std::slice::from_ref(&all) } else { &[] };
        let body = self.input.body(body_len, filled(&header.batch), wanted, None, options.parallel);
        let body = body.map_err(|e| place(self.current.batches, e))?;
        self.current.budget.saw(body_len);
        if plan.store.wants(header.id) {
            let decode = options.decode_options(schema, version);
            let executor = pool::executor(options.parallel);
            plan.store.apply(header, &body, &decode, &self.current.budget, executor).map_err(format_error)?;
        }
        Ok(())
    }

    /// Reads the body of a record batch.
    fn batch(
        &mut self,
        head: Head,
        schema: &ReadSchema,
        options: &ReadOptions,
        mut in_place: Option<&mut GrowingFrame>,
    ) -> PolarsResult<StreamBatch> {
        let Head { header, metadata, not_utf8, version, body_len } = head;
        let index = self.current.batches;
        let Some(plan) = &mut self.current.plan else {
            polars_bail!(ComputeError: "the stream has no plan");
        };
        let wanted = plan.ranges(schema, &header, version, body_len, in_place.as_deref_mut());
        let (ranges, values) = wanted.map_err(|e| format_error(e.at(Place::RecordBatch(index))))?;
        let is_read = values.is_some();
        let in_place_bytes = values.as_ref().map_or(0, InPlace::bytes);
        let body = self.input.body(body_len, filled(&header), &ranges, values, options.parallel);
        let body = body.map_err(|e| place(index, e))?;
        self.current.budget.saw(body_len);
        self.current.budget.charge(in_place_bytes).map_err(format_error)?;
        self.current.batches += 1;
        self.current.rows = self.current.rows.saturating_add(header.rows);
        let dictionaries = plan.store.snapshot();
        let batch = StreamBatch { header, body, metadata, not_utf8, version, dictionaries, index };
        if let Some(frame) = in_place.filter(|_| !is_read) {
            self.decoding(options)?.onto(frame, std::slice::from_ref(&batch))?;
        }
        Ok(batch)
    }

    /// Passes over what is left of the stream.
    pub(super) fn skip_rest(&mut self, options: &ReadOptions) -> PolarsResult<()> {
        while self.current.ended.is_none() {
            let start = self.input.position();
            match self.input.next(&options.limits).map_err(|e| place(self.current.batches, e))? {
                Item::End { marked } => self.end(marked, options)?,
                Item::Message(Message { header: Header::Schema(_), .. }) => return Err(second_schema()),
                Item::Message(Message { header, body_len, .. }) => {
                    let is_dictionary = matches!(header, Header::Dictionary(_));
                    self.current.note(start, is_dictionary);
                    let body = self.input.body(body_len, 0, &[], None, options.parallel);
                    body.map_err(|e| place(self.current.batches, e))?;
                    self.current.batches += usize::from(!is_dictionary);
                },
            }
        }
        Ok(())
    }

    /// What has been decoded is the caller's now: `max_total_bytes` counts anew.
    pub(crate) fn hand_over(&self) {
        self.current.budget.restart_total();
    }

    /// What decoding takes, to be sent to the pool.
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
        batches: &[StreamBatch],
        options: &ReadOptions,
        before: usize,
    ) -> PolarsResult<DataFrame> {
        self.decoding(options)?.frame(batches, before)
    }
}

/// A record batch without its body.
struct Head {
    header: BatchHeader,
    metadata: KeyValues,
    not_utf8: Vec<NotUtf8>,
    version: Version,
    body_len: u64,
}

impl Current {
    /// A stream that has been found at `start`.
    pub(super) fn begun(begin: Begin, start: u64) -> Self {
        let file = (begin == Begin::File).then(|| Enclosed::new(start));
        Self { begun: true, file, ..Self::default() }
    }

    /// Notes where a message is, for the footer of the file that it may be in.
    fn note(&mut self, start: u64, is_dictionary: bool) {
        if let Some(file) = &mut self.file {
            let start = file.place(start);
            if is_dictionary { file.dictionaries.push(start) } else { file.batches.push(start) }
        }
    }
}

fn second_schema() -> PolarsError {
    polars_err!(ComputeError: "a second schema message in an Arrow IPC stream, without an end marker before it")
}

/// How many of a batch's buffers have bytes.
fn filled(header: &BatchHeader) -> usize {
    header.buffers.iter().filter(|buffer| buffer.len > 0).count()
}

fn place(batches: usize, error: PolarsError) -> PolarsError {
    error.wrap_msg(|msg| format!("after {batches} record batches: {msg}"))
}
