//! Batches written as they arrive.

use std::fmt;
use std::io::Write;
use std::marker::PhantomData;

use floe_format::KeyValues;
use polars_core::prelude::*;

use super::engine::Engine;
use super::format::{FileFormat, StreamFormat, WriteFormat};
use super::output::Output;
use crate::options::Metadata;
use crate::schema::key_values;
use crate::summary::WriteSummary;

/// A file written batch by batch; made by [`IpcWriter::batched`](super::IpcWriter::batched). The methods are those of
/// [`BatchWriter`].
///
/// The dictionaries of categorical columns, which may grow until the end, follow the batches:
/// a file may have only one for each. Readers of files find them through the footer.
///
/// ```
/// use floe_frame::{IpcReader, IpcWriter};
/// use polars_core::prelude::*;
/// use polars_io::{SerReader, SerWriter};
///
/// let df = DataFrame::new(2, vec![Column::new("a".into(), [0, 1])])?;
/// let mut writer = IpcWriter::new(Vec::new()).batched(df.schema())?;
/// writer.write_batch(&df)?;
/// writer.write_batch(&df)?;
/// writer.finish()?;
/// assert_eq!(IpcReader::from_bytes(writer.into_inner()).finish()?.height(), 4);
/// # PolarsResult::Ok(())
/// ```
pub type BatchedWriter<W> = BatchWriter<W, FileFormat>;

/// A stream written batch by batch; made by [`IpcStreamWriter::batched`](super::IpcStreamWriter::batched). The methods
/// are those of [`BatchWriter`].
///
/// When the categories of a categorical column grow, the stream replaces its dictionary, or
/// extends it if `with_dictionary_deltas(true)` was set.
///
/// ```
/// use floe_frame::{IpcStreamReader, IpcStreamWriter};
/// use polars_core::prelude::*;
/// use polars_io::{SerReader, SerWriter};
///
/// let df = DataFrame::new(2, vec![Column::new("a".into(), [0, 1])])?;
/// let mut writer = IpcStreamWriter::new(Vec::new()).batched(df.schema())?;
/// writer.write_batch(&df)?;
/// writer.finish()?;
/// assert!(IpcStreamReader::from_bytes(writer.into_inner()).finish()?.equals(&df));
/// # PolarsResult::Ok(())
/// ```
pub type BatchedStreamWriter<W> = BatchWriter<W, StreamFormat>;

/// A writer of batches in the format `F`: a [`BatchedWriter`] or a [`BatchedStreamWriter`].
///
/// ```
/// use floe_frame::{BatchWriter, IpcWriter, WriteFormat};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// fn twice<F: WriteFormat>(writer: &mut BatchWriter<Vec<u8>, F>, df: &DataFrame) -> PolarsResult<()> {
///     writer.write_batch(df)?;
///     writer.write_batch(df)
/// }
/// let df = DataFrame::new(2, vec![Column::new("a".into(), [0, 1])])?;
/// let mut writer = IpcWriter::new(Vec::new()).batched(df.schema())?;
/// twice(&mut writer, &df)?;
/// assert_eq!(writer.finish()?.rows, 4);
/// # PolarsResult::Ok(())
/// ```
pub struct BatchWriter<W: Write, F> {
    engine: Engine<Output<W>>,
    format: PhantomData<F>,
}

impl<W: Write, F: WriteFormat> BatchWriter<W, F> {
    pub(super) fn new(engine: Engine<Output<W>>) -> Self {
        Self { engine, format: PhantomData }
    }

    /// Writes a frame: as one record batch, unless it is large or a batch size was set.
    /// Its chunks need not be aligned. See [`BatchedWriter`] for an example.
    ///
    /// # Errors
    /// When the columns' names, order or dtypes differ from the schema's (nothing is
    /// written then), or the writer fails (every later call fails then).
    pub fn write_batch(&mut self, df: &DataFrame) -> PolarsResult<()> {
        self.write_batch_with_metadata(df, Metadata::default())
    }

    /// As [`write_batch`](Self::write_batch), with custom metadata in the message of each
    /// record batch written.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamWriter, Metadata};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// let df = DataFrame::new(2, vec![Column::new("a".into(), [0, 1])])?;
    /// let mut writer = IpcStreamWriter::new(Vec::new()).batched(df.schema())?;
    /// writer.write_batch_with_metadata(&df, Metadata::from([("sensor".into(), "7".into())]))?;
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`write_batch`](Self::write_batch).
    pub fn write_batch_with_metadata(&mut self, df: &DataFrame, metadata: Metadata) -> PolarsResult<()> {
        check_schema(self.engine.schema(), df)?;
        self.engine.write_more(df, &batch_metadata(&metadata))
    }

    /// Writes the pending batches and the end, and flushes the writer. Without it the output is incomplete, and a
    /// reader will say so. See [`BatchedWriter`] for an example.
    ///
    /// # Errors
    /// When the writer fails, has failed before, or this has been called before.
    pub fn finish(&mut self) -> PolarsResult<WriteSummary> {
        self.engine.finish()
    }

    /// The counters of this writer so far.
    ///
    /// ```
    /// # use floe_frame::IpcWriter;
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// let writer = IpcWriter::new(Vec::new()).batched(&Schema::default())?;
    /// assert_eq!(writer.summary().batches, 0);
    /// assert!(writer.summary().written_bytes > 0, "the schema");
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn summary(&self) -> WriteSummary {
        self.engine.summary()
    }

    /// The writer, given back. See [`BatchedWriter`] for an example.
    #[must_use]
    pub fn into_inner(self) -> W {
        self.engine.into_sink().into_inner()
    }
}

/// The pipeline, for callers that have something to do while batches are encoded: floe's sinks.
#[doc(hidden)]
impl<W: Write, F: WriteFormat> BatchWriter<W, F> {
    /// As [`write_batch`](Self::write_batch), but returns while the batch is still being encoded. About 48 MiB of
    /// batches, two at least, may be on their way. The calls that follow write them, so an error may come from a later
    /// call. The bytes are the same.
    ///
    /// # Errors
    /// As [`write_batch`](Self::write_batch), also for the batches before this one.
    pub fn submit_batch(&mut self, df: &DataFrame) -> PolarsResult<()> {
        check_schema(self.engine.schema(), df)?;
        self.engine.submit_more(df, &key_values(&Metadata::default()))
    }

    /// Writes the oldest batch that [`submit_batch`](Self::submit_batch) left on its way, waiting for it to be encoded.
    /// False if there is none.
    ///
    /// # Errors
    /// When the batch cannot be encoded, or the writer fails.
    pub fn write_submitted(&mut self) -> PolarsResult<bool> {
        self.engine.write_oldest()
    }

    /// Gives back memory that only the next batch needs. For many writers held open at once.
    pub fn shrink_to_fit(&mut self) {
        self.engine.shrink_to_fit();
    }

    /// Leaves the layout out of the footer if the file has more bytes with it.
    pub fn set_max_bytes(&mut self, max_bytes: u64) {
        self.engine.emitter.set_max_bytes(max_bytes);
    }

    /// The writer below. Writing to it corrupts the output.
    pub fn get_mut(&mut self) -> &mut W {
        self.engine.sink_mut().get_mut()
    }
}

impl<W: Write> BatchWriter<W, FileFormat> {
    /// Adds custom metadata to the footer, as in Polars.
    ///
    /// ```
    /// # use floe_frame::IpcWriter;
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// let mut writer = IpcWriter::new(Vec::new()).batched(&Schema::default())?;
    /// writer.set_custom_metadata(vec![("made by".to_owned(), "me".to_owned())]);
    /// writer.finish()?;
    /// # PolarsResult::Ok(())
    /// ```
    pub fn set_custom_metadata(&mut self, custom_metadata: Vec<(String, String)>) {
        let metadata = custom_metadata.into_iter().map(|(key, value)| (key.into(), value.into()));
        self.engine.set_footer_metadata(metadata.collect());
    }
}

impl<W: Write, F: WriteFormat> fmt::Debug for BatchWriter<W, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(F::BATCHED).field("summary", &self.summary()).finish_non_exhaustive()
    }
}

/// Custom metadata of a batch. Statistics are about the batch they were made for, not this one.
pub(super) fn batch_metadata(metadata: &Metadata) -> KeyValues {
    let mut metadata = key_values(metadata);
    metadata.retain(|(key, _)| key != crate::statistics::KEY);
    metadata
}

pub(super) fn check_schema(expected: &Schema, df: &DataFrame) -> PolarsResult<()> {
    polars_ensure!(
        df.width() == expected.len(),
        SchemaMismatch: "the batch has {} columns, the schema {}", df.width(), expected.len()
    );
    for ((name, dtype), column) in expected.iter().zip(df.columns()) {
        polars_ensure!(
            column.name() == name,
            SchemaMismatch: "the batch has column \"{}\" where the schema has \"{name}\"", column.name()
        );
        polars_ensure!(
            column.dtype() == dtype,
            SchemaMismatch: "column \"{name}\" of the batch is {}, the schema says {dtype}", column.dtype()
        );
    }
    Ok(())
}
