//! Decoding a stream without I/O.

use floe_format::constants::CONTINUATION;
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::message_source::MessageSource;
use super::options::ReadOptions;
use super::pushed::Pushed;
use super::stream_source::Stream;
use crate::error::format_error;

/// Decodes an Arrow IPC stream whose bytes are handed over as they come: for sockets that are read asynchronously, HTTP
/// bodies, Flight. It does no I/O, and takes pieces of any size.
///
/// Bytes are kept until the message that they belong to has come as a whole. A buffer that lies in one piece is not
/// copied: if it is not compressed, it becomes a view into the piece. A buffer that lies across pieces is copied once.
/// Columns that are not wanted are never copied.
///
/// ```
/// use floe_frame::{IpcStreamWriter, StreamDecoder};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// let mut df = DataFrame::new(3, vec![Column::new("day".into(), [1i64, 2, 3])])?;
/// let mut body = Vec::new();
/// IpcStreamWriter::new(&mut body).with_record_batch_size(Some(1)).finish(&mut df)?;
///
/// let mut decoder = StreamDecoder::new();
/// let mut rows = 0;
/// for chunk in body.chunks(100) {
///     for frame in decoder.push(chunk.to_vec())? {
///         rows += frame.height();
///     }
/// }
/// decoder.finish()?; // an error, if the body was cut off
/// assert!(rows == 3 && decoder.saw_end_marker());
/// # PolarsResult::Ok(())
/// ```
///
/// # The end
///
/// [`finish`](Self::finish) says that no more bytes come. A stream that breaks off within a message is an error then,
/// of the kind [`ErrorKind::Truncated`](crate::ErrorKind::Truncated). One that ends between two messages, without its end
/// marker, is none, since the format allows it: [`saw_end_marker`](Self::saw_end_marker) tells, and
/// [`with_end_marker_required`](Self::with_end_marker_required) makes it an error.
///
/// # Several streams
///
/// Bytes behind the end marker are kept: [`next_stream`](Self::next_stream) goes on to the stream there. `finish` is an
/// error if something is left, but for zeros and further end markers.
///
/// # Errors
///
/// Frames that were complete before an error are returned, and the error comes from the next call. After an error every
/// later call fails.
#[must_use]
pub struct StreamDecoder {
    stream: Stream<Pushed>,
    pub(super) options: ReadOptions,
    /// Whether bytes have been pushed: limits are known then.
    is_begun: bool,
    /// Whether the next stream has begun, and its schema has not come yet.
    is_advancing: bool,
    /// For the next call.
    error: Option<PolarsError>,
}

impl Default for StreamDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl StreamDecoder {
    /// A decoder at the start of a stream.
    ///
    /// See [`StreamDecoder`] for an example.
    pub fn new() -> Self {
        let options = ReadOptions::default();
        Self {
            stream: Stream::new(Pushed::new(options.limits)),
            options,
            is_begun: false,
            is_advancing: false,
            error: None,
        }
    }

    /// Whether a stream that ends without an end marker is an error. Defaults to false.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamWriter, StreamDecoder};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
    /// bytes.truncate(bytes.len() - 8); // the end marker
    /// let mut decoder = StreamDecoder::new().with_end_marker_required(true);
    /// assert_eq!(decoder.push(bytes)?.len(), 1);
    /// assert!(decoder.finish().is_err());
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_end_marker_required(mut self, required: bool) -> Self {
        self.options.end_marker_required = required;
        self
    }

    /// Whether [`finish`](Self::finish) accepts that something follows the end marker. Defaults to false.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamWriter, StreamDecoder};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
    /// bytes.extend(b"something else");
    /// let mut decoder = StreamDecoder::new().with_trailing_data_allowed(true);
    /// assert_eq!(decoder.push(bytes)?.len(), 1);
    /// decoder.finish()?;
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_trailing_data_allowed(mut self, allowed: bool) -> Self {
        self.options.trailing_data_allowed = allowed;
        self
    }

    /// Takes the next bytes: `Vec<u8>`, `Bytes`, `Buffer<u8>`. Returns a frame for each record batch that is complete now.
    ///
    /// See [`StreamDecoder`] for an example.
    ///
    /// # Errors
    /// When the bytes so far are not a valid stream, or a projected column is not there.
    pub fn push<B: AsRef<[u8]> + Send + Sync + 'static>(&mut self, bytes: B) -> PolarsResult<Vec<DataFrame>> {
        if !std::mem::replace(&mut self.is_begun, true) {
            self.stream.input.restart(self.options.limits);
        }
        self.stream.input.push(Buffer::from_owner(bytes));
        self.frames()
    }

    /// Says that no more bytes come.
    ///
    /// # Errors
    /// When there is no stream or it is cut off; when something follows it.
    ///
    /// ```
    /// use floe_frame::{ErrorKind, StreamDecoder, error_kind};
    ///
    /// let mut decoder = StreamDecoder::new();
    /// decoder.push(vec![0xFF, 0xFF, 0xFF, 0xFF, 16, 0, 0, 0])?; // a message's length, and no message
    /// let error = decoder.finish().unwrap_err();
    /// assert!(matches!(error_kind(&error), Some(ErrorKind::Truncated { need: 16, have: 0 })));
    /// # polars_core::prelude::PolarsResult::Ok(())
    /// ```
    pub fn finish(&mut self) -> PolarsResult<()> {
        self.stream.input.complete();
        if std::mem::take(&mut self.is_advancing) {
            self.stream.schema(&self.options)?;
            polars_ensure!(
                self.options.trailing_data_allowed,
                ComputeError: "another stream follows the end marker of the Arrow IPC stream: `next_stream` goes on to it, \
                `with_trailing_data_allowed(true)` leaves it unread"
            );
            return Ok(());
        }
        let frames = self.frames()?;
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        debug_assert!(frames.is_empty(), "complete batches have been returned before");
        self.stream.check_end(&self.options)
    }

    /// Goes on to the stream behind the end marker: its frames as far as they have come. Nothing if this stream has not
    /// ended yet, or no other one begins in the bytes so far.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamWriter, StreamDecoder};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut bytes = Vec::new();
    /// # for rows in [1, 2] {
    /// #     let mut df = DataFrame::new(rows, vec![Column::new("a".into(), vec![7i64; rows])])?;
    /// #     IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
    /// # }
    /// let mut decoder = StreamDecoder::new();
    /// let mut heights = Vec::new();
    /// let mut frames = decoder.push(bytes)?;
    /// loop {
    ///     heights.extend(frames.iter().map(DataFrame::height));
    ///     match decoder.next_stream()? {
    ///         Some(next) => frames = next,
    ///         None => break,
    ///     }
    /// }
    /// assert_eq!(heights, [1, 2]);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the bytes behind are no stream, or it is not valid.
    pub fn next_stream(&mut self) -> PolarsResult<Option<Vec<DataFrame>>> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if !(self.is_advancing || self.saw_end_marker()) || self.stream.input.is_waiting() {
            return Ok(None);
        }
        let number = self.stream.number();
        match self.stream.advance(&self.options) {
            Ok(true) => {
                self.is_advancing = false;
                self.frames().map(Some)
            },
            Ok(false) => Ok(None),
            Err(error) if self.stream.input.resumes(&error) => {
                self.is_advancing |= self.stream.number() != number;
                Ok(None)
            },
            Err(error) => Err(error),
        }
    }

    /// The schema, if it has come.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamWriter, StreamDecoder};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
    /// let mut decoder = StreamDecoder::new();
    /// assert_eq!(decoder.schema()?, None);
    /// decoder.push(bytes)?;
    /// assert_eq!(decoder.schema()?, Some(df.schema().as_ref().clone()));
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When it is not valid, or has a column that Polars cannot hold.
    pub fn schema(&mut self) -> PolarsResult<Option<Schema>> {
        if self.stream.input.is_waiting() && !self.stream.has_schema() {
            return Ok(None);
        }
        match self.stream.schema(&self.options) {
            Ok(schema) => schema.polars().map(Some).map_err(format_error),
            Err(error) if self.stream.input.resumes(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the end marker has come: the writer finished.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamWriter, StreamDecoder};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
    /// let end_marker = bytes.split_off(bytes.len() - 8);
    /// let mut decoder = StreamDecoder::new();
    /// decoder.push(bytes)?;
    /// assert!(!decoder.saw_end_marker());
    /// decoder.push(end_marker)?;
    /// assert!(decoder.saw_end_marker());
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn saw_end_marker(&self) -> bool {
        self.stream.saw_end_marker()
    }

    /// Bytes that have been pushed and belong to no complete message. Bytes behind the end marker count as well.
    ///
    /// ```
    /// # use floe_frame::{IpcStreamWriter, StreamDecoder};
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1i64, 2, 3])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
    /// let mut decoder = StreamDecoder::new();
    /// decoder.push(bytes[..100].to_vec())?;
    /// assert!((1..=100).contains(&decoder.buffered_bytes())); // a part of the schema
    /// decoder.push(bytes[100..].to_vec())?;
    /// assert_eq!(decoder.buffered_bytes(), 0);
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.stream.input.buffered_bytes()
    }

    /// Bytes that have to come before anything more can be decoded, at least; 0 behind the end marker. A caller that
    /// reads no more than these stands right behind the stream afterwards.
    ///
    /// ```
    /// use floe_frame::StreamDecoder;
    ///
    /// let mut decoder = StreamDecoder::new();
    /// assert_eq!(decoder.needed_bytes(), 4); // a marker
    /// decoder.push(vec![0xFF, 0xFF, 0xFF, 0xFF, 16, 0, 0, 0])?;
    /// assert_eq!(decoder.needed_bytes(), 16); // the rest of a head
    /// # polars_core::prelude::PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn needed_bytes(&self) -> usize {
        if self.saw_end_marker() {
            return 0;
        }
        match self.stream.input.missing_bytes() {
            0 if self.is_begun => 1,
            0 => CONTINUATION.len(),
            missing => missing,
        }
    }

    /// Whether the stream lies in a file, whose footer follows its end marker.
    #[doc(hidden)]
    #[must_use]
    pub fn is_in_file(&self) -> bool {
        self.stream.current.file.is_some()
    }

    /// All that is complete, one frame for each batch.
    fn frames(&mut self) -> PolarsResult<Vec<DataFrame>> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        let mut frames = Vec::new();
        while !self.is_advancing && !self.stream.input.is_waiting() {
            // Returned frames are the caller's.
            self.stream.hand_over();
            match self.stream.next_frame(&self.options) {
                Ok(Some((frame, _))) => frames.push(frame),
                Ok(None) => {
                    self.pass_over_rest()?;
                    break;
                },
                Err(error) if self.stream.input.resumes(&error) => break,
                Err(error) if frames.is_empty() => return Err(error),
                Err(error) => {
                    self.error = Some(error);
                    break;
                },
            }
        }
        Ok(frames)
    }

    /// Passes over the bytes behind the wanted rows, so that they are not kept.
    fn pass_over_rest(&mut self) -> PolarsResult<()> {
        match self.stream.again(|stream| stream.skip_rest(&self.options)) {
            Err(error) if !self.stream.input.resumes(&error) => Err(error),
            _ => Ok(()),
        }
    }
}

impl std::fmt::Debug for StreamDecoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamDecoder")
            .field("buffered_bytes", &self.buffered_bytes())
            .field("saw_end_marker", &self.saw_end_marker())
            .finish_non_exhaustive()
    }
}
