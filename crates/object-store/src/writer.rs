//! Streams and files into asynchronous writers.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use floe_frame::{BatchWriter, FileFormat, FrameWriter, Metadata, StreamFormat, WriteFormat, WriteSummary};
use polars_core::prelude::*;
use polars_io::SerWriter;
use polars_io::ipc::IpcCompression;
use tokio::io::AsyncWrite;

use crate::error::io_error;
use crate::offload::{Offloaded, offload};

/// Writes an Arrow IPC stream, frame by frame, into whatever is [`AsyncWrite`]. See [`AsyncFrameWriter`].
pub type AsyncIpcStreamWriter<W> = AsyncFrameWriter<W, StreamFormat>;

/// Writes an Arrow IPC file, frame by frame, into whatever is [`AsyncWrite`]: an [`ObjectFile`](crate::ObjectFile), say. See
/// [`AsyncFrameWriter`].
pub type AsyncIpcWriter<W> = AsyncFrameWriter<W, FileFormat>;

/// Writes frames as they come: an [`AsyncIpcStreamWriter`] or an [`AsyncIpcWriter`].
///
/// The bytes are those of [`IpcStreamWriter`](floe_frame::IpcStreamWriter) or [`IpcWriter`](floe_frame::IpcWriter), batched.
/// Frames are encoded on Polars' pool. Of encoded bytes there are those of one frame at most; the writer's readiness is the
/// back-pressure.
///
/// ```
/// use floe_object_store::{AsyncIpcStreamReader, AsyncIpcStreamWriter};
/// use polars_core::prelude::*;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> PolarsResult<()> {
/// let df = DataFrame::new(3, vec![Column::new("day".into(), [1i64, 2, 3])])?;
/// let (near, far) = tokio::io::duplex(64);
/// let write = async {
///     let mut writer = AsyncIpcStreamWriter::new(near);
///     writer.write_batch(&df).await?;
///     writer.finish().await
/// };
/// let read = async {
///     let mut reader = AsyncIpcStreamReader::new(far);
///     let frame = reader.next().await.transpose()?;
///     assert!(reader.next().await.is_none(), "the end marker");
///     PolarsResult::Ok(frame)
/// };
/// let (summary, frame) = tokio::join!(write, read);
/// assert_eq!((summary?.rows, frame?), (3, Some(df)));
/// # Ok(())
/// # }
/// ```
///
/// # Cancelling
///
/// A call that is dropped may have written a part of its frame. The rest is kept, and written by the next call before
/// anything else: so the stream stays whole, and no frame is in it twice. The dropped call's frame is in it as soon as it
/// has begun to be encoded, which is before the call first waits, unless another frame was on its way.
///
/// # Errors
///
/// After the writer has failed every later call fails: the output is not complete, and gets no end.
#[must_use]
pub struct AsyncFrameWriter<W, F> {
    writer: W,
    stage: Stage<F>,
    /// Encoded bytes, and how many of them have been written.
    pending: Vec<u8>,
    written: usize,
    summary: WriteSummary,
}

type Encoded<F> = (Box<BatchWriter<Vec<u8>, F>>, PolarsResult<()>);

enum Stage<F> {
    /// No frame has come.
    Options(Box<FrameWriter<Vec<u8>, F>>),
    Open(Box<BatchWriter<Vec<u8>, F>>),
    Encoding(Offloaded<Encoded<F>>),
    /// All has been encoded.
    Finished,
    Failed(PolarsError),
}

impl<W, F: WriteFormat> AsyncFrameWriter<W, F> {
    /// Writes to where the writer stands.
    pub fn new(writer: W) -> Self {
        Self::with_options(writer, FrameWriter::new(Vec::new()))
    }

    /// As [`new`](Self::new), with all options of a writer, which has to be one into an empty `Vec`.
    ///
    /// ```
    /// use floe_frame::IpcStreamWriter;
    /// use floe_object_store::AsyncIpcStreamWriter;
    /// use polars_io::SerWriter;
    ///
    /// let options = IpcStreamWriter::new(Vec::new()).with_dictionary_deltas(true).with_statistics(true);
    /// let writer = AsyncIpcStreamWriter::with_options(tokio::io::sink(), options);
    /// # let _ = writer;
    /// ```
    pub fn with_options(writer: W, options: FrameWriter<Vec<u8>, F>) -> Self {
        let stage = Stage::Options(Box::new(options));
        Self { writer, stage, pending: Vec::new(), written: 0, summary: WriteSummary::default() }
    }

    fn options(mut self, set: impl FnOnce(FrameWriter<Vec<u8>, F>) -> FrameWriter<Vec<u8>, F>) -> Self {
        if let Stage::Options(options) = self.stage {
            self.stage = Stage::Options(Box::new(set(*options)));
        }
        self
    }

    /// The compression of buffers. Defaults to none. Must be said before the first frame, as all options.
    pub fn with_compression(self, compression: Option<IpcCompression>) -> Self {
        self.options(|options| options.with_compression(compression))
    }

    /// Which Arrow types strings and binaries are written as.
    pub fn with_compat_level(self, compat_level: CompatLevel) -> Self {
        self.options(|options| options.with_compat_level(compat_level))
    }

    /// Write only what every Arrow engine can query: see [`with_interop`](FrameWriter::with_interop).
    pub fn with_interop(self, interop: bool) -> Self {
        self.options(|options| options.with_interop(interop))
    }

    /// Rows per record batch; without, a frame is a batch unless it is large.
    pub fn with_record_batch_size(self, record_batch_size: impl Into<Option<usize>>) -> Self {
        let record_batch_size = record_batch_size.into();
        self.options(|options| options.with_record_batch_size(record_batch_size))
    }

    /// Whether each batch says its columns' smallest and largest values.
    pub fn with_statistics(self, statistics: bool) -> Self {
        self.options(|options| options.with_statistics(statistics))
    }

    /// Metadata of the schema.
    pub fn set_custom_schema_metadata(&mut self, metadata: Arc<Metadata>) {
        if let Stage::Options(options) = &mut self.stage {
            options.set_custom_schema_metadata(metadata);
        }
    }

    /// The counters so far.
    #[must_use]
    pub fn summary(&self) -> WriteSummary {
        self.summary
    }

    /// The writer, given back.
    #[must_use]
    pub fn into_inner(self) -> W {
        self.writer
    }
}

impl<W: AsyncWrite + Unpin, F: WriteFormat + Send + 'static> AsyncFrameWriter<W, F> {
    /// Writes the schema now. Without, the first frame's is taken; without any frame there is none.
    ///
    /// # Errors
    /// When a dtype cannot be written, the writer fails, or the schema has been written already.
    pub async fn write_schema(&mut self, schema: &Schema) -> PolarsResult<()> {
        self.settle().await?;
        polars_ensure!(
            matches!(self.stage, Stage::Options(_)),
            InvalidOperation: "the schema has been written already"
        );
        self.begin(schema)?;
        self.settle().await
    }

    /// Writes a frame: as one record batch, unless it is large or a batch size was set.
    ///
    /// # Errors
    /// When its columns differ from those of the frames before (nothing is written then, and others may follow), or the
    /// writer fails.
    pub async fn write_batch(&mut self, df: &DataFrame) -> PolarsResult<()> {
        self.settle().await?;
        self.begin(df.schema())?;
        let df = df.clone();
        self.encode(move |writer| writer.write_batch(&df))?;
        self.settle().await
    }

    /// Writes the end, and flushes the writer; neither shuts it down nor commits it.
    ///
    /// # Errors
    /// When neither a frame nor a schema has been written, the writer fails, or this has been called before.
    pub async fn finish(&mut self) -> PolarsResult<WriteSummary> {
        self.settle().await?;
        match std::mem::replace(&mut self.stage, Stage::Finished) {
            // A frame's worth of bytes at most: the footer.
            Stage::Open(mut writer) => {
                if let Err(error) = writer.finish() {
                    return Err(self.fail(error));
                }
                self.summary = writer.summary();
                self.pending = writer.into_inner();
            },
            Stage::Finished => polars_bail!(InvalidOperation: "the output has been finished already"),
            other => {
                self.stage = other;
                polars_bail!(
                    InvalidOperation: "no frame has been written, so that there is no schema: `write_schema` writes one"
                );
            },
        }
        self.flush().await?;
        Ok(self.summary)
    }

    /// Writes what a dropped call has left, and flushes the writer.
    ///
    /// # Errors
    /// When the writer fails.
    pub async fn flush(&mut self) -> PolarsResult<()> {
        self.settle().await?;
        let flushed = poll_fn(|cx| Pin::new(&mut self.writer).poll_flush(cx)).await;
        flushed.map_err(|error| self.fail(io_error(error, "writing Arrow IPC")))
    }

    fn fail(&mut self, error: PolarsError) -> PolarsError {
        self.stage = Stage::Failed(error.clone());
        error
    }

    /// Opens the writer of batches.
    fn begin(&mut self, schema: &Schema) -> PolarsResult<()> {
        match std::mem::replace(&mut self.stage, Stage::Finished) {
            Stage::Options(options) => {
                let mut writer = options.batched(schema).map_err(|error| self.fail(error))?;
                self.pending = std::mem::take(writer.get_mut());
                self.summary = writer.summary();
                self.stage = Stage::Open(Box::new(writer));
                Ok(())
            },
            Stage::Finished => polars_bail!(InvalidOperation: "the output has been finished already"),
            other => {
                self.stage = other;
                Ok(())
            },
        }
    }

    /// Starts to encode something.
    fn encode(
        &mut self,
        write: impl FnOnce(&mut BatchWriter<Vec<u8>, F>) -> PolarsResult<()> + Send + 'static,
    ) -> PolarsResult<()> {
        match std::mem::replace(&mut self.stage, Stage::Finished) {
            Stage::Open(mut writer) => {
                self.stage = Stage::Encoding(offload(move || {
                    let result = write(&mut writer);
                    (writer, result)
                }));
                Ok(())
            },
            other => {
                self.stage = other;
                polars_bail!(ComputeError: "the writer has another frame on its way")
            },
        }
    }

    /// Waits until nothing is on its way any more.
    async fn settle(&mut self) -> PolarsResult<()> {
        poll_fn(|cx| self.poll_settle(cx)).await
    }

    fn poll_settle(&mut self, cx: &mut Context<'_>) -> Poll<PolarsResult<()>> {
        loop {
            ready!(self.poll_pending(cx))?;
            match &mut self.stage {
                Stage::Failed(error) => {
                    let error = error.clone();
                    return Poll::Ready(Err(error.wrap_msg(|msg| format!("an earlier write failed: {msg}"))));
                },
                Stage::Encoding(encoding) => {
                    let (mut writer, result) = match ready!(Pin::new(encoding).poll(cx)) {
                        Ok(encoded) => encoded,
                        Err(error) => return Poll::Ready(Err(self.fail(error))),
                    };
                    self.pending = std::mem::take(writer.get_mut());
                    self.summary = writer.summary();
                    self.stage = Stage::Open(writer);
                    // A frame that cannot be written has left nothing behind, or its writer fails from now on.
                    if let Err(error) = result {
                        return Poll::Ready(Err(error));
                    }
                },
                Stage::Options(_) | Stage::Open(_) | Stage::Finished => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Writes encoded bytes.
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<PolarsResult<()>> {
        while let Some(rest) = self.pending.get(self.written..).filter(|rest| !rest.is_empty()) {
            let len = rest.len();
            let written = match ready!(Pin::new(&mut self.writer).poll_write(cx, rest)) {
                Ok(0) => Err(std::io::ErrorKind::WriteZero.into()),
                Ok(written) if written > len => {
                    Err(std::io::Error::other("the writer claims to have written more than it was given"))
                },
                other => other,
            };
            match written {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {},
                Err(error) => {
                    self.pending = Vec::new();
                    self.written = 0;
                    return Poll::Ready(Err(self.fail(io_error(error, "writing Arrow IPC"))));
                },
            }
        }
        self.pending = Vec::new();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<W, F> fmt::Debug for AsyncFrameWriter<W, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFrameWriter")
            .field("summary", &self.summary)
            .field("pending", &(self.pending.len() - self.written))
            .finish_non_exhaustive()
    }
}
