//! CSV and Parquet as inputs.

use polars_core::prelude::*;
use polars_io::prelude::ParquetWriter;

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

#[test]
fn what_is_compressed_has_to_be_csv() {
    use std::io::Write;

    let folder = Folder::new();
    let put = |name: &str, bytes: &[u8]| {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(bytes).unwrap();
        folder.put(name, &writer.finish().unwrap());
    };
    put("a.tsv.gz", b"a\tb\n1\tx\n");
    assert_eq!(folder.good(&["head", "a.tsv.gz"]), "a,b\n1,x\n");
    put("a.arrow.gz", &file(&frame(), 10, None));
    put("a.ndjson.gz", b"{\"a\":1}\n{\"a\":2}\n");
    for name in ["a.arrow.gz", "a.ndjson.gz"] {
        assert!(folder.failure(&["head", name]).contains("not CSV"), "{name}");
    }
}
