//! A CSV of real flights to an Arrow IPC stream and an Arrow IPC file, and back.
//!
//! `cargo run --release --example quickstart [-- other.csv]`

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::DateTime;
use floe::prelude::*;
use polars_core::prelude::*;
use polars_io::csv::read::{CsvReadOptions, NullValues};

const FLIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/flights-2013-01.csv.gz");

fn main() -> PolarsResult<()> {
    let csv = std::env::args_os().nth(1).map_or_else(|| PathBuf::from(FLIGHTS), PathBuf::from);
    let df = read_csv(&csv)?;
    polars_ensure!(df.height() > 0, NoData: "{} has no rows", csv.display());

    let folder = std::env::temp_dir().join(format!("floe-quickstart-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = round_trips(&csv, df, &folder);
    fs::remove_dir_all(&folder)?;
    result
}

/// Writes `df` into `folder` as a stream and as a file, reads both back, compares, reports.
fn round_trips(csv: &Path, mut df: DataFrame, folder: &Path) -> PolarsResult<()> {
    // Several batches, so that there is something to choose from.
    let rows = (df.height() / 5).clamp(1, 4096);
    let source = csv.file_name().unwrap_or_default().to_string_lossy();
    let metadata = Arc::new(Metadata::from([("source".into(), source.as_ref().into())]));

    // The stream: written from start to end, read from start to end.
    let path = folder.join("flights.arrows");
    let start = Instant::now();
    let mut writer = IpcStreamWriter::new(File::create(&path)?)
        .with_compression(Some(IpcCompression::LZ4))
        .with_record_batch_size(Some(rows));
    writer.set_custom_schema_metadata(Arc::clone(&metadata));
    writer.finish(&mut df)?;
    let stream = (writer.summary(), start.elapsed());

    let start = Instant::now();
    let mut reader = IpcStreamReader::new(File::open(&path)?);
    assert_eq!(reader.custom_metadata()?.as_ref(), Some(&metadata));
    assert!(reader.finish()?.equals_missing(&df), "the stream differs from what was written");
    let stream_read = start.elapsed();

    // Batch by batch: one of them in memory at a time.
    let mut at = 0;
    for batch in IpcStreamReader::new(File::open(&path)?).batches()? {
        let batch = batch?;
        assert!(batch.equals_missing(&df.slice(offset(at), batch.height())));
        at += batch.height();
    }
    assert_eq!(at, df.height());

    // The file: a stream, and an index of it.
    let path = folder.join("flights.arrow");
    let start = Instant::now();
    let mut writer = IpcWriter::new(File::create(&path)?)
        .with_compression(Some(IpcCompression::LZ4))
        .with_record_batch_size(Some(rows));
    writer.set_custom_schema_metadata(Arc::clone(&metadata));
    writer.finish(&mut df)?;
    let file = (writer.summary(), start.elapsed());

    let start = Instant::now();
    let mut reader = IpcReader::new(File::open(&path)?);
    assert_eq!(reader.custom_metadata()?.as_ref(), Some(&metadata));
    assert!(reader.finish()?.equals_missing(&df), "the file differs from what was written");
    let file_read = start.elapsed();

    // Any batch of it, without reading the others.
    let reader = IpcReader::new(File::open(&path)?);
    let batches = reader.num_record_batches()?;
    let third = 3.min(batches - 1);
    let batch = reader.get_batch(third)?;
    assert!(batch.equals_missing(&df.slice(offset(third * rows), rows)));

    println!("{source}: {} rows, {} columns", df.height(), df.width());
    println!(
        "\n{:8}{:>10}{:>9}{:>12}{:>15}{:>7}{:>11}{:>11}",
        "", "rows", "batches", "raw bytes", "written bytes", "ratio", "write", "read"
    );
    report("stream", stream, stream_read);
    report("file", file, file_read);
    println!("\nboth read back equal; batch {third} of {batches} read at random:");
    println!("{}", batch.head(Some(5)));
    Ok(())
}

/// The CSV, with repeated strings as categories and timestamps as such.
fn read_csv(path: &Path) -> PolarsResult<DataFrame> {
    let mut df = CsvReadOptions::default()
        .with_infer_schema_length(Some(10_000))
        .map_parse_options(|options| {
            options.with_null_values(Some(NullValues::AllColumnsSingle("NA".into())))
        })
        .try_into_reader_with_file_path(Some(path.into()))?
        .finish()?;
    for name in ["carrier", "origin", "dest"] {
        if df.schema().contains(name) {
            let categories = df.column(name)?.cast(&DataType::from_categories(Categories::global()))?;
            df.with_column(categories)?;
        }
    }
    let timestamps: Vec<Column> = df.columns().iter().filter_map(timestamps).collect();
    for column in timestamps {
        df.with_column(column)?;
    }
    Ok(df)
}

/// A column of RFC 3339 strings as a `Datetime`; `None` if it holds anything else.
fn timestamps(column: &Column) -> Option<Column> {
    let strings = column.str().ok().filter(|strings| strings.null_count() < strings.len())?;
    let parse = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros());
    let micros = strings.iter().map(|text| match text {
        Some(text) => parse(text).map(Some),
        None => Some(None),
    });
    let micros = Int64Chunked::new(column.name().clone(), micros.collect::<Option<Vec<_>>>()?);
    Some(micros.into_datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)).into_column())
}

fn report(what: &str, (written, write): (WriteSummary, Duration), read: Duration) {
    let WriteSummary { rows, batches, raw_bytes, written_bytes, .. } = written;
    let ratio = raw_bytes as f64 / written_bytes as f64;
    let ms = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    println!(
        "{what:8}{rows:>10}{batches:>9}{raw_bytes:>12}{written_bytes:>15}{ratio:>7.2}{:>11}{:>11}",
        ms(write),
        ms(read)
    );
}

fn offset(rows: usize) -> i64 {
    i64::try_from(rows).expect("fewer than 2^63 rows")
}
