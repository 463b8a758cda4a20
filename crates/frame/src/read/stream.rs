//! The stream reader.

use std::io::Read;
use std::sync::{Arc, Mutex};

use polars_core::prelude::*;
use polars_io::SerReader;

use super::bytes::OwnedBytes;
use super::in_memory::InMemory;
use super::options::ReadOptions;
use super::several::BatchMetadata;
use super::stream_batches::StreamBatches;
use super::stream_source::Stream;
use super::stream_state::{Shared, State, lock, with_stream};
use super::types::TypeOptions;
use crate::error::format_error;
use crate::options::{Metadata, MetadataBytes};
use crate::schema::{arrow_schema, field_metadata, user_metadata};

/// Reads an Arrow IPC stream into a DataFrame.
///
/// The source needs nothing but [`Read`]: sockets, pipes, files, slices. It is read exactly as far
/// as the stream goes, never further. A regular file ([`File`](std::fs::File) or `BufReader<File>`, or a
/// reference to one) is read at positions on all cores; it stands behind the stream afterwards as well.
///
/// # Several streams in one source
///
/// [`next_stream`](Self::next_stream) reads one after the other, until the source ends. A caller that lends the source
/// (`IpcStreamReader::new(&mut source)`) can as well make a reader for each stream.
///
/// If something follows the end marker, the action of `finish` depends on who could still read it:
///
/// | source | something follows |
/// |---|---|
/// | lent: `&mut R`, `&File` | is left to the lender |
/// | any other `R` by value: sockets, pipes | is not looked at, since that might wait for it |
/// | [`from_bytes`](IpcStreamReader::from_bytes), and a regular file by value | an error |
/// | a slice or `Cursor` by value | another stream is an error, other bytes are left |
///
/// [`with_trailing_data_allowed`](Self::with_trailing_data_allowed) leaves it in any case. Zeros and further end markers
/// are nothing.
///
/// # Failures
///
/// After an error every later call fails, and names the first one: to read on in the middle of a message would take its
/// bytes for others. But a reader that has nothing yet ([`WouldBlock`](std::io::ErrorKind::WouldBlock),
/// [`TimedOut`](std::io::ErrorKind::TimedOut)) loses nothing while `schema` or an iterator waits for the head of a message: then
/// [`batches`](Self::batches) goes on where it stood. Rows count on: `with_n_rows` and the row index are those of the
/// whole stream, however many iterators it takes.
///
/// # Metadata
///
/// The format says that custom metadata is UTF-8. Entries that are not are left out of the maps of
/// strings; methods whose names end in `_bytes` have them. Only text can be written.
///
/// # Files
///
/// A stream lies in an Arrow IPC *file*, too, and is read from front to back if a file is given. The source is then
/// read to its end, where the footer has to list the messages read. [`IpcReader`](crate::IpcReader) needs a source that
/// seeks, reads at random, and finds dictionaries that lie behind the batches.
///
/// ```
/// use floe_frame::{IpcStreamReader, IpcStreamWriter};
/// use polars_core::prelude::*;
/// use polars_io::{SerReader, SerWriter};
///
/// let mut df = DataFrame::new(3, vec![Column::new("days".into(), [0, 1, 2])])?;
/// let mut bytes = Vec::new();
/// IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
///
/// let reader = IpcStreamReader::new(bytes.as_slice());
/// for batch in reader.batches()? {
///     assert_eq!(batch?.height(), 3);
/// }
/// assert!(reader.saw_end_marker());
/// # PolarsResult::Ok(())
/// ```
#[must_use]
pub struct IpcStreamReader<R> {
    state: Shared<R>,
    pub(super) options: ReadOptions,
}

impl IpcStreamReader<OwnedBytes> {
    /// Reads a stream that is in memory: `Vec<u8>`, `Bytes`, a memory map. Buffers that are not
    /// compressed become views into it, without a copy.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// assert_eq!(IpcStreamReader::from_bytes(bytes).finish()?, df);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn from_bytes<B: AsRef<[u8]> + Send + Sync + 'static>(bytes: B) -> Self {
        let bytes = OwnedBytes::new(bytes);
        let stream = Stream::new(InMemory::new(bytes.buffer().clone(), 0));
        Self {
            state: Arc::new(Mutex::new(State::Memory(stream, Some(bytes)))),
            options: ReadOptions::default(),
        }
    }
}

impl<R: Read> IpcStreamReader<R> {
    /// The schema of the stream.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let mut reader = IpcStreamReader::new(bytes.as_slice());
    /// assert_eq!(reader.schema()?.get("b"), Some(&DataType::String));
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When there is no valid schema, or it has a column that Polars cannot hold.
    pub fn schema(&mut self) -> PolarsResult<Schema> {
        with_stream!(&self.state, &self.options, |s| s.schema(&self.options)?.polars().map_err(format_error))
    }

    /// The schema of the stream as Polars reads it: the same as [`schema`](Self::schema), under the name that
    /// [`IpcReader`](crate::IpcReader) has for it.
    ///
    /// # Errors
    /// As [`schema`](Self::schema).
    ///
    /// ```
    /// use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// use polars_core::prelude::*;
    /// use polars_io::{SerReader, SerWriter};
    ///
    /// let mut df = DataFrame::new(1, vec![Column::new("day".into(), [1i64])])?;
    /// let mut bytes = Vec::new();
    /// IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
    /// let mut reader = IpcStreamReader::new(bytes.as_slice());
    /// assert_eq!(reader.polars_schema()?.get("day"), Some(&DataType::Int64));
    /// # PolarsResult::Ok(())
    /// ```
    pub fn polars_schema(&mut self) -> PolarsResult<Schema> {
        self.schema()
    }

    /// The Arrow schema of the stream, with the metadata of its fields.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let mut reader = IpcStreamReader::new(bytes.as_slice());
    /// assert_eq!(reader.arrow_schema()?.len(), 2);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When there is no valid schema.
    pub fn arrow_schema(&mut self) -> PolarsResult<ArrowSchema> {
        with_stream!(&self.state, &self.options, |s| Ok(arrow_schema(&s.schema(&self.options)?.written)))
    }

    /// The custom metadata of the schema. Entries of floe's own and metadata that is not UTF-8 are in
    /// [`custom_metadata_bytes`](Self::custom_metadata_bytes) only.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let mut reader = IpcStreamReader::new(bytes.as_slice());
    /// assert_eq!(reader.custom_metadata()?, None);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When there is no valid schema.
    pub fn custom_metadata(&mut self) -> PolarsResult<Option<Arc<Metadata>>> {
        with_stream!(&self.state, &self.options, |s| {
            let schema = s.schema(&self.options)?;
            let metadata = user_metadata(&schema.wire.metadata);
            Ok((!metadata.is_empty()).then(|| Arc::new(metadata)))
        })
    }

    /// All custom metadata of the schema as bytes, in its order, including entries that are not UTF-8, which are
    /// missing elsewhere.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let mut reader = IpcStreamReader::new(bytes.as_slice());
    /// assert!(reader.custom_metadata_bytes()?.is_empty());
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When there is no valid schema.
    pub fn custom_metadata_bytes(&mut self) -> PolarsResult<MetadataBytes> {
        with_stream!(&self.state, &self.options, |s| Ok(s.schema(&self.options)?.written.metadata_bytes()))
    }

    /// All custom metadata of a field as bytes. `&[2]` is the third column, `&[2, 0]` the first field in it.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let mut reader = IpcStreamReader::new(bytes.as_slice());
    /// assert!(reader.field_metadata_bytes(&[1])?.is_empty());
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When there is no valid schema, or no such field.
    pub fn field_metadata_bytes(&mut self, path: &[usize]) -> PolarsResult<MetadataBytes> {
        with_stream!(&self.state, &self.options, |s| field_metadata(&*s.schema(&self.options)?, path))
    }

    /// The types that columns become, where there is a choice. Say so before any batch is read.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// use floe_frame::TypeOptions;
    ///
    /// let types = TypeOptions::default().with_text_as_binary(["b"]);
    /// let df = IpcStreamReader::new(bytes.as_slice()).with_types(types).finish()?;
    /// assert_eq!(df.column("b")?.dtype(), &DataType::Binary);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_types(mut self, types: TypeOptions) -> Self {
        self.options.types = types;
        self
    }

    /// Whether a stream that ends without an end marker is an error. Defaults to false: the format
    /// lets a writer just close the connection.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// bytes.truncate(bytes.len() - 8); // no end marker
    /// assert_eq!(IpcStreamReader::new(bytes.as_slice()).finish()?, df);
    /// let reader = IpcStreamReader::new(bytes.as_slice()).with_end_marker_required(true);
    /// assert!(reader.finish().is_err());
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_end_marker_required(mut self, required: bool) -> Self {
        self.options.end_marker_required = required;
        self
    }

    /// Whether `finish` leaves bytes behind the end marker, where they would be an error otherwise: the table
    /// [above](Self#several-streams-in-one-source) says where. Defaults to false.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// bytes.extend(bytes.clone()); // two streams
    /// assert!(IpcStreamReader::from_bytes(bytes.clone()).finish().is_err());
    /// let reader = IpcStreamReader::from_bytes(bytes).with_trailing_data_allowed(true);
    /// assert_eq!(reader.finish()?, df);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_trailing_data_allowed(mut self, allowed: bool) -> Self {
        self.options.trailing_data_allowed = allowed;
        self
    }

    /// The record batches one by one, each decoded when it is asked for. The options of this reader hold for the
    /// batches as well. A second iterator goes on where the first one stopped.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let reader = IpcStreamReader::new(bytes.as_slice());
    /// let heights = reader.batches()?.map(|batch| Ok(batch?.height())).collect::<PolarsResult<Vec<_>>>()?;
    /// assert_eq!(heights, [2, 1]);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the schema is not valid, or a projected column is not there, or reading failed before.
    pub fn batches(&self) -> PolarsResult<StreamBatches<R>> {
        let number = with_stream!(&self.state, &self.options, |s| {
            s.check_projection(&self.options).map(|()| s.number())
        })?;
        Ok(StreamBatches {
            state: Arc::clone(&self.state),
            options: self.options.clone(),
            number,
            done: false,
            metadata: Metadata::default(),
            stored: BatchMetadata::default(),
        })
    }

    /// The next of several streams in one source, as a DataFrame; nothing at the clean end of the source. The first call
    /// reads the first stream. All options hold for each stream anew: rows are counted from its own first one.
    ///
    /// If batches of the stream have been taken, or `with_n_rows` ended it early, its rest is passed over.
    ///
    /// ```
    /// use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// use polars_core::prelude::*;
    /// use polars_io::SerWriter;
    ///
    /// let mut bytes = Vec::new();
    /// for rows in [1, 2, 3] {
    ///     let mut df = DataFrame::new(rows, vec![Column::new("a".into(), vec![7i64; rows])])?;
    ///     IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
    /// }
    /// let mut reader = IpcStreamReader::from_bytes(bytes);
    /// let mut heights = Vec::new();
    /// while let Some(df) = reader.next_stream()? {
    ///     heights.push(df.height());
    /// }
    /// assert_eq!(heights, [1, 2, 3]);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When a stream is not valid or is cut off, and when the bytes behind one are none. The error names its place.
    pub fn next_stream(&mut self) -> PolarsResult<Option<DataFrame>> {
        with_stream!(&self.state, &self.options, |s| s.next_stream(&self.options))
    }

    /// Goes to the next of several streams in one source, whose [`schema`](Self::schema) and
    /// [`batches`](Self::batches) can be asked for then; false at the clean end of the source. The first call goes to the
    /// first stream.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut bytes = Vec::new();
    /// # for rows in [1, 2, 3] {
    /// #     let mut df = DataFrame::new(rows, vec![Column::new("a".into(), vec![7i64; rows])])?;
    /// #     IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
    /// # }
    /// let mut reader = IpcStreamReader::new(bytes.as_slice());
    /// let mut rows = 0;
    /// while reader.advance()? {
    ///     for batch in reader.batches()? {
    ///         rows += batch?.height();
    ///     }
    /// }
    /// assert_eq!(rows, 6);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`next_stream`](Self::next_stream).
    pub fn advance(&mut self) -> PolarsResult<bool> {
        with_stream!(&self.state, &self.options, |s| s.advance(&self.options))
    }

    /// Whether the end marker has been read: the writer finished. Only known after the last batch.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let mut reader = IpcStreamReader::new(bytes.as_slice());
    /// assert_eq!(reader.next_stream()?, Some(df));
    /// assert!(reader.saw_end_marker());
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn saw_end_marker(&self) -> bool {
        match &*lock(&self.state) {
            State::Open(stream) => stream.saw_end_marker(),
            State::Memory(stream, _) => stream.saw_end_marker(),
            State::New(_) | State::Gone => false,
        }
    }

    /// The source. After the last batch it stands exactly behind the end marker, so that another
    /// stream on the same connection can follow.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamReader, IpcStreamWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let mut source = bytes.as_slice();
    /// let mut reader = IpcStreamReader::new(&mut source);
    /// reader.next_stream()?;
    /// assert!(reader.into_inner().is_empty(), "all of it has been read");
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Panics
    /// Never for a reader that was not given back before: this takes `self`.
    #[must_use]
    pub fn into_inner(self) -> R {
        match std::mem::replace(&mut *lock(&self.state), State::Gone) {
            State::New(reader) | State::Memory(_, Some(reader)) => reader,
            State::Open(stream) => stream.into_input().into_reader(),
            State::Memory(_, None) | State::Gone => {
                unreachable!("only into_inner takes the source, and self with it")
            },
        }
    }

    fn read_all(&self) -> PolarsResult<DataFrame> {
        with_stream!(&self.state, &self.options, |s| s.finish(&self.options))
    }
}

impl<R: Read> SerReader<R> for IpcStreamReader<R> {
    fn new(reader: R) -> Self {
        Self { state: Arc::new(Mutex::new(State::New(reader))), options: ReadOptions::default() }
    }

    fn set_rechunk(mut self, rechunk: bool) -> Self {
        self.options.rechunk = rechunk;
        self
    }

    fn finish(self) -> PolarsResult<DataFrame> {
        self.read_all()
    }
}

impl<R> std::fmt::Debug for IpcStreamReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpcStreamReader").finish_non_exhaustive()
    }
}
