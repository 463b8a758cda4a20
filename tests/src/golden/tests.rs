//! The comparator, tried on frames that Polars' own reader makes of golden files, and on JSON of newer kinds.

use std::path::{Path, PathBuf};

use polars_core::prelude::*;
use polars_io::SerReader;
use polars_io::ipc::IpcReader;
use serde_json::json;

use super::*;

fn golden_file(stem: &str) -> Option<(Json, DataFrame)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared/arrow-testing/data/arrow-ipc-stream/integration/1.0.0-littleendian");
    let path = |ending: &str| -> PathBuf { folder.join(format!("generated_{stem}.{ending}")) };
    if !path("json.gz").exists() {
        eprintln!("SKIPPED: no golden files at {}", folder.display());
        return None;
    }
    let file = File::open(path("arrow_file")).expect("beside the JSON");
    let df = IpcReader::new(file).finish().expect("Polars reads it");
    Some((load(path("json.gz")), df))
}

#[test]
fn what_polars_reads_is_what_the_json_says() {
    for stem in
        ["primitive", "primitive_large_offsets", "nested", "datetime", "dictionary", "decimal", "null"]
    {
        let Some((json, df)) = golden_file(stem) else { return };
        assert!(df.height() > 0, "{stem}");
        compare(&json, &df).unwrap_or_else(|error| panic!("{stem}: {error}"));
    }
}

#[test]
fn a_changed_value_is_found_and_placed() {
    let Some((mut json, df)) = golden_file("primitive") else { return };
    let column = &mut json["batches"][1]["columns"][3];
    assert_eq!(column["name"], "int8_nonnullable");
    column["DATA"][2] = json!(column["DATA"][2].as_i64().unwrap() ^ 1);
    let error = compare(&json, &df).unwrap_err();
    assert!(
        error.starts_with("column \"int8_nonnullable\" (number 3): batch 1, row 2: expected Int("),
        "{error}"
    );

    json["batches"][1]["columns"][3]["VALIDITY"][2] = json!(0);
    let error = compare(&json, &df).unwrap_err();
    assert!(error.contains("batch 1, row 2: expected Null, found Int("), "{error}");
}

#[test]
fn missing_columns_rows_and_other_types_are_found() {
    let Some((json, df)) = golden_file("nested") else { return };
    assert!(compare(&json, &df.head(Some(3))).unwrap_err().starts_with("rows: "));
    let fewer = DataFrame::new(df.height(), df.columns()[1..].to_vec()).unwrap();
    assert!(compare(&json, &fewer).unwrap_err().starts_with("columns: "));
    let first = df.columns()[0].clone();
    assert!(compare_column(&json, 0, &first.head(Some(3))).unwrap_err().contains("found no more rows"));
    let Some((mut json, df)) = golden_file("primitive") else { return };
    json["schema"]["fields"][2]["type"]["bitWidth"] = json!(16);
    assert!(compare(&json, &df).unwrap_err().contains("type: expected Int16, found Int8"));
}

/// One column of one batch, as JSON; checked against `series`.
fn compare_one(field: &Json, column: &Json, series: &Series) -> Result<(), String> {
    let batches = [json!({"count": column["count"], "columns": [column]})];
    let json = json!({"schema": {"fields": [field]}, "batches": batches});
    compare(&json, &DataFrame::new(series.len(), vec![series.clone().into_column()]).unwrap())
}

fn int32(name: &str) -> Json {
    json!({"name": name, "type": {"name": "int", "bitWidth": 32, "isSigned": true}, "children": []})
}

#[test]
fn runs_are_expanded() {
    let children = [int32("run_ends"), int32("values")];
    let field = json!({"name": "r", "type": {"name": "runendencoded"}, "children": children});
    let column = json!({"name": "r", "count": 4, "children": [
        {"name": "run_ends", "count": 3, "VALIDITY": [1, 1, 1], "DATA": [1, 3, 9]},
        {"name": "values", "count": 3, "VALIDITY": [1, 0, 1], "DATA": [7, 8, 9]}]});
    let series = Series::new("r".into(), [Some(7), None, None, Some(9)]);
    compare_one(&field, &column, &series).unwrap();
    let series = Series::new("r".into(), [Some(7), None, Some(9), Some(9)]);
    assert!(compare_one(&field, &column, &series).unwrap_err().contains("row 2: expected Null"));
}

#[test]
fn views_point_into_their_buffers() {
    let field = json!({"name": "v", "type": {"name": "utf8view"}, "children": []});
    let mut column = json!({"name": "v", "count": 3, "VALIDITY": [1, 0, 1],
        "VARIADIC_DATA_BUFFERS": ["78", "002D6162636465666768696A6B6C6D"],
        "VIEWS": [{"SIZE": 2, "INLINED": "hi"}, {"SIZE": 0, "INLINED": ""},
            {"SIZE": 13, "PREFIX_HEX": "61626364", "BUFFER_INDEX": 1, "OFFSET": 2}]});
    let series = Series::new("v".into(), [Some("hi"), None, Some("abcdefghijklm")]);
    compare_one(&field, &column, &series).unwrap();

    let field = json!({"name": "v", "type": {"name": "binaryview"}, "children": []});
    column["VIEWS"][0]["INLINED"] = json!("6869");
    let bytes: [Option<&[u8]>; 3] = [Some(b"hi"), None, Some(b"abcdefghijklm")];
    compare_one(&field, &column, &Series::new("v".into(), bytes)).unwrap();
}

#[test]
fn list_views_may_overlap() {
    let field = json!({"name": "l", "type": {"name": "largelistview"}, "children": [int32("item")]});
    let column = json!({"name": "l", "count": 3, "VALIDITY": [1, 1, 0],
        "OFFSET": ["1", "0", "99"], "SIZE": ["2", "2", "7"],
        "children": [{"name": "item", "count": 3, "VALIDITY": [1, 1, 0], "DATA": [1, 2, 3]}]});
    let lists = [Some(Series::new("".into(), [Some(2), None])), Some(Series::new("".into(), [1, 2])), None];
    compare_one(&field, &column, &Series::new("l".into(), lists)).unwrap();
}

#[test]
fn a_union_is_a_struct_with_one_field_set() {
    let field = json!({"name": "u", "type": {"name": "union", "mode": "DENSE", "typeIds": [5, 7]},
        "children": [int32("a"), int32("a")]});
    let column = json!({"name": "u", "count": 3, "TYPE_ID": [7, 5, 7], "OFFSET": [0, 0, 1], "children": [
        {"name": "a", "count": 1, "VALIDITY": [1], "DATA": [1]},
        {"name": "a", "count": 2, "VALIDITY": [1, 0], "DATA": [2, 3]}]});
    let fields = [
        Series::new("type_id".into(), [7_i8, 5, 7]),
        Series::new("a".into(), [None, Some(1), None]),
        Series::new("a_duplicated_0".into(), [Some(2), None, None]),
    ];
    let series = StructChunked::from_series("u".into(), 3, fields.iter()).unwrap().into_series();
    compare_one(&field, &column, &series).unwrap();
}

#[test]
fn intervals_are_structs_of_their_parts() {
    let field = json!({"name": "i", "type": {"name": "interval", "unit": "MONTH_DAY_NANO"}, "children": []});
    let column = json!({"name": "i", "count": 2, "VALIDITY": [1, 0], "DATA": [
        {"months": 1, "days": -2, "nanoseconds": i64::MIN}, {"months": 0, "days": 0, "nanoseconds": 0}]});
    let fields = [
        Series::new("months".into(), [1, 0]),
        Series::new("days".into(), [-2, 0]),
        Series::new("nanoseconds".into(), [i64::MIN, 0]),
    ];
    let series = StructChunked::from_series("i".into(), 2, fields.iter()).unwrap().into_series();
    assert!(compare_one(&field, &column, &series).unwrap_err().contains("row 1: expected Null"));
    let column = &json!({"name": "i", "count": 1, "VALIDITY": [1], "DATA": [column["DATA"][0]]});
    compare_one(&field, column, &series.head(Some(1))).unwrap();
}

#[test]
fn decimals_are_scaled_and_the_large_ones_unreadable() {
    let golden = |bits: usize, precision: usize, scale: i32, digits: &str| {
        let kind = json!({"name": "decimal", "precision": precision, "scale": scale, "bitWidth": bits});
        let field = json!({"name": "d", "type": kind, "children": []});
        let column = json!({"name": "d", "count": 1, "VALIDITY": [1], "DATA": [digits]});
        json!({"schema": {"fields": [field]}, "batches": [{"count": 1, "columns": [column]}]})
    };
    let column = |value: i128, precision, scale| {
        Int128Chunked::new("d".into(), [value]).into_decimal_unchecked(precision, scale).into_column()
    };
    compare_column(&golden(32, 5, -3, "-12"), 0, &column(-12_000, 8, 0)).unwrap();
    compare_column(&golden(256, 40, 5, "123"), 0, &column(123, 38, 5)).unwrap();
    assert_eq!(is_unreadable(&golden(256, 40, 5, "123"), 0), Ok(false));
    assert_eq!(is_unreadable(&golden(256, 40, 5, &"9".repeat(38)), 0), Ok(false));
    assert_eq!(is_unreadable(&golden(256, 40, 5, &"9".repeat(39)), 0), Ok(true));
    assert_eq!(is_unreadable(&golden(256, 70, 5, &"9".repeat(70)), 0), Ok(true));
}

#[test]
fn seconds_become_milliseconds_if_they_fit() {
    let kind = json!({"name": "timestamp", "unit": "SECOND", "timezone": "+07:30"});
    let field = json!({"name": "t", "type": kind, "children": []});
    let mut column =
        json!({"name": "t", "count": 2, "VALIDITY": [1, 0], "DATA": ["-5", i64::MIN.to_string()]});
    let dtype = DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC));
    let series = Series::new("t".into(), [Some(-5000_i64), None]).cast(&dtype).unwrap();
    compare_one(&field, &column, &series).unwrap();

    column["VALIDITY"][1] = json!(1);
    let json = json!({"schema": {"fields": [field]}, "batches": [{"count": 2, "columns": [column]}]});
    assert_eq!(is_unreadable(&json, 0), Ok(true));
    assert!(compare_column(&json, 0, &series.into_column()).unwrap_err().contains("expected Unfit"));
}

#[test]
fn half_floats_are_rounded() {
    let field = json!({"name": "h", "type": {"name": "floatingpoint", "precision": "HALF"}, "children": []});
    let column = json!({"name": "h", "count": 2, "VALIDITY": [1, 1], "DATA": [0.1, -1.5]});
    let series = Series::new("h".into(), [0.1_f32, -1.5]).cast(&DataType::Float16).unwrap();
    compare_one(&field, &column, &series).unwrap();
}
