//! CSV, NDJSON and Parquet as inputs, Parquet as output.

use polars_core::prelude::*;
use polars_io::SerReader;
use polars_io::prelude::{ParquetReader, ParquetWriter};

use crate::support::*;

#[test]
fn csv_is_read_with_any_separator() {
    let folder = Folder::new();
    for (name, separator) in [("a.csv", ","), ("a.tsv", "\t"), ("semicolons", ";"), ("bars", "|")] {
        folder.put(name, "id,name,x\n1,Nuuk,2.5\n2,,-1.0\n".replace(',', separator).as_bytes());
        folder.good(&["convert", "--force", name, "a.arrow"]);
        let frame = read(&folder.path("a.arrow"));
        assert_eq!(frame.dtypes(), [DataType::Int64, DataType::String, DataType::Float64], "{name}");
        assert_eq!(folder.good(&["head", name]), "id,name,x\n1,Nuuk,2.5\n2,,-1.0\n", "{name}");
        assert_eq!(folder.floe(&["diff", name, "a.arrow"]).status.code(), Some(0));
    }
    let piped = folder.piped(&["head", "-", "-f", "ndjson"], b"a,b\n1,x\n");
    assert_eq!(out(&piped), "{\"a\":1,\"b\":\"x\"}\n");
    let text = folder.failure(&["info", "a.csv"]);
    assert!(text.contains("floe convert IN OUT.arrow"), "{text}");
}

#[test]
fn compressed_csv_of_real_flights() {
    let folder = Folder::new();
    let flights = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/data/flights-2013-01.csv.gz");
    if !std::path::Path::new(flights).exists() {
        eprintln!("SKIPPED: {flights} is in the repository only");
        return;
    }
    folder.good(&["convert", flights, "flights.arrow"]);
    assert_eq!(folder.good(&["count", "flights.arrow"]), "27004\n");
    assert!(folder.good(&["schema", "flights.arrow"]).contains("timestamp[us, UTC]"));
}

#[test]
fn parquet_is_read() {
    let folder = Folder::new();
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame()).unwrap();
    folder.put("a.parquet", &bytes);
    folder.good(&["convert", "a.parquet", "a.arrow"]);
    assert!(read(&folder.path("a.arrow")).equals_missing(&frame()));
    folder.put("cut.parquet", &bytes[..bytes.len() / 2]);
    assert!(
        folder
            .failure(&["convert", "cut.parquet", "b.arrow"])
            .contains("a Parquet file, which cannot be read")
    );
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;

    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn what_is_compressed_is_text() {
    let folder = Folder::new();
    folder.put("a.tsv.gz", &gzip(b"a\tb\n1\tx\n"));
    assert_eq!(folder.good(&["head", "a.tsv.gz"]), "a,b\n1,x\n");
    let lines = b"{\"a\":1,\"b\":\"x\"}\n{\"a\":2,\"b\":null}\n";
    folder.put("lines.gz", &gzip(lines));
    folder.put("lines.zst", &zstd::stream::encode_all(&lines[..], 3).unwrap());
    folder.put("lines", lines);
    folder.put("lines[1].ndjson", lines);
    folder.put("a.csv.zst", &zstd::stream::encode_all(&b"a,b\n1,x\n2,\n"[..], 3).unwrap());
    for name in ["lines", "lines[1].ndjson", "lines.gz", "lines.zst", "a.csv.zst"] {
        assert_eq!(folder.good(&["head", name]), "a,b\n1,x\n2,\n", "{name}");
        folder.good(&["convert", "--force", name, "out.arrow"]);
        assert_eq!(folder.good(&["count", "out.arrow"]), "2\n", "{name}");
    }
    let piped = folder.piped(&["head", "-"], &gzip(lines));
    assert_eq!(out(&piped), "a,b\n1,x\n2,\n", "{}", err(&piped));
    folder.put("a.arrow.gz", &gzip(&file(&frame(), 10, None)));
    assert!(folder.failure(&["head", "a.arrow.gz"]).contains("an Arrow IPC file"));
    folder.put("one", b"{\"a\":1}");
    assert_eq!(folder.good(&["head", "one"]), "a\n1\n");
    folder.put("a.json", b"[{\"a\":1}]");
    assert!(folder.failure(&["head", "a.json"]).contains("JSON"));
}

/// Dates, times and instants of CSV have types, also where there are many rows (which several threads read).
#[test]
fn dates_in_csv_have_types() {
    let folder = Folder::new();
    let rows: String = (0..20_000)
        .map(|i| {
            let late = if i == 19_999 { "never".to_owned() } else { format!("2013-02-{:02}", i % 28 + 1) };
            format!("2013-01-{:02},2013-01-01T00:00:{:02},{i},{late}\n", i % 31 + 1, i % 60)
        })
        .collect();
    folder.put("a.csv", format!("day,at,n,late\n{rows}").as_bytes());
    folder.good(&["convert", "a.csv", "a.arrow"]);
    let frame = read(&folder.path("a.arrow"));
    let at = DataType::Datetime(TimeUnit::Microseconds, None);
    // One value that is no date, and the column stays text.
    assert_eq!(frame.dtypes(), [DataType::Date, at, DataType::Int64, DataType::String]);
    assert_eq!(frame.height(), 20_000);
    let text = folder.good(&["sql", "SELECT count(*) FROM 'a.csv' WHERE day >= DATE '2013-01-31'"]);
    assert_eq!(text, "count(*)\n645\n");
}

#[test]
fn parquet_is_written() {
    let folder = Folder::new();
    folder.put("a.arrow", &file(&frame(), 4, None));
    folder.good(&["convert", "a.arrow", "a.parquet"]);
    let back = ParquetReader::new(std::fs::File::open(folder.path("a.parquet")).unwrap()).finish().unwrap();
    assert!(back.equals_missing(&frame()));
    let raw = ["convert", "--force", "--compression", "none", "a.arrow", "raw.parquet"];
    folder.good(&raw);
    folder.good(&["convert", "raw.parquet", "b.arrow"]);
    assert!(read(&folder.path("b.arrow")).equals_missing(&frame()));
    assert!(
        folder.failure(&["convert", "a.arrow", "b.parquet", "--statistics"]).contains("--statistics is for")
    );
    assert_eq!(folder.names(), ["a.arrow", "a.parquet", "b.arrow", "raw.parquet"]);
}
