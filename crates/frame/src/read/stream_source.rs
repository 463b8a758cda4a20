//! A stream's schema, dictionaries and record batches, in the order in which they come.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use floe_array::decode::{Budget, Counts, starts};
use floe_array::{Dictionaries, Segments};
use floe_format::{BatchHeader, Header, KeyValues, Message, Schema, Version};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::assemble::{BatchInput, check_rows, decode_frame, finish_frame};
use super::dictionaries::Store;
use super::flags;
use super::input::{Input, Item};
use super::options::{Projection, ReadOptions, counts};
use super::segments::ranges;
use crate::error::format_error;
use crate::pool::{self, Task};
use crate::schema::ReadSchema;

/// A record batch with what it needs to be decoded.
pub(crate) struct StreamBatch {
    pub(crate) header: BatchHeader,
    pub(crate) body: Segments,
    pub(crate) metadata: KeyValues,
    pub(crate) version: Version,
    pub(crate) dictionaries: Arc<Dictionaries>,
    pub(crate) index: usize,
}

/// A stream being read: the schema is known, dictionaries are kept, batches come out.
pub(crate) struct Stream<R> {
    input: Input<R>,
    schema: Option<Arc<ReadSchema>>,
    /// Set when the first batch is asked for.
    plan: Option<Plan>,
    batches: usize,
    rows: usize,
    ended: Option<bool>,
    budget: Arc<Budget>,
}

struct Plan {
    projection: Arc<Projection>,
    store: Store,
    /// What the columns take in batches of a version: that of the last batch.
    counts: Option<(Version, Vec<Counts>)>,
}

impl Plan {
    /// The ranges of a batch's body that the projected columns need.
    fn ranges(
        &mut self,
        schema: &ReadSchema,
        header: &BatchHeader,
        version: Version,
    ) -> floe_format::Result<Vec<Range<u64>>> {
        if self.counts.as_ref().is_none_or(|(of, _)| *of != version) {
            self.counts = Some((version, counts(schema, version)));
        }
        let counts = self.counts.as_ref().map_or(&[][..], |(_, counts)| counts);
        let starts = starts(header, counts)?;
        Ok(ranges(header, &starts, &schema.wire.fields, &self.projection.indices))
    }
}

/// Bodies are read this far ahead of their decoding, when chunks are all that is wanted.
const WINDOW_BYTES: usize = 16 << 20;
/// Windows being decoded while the next one is read.
const WINDOWS: usize = 2;

impl<R: Read> Stream<R> {
    pub(crate) fn new(input: Input<R>) -> Self {
        Self { input, schema: None, plan: None, batches: 0, rows: 0, ended: None, budget: Arc::default() }
    }

    pub(crate) fn into_input(self) -> Input<R> {
        self.input
    }

    pub(crate) fn saw_end_marker(&self) -> bool {
        self.ended == Some(true)
    }

    pub(crate) fn position(&self) -> usize {
        match &self.input {
            Input::Memory { at, .. } => *at,
            Input::Reader { .. } => 0,
        }
    }

    /// Reads the schema message, once.
    pub(crate) fn schema(&mut self, options: &ReadOptions) -> PolarsResult<Arc<ReadSchema>> {
        if let Some(schema) = &self.schema {
            return Ok(Arc::clone(schema));
        }
        match self.input.next(&options.limits)? {
            Item::Message(message) => match message.header {
                Header::Schema(schema) => {
                    self.input.body(message.body_len, &[], options.parallel)?;
                    let schema = Arc::new(ReadSchema::new(schema));
                    self.schema = Some(Arc::clone(&schema));
                    Ok(schema)
                },
                _ => polars_bail!(ComputeError: "the Arrow IPC stream does not start with a schema message"),
            },
            Item::End { .. } => {
                polars_bail!(ComputeError: "the Arrow IPC stream is empty: it has no schema message")
            },
        }
    }

    fn plan(&mut self, options: &ReadOptions) -> PolarsResult<Arc<ReadSchema>> {
        let schema = self.schema(options)?;
        if self.plan.is_none() {
            let projection = Projection::new(&schema, options)?;
            let store = Store::new(Arc::clone(&schema), &projection.slots).map_err(format_error)?;
            self.plan = Some(Plan { projection: Arc::new(projection), store, counts: None });
        }
        Ok(schema)
    }

    pub(crate) fn projection(&mut self, options: &ReadOptions) -> PolarsResult<Arc<Projection>> {
        self.plan(options)?;
        match &self.plan {
            Some(plan) => Ok(Arc::clone(&plan.projection)),
            None => polars_bail!(ComputeError: "the stream has no plan"),
        }
    }

    /// The next record batch, not decoded yet; nothing at the end, or when enough rows are read.
    pub(crate) fn next_batch(&mut self, options: &ReadOptions) -> PolarsResult<Option<StreamBatch>> {
        let schema = self.plan(options)?;
        if self.ended.is_some() || options.n_rows.is_some_and(|n| self.rows >= n) {
            return Ok(None);
        }
        let executor = pool::executor(options.parallel);
        loop {
            let item = self.input.next(&options.limits).map_err(|e| place(self.batches, e))?;
            let Some(plan) = &mut self.plan else { return Ok(None) };
            match item {
                Item::End { marked } => {
                    self.ended = Some(marked);
                    if !marked && options.end_marker_required {
                        polars_bail!(
                            ComputeError: "the Arrow IPC stream ends after {} record batches without an end marker: \
                            its writer may not have finished", self.batches
                        );
                    }
                    return Ok(None);
                },
                Item::Message(message) => {
                    let Message { header, metadata, version, body_len } = message;
                    let parallel = options.parallel;
                    match header {
                        Header::Schema(Schema { .. }) => {
                            polars_bail!(ComputeError: "a second schema message in an Arrow IPC stream, without an end marker before it")
                        },
                        Header::Dictionary(header) => {
                            let all = 0..body_len;
                            let wanted = plan.store.wants(header.id) && body_len > 0;
                            let wanted = if wanted { std::slice::from_ref(&all) } else { &[] };
                            let body = self.input.body(body_len, wanted, parallel);
                            let body = body.map_err(|e| place(self.batches, e))?;
                            if plan.store.wants(header.id) {
                                let decode = options.decode_options(&schema, version);
                                plan.store
                                    .apply(&header, &body, &decode, &self.budget, executor)
                                    .map_err(format_error)?;
                            }
                        },
                        Header::Batch(header) => {
                            let index = self.batches;
                            let ranges = plan.ranges(&schema, &header, version);
                            let ranges =
                                ranges.map_err(|e| format_error(e.at(format!("record batch {index}"))))?;
                            let body = self.input.body(body_len, &ranges, parallel);
                            let body = body.map_err(|e| place(index, e))?;
                            self.batches += 1;
                            self.rows = self.rows.saturating_add(header.rows);
                            let dictionaries = plan.store.snapshot();
                            return Ok(Some(StreamBatch {
                                header,
                                body,
                                metadata,
                                version,
                                dictionaries,
                                index,
                            }));
                        },
                    }
                },
            }
        }
    }

    /// All that is left, in one frame.
    pub(crate) fn read_all(&mut self, options: &ReadOptions) -> PolarsResult<DataFrame> {
        let reads = matches!(self.input, Input::Reader { .. });
        if reads && options.parallel && !options.rechunk {
            return self.read_in_windows(options);
        }
        let mut batches = Vec::new();
        while let Some(batch) = self.next_batch(options)? {
            batches.push(batch);
        }
        self.decode(&batches, options, 0)
    }

    /// Decodes what has been read on the pool, while the next is being read.
    fn read_in_windows(&mut self, options: &ReadOptions) -> PolarsResult<DataFrame> {
        let schema = self.plan(options)?;
        let projection = self.projection(options)?;
        let mut tasks: VecDeque<Task<PolarsResult<DataFrame>>> = VecDeque::new();
        let mut frames: Option<DataFrame> = None;
        let mut done = |frame: DataFrame| match &mut frames {
            None => {
                frames = Some(frame);
                Ok(())
            },
            Some(all) => all.vstack_mut_owned(frame).map(|_| ()),
        };
        let mut before = 0;
        loop {
            let (mut window, mut bytes, mut rows) = (Vec::new(), 0, 0usize);
            while bytes < WINDOW_BYTES
                && let Some(batch) = self.next_batch(options)?
            {
                bytes += batch.body.bytes();
                rows = rows.saturating_add(batch.header.rows);
                window.push(batch);
            }
            // An empty window still makes the empty frame of an empty stream.
            let last = window.is_empty();
            if !last || before == 0 {
                let (schema, projection) = (Arc::clone(&schema), Arc::clone(&projection));
                let (options, budget) = (options.clone(), Arc::clone(&self.budget));
                tasks.push_back(Task::spawn(move || {
                    decode_batches(&schema, &projection, &window, &options, &budget, before)
                }));
            }
            while tasks.len() > if last { 0 } else { WINDOWS } {
                if let Some(task) = tasks.pop_front() {
                    done(task.wait()?)?;
                }
            }
            if last {
                return Ok(frames.unwrap_or_default());
            }
            before = before.saturating_add(rows);
            check_rows(before)?;
        }
    }

    /// Decodes batches into one frame, which begins at row `before`.
    pub(crate) fn decode(
        &mut self,
        batches: &[StreamBatch],
        options: &ReadOptions,
        before: usize,
    ) -> PolarsResult<DataFrame> {
        let schema = self.plan(options)?;
        let projection = self.projection(options)?;
        decode_batches(&schema, &projection, batches, options, &self.budget, before)
    }
}

fn place(batches: usize, error: PolarsError) -> PolarsError {
    error.wrap_msg(|msg| format!("after {batches} record batches: {msg}"))
}

/// Decodes batches into one frame.
fn decode_batches(
    schema: &ReadSchema,
    projection: &Projection,
    batches: &[StreamBatch],
    options: &ReadOptions,
    budget: &Budget,
    before: usize,
) -> PolarsResult<DataFrame> {
    let executor = pool::executor(options.parallel);
    let inputs = batches.iter().map(|batch| BatchInput {
        header: &batch.header,
        body: &batch.body,
        dictionaries: Arc::clone(&batch.dictionaries),
        index: batch.index,
        options: options.decode_options(schema, batch.version),
    });
    let inputs: Vec<BatchInput<'_>> = inputs.collect();
    let mut df = decode_frame(schema, projection, options, &inputs, budget, executor)?;
    flags::restore(&mut df, projection, batches.iter().map(|batch| &batch.metadata))?;
    finish_frame(df, options, before)
}

/// All complete batches of a stream in memory, up to the first thing that is wrong.
pub(crate) struct Salvage {
    pub(crate) df: DataFrame,
    pub(crate) batches: usize,
    /// Where the last complete message ends.
    pub(crate) end: usize,
    pub(crate) marked: bool,
    pub(crate) error: Option<PolarsError>,
}

/// Reads what is complete.
pub(crate) fn salvage(bytes: Buffer<u8>, start: usize, options: &ReadOptions) -> PolarsResult<Salvage> {
    let mut stream: Stream<io::Empty> = Stream::new(Input::Memory { bytes, at: start });
    let mut batches = Vec::new();
    let mut error = None;
    stream.plan(options)?;
    let mut end = stream.position();
    loop {
        match stream.next_batch(options) {
            Ok(Some(batch)) => batches.push(batch),
            Ok(None) => break,
            Err(e) => {
                error = Some(e);
                break;
            },
        }
        end = stream.position();
    }
    if stream.saw_end_marker() {
        end = stream.position();
    }
    let df = stream.decode(&batches, options, 0)?;
    Ok(Salvage { df, batches: batches.len(), end, marked: stream.saw_end_marker(), error })
}
