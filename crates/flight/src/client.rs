//! A client.

use std::fmt;

use bytes::Bytes;
use floe::IpcLimits;
use futures_util::{StreamExt, TryStreamExt, stream};
use polars_core::prelude::*;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Response, Streaming};

use crate::auth::{answered, authorize, basic};
use crate::connect::FlightConnector;
use crate::ending::whole;
use crate::error::{FlightError, FlightResult};
use crate::frames::FrameStream;
use crate::incoming::FlightStream;
use crate::options::FlightOptions;
use crate::outgoing::Outgoing;
use crate::protocol::flight_service_client::FlightServiceClient;
use crate::protocol::{
    Action, ActionType, Criteria, Empty, FlightDescriptor, FlightInfo, HandshakeRequest, Ticket,
};
use crate::service::PutResults;
use crate::upload::{Upload, UploadFailure, upload};

/// Reads from a Flight server, of any implementation, and writes to it. Clones share one connection.
///
/// ```no_run
/// use floe_flight::{FlightClient, FlightDescriptor, FlightResult};
///
/// # async fn example() -> FlightResult<()> {
/// let client = FlightClient::connect("grpc://127.0.0.1:8815").await?;
/// let df = client.read(FlightDescriptor::of_path(["flights"])).await?;
/// println!("{df}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FlightClient {
    pub(crate) inner: FlightServiceClient<Channel>,
    /// The header of each call.
    pub(crate) token: Option<MetadataValue<Ascii>>,
    pub(crate) options: FlightOptions,
    pub(crate) limits: IpcLimits,
}

impl FlightClient {
    /// Connects with default settings; others are in [`FlightConnector`]. See [`FlightClient`] for an example.
    ///
    /// # Errors
    /// When the URI is not valid, or the server cannot be reached.
    pub async fn connect(uri: impl Into<String>) -> FlightResult<Self> {
        FlightConnector::new(uri).connect().await
    }

    /// Asks for a token by user and password, and sends it with each later call.
    ///
    /// ```no_run
    /// # use floe_flight::{FlightClient, FlightResult};
    /// # async fn example() -> FlightResult<()> {
    /// let mut client = FlightClient::connect("grpc://127.0.0.1:8815").await?;
    /// client.login("ada", "password").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the server does not know the user, or answers without a token.
    pub async fn login(&mut self, user: &str, password: &str) -> FlightResult<()> {
        let mut request = Request::new(stream::iter([HandshakeRequest::default()]));
        authorize(request.metadata_mut(), &basic(user, password)?);
        let response = self.inner.clone().handshake(request).await?;
        let token = answered(response.metadata());
        // The answer has to be read to its end: the server may have refused the user there.
        let mut answers = response.into_inner();
        while answers.message().await?.is_some() {}
        let late = answers.trailers().await?;
        let token = token.or_else(|| late.as_ref().and_then(answered));
        self.token = Some(token.ok_or_else(|| FlightError::invalid("the server answered without a token"))?);
        Ok(())
    }

    /// A handshake of the application's own: the answer to these bytes.
    ///
    /// ```no_run
    /// # use floe_flight::{FlightClient, FlightResult};
    /// # async fn example(client: FlightClient) -> FlightResult<()> {
    /// let answer = client.handshake("who are you?").await?;
    /// # let _ = answer;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the server refuses, or gives no answer.
    pub async fn handshake(&self, payload: impl Into<Bytes>) -> FlightResult<Bytes> {
        let hello = HandshakeRequest { protocol_version: 0, payload: payload.into() };
        let request = self.request(stream::iter([hello]));
        let mut answers = self.inner.clone().handshake(request).await?.into_inner();
        match answers.message().await? {
            Some(answer) => Ok(answer.payload),
            None => Err(FlightError::invalid("the server gave no answer")),
        }
    }

    /// The data sets that fit the criteria, whose form the server defines; empty criteria are all.
    ///
    /// ```no_run
    /// # use floe_flight::{FlightClient, FlightResult};
    /// # async fn example(client: FlightClient) -> FlightResult<()> {
    /// for info in client.list("").await? {
    ///     println!("{:?}: {:?}", info.flight_descriptor, info.polars_schema()?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the server fails, or has no list.
    pub async fn list(&self, criteria: impl Into<Bytes>) -> FlightResult<Vec<FlightInfo>> {
        let request = self.request(Criteria { expression: criteria.into() });
        all(self.inner.clone().list_flights(request).await?).await
    }

    /// The schema and the tickets of a data set.
    ///
    /// ```no_run
    /// # use floe_flight::{FlightClient, FlightDescriptor, FlightResult};
    /// # async fn example(client: FlightClient) -> FlightResult<()> {
    /// let info = client.info(FlightDescriptor::of_path(["flights"])).await?;
    /// println!("{} parts, {} rows", info.endpoint.len(), info.total_records);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the server fails, or does not know the data set.
    pub async fn info(&self, descriptor: FlightDescriptor) -> FlightResult<FlightInfo> {
        let request = self.request(descriptor);
        Ok(self.inner.clone().get_flight_info(request).await?.into_inner())
    }

    /// The schema of a data set.
    ///
    /// ```no_run
    /// # use floe_flight::{FlightClient, FlightDescriptor, FlightResult};
    /// # async fn example(client: FlightClient) -> FlightResult<()> {
    /// let schema = client.schema(FlightDescriptor::of_path(["flights"])).await?;
    /// # let _ = schema;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the server fails, or the schema is not valid or has a column that Polars cannot hold.
    pub async fn schema(&self, descriptor: FlightDescriptor) -> FlightResult<Schema> {
        let request = self.request(descriptor);
        Ok(self.inner.clone().get_schema(request).await?.into_inner().polars_schema()?)
    }

    /// The frames that a ticket stands for, as they come.
    ///
    /// ```no_run
    /// # use floe_flight::{FlightClient, FlightResult, Ticket};
    /// # async fn example(client: FlightClient) -> FlightResult<()> {
    /// let df = client.get(Ticket::new("flights")).await?.collect().await?;
    /// # let _ = df;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the server refuses the ticket. Later errors come from the stream.
    pub async fn get(&self, ticket: Ticket) -> FlightResult<FlightStream> {
        let request = self.request(ticket);
        let response = self.inner.clone().do_get(request).await?;
        Ok(FlightStream::new(whole(response), self.limits, None))
    }

    /// A data set as one frame: all its parts, in their order. See [`FlightClient`] for an example.
    ///
    /// # Errors
    /// When the server fails, or a part is on another server: that one needs a client of its own.
    pub async fn read(&self, descriptor: FlightDescriptor) -> FlightResult<DataFrame> {
        let info = self.info(descriptor).await?;
        let mut whole: Option<DataFrame> = None;
        for endpoint in &info.endpoint {
            let Some(ticket) = endpoint.ticket.clone() else {
                return Err(FlightError::invalid("a part of the data set has no ticket"));
            };
            let here = |uri: &str| uri.starts_with("arrow-flight-reuse-connection:");
            if let Some(location) = endpoint.location.first()
                && !endpoint.location.iter().any(|location| here(&location.uri))
            {
                let text = format!(
                    "a part of the data set is at {}: connect to it, and `get` its ticket",
                    location.uri
                );
                return Err(FlightError::invalid(text));
            }
            let part = self.get(ticket).await?.collect().await?;
            match &mut whole {
                Some(whole) => {
                    whole.vstack_mut_owned(part)?;
                },
                None => whole = Some(part),
            }
        }
        match whole {
            Some(whole) => Ok(whole),
            None => Ok(DataFrame::empty_with_schema(&info.polars_schema()?)),
        }
    }

    /// Writes frames to a data set. Returns the server's results as they come; the put has ended well with the last one.
    ///
    /// ```no_run
    /// # use floe_flight::{FlightClient, FlightDescriptor, FlightResult};
    /// # use polars_core::prelude::*;
    /// use futures_util::TryStreamExt;
    ///
    /// # async fn example(client: FlightClient, df: DataFrame) -> FlightResult<()> {
    /// let results = client.put(FlightDescriptor::of_path(["flights"]), df).await?;
    /// let results: Vec<_> = results.try_collect().await?;
    /// # let _ = results;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the server refuses. Later errors come from the stream.
    pub async fn put(
        &self,
        descriptor: FlightDescriptor,
        frames: impl Into<FrameStream>,
    ) -> FlightResult<PutResults> {
        let (request, mut failure) = self.upload(descriptor, frames.into());
        let mut client = self.inner.clone();
        let response = failure.or(client.do_put(request)).await?;
        let results = failure.before(whole(response));
        Ok(Box::pin(results.map(|result| Ok(result?.app_metadata))))
    }

    /// Sends frames, and receives frames, at the same time if both sides like.
    ///
    /// ```no_run
    /// # use floe_flight::{FlightClient, FlightDescriptor, FlightResult};
    /// # use polars_core::prelude::*;
    /// # async fn example(client: FlightClient, df: DataFrame) -> FlightResult<()> {
    /// let doubled = client.exchange(FlightDescriptor::of_command("double"), df).await?.collect().await?;
    /// # let _ = doubled;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the server refuses. Later errors come from the stream.
    pub async fn exchange(
        &self,
        descriptor: FlightDescriptor,
        frames: impl Into<FrameStream>,
    ) -> FlightResult<FlightStream> {
        let (request, mut failure) = self.upload(descriptor, frames.into());
        let mut client = self.inner.clone();
        let response = failure.or(client.do_exchange(request)).await?;
        Ok(FlightStream::new(failure.before(whole(response)), self.limits, None))
    }

    /// Asks for an action. Returns its results.
    ///
    /// ```no_run
    /// # use floe_flight::{FlightClient, FlightResult};
    /// # async fn example(client: FlightClient) -> FlightResult<()> {
    /// let results = client.action("clear", "flights").await?;
    /// # let _ = results;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the server has no such action, or it fails.
    pub async fn action(&self, name: impl Into<String>, body: impl Into<Bytes>) -> FlightResult<Vec<Bytes>> {
        let request = self.request(Action { r#type: name.into(), body: body.into() });
        let results = all(self.inner.clone().do_action(request).await?).await?;
        Ok(results.into_iter().map(|result| result.body).collect())
    }

    /// The actions that the server has. See [`action`](Self::action) for an example.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn actions(&self) -> FlightResult<Vec<ActionType>> {
        all(self.inner.clone().list_actions(self.request(Empty {})).await?).await
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            authorize(request.metadata_mut(), token);
        }
        request
    }

    fn upload(&self, descriptor: FlightDescriptor, frames: FrameStream) -> (Request<Upload>, UploadFailure) {
        let (upload, failure) = upload(Outgoing::new(frames, self.options.clone(), Some(descriptor)));
        (self.request(upload), failure)
    }
}

/// All messages of an answer.
async fn all<T: Send + 'static>(response: Response<Streaming<T>>) -> FlightResult<Vec<T>> {
    Ok(whole(response).try_collect().await?)
}

impl fmt::Debug for FlightClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No token.
        f.debug_struct("FlightClient").field("options", &self.options).finish_non_exhaustive()
    }
}
