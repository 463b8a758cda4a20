//! Lazy queries: floe's sinks and scans beside Polars' `sink_ipc` and `scan_ipc`, all on the streaming engine.

use std::path::Path;

use ::floe::lazy::{
    IpcScanOptions, IpcSinkOptions, LazyIpcExt, LazyIpcPrune, scan_ipc_file, scan_ipc_stream,
};
use ::floe::prelude::{IpcWriter, SerWriter};
use polars_core::prelude::*;
use polars_lazy::prelude::*;

use super::BATCH_ROWS;
use crate::contenders::lazy::{collect, scan, sink};
use crate::contenders::{CODECS, Codec, Format, floe};
use crate::data;
use crate::limits::fresh;
use crate::measure::Contender;
use crate::results::{Cell, Goal, Role};
use crate::runner::Bench;

const SINKS: &str = "lazy sinks (4M x 8 numbers)";
const SCANS: &str = "lazy scans (4M x 8 numbers)";
const SELF: &str = "floe, file";

/// floe runs a query into a file.
pub fn floe_sink(query: LazyFrame, format: Format, codec: Codec, path: &Path) {
    let options = IpcSinkOptions::default().with_compression(codec.polars());
    match format {
        Format::File => query.sink_ipc_file(path, options),
        Format::Stream => query.sink_ipc_stream(path, options),
    }
    .expect("floe writes");
}

pub(crate) fn floe_scan(format: Format, path: &Path) -> LazyFrame {
    match format {
        Format::File => scan_ipc_file(path, IpcScanOptions::default()),
        Format::Stream => scan_ipc_stream(path, IpcScanOptions::default()),
    }
    .expect("a scan")
}

/// All codecs for whole frames; LZ4 for what a query leaves out.
pub fn run(bench: &mut Bench) {
    if !bench.args.only.is_empty()
        && !["lazy", "sink", "scan"].iter().any(|word| bench.args.only.contains(word))
    {
        return;
    }
    let df = data::numbers(bench.scaled(4_000_000));
    for codec in CODECS {
        sinks(bench, &df, codec);
        scans(bench, &df, codec);
    }
    drop(df);
    queries(bench);
}

fn cell(group: &str, name: &str, codec: Codec, goals: Vec<Goal>) -> Cell {
    let codec = codec.name().into();
    Cell { group: group.into(), name: name.into(), codec, goals, ..Cell::default() }
}

fn sinks(bench: &mut Bench, df: &DataFrame, codec: Codec) {
    let path = bench.path("sunk");
    let path = path.as_path();
    let query = || df.clone().lazy();
    let clean = || fresh(path);
    let ours = |who: &str, role: Role, format: Format| {
        Contender::prepared(who, role, clean, move |()| floe_sink(query(), format, codec, path))
    };
    bench.cell(
        cell(SINKS, "sink to a file", codec, vec![Goal::peer(1.0)]),
        vec![
            ours("floe", Role::Floe, Format::File),
            Contender::prepared("Polars sink_ipc", Role::Peer, clean, |()| sink(query(), codec, path)),
        ],
    );
    bench.cell(
        // Nobody else can: the same to a file is what it should cost.
        cell(SINKS, "sink to a stream", codec, vec![Goal::than(SELF, 0.9)]),
        vec![ours("floe", Role::Floe, Format::Stream), ours(SELF, Role::Limit, Format::File)],
    );
    clean();
}

fn scans(bench: &mut Bench, df: &DataFrame, codec: Codec) {
    let (file, stream) = (bench.path("scanned"), bench.path("scanned-stream"));
    for (path, format) in [(&file, Format::File), (&stream, Format::Stream)] {
        std::fs::write(path, floe::to_vec(df, format, codec, Some(BATCH_ROWS))).expect("written");
    }
    let (path, stream) = (file.as_path(), stream.as_path());
    bench.cell(
        cell(SCANS, "scan a file", codec, vec![Goal::peer(1.0)]),
        vec![
            Contender::floe(|| collect(floe_scan(Format::File, path))),
            Contender::peer("Polars scan_ipc", || collect(scan(path))),
        ],
    );
    bench.cell(
        cell(SCANS, "scan a stream", codec, vec![Goal::than(SELF, 0.9)]),
        vec![
            Contender::floe(|| collect(floe_scan(Format::Stream, stream))),
            Contender::limit(SELF, || collect(floe_scan(Format::File, path))),
        ],
    );
    fresh(path);
    fresh(stream);
}

/// Scans with pushdown: columns, rows, filters, and with statistics whole batches.
fn queries(bench: &mut Bench) {
    // Enough rows to be compressed.
    let df = data::numbers(bench.scaled(4_000_000).max(4_000));
    let path = bench.path("queried");
    let path = path.as_path();
    let batch_rows = bench.scaled(65_536).max(1_000);
    let writer = IpcWriter::new(std::fs::File::create(path).expect("a file"))
        .with_compression(Codec::Lz4.polars())
        .with_statistics(true);
    writer.with_record_batch_size(Some(batch_rows)).finish(&mut df.clone()).expect("floe writes");
    let last = i64::try_from(df.height() - df.height() / 50).unwrap_or(0);
    type Query = fn(LazyFrame, i64) -> LazyFrame;
    let sorted: Query = |lf, last| lf.filter(col("steps").gt_eq(lit(last)));
    let all: [(&str, Query); 4] = [
        ("scan, 2 of 8 columns", |lf, _| lf.select([col("small"), col("walk")])),
        // Columns that compress: Polars fails to take the first rows of those that are stored raw.
        ("scan, the first 5 rows of 2 columns", |lf, _| lf.select([col("small"), col("prices")]).limit(5)),
        ("scan, filter on a random column (1 in 1,000)", |lf, _| lf.filter(col("small").eq(lit(7)))),
        ("scan, filter on a sorted column (the last 2%)", sorted),
    ];
    for (name, query) in all {
        bench.cell(
            cell(SCANS, name, Codec::Lz4, vec![Goal::peer(1.0)]),
            vec![
                Contender::floe(|| collect(query(floe_scan(Format::File, path), last))),
                Contender::peer("Polars scan_ipc", || collect(query(scan(path), last))),
            ],
        );
    }
    bench.cell(
        cell(SCANS, "scan, the same filter, with floe's statistics", Codec::Lz4, vec![Goal::peer(1.0)]),
        vec![
            Contender::floe(|| collect(sorted(floe_scan(Format::File, path), last).prune_ipc())),
            Contender::peer("Polars scan_ipc", || collect(sorted(scan(path), last))),
        ],
    );
    fresh(path);
}
