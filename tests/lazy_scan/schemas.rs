//! Sources whose schemas are not quite the same: what goes together, and what errors say.

use floe::lazy::scan_ipc;
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::equal::assert_frames_equal;

use super::*;

fn one(column: Series) -> DataFrame {
    DataFrame::new(column.len(), vec![column.into_column()]).unwrap()
}

/// A scan of frames, each a source of its own, as bytes.
fn over(frames: &[&DataFrame], options: IpcScanOptions) -> PolarsResult<LazyFrame> {
    let bytes = frames.iter().map(|df| polars_buffer::Buffer::from(file(df, 2)));
    scan_ipc(bytes.collect::<Vec<_>>(), options)
}

/// The error of a scan of two files, with their paths replaced by X and Y.
fn told(left: &DataFrame, right: &DataFrame) -> String {
    let folder = tempfile::tempdir().unwrap();
    let paths = [
        put(folder.path(), "left.arrow", &file(left, 2)),
        put(folder.path(), "right.arrow", &file(right, 2)),
    ];
    let message = error(scan_ipc_file(&paths, IpcScanOptions::default()));
    let [left, right] = paths.map(|path| path.to_str().unwrap().to_owned());
    assert!(message.contains(&left) && message.contains(&right), "{message}");
    message.replace(&left, "X").replace(&right, "Y")
}

fn struct_of(fields: &[(&str, Series)]) -> Series {
    let fields: Vec<Series> =
        fields.iter().map(|(name, series)| series.clone().with_name((*name).into())).collect();
    StructChunked::from_series("s".into(), fields[0].len(), fields.iter()).unwrap().into_series()
}

fn ints() -> Series {
    Series::new("n".into(), [1i64, 2, 3])
}

fn text() -> Series {
    Series::new("t".into(), ["x", "y", "z"])
}

#[test]
fn a_column_of_nulls_is_of_every_type() {
    let mut arbitrary = Arbitrary::new(14);
    for (_, dtype) in dtypes() {
        let typed = one(arbitrary.series("x".into(), &dtype, 5));
        let nulls = one(Series::new_null("x".into(), 3));
        let as_typed = one(Series::full_null("x".into(), 3, &dtype));
        let frames = [&nulls, &typed, &nulls, &typed];
        let expected = [&as_typed, &typed, &as_typed, &typed];
        for at in 0..3 {
            let lf = over(&frames[at..], IpcScanOptions::default()).unwrap();
            let mut found = lf.clone();
            assert_eq!(found.collect_schema().unwrap(), *typed.schema());
            let found = lf.clone().collect().unwrap();
            let all = expected[at + 1..].iter().fold(expected[at].clone(), |all, df| all.vstack(df).unwrap());
            assert_frames_equal(&found, &all);
            let streamed = lf.clone().collect_with_engine(Engine::Streaming).unwrap().unwrap_single();
            assert_frames_equal(&streamed, &all);
            let count = lf.filter(col("x").is_null()).select([len()]).collect().unwrap();
            let count = count.column("len").unwrap().get(0).unwrap().extract::<usize>();
            assert_eq!(count, Some(all.columns()[0].null_count()), "{dtype}");
        }
    }
    let nulls = one(Series::new_null("x".into(), 3));
    assert_same(
        &both(&over(&[&nulls, &nulls], IpcScanOptions::default()).unwrap()).unwrap(),
        &nulls.vstack(&nulls).unwrap(),
    );
}

#[test]
fn predicates_and_statistics_see_columns_of_nulls() {
    let typed = one(Series::new("x".into(), [Some(1i64), None, Some(9)]));
    let nulls = one(Series::new_null("x".into(), 3));
    let all = one(Series::full_null("x".into(), 3, &DataType::Int64)).vstack(&typed).unwrap();
    for predicate in [col("x").gt(lit(5)), col("x").is_null(), col("x").is_not_null(), col("x").eq(lit(1))] {
        let expected = all.clone().lazy().filter(predicate.clone()).collect().unwrap();
        let lf = over(&[&nulls, &typed], IpcScanOptions::default()).unwrap().filter(predicate.clone());
        assert_same(&both(&lf).unwrap(), &expected);
        assert_same(&both(&lf.prune_ipc()).unwrap(), &expected);
        let lf = over(&[&nulls, &typed], IpcScanOptions::default().with_predicate(predicate)).unwrap();
        assert_same(&both(&lf).unwrap(), &expected);
    }
}

#[test]
fn nulls_give_way_within_lists_and_structs() {
    let nulls = Series::new_null("n".into(), 3);
    let lists = |inner: &Series| {
        let pieces = [inner.slice(0, 2), inner.slice(0, 0), inner.slice(2, 1)];
        Series::new("l".into(), pieces)
    };
    for (left, right) in [
        (struct_of(&[("a", nulls.clone()), ("b", text())]), struct_of(&[("a", ints()), ("b", text())])),
        (
            struct_of(&[("a", nulls.clone()), ("b", text())]),
            struct_of(&[("b", nulls.clone()), ("a", ints())]),
        ),
        (lists(&nulls), lists(&ints())),
        (
            lists(&struct_of(&[("a", nulls.clone()), ("b", ints())])),
            lists(&struct_of(&[("b", ints()), ("a", text())])),
        ),
    ] {
        for [left, right] in [[&left, &right], [&right, &left]] {
            let (left, right) = (one(left.clone()), one(right.clone()));
            let name = left.get_column_names()[0].to_owned();
            let right = right.lazy().select([col("*").alias(name.clone())]).collect().unwrap();
            let lf = over(&[&left, &right], IpcScanOptions::default()).unwrap();
            let found = both(&lf).unwrap();
            let dtype = found.columns()[0].dtype().clone();
            let as_scanned =
                |df: &DataFrame| df.columns()[0].cast(&dtype).unwrap().take_materialized_series();
            let mut expected = as_scanned(&left);
            expected.append(&as_scanned(&right)).unwrap();
            assert_same(&found, &one(expected));
            assert!(!format!("{dtype:?}").contains("Null"), "{dtype:?}");
        }
    }
}

#[test]
fn fields_of_structs_go_together_by_name() {
    let ab = struct_of(&[("a", ints()), ("b", text())]);
    let ba = struct_of(&[("b", text()), ("a", ints())]);
    let masked = |series: &Series| {
        let keep = BooleanChunked::new("".into(), [true, false, true]);
        let nothing = Series::full_null("s".into(), 3, series.dtype());
        series.zip_with(&keep, &nothing).unwrap()
    };
    let (ab, ba) = (one(masked(&ab)), one(masked(&ba)));
    assert_eq!(ab.columns()[0].null_count(), 1);
    let lf = over(&[&ab, &ba], IpcScanOptions::default()).unwrap();
    assert_same(&both(&lf).unwrap(), &ab.vstack(&ab).unwrap());
    let lf = over(&[&ba, &ab, &ba], IpcScanOptions::default()).unwrap();
    assert_same(&both(&lf).unwrap(), &ba.vstack(&ba).unwrap().vstack(&ba).unwrap());
}

#[test]
fn differences_are_told_where_they_are() {
    let found = |left: Series, right: Series| told(&one(left), &one(right));
    let list = |series: Series| Series::new("s".into(), [series.slice(0, 1), series.slice(1, 2)]);
    for (left, right, expected) in [
        (ints(), ints().cast(&DataType::Int32).unwrap(), "column \"n\" is i64 in X, and i32 in Y"),
        (
            struct_of(&[("a", ints()), ("b", text())]),
            struct_of(&[("b", text())]),
            "column \"s\": field \"a\" is i64 in X, and missing in Y",
        ),
        (
            struct_of(&[("b", text())]),
            struct_of(&[("b", text()), ("a", ints())]),
            "column \"s\": field \"a\" is missing in X, and i64 in Y",
        ),
        (
            list(struct_of(&[("a", ints()), ("b", text())])),
            list(struct_of(&[("b", ints()), ("a", ints())])),
            "column \"s\": items, field \"b\" is str in X, and i64 in Y",
        ),
        (
            struct_of(&[("a", Series::new_null("n".into(), 3)), ("b", text())]),
            struct_of(&[("a", ints()), ("b", ints())]),
            "column \"s\": field \"b\" is str in X, and i64 in Y",
        ),
    ] {
        let message = found(left, right);
        assert!(message.contains(expected), "{message}");
    }
    let of = |values: &[&str]| {
        let dtype = DataType::from_frozen_categories(FrozenCategories::new(values.iter().copied()).unwrap());
        Series::new("e".into(), ["a", "a", "a"]).cast(&dtype).unwrap()
    };
    let message = found(of(&["a", "b", "c"]), of(&["a", "c", "b"]));
    assert!(message.contains("column \"e\": category 1 is \"b\" in X, and \"c\" in Y"), "{message}");
    let message = found(of(&["a", "b"]), of(&["a"]));
    assert!(message.contains("column \"e\": category 1 is \"b\" in X, and missing in Y"), "{message}");
    let of = |name: &str, space: &str, physical| {
        let dtype = DataType::from_categories(Categories::new(name.into(), space.into(), physical));
        Series::new("c".into(), ["a", "b", "a"]).cast(&dtype).unwrap()
    };
    use CategoricalPhysical::{U8, U16};
    let message = found(of("fruit", "", U8), of("fruit", "shop", U8));
    assert!(message.contains("cat[\"fruit\", u8] in X"), "{message}");
    assert!(message.contains("cat[\"fruit\" of namespace \"shop\", u8] in Y"), "{message}");
    let message = found(of("meat", "", U8), of("meat", "", U16));
    assert!(message.contains("cat[\"meat\", u8] in X, and cat[\"meat\", u16] in Y"), "{message}");
}

#[test]
fn missing_columns_are_told_with_both_paths() {
    let ab = DataFrame::new(3, vec![ints().into_column(), text().into_column()]).unwrap();
    let a = ab.select(["n"]).unwrap();
    assert!(told(&ab, &a).contains("column \"t\" is str in X, and missing in Y"));
    assert!(told(&a, &ab).contains("column \"t\" is missing in X, and str in Y"));
    let lf = over(&[&ab, &a, &ab], IpcScanOptions::default().with_columns(["n"])).unwrap();
    assert_eq!(both(&lf).unwrap().shape(), (9, 1));
    let message = error(over(&[&a, &a], IpcScanOptions::default().with_columns(["t"])));
    assert!(message.contains("source 0 (bytes)") && message.contains("\"t\""), "{message}");
    let message = error(over(&[&ab, &ab, &ab, &a], IpcScanOptions::default()));
    assert!(message.contains("source 0 (bytes), and missing in source 3 (bytes)"), "{message}");
}

#[test]
fn the_source_that_gave_the_type_is_named() {
    let nulls = one(Series::new_null("n".into(), 3));
    let message = error(over(
        &[&nulls, &nulls, &one(ints()), &nulls, &one(ints().cast(&DataType::Float64).unwrap())],
        IpcScanOptions::default(),
    ));
    assert!(message.contains("i64 in source 2 (bytes), and f64 in source 4 (bytes)"), "{message}");
}

/// Files that floe wrote by default are read by default, by readers and scans alike; a file that one refuses the other
/// refuses as well.
#[test]
fn rows_without_bytes() {
    let rows = 1 << 27;
    let empty = StructChunked::from_series("x".into(), rows, std::iter::empty()).unwrap().into_series();
    for series in [Series::new_null("x".into(), rows), empty] {
        let df = one(series);
        let mut bytes = Vec::new();
        IpcWriter::new(&mut bytes).finish(&mut df.clone()).unwrap();
        let read = |bytes: &[u8], limits| -> [PolarsResult<DataFrame>; 2] {
            let reader = IpcReader::new(std::io::Cursor::new(bytes.to_vec())).with_limits(limits);
            let scan = scan_ipc_file(bytes.to_vec(), IpcScanOptions::default().with_limits(limits));
            [reader.finish(), scan.and_then(LazyFrame::collect)]
        };
        for found in read(&bytes, IpcLimits::default()) {
            let found = found.unwrap();
            assert_eq!((found.height(), found.schema()), (rows, df.schema()));
        }
        let mut bytes = Vec::new();
        IpcWriter::new(&mut bytes).with_record_batch_size(Some(rows)).finish(&mut df.clone()).unwrap();
        for found in read(&bytes, IpcLimits::default()) {
            assert!(found.unwrap_err().to_string().contains("max_unbacked_rows"));
        }
        for found in read(&bytes, IpcLimits { max_unbacked_rows: rows, ..IpcLimits::default() }) {
            assert_eq!(found.unwrap().height(), rows);
        }
    }
}
