//! A stream's dictionaries and record batches, in the order in which they come.

use floe_format::{BatchHeader, DictionaryHeader, Header, Message, Place, Version};
use polars_core::prelude::*;

use super::frame_builder::FrameBuilder;
use super::in_place::InPlace;
use super::message_source::{BodyRequest, Item, MessageSource, SourceKind};
use super::options::ReadOptions;
use super::pending::{BatchHead, PendingBatch, metadata_bytes};
use super::stream_source::Stream;
use crate::error::format_error;
use crate::pool;
use crate::schema::ReadSchema;

impl<S: MessageSource> Stream<S> {
    /// The next record batch, not decoded yet; nothing at the end, or when enough rows are read.
    pub(crate) fn next_batch(
        &mut self,
        options: &ReadOptions,
    ) -> PolarsResult<Option<PendingBatch<'static>>> {
        self.next_batch_onto(options, None)
    }

    /// As [`Self::next_batch`]; the columns of `in_place` have its rows then.
    pub(super) fn next_batch_onto(
        &mut self,
        options: &ReadOptions,
        in_place: Option<&mut FrameBuilder>,
    ) -> PolarsResult<Option<PendingBatch<'static>>> {
        let schema = self.plan(options)?;
        self.current.entered = true;
        if self.current.ended.is_some() {
            return self.check_footer(options).map(|()| None);
        }
        if options.n_rows.is_some_and(|n| self.current.rows >= n) {
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
                    let head = BatchHead { header, version, metadata, not_utf8 };
                    return self.batch(head, body_len, &schema, options, in_place).map(Some);
                },
            }
        }
    }

    /// The stream has come to its end.
    fn end(&mut self, marked: bool, options: &ReadOptions) -> PolarsResult<()> {
        self.current.ended = Some(marked);
        if self.current.file.is_some() {
            polars_ensure!(
                marked,
                ComputeError: "the Arrow IPC file is cut off after {} record batches: it has no footer; \
                IpcReader::recover reads its complete batches", self.current.batches
            );
            return self.check_footer(options);
        }
        if !marked && options.end_marker_required {
            polars_bail!(
                ComputeError: "the Arrow IPC stream ends after {} record batches without an end marker: \
                its writer may not have finished", self.current.batches
            );
        }
        Ok(())
    }

    /// Compares the messages read with the footer, once, if the stream lies in a file.
    fn check_footer(&mut self, options: &ReadOptions) -> PolarsResult<()> {
        if self.input.kind() == SourceKind::Growing {
            // It may not be there yet, and nobody waits for it.
            return Ok(());
        }
        if let Some(file) = self.current.file.as_mut().filter(|file| !file.is_checked) {
            file.check(&mut self.input, &options.limits)?;
            file.is_checked = true;
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
        let buffers = filled(&header.batch);
        let parallel = options.parallel;
        let request = BodyRequest { len: body_len, buffers, ranges: wanted, in_place: None, parallel };
        let body = self.input.body(request);
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
        head: BatchHead,
        body_len: u64,
        schema: &ReadSchema,
        options: &ReadOptions,
        mut in_place: Option<&mut FrameBuilder>,
    ) -> PolarsResult<PendingBatch<'static>> {
        let index = self.current.batches;
        let Some(plan) = &mut self.current.plan else {
            polars_bail!(ComputeError: "the stream has no plan");
        };
        let wanted = plan.ranges(schema, &head, body_len, in_place.as_deref_mut());
        let (ranges, values) = wanted.map_err(|e| format_error(e.at(Place::RecordBatch(index))))?;
        let is_read = values.is_some();
        // Nothing is read in place otherwise.
        let in_place_bytes = values.as_ref().map_or(0, InPlace::bytes);
        let (buffers, parallel) = (filled(&head.header), options.parallel);
        let request = BodyRequest { len: body_len, buffers, ranges: &ranges, in_place: values, parallel };
        let body = self.input.body(request);
        let body = body.map_err(|e| place(index, e))?;
        self.current.budget.saw(body_len);
        self.current.budget.charge(in_place_bytes).map_err(format_error)?;
        self.current.batches += 1;
        self.current.rows = self.current.rows.saturating_add(head.header.rows);
        let dictionaries = plan.store.snapshot();
        let batch = PendingBatch { index, head, body, dictionaries };
        if let Some(frame) = in_place.filter(|_| !is_read) {
            self.decoding(options)?.onto(frame, std::slice::from_ref(&batch))?;
        }
        Ok(batch)
    }

    /// Passes over the rest of the stream.
    pub(super) fn skip_rest(&mut self, options: &ReadOptions) -> PolarsResult<()> {
        while self.current.ended.is_none() {
            let start = self.input.position();
            match self.input.next(&options.limits).map_err(|e| place(self.current.batches, e))? {
                Item::End { marked } => self.end(marked, options)?,
                Item::Message(Message { header: Header::Schema(_), .. }) => return Err(second_schema()),
                Item::Message(Message { header, body_len, .. }) => {
                    let is_dictionary = matches!(header, Header::Dictionary(_));
                    self.current.note(start, is_dictionary);
                    let body = self.input.body(BodyRequest::skip(body_len));
                    body.map_err(|e| place(self.current.batches, e))?;
                    self.current.batches += usize::from(!is_dictionary);
                },
            }
        }
        Ok(())
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
