//! The file reader.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::ArrowSchemaRef;
use floe_format::{IpcLimits, NotUtf8};
use polars_buffer::Buffer;
use polars_core::prelude::*;
use polars_io::SerReader;
use polars_io::mmap::MmapBytesReader;
use polars_utils::pl_str::PlRefStr;

use super::bytes::OwnedBytes;
use super::file_batches::Batches;
use super::heads::batch_at;
use super::open_file::{FileView, OpenFile};
use super::options::ReadOptions;
use super::ranged::ReaderSource;
use super::recover::{Recovered, recover};
use crate::error::format_error;
use crate::options::{Metadata, MetadataBytes};
use crate::schema::{ReadSchema, arrow_schema, field_metadata, metadata_map, user_metadata};

/// Reads an Arrow IPC file into a DataFrame.
///
/// The format says that custom metadata is UTF-8. Entries that are not are left out of the maps of
/// strings; methods whose names end in `_bytes` have them. Only text can be written.
///
/// ```
/// use floe_frame::{IpcReader, IpcWriter};
/// use polars_core::prelude::*;
/// use polars_io::{SerReader, SerWriter};
///
/// let mut df = DataFrame::new(3, vec![Column::new("days".into(), [0, 1, 2])])?;
/// let mut bytes = Vec::new();
/// IpcWriter::new(&mut bytes).with_record_batch_size(Some(1)).finish(&mut df)?;
///
/// let reader = IpcReader::from_bytes(bytes);
/// assert_eq!(reader.num_record_batches()?, 3);
/// assert_eq!(reader.get_batch(2)?, df.slice(2, 1));
/// # PolarsResult::Ok(())
/// ```
#[must_use]
pub struct IpcReader<R: MmapBytesReader> {
    /// Opened at the first use, also through `&self`.
    state: Mutex<State<R>>,
    memory_map: Option<PathBuf>,
    pub(super) options: ReadOptions,
    hive_partition_columns: Option<Vec<Series>>,
    include_file_path: Option<(PlSmallStr, PlRefStr)>,
}

enum State<R> {
    New {
        reader: R,
        shared: Option<Buffer<u8>>,
    },
    Open(Arc<OpenFile<R>>),
    /// With the error, unless opening it panicked.
    Failed(Option<PolarsError>),
}

impl IpcReader<OwnedBytes> {
    /// Reads a file that is in memory: `Vec<u8>`, `Bytes`, a memory map. Buffers that are not
    /// compressed become views into it, without a copy.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// assert_eq!(IpcReader::from_bytes(bytes).finish()?, df);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn from_bytes<B: AsRef<[u8]> + Send + Sync + 'static>(bytes: B) -> Self {
        let bytes = OwnedBytes::new(bytes);
        let shared = Some(bytes.buffer().clone());
        Self { state: Mutex::new(State::New { reader: bytes.clone(), shared }), ..Self::new(bytes) }
    }
}

impl<R: MmapBytesReader> IpcReader<R> {
    /// Reads the complete batches of a file whose writer died before the footer, and says how many
    /// bytes were left over. Whole files are read as well.
    ///
    /// ```
    /// use floe_frame::{IpcReader, IpcWriter};
    /// use polars_core::prelude::*;
    /// use polars_io::SerWriter;
    /// use std::io::Cursor;
    ///
    /// let mut df = DataFrame::new(3, vec![Column::new("days".into(), [0, 1, 2])])?;
    /// let mut bytes = Vec::new();
    /// IpcWriter::new(&mut bytes).with_record_batch_size(Some(1)).finish(&mut df)?;
    /// bytes.truncate(bytes.len() / 2);
    /// let saved = IpcReader::recover(Cursor::new(bytes))?;
    /// assert!(saved.batches < 3 && saved.df == df.head(Some(saved.batches)));
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When not even the schema is there, or a batch needs a dictionary that was never written (as
    /// [`BatchedWriter`](crate::BatchedWriter) writes those of categoricals last).
    pub fn recover(reader: R) -> PolarsResult<Recovered> {
        recover(reader, IpcLimits::default())
    }

    /// As [`recover`](Self::recover), with caps on what the file may claim.
    ///
    /// ```
    /// # use floe_frame::{IpcLimits, IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// use std::io::Cursor;
    ///
    /// bytes.truncate(bytes.len() - 10); // the footer's end
    /// let recovered = IpcReader::recover_with_limits(Cursor::new(bytes), IpcLimits::default())?;
    /// assert_eq!(recovered.df, df);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`recover`](Self::recover), and when a limit is exceeded before the first batch.
    pub fn recover_with_limits(reader: R, limits: IpcLimits) -> PolarsResult<Recovered> {
        recover(reader, limits)
    }

    fn open(&self) -> PolarsResult<Arc<OpenFile<R>>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = match std::mem::replace(&mut *state, State::Failed(None)) {
            State::Open(file) => Ok(file),
            State::New { reader, shared } => ReaderSource::open(reader, shared, self.memory_map.is_some())
                .and_then(|source| OpenFile::new(source, &self.options.limits))
                .map(Arc::new),
            State::Failed(Some(first)) => {
                *state = State::Failed(Some(first.clone()));
                return Err(first.wrap_msg(|msg| format!("opening this Arrow IPC file failed before: {msg}")));
            },
            State::Failed(None) => polars_bail!(ComputeError: "opening this Arrow IPC file panicked before"),
        };
        *state = match &opened {
            Ok(file) => State::Open(Arc::clone(file)),
            Err(error) => State::Failed(Some(error.clone())),
        };
        opened
    }

    fn read_schema(&self) -> PolarsResult<Arc<ReadSchema>> {
        Ok(self.open()?.schema(&self.options.types))
    }

    /// The Arrow schema of the file, as in Polars.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let mut reader = IpcReader::from_bytes(bytes);
    /// assert!(reader.schema()?.contains("a"));
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the footer is not valid.
    pub fn schema(&mut self) -> PolarsResult<ArrowSchemaRef> {
        Ok(Arc::new(arrow_schema(&self.read_schema()?.written)))
    }

    /// The Arrow schema of the file, with the metadata of its fields.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let mut reader = IpcReader::from_bytes(bytes);
    /// assert_eq!(reader.arrow_schema()?.len(), 2);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the footer is not valid.
    pub fn arrow_schema(&mut self) -> PolarsResult<ArrowSchemaRef> {
        self.schema()
    }

    /// The Polars schema of the file.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let mut reader = IpcReader::from_bytes(bytes);
    /// assert_eq!(reader.polars_schema()?.get("b"), Some(&DataType::String));
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the footer is not valid, or has a column that Polars cannot hold.
    pub fn polars_schema(&mut self) -> PolarsResult<Schema> {
        self.read_schema()?.polars().map_err(format_error)
    }

    /// The custom metadata of the schema. Entries of floe's own and metadata that is not UTF-8 are in
    /// [`custom_metadata_bytes`](Self::custom_metadata_bytes) only.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let mut reader = IpcReader::from_bytes(bytes);
    /// assert_eq!(reader.custom_metadata()?, None);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the footer is not valid.
    pub fn custom_metadata(&mut self) -> PolarsResult<Option<Arc<Metadata>>> {
        let metadata = user_metadata(&self.read_schema()?.wire.metadata);
        Ok((!metadata.is_empty()).then(|| Arc::new(metadata)))
    }

    /// All custom metadata of the schema as bytes, in its order, including entries that are not UTF-8, which are
    /// missing elsewhere.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let reader = IpcReader::from_bytes(bytes);
    /// assert!(reader.custom_metadata_bytes()?.is_empty());
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the footer is not valid.
    pub fn custom_metadata_bytes(&self) -> PolarsResult<MetadataBytes> {
        Ok(self.read_schema()?.written.metadata_bytes())
    }

    /// All custom metadata of a field as bytes. `&[2]` is the third column, `&[2, 0]` the first field in it.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let reader = IpcReader::from_bytes(bytes);
    /// assert!(reader.field_metadata_bytes(&[1])?.is_empty());
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the footer is not valid, or there is no such field.
    pub fn field_metadata_bytes(&self, path: &[usize]) -> PolarsResult<MetadataBytes> {
        field_metadata(&*self.read_schema()?, path)
    }

    /// The custom metadata of the footer, which is not the schema's: the entries of the writer's caller. Entries of
    /// floe's and Polars' own are in [`footer_metadata_bytes`](Self::footer_metadata_bytes) only.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let reader = IpcReader::from_bytes(bytes);
    /// assert!(reader.footer_metadata()?.is_empty());
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the footer is not valid.
    pub fn footer_metadata(&self) -> PolarsResult<Metadata> {
        Ok(user_metadata(&self.open()?.metadata))
    }

    /// All custom metadata of the footer as bytes, in its order, with nothing left out.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let reader = IpcReader::from_bytes(bytes);
    /// // The rows of the batches, by which Polars and floe find their way.
    /// assert_eq!(reader.footer_metadata_bytes()?[0].0, b"__POLARS_IPC_METADATA");
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the footer is not valid.
    pub fn footer_metadata_bytes(&self) -> PolarsResult<MetadataBytes> {
        let file = self.open()?;
        Ok(NotUtf8::merged(&file.metadata, &file.not_utf8))
    }

    /// How many record batches the file has.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let reader = IpcReader::from_bytes(bytes);
    /// assert_eq!(reader.num_record_batches()?, 2);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the footer is not valid.
    pub fn num_record_batches(&self) -> PolarsResult<usize> {
        Ok(self.open()?.batches.len())
    }

    /// How many rows the file has. Bodies are not touched.
    ///
    /// The index that floe and Polars write to the footer counts if it agrees with the headers of the first, the middle
    /// and the last batch. So this takes as long for many batches as for few. Otherwise all headers are read.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let reader = IpcReader::from_bytes(bytes);
    /// assert_eq!(reader.num_rows()?, 3);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the footer or a header is not valid.
    pub fn num_rows(&self) -> PolarsResult<usize> {
        self.open()?.num_rows(&self.options.limits)
    }

    /// One record batch. Only its bytes are read (and those of the dictionaries it needs).
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let reader = IpcReader::from_bytes(bytes);
    /// assert_eq!(reader.get_batch(1)?, df.slice(2, 1));
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When there is no batch `index` (the error says the range), or it is not valid.
    pub fn get_batch(&self, index: usize) -> PolarsResult<DataFrame> {
        let file = self.open()?;
        file.check_index(index)?;
        let view = FileView::of_batch(file, &self.options, index)?;
        let batch = view.locate(index, &self.options)?;
        let options = ReadOptions { n_rows: None, ..self.options.clone() };
        let df = view.decode(vec![batch], &options, 0)?;
        view.close();
        Ok(df)
    }

    /// The custom metadata of one record batch, with floe's statistics if it has any. Metadata that is not UTF-8 is in
    /// [`batch_metadata_bytes`](Self::batch_metadata_bytes) only.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let reader = IpcReader::from_bytes(bytes);
    /// assert!(reader.batch_metadata(0)?.is_empty());
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`get_batch`](Self::get_batch).
    pub fn batch_metadata(&self, index: usize) -> PolarsResult<Metadata> {
        let file = self.open()?;
        file.check_index(index)?;
        let batch = batch_at(&file.source, file.batches[index], index, &self.options.limits)?;
        Ok(metadata_map(&batch.metadata))
    }

    /// The same as bytes, in its order, including entries that are not UTF-8, which are missing there.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let reader = IpcReader::from_bytes(bytes);
    /// assert!(reader.batch_metadata_bytes(0)?.is_empty());
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`get_batch`](Self::get_batch).
    pub fn batch_metadata_bytes(&self, index: usize) -> PolarsResult<MetadataBytes> {
        let file = self.open()?;
        file.check_index(index)?;
        let batch = batch_at(&file.source, file.batches[index], index, &self.options.limits)?;
        Ok(NotUtf8::merged(&batch.metadata, &batch.not_utf8))
    }

    /// The record batches one by one, each read and decoded when it is asked for.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let reader = IpcReader::from_bytes(bytes);
    /// let heights = reader.batches()?.map(|batch| Ok(batch?.height())).collect::<PolarsResult<Vec<_>>>()?;
    /// assert_eq!(heights, [2, 1]);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the footer is not valid, or a projected column is not there.
    pub fn batches(&self) -> PolarsResult<Batches<R>> {
        let view = FileView::new(self.open()?, &self.options)?;
        Ok(Batches { view, options: self.options.clone(), next: 0, rows: 0, failed: false })
    }

    /// Columns of a hive partition, which `finish` adds to the frame: one value each.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let year = Series::new("year".into(), [2013]);
    /// let reader = IpcReader::from_bytes(bytes).with_hive_partition_columns(Some(vec![year]));
    /// assert_eq!(reader.finish()?.width(), 3);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_hive_partition_columns(mut self, columns: Option<Vec<Series>>) -> Self {
        self.hive_partition_columns = columns;
        self
    }

    /// A column with the file's path, which `finish` adds to the frame.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let path = Some(("path".into(), "a.arrow".into()));
    /// let reader = IpcReader::from_bytes(bytes).with_include_file_path(path);
    /// assert_eq!(reader.finish()?.width(), 3);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_include_file_path(mut self, include_file_path: Option<(PlSmallStr, PlRefStr)>) -> Self {
        self.include_file_path = include_file_path;
        self
    }

    /// Map the file into memory, if the source is one: buffers that are not compressed become views into the map. Their
    /// values are validated all the same.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let path = std::env::temp_dir().join(format!("floe-mapped-doc-{}.arrow", std::process::id()));
    /// std::fs::write(&path, &bytes)?;
    /// // SAFETY: nobody else knows the file.
    /// let reader = unsafe { IpcReader::new(std::fs::File::open(&path)?).memory_mapped(Some(path.clone())) };
    /// assert_eq!(reader.finish()?, df);
    /// # std::fs::remove_file(&path)?;
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Safety
    /// The file must not change while the DataFrame is in use.
    #[expect(unsafe_code, reason = "Polars' signature: a mapped file may change under us")]
    pub unsafe fn memory_mapped(mut self, path_buf: Option<PathBuf>) -> Self {
        self.memory_map = path_buf;
        self
    }

    fn read_all(&self) -> PolarsResult<DataFrame> {
        let view = FileView::new(self.open()?, &self.options)?;
        let mut batches = Vec::new();
        let mut rows = 0usize;
        for index in 0..view.file.batches.len() {
            if self.options.n_rows.is_some_and(|n| rows >= n) {
                break;
            }
            let batch = view.locate(index, &self.options)?;
            rows = rows.saturating_add(batch.rows());
            batches.push(batch);
        }
        view.decode(batches, &self.options, 0)
    }
}

impl<R: MmapBytesReader> SerReader<R> for IpcReader<R> {
    fn new(reader: R) -> Self {
        Self {
            state: Mutex::new(State::New { reader, shared: None }),
            memory_map: None,
            options: ReadOptions::default(),
            hive_partition_columns: None,
            include_file_path: None,
        }
    }

    fn set_rechunk(mut self, rechunk: bool) -> Self {
        self.options.rechunk = rechunk;
        self
    }

    fn finish(mut self) -> PolarsResult<DataFrame> {
        let mut df = self.read_all()?;
        let height = df.height();
        // Mostly there are none.
        for series in self.hive_partition_columns.take().unwrap_or_default() {
            let value = Scalar::new(series.dtype().clone(), series.get(0)?.into_static());
            df.with_column(Column::new_scalar(series.name().clone(), value, height))?;
        }
        if let Some((name, path)) = self.include_file_path.take() {
            let value = Scalar::new(DataType::String, AnyValue::StringOwned(path.as_str().into()));
            df.with_column(Column::new_scalar(name, value, height))?;
        }
        Ok(df)
    }
}

impl<R: MmapBytesReader> std::fmt::Debug for IpcReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpcReader").finish_non_exhaustive()
    }
}
