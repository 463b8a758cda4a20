//! A stream's schema, dictionaries and record batches, in the order in which they come.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::Arc;

use floe_array::decode::Budget;
use floe_array::{Dictionaries, Segments};
use floe_format::{BatchHeader, Header, KeyValues, Message, Schema, Version};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::assemble::{BatchInput, GrowingFrame, check_rows, decode_frame, finish_frame};
use super::dictionaries::Store;
use super::fetch::{Placed, fetch};
use super::flags;
use super::in_place::{self, InPlace};
use super::input::{Input, Item};
use super::on_disk::StreamBody;
use super::options::{ColumnCounts, Projection, ReadOptions};
use super::segments::{GAP, ranges};
use crate::error::format_error;
use crate::pool::{self, Task};
use crate::schema::ReadSchema;

/// A record batch with what it needs to be decoded.
pub(crate) struct StreamBatch {
    pub(crate) header: BatchHeader,
    pub(crate) body: StreamBody,
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
    counts: ColumnCounts,
}

impl Plan {
    /// The ranges of a batch's body that the projected columns need, beside what is read in place.
    fn ranges<'a>(
        &mut self,
        schema: &'a ReadSchema,
        header: &BatchHeader,
        version: Version,
        body_len: u64,
        in_place: Option<&'a mut GrowingFrame>,
    ) -> floe_format::Result<(Vec<Range<u64>>, Option<InPlace<'a>>)> {
        if body_len > 0 && body_len <= GAP && !cfg!(fuzzing) {
            return Ok((std::iter::once(0..body_len).collect(), None));
        }
        let starts = self.counts.starts(schema, header, version)?;
        let kept = |in_place: &[usize]| {
            ranges(header, &starts, &schema.wire.fields, &self.projection.indices, in_place)
        };
        if let Some(frame) = in_place.filter(|frame| frame.takes_reads()) {
            let mut columns: Vec<usize> = frame.indices().collect();
            columns.sort_unstable();
            let kept = kept(&columns);
            if let Some(in_place) = InPlace::new(frame, schema, header, &starts, &kept) {
                return Ok((kept, Some(in_place)));
            }
        }
        Ok((kept(&[]), None))
    }
}

/// Batches of about so many bytes are decoded together; those on disk take none yet, so that all of them are.
const WINDOW_BYTES: usize = 8 << 20;
/// The first batches, of which nothing is read in place: so many bytes tell how the others will be.
const FIRST_BYTES: usize = if cfg!(fuzzing) { 1 } else { 1 << 20 };
/// What a batch counts for at least: windows have at most 1,024 of them.
const MIN_BATCH: usize = 16 << 10;
/// Windows being decoded while the next one is read.
const WINDOWS: usize = 2;

/// Neighbouring batches of a stream.
#[derive(Default)]
struct Window {
    batches: Vec<StreamBatch>,
    bytes: usize,
    rows: usize,
    is_last: bool,
}

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
            Input::OnDisk { .. } | Input::Reader { .. } => 0,
        }
    }

    /// Has the reader stand behind what has been read.
    pub(crate) fn leave(&mut self) -> PolarsResult<()> {
        self.input.leave()
    }

    /// Reads the schema message, once.
    pub(crate) fn schema(&mut self, options: &ReadOptions) -> PolarsResult<Arc<ReadSchema>> {
        if let Some(schema) = &self.schema {
            return Ok(Arc::clone(schema));
        }
        match self.input.next(&options.limits)? {
            Item::Message(message) => match message.header {
                Header::Schema(schema) => {
                    self.input.body(message.body_len, 0, &[], None, options.parallel)?;
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
            self.plan =
                Some(Plan { projection: Arc::new(projection), store, counts: ColumnCounts::default() });
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
        self.next_batch_onto(options, None)
    }

    /// As [`Self::next_batch`]; the columns of `in_place` have its rows then.
    fn next_batch_onto(
        &mut self,
        options: &ReadOptions,
        mut in_place: Option<&mut GrowingFrame>,
    ) -> PolarsResult<Option<StreamBatch>> {
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
                            let body =
                                self.input.body(body_len, filled(&header.batch), wanted, None, parallel);
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
                            let wanted =
                                plan.ranges(&schema, &header, version, body_len, in_place.as_deref_mut());
                            let (ranges, values) =
                                wanted.map_err(|e| format_error(e.at(format!("record batch {index}"))))?;
                            let is_read = values.is_some();
                            let body = self.input.body(body_len, filled(&header), &ranges, values, parallel);
                            let body = body.map_err(|e| place(index, e))?;
                            self.batches += 1;
                            self.rows = self.rows.saturating_add(header.rows);
                            let dictionaries = plan.store.snapshot();
                            let batch = StreamBatch { header, body, metadata, version, dictionaries, index };
                            if let Some(frame) = in_place.filter(|_| !is_read) {
                                self.decoding(options)?.onto(frame, std::slice::from_ref(&batch))?;
                            }
                            return Ok(Some(batch));
                        },
                    }
                },
            }
        }
    }

    /// All that is left, in one frame.
    pub(crate) fn read_all(&mut self, options: &ReadOptions) -> PolarsResult<DataFrame> {
        if matches!(self.input, Input::Memory { .. }) {
            let mut batches = Vec::new();
            while let Some(batch) = self.next_batch(options)? {
                batches.push(batch);
            }
            return self.decode(&batches, options, 0);
        }
        let mut first = Window::default();
        self.extend(&mut first, FIRST_BYTES, options, None)?;
        let suited = match &self.input {
            Input::Reader { .. } if options.rechunk => self.suited(&first, options)?,
            _ => Vec::new(),
        };
        if suited.is_empty() {
            self.extend(&mut first, WINDOW_BYTES, options, None)?;
        }
        if first.is_last {
            return self.decode(&first.batches, options, 0);
        }
        if options.rechunk {
            self.read_joined(first, &suited, options)
        } else {
            self.read_in_chunks(first, options)
        }
    }

    /// The columns, by their places in the projection, that are better read in place, as these batches look.
    fn suited(&mut self, first: &Window, options: &ReadOptions) -> PolarsResult<Vec<usize>> {
        let (schema, projection) = (self.plan(options)?, self.projection(options)?);
        Ok(in_place::suited(&schema, &projection, &first.batches))
    }

    /// Batches to be decoded together, and whether there are no more. The columns of `in_place` have their rows then.
    fn window(&mut self, options: &ReadOptions, in_place: Option<&mut GrowingFrame>) -> PolarsResult<Window> {
        let mut window = Window::default();
        self.extend(&mut window, WINDOW_BYTES, options, in_place)?;
        Ok(window)
    }

    /// Adds batches until there are so many bytes.
    fn extend(
        &mut self,
        window: &mut Window,
        bytes: usize,
        options: &ReadOptions,
        mut in_place: Option<&mut GrowingFrame>,
    ) -> PolarsResult<()> {
        while window.bytes < bytes && !window.is_last {
            let Some(batch) = self.next_batch_onto(options, in_place.as_deref_mut())? else {
                window.is_last = true;
                break;
            };
            window.bytes += batch.body.bytes().map_or(0, |bytes| bytes.max(MIN_BATCH));
            window.rows = window.rows.saturating_add(batch.header.rows);
            window.batches.push(batch);
        }
        Ok(())
    }

    /// Decodes windows one behind the other, each while the next one is read.
    /// Of these columns the values are read in place.
    fn read_joined(
        &mut self,
        first: Window,
        in_place: &[usize],
        options: &ReadOptions,
    ) -> PolarsResult<DataFrame> {
        let projection = self.projection(options)?;
        let (mut read, mut frame) = GrowingFrame::split(&projection, in_place);
        self.decoding(options)?.onto(&mut read, &first.batches)?;
        let mut in_place = (!read.is_empty()).then_some(&mut read);
        let mut metadata = Vec::new();
        let mut window = first;
        loop {
            let Window { mut batches, is_last, .. } = window;
            metadata.extend(batches.iter_mut().map(|batch| std::mem::take(&mut batch.metadata)));
            let decoding = self.decoding(options)?;
            if is_last || !options.parallel || frame.is_empty() {
                decoding.onto(&mut frame, &batches)?;
                if is_last {
                    break;
                }
                window = self.window(options, in_place.as_deref_mut())?;
            } else {
                let task = Task::spawn(move || {
                    decoding.onto(&mut frame, &batches)?;
                    PolarsResult::Ok(frame)
                });
                // An error of the batches that are being decoded comes before one behind them.
                let next = self.window(options, in_place.as_deref_mut());
                frame = task.wait()?;
                window = next?;
            }
        }
        let mut df = frame.finish(read, &projection)?;
        flags::restore(&mut df, &projection, metadata.iter())?;
        finish_frame(df, options, 0)
    }

    /// What decoding takes, to be sent to the pool.
    fn decoding(&mut self, options: &ReadOptions) -> PolarsResult<Decoding> {
        Ok(Decoding {
            schema: self.plan(options)?,
            projection: self.projection(options)?,
            options: options.clone(),
            budget: Arc::clone(&self.budget),
        })
    }

    /// Decodes windows to chunks on the pool, while the next ones are read.
    fn read_in_chunks(&mut self, first: Window, options: &ReadOptions) -> PolarsResult<DataFrame> {
        let mut tasks: VecDeque<Task<PolarsResult<DataFrame>>> = VecDeque::new();
        let mut frames: Option<DataFrame> = None;
        let mut done = |frame: DataFrame| match &mut frames {
            None => {
                frames = Some(frame);
                Ok(())
            },
            Some(all) => all.vstack_mut_owned(frame).map(|_| ()),
        };
        let (mut window, mut before) = (first, 0usize);
        loop {
            let Window { batches, rows, is_last, .. } = window;
            let decoding = self.decoding(options)?;
            if batches.is_empty() {
                debug_assert!(is_last, "only the end of the stream makes a window empty");
            } else if options.parallel {
                tasks.push_back(Task::spawn(move || decoding.frame(&batches, before)));
            } else {
                done(decoding.frame(&batches, before)?)?;
            }
            while tasks.len() > if is_last { 0 } else { WINDOWS } {
                if let Some(task) = tasks.pop_front() {
                    done(task.wait()?)?;
                }
            }
            if is_last {
                return Ok(frames.unwrap_or_default());
            }
            before = before.saturating_add(rows);
            check_rows(before)?;
            window = self.window(options, None)?;
        }
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

/// What decoding takes beside the batches.
struct Decoding {
    schema: Arc<ReadSchema>,
    projection: Arc<Projection>,
    options: ReadOptions,
    budget: Arc<Budget>,
}

impl Decoding {
    /// Batches as a frame of their own, which begins at row `before`.
    fn frame(&self, batches: &[StreamBatch], before: usize) -> PolarsResult<DataFrame> {
        let Self { schema, projection, options, budget } = self;
        let executor = pool::executor(options.parallel);
        let fetched = self.fetch(batches)?;
        let mut inputs = self.inputs(batches);
        for (input, body) in inputs.iter_mut().zip(fetched.iter().flatten()) {
            input.body = body;
        }
        let mut df = decode_frame(schema, projection, options, &inputs, budget, executor)?;
        flags::restore(&mut df, projection, batches.iter().map(|batch| &batch.metadata))?;
        finish_frame(df, options, before)
    }

    /// Batches behind those of a frame.
    fn onto(&self, frame: &mut GrowingFrame, batches: &[StreamBatch]) -> PolarsResult<()> {
        let Self { schema, options, budget, .. } = self;
        let executor = pool::executor(options.parallel);
        frame.decode(schema, options, &self.inputs(batches), budget, executor)
    }

    /// Bodies that are on disk, if it is better to read them as wholes.
    fn fetch(&self, batches: &[StreamBatch]) -> PolarsResult<Option<Vec<Segments>>> {
        let placed = batches.iter().map(|batch| {
            let (_, body) = batch.body.place()?;
            Some(Placed { index: batch.index, header: &batch.header, version: batch.version, body })
        });
        let (Some(placed), Some((source, _))) =
            (placed.collect::<Option<Vec<_>>>(), batches.first().and_then(|batch| batch.body.place()))
        else {
            return Ok(None);
        };
        let Self { schema, projection, options, .. } = self;
        fetch(source, schema, projection, options, &placed, pool::executor(options.parallel))
    }

    fn inputs<'a>(&self, batches: &'a [StreamBatch]) -> Vec<BatchInput<'a>> {
        let input = |batch: &'a StreamBatch| BatchInput {
            header: &batch.header,
            body: &batch.body,
            dictionaries: Arc::clone(&batch.dictionaries),
            index: batch.index,
            options: self.options.decode_options(&self.schema, batch.version),
        };
        batches.iter().map(input).collect()
    }
}

/// How many of a batch's buffers have bytes.
fn filled(header: &BatchHeader) -> usize {
    header.buffers.iter().filter(|buffer| buffer.len > 0).count()
}

fn place(batches: usize, error: PolarsError) -> PolarsError {
    error.wrap_msg(|msg| format!("after {batches} record batches: {msg}"))
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
