//! The stream reader.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use floe_array::decode::Trust;
use floe_format::IpcLimits;
use polars_core::prelude::*;
use polars_io::{RowIndex, SerReader};

use super::bytes::OwnedBytes;
use super::input::Input;
use super::methods::reader_options;
use super::options::ReadOptions;
use super::stream_source::Stream;
use crate::error::format_error;
use crate::options::Metadata;
use crate::schema::{arrow_schema, metadata_map};

/// Reads an Arrow IPC stream into a DataFrame.
///
/// The source needs nothing but [`Read`]: sockets, pipes, files, slices. It is read exactly as far
/// as the stream goes, never further. A regular file ([`File`](std::fs::File) or `BufReader<File>`, or a
/// reference to one) is read at positions on all cores; it stands behind the stream afterwards as well.
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
    options: ReadOptions,
}

/// The stream and the reader's end of it, shared with the iterator over its batches.
type Shared<R> = Arc<Mutex<State<R>>>;

enum State<R> {
    /// Nothing has been read; limits may still be set.
    New(R),
    Open(Stream<R>),
    Memory(Stream<io::Empty>, Option<R>),
    /// The source has been given back.
    Gone,
}

fn lock<R>(state: &Shared<R>) -> MutexGuard<'_, State<R>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `$work` on the stream, wherever it comes from.
macro_rules! with_stream {
    ($state:expr, $options:expr, |$stream:ident| $work:expr) => {{
        let mut state = lock($state);
        state.open($options);
        match &mut *state {
            State::Open($stream) => {
                let result = $work;
                match $stream.leave() {
                    Ok(()) => result,
                    Err(error) => result.and(Err(error)),
                }
            },
            State::Memory($stream, _) => $work,
            State::New(_) | State::Gone => {
                Err(polars_err!(ComputeError: "the source of this stream has been taken back by into_inner"))
            },
        }
    }};
}

impl<R: Read> State<R> {
    fn open(&mut self, options: &ReadOptions) {
        if let Self::New(_) = self
            && let Self::New(reader) = std::mem::replace(self, Self::Gone)
        {
            *self = Self::Open(Stream::new(Input::from_reader(reader, options.limits)));
        }
    }
}

impl IpcStreamReader<OwnedBytes> {
    /// Reads a stream that is in memory: `Vec<u8>`, `Bytes`, a memory map. Buffers that are not
    /// compressed become views into it, without a copy.
    pub fn from_bytes<B: AsRef<[u8]> + Send + Sync + 'static>(bytes: B) -> Self {
        let bytes = OwnedBytes::new(bytes);
        let stream = Stream::new(Input::Memory { bytes: bytes.buffer().clone(), at: 0 });
        Self {
            state: Arc::new(Mutex::new(State::Memory(stream, Some(bytes)))),
            options: ReadOptions::default(),
        }
    }
}

impl<R: Read> IpcStreamReader<R> {
    /// The schema of the stream.
    ///
    /// # Errors
    /// When there is no valid schema, or it has a column that Polars cannot hold.
    pub fn schema(&mut self) -> PolarsResult<Schema> {
        with_stream!(&self.state, &self.options, |s| s.schema(&self.options)?.polars().map_err(format_error))
    }

    /// The Arrow schema of the stream, with the metadata of its fields.
    ///
    /// # Errors
    /// When there is no valid schema.
    pub fn arrow_schema(&mut self) -> PolarsResult<ArrowSchema> {
        with_stream!(&self.state, &self.options, |s| Ok(arrow_schema(&s.schema(&self.options)?.written)))
    }

    /// The custom metadata of the schema.
    ///
    /// # Errors
    /// When there is no valid schema.
    pub fn custom_metadata(&mut self) -> PolarsResult<Option<Arc<Metadata>>> {
        with_stream!(&self.state, &self.options, |s| {
            let schema = s.schema(&self.options)?;
            let metadata = metadata_map(&schema.wire.metadata);
            Ok((!metadata.is_empty()).then(|| Arc::new(metadata)))
        })
    }

    reader_options!();

    /// Whether a stream that ends without an end marker is an error. Defaults to false: the format
    /// lets a writer just close the connection.
    pub fn with_end_marker_required(mut self, required: bool) -> Self {
        self.options.end_marker_required = required;
        self
    }

    /// The record batches one by one, each decoded when it is asked for. What this reader's options
    /// say holds for the batches as well.
    ///
    /// # Errors
    /// When the schema is not valid, or a projected column is not there.
    pub fn batches(&self) -> PolarsResult<StreamBatches<R>> {
        with_stream!(&self.state, &self.options, |s| s.projection(&self.options).map(|_| ()))?;
        Ok(StreamBatches {
            state: Arc::clone(&self.state),
            options: self.options.clone(),
            rows: 0,
            done: false,
            metadata: Metadata::default(),
        })
    }

    /// Whether the end marker has been read: the writer finished. Only known after the last batch.
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
    /// # Panics
    /// Never for a reader that was not given back before: this takes `self`.
    #[must_use]
    pub fn into_inner(self) -> R {
        match std::mem::replace(&mut *lock(&self.state), State::Gone) {
            State::New(reader) | State::Memory(_, Some(reader)) => reader,
            State::Open(stream) => match stream.into_input() {
                Input::Reader { reader, .. } | Input::OnDisk { reader, .. } => reader,
                Input::Memory { .. } => unreachable!("a stream with a reader reads from it"),
            },
            State::Memory(_, None) | State::Gone => {
                unreachable!("only into_inner takes the source, and self with it")
            },
        }
    }

    fn read_all(&self) -> PolarsResult<DataFrame> {
        with_stream!(&self.state, &self.options, |s| s.read_all(&self.options))
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

/// The record batches of a stream, read and decoded one at a time.
pub struct StreamBatches<R> {
    state: Shared<R>,
    options: ReadOptions,
    rows: usize,
    done: bool,
    metadata: Metadata,
}

impl<R> StreamBatches<R> {
    /// The custom metadata of the batch that came last.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

impl<R: Read> Iterator for StreamBatches<R> {
    type Item = PolarsResult<DataFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let (options, before) = (&self.options, self.rows);
        let next = with_stream!(&self.state, options, |s| {
            match s.next_batch(options) {
                Ok(Some(batch)) => {
                    let rows = batch.header.rows;
                    let metadata = metadata_map(&batch.metadata);
                    s.decode(&[batch], options, before).map(|df| Some((df, rows, metadata)))
                },
                Ok(None) => Ok(None),
                Err(e) => Err(e),
            }
        });
        match next {
            Ok(Some((df, rows, metadata))) => {
                self.rows += rows;
                self.metadata = metadata;
                Some(Ok(df))
            },
            Ok(None) => {
                self.done = true;
                None
            },
            Err(e) => {
                self.done = true;
                Some(Err(e))
            },
        }
    }
}

impl<R> std::fmt::Debug for IpcStreamReader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpcStreamReader").finish_non_exhaustive()
    }
}

impl<R> std::fmt::Debug for StreamBatches<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamBatches").field("rows", &self.rows).finish_non_exhaustive()
    }
}
