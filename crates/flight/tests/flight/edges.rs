//! Ends that are none: errors and panics in the middle of a stream.

use floe_flight::protocol::flight_service_server::{FlightService, FlightServiceServer};
use floe_flight::protocol::{
    ActionType, Criteria, Empty, HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult,
};
use floe_flight::*;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use polars_core::prelude::*;
use polars_lazy::prelude::*;
use tonic::{Code, Request, Response, Status, Streaming};

use crate::store::*;

/// A frame, and then trouble.
struct Troubled;

fn panics(df: DataFrame) -> LazyFrame {
    let schema = df.schema().clone();
    df.lazy().map(
        |_| panic!("deliberate panic of a query"),
        AllowedOptimizations::default(),
        Some(std::sync::Arc::new(move |_: &Schema| Ok(schema.clone()))),
        Some("panics"),
    )
}

impl FrameService for Troubled {
    async fn get(&self, ticket: Ticket) -> FlightResult<FrameStream> {
        let df = numbers(10);
        let schema = df.schema().clone();
        match ticket.ticket.as_ref() {
            b"error" => {
                let frames = [Ok(df), Err(FlightError::from(polars_err!(ColumnNotFound: "no column x")))];
                Ok(FrameStream::new(schema, stream::iter(frames)))
            },
            b"panic" => {
                let frames = stream::iter([1, 2]).map(move |number| {
                    assert!(number == 1, "deliberate panic of a stream");
                    FlightResult::Ok(df.clone())
                });
                Ok(FrameStream::new(schema, frames))
            },
            b"query" => frames_of(panics(df)).await,
            b"schema" => frames_of(df.lazy().select([col("missing")])).await,
            b"other" => {
                let other = DataFrame::new(1, vec![Column::new("other".into(), [1u64])])?;
                Ok(FrameStream::new(schema, stream::iter([FlightResult::Ok(df), Ok(other)])))
            },
            _ => panic!("deliberate panic of a call"),
        }
    }
}

async fn outcome(client: &FlightClient, ticket: &'static str) -> (usize, Option<FlightError>) {
    let mut frames = match client.get(Ticket::new(ticket)).await {
        Ok(frames) => frames,
        Err(error) => return (0, Some(error)),
    };
    let mut count = 0;
    while let Some(frame) = frames.next_frame().await {
        match frame {
            Ok(_) => count += 1,
            Err(error) => {
                assert!(frames.next_frame().await.is_none(), "nothing behind an error");
                return (count, Some(error));
            },
        }
    }
    (count, None)
}

#[test]
fn trouble_in_the_middle_is_no_end() {
    run(async {
        let client = client_of(Troubled).await;
        let codes = [
            ("error", 1, Code::InvalidArgument),
            ("panic", 1, Code::Internal),
            ("query", 0, Code::Internal),
            ("schema", 0, Code::InvalidArgument),
            ("other", 1, Code::InvalidArgument),
        ];
        for (ticket, frames, code) in codes {
            let (count, error) = outcome(&client, ticket).await;
            let error = error.expect(ticket);
            assert_eq!((count, error.code()), (frames, code), "{ticket}: {error}");
        }
        let (_, error) = outcome(&client, "call").await;
        assert!(error.is_some(), "a call that panics");
        // The server is still there.
        assert_eq!(outcome(&client, "error").await.0, 1);
    });
}

#[test]
fn an_upload_that_fails_is_not_taken_for_whole() {
    run(async {
        let store = Store::default();
        let client = client_of(store.clone()).await;
        let df = numbers(10);
        let frames = [Ok(df.clone()), Err(FlightError::invalid("the source has failed"))];
        let frames = FrameStream::new(df.schema().clone(), stream::iter(frames));
        let error = match client.put(path("cut"), frames).await {
            Ok(results) => results.try_collect::<Vec<_>>().await.expect_err("no result"),
            Err(error) => error,
        };
        assert!(error.to_string().contains("the source has failed"), "{error}");
        // The server hears of it later, or its call is gone by then.
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        assert!(store.tables.lock().expect("no panic").is_empty(), "nothing was kept");
    });
}

#[test]
fn nobody_there_and_no_such_address() {
    run(async {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = free.local_addr().expect("an address");
        drop(free);
        let error = FlightClient::connect(format!("grpc://{address}")).await.expect_err("nobody there");
        assert_eq!(error.code(), Code::Unavailable);
        for uri in ["127.0.0.1:1", "ftp://127.0.0.1", "grpc+unix:///tmp/x", "http://"] {
            assert!(FlightClient::connect(uri).await.is_err(), "{uri}");
        }
    });
}

#[test]
fn parts_elsewhere_are_named() {
    struct Elsewhere;
    impl FrameService for Elsewhere {
        async fn info(&self, _: FlightDescriptor) -> FlightResult<FrameInfo> {
            let location = protocol::Location { uri: "grpc://10.1.2.3:4".to_owned() };
            let ticket = Some(Ticket::new("1"));
            let endpoint = FlightEndpoint { ticket, location: vec![location], ..FlightEndpoint::default() };
            Ok(FrameInfo::new(numbers(1).schema().clone()).with_endpoint(endpoint))
        }
    }
    run(async {
        let error = client_of(Elsewhere).await.read(path("a")).await.expect_err("not here");
        assert!(error.to_string().contains("grpc://10.1.2.3:4"), "{error}");
    });
}

#[test]
fn a_message_that_is_too_long_is_refused() {
    run(async {
        let uri = serve(FlightServer::new(Store::default()).with_max_received_bytes(100_000)).await;
        let options = FlightOptions::new().with_max_message_bytes(1 << 20);
        let client =
            FlightConnector::new(uri.clone()).with_options(options).connect().await.expect("a connection");
        let refused = match client.put(path("a"), numbers(100_000)).await {
            Ok(results) => results.try_collect::<Vec<_>>().await.err(),
            Err(error) => Some(error),
        };
        assert!(refused.is_some());
        let small = FlightOptions::new().with_max_message_bytes(50_000);
        let client = FlightConnector::new(uri).with_options(small).connect().await.expect("a connection");
        let results = client.put(path("a"), numbers(100_000)).await.expect("a put");
        assert!(results.try_collect::<Vec<_>>().await.is_ok());
    });
}

/// A client whose upload breaks off without a word, as when its program is killed.
#[test]
fn an_upload_that_breaks_off_is_not_taken_for_whole() {
    use floe_flight::protocol::flight_service_client::FlightServiceClient;
    run(async {
        let store = Store::default();
        let uri = serve(FlightServer::new(store.clone())).await;
        for _ in 0..20 {
            let mut encoder =
                FlightEncoder::new(numbers(1).schema(), &FlightOptions::new()).expect("an encoder");
            let mut messages = vec![encoder.schema(Some(path("cut"))).expect("the schema")];
            messages.extend(encoder.encode(&numbers(1000)).expect("a batch"));
            let messages = stream::iter(messages).chain(stream::pending());
            let mut raw = FlightServiceClient::connect(uri.clone()).await.expect("a connection");
            let call = tokio::spawn(async move { raw.do_put(messages).await.map(drop) });
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            call.abort();
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert!(store.tables.lock().expect("no panic").is_empty(), "nothing was kept");
    });
}

/// Sends a schema, and then breaks off without a status.
struct BreaksOff;

#[tonic::async_trait]
impl FlightService for BreaksOff {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoActionStream = BoxStream<'static, Result<protocol::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;

    async fn do_get(&self, _: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let mut encoder = FlightEncoder::new(numbers(1).schema(), &FlightOptions::new()).expect("an encoder");
        let schema = encoder.schema(None).expect("the schema");
        let messages = stream::iter([1, 2]).then(move |number| {
            let schema = schema.clone();
            async move {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                assert!(number == 1, "deliberate panic of a connection");
                Ok(schema)
            }
        });
        Ok(Response::new(messages.boxed()))
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        Ok(Response::new(stream::poll_fn(|_| panic!("deliberate panic of a connection")).boxed()))
    }

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn do_exchange(
        &self,
        _: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn do_action(&self, _: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        Err(Status::unimplemented(""))
    }
}

#[test]
fn an_answer_that_breaks_off_is_not_taken_for_whole() {
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let uri = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tonic::transport::Server::builder().add_service(FlightServiceServer::new(BreaksOff));
        tokio::spawn(server.serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener)));
        let client = FlightClient::connect(uri).await.expect("a connection");
        let (frames, error) = outcome(&client, "any").await;
        assert!(frames == 0 && error.is_some(), "{error:?}");
        assert!(client.list("").await.is_err());
    });
}
