//! Streams out of asynchronous readers.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use floe_frame::{IpcLimits, StreamDecoder};
use futures_core::Stream;
use polars_core::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::error::io_error;
use crate::offload::{Offloaded, offload};

/// Bytes that are read at once at most where it is not known how many there are, and that are set aside before any came.
const PIECE_BYTES: usize = 64 << 10;
/// Messages of at least this many bytes are decoded on Polars' pool, shorter ones at once: that takes less time than
/// handing them over.
const OFFLOADED_BYTES: usize = 64 << 10;

/// Reads an Arrow IPC stream from whatever is [`AsyncRead`]: a socket, a pipe, the body of an HTTP response.
///
/// It is a [`Stream`] of frames, one for each record batch, and [`next`](Self::next) is there without that trait. No byte
/// behind the stream's end marker is read, so that the reader stands there afterwards. Memory is bounded by the largest
/// batch. A file is read as the stream in it, to the end of the reader, and its footer is checked.
///
/// Bodies that are a `Stream` of `Bytes` need no such reader: [`StreamDecoder::push`] takes them as they come.
///
/// ```
/// use floe_object_store::AsyncIpcStreamReader;
/// # use floe_frame::IpcStreamWriter;
/// # use polars_core::prelude::*;
/// # use polars_io::SerWriter;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> PolarsResult<()> {
/// # let mut df = DataFrame::new(3, vec![Column::new("day".into(), [1i64, 2, 3])])?;
/// # let mut bytes = Vec::new();
/// # IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
/// # let socket = bytes.as_slice();
/// let mut reader = AsyncIpcStreamReader::new(socket);
/// let mut rows = 0;
/// while let Some(frame) = reader.next().await {
///     rows += frame?.height();
/// }
/// assert_eq!(rows, 3);
/// # Ok(())
/// # }
/// ```
///
/// # Cancelling
///
/// A call of `next` that is dropped loses nothing: bytes read so far stay in the reader, and the next call goes on.
///
/// # Errors
///
/// A stream that breaks off within a message is an error. One that ends between two messages is none, unless
/// [`with_end_marker_required`](Self::with_end_marker_required) is set; [`saw_end_marker`](Self::saw_end_marker) tells. After
/// an error there are no more frames.
#[must_use]
pub struct AsyncIpcStreamReader<R> {
    reader: R,
    stage: Stage,
    /// The part that has been read of the bytes wanted next.
    piece: Vec<u8>,
    frames: VecDeque<DataFrame>,
    saw_end_marker: bool,
    n_rows: Option<usize>,
    rows: usize,
}

/// A decoder that comes back, and what it made of a piece.
type Decoded = (Box<StreamDecoder>, PolarsResult<Vec<DataFrame>>);

enum Stage {
    Reading(Box<StreamDecoder>),
    Decoding(Offloaded<Decoded>),
    Ended,
}

impl<R> AsyncIpcStreamReader<R> {
    /// Reads from where the reader stands.
    pub fn new(reader: R) -> Self {
        Self::with_decoder(reader, StreamDecoder::new())
    }

    /// As [`new`](Self::new), with a decoder that has been told what to read.
    ///
    /// ```
    /// use floe_frame::StreamDecoder;
    /// use floe_object_store::AsyncIpcStreamReader;
    ///
    /// let decoder = StreamDecoder::new().with_projection(Some(vec![0])).with_parallel(false);
    /// let reader = AsyncIpcStreamReader::with_decoder(tokio::io::empty(), decoder);
    /// # let _ = reader;
    /// ```
    pub fn with_decoder(reader: R, decoder: StreamDecoder) -> Self {
        Self {
            reader,
            stage: Stage::Reading(Box::new(decoder)),
            piece: Vec::new(),
            frames: VecDeque::new(),
            saw_end_marker: false,
            n_rows: None,
            rows: 0,
        }
    }

    /// Sets something of the decoder, which nothing has been read with yet.
    fn decoder(mut self, set: impl FnOnce(StreamDecoder) -> StreamDecoder) -> Self {
        if let Stage::Reading(decoder) = self.stage {
            self.stage = Stage::Reading(Box::new(set(*decoder)));
        }
        self
    }

    /// Columns to read. Must be said before the first frame is asked for, as all options.
    pub fn with_columns(self, columns: Option<Vec<String>>) -> Self {
        self.decoder(|decoder| decoder.with_columns(columns))
    }

    /// Stop when this many rows have been read. The rest is left in the reader.
    pub fn with_n_rows(mut self, n_rows: impl Into<Option<usize>>) -> Self {
        self.n_rows = n_rows.into();
        let n_rows = self.n_rows;
        self.decoder(|decoder| decoder.with_n_rows(n_rows))
    }

    /// Caps on what the stream may claim.
    pub fn with_limits(self, limits: IpcLimits) -> Self {
        self.decoder(|decoder| decoder.with_limits(limits))
    }

    /// Whether a stream that ends without an end marker is an error. Defaults to false.
    pub fn with_end_marker_required(self, required: bool) -> Self {
        self.decoder(|decoder| decoder.with_end_marker_required(required))
    }

    /// Whether the end marker has been read: the writer finished.
    #[must_use]
    pub fn saw_end_marker(&self) -> bool {
        self.saw_end_marker
    }

    /// The reader. It stands behind what has been read: behind the end marker, if the stream has ended.
    #[must_use]
    pub fn into_inner(self) -> R {
        self.reader
    }
}

impl<R: AsyncRead + Unpin> AsyncIpcStreamReader<R> {
    /// The next frame; none at the end of the stream.
    ///
    /// # Errors
    /// When the reader fails, or what comes is not a valid stream.
    pub async fn next(&mut self) -> Option<PolarsResult<DataFrame>> {
        poll_fn(|cx| self.poll_frame(cx)).await
    }

    /// The schema, for which the first message is read. Frames that came with it are kept.
    ///
    /// ```
    /// # use floe_frame::IpcStreamWriter;
    /// # use floe_object_store::AsyncIpcStreamReader;
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> PolarsResult<()> {
    /// # let mut df = DataFrame::new(3, vec![Column::new("day".into(), [1i64, 2, 3])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
    /// let mut reader = AsyncIpcStreamReader::new(bytes.as_slice());
    /// assert_eq!(&reader.schema().await?, &**df.schema());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no stream, the reader fails, a column is of a type that Polars cannot hold, or the stream has ended.
    pub async fn schema(&mut self) -> PolarsResult<Schema> {
        loop {
            if let Stage::Reading(decoder) = &mut self.stage
                && let Some(schema) = decoder.schema()?
            {
                return Ok(schema);
            }
            polars_ensure!(
                !matches!(self.stage, Stage::Ended),
                InvalidOperation: "the Arrow IPC stream has ended or failed: ask for its schema before"
            );
            poll_fn(|cx| self.poll_step(cx)).await?;
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<PolarsResult<DataFrame>>> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if matches!(self.stage, Stage::Ended) {
                return Poll::Ready(None);
            }
            if let Err(error) = ready!(self.poll_step(cx)) {
                self.stage = Stage::Ended;
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    /// Reads a piece, or takes what became of one.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<PolarsResult<()>> {
        match &mut self.stage {
            Stage::Ended => Poll::Ready(Ok(())),
            Stage::Decoding(decoding) => {
                let decoded = ready!(Pin::new(decoding).poll(cx));
                Poll::Ready(decoded.and_then(|decoded| self.take(decoded)))
            },
            Stage::Reading(decoder) => {
                if decoder.saw_end_marker() && !decoder.is_in_file() {
                    return Poll::Ready(self.end());
                }
                let needed = if decoder.is_in_file() && decoder.saw_end_marker() {
                    PIECE_BYTES
                } else {
                    decoder.needed_bytes()
                };
                let read = ready!(self.poll_fill(cx, needed));
                Poll::Ready(read.and_then(|is_end| self.push(is_end)))
            },
        }
    }

    /// Reads until the piece has `len` bytes; true if there are no more.
    fn poll_fill(&mut self, cx: &mut Context<'_>, needed: usize) -> Poll<PolarsResult<bool>> {
        while let Some(missing) = needed.checked_sub(self.piece.len()).filter(|missing| *missing > 0) {
            // No memory for what a head merely claims: it grows as bytes come.
            self.piece.reserve(missing.min(self.piece.len().max(PIECE_BYTES)));
            let room = missing.min(self.piece.capacity() - self.piece.len());
            let mut into = (&mut self.piece).limit(room);
            // Such a future has no state of its own, so that a new one goes on where the last one stood.
            let read = ready!(pin!(self.reader.read_buf(&mut into)).poll(cx));
            match read {
                Ok(0) => return Poll::Ready(Ok(true)),
                Ok(_) => {},
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {},
                Err(error) => return Poll::Ready(Err(io_error(error, "reading an Arrow IPC stream"))),
            }
        }
        Poll::Ready(Ok(false))
    }

    /// Hands the piece to the decoder.
    fn push(&mut self, is_end: bool) -> PolarsResult<()> {
        let Stage::Reading(mut decoder) = std::mem::replace(&mut self.stage, Stage::Ended) else {
            return Ok(());
        };
        let piece = std::mem::take(&mut self.piece);
        if piece.len() >= OFFLOADED_BYTES && !is_end {
            self.stage = Stage::Decoding(offload(move || {
                let frames = decoder.push(piece);
                (decoder, frames)
            }));
            return Ok(());
        }
        let frames = decoder.push(piece);
        self.take((decoder, frames))?;
        if is_end { self.end() } else { Ok(()) }
    }

    /// Takes a decoder back.
    fn take(&mut self, (decoder, frames): Decoded) -> PolarsResult<()> {
        self.saw_end_marker = decoder.saw_end_marker();
        self.stage = Stage::Reading(decoder);
        let frames = frames?;
        self.rows += frames.iter().map(DataFrame::height).sum::<usize>();
        self.frames.extend(frames);
        if self.n_rows.is_some_and(|n_rows| self.rows >= n_rows) {
            self.stage = Stage::Ended;
        }
        Ok(())
    }

    /// No more bytes come.
    fn end(&mut self) -> PolarsResult<()> {
        match std::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Reading(mut decoder) => decoder.finish(),
            Stage::Decoding(_) | Stage::Ended => Ok(()),
        }
    }
}

impl<R: AsyncRead + Unpin> Stream for AsyncIpcStreamReader<R> {
    type Item = PolarsResult<DataFrame>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_frame(cx)
    }
}

impl<R> fmt::Debug for AsyncIpcStreamReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncIpcStreamReader")
            .field("rows", &self.rows)
            .field("saw_end_marker", &self.saw_end_marker)
            .field("has_ended", &matches!(self.stage, Stage::Ended))
            .finish_non_exhaustive()
    }
}
