//! Statistics that writers keep with batches: what they say, and that they are nobody's burden.

use std::io::Cursor;

use floe::prelude::*;
use polars_core::prelude::*;

const KEY: &str = "floe:statistics";

fn frame() -> DataFrame {
    let n = 1000i64;
    let days: Vec<Option<i64>> = (0..n).map(|i| (i % 10 != 0).then_some(i)).collect();
    let names: Vec<String> = (0..n).map(|i| format!("name {i:05}")).collect();
    let mut floats: Vec<f64> = (0..1000u32).map(|i| f64::from(i) / 4.0).collect();
    floats[950] = f64::NAN;
    let tags: Vec<&str> = (0..n).map(|i| if i % 2 == 0 { "a" } else { "b" }).collect();
    let columns = vec![
        Column::new("day".into(), days),
        Column::new("name".into(), names),
        Column::new("float".into(), floats),
        Series::new("tag".into(), tags)
            .cast(&DataType::from_categories(Categories::global()))
            .unwrap()
            .into_column(),
    ];
    DataFrame::new(1000, columns).unwrap()
}

fn file(df: &DataFrame, parallel: bool, statistics: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes)
        .with_record_batch_size(Some(100))
        .with_statistics(statistics)
        .with_parallel(parallel)
        .finish(&mut df.clone())
        .unwrap();
    bytes
}

/// The JSON behind the hash.
fn parsed(text: &str) -> serde_json::Value {
    let (hash, json) = text.split_once(':').unwrap();
    assert_eq!(hash.len(), 16);
    serde_json::from_str(json).unwrap()
}

/// The text of the statistics, if there are any: only the raw metadata has them.
fn raw_text(metadata: &MetadataBytes) -> Option<String> {
    let (_, text) = metadata.iter().find(|(key, _)| key == KEY.as_bytes())?;
    Some(String::from_utf8(text.clone()).unwrap())
}

#[test]
fn batches_and_the_footer_say_the_same() {
    let df = frame();
    let reader = IpcReader::from_bytes(file(&df, true, true));
    assert!(reader.footer_metadata().unwrap().is_empty(), "floe's own metadata is not the user's");
    let footer = raw_text(&reader.footer_metadata_bytes().unwrap()).unwrap();
    let lines: Vec<&str> = footer.lines().collect();
    assert_eq!(lines.len(), 10);
    for (i, line) in lines.iter().enumerate() {
        assert_eq!(raw_text(&reader.batch_metadata_bytes(i).unwrap()).as_deref(), Some(*line));
        let value = parsed(line);
        assert_eq!((value["batch"].as_u64(), value["rows"].as_u64()), (u64::try_from(i).ok(), Some(100)));
        let columns = value["columns"].as_array().unwrap();
        assert_eq!(columns.len(), 4);
        assert_eq!(columns[0][0], 10, "nulls of a batch");
        assert_eq!(columns[0][2], format!("{}", i * 100 + 1));
        assert_eq!(columns[0][3], format!("{}", i * 100 + 99));
        assert_eq!(columns[1][2], format!("name {:05}", i * 100));
        assert_eq!(columns[1][3], format!("name {:05}", i * 100 + 99));
        assert_eq!(columns[2][2].is_null(), i == 9, "a NaN has no place in an order");
        assert!(columns[3][2].is_null() && columns[3][3].is_null(), "categories have no order");
    }
}

#[test]
fn the_frame_and_the_bytes_do_not_depend_on_them() {
    let df = frame();
    let bytes = file(&df, true, true);
    assert_eq!(bytes, file(&df, false, true), "the thread count shows");
    assert!(IpcReader::from_bytes(bytes.clone()).finish().unwrap().equals_missing(&df));
    let polars = polars_io::ipc::IpcReader::new(Cursor::new(bytes)).finish().unwrap();
    assert!(polars.equals_missing(&df));
    let without = IpcReader::from_bytes(file(&df, true, false)).footer_metadata_bytes().unwrap();
    assert_eq!(raw_text(&without), None);
}

#[test]
fn streams_keep_them_with_each_batch() {
    let df = frame();
    let mut bytes = Vec::new();
    let mut writer = IpcStreamWriter::new(&mut bytes).with_statistics(true).batched(df.schema()).unwrap();
    for part in [df.slice(0, 400), df.slice(0, 0), df.slice(400, 600)] {
        let metadata =
            Metadata::from_iter([(KEY.into(), "of another batch".into()), ("a".into(), "b".into())]);
        writer.write_batch_with_metadata(&part, metadata).unwrap();
    }
    writer.finish().unwrap();
    let reader = IpcStreamReader::new(bytes.as_slice());
    let mut batches = reader.batches().unwrap();
    let mut texts = Vec::new();
    while let Some(batch) = batches.next() {
        batch.unwrap();
        assert_eq!(batches.metadata()["a"].as_str(), "b");
        texts.push(parsed(&raw_text(&batches.metadata_bytes()).unwrap()));
    }
    let of = |name: &str| texts.iter().map(|text| text[name].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!((of("batch"), of("rows")), (vec![0, 1, 2], vec![400, 0, 600]));
    assert!(texts[1]["columns"][0][2].is_null(), "no rows, no bounds");
}

#[test]
fn statistics_of_another_batch_are_not_passed_on() {
    let df = frame();
    let mut bytes = Vec::new();
    let mut writer = IpcWriter::new(&mut bytes).batched(df.schema()).unwrap();
    writer
        .set_custom_metadata(vec![(KEY.to_owned(), "foreign".to_owned()), ("c".to_owned(), "d".to_owned())]);
    let metadata = Metadata::from_iter([(KEY.into(), "foreign".into())]);
    writer.write_batch_with_metadata(&df, metadata).unwrap();
    writer.finish().unwrap();
    let reader = IpcReader::from_bytes(bytes);
    assert!(reader.batch_metadata_bytes(0).unwrap().is_empty());
    assert_eq!(raw_text(&reader.footer_metadata_bytes().unwrap()), None);
    assert!(reader.footer_metadata().unwrap().contains_key("c"));
}

#[test]
fn every_dtype_is_written() {
    let df = frame().head(Some(3));
    let numbers = Series::new("n".into(), [1i64, -5, 9]);
    let mut columns: Vec<Column> = df.columns().to_vec();
    for (i, dtype) in [
        DataType::Int8,
        DataType::Int128,
        DataType::Float32,
        DataType::Decimal(20, 2),
        DataType::Date,
        DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)),
        DataType::Duration(TimeUnit::Nanoseconds),
        DataType::List(Box::new(DataType::Int64)),
    ]
    .iter()
    .enumerate()
    {
        columns.push(numbers.cast(dtype).unwrap().with_name(format!("{i}").into()).into_column());
    }
    columns.push(Column::new("flags".into(), [true, true, true]));
    columns.push(Column::new_scalar("one".into(), Scalar::from(7i32), 3));
    let mut df = DataFrame::new(3, columns).unwrap();
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).with_statistics(true).finish(&mut df).unwrap();
    let reader = IpcReader::from_bytes(bytes);
    let value = parsed(&raw_text(&reader.batch_metadata_bytes(0).unwrap()).unwrap());
    let columns = value["columns"].as_array().unwrap();
    let bounds = |i: usize| (columns[i][2].as_str(), columns[i][3].as_str());
    assert_eq!(bounds(4), (Some("-5"), Some("9")));
    assert_eq!(bounds(5), (Some("-5"), Some("9")));
    assert_eq!(bounds(6), (Some("-5.0"), Some("9.0")));
    assert_eq!(bounds(7), (Some("-500"), Some("900")));
    assert_eq!(bounds(8), (Some("-5"), Some("9")));
    assert_eq!(bounds(11), (None, None));
    assert_eq!(bounds(12), (Some("true"), Some("true")));
    assert_eq!(bounds(13), (Some("7"), Some("7")));
    assert!(reader.finish().unwrap().equals_missing(&df));
}
