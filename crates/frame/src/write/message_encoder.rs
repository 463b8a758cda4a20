//! Frames to messages, without I/O.

use std::fmt;
use std::io::Sink;
use std::marker::PhantomData;
use std::sync::Arc;

use polars_core::prelude::*;
use polars_io::SerWriter;

use super::batched::{batch_metadata, check_schema};
use super::engine::Engine;
use super::format::{FileFormat, StreamFormat, WriteFormat};
use super::message::IpcMessage;
use super::message_queue::MessageQueue;
use super::writer::FrameWriter;
use crate::options::Metadata;
use crate::summary::WriteSummary;

/// Makes the messages of a stream or file out of frames, and leaves it to its user to send them. It does no I/O: Flight,
/// asynchronous sockets and object stores have their own.
///
/// A message is a head and the pieces of a body. Pieces share the memory of the frame's columns: what a writer would write
/// from where it lies is not copied. All pieces of all messages, joined in their order, are the bytes that
/// [`IpcStreamWriter::batched`](crate::IpcStreamWriter) writes.
///
/// ```
/// use floe_frame::{IpcMessageEncoder, IpcMessageKind, IpcStreamReader};
/// use polars_core::prelude::*;
/// use polars_io::SerReader;
///
/// let df = DataFrame::new(2, vec![Column::new("day".into(), [1i64, 2])])?;
/// let mut encoder = IpcMessageEncoder::new(df.schema())?;
/// let mut messages = encoder.encode(&df)?; // the schema, and one record batch
/// assert_eq!(messages[1].kind(), IpcMessageKind::RecordBatch { rows: 2 });
/// messages.extend(encoder.finish()?); // the end marker
///
/// let mut sent = Vec::new();
/// for message in messages {
///     let (head, body) = message.into_parts();
///     sent.extend_from_slice(&head);
///     body.iter().for_each(|piece| sent.extend_from_slice(piece));
/// }
/// assert!(IpcStreamReader::from_bytes(sent).finish()?.equals(&df));
/// # PolarsResult::Ok(())
/// ```
///
/// # Options and order
///
/// [`FrameWriter::message_encoder`] makes an encoder with the options of a writer. The schema comes first; a dictionary
/// comes before the first batch of a stream that needs it. Flight sends [`IpcMessage::metadata`] and the body of all but
/// [`IpcMessageKind::End`](crate::IpcMessageKind::End).
pub struct IpcMessageEncoder<F = StreamFormat> {
    engine: Engine<MessageQueue>,
    format: PhantomData<F>,
}

impl IpcMessageEncoder<StreamFormat> {
    /// An encoder of a stream, with the default options of [`IpcStreamWriter`](crate::IpcStreamWriter). See
    /// [`IpcMessageEncoder`] for an example.
    ///
    /// # Errors
    /// When a dtype cannot be written.
    pub fn new(schema: &Schema) -> PolarsResult<Self> {
        FrameWriter::<Sink, StreamFormat>::new(std::io::sink()).message_encoder(schema)
    }
}

impl<F: WriteFormat> FrameWriter<Sink, F> {
    /// Makes messages with the options of this writer, rather than writing them.
    ///
    /// ```
    /// use floe_frame::{IpcMessageKind, IpcWriter};
    /// use polars_core::prelude::*;
    /// use polars_io::{SerWriter, ipc::IpcCompression};
    ///
    /// let df = DataFrame::new(2, vec![Column::new("a".into(), [1, 2])])?;
    /// let options = IpcWriter::new(std::io::sink()).with_compression(Some(IpcCompression::LZ4));
    /// let mut encoder = options.message_encoder(df.schema())?;
    /// let first: Vec<_> = encoder.take().iter().map(|message| message.kind()).collect();
    /// assert_eq!(first, [IpcMessageKind::Start, IpcMessageKind::Schema]);
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// When a dtype cannot be written, or the codec is not there.
    pub fn message_encoder(self, schema: &Schema) -> PolarsResult<IpcMessageEncoder<F>> {
        let engine = Engine::start(MessageQueue::default(), &Arc::new(schema.clone()), self.options())?;
        Ok(IpcMessageEncoder { engine, format: PhantomData })
    }
}

impl<F: WriteFormat> IpcMessageEncoder<F> {
    /// The messages of a frame, and those before it that have not been taken: as one record batch, unless the frame is
    /// large or a batch size was set. Its chunks need not be aligned. See [`IpcMessageEncoder`] for an example.
    ///
    /// # Errors
    /// When the columns' names, order or dtypes differ from the schema's (the encoder can go on then), or a column cannot
    /// be encoded (every later call fails then).
    pub fn encode(&mut self, df: &DataFrame) -> PolarsResult<Vec<IpcMessage>> {
        self.encode_with_metadata(df, Metadata::default())
    }

    /// As [`encode`](Self::encode), with custom metadata in the message of each record batch.
    ///
    /// ```
    /// # use floe_frame::{IpcMessageEncoder, Metadata};
    /// # use polars_core::prelude::*;
    /// let df = DataFrame::new(2, vec![Column::new("a".into(), [0, 1])])?;
    /// let mut encoder = IpcMessageEncoder::new(df.schema())?;
    /// encoder.encode_with_metadata(&df, Metadata::from([("sensor".into(), "7".into())]))?;
    /// # PolarsResult::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_with_metadata(
        &mut self,
        df: &DataFrame,
        metadata: Metadata,
    ) -> PolarsResult<Vec<IpcMessage>> {
        check_schema(self.engine.schema(), df)?;
        self.engine.write_more(df, &batch_metadata(&metadata))?;
        Ok(self.take())
    }

    /// The messages that have not been taken: the schema, before the first frame. See
    /// [`message_encoder`](FrameWriter::message_encoder) for an example.
    #[must_use]
    pub fn take(&mut self) -> Vec<IpcMessage> {
        self.engine.sink_mut().take()
    }

    /// The end, and the messages before it. See [`IpcMessageEncoder`] for an example. Without it the stream or file is incomplete, and a reader will say so.
    ///
    /// # Errors
    /// When encoding has failed before, or this has been called before.
    pub fn finish(&mut self) -> PolarsResult<Vec<IpcMessage>> {
        self.engine.finish()?;
        Ok(self.take())
    }

    /// Counts of the messages made so far.
    ///
    /// ```
    /// # use floe_frame::IpcMessageEncoder;
    /// # use polars_core::prelude::*;
    /// let encoder = IpcMessageEncoder::new(&Schema::default())?;
    /// assert_eq!(encoder.summary().batches, 0);
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    pub fn summary(&self) -> WriteSummary {
        self.engine.summary()
    }
}

/// The pipeline, for encoders on top of this one that bound what is on its way: floe's Flight.
#[doc(hidden)]
impl<F: WriteFormat> IpcMessageEncoder<F> {
    /// Adds the categories of a frame to the dictionaries, before it is submitted in slices: they grow once then, rather
    /// than with every slice.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn note(&mut self, df: &DataFrame) -> PolarsResult<()> {
        check_schema(self.engine.schema(), df)?;
        self.engine.note_more(df)
    }

    /// As [`encode`](Self::encode), but returns while the frame is still being encoded, without messages: see
    /// [`write_submitted`](Self::write_submitted) and [`take`](Self::take). The messages are the same.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), also for the frames before this one.
    pub fn submit(&mut self, df: &DataFrame) -> PolarsResult<()> {
        check_schema(self.engine.schema(), df)?;
        self.engine.submit_more(df, &batch_metadata(&Metadata::default()))
    }

    /// Makes the messages of the oldest batch on its way, waiting for it to be encoded. False if there is none.
    ///
    /// # Errors
    /// When the batch cannot be encoded.
    pub fn write_submitted(&mut self) -> PolarsResult<bool> {
        self.engine.write_oldest()
    }
}

impl IpcMessageEncoder<FileFormat> {
    /// Adds custom metadata to the footer.
    ///
    /// ```
    /// # use floe_frame::IpcWriter;
    /// # use polars_core::prelude::*;
    /// # use polars_io::SerWriter;
    /// let mut encoder = IpcWriter::new(std::io::sink()).message_encoder(&Schema::default())?;
    /// encoder.set_custom_metadata(vec![("made by".to_owned(), "me".to_owned())]);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn set_custom_metadata(&mut self, custom_metadata: Vec<(String, String)>) {
        let metadata = custom_metadata.into_iter().map(|(key, value)| (key.into(), value.into()));
        self.engine.set_footer_metadata(metadata.collect());
    }
}

impl<F: WriteFormat> fmt::Debug for IpcMessageEncoder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IpcMessageEncoder").field("summary", &self.summary()).finish_non_exhaustive()
    }
}
