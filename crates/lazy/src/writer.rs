//! A stream writer or a file writer, whichever was asked for.

use std::io::Write;

use floe_frame::{BatchedStreamWriter, BatchedWriter, WriteSummary};
use polars_core::prelude::*;

/// Stream or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Stream,
    File,
}

/// A writer of either.
pub(crate) enum Writer<W: Write> {
    Stream(BatchedStreamWriter<W>),
    File(BatchedWriter<W>),
}

macro_rules! either {
    ($writer:expr, $inner:ident => $call:expr) => {
        match $writer {
            Writer::Stream($inner) => $call,
            Writer::File($inner) => $call,
        }
    };
}

impl<W: Write> Writer<W> {
    /// Starts work on a frame; the frames before it may be written meanwhile.
    pub(crate) fn submit(&mut self, df: &DataFrame) -> PolarsResult<()> {
        either!(self, writer => writer.submit_batch(df))
    }

    /// Writes the oldest batch on its way; false if there is none.
    pub(crate) fn write_submitted(&mut self) -> PolarsResult<bool> {
        either!(self, writer => writer.write_submitted())
    }

    /// Writes a frame and all before it.
    pub(crate) fn write(&mut self, df: &DataFrame) -> PolarsResult<()> {
        either!(self, writer => writer.write_batch(df))
    }

    pub(crate) fn finish(&mut self) -> PolarsResult<WriteSummary> {
        either!(self, writer => writer.finish())
    }

    pub(crate) fn summary(&self) -> WriteSummary {
        either!(self, writer => writer.summary())
    }

    pub(crate) fn shrink_to_fit(&mut self) {
        either!(self, writer => writer.shrink_to_fit());
    }

    pub(crate) fn set_max_bytes(&mut self, max_bytes: u64) {
        either!(self, writer => writer.set_max_bytes(max_bytes));
    }

    pub(crate) fn get_mut(&mut self) -> &mut W {
        either!(self, writer => writer.get_mut())
    }

    pub(crate) fn into_inner(self) -> W {
        either!(self, writer => writer.into_inner())
    }
}
