//! floe's Flight encoder beside arrow-flight's: the same values, codec and message size, in turns in one process.
//!
//! `cargo bench -p floe-flight --bench flight [-- --quick]`
//!
//! Each side makes `FlightData` of its frame and writes it into a gRPC frame, as its server does. A ratio is arrow-flight's
//! time over floe's in one pair, and the table has the median of all pairs.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Float64Array, Int64Array, LargeStringArray, RecordBatch};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::IpcWriteOptions;
use bytes::BytesMut;
use floe::prelude::{IpcCompression, ZstdLevel};
use floe_flight::{FlightEncoder, FlightOptions};
use futures_util::{StreamExt, stream};
use polars_core::prelude::*;
use prost::Message;

/// A table on both sides.
struct Table {
    name: &'static str,
    polars: DataFrame,
    arrow: RecordBatch,
    bytes: usize,
}

fn mixed(row: u64) -> u64 {
    row.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Prices, keys and times: four columns of each kind.
fn numbers(rows: u64) -> Table {
    let (mut columns, mut arrays): (Vec<Column>, Vec<(String, ArrayRef)>) = (Vec::new(), Vec::new());
    for index in 0..4 {
        let prices: Vec<f64> = (0..rows)
            .map(|row| f64::from(u16::try_from(mixed(row + index) >> 50).unwrap_or(0)) / 100.0)
            .collect();
        let keys: Vec<i64> =
            (0..rows).map(|row| i64::try_from(mixed(row * 7 + index) >> 44).unwrap_or(0)).collect();
        columns.push(Column::new(format!("price{index}").into(), &prices));
        columns.push(Column::new(format!("key{index}").into(), &keys));
        arrays.push((format!("price{index}"), Arc::new(Float64Array::from(prices))));
        arrays.push((format!("key{index}"), Arc::new(Int64Array::from(keys))));
    }
    table("8 columns of numbers", columns, arrays)
}

/// Short and long text.
fn texts(rows: u64) -> Table {
    let values: Vec<String> = (0..rows)
        .map(|row| match mixed(row) >> 62 {
            0 => "short".to_owned(),
            _ => format!("a text of some words, number {:x}", mixed(row) >> 40),
        })
        .collect();
    let columns = vec![Column::new("text".into(), &values)];
    let arrays: Vec<(String, ArrayRef)> = vec![("text".to_owned(), Arc::new(LargeStringArray::from(values)))];
    table("a column of text", columns, arrays)
}

fn table(name: &'static str, columns: Vec<Column>, arrays: Vec<(String, ArrayRef)>) -> Table {
    let arrow = RecordBatch::try_from_iter(arrays).expect("columns of one length");
    let polars = DataFrame::new(arrow.num_rows(), columns).expect("columns of one length");
    let bytes = arrow.get_array_memory_size();
    Table { name, polars, arrow, bytes }
}

/// Bytes of the gRPC frames, and the time they took.
fn floe(table: &Table, compression: Option<IpcCompression>) -> (usize, Duration) {
    let start = Instant::now();
    let options = FlightOptions::new().with_compression(compression);
    let mut encoder = FlightEncoder::new(table.polars.schema(), &options).expect("an encoder");
    let mut messages = vec![encoder.schema(None).expect("the schema")];
    messages.extend(encoder.encode(&table.polars).expect("messages"));
    let mut bytes = 0;
    for data in messages {
        // As the codec of this crate's server does.
        let mut frame = BytesMut::with_capacity(data.encoded_len());
        data.encode(&mut frame).expect("room");
        bytes += black_box(frame.freeze()).len();
    }
    (bytes, start.elapsed())
}

fn arrow_flight(table: &Table, compression: Option<CompressionType>) -> (usize, Duration) {
    let start = Instant::now();
    let options = IpcWriteOptions::default().try_with_compression(compression).expect("a codec");
    let batches = stream::iter([Ok(table.arrow.clone())]);
    let mut messages = FlightDataEncoderBuilder::new().with_options(options).build(batches);
    let mut bytes = 0;
    futures_util::future::FutureExt::now_or_never(async {
        while let Some(data) = messages.next().await {
            let data = data.expect("messages");
            let mut frame = BytesMut::with_capacity(data.encoded_len());
            data.encode(&mut frame).expect("room");
            bytes += black_box(frame.freeze()).len();
        }
    })
    .expect("nothing to wait for");
    (bytes, start.elapsed())
}

#[expect(clippy::cast_precision_loss, reason = "sizes for people")]
fn main() {
    let quick = std::env::args().any(|arg| arg == "--quick");
    let (rows, pairs) = if quick { (100_000, 3) } else { (4_000_000, 15) };
    println!(
        "{:<22} {:<6} {:>10} {:>12} {:>14} {:>8}",
        "table", "codec", "MB", "floe ms", "arrow-flight", "ratio"
    );
    for table in [numbers(rows), texts(rows)] {
        for codec in ["raw", "LZ4", "ZSTD"] {
            let (ours, theirs) = match codec {
                "LZ4" => (Some(IpcCompression::LZ4), Some(CompressionType::LZ4_FRAME)),
                // arrow-rs compresses at level 3.
                "ZSTD" => (ZstdLevel::try_new(3).ok().map(IpcCompression::ZSTD), Some(CompressionType::ZSTD)),
                _ => (None, None),
            };
            floe(&table, ours);
            arrow_flight(&table, theirs);
            let mut runs: Vec<(f64, f64)> = (0..pairs)
                .map(|_| (floe(&table, ours).1.as_secs_f64(), arrow_flight(&table, theirs).1.as_secs_f64()))
                .collect();
            runs.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
            let Some((floe, arrow)) = runs.get(runs.len() / 2).copied() else { continue };
            let mb = table.bytes as f64 / 1e6;
            println!(
                "{:<22} {codec:<6} {mb:>10.1} {:>12.2} {:>14.2} {:>7.2}x",
                table.name,
                floe * 1e3,
                arrow * 1e3,
                arrow / floe
            );
        }
    }
}
