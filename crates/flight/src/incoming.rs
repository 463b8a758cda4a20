//! Frames that come from the other side.
//!
//! ```text
//!   gRPC -> FlightData -> FlightDecoder, on a blocking thread if the body is large -> FlightFrame
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use floe::IpcLimits;
use futures_core::Stream;
use polars_core::prelude::*;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tonic::Status;

use crate::decode::FlightDecoder;
use crate::error::{FlightError, FlightResult};
use crate::frames::FlightFrame;
use crate::message::FlightData;
use crate::protocol::FlightDescriptor;

/// Bytes of a body from which it is decoded on a thread that may block: handing over takes longer than decoding less.
const OFFLOADED_BYTES: usize = 64 << 10;

/// Bytes of metadata, and of its places, that are kept while the schema is waited for.
const MAX_EARLY_BYTES: usize = 16 << 20;

/// The frames that the other side sends: a server's answer, or what a client puts. It is a `Stream` of
/// [`FlightFrame`]s.
///
/// Nothing is asked for before it is polled, and dropping it tells the other side to stop.
///
/// ```no_run
/// use floe_flight::{FlightClient, FlightResult, Ticket};
///
/// # async fn example() -> FlightResult<()> {
/// let client = FlightClient::connect("http://127.0.0.1:8815").await?;
/// let mut frames = client.get(Ticket::new("flights")).await?;
/// println!("{:?}", frames.schema().await?);
/// while let Some(frame) = frames.next_frame().await {
///     println!("{:?}", frame?.df);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct FlightStream {
    messages: Messages,
    state: State,
    descriptor: Option<FlightDescriptor>,
    schema: Option<SchemaRef>,
    /// Metadata that came before the schema, while that was waited for.
    early: VecDeque<FlightFrame>,
    /// Bytes that have been put there.
    early_bytes: usize,
}

type Messages = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;
type Decoded = (Box<FlightDecoder>, PolarsResult<Option<FlightFrame>>);

enum State {
    Waiting(Box<FlightDecoder>),
    Decoding(JoinHandle<Decoded>),
    Ended,
}

impl FlightStream {
    pub(crate) fn new(
        messages: impl Stream<Item = Result<FlightData, Status>> + Send + 'static,
        limits: IpcLimits,
        descriptor: Option<FlightDescriptor>,
    ) -> Self {
        Self {
            messages: Box::pin(messages),
            state: State::Waiting(Box::new(FlightDecoder::new().with_limits(limits))),
            descriptor,
            schema: None,
            early: VecDeque::new(),
            early_bytes: 0,
        }
    }

    /// Which data the client wants to write or exchange; none in a server's answer. See [`FlightStream`] for an example.
    #[must_use]
    pub fn descriptor(&self) -> Option<&FlightDescriptor> {
        self.descriptor.as_ref()
    }

    /// The schema, waiting for it. See [`FlightStream`] for an example.
    ///
    /// # Errors
    /// When the other side fails, or ends without a schema, or the schema is not valid.
    pub async fn schema(&mut self) -> FlightResult<SchemaRef> {
        loop {
            if let Some(schema) = &self.schema {
                return Ok(SchemaRef::clone(schema));
            }
            match poll_fn(|cx| self.poll_message(cx)).await {
                Some(Ok(Some(frame))) => self.keep(frame)?,
                Some(Ok(None)) => {},
                Some(Err(error)) => return Err(error),
                None => return Err(FlightError::invalid("the Flight stream has ended without a schema")),
            }
        }
    }

    /// Keeps metadata that came before the schema. There may be no end of it.
    fn keep(&mut self, frame: FlightFrame) -> FlightResult<()> {
        self.early_bytes += frame.app_metadata.len() + size_of::<FlightFrame>();
        if self.early_bytes > MAX_EARLY_BYTES {
            self.state = State::Ended;
            self.early.clear();
            let most = MAX_EARLY_BYTES >> 20;
            return Err(FlightError::invalid(format!(
                "more than {most} MiB of metadata came before the schema"
            )));
        }
        self.early.push_back(frame);
        Ok(())
    }

    /// The next frame. None behind the last one. See [`FlightStream`] for an example.
    pub async fn next_frame(&mut self) -> Option<FlightResult<FlightFrame>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// All frames as one: without rows, if only a schema comes. See [`FlightClient::get`](crate::FlightClient::get) for an
    /// example.
    ///
    /// # Errors
    /// When the other side fails, or ends without a schema, or a message is not valid.
    pub async fn collect(mut self) -> FlightResult<DataFrame> {
        let schema = self.schema().await?;
        let mut all: Option<DataFrame> = None;
        while let Some(frame) = self.next_frame().await {
            let Some(df) = frame?.df else { continue };
            match &mut all {
                Some(all) => {
                    all.vstack_mut_owned(df)?;
                },
                None => all = Some(df),
            }
        }
        Ok(all.unwrap_or_else(|| DataFrame::empty_with_schema(&schema)))
    }

    /// One step: a message has been decoded. None behind the last one.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Option<FlightResult<Option<FlightFrame>>>> {
        let (decoder, result) = match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => return Poll::Ready(None),
            State::Decoding(mut task) => match Pin::new(&mut task).poll(cx) {
                Poll::Pending => {
                    self.state = State::Decoding(task);
                    return Poll::Pending;
                },
                Poll::Ready(Ok(decoded)) => decoded,
                Poll::Ready(Err(error)) => {
                    let text = format!("decoding a message has failed: {error}");
                    return Poll::Ready(Some(Err(Status::internal(text).into())));
                },
            },
            State::Waiting(decoder) => match self.messages.as_mut().poll_next(cx) {
                Poll::Pending => {
                    self.state = State::Waiting(decoder);
                    return Poll::Pending;
                },
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(status))) => return Poll::Ready(Some(Err(status.into()))),
                Poll::Ready(Some(Ok(data))) => {
                    if let Some(runtime) = offloads(&data) {
                        self.state = State::Decoding(runtime.spawn_blocking(move || decode(decoder, data)));
                        return self.poll_message(cx);
                    }
                    decode(decoder, data)
                },
            },
        };
        if self.schema.is_none() {
            self.schema = decoder.schema().cloned();
        }
        Poll::Ready(Some(match result {
            Ok(frame) => {
                self.state = State::Waiting(decoder);
                Ok(frame)
            },
            Err(error) => Err(error.into()),
        }))
    }
}

/// Where a large body is decoded; none if here.
fn offloads(data: &FlightData) -> Option<Handle> {
    if data.data_body.len() < OFFLOADED_BYTES {
        return None;
    }
    Handle::try_current().ok()
}

fn decode(mut decoder: Box<FlightDecoder>, data: FlightData) -> Decoded {
    let result = decoder.push(data);
    (decoder, result)
}

impl Stream for FlightStream {
    type Item = FlightResult<FlightFrame>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(frame) = self.early.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        loop {
            match ready!(self.poll_message(cx)) {
                Some(Ok(None)) => {},
                Some(Ok(Some(frame))) => return Poll::Ready(Some(Ok(frame))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for FlightStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlightStream").field("schema", &self.schema).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use futures_util::stream;

    use super::*;

    #[test]
    fn metadata_without_end_is_not_kept() {
        let metadata = Bytes::from(vec![0; 1 << 20]);
        let endless = stream::repeat_with(move || {
            Ok::<_, Status>(FlightData { app_metadata: metadata.clone(), ..FlightData::default() })
        });
        let mut frames = FlightStream::new(endless, IpcLimits::default(), None);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let error = runtime.block_on(frames.schema()).expect_err("no end");
        assert!(error.to_string().contains("before the schema"), "{error}");
        assert!(runtime.block_on(frames.next_frame()).is_none(), "nothing behind an error");
    }
}
