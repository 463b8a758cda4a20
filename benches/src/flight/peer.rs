//! arrow-flight 60: its encoder, decoder, server and client.

use arrow_array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::{FlightDataEncoder, FlightDataEncoderBuilder};
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};

use super::protobuf;
use crate::contenders::{Codec, arrow_rs};

/// Windows and largest message of floe's server and client.
const WINDOW_BYTES: u32 = 4 << 20;
const MAX_RECEIVED_BYTES: usize = 256 << 20;

fn encoder(batches: Vec<RecordBatch>, codec: Codec) -> FlightDataEncoder {
    let batches = stream::iter(batches).map(Ok);
    FlightDataEncoderBuilder::new().with_options(arrow_rs::options(codec)).build(batches)
}

/// Record batches to protobuf messages.
pub(super) fn encode(batches: &[RecordBatch], codec: Codec, mut each: impl FnMut(Bytes)) {
    let mut messages = encoder(batches.to_vec(), codec);
    at_once(async {
        while let Some(message) = messages.next().await {
            each(protobuf(&message.expect("arrow-flight encodes")));
        }
    });
}

/// Protobuf messages to record batches.
pub(super) fn decode(messages: &[Bytes]) -> Vec<RecordBatch> {
    let messages = messages.to_vec();
    let messages =
        stream::iter(messages).map(|message| FlightData::decode(message).map_err(FlightError::from));
    let batches = FlightRecordBatchStream::new_from_flight_data(messages);
    at_once(batches.try_collect::<Vec<_>>()).expect("arrow-flight decodes")
}

/// Runs what never waits.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(work).expect("nothing to wait for")
}

struct Table {
    batches: Vec<RecordBatch>,
    codec: Codec,
}

type Answer<T> = Result<Response<T>, Status>;
type Messages<T> = BoxStream<'static, Result<T, Status>>;

fn unimplemented<T>() -> Answer<T> {
    Err(Status::unimplemented("only do_get is measured"))
}

#[tonic::async_trait]
impl FlightService for Table {
    type HandshakeStream = Messages<HandshakeResponse>;
    type ListFlightsStream = Messages<FlightInfo>;
    type DoGetStream = Messages<FlightData>;
    type DoPutStream = Messages<PutResult>;
    type DoActionStream = Messages<arrow_flight::Result>;
    type ListActionsStream = Messages<ActionType>;
    type DoExchangeStream = Messages<FlightData>;

    async fn do_get(&self, _: Request<Ticket>) -> Answer<Self::DoGetStream> {
        let messages = encoder(self.batches.clone(), self.codec).map_err(Status::from);
        Ok(Response::new(messages.boxed()))
    }

    async fn handshake(&self, _: Request<Streaming<HandshakeRequest>>) -> Answer<Self::HandshakeStream> {
        unimplemented()
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Answer<Self::ListFlightsStream> {
        unimplemented()
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        unimplemented()
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Answer<PollInfo> {
        unimplemented()
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        unimplemented()
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        unimplemented()
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Answer<Self::DoExchangeStream> {
        unimplemented()
    }

    async fn do_action(&self, _: Request<Action>) -> Answer<Self::DoActionStream> {
        unimplemented()
    }

    async fn list_actions(&self, _: Request<Empty>) -> Answer<Self::ListActionsStream> {
        unimplemented()
    }
}

/// Serves record batches for as long as the runtime lives; where.
pub(super) fn serve(runtime: &Runtime, batches: &[RecordBatch], codec: Codec) -> String {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = FlightServiceServer::new(Table { batches: batches.to_vec(), codec });
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = Server::builder()
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(2 * WINDOW_BYTES)
        .add_service(service);
    runtime.spawn(server.serve_with_incoming(incoming));
    format!("http://{address}")
}

/// A connection; a call takes the client for itself.
pub(super) struct Client(Channel);

pub(super) fn connect(runtime: &Runtime, uri: &str) -> Client {
    let endpoint = Endpoint::from_shared(uri.to_owned()).expect("a URI");
    let endpoint = endpoint
        .tcp_nodelay(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(2 * WINDOW_BYTES);
    Client(runtime.block_on(endpoint.connect()).expect("a connection"))
}

/// Rows of all record batches of a server.
pub(super) fn get(runtime: &Runtime, client: &Client) -> usize {
    let inner = arrow_flight::flight_service_client::FlightServiceClient::new(client.0.clone());
    let inner = inner.max_decoding_message_size(MAX_RECEIVED_BYTES);
    let mut client = arrow_flight::FlightClient::new_from_inner(inner);
    runtime.block_on(async {
        let batches = client.do_get(Ticket::new("all")).await.expect("an answer");
        let batches: Vec<RecordBatch> = batches.try_collect().await.expect("a download");
        batches.iter().map(RecordBatch::num_rows).sum()
    })
}
