//! Opening an index, its contents, and reading by it: the methods of [`IpcIndex`].

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

use floe_format::IpcLimits;
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::builder::IpcIndexBuilder;
use super::found::IpcKind;
use super::index::IpcIndex;
use super::options::{IpcIndexOptions, Profile};
use super::origin::Origin;
use super::plan::{ReadPlan, slice};
use crate::options::{Metadata, MetadataBytes};
use crate::read::frame::empty_frame;
use crate::read::options::{Projection, ReadOptions};
use crate::read::ranged::{RangedSource, ReadCost};
use crate::read::types::TypeOptions;
use crate::schema::{user_field_metadata, user_metadata};

impl IpcIndex {
    /// Indexes a file or a stream on disk, told apart by how they begin. Reads headers only: of a
    /// file the footer and the batches' heads, of a stream the heads one after another.
    ///
    /// Streams may lie one behind another, each with its end marker: their batches are indexed as those
    /// of one. Their columns must have the same names and types, in the same order.
    ///
    /// The file is opened anew for each read, and must not change meanwhile: a read of a file whose
    /// length or time of modification differs is an error.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// # let path = std::env::temp_dir().join(format!("floe-index-open-{}.arrow", std::process::id()));
    /// # std::fs::write(&path, bytes)?;
    /// let index = IpcIndex::open(&path, IpcLimits::default())?;
    /// assert_eq!(index.read(0..2, &[0, 1], true)?, df);
    /// # std::fs::remove_file(&path)?;
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the file cannot be read, is neither format, is cut off, or exceeds the limits. Also when the end of a
    /// stream is followed by something else than a stream of the same columns. The error names the path.
    pub fn open(path: impl AsRef<Path>, limits: IpcLimits) -> PolarsResult<Self> {
        Self::open_with_types(path, limits, TypeOptions::default())
    }

    /// As [`open`](Self::open), with the given choice of column types.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter, TypeOptions};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// # let path = std::env::temp_dir().join(format!("floe-index-types-{}.arrow", std::process::id()));
    /// # std::fs::write(&path, bytes)?;
    /// let types = TypeOptions::default().with_text_as_binary(["b"]);
    /// let index = IpcIndex::open_with_types(&path, IpcLimits::default(), types)?;
    /// assert_eq!(index.schema(None)?.get("b"), Some(&DataType::Binary));
    /// # std::fs::remove_file(&path)?;
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_types(
        path: impl AsRef<Path>,
        limits: IpcLimits,
        types: TypeOptions,
    ) -> PolarsResult<Self> {
        let path = path.as_ref();
        let options = IpcIndexOptions::default().with_limits(limits).with_types(types);
        let index = Origin::path(path).and_then(|origin| Self::of(origin, options));
        index.map_err(|e| e.wrap_msg(|msg| format!("{}: {msg}", path.display())))
    }

    /// Indexes whatever the source is: a file or a stream. Where each read is a request, few are made. A file of floe's
    /// or Polars' takes one for its end, and a second one if its footer is longer than
    /// [`with_tail_bytes`](IpcIndexOptions::with_tail_bytes). Files of other writers take one more for the heads of
    /// batches.
    ///
    /// The rows of batches that floe and Polars write to the footer are trusted there. A batch that has other rows is
    /// an error when it is read.
    ///
    /// # Errors
    /// As [`open`](Self::open), and when the source cannot be read.
    ///
    /// ```
    /// use floe_frame::{FileSource, IpcIndex, IpcIndexOptions, IpcWriter};
    /// use polars_core::prelude::*;
    /// use polars_io::SerWriter;
    /// use std::fs::File;
    /// use std::sync::Arc;
    ///
    /// let path = std::env::temp_dir().join(format!("floe-from-source-{}", std::process::id()));
    /// let mut df = DataFrame::new(2, vec![Column::new("day".into(), [1i64, 2])])?;
    /// IpcWriter::new(File::create(&path)?).finish(&mut df)?;
    /// let source = Arc::new(FileSource::new(File::open(&path)?)?);
    /// let index = IpcIndex::from_source(source, IpcIndexOptions::default())?;
    /// assert_eq!(index.read(0..1, &[0], true)?, df);
    /// # std::fs::remove_file(&path)?;
    /// # PolarsResult::Ok(())
    /// ```
    pub fn from_source(source: Arc<dyn RangedSource>, options: IpcIndexOptions) -> PolarsResult<Self> {
        Self::of(Origin::Source(source), options)
    }

    fn of(origin: Origin, options: IpcIndexOptions) -> PolarsResult<Self> {
        let source = origin.open()?;
        let mut profile = match source.read_cost() {
            ReadCost::Memory => Profile::MEMORY,
            ReadCost::Call => Profile::DISK,
            ReadCost::Request => Profile::requests(&options),
        };
        profile.trusts_statistics = options.trusted_statistics;
        let mut builder = IpcIndexBuilder::with_profile(source.len(), options, profile);
        let read = builder.read_from(&source)?;
        let index = builder.into_index(origin)?;
        index.bytes_read.store(read, Ordering::Relaxed);
        Ok(Self(Arc::new(index)))
    }

    /// Indexes a file or a stream in memory: `Vec<u8>`, `Bytes`, `Buffer<u8>`, a memory map. Buffers
    /// that are not compressed become views into it, without a copy.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// assert_eq!(index.read(1..2, &[0], true)?.height(), 1);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](Self::open), but for those of the disk.
    pub fn from_bytes<B: AsRef<[u8]> + Send + Sync + 'static>(
        bytes: B,
        limits: IpcLimits,
    ) -> PolarsResult<Self> {
        Self::from_bytes_with_types(bytes, limits, TypeOptions::default())
    }

    /// As [`from_bytes`](Self::from_bytes), with the given choice of column types.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter, TypeOptions};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let types = TypeOptions::default().with_text_as_binary(true);
    /// let index = IpcIndex::from_bytes_with_types(bytes, IpcLimits::default(), types)?;
    /// assert_eq!(index.schema(None)?.get("b"), Some(&DataType::Binary));
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn from_bytes_with_types<B: AsRef<[u8]> + Send + Sync + 'static>(
        bytes: B,
        limits: IpcLimits,
        types: TypeOptions,
    ) -> PolarsResult<Self> {
        let options = IpcIndexOptions::default().with_limits(limits).with_types(types);
        Self::of(Origin::Source(Arc::new(Buffer::from_owner(bytes))), options)
    }

    /// Which format it is.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcKind, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// assert_eq!(index.kind(), IpcKind::File);
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn kind(&self) -> IpcKind {
        self.0.kind
    }

    /// The file that is indexed, if it is one on disk.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// # let path = std::env::temp_dir().join(format!("floe-index-path-{}.arrow", std::process::id()));
    /// # std::fs::write(&path, bytes)?;
    /// let index = IpcIndex::open(&path, IpcLimits::default())?;
    /// assert_eq!(index.path(), Some(path.as_path()));
    /// # std::fs::remove_file(&path)?;
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.origin.as_path()
    }

    /// Whether the file on disk is still the one that was indexed. Bytes in memory always are.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// # let path = std::env::temp_dir().join(format!("floe-index-current-{}.arrow", std::process::id()));
    /// # std::fs::write(&path, bytes)?;
    /// let index = IpcIndex::open(&path, IpcLimits::default())?;
    /// assert!(index.is_current());
    /// std::fs::write(&path, "something else")?;
    /// assert!(!index.is_current());
    /// # std::fs::remove_file(&path)?;
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.0.origin.is_current()
    }

    /// When the file on disk that was indexed had been changed last, if the system says so.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// # let path = std::env::temp_dir().join(format!("floe-index-modified-{}.arrow", std::process::id()));
    /// # std::fs::write(&path, bytes)?;
    /// let index = IpcIndex::open(&path, IpcLimits::default())?;
    /// assert_eq!(index.modified(), Some(std::fs::metadata(&path)?.modified()?));
    /// # std::fs::remove_file(&path)?;
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn modified(&self) -> Option<SystemTime> {
        self.0.origin.modified()
    }

    /// The schema of some columns, by position, in the order given; of all without.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// assert_eq!(index.schema(Some(&[1]))?, Schema::from_iter([("b".into(), DataType::String)]));
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When one of them is of a type that Polars cannot hold, is given twice, or is not there.
    pub fn schema(&self, columns: Option<&[usize]>) -> PolarsResult<Schema> {
        let options = ReadOptions { projection: columns.map(<[usize]>::to_vec), ..ReadOptions::default() };
        let projection = Projection::new(&self.0.schema, &options).map_err(|e| self.0.place(e))?;
        Ok(projection.names.into_iter().zip(projection.dtypes).collect())
    }

    /// The names of all columns.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// assert!(index.column_names().eq(["a", "b"]));
    /// # PolarsResult::Ok(())
    /// ```
    pub fn column_names(&self) -> impl ExactSizeIterator<Item = &PlSmallStr> {
        self.0.schema.columns.iter().map(|column| &column.name)
    }

    /// The positions of columns.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// assert_eq!(index.column_indices(&["b", "a"])?, [1, 0]);
    /// assert!(index.column_indices(&["c"]).is_err());
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When one of them is not there (the error names those that are), is given twice, or is of a type
    /// that Polars cannot hold.
    pub fn column_indices<S: AsRef<str>>(&self, names: &[S]) -> PolarsResult<Vec<usize>> {
        let columns = Some(names.iter().map(|name| name.as_ref().to_owned()).collect());
        let options = ReadOptions { columns, ..ReadOptions::default() };
        Ok(Projection::new(&self.0.schema, &options).map_err(|e| self.0.place(e))?.indices)
    }

    /// The custom metadata of the schema.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter, Metadata};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # use std::sync::Arc;
    /// # let mut df = DataFrame::new(1, vec![Column::new("a".into(), [1i64])])?;
    /// # let mut bytes = Vec::new();
    /// let mut writer = IpcWriter::new(&mut bytes);
    /// writer.set_custom_schema_metadata(Arc::new(Metadata::from([("origin".into(), "sensor 7".into())])));
    /// writer.finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// assert_eq!(index.custom_metadata()["origin"], "sensor 7");
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn custom_metadata(&self) -> Metadata {
        user_metadata(&self.0.schema.wire.metadata)
    }

    /// The custom metadata of a column, by its position: without the keys by which Polars and Arrow keep types. Empty if
    /// there is no such column.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter, Metadata};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(1, vec![Column::new("speed".into(), [1i64])])?;
    /// # let mut bytes = Vec::new();
    /// let mut writer = IpcWriter::new(&mut bytes);
    /// writer.set_custom_field_metadata("speed", Metadata::from([("unit".into(), "m/s".into())]));
    /// writer.finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// assert_eq!(index.custom_field_metadata(0)["unit"], "m/s");
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn custom_field_metadata(&self, column: usize) -> Metadata {
        let field = self.0.schema.wire.fields.get(column);
        field.map(|field| user_field_metadata(&field.metadata)).unwrap_or_default()
    }

    /// The metadata of the schema as bytes, in its order: also entries that are not UTF-8, and floe's and Polars' own.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter, Metadata};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # use std::sync::Arc;
    /// # let mut df = DataFrame::new(1, vec![Column::new("a".into(), [1i64])])?;
    /// # let mut bytes = Vec::new();
    /// let mut writer = IpcWriter::new(&mut bytes);
    /// writer.set_custom_schema_metadata(Arc::new(Metadata::from([("origin".into(), "sensor 7".into())])));
    /// writer.finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// assert!(index.custom_metadata_bytes().contains(&(b"origin".to_vec(), b"sensor 7".to_vec())));
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn custom_metadata_bytes(&self) -> MetadataBytes {
        self.0.schema.written.metadata_bytes()
    }

    /// Rows of all batches.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// assert_eq!(index.num_rows(), 3);
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn num_rows(&self) -> usize {
        // Without batches there are no rows.
        self.0.row_ends.last().copied().unwrap_or(0)
    }

    /// Record batches.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// assert_eq!(index.num_record_batches(), 2);
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn num_record_batches(&self) -> usize {
        self.0.batches.len()
    }

    /// Rows and bytes (as stored, all columns) of a record batch, if there is one of that number.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// let (rows, bytes) = index.batch_size(1).expect("there are two batches");
    /// assert!(rows == 1 && bytes >= 8 + 16); // an integer, and a view of a string
    /// assert_eq!(index.batch_size(2), None);
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn batch_size(&self, batch: usize) -> Option<(usize, u64)> {
        self.0.batches.get(batch).map(|entry| (entry.rows, entry.block.body_len))
    }

    /// Whether any batch says that it has statistics. See
    /// [`IpcWriter::with_statistics`](crate::IpcWriter::with_statistics).
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).with_statistics(true).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// assert!(index.has_statistics());
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn has_statistics(&self) -> bool {
        self.0.has_statistics
    }

    /// Whether any of some columns, by position, needs dictionaries. False for columns that are not there.
    #[doc(hidden)]
    #[must_use]
    pub fn has_dictionaries(&self, columns: &[usize]) -> bool {
        let options = ReadOptions { projection: Some(columns.to_vec()), ..ReadOptions::default() };
        Projection::new(&self.0.schema, &options).is_ok_and(|projection| !projection.slots.is_empty())
    }

    /// Bytes read so far, of headers and of bodies; of memory those looked at.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// let opening = index.bytes_read();
    /// index.read(0..2, &[0], true)?;
    /// assert!(index.bytes_read() > opening);
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.0.bytes_read.load(Ordering::Relaxed)
    }

    /// Reads some columns, by position and in that order, of a range of batches. Only their bytes
    /// are read, and none of a body for no columns at all: the frame has its height then.
    ///
    /// With `parallel` the columns are decoded on Polars' thread pool, otherwise on the calling
    /// thread alone.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// assert_eq!(index.read(0..2, &[1, 0], true)?.get_column_names(), ["b", "a"]);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the range or a column is not there, the file has changed, or a batch is not valid.
    pub fn read(&self, batches: Range<usize>, columns: &[usize], parallel: bool) -> PolarsResult<DataFrame> {
        self.read_counted(batches, columns, parallel).map(|(df, _)| df)
    }

    /// As [`read`](Self::read), and how many bytes that took.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// let (_, all) = index.read_counted(0..2, &[0, 1], true)?;
    /// let (df, one) = index.read_counted(0..2, &[0], true)?;
    /// assert!(df.width() == 1 && one < all);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_counted(
        &self,
        batches: Range<usize>,
        columns: &[usize],
        parallel: bool,
    ) -> PolarsResult<(DataFrame, u64)> {
        self.read_placed(batches, columns, parallel).map_err(|e| self.0.place(e))
    }

    fn read_placed(
        &self,
        batches: Range<usize>,
        columns: &[usize],
        parallel: bool,
    ) -> PolarsResult<(DataFrame, u64)> {
        let entries = self.0.entries(&batches)?;
        if columns.is_empty() {
            let rows = entries.iter().map(|entry| entry.rows).sum();
            return Ok((DataFrame::new(rows, Vec::new())?, 0));
        }
        self.0.reading(|source| {
            if source.read_cost() != ReadCost::Request {
                return self.0.read(source, batches, columns, parallel);
            }
            let mut plan = ReadPlan::new(Arc::clone(&self.0), batches, columns)?.with_parallel(parallel);
            plan.read_from(source)?;
            plan.decode()
        })
    }

    /// Reads some columns of a range of rows, counted over all batches. Only the batches that have some of them are read.
    ///
    /// # Errors
    /// As [`read`](Self::read), and when the rows are not there.
    ///
    /// ```
    /// use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// use polars_core::prelude::*;
    /// use polars_io::SerWriter;
    ///
    /// let mut df = DataFrame::new(6, vec![Column::new("day".into(), [0i64, 1, 2, 3, 4, 5])])?;
    /// let mut bytes = Vec::new();
    /// IpcWriter::new(&mut bytes).with_record_batch_size(Some(2)).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
    /// assert_eq!(index.read_rows(3..6, &[0], true)?, df.slice(3, 3));
    /// # PolarsResult::Ok(())
    /// ```
    pub fn read_rows(
        &self,
        rows: Range<usize>,
        columns: &[usize],
        parallel: bool,
    ) -> PolarsResult<DataFrame> {
        let (batches, first) = self.batches_of(&rows)?;
        let df =
            if batches.is_empty() { self.empty(columns)? } else { self.read(batches, columns, parallel)? };
        slice(&df, first, rows.len())
    }

    /// A plan for reading some columns, by position and in that order, of a range of batches: without I/O.
    ///
    /// See [`IpcIndexBuilder`] for an example.
    ///
    /// # Errors
    /// When the range or a column is not there.
    pub fn plan(&self, batches: Range<usize>, columns: &[usize]) -> PolarsResult<ReadPlan> {
        ReadPlan::new(Arc::clone(&self.0), batches, columns).map_err(|e| self.0.place(e))
    }

    /// As [`plan`](Self::plan), for a range of rows, counted over all batches.
    ///
    /// ```
    /// # use floe_frame::{IpcIndex, IpcLimits, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let index = IpcIndex::from_bytes(bytes.clone(), IpcLimits::default())?;
    /// let mut plan = index.plan_rows(1..3, &[0])?;
    /// while let Some(range) = plan.needed().first().cloned() {
    ///     plan.give(range.clone(), bytes[range.start as usize..range.end as usize].to_vec())?;
    /// }
    /// assert_eq!(plan.decode()?.column("a")?.i64()?.to_vec(), [Some(2), Some(3)]);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the rows or a column are not there.
    pub fn plan_rows(&self, rows: Range<usize>, columns: &[usize]) -> PolarsResult<ReadPlan> {
        let (batches, first) = self.batches_of(&rows)?;
        Ok(self.plan(batches, columns)?.with_rows(first, rows.len()))
    }

    /// The batches that have rows of a range, and how many rows of theirs come before it.
    fn batches_of(&self, rows: &Range<usize>) -> PolarsResult<(Range<usize>, usize)> {
        let ends = &self.0.row_ends;
        polars_ensure!(
            rows.start <= rows.end && rows.end <= self.num_rows(),
            OutOfBounds: "rows {rows:?} are out of range: there are {}", self.num_rows()
        );
        if rows.is_empty() {
            return Ok((0..0, 0));
        }
        let first = ends.partition_point(|end| *end <= rows.start);
        let last = ends.partition_point(|end| *end < rows.end);
        // No rows come before the first batch.
        let before = first.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
        Ok((first..last + 1, rows.start - before))
    }

    /// No rows of some columns.
    fn empty(&self, columns: &[usize]) -> PolarsResult<DataFrame> {
        let options = ReadOptions { projection: Some(columns.to_vec()), ..ReadOptions::default() };
        let projection = Projection::new(&self.0.schema, &options).map_err(|e| self.0.place(e))?;
        empty_frame(&projection)
    }
}

impl std::fmt::Debug for IpcIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpcIndex")
            .field("kind", &self.0.kind)
            .field("path", &self.path())
            .field("rows", &self.num_rows())
            .field("batches", &self.0.batches.len())
            .finish_non_exhaustive()
    }
}
