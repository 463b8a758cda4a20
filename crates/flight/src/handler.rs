//! gRPC calls to calls of a [`FrameService`].

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use floe::IpcLimits;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use tonic::{Request, Response, Status, Streaming};

use crate::auth::{Access, authorize};
use crate::ending::{UploadEnd, uploaded};
use crate::frames::FrameStream;
use crate::incoming::FlightStream;
use crate::message::FlightData;
use crate::options::FlightOptions;
use crate::outgoing::Outgoing;
use crate::protocol::flight_service_server::FlightService;
use crate::protocol::{
    self, Action, ActionType, Criteria, Empty, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use crate::service::FrameService;

/// A [`FrameService`] as the generated server calls it.
pub(crate) struct FlightHandler<S> {
    pub(crate) service: Arc<S>,
    pub(crate) options: FlightOptions,
    pub(crate) limits: IpcLimits,
    pub(crate) access: Access,
}

type Answer<T> = Result<Response<T>, Status>;
type Items<T> = BoxStream<'static, Result<T, Status>>;

fn items<T: Send + 'static>(items: Vec<T>) -> Items<T> {
    stream::iter(items.into_iter().map(Ok)).boxed()
}

impl<S: FrameService> FlightHandler<S> {
    fn outgoing(&self, frames: FrameStream) -> Items<FlightData> {
        Outgoing::new(frames, self.options.clone(), None).boxed()
    }

    /// The descriptor of the first message, and all messages.
    async fn incoming(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<(FlightDescriptor, FlightStream), Status> {
        self.access.check(request.metadata())?;
        let end = request.extensions().get::<UploadEnd>().cloned();
        let mut messages = Box::pin(uploaded(request.into_inner(), end));
        let Some(mut first) = messages.next().await.transpose()? else {
            return Err(Status::invalid_argument(
                "the stream has no messages, of which the first has a descriptor",
            ));
        };
        let Some(descriptor) = first.flight_descriptor.take() else {
            return Err(Status::invalid_argument("the first message has no descriptor"));
        };
        let messages = stream::iter([Ok(first)]).chain(messages);
        let frames = FlightStream::new(messages, self.limits, Some(descriptor.clone()));
        Ok((descriptor, frames))
    }
}

#[tonic::async_trait]
impl<S: FrameService> FlightService for FlightHandler<S> {
    type HandshakeStream = Items<HandshakeResponse>;
    type ListFlightsStream = Items<FlightInfo>;
    type DoGetStream = Items<FlightData>;
    type DoPutStream = Items<PutResult>;
    type DoExchangeStream = Items<FlightData>;
    type DoActionStream = Items<protocol::Result>;
    type ListActionsStream = Items<ActionType>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Answer<Self::HandshakeStream> {
        if let Some(token) = self.access.login(request.metadata())? {
            let answer =
                HandshakeResponse { payload: Bytes::copy_from_slice(token.as_bytes()), ..Default::default() };
            let mut response = Response::new(items(vec![answer]));
            authorize(response.metadata_mut(), &token);
            return Ok(response);
        }
        let first = request.into_inner().message().await?.unwrap_or_default();
        let payload = self.service.handshake(first.payload).await?;
        Ok(Response::new(items(vec![HandshakeResponse {
            protocol_version: first.protocol_version,
            payload,
        }])))
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Answer<Self::ListFlightsStream> {
        self.access.check(request.metadata())?;
        let found = self.service.list(request.into_inner().expression).await?;
        let infos = found.into_iter().map(|info| info.into_info(None, &self.options));
        Ok(Response::new(items(infos.collect::<Result<Vec<_>, _>>()?)))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        self.access.check(request.metadata())?;
        let descriptor = request.into_inner();
        let info = self.service.info(descriptor.clone()).await?;
        Ok(Response::new(info.into_info(Some(descriptor), &self.options)?))
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Answer<PollInfo> {
        // Information is there at once, so the first answer is the last.
        let info = self.get_flight_info(request).await?.into_inner();
        Ok(Response::new(PollInfo { info: Some(info), progress: Some(1.0), ..PollInfo::default() }))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        self.access.check(request.metadata())?;
        let info = self.service.schema(request.into_inner()).await?;
        Ok(Response::new(SchemaResult { schema: info.schema_message(&self.options)? }))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Answer<Self::DoGetStream> {
        self.access.check(request.metadata())?;
        let frames = self.service.get(request.into_inner()).await?;
        Ok(Response::new(self.outgoing(frames)))
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        let (descriptor, frames) = self.incoming(request).await?;
        let results = self.service.put(descriptor, frames).await?;
        let results = results.map(|result| match result {
            Ok(app_metadata) => Ok(PutResult { app_metadata }),
            Err(error) => Err(error.into()),
        });
        Ok(Response::new(results.boxed()))
    }

    async fn do_exchange(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoExchangeStream> {
        let (descriptor, frames) = self.incoming(request).await?;
        let answer = self.service.exchange(descriptor, frames).await?;
        Ok(Response::new(self.outgoing(answer)))
    }

    async fn do_action(&self, request: Request<Action>) -> Answer<Self::DoActionStream> {
        self.access.check(request.metadata())?;
        let results = self.service.action(request.into_inner()).await?;
        Ok(Response::new(items(results.into_iter().map(|body| protocol::Result { body }).collect())))
    }

    async fn list_actions(&self, request: Request<Empty>) -> Answer<Self::ListActionsStream> {
        self.access.check(request.metadata())?;
        Ok(Response::new(items(self.service.actions())))
    }
}

impl<S> fmt::Debug for FlightHandler<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlightHandler").field("options", &self.options).finish_non_exhaustive()
    }
}
