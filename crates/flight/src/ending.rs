//! Ends that are none: a call that is broken off must not look whole.
//!
//! HTTP/2 ends a body by a flag on its last frame. When a call is broken off instead, hyper and tonic tell the reader the
//! same as at a good end. So a server looks at the flag ([`UploadEnd`]), and a client at the status behind the last message
//! ([`whole`]).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_util::stream;
use http_body::{Body, Frame, SizeHint};
use tonic::codegen::{BoxFuture, Service, StdError, http};
use tonic::server::NamedService;
use tonic::{Response, Status, Streaming};

use crate::handler::FlightHandler;
use crate::message::FlightData;
use crate::protocol::flight_service_server::FlightServiceServer;
use crate::service::FrameService;

/// A [`FrameService`] as a tonic server takes it.
///
/// See [`FlightServer::into_service`](crate::FlightServer::into_service) for an example.
pub struct FlightGrpc<S> {
    inner: FlightServiceServer<FlightHandler<S>>,
}

impl<S: FrameService> FlightGrpc<S> {
    pub(crate) fn new(inner: FlightServiceServer<FlightHandler<S>>) -> Self {
        Self { inner }
    }
}

impl<S> Clone for FlightGrpc<S> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

impl<S> std::fmt::Debug for FlightGrpc<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlightGrpc").finish_non_exhaustive()
    }
}

impl<S: FrameService> NamedService for FlightGrpc<S> {
    const NAME: &'static str = <FlightServiceServer<FlightHandler<S>> as NamedService>::NAME;
}

impl<S, B> Service<http::Request<B>> for FlightGrpc<S>
where
    S: FrameService,
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = std::convert::Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let end = UploadEnd::default();
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(end.clone());
        let body = WatchedBody { body: Box::pin(body), end };
        let call: Pin<Box<dyn Future<Output = _> + Send>> =
            Service::call(&mut self.inner, http::Request::from_parts(parts, body));
        call
    }
}

/// Whether the body of a request has ended as it should. An extension of the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct UploadEnd(Arc<AtomicBool>);

/// Notes how a body ends.
struct WatchedBody<B> {
    body: Pin<Box<B>>,
    end: UploadEnd,
}

impl<B: Body> Body for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(self.body.as_mut().poll_frame(cx));
        if self.body.is_end_stream() {
            self.end.0.store(true, Ordering::Release);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let ended = self.body.is_end_stream();
        if ended {
            self.end.0.store(true, Ordering::Release);
        }
        ended
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The messages of an upload; an error in place of an end that is none.
pub(crate) fn uploaded(
    messages: Streaming<FlightData>,
    end: Option<UploadEnd>,
) -> impl Stream<Item = Result<FlightData, Status>> + Send + 'static {
    stream::unfold(Some(messages), move |messages| {
        let end = end.clone();
        async move {
            let mut messages = messages?;
            match messages.message().await {
                Ok(Some(data)) => Some((Ok(data), Some(messages))),
                Err(status) => Some((Err(status), None)),
                Ok(None) if end.is_none_or(|end| end.0.load(Ordering::Acquire)) => None,
                Ok(None) => Some((Err(Status::cancelled("the client broke the upload off")), None)),
            }
        }
    })
}

/// The messages of an answer; an error in place of an end without a status.
pub(crate) fn whole<T: Send + 'static>(
    response: Response<Streaming<T>>,
) -> Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>> {
    // An answer without messages may have its status in front.
    let is_told = response.metadata().contains_key("grpc-status");
    Box::pin(stream::unfold(Some(response.into_inner()), move |messages| async move {
        let mut messages = messages?;
        let error = match messages.message().await {
            Ok(Some(message)) => return Some((Ok(message), Some(messages))),
            Err(status) => status,
            Ok(None) => match messages.trailers().await {
                Ok(Some(_)) => return None,
                Ok(None) if is_told => return None,
                Ok(None) => Status::unavailable("the server broke the answer off: it ended without a status"),
                Err(status) => status,
            },
        };
        Some((Err(error), None))
    }))
}
