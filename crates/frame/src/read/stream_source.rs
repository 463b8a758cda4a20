//! A stream's schema, dictionaries and record batches, in the order in which they come.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use floe_array::Dictionaries;
use floe_array::decode::Budget;
use floe_format::{BatchHeader, Header, KeyValues, Message, Schema, Version};
use polars_core::prelude::*;

use super::assemble::GrowingFrame;
use super::decoding::Decoding;
use super::dictionaries::Store;
use super::in_place::InPlace;
use super::input::{Input, Item};
use super::on_disk::StreamBody;
use super::options::{ColumnCounts, Projection, ReadOptions};
use super::segments::{GAP, ranges};
use crate::error::format_error;
use crate::pool;
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
    pub(super) input: Input<R>,
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

    pub(super) fn plan(&mut self, options: &ReadOptions) -> PolarsResult<Arc<ReadSchema>> {
        let schema = self.schema(options)?;
        if self.plan.is_none() {
            let projection = Projection::new(&schema, options)?;
            let store = Store::new(Arc::clone(&schema), &projection.slots).map_err(format_error)?;
            self.budget = Arc::new(Budget::new(&options.limits));
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
    pub(super) fn next_batch_onto(
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
                            self.budget.saw(body_len);
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
                            self.budget.saw(body_len);
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

    /// What decoding takes, to be sent to the pool.
    pub(super) fn decoding(&mut self, options: &ReadOptions) -> PolarsResult<Decoding> {
        Ok(Decoding {
            schema: self.plan(options)?,
            projection: self.projection(options)?,
            options: options.clone(),
            budget: Arc::clone(&self.budget),
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

/// How many of a batch's buffers have bytes.
fn filled(header: &BatchHeader) -> usize {
    header.buffers.iter().filter(|buffer| buffer.len > 0).count()
}

fn place(batches: usize, error: PolarsError) -> PolarsError {
    error.wrap_msg(|msg| format!("after {batches} record batches: {msg}"))
}
