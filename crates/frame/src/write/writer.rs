//! The writers of whole frames, of both formats: their builder methods, and [`finish`](SerWriter::finish).

use std::fmt;
use std::io::Write;
use std::marker::PhantomData;
use std::sync::Arc;

use polars_core::prelude::*;
use polars_io::SerWriter;
use polars_io::ipc::IpcCompression;

use super::batched::BatchWriter;
use super::emit::Container;
use super::engine::{Engine, write_frame};
use super::format::{FileFormat, StreamFormat, WriteFormat};
use super::options::Options;
use super::output::Output;
use crate::options::Metadata;
use crate::summary::WriteSummary;

/// Writes a DataFrame to an Arrow IPC file.
///
/// The file is also a stream: from byte 8 on, any stream reader can read it. The methods are those of [`FrameWriter`].
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
pub type IpcWriter<W> = FrameWriter<W, FileFormat>;

/// Writes a DataFrame to an Arrow IPC stream. The methods are those of [`FrameWriter`].
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
pub type IpcStreamWriter<W> = FrameWriter<W, StreamFormat>;

/// A writer of the format `F`: an [`IpcWriter`] or an [`IpcStreamWriter`].
///
/// ```
/// use floe_frame::{FrameWriter, IpcStreamWriter, IpcWriter, WriteFormat};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// // What suits both formats can be said once.
/// fn in_thousands<F: WriteFormat>(writer: FrameWriter<Vec<u8>, F>) -> FrameWriter<Vec<u8>, F> {
///     writer.with_record_batch_size(1000).with_statistics(true)
/// }
/// let mut df = DataFrame::new(2000, vec![Column::new("n".into(), vec![7i64; 2000])])?;
/// let mut writer = in_thousands(IpcWriter::new(Vec::new()));
/// writer.finish(&mut df)?;
/// assert_eq!(writer.summary().batches, 2);
/// in_thousands(IpcStreamWriter::new(Vec::new())).finish(&mut df)?;
/// # PolarsResult::Ok(())
/// ```
#[must_use]
pub struct FrameWriter<W, F> {
    writer: W,
    options: Options,
    summary: WriteSummary,
    /// Part of a frame has been written, and the rest could not be.
    broken: bool,
    format: PhantomData<F>,
}

impl<W, F: WriteFormat> FrameWriter<W, F> {
    /// The compression of buffers. Defaults to none.
    ///
    /// ```
    /// # use floe_frame::IpcWriter;
    /// # use polars_io::{SerWriter, ipc::IpcCompression};
    /// let writer = IpcWriter::new(Vec::new()).with_compression(Some(IpcCompression::LZ4));
    /// # let _ = writer;
    /// ```
    pub fn with_compression(mut self, compression: Option<IpcCompression>) -> Self {
        self.options.compression = compression;
        self
    }

    /// Which Arrow types to use: the oldest level writes strings with offsets, the newest as views.
    /// Defaults as in Polars: the newest for files, the oldest for streams.
    ///
    /// ```
    /// # use floe_frame::IpcStreamWriter;
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// let writer = IpcStreamWriter::new(Vec::new()).with_compat_level(CompatLevel::newest());
    /// # let _ = writer;
    /// ```
    pub fn with_compat_level(mut self, compat_level: CompatLevel) -> Self {
        self.options.compat_level = Some(compat_level);
        self
    }

    /// Write only what every Arrow engine can query (DataFusion, Ballista, DuckDB, pyarrow's datasets): the oldest compat
    /// level, and categoricals and enums as strings, at every depth. Defaults to false. `docs/engines.md` says which
    /// engine reads which type.
    ///
    /// Writing fails, before the first byte, if a column holds 128-bit integers, which Arrow does not have, or categoricals
    /// of an extension type. It also fails if another compat level is asked for. Engines read files; most of them cannot query streams.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// let dtype = DataType::from_categories(Categories::global());
    /// let column = Column::new("kind".into(), ["a", "b", "a"]).cast(&dtype)?;
    /// let mut file = Vec::new();
    /// IpcWriter::new(&mut file).with_interop(true).finish(&mut DataFrame::new(3, vec![column])?)?;
    /// assert_eq!(IpcReader::from_bytes(file).finish()?.dtypes(), [DataType::String]);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_interop(mut self, interop: bool) -> Self {
        self.options.interop = interop;
        self
    }

    /// Rows per record batch: all batches have exactly that many, the last one has the rest. By default about 262,144
    /// rows, fewer if they take more than 32 MiB.
    ///
    /// ```
    /// # use floe_frame::IpcWriter;
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// let mut df = DataFrame::new(5, vec![Column::new("a".into(), [0, 1, 2, 3, 4])])?;
    /// let mut writer = IpcWriter::new(Vec::new()).with_record_batch_size(2);
    /// writer.finish(&mut df)?;
    /// assert_eq!(writer.summary().batches, 3);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_record_batch_size(mut self, record_batch_size: impl Into<Option<usize>>) -> Self {
        self.options.record_batch_size = record_batch_size.into();
        self
    }

    /// Write each column's sortedness flags into every record batch's metadata, where Polars'
    /// streaming engine looks for them. Defaults to false.
    ///
    /// ```
    /// # use floe_frame::IpcWriter;
    /// # use polars_io::SerWriter;
    /// let writer = IpcWriter::new(Vec::new()).with_record_batch_statistics(true);
    /// # let _ = writer;
    /// ```
    pub fn with_record_batch_statistics(mut self, record_batch_statistics: bool) -> Self {
        self.options.record_batch_statistics = record_batch_statistics;
        self
    }

    /// Write each column's smallest and largest value and null count into every record
    /// batch's metadata, under a key that other readers ignore, and of files once more into
    /// the footer. floe's scans skip batches by them. Defaults to false.
    ///
    /// Nested columns, categoricals, enums and binaries have their nulls counted only, as
    /// do floats of a batch in which a NaN occurs.
    ///
    /// ```
    /// # use floe_frame::IpcWriter;
    /// # use polars_io::SerWriter;
    /// let writer = IpcWriter::new(Vec::new()).with_statistics(true);
    /// # let _ = writer;
    /// ```
    pub fn with_statistics(mut self, statistics: bool) -> Self {
        self.options.statistics = statistics;
        self
    }

    /// Copy the data of string and binary views together in the order of the rows. By default
    /// it is written from the buffers in which it lies, if those hold nothing else; so frames
    /// that are equal may be written as different bytes. Defaults to false.
    ///
    /// ```
    /// # use floe_frame::IpcWriter;
    /// # use polars_io::SerWriter;
    /// let writer = IpcWriter::new(Vec::new()).with_canonical_views(true);
    /// # let _ = writer;
    /// ```
    pub fn with_canonical_views(mut self, canonical_views: bool) -> Self {
        self.options.canonical_views = canonical_views;
        self
    }

    /// Write data as it lies in memory although some of it belongs to no row of the frame, where that saves a copy.
    /// This concerns buffers of strings and binaries of which most is in use (unless
    /// [`with_canonical_views`](Self::with_canonical_views) copies them together anyway), and numbers and booleans
    /// under nulls. So values of rows that a filter or a slice left out may get into the file. Defaults to false: no
    /// such byte is written. The frame that is read back is the same.
    ///
    /// ```
    /// # use floe_frame::IpcWriter;
    /// # use polars_io::SerWriter;
    /// let writer = IpcWriter::new(Vec::new()).with_unreferenced_data(true);
    /// # let _ = writer;
    /// ```
    pub fn with_unreferenced_data(mut self, unreferenced_data: bool) -> Self {
        self.options.unreferenced_data = unreferenced_data;
        self
    }

    /// Encode and compress on Polars' thread pool. Defaults to true; the bytes are the same.
    ///
    /// ```
    /// # use floe_frame::IpcWriter;
    /// # use polars_io::SerWriter;
    /// let writer = IpcWriter::new(Vec::new()).with_parallel(false);
    /// # let _ = writer;
    /// ```
    pub fn with_parallel(mut self, parallel: bool) -> Self {
        self.options.parallel = parallel;
        self
    }

    /// Sets custom metadata of the schema. Must be called before anything is written.
    ///
    /// A writer takes strings. Metadata that was read and is not UTF-8 can therefore not be written. Readers hand it
    /// out as bytes (`schema_metadata_bytes`), and leave it out of the maps that could be passed on to here.
    ///
    /// ```
    /// # use floe_frame::{IpcWriter, Metadata};
    /// # use polars_io::SerWriter;
    /// # use std::sync::Arc;
    /// let mut writer = IpcWriter::new(Vec::new());
    /// writer.set_custom_schema_metadata(Arc::new(Metadata::from([("made by".into(), "me".into())])));
    /// ```
    pub fn set_custom_schema_metadata(&mut self, custom_metadata: Arc<Metadata>) {
        self.options.schema_metadata = Some(custom_metadata);
    }

    /// Sets custom metadata of a column. Writing fails if the frame has no such column.
    ///
    /// ```
    /// # use floe_frame::{IpcWriter, Metadata};
    /// # use polars_io::SerWriter;
    /// let mut writer = IpcWriter::new(Vec::new());
    /// writer.set_custom_field_metadata("speed", Metadata::from([("unit".into(), "m/s".into())]));
    /// ```
    pub fn set_custom_field_metadata(&mut self, column: &str, metadata: Metadata) {
        self.options.set_field_metadata(column, metadata);
    }

    /// Writes the schema and waits for batches.
    ///
    /// ```
    /// # use floe_frame::IpcStreamWriter;
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// let df = DataFrame::new(2, vec![Column::new("a".into(), [0, 1])])?;
    /// let mut writer = IpcStreamWriter::new(Vec::new()).batched(df.schema())?;
    /// writer.write_batch(&df)?;
    /// assert_eq!(writer.finish()?.rows, 2);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When a dtype cannot be written, which is found before anything is, or the writer fails.
    pub fn batched(self, schema: &Schema) -> PolarsResult<BatchWriter<W, F>>
    where
        W: Write,
    {
        Engine::start(Output::new(self.writer), &Arc::new(schema.clone()), &self.options)
            .map(BatchWriter::new)
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    pub(super) fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }

    /// The counters of `finish`; all zero before.
    ///
    /// ```
    /// # use floe_frame::IpcWriter;
    /// # use polars_io::SerWriter;
    /// assert_eq!(IpcWriter::new(Vec::new()).summary().rows, 0);
    /// ```
    #[must_use]
    pub fn summary(&self) -> WriteSummary {
        self.summary
    }
}

impl<W> FrameWriter<W, FileFormat> {
    /// Whether the footer of a file of more than 256 KiB says where the buffers of each batch are. It takes some bytes
    /// for each column and batch, and saves readers of object stores a request for each batch's head. Other readers
    /// ignore it. Defaults to true.
    ///
    /// ```
    /// # use floe_frame::IpcWriter;
    /// # use polars_io::SerWriter;
    /// let writer = IpcWriter::new(Vec::new()).with_layout(false);
    /// # let _ = writer;
    /// ```
    pub fn with_layout(mut self, layout: bool) -> Self {
        self.options.layout = layout;
        self
    }
}

impl<W> FrameWriter<W, StreamFormat> {
    /// When categories grow between batches, send the new ones instead of the whole dictionary again. Defaults to
    /// false: Polars' own reader rejects deltas.
    ///
    /// ```
    /// # use floe_frame::IpcStreamWriter;
    /// # use polars_io::SerWriter;
    /// let writer = IpcStreamWriter::new(Vec::new()).with_dictionary_deltas(true);
    /// # let _ = writer;
    /// ```
    pub fn with_dictionary_deltas(mut self, dictionary_deltas: bool) -> Self {
        self.options.dictionary_deltas = dictionary_deltas;
        self
    }
}

impl<W: Write, F: WriteFormat> SerWriter<W> for FrameWriter<W, F> {
    fn new(writer: W) -> Self {
        let options = Options::new(if F::IS_FILE { Container::File } else { Container::Stream });
        Self { writer, options, summary: WriteSummary::default(), broken: false, format: PhantomData }
    }

    /// Writes the frame: a complete stream or file. The frame is not changed.
    fn finish(&mut self, df: &mut DataFrame) -> PolarsResult<()> {
        self.summary = WriteSummary::default();
        self.summary = write_frame(&mut self.writer, df, &self.options, &mut self.broken)?;
        Ok(())
    }
}

impl<W, F: WriteFormat> fmt::Debug for FrameWriter<W, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(F::WRITER)
            .field("options", &self.options)
            .field("summary", &self.summary)
            .field("broken", &self.broken)
            .finish_non_exhaustive()
    }
}
