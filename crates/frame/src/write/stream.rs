//! The stream writer.

use std::io::Write;
use std::sync::Arc;

use polars_core::prelude::*;
use polars_io::SerWriter;
use polars_io::ipc::IpcCompression;

use super::batched::BatchedStreamWriter;
use super::emit::Container;
use super::engine::{Engine, write_frame};
use super::methods::writer_methods;
use super::options::Options;
use crate::options::Metadata;
use crate::summary::WriteSummary;

/// Writes a DataFrame to an Arrow IPC stream.
///
/// ```
/// use floe_frame::{IpcStreamReader, IpcStreamWriter};
/// use polars_core::prelude::*;
/// use polars_io::{SerReader, SerWriter};
///
/// let days = Column::new("days".into(), [0, 1, 2]);
/// let mut df = DataFrame::new(3, vec![days])?;
/// let mut bytes = Vec::new();
/// IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
/// assert!(IpcStreamReader::new(bytes.as_slice()).finish()?.equals(&df));
/// # PolarsResult::Ok(())
/// ```
#[must_use]
pub struct IpcStreamWriter<W> {
    writer: W,
    options: Options,
    summary: WriteSummary,
    /// Part of a frame has been written, and the rest could not be.
    broken: bool,
}

impl<W> IpcStreamWriter<W> {
    /// When categories grow between batches, send what is new instead of the whole dictionary
    /// again. Defaults to false: Polars' own reader rejects deltas.
    pub fn with_dictionary_deltas(mut self, dictionary_deltas: bool) -> Self {
        self.options.dictionary_deltas = dictionary_deltas;
        self
    }
}

writer_methods!(IpcStreamWriter, BatchedStreamWriter, Container::Stream);
