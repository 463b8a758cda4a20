//! An answer over HTTP: floe-serve's router beside the same axum app with arrow-rs' `StreamWriter`, and beside Parquet.
//!
//! One server on loopback has all routes. The client asks them in turns, each time on a connection of its own. Every answer
//! has the same rows. arrow-rs has the record batches of floe-serve's own answer in memory, so that it writes the same
//! batches and types; floe-serve runs a query for each request. Parquet is written as a whole and then sent, since its
//! reader needs the footer.

mod app;

use std::io::{BufReader, Cursor, Read};

use ::floe::prelude::{IpcStreamReader, SerReader};
use arrow_ipc::reader::StreamReader;
use polars_core::prelude::*;
use polars_io::prelude::ParquetReader;

use crate::contenders::{CODECS, Codec};
use crate::data::real;
use crate::measure::Contender;
use crate::results::{Cell, Entry, Goal, Role, Unit, megabytes};
use crate::runner::Bench;
use app::{Server, body, read_all};

/// Flights and TPC-H.
pub fn run(bench: &mut Bench) {
    match real::flights_path() {
        Some(path) => {
            let rows = bench.scaled(1_000_000);
            let df = real::flights(&path, rows).expect("flights-3m.parquet can be read");
            answers(bench, "1M flights", &df);
        },
        None => bench.note("flights-3m.parquet is not measured: it is not at ../shared/data".into()),
    }
    let scale = match bench.args.scale {
        crate::args::Scale::Full => 0.1,
        crate::args::Scale::Quick => 0.001,
        crate::args::Scale::Tiny => 0.0001,
    };
    answers(bench, "TPC-H lineitem, 0.1", &real::lineitem(scale));
}

const ARROW_RS: &str = "arrow-rs StreamWriter";
const PARQUET: &str = "Polars ParquetWriter";

/// All cells of one table.
fn answers(bench: &mut Bench, group: &str, df: &DataFrame) {
    let server = Server::start(df);
    for codec in CODECS {
        let urls = server.urls(codec);
        // Each answer has all rows, or the figures are worth nothing.
        let [floe, arrow, parquet] = [urls.floe(), urls.arrow_rs(), urls.parquet()]
            .map(|request| read_all(body(request)).expect("an answer"));
        assert!(frame(&floe[..]).equals_missing(df));
        assert!(frame(&arrow[..]).equals_missing(df));
        assert!(parquet_frame(parquet.clone()).equals_missing(df));
        sizes(bench, group, codec, [floe.len(), arrow.len(), parquet.len()]);
        received(bench, group, codec, &server, df);
        decoded(bench, group, codec, &server, df);
    }
}

fn cell(group: &str, name: &str, codec: Codec, df: &DataFrame) -> Cell {
    Cell {
        group: group.into(),
        name: name.into(),
        codec: codec.name().into(),
        bytes: Some(df.estimated_size() as u64),
        goals: vec![Goal::than(ARROW_RS, 1.0)],
        ..Cell::default()
    }
}

/// The bytes of an answer.
fn sizes(bench: &mut Bench, group: &str, codec: Codec, [floe, arrow, parquet]: [usize; 3]) {
    let entry = |who: &str, role, bytes: usize| Entry::single(who, role, megabytes(bytes as u64));
    let cell = Cell {
        group: format!("{group}: bytes of an answer"),
        name: "body".into(),
        codec: codec.name().into(),
        unit: Unit::Mb,
        entries: vec![
            entry("floe", Role::Floe, floe),
            entry(ARROW_RS, Role::Peer, arrow),
            entry(PARQUET, Role::Peer, parquet),
        ],
        ..Cell::default()
    };
    if bench.wants(&cell.title()) {
        bench.push(cell);
    }
}

/// From the request until the last byte is there.
fn received(bench: &mut Bench, group: &str, codec: Codec, server: &Server, df: &DataFrame) {
    let urls = server.urls(codec);
    let all = vec![
        Contender::floe(|| drain(body(urls.floe()))),
        Contender::peer(ARROW_RS, || drain(body(urls.arrow_rs()))),
        Contender::peer(PARQUET, || drain(body(urls.parquet()))),
        Contender::limit("floe's bytes, sent from memory", || drain(body(urls.memory()))),
    ];
    bench.cell(cell(group, "received", codec, df), all);
}

/// From the request until all rows are decoded, by one and the same reader of streams, while they come.
fn decoded(bench: &mut Bench, group: &str, codec: Codec, server: &Server, df: &DataFrame) {
    let urls = server.urls(codec);
    let all = vec![
        Contender::floe(|| frame(body(urls.floe()))),
        Contender::peer(ARROW_RS, || frame(body(urls.arrow_rs()))),
        Contender::peer(PARQUET, || {
            let bytes = read_all(body(urls.parquet())).expect("an answer");
            parquet_frame(bytes)
        }),
        Contender::limit("floe's bytes, sent from memory", || frame(body(urls.memory()))),
    ];
    bench.cell(cell(group, "decoded by floe's reader (Parquet: by Polars')", codec, df), all);
    let all = vec![
        Contender::floe(|| arrow_rs_batches(body(urls.floe()))),
        Contender::peer(ARROW_RS, || arrow_rs_batches(body(urls.arrow_rs()))),
    ];
    bench.cell(cell(group, "decoded by arrow-rs' reader", codec, df), all);
}

fn drain(mut from: impl Read) -> usize {
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        match from.read(&mut buffer).expect("an answer") {
            0 => return bytes,
            read => bytes += read,
        }
    }
}

fn frame(from: impl Read + Send) -> DataFrame {
    IpcStreamReader::new(from).set_rechunk(false).finish().expect("floe reads")
}

fn arrow_rs_batches(from: impl Read) -> Vec<arrow_array::RecordBatch> {
    let reader = StreamReader::try_new(BufReader::with_capacity(1 << 20, from), None).expect("a stream");
    reader.map(|batch| batch.expect("arrow-rs reads")).collect()
}

fn parquet_frame(bytes: Vec<u8>) -> DataFrame {
    ParquetReader::new(Cursor::new(bytes)).finish().expect("Polars reads")
}
