//! Scans: what every engine makes of them, what they read, what goes wrong.

mod broken;
mod columns;
mod evolution;
mod many_files;
mod names;
mod one_behind_another;
mod peers;
mod pruning;
mod queries;
mod reader;
mod runtimes;
mod schemas;
mod slices;
mod sources;
mod wide;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use flate2::read::GzDecoder;
use floe::lazy::{IpcScanOptions, LazyIpcPrune, scan_ipc_file, scan_ipc_stream};
use floe::prelude::*;
use polars_core::prelude::*;
use polars_io::csv::read::{CsvReadOptions, NullValues};
use polars_lazy::prelude::*;

/// The flights of January 2013.
static FLIGHTS: LazyLock<DataFrame> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/flights-2013-01.csv.gz");
    let mut csv = Vec::new();
    GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut csv).unwrap();
    CsvReadOptions::default()
        .with_has_header(true)
        .with_infer_schema_length(None)
        .map_parse_options(|options| {
            options.with_null_values(Some(NullValues::AllColumnsSingle("NA".into())))
        })
        .into_reader_with_file_handle(std::io::Cursor::new(csv))
        .finish()
        .unwrap()
});

fn stream(df: &DataFrame, rows: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    IpcStreamWriter::new(&mut bytes).with_record_batch_size(Some(rows)).finish(&mut df.clone()).unwrap();
    bytes
}

fn file(df: &DataFrame, rows: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes)
        .with_compression(Some(IpcCompression::LZ4))
        .with_record_batch_size(Some(rows))
        .with_statistics(true)
        .finish(&mut df.clone())
        .unwrap();
    bytes
}

/// Writes bytes to a file of a folder.
fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The result of a query under both engines, which must be the same.
fn both(lf: &LazyFrame) -> PolarsResult<DataFrame> {
    let memory = lf.clone().collect();
    let streaming = lf.clone().collect_with_engine(Engine::Streaming).map(|result| result.unwrap_single());
    match (memory, streaming) {
        (Ok(memory), Ok(streaming)) => {
            assert_same(&memory, &streaming);
            Ok(memory)
        },
        (Err(error), Err(_)) => Err(error),
        (memory, streaming) => panic!("in memory: {memory:?}, streaming: {streaming:?}"),
    }
}

fn assert_same(left: &DataFrame, right: &DataFrame) {
    assert_eq!(left.schema(), right.schema());
    assert!(left.equals_missing(right), "{left} is not {right}");
}

/// The error of a scan or of its query, under both engines.
fn error(lf: PolarsResult<LazyFrame>) -> String {
    match lf.and_then(|lf| both(&lf)) {
        Ok(df) => panic!("no error but {df}"),
        Err(error) => error.to_string(),
    }
}

/// Options that count what is read, and the count.
fn counted() -> (IpcScanOptions, Arc<AtomicU64>) {
    let counter = Arc::new(AtomicU64::new(0));
    (IpcScanOptions::default().with_read_counter(Arc::clone(&counter)).with_index_cache(false), counter)
}

/// The bytes that `work` reads.
fn read_by<T>(counter: &AtomicU64, work: impl FnOnce() -> T) -> (T, u64) {
    let before = counter.load(Ordering::Relaxed);
    let result = work();
    (result, counter.load(Ordering::Relaxed) - before)
}

/// Both formats over the same rows.
fn scans(df: &DataFrame, rows: usize) -> [LazyFrame; 2] {
    [
        scan_ipc_stream(stream(df, rows), IpcScanOptions::default()).unwrap(),
        scan_ipc_file(file(df, rows), IpcScanOptions::default()).unwrap(),
    ]
}
