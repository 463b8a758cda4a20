//! A service that keeps the frames that are put, and helpers to run it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use floe_flight::protocol::ActionType;
use floe_flight::*;
use futures_util::{StreamExt, stream};
use polars_core::prelude::*;

/// The schema and the frames of a put.
pub(crate) type Table = (SchemaRef, Vec<DataFrame>);

/// Tables as the frames they came in.
#[derive(Clone, Default)]
pub(crate) struct Store {
    pub(crate) tables: Arc<Mutex<BTreeMap<String, Table>>>,
    /// The metadata and the errors that came with puts.
    pub(crate) notes: Arc<Mutex<Vec<String>>>,
}

impl Store {
    fn table(&self, name: &str) -> FlightResult<Table> {
        let tables = self.tables.lock().expect("no panic");
        tables.get(name).cloned().ok_or_else(|| FlightError::not_found(format!("no table {name}")))
    }

    fn note(&self, note: impl Into<String>) {
        self.notes.lock().expect("no panic").push(note.into());
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().expect("no panic").clone()
    }

    fn info_of(&self, name: &str) -> FlightResult<FrameInfo> {
        let (schema, frames) = self.table(name)?;
        let rows: usize = frames.iter().map(DataFrame::height).sum();
        Ok(FrameInfo::new(schema)
            .with_descriptor(FlightDescriptor::of_path([name]))
            .with_ticket(Ticket::new(name.to_owned()))
            .with_rows(rows as u64)
            .with_app_metadata("kept"))
    }
}

impl FrameService for Store {
    async fn info(&self, descriptor: FlightDescriptor) -> FlightResult<FrameInfo> {
        self.info_of(&descriptor.path.join("/"))
    }

    async fn list(&self, criteria: Bytes) -> FlightResult<Vec<FrameInfo>> {
        let names: Vec<String> = self.tables.lock().expect("no panic").keys().cloned().collect();
        let prefix = String::from_utf8_lossy(&criteria).into_owned();
        names.iter().filter(|name| name.starts_with(&prefix)).map(|name| self.info_of(name)).collect()
    }

    async fn get(&self, ticket: Ticket) -> FlightResult<FrameStream> {
        let (schema, frames) = self.table(&String::from_utf8_lossy(&ticket.ticket))?;
        Ok(FrameStream::new(schema, stream::iter(frames.into_iter().map(FlightResult::Ok))))
    }

    async fn put(&self, descriptor: FlightDescriptor, mut frames: FlightStream) -> FlightResult<PutResults> {
        assert_eq!(frames.descriptor(), Some(&descriptor));
        let schema = frames.schema().await?;
        let mut kept = Vec::new();
        while let Some(frame) = frames.next_frame().await {
            let FlightFrame { df, app_metadata } = match frame {
                Ok(frame) => frame,
                Err(error) => {
                    self.note(format!("failed: {}", error.code()));
                    return Err(error);
                },
            };
            if !app_metadata.is_empty() {
                self.note(String::from_utf8_lossy(&app_metadata));
            }
            kept.extend(df);
        }
        let result = format!("{} frames", kept.len());
        self.tables.lock().expect("no panic").insert(descriptor.path.join("/"), (schema, kept));
        Ok(put_results([result]))
    }

    async fn exchange(&self, _: FlightDescriptor, frames: FlightStream) -> FlightResult<FrameStream> {
        Ok(FrameStream::without_schema(frames.map(|frame| frame)))
    }

    async fn action(&self, action: Action) -> FlightResult<Vec<Bytes>> {
        match action.r#type.as_str() {
            "echo" => Ok(vec![action.body.clone(), action.body]),
            other => Err(FlightError::unimplemented(format!("no action {other}"))),
        }
    }

    fn actions(&self) -> Vec<ActionType> {
        vec![ActionType { r#type: "echo".to_owned(), description: "says it twice".to_owned() }]
    }

    async fn handshake(&self, payload: Bytes) -> FlightResult<Bytes> {
        Ok([b"hello, ".as_slice(), &payload].concat().into())
    }
}

/// Runs a test on a runtime that is dropped at its end, with all servers.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let result = runtime.block_on(async {
        tokio::time::timeout(std::time::Duration::from_secs(120), test)
            .await
            .expect("an end within two minutes")
    });
    runtime.shutdown_background();
    result
}

/// Serves on a free port, and says where.
pub(crate) async fn serve<S: FrameService>(server: FlightServer<S>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { server.serve(listener).await.expect("a server") });
    format!("http://{address}")
}

/// A client of a server for this service.
pub(crate) async fn client_of<S: FrameService>(service: S) -> FlightClient {
    FlightClient::connect(serve(FlightServer::new(service)).await).await.expect("a connection")
}

pub(crate) fn path(name: &str) -> FlightDescriptor {
    FlightDescriptor::of_path([name])
}

/// Numbers that do not compress away.
pub(crate) fn numbers(rows: u64) -> DataFrame {
    let values: Vec<u64> = (0..rows).map(|row| row.wrapping_mul(0x9E37_79B9_7F4A_7C15)).collect();
    DataFrame::new(values.len(), vec![Column::new("n".into(), values)]).expect("a frame")
}
