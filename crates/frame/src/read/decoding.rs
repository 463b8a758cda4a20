//! Batches of a stream to columns, on any thread.

use std::sync::Arc;

use floe_array::Segments;
use floe_array::decode::Budget;
use polars_core::prelude::*;

use super::assemble::{BatchInput, GrowingFrame, decode_frame, finish_frame};
use super::fetch::{Placed, fetch};
use super::flags;
use super::options::{Projection, ReadOptions};
use super::stream_source::StreamBatch;
use crate::pool;
use crate::schema::ReadSchema;

/// What decoding takes beside the batches.
pub(super) struct Decoding {
    pub(super) schema: Arc<ReadSchema>,
    pub(super) projection: Arc<Projection>,
    pub(super) options: ReadOptions,
    pub(super) budget: Arc<Budget>,
}

impl Decoding {
    /// Batches as a frame of their own, which begins at row `before`.
    pub(super) fn frame(&self, batches: &[StreamBatch], before: usize) -> PolarsResult<DataFrame> {
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
    pub(super) fn onto(&self, frame: &mut GrowingFrame, batches: &[StreamBatch]) -> PolarsResult<()> {
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
