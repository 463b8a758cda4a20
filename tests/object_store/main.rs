//! Object stores: how many requests and bytes reading takes, what happens when a store fails, and that what is written
//! appears whole or not at all. The stores are in memory; `watched` counts what is asked of them, and has them fail. `s3` talks to a server.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "positions in small files"
)]

use std::sync::Arc;

use floe::IpcIndexOptions;
use floe::cloud::IpcObject;
use floe::cloud::object_store::ObjectStoreExt;
use floe::cloud::object_store::memory::InMemory;
use floe::cloud::object_store::path::Path;
use floe::prelude::*;
use polars_core::prelude::*;

mod cancelling;
mod failing;
mod files;
mod http;
mod lazy;
mod opening;
mod reading;
mod s3;
mod s3_server;
mod streams;
mod watched;

use watched::Watched;

/// Runs a test on a runtime of the calling thread alone, for four minutes at most.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let minutes = std::time::Duration::from_secs(240);
    runtime.block_on(async { tokio::time::timeout(minutes, test).await.expect("a test that ends") })
}

/// The same on a runtime with threads.
fn run_threaded<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let minutes = std::time::Duration::from_secs(240);
    runtime.unwrap().block_on(async { tokio::time::timeout(minutes, test).await.expect("a test that ends") })
}

/// A store with one object, `a.arrow`.
async fn store_of(bytes: Vec<u8>) -> Arc<Watched> {
    let store = Watched::new(InMemory::new());
    store.put(&Path::from("a.arrow"), bytes.into()).await.unwrap();
    store.take_requests();
    store
}

async fn open(store: &Arc<Watched>, options: IpcIndexOptions) -> PolarsResult<IpcObject> {
    IpcObject::open(Arc::<Watched>::clone(store), "a.arrow", options).await
}

/// Numbers, text and categories.
fn frame(rows: usize) -> DataFrame {
    let texts: Vec<String> = (0..rows).map(|i| format!("text number {i}")).collect();
    let kinds: Vec<&str> = (0..rows).map(|i| ["one", "two", "three"][i % 3]).collect();
    let categories = DataType::from_categories(Categories::global());
    let kinds = Column::new("kind".into(), kinds).cast(&categories).unwrap();
    let columns = vec![
        Column::new("a".into(), (0..rows).map(|i| i as i64 * 7).collect::<Vec<i64>>()),
        Column::new("text".into(), texts),
        kinds,
        Column::new("b".into(), (0..rows).map(|i| (i % 5 != 0).then_some(i as f64)).collect::<Vec<_>>()),
    ];
    DataFrame::new(rows, columns).unwrap()
}

/// Columns of numbers that do not repeat.
fn numbers(rows: usize, columns: usize) -> DataFrame {
    let value = |row: usize, column: usize| {
        ((row * columns + column) as i64).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64)
    };
    let column = |c: usize| {
        Column::new(format!("c{c}").into(), (0..rows).map(|row| value(row, c)).collect::<Vec<i64>>())
    };
    DataFrame::new(rows, (0..columns).map(column).collect()).unwrap()
}

fn file(df: &DataFrame, rows_per_batch: usize, compression: Option<IpcCompression>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let writer = IpcWriter::new(&mut bytes).with_compression(compression);
    writer.with_record_batch_size(Some(rows_per_batch)).finish(&mut df.clone()).unwrap();
    bytes
}

fn stream(df: &DataFrame, rows_per_batch: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    IpcStreamWriter::new(&mut bytes)
        .with_record_batch_size(Some(rows_per_batch))
        .finish(&mut df.clone())
        .unwrap();
    bytes
}

/// A file as a writer leaves it that notes no rows in the footer.
fn foreign_file(batches: usize, rows_per_batch: usize) -> (DataFrame, Vec<u8>) {
    use arrow_array::{ArrayRef, Int64Array, RecordBatch};
    let mut bytes = Vec::new();
    let batch = |start: i64| {
        let values = Int64Array::from_iter_values(start..start + rows_per_batch as i64);
        RecordBatch::try_from_iter([("a", Arc::new(values) as ArrayRef)]).unwrap()
    };
    let mut writer = arrow_ipc::writer::FileWriter::try_new(&mut bytes, &batch(0).schema()).unwrap();
    for i in 0..batches {
        writer.write(&batch((i * rows_per_batch) as i64)).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    let all: Vec<i64> = (0..(batches * rows_per_batch) as i64).collect();
    (DataFrame::new(all.len(), vec![Column::new("a".into(), all)]).unwrap(), bytes)
}
