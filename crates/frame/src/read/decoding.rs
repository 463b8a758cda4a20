//! Batches of a stream to columns, on any thread.

use std::sync::Arc;

use floe_array::decode::Budget;
use polars_core::prelude::*;

use super::assemble::decode_frame;
use super::fetch::fetch;
use super::flags;
use super::frame::finish_frame;
use super::frame_builder::FrameBuilder;
use super::options::{Projection, ReadOptions};
use super::pending::PendingBatch;
use crate::pool;
use crate::schema::ReadSchema;

/// The inputs of decoding beside the batches.
pub(super) struct Decoding {
    pub(super) schema: Arc<ReadSchema>,
    pub(super) projection: Arc<Projection>,
    pub(super) options: ReadOptions,
    pub(super) budget: Arc<Budget>,
}

impl Decoding {
    /// Batches as a frame of their own, which begins at row `before`. Bodies on disk are read as wholes if that is better.
    pub(super) fn frame(&self, mut batches: Vec<PendingBatch<'_>>, before: usize) -> PolarsResult<DataFrame> {
        let Self { schema, projection, options, budget } = self;
        let executor = pool::executor(options.parallel);
        fetch(&mut batches, schema, projection, options, executor)?;
        let mut df = decode_frame(schema, projection, options, &batches, budget, executor)?;
        flags::restore(&mut df, projection, batches.iter().map(|batch| &batch.head.metadata))?;
        finish_frame(df, options, before)
    }

    /// Batches behind those of a frame.
    pub(super) fn onto(&self, frame: &mut FrameBuilder, batches: &[PendingBatch<'_>]) -> PolarsResult<()> {
        let Self { schema, options, budget, .. } = self;
        frame.decode(schema, options, batches, budget, pool::executor(options.parallel))
    }
}
