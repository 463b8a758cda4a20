//! Values that Polars has no place for, and text that is not UTF-8: refused, or read as asked for.

use arrow_array::LargeStringArray as LargeStrings;
use arrow_array::StringViewArray;
use floe::lazy::{IpcScanOptions, scan_ipc};

use super::*;

/// A stream and a file of a batch.
fn written(columns: Vec<(&str, ArrayRef)>) -> [Vec<u8>; 2] {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true)));
    let batch = batch.expect("a batch");
    let mut stream = StreamWriter::try_new(Vec::new(), &batch.schema()).expect("a writer");
    // Twice: batches are alike.
    stream.write(&batch).expect("bytes");
    stream.write(&batch).expect("bytes");
    stream.finish().expect("bytes");
    let mut file = FileWriter::try_new(Vec::new(), &batch.schema()).expect("a writer");
    file.write(&batch).expect("bytes");
    file.write(&batch).expect("bytes");
    file.finish().expect("bytes");
    [stream.into_inner().expect("bytes"), file.into_inner().expect("bytes")]
}

/// The result of each way of reading, which has to be the same; or its error.
fn read(
    bytes: &[Vec<u8>; 2],
    types: &TypeOptions,
    binary: &TextAsBinary,
    odd: Unrepresentable,
) -> Vec<PolarsResult<DataFrame>> {
    let [stream, file] = bytes;
    let mut out = Vec::new();
    let reader = |bytes: &Vec<u8>| {
        IpcStreamReader::from_bytes(bytes.clone())
            .with_text_as_binary(binary.clone())
            .with_unrepresentable(odd)
    };
    out.push(reader(stream).finish());
    out.push(
        IpcStreamReader::new(stream.as_slice())
            .with_text_as_binary(binary.clone())
            .with_unrepresentable(odd)
            .finish(),
    );
    let batches = reader(stream).batches().and_then(|batches| {
        let mut all: Option<DataFrame> = None;
        for batch in batches {
            let batch = batch?;
            match &mut all {
                Some(all) => drop(all.vstack_mut(&batch)?),
                None => all = Some(batch),
            }
        }
        Ok(all.unwrap_or_default())
    });
    out.push(batches);
    let reader =
        || IpcReader::from_bytes(file.clone()).with_text_as_binary(binary.clone()).with_unrepresentable(odd);
    out.push(reader().finish());
    // The schema may have been asked for before it is said what columns become.
    let mut asked = IpcReader::new(Cursor::new(file.clone()));
    let _ = asked.polars_schema();
    out.push(asked.with_text_as_binary(binary.clone()).with_unrepresentable(odd).finish());
    let mut asked = IpcStreamReader::new(stream.as_slice());
    let _ = asked.schema();
    out.push(asked.with_text_as_binary(binary.clone()).with_unrepresentable(odd).finish());
    for bytes in [stream, file] {
        let index = IpcIndex::from_bytes_with_types(bytes.clone(), IpcLimits::default(), types.clone());
        out.push(index.and_then(|index| {
            let columns: Vec<usize> = (0..index.column_names().len()).collect();
            index.read(0..2, &columns, true)
        }));
        let options = IpcScanOptions::default().with_text_as_binary(binary.clone()).with_unrepresentable(odd);
        out.push(scan_ipc(bytes.clone(), options).and_then(|scan| scan.collect()));
    }
    if let Ok(df) = &out[0] {
        let mut reader = reader();
        assert_eq!(reader.polars_schema().expect("a schema"), **df.schema());
    }
    out
}

fn with(bytes: &[Vec<u8>; 2], binary: impl Into<TextAsBinary>, odd: Unrepresentable) -> DataFrame {
    let binary = binary.into();
    let types = TypeOptions::default().with_text_as_binary(binary.clone()).with_unrepresentable(odd);
    let mut all = read(bytes, &types, &binary, odd).into_iter().map(|df| df.expect("a frame"));
    let first = all.next().expect("a frame");
    all.for_each(|df| assert_frames_equal(&df, &first));
    first
}

/// That all ways of reading refuse, and say what.
fn refused(bytes: &[Vec<u8>; 2], binary: impl Into<TextAsBinary>, says: &str) {
    let binary = binary.into();
    let types = TypeOptions::default().with_text_as_binary(binary.clone());
    for result in read(bytes, &types, &binary, Unrepresentable::Error) {
        let error = result.expect_err("an error").to_string();
        assert!(error.contains(says), "{error}");
    }
}

/// The values of the first of two batches, as text.
fn texts(df: &DataFrame, column: &str) -> Vec<Option<String>> {
    let column = df.column(column).expect("a column").as_materialized_series().head(Some(3));
    let strings = column.str().expect("text");
    strings.iter().map(|text| text.map(str::to_owned)).collect()
}

fn some(texts: [Option<&str>; 3]) -> Vec<Option<String>> {
    texts.into_iter().map(|text| text.map(str::to_owned)).collect()
}

#[test]
fn decimals_of_more_digits_than_polars_has() {
    let huge = i256::from_string(&"9".repeat(60)).expect("a number");
    let values = || Decimal256Array::from(vec![Some(huge), None, Some(i256::from_i128(-5))]);
    let decimal = |scale| values().with_precision_and_scale(76, scale).expect("decimals");
    let small = Decimal128Array::from(vec![Some(1), None, Some(-12)]).with_precision_and_scale(38, -3);
    let columns = || -> Vec<(&str, ArrayRef)> {
        vec![
            ("scale 2", Arc::new(decimal(2))),
            ("scale 0", Arc::new(decimal(0))),
            ("scale 76", Arc::new(decimal(76))),
            ("zeros", Arc::new(small.as_ref().expect("decimals").clone())),
        ]
    };
    let bytes = written(columns());
    refused(&bytes, false, "scale 76");
    refused(&written(vec![columns().swap_remove(0)]), false, "scale 2");

    let df = with(&bytes, false, Unrepresentable::String);
    let nines = |digits: usize| "9".repeat(digits);
    let of = |text: String| vec![Some(text), None];
    assert_eq!(texts(&df, "scale 2")[..2], of(format!("{}.99", nines(58))));
    assert_eq!(texts(&df, "scale 2")[2].as_deref(), Some("-0.05"));
    assert_eq!(texts(&df, "scale 0")[..2], of(nines(60)));
    assert_eq!(texts(&df, "scale 76")[..2], of(format!("0.{}{}", "0".repeat(16), nines(60))));
    assert_eq!(texts(&df, "zeros"), some([Some("1000"), None, Some("-12000")]));

    let df = with(&bytes, false, Unrepresentable::Null);
    assert_eq!(df.column("scale 2").expect("a column").dtype(), &DataType::Decimal(38, 2));
    assert_eq!(df.column("scale 76").expect("a column").dtype(), &DataType::Decimal(38, 38));
    let nulls: Vec<usize> = df.columns().iter().map(Column::null_count).collect();
    assert_eq!(nulls, [4, 4, 6, 2]);
    let kept = df.column("scale 2").expect("a column").get(2).expect("a row").to_string();
    assert_eq!(kept, "-0.05");
}

#[test]
fn seconds_that_overflow() {
    let seconds = || vec![Some(i64::MAX), None, Some(90)];
    let list = |seconds: TimestampSecondArray| {
        let item = ArrowField::new("item", ArrowType::Timestamp(arrow_schema::TimeUnit::Second, None), true);
        ListArray::new(item.into(), OffsetBuffer::from_lengths([1, 1, 1]), Arc::new(seconds), None)
    };
    let bytes = written(vec![
        ("plain", Arc::new(TimestampSecondArray::from(seconds()))),
        ("zoned", Arc::new(TimestampSecondArray::from(seconds()).with_timezone("-08:00"))),
        ("duration", Arc::new(DurationSecondArray::from(seconds()))),
        ("list", Arc::new(list(TimestampSecondArray::from(seconds())))),
    ]);
    refused(&bytes, false, "seconds overflow");
    let df = with(&bytes, false, Unrepresentable::String);
    let end = "+292277026596-12-04T15:30:07";
    assert_eq!(texts(&df, "plain"), some([Some(end), None, Some("1970-01-01T00:01:30")]));
    assert_eq!(texts(&df, "zoned")[2].as_deref(), Some("1970-01-01T00:01:30Z"));
    assert_eq!(texts(&df, "duration"), some([Some("PT9223372036854775807S"), None, Some("PT90S")]));
    let list = df.column("list").expect("a column");
    assert_eq!(list.dtype(), &DataType::List(Box::new(DataType::String)));
    let df = with(&bytes, false, Unrepresentable::Null);
    assert!(
        matches!(df.column("zoned").expect("a column").dtype(), DataType::Datetime(TimeUnit::Milliseconds, Some(zone)) if zone.as_str() == "Etc/GMT+8")
    );
    for column in ["plain", "zoned", "duration"] {
        let column = df.column(column).expect("a column");
        assert_eq!(column.null_count(), 4, "{}", column.name());
        assert_eq!(column.get(2).expect("a row").extract::<i64>(), Some(90_000));
    }
}

#[test]
fn text_that_is_not_utf8_is_read_as_binary_if_that_is_asked_for() {
    const MARK: &str = "@MARK@, which is longer than twelve bytes";
    let dictionary: DictionaryArray<Int32Type> = [Some(MARK), None, Some("x")].into_iter().collect();
    let values = || vec![Some(MARK), None, Some("x")];
    let item = ArrowField::new("item", ArrowType::Utf8, true);
    let strings = Arc::new(StringArray::from(values()));
    let list = ListArray::new(item.into(), OffsetBuffer::from_lengths([1, 1, 1]), strings, None);
    let mut bytes = written(vec![
        ("small", Arc::new(StringArray::from(values()))),
        ("large", Arc::new(LargeStrings::from(values()))),
        ("views", Arc::new(StringViewArray::from(values()))),
        ("dictionary", Arc::new(dictionary)),
        ("list", Arc::new(list)),
        ("fine", Arc::new(StringArray::from(vec![Some("é"), None, Some("x")]))),
        ("number", Arc::new(Int32Array::from(vec![1, 2, 3]))),
    ]);
    for bytes in &mut bytes {
        let found: Vec<usize> =
            (0..bytes.len()).filter(|at| bytes[*at..].starts_with(MARK.as_bytes())).collect();
        assert!(found.len() >= 9, "{found:?}");
        for at in found {
            bytes[at + 14] = 0xff;
        }
    }
    let mut expected = MARK.as_bytes().to_vec();
    expected[14] = 0xff;
    refused(&bytes, false, "UTF-8");
    refused(&bytes, ["small", "large", "views", "dictionary"], "list");
    refused(&bytes, ["small", "absent"], "absent");
    let spoilt = ["small", "large", "views", "dictionary", "list", "number"];
    let df = with(&bytes, spoilt, Unrepresentable::Error);
    for column in &spoilt[..4] {
        let column = df.column(column).expect("a column").as_materialized_series();
        let values: Vec<Option<&[u8]>> = column.binary().expect("bytes").iter().collect();
        assert_eq!(values[..3], [Some(expected.as_slice()), None, Some(b"x")], "{}", column.name());
        assert_eq!(values[3..], values[..3]);
    }
    assert_eq!(df.column("list").expect("a column").dtype(), &DataType::List(Box::new(DataType::Binary)));
    assert_eq!(df.column("fine").expect("a column").dtype(), &DataType::String);
    let all = with(&bytes, true, Unrepresentable::Error);
    assert_eq!(all.column("fine").expect("a column").dtype(), &DataType::Binary);
    assert_eq!(all.column("number").expect("a column").dtype(), &DataType::Int32);
}

/// Names and metadata of extension types that nobody has registered come back as they were.
#[test]
fn extensions_survive_reading_and_writing() {
    let metadata = [
        ("ARROW:extension:name".to_owned(), "floe.tests".to_owned()),
        ("ARROW:extension:metadata".to_owned(), "{\"a\":1}".to_owned()),
    ];
    let field = ArrowField::new("e", ArrowType::Int32, true)
        .with_metadata(std::collections::HashMap::from(metadata.clone()));
    let schema = Arc::new(ArrowSchema::new(vec![field]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(Int32Array::from(vec![1, 2]))]);
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).expect("a writer");
    writer.write(&batch.expect("a batch")).expect("bytes");
    let bytes = writer.into_inner().expect("bytes");
    let mut df = IpcStreamReader::new(bytes.as_slice()).finish().expect("a frame");
    let mut again = Vec::new();
    IpcWriter::new(&mut again).finish(&mut df).expect("bytes");
    let reader = FileReader::try_new(Cursor::new(again), None).expect("a reader");
    let schema = reader.schema();
    for (key, value) in &metadata {
        assert_eq!(schema.field(0).metadata().get(key), Some(value));
    }
}
