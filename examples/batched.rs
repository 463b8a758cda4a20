//! Writing batches as they arrive, when nobody knows yet how many there will be.
//!
//! The `station` column is categorical, and every batch brings a station that the ones before did not have. A stream
//! then sends its dictionary again; a file has one dictionary behind its batches.

use std::io::Cursor;

use floe::prelude::*;
use polars_core::prelude::*;

fn main() -> PolarsResult<()> {
    let schema = reading(0)?.schema().as_ref().clone();

    let mut stream = IpcStreamWriter::new(Vec::new()).batched(&schema)?;
    let mut file = IpcWriter::new(Vec::new())
        .with_compression(Some(IpcCompression::ZSTD(Default::default())))
        .batched(&schema)?;
    for hour in 0..10 {
        let df = reading(hour)?;
        stream.write_batch(&df)?;
        // Metadata of its own for every batch.
        file.write_batch_with_metadata(&df, Metadata::from([("hour".into(), hour.to_string().into())]))?;
    }
    // Without `finish` there is no end marker and no footer: readers would say that data is missing.
    let in_stream = stream.finish()?;
    let in_file = file.finish()?;
    println!("stream: {in_stream:?}");
    println!("file:   {in_file:?}");
    assert_eq!((in_stream.rows, in_stream.batches), (1_000, 10));
    assert_eq!((in_file.rows, in_file.batches), (1_000, 10));

    // Both hold what was written.
    let from_stream = IpcStreamReader::from_bytes(stream.into_inner()).finish()?;
    let reader = IpcReader::new(Cursor::new(file.into_inner()));
    assert_eq!(reader.num_record_batches()?, 10);
    assert!(reader.get_batch(7)?.equals(&reading(7)?));
    let from_file = reader.finish()?;
    assert!(from_stream.equals(&from_file));
    println!("{}", from_file.tail(Some(3)));

    // A batch that does not fit the schema is refused before any of it is written.
    let mut stream = IpcStreamWriter::new(Vec::new()).batched(&schema)?;
    let error = stream.write_batch(&reading(0)?.drop("station")?).expect_err("a column is missing");
    println!("refused: {error}");
    Ok(())
}

fn reading(hour: i32) -> PolarsResult<DataFrame> {
    let stations: Vec<String> = (0..100).map(|i| format!("station {}", i % (hour + 1))).collect();
    let stations = Column::new("station".into(), stations);
    let stations = stations.cast(&DataType::from_categories(Categories::global()))?;
    let values: Vec<f64> = (0..100).map(|i| f64::from(hour) + f64::from(i) / 100.).collect();
    DataFrame::new(100, vec![stations, Column::new("value".into(), values)])
}
