//! Files and streams indexed by their headers, readable at random from any thread.
//!
//! ```text
//!   file    footer ---------> blocks -- heads, in parallel --\
//!                                                             >-- IpcIndex: rows, places, dictionaries
//!   stream  heads, one by one, bodies skipped ---------------/   (streams behind it alike)
//!   IpcIndex::read(batches, columns) -- heads again, bytes of those columns --> DataFrame
//! ```
//!
//! An index is small: it keeps where messages are, not what is in them, and no file is held open.
//! Neighbours: [`walk`] and [`streams`] make it, [`origin`] reads bytes for it, [`dictionaries`] keeps what batches
//! share, [`statistics`] says what they cannot hold; decoding is that of the readers.

mod dictionaries;
mod origin;
mod statistics;
mod streams;
mod walk;

use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use floe_format::{BatchHeader, Block, IpcLimits};
use polars_core::prelude::*;

use self::dictionaries::{DictionaryEntry, Known};
use self::origin::{BodyOf, Origin, Reading};
use super::assemble::{BatchInput, decode_frame};
use super::flags;
use super::index::{Located, batch_at, metadata_bytes};
use super::ledger::Ledger;
use super::options::{Projection, ReadOptions};
use super::types::TypeOptions;
use crate::error::format_error;
use crate::options::{Metadata, MetadataBytes};
use crate::pool;
use crate::schema::{ReadSchema, user_metadata};

/// Which of the two formats an index is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpcKind {
    /// Messages one after another.
    Stream,
    /// Messages between magics, with a footer.
    File,
}

/// An Arrow IPC file or stream, indexed by its headers: any batch and any column can be read, from
/// any thread, without reading the rest.
///
/// ```
/// use floe_frame::{IpcIndex, IpcLimits, IpcStreamWriter};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), [3, 4, 5])])?;
/// let mut bytes = Vec::new();
/// IpcStreamWriter::new(&mut bytes).with_record_batch_size(Some(1)).finish(&mut df)?;
///
/// let index = IpcIndex::from_bytes(bytes, IpcLimits::default())?;
/// assert_eq!((index.num_rows(), index.num_record_batches()), (3, 3));
/// let b = index.column_indices(&["b"])?;
/// assert_eq!(index.read(1..3, &b, true)?, df.select(["b"])?.slice(1, 2));
/// # PolarsResult::Ok(())
/// ```
pub struct IpcIndex {
    origin: Origin,
    kind: IpcKind,
    schema: Arc<ReadSchema>,
    /// The streams that lie one behind another: one for a file.
    streams: Vec<StreamPlace>,
    batches: Vec<Entry>,
    dictionaries: Vec<DictionaryEntry>,
    rows: usize,
    limits: IpcLimits,
    has_statistics: bool,
    bytes_read: AtomicU64,
    /// Dictionaries decoded lately.
    known: Mutex<VecDeque<Known>>,
    ledger: Ledger,
}

/// A stream of the source: its messages are numbered on behind those of the streams before it.
struct StreamPlace {
    /// Its own: ids of dictionaries and byte order may differ, columns and their types not.
    schema: Arc<ReadSchema>,
    first_batch: usize,
    first_dictionary: usize,
}

/// A record batch.
struct Entry {
    block: Block,
    rows: usize,
    /// The number of dictionary messages before it, over all streams. It may need those of its own stream.
    dictionaries: usize,
}

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
    /// # Errors
    /// When the file cannot be read, is neither format, is cut off, or exceeds the limits; when
    /// something else than a stream of the same columns follows the end of a stream. The error names
    /// the path.
    pub fn open(path: impl AsRef<Path>, limits: IpcLimits) -> PolarsResult<Self> {
        Self::open_with_types(path, limits, TypeOptions::default())
    }

    /// As [`open`](Self::open), of columns that become what is said.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with_types(
        path: impl AsRef<Path>,
        limits: IpcLimits,
        types: TypeOptions,
    ) -> PolarsResult<Self> {
        let path = path.as_ref();
        let index = Origin::path(path).and_then(|origin| walk::index(origin, limits, &types));
        index.map_err(|e| e.wrap_msg(|msg| format!("{}: {msg}", path.display())))
    }

    /// Indexes a file or a stream in memory: `Vec<u8>`, `Bytes`, `Buffer<u8>`, a memory map. Buffers
    /// that are not compressed become views into it, without a copy.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for those of the disk.
    pub fn from_bytes<B: AsRef<[u8]> + Send + Sync + 'static>(
        bytes: B,
        limits: IpcLimits,
    ) -> PolarsResult<Self> {
        Self::from_bytes_with_types(bytes, limits, TypeOptions::default())
    }

    /// As [`from_bytes`](Self::from_bytes), of columns that become what is said.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes).
    pub fn from_bytes_with_types<B: AsRef<[u8]> + Send + Sync + 'static>(
        bytes: B,
        limits: IpcLimits,
        types: TypeOptions,
    ) -> PolarsResult<Self> {
        walk::index(Origin::bytes(bytes), limits, &types)
    }

    /// Which format it is.
    #[must_use]
    pub fn kind(&self) -> IpcKind {
        self.kind
    }

    /// The file that is indexed, if it is one on disk.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.origin.as_path()
    }

    /// Whether the file on disk is still the one that was indexed. Bytes in memory always are.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.origin.is_current()
    }

    /// When the file on disk that was indexed had been changed last, if the system says so.
    #[must_use]
    pub fn modified(&self) -> Option<SystemTime> {
        self.origin.modified()
    }

    /// The schema of some columns, by position, in the order given; of all without.
    ///
    /// # Errors
    /// When one of them is of a type that Polars cannot hold, is given twice, or is not there.
    pub fn schema(&self, columns: Option<&[usize]>) -> PolarsResult<Schema> {
        let options = ReadOptions { projection: columns.map(<[usize]>::to_vec), ..ReadOptions::default() };
        let projection = Projection::new(&self.schema, &options).map_err(|e| self.place(e))?;
        Ok(projection.names.into_iter().zip(projection.dtypes).collect())
    }

    /// The names of all columns.
    pub fn column_names(&self) -> impl ExactSizeIterator<Item = &PlSmallStr> {
        self.schema.columns.iter().map(|column| &column.name)
    }

    /// The positions of columns.
    ///
    /// # Errors
    /// When one of them is not there (the error names those that are), is given twice, or is of a type
    /// that Polars cannot hold.
    pub fn column_indices<S: AsRef<str>>(&self, names: &[S]) -> PolarsResult<Vec<usize>> {
        let columns = Some(names.iter().map(|name| name.as_ref().to_owned()).collect());
        let options = ReadOptions { columns, ..ReadOptions::default() };
        Ok(Projection::new(&self.schema, &options).map_err(|e| self.place(e))?.indices)
    }

    /// The custom metadata of the schema.
    #[must_use]
    pub fn custom_metadata(&self) -> Metadata {
        user_metadata(&self.schema.wire.metadata)
    }

    /// The same as bytes, in its order: also what is not UTF-8, which is missing there.
    #[must_use]
    pub fn custom_metadata_bytes(&self) -> MetadataBytes {
        self.schema.written.metadata_bytes()
    }

    /// Rows of all batches.
    #[must_use]
    pub fn num_rows(&self) -> usize {
        self.rows
    }

    /// Record batches.
    #[must_use]
    pub fn num_record_batches(&self) -> usize {
        self.batches.len()
    }

    /// Rows and bytes (as stored, all columns) of a record batch, if there is one of that number.
    #[must_use]
    pub fn batch_size(&self, batch: usize) -> Option<(usize, u64)> {
        self.batches.get(batch).map(|entry| (entry.rows, entry.block.body_len))
    }

    /// Whether any batch says that it has statistics. See
    /// [`IpcWriter::with_statistics`](crate::IpcWriter::with_statistics).
    #[must_use]
    pub fn has_statistics(&self) -> bool {
        self.has_statistics
    }

    /// Bytes read so far, of headers and of bodies; of memory those looked at.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read.load(Ordering::Relaxed)
    }

    /// Reads some columns, by position and in that order, of a range of batches. Only their bytes
    /// are read, and none of a body for no columns at all: the frame has its height then.
    ///
    /// With `parallel` the columns are decoded on Polars' thread pool, otherwise on the calling
    /// thread alone.
    ///
    /// # Errors
    /// When the range or a column is not there, the file has changed, or a batch is not valid.
    pub fn read(&self, batches: Range<usize>, columns: &[usize], parallel: bool) -> PolarsResult<DataFrame> {
        self.read_counted(batches, columns, parallel).map(|(df, _)| df)
    }

    /// As [`read`](Self::read), and how many bytes that took.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_counted(
        &self,
        batches: Range<usize>,
        columns: &[usize],
        parallel: bool,
    ) -> PolarsResult<(DataFrame, u64)> {
        self.read_placed(batches, columns, parallel).map_err(|e| self.place(e))
    }

    fn read_placed(
        &self,
        batches: Range<usize>,
        columns: &[usize],
        parallel: bool,
    ) -> PolarsResult<(DataFrame, u64)> {
        let entries = self.batches.get(batches.clone()).ok_or_else(|| {
            let n = self.batches.len();
            polars_err!(OutOfBounds: "record batches {batches:?} are out of range: there are {n}")
        })?;
        if columns.is_empty() {
            let rows = entries.iter().map(|entry| entry.rows).sum();
            return Ok((DataFrame::new(rows, Vec::new())?, 0));
        }
        let mut all: Option<DataFrame> = None;
        let mut bytes = 0;
        for (schema, batches) in self.by_schema(batches)? {
            let (df, read) = self.read_of(&schema, batches, columns, parallel)?;
            bytes += read;
            match &mut all {
                None => all = Some(df),
                Some(all) => {
                    all.vstack_mut_owned(df)?;
                },
            }
        }
        Ok((all.unwrap_or_default(), bytes))
    }

    /// Reads batches that have one schema.
    fn read_of(
        &self,
        schema: &Arc<ReadSchema>,
        batches: Range<usize>,
        columns: &[usize],
        parallel: bool,
    ) -> PolarsResult<(DataFrame, u64)> {
        let entries = self.batches.get(batches.clone()).unwrap_or_default();
        let mut options = ReadOptions {
            projection: Some(columns.to_vec()),
            limits: self.limits,
            parallel,
            ..ReadOptions::default()
        };
        let projection = Projection::new(schema, &options)?;
        let reading = self.reading()?;
        let account = self.ledger.open(&self.limits, reading.len(), batches.clone()).map_err(format_error)?;
        let budget = &account.budget;
        let numbers = batches.clone();
        let located = entries.iter().zip(numbers).map(|(entry, i)| self.locate(&reading, entry, i));
        let located = located.collect::<PolarsResult<Vec<_>>>()?;
        for batch in &located {
            budget.charge(metadata_bytes(&batch.metadata, &batch.not_utf8)).map_err(format_error)?;
        }
        // Contiguous columns, unless that would copy what can be seen where it lies.
        options.rechunk = !reading.is_shared() || located.iter().any(|b| b.header.compression.is_some());
        let bodies: Vec<BodyOf<'_>> = located.iter().map(|batch| reading.body(batch.body)).collect();
        let mut inputs = Vec::with_capacity(entries.len());
        for (((batch, body), entry), index) in located.iter().zip(&bodies).zip(entries).zip(batches) {
            let needed = self.stream_of(index)?.first_dictionary..entry.dictionaries;
            inputs.push(BatchInput {
                header: &batch.header,
                body,
                dictionaries: self.dictionaries_for(
                    &reading,
                    schema,
                    &projection,
                    needed,
                    &options,
                    budget,
                )?,
                index,
                options: options.decode_options(schema, batch.version),
            });
        }
        let executor = pool::executor(parallel);
        let mut df = decode_frame(schema, &projection, &options, &inputs, budget, executor)?;
        self.ledger.close(&account);
        flags::restore(&mut df, &projection, located.iter().map(|batch| &batch.metadata))?;
        Ok((df, reading.bytes()))
    }

    /// The stream that a batch is in.
    fn stream_of(&self, batch: usize) -> PolarsResult<&StreamPlace> {
        let behind = self.streams.partition_point(|stream| stream.first_batch <= batch);
        let stream = behind.checked_sub(1).and_then(|at| self.streams.get(at));
        stream.ok_or_else(|| polars_err!(OutOfBounds: "record batch {batch} is in no stream"))
    }

    /// Batches in ranges of those that have one schema: a single one, but for sources that hold several
    /// streams of different writers.
    fn by_schema(&self, batches: Range<usize>) -> PolarsResult<Vec<(Arc<ReadSchema>, Range<usize>)>> {
        let mut schema = Arc::clone(&self.stream_of(batches.start)?.schema);
        let mut out = Vec::new();
        let mut start = batches.start;
        let later = self.streams.partition_point(|stream| stream.first_batch <= start);
        for stream in self.streams.get(later..).unwrap_or_default() {
            if stream.first_batch >= batches.end {
                break;
            }
            if !Arc::ptr_eq(&stream.schema, &schema) {
                if start < stream.first_batch {
                    out.push((schema, start..stream.first_batch));
                }
                (schema, start) = (Arc::clone(&stream.schema), stream.first_batch);
            }
        }
        out.push((schema, start..batches.end));
        Ok(out)
    }

    fn reading(&self) -> PolarsResult<Reading<'_>> {
        self.origin.reading(&self.bytes_read)
    }

    /// The header of a batch, which must be as it was when it was indexed.
    fn locate(
        &self,
        reading: &Reading<'_>,
        entry: &Entry,
        index: usize,
    ) -> PolarsResult<Located<BatchHeader>> {
        let located =
            reading.counted(entry.block, |source| batch_at(source, entry.block, index, &self.limits))?;
        let rows = located.header.rows;
        polars_ensure!(
            rows == entry.rows,
            ComputeError: "record batch {index} has {rows} rows, and had {} when it was indexed", entry.rows
        );
        Ok(located)
    }

    /// An error with the path that it is about.
    fn place(&self, error: PolarsError) -> PolarsError {
        match self.path() {
            Some(path) => error.wrap_msg(|msg| format!("{}: {msg}", path.display())),
            None => error,
        }
    }
}

impl std::fmt::Debug for IpcIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpcIndex")
            .field("kind", &self.kind)
            .field("path", &self.path())
            .field("rows", &self.rows)
            .field("batches", &self.batches.len())
            .finish_non_exhaustive()
    }
}
