//! The server with its routes, and requests to them.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use polars_core::prelude::*;
use polars_io::prelude::{ParquetCompression, ParquetWriter};
use polars_lazy::prelude::IntoLazy;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::contenders::{CODECS, Codec, arrow_rs};

/// Pieces of an answer that wait for the client, as many as axum's own examples have at hand.
const WAITING: usize = 2;

/// A server on loopback, for as long as this lives.
pub(super) struct Server {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Server {
    /// Serves the rows of a frame.
    pub(super) fn start(df: &DataFrame) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        let catalog = floe_serve::Catalog::builder().build().expect("a catalog");
        let floe = floe_serve::router(catalog.with_table("rows", df.clone().lazy()));
        // Once, so that the others have the batches that floe-serve sends.
        let address = listen(&runtime, floe.clone());
        let answers = CODECS.map(|codec| {
            let bytes = read_all(body(Urls { address, codec }.query(""))).expect("floe-serve's answer");
            Bytes::from(bytes)
        });
        let address = listen(&runtime, router(floe, df.clone(), answers));
        Self { address, _runtime: runtime }
    }

    pub(super) fn urls(&self, codec: Codec) -> Urls {
        Urls { address: self.address, codec }
    }
}

/// Serves a router for as long as the runtime lives.
fn listen(runtime: &Runtime, router: Router) -> SocketAddr {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    runtime.spawn(floe_serve::serve(listener, router, std::future::pending()));
    address
}

/// floe-serve below `/floe`, and the others beside it.
fn router(floe: Router, df: DataFrame, answers: [Bytes; 3]) -> Router {
    let batches: Arc<[RecordBatch]> = arrow_rs::read_stream(&answers[0][..], None).into();
    let arrow_rs = move |Path(codec): Path<String>| {
        let batches = Arc::clone(&batches);
        async move { stream_writer(batches, codec_of(&codec)) }
    };
    let parquet = move |Path(codec): Path<String>| {
        let df = df.clone();
        let bytes = tokio::task::spawn_blocking(move || parquet(df, codec_of(&codec)));
        async move { Body::from(bytes.await.expect("Polars writes Parquet")) }
    };
    let memory = move |Path(codec): Path<String>| {
        let index = CODECS.iter().position(|known| *known == codec_of(&codec)).expect("a codec");
        let body = Body::from(answers[index].clone());
        async move { body }
    };
    Router::new()
        .nest("/floe", floe)
        .route("/arrow-rs/{codec}", get(arrow_rs))
        .route("/parquet/{codec}", get(parquet))
        .route("/memory/{codec}", get(memory))
}

fn codec_of(name: &str) -> Codec {
    match name {
        "raw" => Codec::Raw,
        "lz4" => Codec::Lz4,
        _ => Codec::Zstd,
    }
}

/// An answer of arrow-rs: a thread that may block writes batch after batch, and each leaves when it is written.
fn stream_writer(batches: Arc<[RecordBatch]>, codec: Codec) -> Body {
    let (to, from) = mpsc::channel::<Bytes>(WAITING);
    tokio::task::spawn_blocking(move || {
        let schema = batches[0].schema();
        let options: IpcWriteOptions = arrow_rs::options(codec);
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &schema, options).expect("a writer");
        for batch in batches.iter() {
            writer.write(batch).expect("arrow-rs writes");
            let bytes = std::mem::take(writer.get_mut());
            if to.blocking_send(bytes.into()).is_err() {
                return;
            }
        }
        writer.finish().expect("arrow-rs writes");
        // A client that has left needs no end either.
        let _ = to.blocking_send(std::mem::take(writer.get_mut()).into());
    });
    Body::from_stream(stream::unfold(from, |mut from| async move {
        let bytes = from.recv().await?;
        Some((io::Result::Ok(bytes), from))
    }))
}

fn parquet(mut df: DataFrame, codec: Codec) -> Vec<u8> {
    let compression = match codec {
        Codec::Raw => ParquetCompression::Uncompressed,
        Codec::Lz4 => ParquetCompression::Lz4Raw,
        Codec::Zstd => ParquetCompression::Zstd(None),
    };
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).with_compression(compression).finish(&mut df).expect("Polars writes");
    bytes
}

/// Where the answers are, in one codec.
#[derive(Clone, Copy)]
pub(super) struct Urls {
    address: SocketAddr,
    codec: Codec,
}

impl Urls {
    fn name(self) -> &'static str {
        match self.codec {
            Codec::Raw => "raw",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }

    /// A query of floe-serve's.
    pub(super) fn floe(self) -> Request {
        self.query("/floe")
    }

    fn query(self, prefix: &str) -> Request {
        let codecs = match self.codec {
            Codec::Raw => String::new(),
            _ => format!("; codecs={}", self.name()),
        };
        Request {
            path: format!("{prefix}/api/query?sql=SELECT%20*%20FROM%20rows"),
            accept: format!("application/vnd.apache.arrow.stream{codecs}"),
            address: self.address,
        }
    }

    pub(super) fn arrow_rs(self) -> Request {
        self.plain("arrow-rs")
    }

    pub(super) fn parquet(self) -> Request {
        self.plain("parquet")
    }

    /// The bytes of an earlier answer of floe-serve.
    pub(super) fn memory(self) -> Request {
        self.plain("memory")
    }

    fn plain(self, route: &str) -> Request {
        let path = format!("/{route}/{}", self.name());
        Request { path, accept: "*/*".into(), address: self.address }
    }
}

/// A request to the server.
pub(super) struct Request {
    path: String,
    accept: String,
    address: SocketAddr,
}

/// Asks, and gives the answer's body while it comes.
pub(super) fn body(request: Request) -> impl Read + Send {
    let url = format!("http://{}{}", request.address, request.path);
    let answer = ureq::get(url).header("accept", request.accept).call().expect("an answer");
    answer.into_body().into_reader()
}

/// The whole body.
pub(super) fn read_all(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    from.read_to_end(&mut all)?;
    Ok(all)
}
