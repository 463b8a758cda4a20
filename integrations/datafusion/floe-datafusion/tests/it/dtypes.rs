//! Every dtype: the values that DataFusion sees are those that were written, out of files and streams.

use datafusion::arrow::datatypes::DataType as ArrowType;
use polars_arrow::array::BinaryArray;
use polars_core::prelude::*;

use crate::support::{Session, categorical, file, frame, stream};

/// The values of a column as DataFusion has them, out of a file and out of a stream, whole and in batches of two rows.
async fn values(column: Column) -> (ArrowType, String) {
    let df = frame(vec![column]);
    let mut seen = Vec::new();
    for bytes in [file(&df, 100), file(&df, 2), stream(&df, 100), stream(&df, 2)] {
        let session = Session::of(bytes).await;
        let schema = session.ctx.table("t").await.unwrap().schema().as_arrow().clone();
        let text = session.text("SELECT * FROM t").await.replace('\n', " | ");
        seen.push((schema.field(0).data_type().clone(), text));
    }
    for other in &seen[1..] {
        assert_eq!(other, &seen[0]);
    }
    seen.remove(0)
}

async fn check(column: Column, arrow: &str, text: &str) {
    let (data_type, seen) = values(column).await;
    assert_eq!((data_type.to_string().as_str(), seen.as_str()), (arrow, text));
}

fn ints(values: &[Option<i64>]) -> Column {
    Column::new("c".into(), values)
}

const SOME: [Option<i64>; 3] = [Some(1), None, Some(100)];

#[tokio::test]
async fn numbers() {
    for (dtype, arrow) in [
        (DataType::Int8, "Int8"),
        (DataType::Int16, "Int16"),
        (DataType::Int32, "Int32"),
        (DataType::Int64, "Int64"),
        (DataType::UInt8, "UInt8"),
        (DataType::UInt16, "UInt16"),
        (DataType::UInt32, "UInt32"),
        (DataType::UInt64, "UInt64"),
    ] {
        check(ints(&SOME).cast(&dtype).unwrap(), arrow, "1 | null | 100").await;
    }
    for (dtype, arrow) in
        [(DataType::Float16, "Float16"), (DataType::Float32, "Float32"), (DataType::Float64, "Float64")]
    {
        let column = Column::new("c".into(), [Some(0.5f64), None, Some(-2.25)]);
        check(column.cast(&dtype).unwrap(), arrow, "0.5 | null | -2.25").await;
    }
    check(Column::new("c".into(), [Some(true), None, Some(false)]), "Boolean", "true | null | false").await;
    check(Column::full_null("c".into(), 3, &DataType::Null), "Null", "null | null | null").await;
}

#[tokio::test]
async fn decimals_and_128_bits() {
    let decimal = ints(&SOME).cast(&DataType::Decimal(10, 2)).unwrap();
    check(decimal, "Decimal128(10, 2)", "1.00 | null | 100.00").await;
    for dtype in [DataType::Int128, DataType::UInt128] {
        check(ints(&SOME).cast(&dtype).unwrap(), "Decimal128(38, 0)", "1 | null | 100").await;
    }
    let nines = 10i128.pow(38) - 1;
    let column = Int128Chunked::from_vec("c".into(), vec![nines, -nines]).into_column();
    check(column, "Decimal128(38, 0)", &format!("{nines} | -{nines}")).await;
}

#[tokio::test]
async fn an_integer_of_39_digits_is_an_error_that_names_the_column() {
    let large = Int128Chunked::from_vec("large".into(), vec![1, 10i128.pow(38)]).into_column();
    let larger = UInt128Chunked::from_vec("larger".into(), vec![1, u128::MAX]).into_column();
    let session =
        Session::of(file(&frame(vec![large, larger, Column::new("small".into(), [5i64, 6])]), 10)).await;
    for name in ["large", "larger"] {
        let error = session.query(&format!("SELECT {name} FROM t")).await.unwrap_err().to_string();
        assert!(error.contains(&format!("column `{name}`")) && error.contains("t.arrow"), "{error}");
    }
    assert_eq!(session.text("SELECT sum(small) FROM t").await, "11");
}

#[tokio::test]
async fn times() {
    let days = ints(&SOME).cast(&DataType::Int32).unwrap().cast(&DataType::Date).unwrap();
    check(days, "Date32", "1970-01-02 | null | 1970-04-11").await;
    for (unit, arrow, first) in [
        (TimeUnit::Nanoseconds, "ns", "1970-01-01T00:00:00.000000001"),
        (TimeUnit::Microseconds, "µs", "1970-01-01T00:00:00.000001"),
        (TimeUnit::Milliseconds, "ms", "1970-01-01T00:00:00.001"),
    ] {
        let (data_type, text) = values(ints(&SOME).cast(&DataType::Datetime(unit, None)).unwrap()).await;
        assert_eq!(data_type.to_string(), format!("Timestamp({arrow})"));
        assert!(text.starts_with(&format!("{first} | null | ")), "{text}");
        let (data_type, text) = values(ints(&SOME).cast(&DataType::Duration(unit)).unwrap()).await;
        assert_eq!(data_type.to_string(), format!("Duration({arrow})"));
        assert!(text.contains("| null |"), "{text}");
    }
    let zone = TimeZone::opt_try_new(Some("Europe/Berlin")).unwrap();
    let (data_type, text) =
        values(ints(&SOME).cast(&DataType::Datetime(TimeUnit::Milliseconds, zone)).unwrap()).await;
    assert_eq!(data_type.to_string(), "Timestamp(ms, \"Europe/Berlin\")");
    assert!(text.starts_with("1970-01-01T01:00:00.001+01:00"), "{text}");
    let time = ints(&SOME).cast(&DataType::Time).unwrap();
    check(time, "Time64(ns)", "00:00:00.000000001 | null | 00:00:00.000000100").await;
}

#[tokio::test]
async fn text_and_bytes() {
    let long = "longer than twelve bytes";
    let column = Column::new("c".into(), [Some("short"), None, Some(long), Some("")]);
    check(column.clone(), "Utf8View", &format!("short | null | {long} | ")).await;
    let bytes = column.cast(&DataType::Binary).unwrap();
    check(bytes, "BinaryView", "73686f7274 | null | 6c6f6e676572207468616e207477656c7665206279746573 | ")
        .await;
    // Polars' cast to this dtype makes Binary.
    let array = BinaryArray::<i64>::from_iter([Some("short"), None, Some(long), Some("")]);
    let offsets = BinaryOffsetChunked::with_chunk("c".into(), array).into_column();
    check(offsets, "LargeBinary", "73686f7274 | null | 6c6f6e676572207468616e207477656c7665206279746573 | ")
        .await;
}

#[tokio::test]
async fn categoricals_are_strings() {
    let column = Column::new("c".into(), [Some("b"), None, Some("a category of many bytes"), Some("b")]);
    let text = "b | null | a category of many bytes | b";
    check(column.cast(&categorical()).unwrap(), "Utf8View", text).await;
    for (physical, name) in [(CategoricalPhysical::U8, "8"), (CategoricalPhysical::U16, "16")] {
        let categories = Categories::new(name.into(), "it".into(), physical);
        check(column.cast(&DataType::from_categories(categories)).unwrap(), "Utf8View", text).await;
    }
    let categories = FrozenCategories::new(["z", "b", "a category of many bytes"]).unwrap();
    check(column.cast(&DataType::from_frozen_categories(categories)).unwrap(), "Utf8View", text).await;
}

/// Keys far above the number of rows: categories of the whole process.
#[tokio::test]
async fn a_few_rows_of_many_categories() {
    let many: Vec<String> = (0..20_000).map(|n| format!("category {n}")).collect();
    let categories = FrozenCategories::new(many.iter().map(String::as_str)).unwrap();
    let column = Column::new("c".into(), [Some("category 19999"), None, Some("category 0")]);
    let column = column.cast(&DataType::from_frozen_categories(categories)).unwrap();
    check(column, "Utf8View", "category 19999 | null | category 0").await;
}

#[tokio::test]
async fn lists_arrays_and_structs() {
    let inner = |values: &[i64]| Series::new("".into(), values);
    let lists = Column::new("c".into(), [Some(inner(&[1, 2])), None, Some(inner(&[])), Some(inner(&[3]))]);
    check(lists.clone(), "LargeList(Int64)", "[1, 2] | null | [] | [3]").await;
    let texts = lists.cast(&DataType::List(Box::new(DataType::String))).unwrap();
    check(texts.clone(), "LargeList(Utf8View)", "[1, 2] | null | [] | [3]").await;
    let categories = texts.cast(&DataType::List(Box::new(categorical()))).unwrap();
    check(categories, "LargeList(Utf8View)", "[1, 2] | null | [] | [3]").await;
    let pairs = Column::new("c".into(), [Some(inner(&[1, 2])), None, Some(inner(&[3, 4]))]);
    let arrays = pairs.cast(&DataType::Array(Box::new(DataType::Int64), 2)).unwrap();
    check(arrays, "FixedSizeList(2 x Int64)", "[1, 2] | null | [3, 4]").await;
    let fields = [ints(&SOME).take_materialized_series(), Series::new("s".into(), ["x", "y", "z"])];
    let structs = StructChunked::from_series("c".into(), 3, fields.iter()).unwrap().into_column();
    check(
        structs,
        "Struct(\"c\": Int64, \"s\": Utf8View)",
        "{c: 1, s: x} | {c: null, s: y} | {c: 100, s: z}",
    )
    .await;
}

#[tokio::test]
async fn a_table_without_rows_and_one_without_columns() {
    let empty = frame(vec![Column::new("a".into(), Vec::<i64>::new())]);
    for bytes in [file(&empty, 10), stream(&empty, 10)] {
        let session = Session::of(bytes).await;
        assert_eq!(session.text("SELECT count(*), sum(a) FROM t").await, "0 null");
    }
    let bare = DataFrame::new(5, Vec::new()).unwrap();
    for bytes in [file(&bare, 10), stream(&bare, 10)] {
        assert_eq!(Session::of(bytes).await.text("SELECT count(*) FROM t").await, "5");
    }
}
