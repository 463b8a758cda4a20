//! The calls that a server has to answer.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::stream;

use crate::error::{FlightError, FlightResult};
use crate::frames::FrameStream;
use crate::incoming::FlightStream;
use crate::info::FrameInfo;
use crate::protocol::{Action, ActionType, FlightDescriptor, Ticket};

/// The answer of a server to a client that puts frames: metadata of the application, in its own time. See [`put_results`]
/// for an example.
pub type PutResults = Pin<Box<dyn Stream<Item = FlightResult<Bytes>> + Send>>;

/// Results of a put that are known when it has been read: often one, or none.
///
/// ```
/// use floe_flight::{PutResults, put_results};
///
/// let done: PutResults = put_results(["27004 rows"]);
/// # let _ = done;
/// ```
pub fn put_results<B: Into<Bytes>>(results: impl IntoIterator<Item = B>) -> PutResults {
    let results: Vec<_> = results.into_iter().map(|result| Ok(result.into())).collect();
    Box::pin(stream::iter(results))
}

/// A service that a [`FlightServer`](crate::FlightServer) makes available. All functions have a default, which answers that
/// the server does not implement them. Several calls may run at a time.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
///
/// use floe_flight::{
///     FlightDescriptor, FlightError, FlightResult, FlightStream, FrameInfo, FrameService, FrameStream, PutResults, Ticket,
///     put_results,
/// };
/// use polars_core::prelude::*;
///
/// /// Tables in memory, by their names.
/// #[derive(Default)]
/// struct Tables(Mutex<HashMap<String, DataFrame>>);
///
/// impl Tables {
///     fn table(&self, name: &str) -> FlightResult<DataFrame> {
///         let tables = self.0.lock().map_err(|_| FlightError::invalid("a call before this one has panicked"))?;
///         tables.get(name).cloned().ok_or_else(|| FlightError::not_found(format!("there is no table {name}")))
///     }
/// }
///
/// impl FrameService for Tables {
///     async fn info(&self, descriptor: FlightDescriptor) -> FlightResult<FrameInfo> {
///         let name = descriptor.path.join("/");
///         let df = self.table(&name)?;
///         Ok(FrameInfo::new(df.schema().clone()).with_ticket(Ticket::new(name)).with_rows(df.height() as u64))
///     }
///
///     async fn get(&self, ticket: Ticket) -> FlightResult<FrameStream> {
///         Ok(self.table(&String::from_utf8_lossy(&ticket.ticket))?.into())
///     }
///
///     async fn put(&self, descriptor: FlightDescriptor, frames: FlightStream) -> FlightResult<PutResults> {
///         let df = frames.collect().await?;
///         let answer = format!("{} rows", df.height());
///         let mut tables = self.0.lock().map_err(|_| FlightError::invalid("a call before this one has panicked"))?;
///         tables.insert(descriptor.path.join("/"), df);
///         Ok(put_results([answer]))
///     }
/// }
/// ```
pub trait FrameService: Send + Sync + 'static {
    /// The data set of a descriptor: its schema, and tickets for its parts. See [`FrameService`] for an example.
    fn info(&self, descriptor: FlightDescriptor) -> impl Future<Output = FlightResult<FrameInfo>> + Send {
        let _ = descriptor;
        async { Err(FlightError::unimplemented("this server has no information about data sets")) }
    }

    /// The data set of a descriptor, of which only the schema is used. By default that of [`info`](Self::info). See
    /// [`FrameService`] for an example.
    fn schema(&self, descriptor: FlightDescriptor) -> impl Future<Output = FlightResult<FrameInfo>> + Send {
        self.info(descriptor)
    }

    /// All data sets that fit the criteria, whose form the server defines. See [`info`](Self::info) for an example.
    fn list(&self, criteria: Bytes) -> impl Future<Output = FlightResult<Vec<FrameInfo>>> + Send {
        let _ = criteria;
        async { Err(FlightError::unimplemented("this server does not list its data sets")) }
    }

    /// The frames that a ticket stands for. The stream is dropped when the client goes, or has enough.
    /// See [`FrameService`] for an example.
    fn get(&self, ticket: Ticket) -> impl Future<Output = FlightResult<FrameStream>> + Send {
        let _ = ticket;
        async { Err(FlightError::unimplemented("this server gives no frames")) }
    }

    /// Takes frames. See [`FrameService`] for an example.
    fn put(
        &self,
        descriptor: FlightDescriptor,
        frames: FlightStream,
    ) -> impl Future<Output = FlightResult<PutResults>> + Send {
        let _ = (descriptor, frames);
        async { Err(FlightError::unimplemented("this server takes no frames")) }
    }

    /// Takes frames, and answers with frames, at the same time if it likes. See [`FrameService`] for an example.
    fn exchange(
        &self,
        descriptor: FlightDescriptor,
        frames: FlightStream,
    ) -> impl Future<Output = FlightResult<FrameStream>> + Send {
        let _ = (descriptor, frames);
        async { Err(FlightError::unimplemented("this server exchanges no frames")) }
    }

    /// Anything else, by the name of the action. See [`FrameService`] for an example.
    fn action(&self, action: Action) -> impl Future<Output = FlightResult<Vec<Bytes>>> + Send {
        let text = format!("this server has no action {:?}", action.r#type);
        async { Err(FlightError::unimplemented(text)) }
    }

    /// The actions that there are. None by default. See [`FrameService`] for an example.
    fn actions(&self) -> Vec<ActionType> {
        Vec::new()
    }

    /// A handshake of the application's own: the answer to the client's first bytes. A token is not asked for. The handshake
    /// by user and password is answered by the server, see
    /// [`FlightServer::with_login`](crate::FlightServer::with_login). See [`FrameService`] for an example.
    fn handshake(&self, payload: Bytes) -> impl Future<Output = FlightResult<Bytes>> + Send {
        let _ = payload;
        async { Err(FlightError::unimplemented("this server has no handshake")) }
    }
}
