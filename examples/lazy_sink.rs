//! A query into a folder of files, one for each month and carrier, and a query out of it again.
//!
//! `cargo run --release --features lazy --example lazy_sink`
//!
//! The sink runs on Polars' streaming engine, in bounded memory. The scan reads what a query needs: folders
//! that the filter leaves out are not opened, and of the files only the columns in question.

use floe::lazy::*;
use floe::prelude::*;
use polars_core::prelude::*;
use polars_io::csv::read::{CsvReadOptions, NullValues};

const FLIGHTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/flights-2013-01.csv.gz");

fn main() -> PolarsResult<()> {
    let folder = std::env::temp_dir().join(format!("floe-lazy-sink-{}", std::process::id()));
    let result = there_and_back(&folder);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn there_and_back(folder: &std::path::Path) -> PolarsResult<()> {
    let flights = CsvReadOptions::default()
        .map_parse_options(|options| {
            options.with_null_values(Some(NullValues::AllColumnsSingle("NA".into())))
        })
        .try_into_reader_with_file_path(Some(FLIGHTS.into()))?
        .finish()?;
    let rows = flights.height();

    let options = IpcSinkOptions::default()
        .with_compression(Some(IpcCompression::ZSTD(ZstdLevel::default())))
        .with_statistics(true);
    let by = PartitionBy::Keys(vec!["year", "month", "carrier"]);
    let parts = flights.clone().lazy().sink_ipc_partitioned(folder, by, options)?;
    for part in &parts {
        let path = part.path.strip_prefix(folder).unwrap_or(&part.path);
        println!("{:>6} rows in {}", part.summary.rows, path.display());
    }
    assert_eq!(parts.iter().map(|part| part.summary.rows).sum::<u64>(), rows as u64);
    assert_eq!(parts[0].keys[0], ("year".to_owned(), Some("2013".to_owned())));

    // The farthest that each plane of two carriers went, out of their folders alone.
    let farthest = |flights: LazyFrame| {
        let carriers = col("carrier").eq(lit("UA")).or(col("carrier").eq(lit("HA")));
        flights
            .filter(carriers)
            .group_by([col("carrier"), col("origin")])
            .agg([col("distance").max().alias("farthest"), col("flight").count().alias("flights")])
            .sort(["carrier", "origin"], SortMultipleOptions::default())
            .collect()
    };
    let scanned = scan_ipc_file(folder, IpcScanOptions::default().with_hive(true))?;
    let found = farthest(scanned)?;
    println!("{found}");
    assert!(found.equals(&farthest(flights.lazy())?));
    Ok(())
}
