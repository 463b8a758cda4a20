//! Messages of a stream, one after another: from memory by their positions, from any other reader
//! as the bytes come.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use floe_array::decode::Budget;
use floe_array::{Dictionaries, aligned};
use floe_format::{
    BatchHeader, Decoder, Error, ErrorKind, Header, KeyValues, Message, Next, Schema, Step, Version,
    next_message,
};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::assemble::{BatchInput, check_rows, decode_frame, finish_frame};
use super::dictionaries::Store;
use super::flags;
use super::options::{Projection, ReadOptions};
use crate::error::{format_error, io_error};
use crate::pool::{self, Task};
use crate::schema::ReadSchema;

/// Where a stream comes from.
pub(crate) enum Input<R> {
    /// All of it is in memory.
    Memory { bytes: Buffer<u8>, at: usize },
    /// It has to be read.
    Reader { reader: R, decoder: Decoder },
}

/// A record batch with what it needs to be decoded.
pub(crate) struct StreamBatch {
    pub(crate) header: BatchHeader,
    pub(crate) body: Buffer<u8>,
    pub(crate) metadata: KeyValues,
    pub(crate) version: Version,
    pub(crate) dictionaries: Arc<Dictionaries>,
    pub(crate) index: usize,
}

enum Item {
    Message(Message, Buffer<u8>),
    End { marked: bool },
}

/// How much of a body is allocated before its bytes have arrived.
const READ_AHEAD: usize = 64 << 20;

impl<R: Read> Input<R> {
    fn next(&mut self, options: &ReadOptions) -> PolarsResult<Item> {
        match self {
            Self::Memory { bytes, at } => {
                let next = next_message(bytes, *at, &options.limits);
                match next.map_err(format_error)? {
                    Next::EndOfInput => Ok(Item::End { marked: false }),
                    Next::EndMarker { next } => {
                        *at = next;
                        Ok(Item::End { marked: true })
                    },
                    Next::Message { message, body, .. } => {
                        *at = body.end;
                        Ok(Item::Message(message, bytes.clone().sliced(body)))
                    },
                }
            },
            Self::Reader { reader, decoder } => read_message(reader, decoder),
        }
    }
}

fn read_message<R: Read>(reader: &mut R, decoder: &mut Decoder) -> PolarsResult<Item> {
    let mut bytes = Vec::new();
    loop {
        let need = decoder.needed();
        bytes.clear();
        let fresh = decoder.is_at_boundary();
        read_up_to(reader, &mut bytes, need)?;
        if bytes.is_empty() && fresh && need > 0 {
            return Ok(Item::End { marked: false });
        }
        if bytes.len() < need {
            return Err(truncated("a message's head", need, bytes.len()));
        }
        match decoder.feed(&bytes).map_err(format_error)? {
            Step::Need(_) => {},
            Step::End => return Ok(Item::End { marked: true }),
            Step::Message(message) => {
                let len = usize::try_from(message.body_len)
                    .map_err(|_| polars_err!(ComputeError: "a message body of {} bytes", message.body_len))?;
                let mut body = aligned::try_with_capacity(len.min(READ_AHEAD)).map_err(format_error)?;
                read_up_to(reader, &mut body, len)?;
                if body.len() < len {
                    return Err(truncated("a message's body", len, body.len()));
                }
                return Ok(Item::Message(message, body.into()));
            },
        }
    }
}

fn truncated(what: &str, need: usize, have: usize) -> PolarsError {
    let error = Error::new(ErrorKind::Truncated { need: need as u64, have: have as u64 });
    format_error(error.at(what.to_owned()))
}

/// Reads `len` bytes, fewer only at the end of the input. The vector grows as bytes arrive.
fn read_up_to<R: Read>(reader: &mut R, out: &mut Vec<u8>, len: usize) -> PolarsResult<()> {
    while out.len() < len {
        if out.len() == out.capacity() {
            let more = out.capacity().max(4096).min(len - out.len());
            aligned::try_grow(out, more).map_err(format_error)?;
        }
        let room = (out.capacity() - out.len()).min(len - out.len());
        match reader.by_ref().take(room as u64).read_to_end(out) {
            Ok(0) => return Ok(()),
            Ok(_) => {},
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {},
            Err(e) => return Err(io_error(e, "reading an Arrow IPC stream")),
        }
    }
    Ok(())
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
        match self.input.next(options)? {
            Item::Message(message, _) => match message.header {
                Header::Schema(schema) => {
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
            self.plan = Some(Plan { projection: Arc::new(projection), store });
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
            let item = self.input.next(options).map_err(|e| self.place(e))?;
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
                Item::Message(message, body) => {
                    let Message { header, metadata, version, .. } = message;
                    match header {
                        Header::Schema(Schema { .. }) => {
                            polars_bail!(ComputeError: "a second schema message in an Arrow IPC stream, without an end marker before it")
                        },
                        Header::Dictionary(header) => {
                            if plan.store.wants(header.id) {
                                let decode = options.decode_options(&schema, version);
                                plan.store
                                    .apply(&header, &body, &decode, &self.budget, executor)
                                    .map_err(format_error)?;
                            }
                        },
                        Header::Batch(header) => {
                            let index = self.batches;
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

    fn place(&self, error: PolarsError) -> PolarsError {
        let n = self.batches;
        error.wrap_msg(|msg| format!("after {n} record batches: {msg}"))
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
                bytes += batch.body.len();
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
