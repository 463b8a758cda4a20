//! floe's Flight beside arrow-flight 60: encoder, decoder, and a download over loopback.
//!
//! Both have the same values in memory: floe a frame, arrow-flight record batches of the types and rows that floe would
//! write. Both split at 2 MiB. A message that is encoded is a protobuf message in one piece of memory, as gRPC sends it;
//! one that is decoded comes from such a piece. arrow-flight's messages are what both decode. Servers and clients
//! have windows of the same size.

mod peer;

use ::floe::prelude::CompatLevel;
use arrow_array::RecordBatch;
use bytes::{Bytes, BytesMut};
use floe_flight::{
    FlightClient, FlightDecoder, FlightEncoder, FlightOptions, FlightResult, FlightServer, FrameService,
    FrameStream, Ticket,
};
use polars_core::prelude::*;
use prost::Message;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::args::Scale;
use crate::contenders::{CODECS, Codec, Format, arrow_rs};
use crate::data::{self, real};
use crate::measure::Contender;
use crate::results::{Cell, Goal};
use crate::runner::Bench;

/// Every cell.
pub fn run(bench: &mut Bench) {
    let rows = bench.scaled(2_000_000);
    table(bench, "2M x 8 numbers", &data::numbers(rows));
    let rows = bench.scaled(1_000_000);
    table(bench, "1M x 3 strings", &data::strings(rows));
    if let Some(path) = real::flights_path() {
        let rows = bench.scaled(1_000_000);
        table(bench, "1M flights", &real::flights(&path, rows).expect("flights-3m.parquet can be read"));
    } else {
        bench.note("flights-3m.parquet is not measured: it is not at ../shared/data".into());
    }
    let scale = match bench.args.scale {
        Scale::Full => 0.1,
        Scale::Quick => 0.001,
        Scale::Tiny => 0.0001,
    };
    table(bench, "TPC-H lineitem, 0.1", &real::lineitem(scale));
}

const PEER: &str = "arrow-flight";

fn table(bench: &mut Bench, group: &str, df: &DataFrame) {
    let batches = arrow_rs::batches(df, Format::Stream);
    for codec in CODECS {
        encoders(bench, group, codec, df, &batches);
        decoders(bench, group, codec, df, &batches);
        downloads(bench, group, codec, df, &batches);
    }
}

fn cell(group: &str, name: &str, codec: Codec, df: &DataFrame, goal: bool) -> Cell {
    let ratio = if codec == Codec::Raw { 1.0 } else { 1.5 };
    Cell {
        group: group.into(),
        name: name.into(),
        codec: codec.name().into(),
        bytes: Some(df.estimated_size() as u64),
        goals: if goal { vec![Goal::peer(ratio)] } else { Vec::new() },
        ..Cell::default()
    }
}

/// Frames or record batches to protobuf messages.
fn encoders(bench: &mut Bench, group: &str, codec: Codec, df: &DataFrame, batches: &[RecordBatch]) {
    let has_views = df.columns().iter().any(|column| column.dtype() == &DataType::String);
    let mut all = vec![
        Contender::floe(|| encode(df, codec, CompatLevel::oldest(), drop)),
        Contender::peer(PEER, || peer::encode(batches, codec, drop)),
    ];
    if has_views {
        all.push(Contender::limit("floe, strings as views", || {
            encode(df, codec, CompatLevel::newest(), drop);
        }));
    }
    bench.cell(cell(group, "encode", codec, df, true), all);
}

fn encode(df: &DataFrame, codec: Codec, level: CompatLevel, mut each: impl FnMut(Bytes)) {
    let options = FlightOptions::new().with_compression(codec.polars()).with_compat_level(level);
    let mut encoder = FlightEncoder::new(df.schema(), &options).expect("an encoder");
    each(protobuf(&encoder.schema(None).expect("the schema")));
    for message in encoder.encode(df).expect("floe encodes") {
        each(protobuf(&message));
    }
}

/// A message in one piece, as floe's server makes it. tonic's own codec, which arrow-flight's server has, lets the piece
/// grow, and copies more.
fn protobuf(message: &impl Message) -> Bytes {
    let mut bytes = BytesMut::with_capacity(message.encoded_len());
    message.encode(&mut bytes).expect("there is room");
    std::hint::black_box(bytes.freeze())
}

/// The same protobuf messages to frames or record batches.
fn decoders(bench: &mut Bench, group: &str, codec: Codec, df: &DataFrame, batches: &[RecordBatch]) {
    let title = cell(group, "decode", codec, df, true);
    if !bench.wants(&title.title()) {
        return;
    }
    let mut messages = Vec::new();
    peer::encode(batches, codec, |message| messages.push(message));
    let whole = decode(&messages);
    assert_eq!(whole.iter().map(DataFrame::height).sum::<usize>(), df.height());
    drop(whole);
    let all = vec![Contender::floe(|| decode(&messages)), Contender::peer(PEER, || peer::decode(&messages))];
    bench.cell(title, all);
}

fn decode(messages: &[Bytes]) -> Vec<DataFrame> {
    let mut decoder = FlightDecoder::new();
    let frames = messages.iter().filter_map(|message| {
        let data = floe_flight::FlightData::decode(message.clone()).expect("a message");
        decoder.push(data).expect("floe decodes").and_then(|frame| frame.df)
    });
    frames.collect()
}

/// One table, for every ticket.
struct Table(DataFrame);

impl FrameService for Table {
    async fn get(&self, _: Ticket) -> FlightResult<FrameStream> {
        Ok(self.0.clone().into())
    }
}

/// `do_get`, until the last batch is decoded.
fn downloads(bench: &mut Bench, group: &str, codec: Codec, df: &DataFrame, batches: &[RecordBatch]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let floe = serve(&runtime, df, codec);
    let peer = peer::serve(&runtime, batches, codec);
    let client = runtime.block_on(FlightClient::connect(floe.as_str())).expect("a connection");
    let its_client = peer::connect(&runtime, &peer);
    let of_floe = peer::connect(&runtime, &floe);
    let rows = df.height();
    let by_its_client = |client: &peer::Client| assert_eq!(peer::get(&runtime, client), rows);
    let by_floe = || assert_eq!(runtime.block_on(get(&client)).expect("a download"), rows);
    let all = vec![Contender::floe(by_floe), Contender::peer(PEER, || by_its_client(&its_client))];
    bench.cell(cell(group, "do_get, each with its own client", codec, df, false), all);
    let all = vec![
        Contender::floe(|| by_its_client(&of_floe)),
        Contender::peer(PEER, || by_its_client(&its_client)),
    ];
    bench.cell(cell(group, "do_get, both with arrow-flight's client", codec, df, false), all);
}

fn serve(runtime: &Runtime, df: &DataFrame, codec: Codec) -> String {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
    let address = listener.local_addr().expect("an address");
    let options = FlightOptions::new().with_compression(codec.polars());
    runtime.spawn(FlightServer::new(Table(df.clone())).with_options(options).serve(listener));
    format!("http://{address}")
}

async fn get(client: &FlightClient) -> FlightResult<usize> {
    let mut frames = client.get(Ticket::new("all")).await?;
    let mut rows = 0;
    let mut all = Vec::new();
    while let Some(frame) = frames.next_frame().await {
        let frame = frame?;
        rows += frame.df.as_ref().map_or(0, DataFrame::height);
        all.push(frame);
    }
    Ok(rows)
}
