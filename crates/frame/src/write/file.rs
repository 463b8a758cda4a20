//! The file writer.

use std::io::Write;
use std::sync::Arc;

use polars_core::prelude::*;
use polars_io::SerWriter;
use polars_io::ipc::IpcCompression;

use super::batched::BatchedWriter;
use super::emit::Container;
use super::engine::{Engine, Options, write_frame};
use crate::options::Metadata;
use crate::summary::WriteSummary;

/// Writes a DataFrame to an Arrow IPC file.
///
/// The file is also a stream: from byte 8 on, any stream reader can read it.
///
/// ```
/// use floe_frame::{IpcReader, IpcWriter};
/// use polars_core::prelude::*;
/// use polars_io::{SerReader, SerWriter};
/// use std::io::Cursor;
///
/// let days = Column::new("days".into(), [0, 1, 2]);
/// let mut df = DataFrame::new(3, vec![days])?;
/// let mut bytes = Vec::new();
/// IpcWriter::new(&mut bytes).finish(&mut df)?;
/// assert!(IpcReader::new(Cursor::new(bytes)).finish()?.equals(&df));
/// # PolarsResult::Ok(())
/// ```
#[must_use]
pub struct IpcWriter<W> {
    writer: W,
    options: Options,
    summary: WriteSummary,
    /// Part of a frame has been written, and the rest could not be.
    broken: bool,
}

impl<W> IpcWriter<W> {
    /// Set the compression used. Defaults to None.
    pub fn with_compression(mut self, compression: Option<IpcCompression>) -> Self {
        self.options.compression = compression;
        self
    }

    /// Which Arrow types to use: the oldest level writes strings with offsets, the newest as
    /// views. Defaults to the newest, as in Polars.
    pub fn with_compat_level(mut self, compat_level: CompatLevel) -> Self {
        self.options.compat_level = compat_level;
        self
    }

    /// Rows a record batch: exactly so many, the last has what is left. By default about
    /// 262,144 rows, fewer if they take more than 32 MiB.
    pub fn with_record_batch_size(mut self, record_batch_size: Option<usize>) -> Self {
        self.options.record_batch_size = record_batch_size;
        self
    }

    /// Write each column's sortedness flags into every record batch's metadata, where Polars'
    /// streaming engine looks for them.
    pub fn with_record_batch_statistics(mut self, record_batch_statistics: bool) -> Self {
        self.options.record_batch_statistics = record_batch_statistics;
        self
    }

    /// Encode and compress on Polars' thread pool. Defaults to true; the bytes are the same.
    pub fn with_parallel(mut self, parallel: bool) -> Self {
        self.options.parallel = parallel;
        self
    }

    /// Sets custom metadata of the schema. Must be called before anything is written.
    pub fn set_custom_schema_metadata(&mut self, custom_metadata: Arc<Metadata>) {
        self.options.schema_metadata = Some(custom_metadata);
    }

    /// Sets custom metadata of a column. Writing fails if the frame has no such column.
    pub fn set_custom_field_metadata(&mut self, column: &str, metadata: Metadata) {
        self.options.set_field_metadata(column, metadata);
    }

    /// Writes the schema and waits for batches.
    ///
    /// # Errors
    /// When a dtype cannot be written, which is found before anything is, or the writer fails.
    pub fn batched(self, schema: &Schema) -> PolarsResult<BatchedWriter<W>>
    where
        W: Write,
    {
        Engine::start(self.writer, &Arc::new(schema.clone()), &self.options).map(BatchedWriter::new)
    }

    /// What `finish` wrote; all zero before.
    #[must_use]
    pub fn summary(&self) -> WriteSummary {
        self.summary
    }
}

impl<W: Write> SerWriter<W> for IpcWriter<W> {
    fn new(writer: W) -> Self {
        let options = Options::new(Container::File);
        Self { writer, options, summary: WriteSummary::default(), broken: false }
    }

    /// Writes the frame: a complete file. The frame is not changed.
    fn finish(&mut self, df: &mut DataFrame) -> PolarsResult<()> {
        self.summary = WriteSummary::default();
        self.summary = write_frame(&mut self.writer, df, &self.options, &mut self.broken)?;
        Ok(())
    }
}

impl<W> std::fmt::Debug for IpcWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpcWriter").field("options", &self.options).finish_non_exhaustive()
    }
}
