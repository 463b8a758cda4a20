//! Frames as messages for gRPC.
//!
//! ```text
//!   FrameStream -> a task: encode, on blocking threads -> channel of 2 -> gRPC, as far as the other side has room
//! ```
//!
//! The task waits while the channel is full, so a slow reader holds up the query. It ends with the channel's other end.

use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_util::StreamExt;
use polars_core::prelude::*;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinHandle, spawn_blocking};
use tonic::Status;

use crate::encode::FlightEncoder;
use crate::error::FlightResult;
use crate::frames::{FlightFrame, FrameStream, Frames, Source};
use crate::message::FlightData;
use crate::options::FlightOptions;
use crate::protocol::FlightDescriptor;

/// Messages that wait for the other side.
const QUEUED_MESSAGES: usize = 2;

/// The messages of a stream of frames.
pub(crate) struct Outgoing {
    messages: Receiver<Result<FlightData, Status>>,
    task: Option<JoinHandle<()>>,
}

impl Outgoing {
    pub(crate) fn new(
        frames: FrameStream,
        options: FlightOptions,
        descriptor: Option<FlightDescriptor>,
    ) -> Self {
        let (sender, messages) = channel(QUEUED_MESSAGES);
        let task = tokio::spawn(async move {
            let mut pump = Pump { encoder: None, options, descriptor, messages: sender };
            if let Err(error) = pump.run(frames).await {
                // Nobody there: there is nobody to tell.
                let _ = pump.messages.send(Err(error.into())).await;
            }
        });
        Self { messages, task: Some(task) }
    }
}

impl Stream for Outgoing {
    type Item = Result<FlightData, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(message) = ready!(self.messages.poll_recv(cx)) {
            return Poll::Ready(Some(message));
        }
        // A task that has panicked has not sent all: that must not look like the end.
        let Some(task) = &mut self.task else { return Poll::Ready(None) };
        let ended = ready!(Pin::new(task).poll(cx));
        self.task = None;
        Poll::Ready(
            ended.err().map(|error| Err(Status::internal(format!("sending frames has failed: {error}")))),
        )
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        // The frames are dropped where the task waits, and so is their query.
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// The task's state.
struct Pump {
    encoder: Option<FlightEncoder>,
    options: FlightOptions,
    /// For the first message.
    descriptor: Option<FlightDescriptor>,
    messages: Sender<Result<FlightData, Status>>,
}

impl Pump {
    async fn run(&mut self, frames: FrameStream) -> FlightResult<()> {
        match frames.source {
            Source::Messages(messages) => {
                for data in messages {
                    self.send(data).await;
                }
                Ok(())
            },
            Source::Frames { schema, frames } => self.frames(schema, frames).await,
        }
    }

    async fn frames(&mut self, schema: Option<SchemaRef>, mut frames: Frames) -> FlightResult<()> {
        if let Some(schema) = schema {
            self.begin(&schema).await?;
        }
        while let Some(frame) = frames.next().await {
            let FlightFrame { df, app_metadata } = frame?;
            match df {
                Some(df) => {
                    if self.encoder.is_none() {
                        self.begin(df.schema()).await?;
                    }
                    self.encode(move |encoder| encoder.push(&df, app_metadata)).await?;
                },
                None if app_metadata.is_empty() => {},
                None => self.send(FlightData { app_metadata, ..FlightData::default() }).await,
            }
        }
        if self.descriptor.is_some() {
            // Nothing was sent, and the server has to know at least what this is about.
            self.send(FlightData::default()).await;
        }
        Ok(())
    }

    /// Sends the schema.
    async fn begin(&mut self, schema: &Schema) -> FlightResult<()> {
        let mut encoder = FlightEncoder::new(schema, &self.options)?;
        let data = encoder.schema(None)?;
        self.encoder = Some(encoder);
        self.send(data).await;
        Ok(())
    }

    /// Gives the encoder work, and sends all messages that come of it.
    async fn encode(
        &mut self,
        work: impl FnOnce(&mut FlightEncoder) -> PolarsResult<()> + Send + 'static,
    ) -> FlightResult<()> {
        let mut work = Some(work);
        while let Some(mut encoder) = self.encoder.take() {
            let work = work.take();
            let step = move || {
                let result = work.map_or(Ok(()), |work| work(&mut encoder)).and_then(|()| encoder.next());
                (encoder, result)
            };
            let (encoder, result) = spawn_blocking(step)
                .await
                .map_err(|error| Status::internal(format!("encoding a frame has failed: {error}")))?;
            self.encoder = Some(encoder);
            match result? {
                Some(data) => self.send(data).await,
                None => break,
            }
        }
        Ok(())
    }

    /// Waits until there is room.
    async fn send(&mut self, data: FlightData) {
        let descriptor = self.descriptor.take();
        if self.messages.send(Ok(FlightData { flight_descriptor: descriptor, ..data })).await.is_err() {
            // The receiver has gone, and has aborted this task: it makes no more frames, and ends here.
            pending::<()>().await;
        }
    }
}
