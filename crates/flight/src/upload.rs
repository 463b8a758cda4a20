//! The messages that a client sends, and how it breaks off.
//!
//! The end of an upload says that all has been sent. gRPC has no other word for a client: when a frame cannot be made, the
//! call is broken off, which the server sees as an error.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_util::stream;
use tokio::sync::oneshot;
use tonic::Status;

use crate::message::FlightData;
use crate::outgoing::Outgoing;

/// The messages of a call.
pub(crate) struct Upload {
    messages: Outgoing,
    /// Where a failure is told. None behind one.
    failed: Option<oneshot::Sender<Status>>,
}

/// Why an upload cannot go on. It ends the call.
pub(crate) struct UploadFailure(Option<oneshot::Receiver<Status>>);

pub(crate) fn upload(messages: Outgoing) -> (Upload, UploadFailure) {
    let (failed, failure) = oneshot::channel();
    (Upload { messages, failed: Some(failed) }, UploadFailure(Some(failure)))
}

impl Stream for Upload {
    type Item = FlightData;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<FlightData>> {
        if self.failed.is_none() {
            // Until the call is dropped.
            return Poll::Pending;
        }
        match Pin::new(&mut self.messages).poll_next(cx) {
            Poll::Ready(Some(Ok(data))) => Poll::Ready(Some(data)),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Err(status))) => {
                if let Some(failed) = self.failed.take() {
                    let _ = failed.send(status);
                }
                Poll::Pending
            },
        }
    }
}

impl UploadFailure {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Status> {
        let Some(failure) = &mut self.0 else { return Poll::Pending };
        match Pin::new(failure).poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(status)) => {
                self.0 = None;
                Poll::Ready(status)
            },
            // All has been sent.
            Poll::Ready(Err(_)) => {
                self.0 = None;
                Poll::Pending
            },
        }
    }

    /// The answer to a call, unless its upload fails first.
    pub(crate) async fn or<T>(&mut self, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        let mut call = pin!(call);
        poll_fn(|cx| match self.poll(cx) {
            Poll::Ready(status) => Poll::Ready(Err(status)),
            Poll::Pending => call.as_mut().poll(cx),
        })
        .await
    }

    /// The messages of an answer, until the upload fails.
    pub(crate) fn before<T>(
        mut self,
        messages: impl Stream<Item = Result<T, Status>> + Unpin,
    ) -> impl Stream<Item = Result<T, Status>> {
        let mut messages = Some(messages);
        stream::poll_fn(move |cx| {
            if let Poll::Ready(status) = self.poll(cx) {
                // Breaks the call off.
                messages = None;
                return Poll::Ready(Some(Err(status)));
            }
            match &mut messages {
                Some(messages) => Pin::new(messages).poll_next(cx),
                None => Poll::Ready(None),
            }
        })
    }
}
