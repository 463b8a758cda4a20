//! Keys come back as they were: their types, their values, their names.

use super::*;

fn hive(folder: &Path) -> DataFrame {
    let lf = scan_ipc_file(folder, IpcScanOptions::default().with_hive(true)).expect("a scan");
    lf.collect().expect("a frame")
}

/// Writes rows by a key, and reads them again.
#[track_caller]
fn round_trip(key: Column) -> Vec<PartitionSummary> {
    let name = key.name().clone();
    let n: Vec<u32> = (0..).take(key.len()).collect();
    let df = DataFrame::new(key.len(), vec![Column::new("n!".into(), n), key]).expect("a frame");
    let folder = tempfile::tempdir().expect("a folder");
    let parts = by_keys(&df, folder.path(), &[name.as_str()], IpcSinkOptions::default());
    assert_frames_equal(&df, &sorted(&hive(folder.path()), "n!"));
    // As in the files, if they have it.
    let options = IpcSinkOptions::default().with_include_keys(true).with_existing(ExistingFiles::Replace);
    by_keys(&df, folder.path(), &[name.as_str()], options);
    assert_frames_equal(&df, &sorted(&hive(folder.path()), "n!"));
    parts
}

#[test]
fn keys_of_every_type_come_back_as_they_were() {
    let numbers = Column::new("k".into(), [Some(1i64), Some(0), None, Some(100), Some(1)]);
    round_trip(numbers.clone());
    let units = [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds];
    let zone = |name| TimeZone::opt_try_new(Some(name)).expect("a zone");
    let mut types = vec![
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int128,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::UInt128,
        DataType::Float16,
        DataType::Float32,
        DataType::Float64,
        DataType::Decimal(20, 3),
        DataType::Boolean,
        DataType::String,
        DataType::Date,
        DataType::Time,
    ];
    for unit in units {
        let zones = [None, zone("UTC"), zone("America/New_York"), zone("Asia/Kolkata")];
        types.extend(zones.map(|zone| DataType::Datetime(unit, zone)));
        types.push(DataType::Duration(unit));
    }
    for dtype in types {
        round_trip(numbers.cast(&dtype).expect("values"));
    }
    let text = numbers.cast(&DataType::String).expect("text");
    let categories = [
        DataType::from_categories(Categories::global()),
        DataType::from_categories(Categories::new("a".into(), "b".into(), CategoricalPhysical::U8)),
        DataType::from_frozen_categories(FrozenCategories::new(["100", "1", "0", "no"]).expect("categories")),
    ];
    for dtype in categories {
        round_trip(text.cast(&dtype).expect("categories"));
    }
    round_trip(Column::full_null("k".into(), 3, &DataType::Null));
    round_trip(Column::full_null("k".into(), 3, &DataType::Int16));
}

#[test]
fn the_ends_of_every_type_come_back() {
    round_trip(Column::new("k".into(), [u64::MAX, 0, 1 << 63]));
    round_trip(Column::new("k".into(), [i64::MIN, i64::MAX, -1]));
    round_trip(Column::new("k".into(), [i128::MIN, i128::MAX]));
    round_trip(Column::new("k".into(), [u128::MAX, 0]));
    let floats = [0.1, 1.0 / 3.0, 1e300, -0.0, 0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 5e-324];
    round_trip(Column::new("k".into(), floats));
    round_trip(Column::new("k".into(), [0.1f32, -0.0, 0.0, 1e-45, f32::MAX, f32::NAN]));
    let extremes = Column::new("k".into(), [i64::MIN, i64::MAX, -1, 999_999, 1_700_000_000_123_456_789]);
    for unit in [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds] {
        for zone in [None, Some(TimeZone::UTC)] {
            round_trip(extremes.cast(&DataType::Datetime(unit, zone)).expect("datetimes"));
        }
        round_trip(extremes.cast(&DataType::Duration(unit)).expect("durations"));
    }
    let days = Column::new("k".into(), [i32::MIN, i32::MAX, -1, 0]);
    round_trip(days.cast(&DataType::Date).expect("days"));
    // Times that differ in their fractions alone, and an hour that a zone has twice.
    let times = Column::new("k".into(), [0i64, 1, 1_000, 1_000_000, 86_399_999_999_999]);
    assert_eq!(round_trip(times.cast(&DataType::Time).expect("times")).len(), 5);
    let twice = Column::new(
        "k".into(),
        [1_700_978_400_000i64 - 19 * 86_400_000, 1_700_982_000_000 - 19 * 86_400_000],
    );
    let zone = TimeZone::opt_try_new(Some("America/New_York")).expect("a zone");
    let twice = twice.cast(&DataType::Datetime(TimeUnit::Milliseconds, zone)).expect("instants");
    assert_eq!(round_trip(twice).len(), 2);
}

#[test]
fn texts_that_look_like_something_else_stay_texts() {
    for texts in [
        &["01", "02", "010"][..],
        &["1", "2", "3"],
        &["18446744073709551615"],
        &["1.0", "2.50"],
        &["true", "false"],
        &["2013-01-15", "2013-01-16"],
        &["2013-01-15 07:00:00.000000"],
        &["NaN", "inf", "-0"],
        &["", " ", "  1"],
        &["null", "NULL", "None"],
        &[".", "..", "a/../b", "-", "~", "%41", "A%", "+1", "größe", "\u{0}\u{1}\u{7f}\n", "\\", "\u{1F600}"],
    ] {
        let parts = round_trip(Column::new("k".into(), texts));
        assert_eq!(parts.len(), texts.len(), "{texts:?}");
    }
}

#[test]
fn the_text_of_null_is_no_null() {
    let key = Column::new("k".into(), [Some("__HIVE_DEFAULT_PARTITION__"), None, Some("x"), None, Some("")]);
    let parts = round_trip(key.clone());
    assert_eq!(parts.iter().map(|part| part.summary.rows).collect::<Vec<_>>(), [1, 2, 1, 1]);
    let categories = DataType::from_categories(Categories::global());
    round_trip(key.slice(0, 4).cast(&categories).expect("categories"));
}

#[test]
fn keys_of_any_name() {
    let names = [
        "*", "^x$", "^($", "", " ", "a/b", "a=b", "%41", ".hidden", "..", "größe", "\"", "\\", "a\nb", "?",
        "[x]", "{y}", "<|>",
    ];
    for name in names {
        round_trip(Column::new(name.into(), ["1", "x"]));
        round_trip(Column::new(name.into(), [1u16, 2]));
    }
    // All at once, and a name that is not encoded is one that Polars can read.
    let columns = names.iter().map(|name| Column::new((*name).into(), ["1", "x"]));
    let df = DataFrame::new(2, columns.collect()).expect("a frame");
    let folder = tempfile::tempdir().expect("a folder");
    let parts = by_keys(&df, folder.path(), &names, IpcSinkOptions::default());
    assert!(parts[0].path.to_str().expect("UTF-8").contains("/größe=1/"));
    let found = hive(folder.path());
    assert_frames_equal(&df, &sorted(&found.select(names).expect("columns"), "a/b"));
}

#[test]
fn every_column_may_be_a_key() {
    let k = Column::new("k".into(), [1u8, 2, 1, 1]);
    let df = DataFrame::new(4, vec![k, Column::new("t".into(), ["01", "x", "01", "y"])]).expect("a frame");
    let folder = tempfile::tempdir().expect("a folder");
    for compression in [None, Some(IpcCompression::LZ4)] {
        let options = IpcSinkOptions::default()
            .with_compression(compression)
            .with_statistics(true)
            .with_existing(ExistingFiles::Replace);
        let parts = by_keys(&df, folder.path(), &["k", "t"], options);
        assert_eq!(parts.iter().map(|part| part.summary.rows).collect::<Vec<_>>(), [2, 1, 1]);
        let by = [col("k"), col("t")];
        let by_both =
            |df: DataFrame| df.lazy().sort_by_exprs(&by, Default::default()).collect().expect("rows");
        assert_frames_equal(&by_both(df.clone()), &by_both(hive(folder.path())));
        assert_eq!(read(&parts[0].path).shape(), (2, 0));
        // Counted, filtered, selected, in both engines.
        let scan =
            || scan_ipc_file(folder.path(), IpcScanOptions::default().with_hive(true)).expect("a scan");
        for engine in [Engine::InMemory, Engine::Streaming] {
            let count = scan().filter(col("t").eq(lit("01"))).collect_with_engine(engine).expect("rows");
            assert_eq!(count.unwrap_single().height(), 2);
            let k = scan().select([col("k")]).collect_with_engine(engine).expect("rows");
            assert_eq!(k.unwrap_single().height(), 4);
        }
        let keys = Schema::from_iter([
            Field::new("k".into(), DataType::UInt8),
            Field::new("t".into(), DataType::String),
        ]);
        assert_frames_equal(&by_both(df.clone()), &by_both(scanned(folder.path(), keys)));
    }
    // More rows than a batch has.
    let many = DataFrame::new(300_000, vec![Column::new("k".into(), vec!["a"; 300_000])]).expect("a frame");
    let options = IpcSinkOptions::default().with_existing(ExistingFiles::Replace);
    by_keys(&many, folder.path(), &["k"], options.clone());
    assert_frames_equal(&many, &hive(folder.path()));
    by_keys(&many, folder.path(), &["k"], options.with_record_batch_size(100_000));
    assert_frames_equal(&many, &hive(folder.path()));
}

// --- Folders of others.

fn file_of(n: i32) -> Vec<u8> {
    let mut df = DataFrame::new(1, vec![Column::new("n".into(), [n])]).expect("a frame");
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).finish(&mut df).expect("bytes");
    bytes
}

/// Files of a row each, below folders of such names.
fn foreign(folders: &[&str]) -> tempfile::TempDir {
    let base = tempfile::tempdir().expect("a folder");
    for (n, folder) in (0..).zip(folders) {
        let folder = base.path().join(folder);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("x.arrow"), file_of(n)).expect("a file");
    }
    base
}

fn column(folder: &Path, name: &str) -> Column {
    sorted(&hive(folder), "n").column(name).expect("the key").clone()
}

fn typed(folder: &Path, name: &str, dtype: DataType) -> PolarsResult<Column> {
    let schema = Schema::from_iter([Field::new(name.into(), dtype)]);
    let df =
        scan_ipc_file(folder, IpcScanOptions::default().with_hive_schema(Arc::new(schema)))?.collect()?;
    Ok(sorted(&df, "n").column(name)?.clone())
}

#[test]
fn types_of_others_are_inferred_but_for_what_would_be_lost() {
    let same = |found: Column, expected: Column| {
        let frame = |column: Column| DataFrame::new(column.len(), vec![column]).expect("a frame");
        assert_frames_equal(&frame(expected), &frame(found));
    };
    let k = |folders: &[&str]| column(foreign(folders).path(), "k");
    same(
        k(&["k=1", "k=-2", "k=__HIVE_DEFAULT_PARTITION__"]),
        Column::new("k".into(), [Some(1i64), Some(-2), None]),
    );
    same(k(&["k=01", "k=02", "k=010"]), Column::new("k".into(), ["01", "02", "010"]));
    same(k(&["k=1", "k=2.5"]), Column::new("k".into(), [1.0, 2.5]));
    same(k(&["k=true", "k=false"]), Column::new("k".into(), [true, false]));
    same(k(&["k=18446744073709551615"]), Column::new("k".into(), [i128::from(u64::MAX)]));
    let dates = Column::new("k".into(), [15_720, 15_721]).cast(&DataType::Date).expect("dates");
    same(k(&["k=2013-01-15", "k=2013-01-16"]), dates);
    same(k(&["k=a%20b", "k=2013-01-16"]), Column::new("k".into(), ["a b", "2013-01-16"]));
    // A name that others have encoded.
    same(column(foreign(&["a%2Fb=1"]).path(), "a/b"), Column::new("a/b".into(), [1i64]));
}

#[test]
fn types_may_be_given() {
    let base = foreign(&["k=01", "k=2", "k=__HIVE_DEFAULT_PARTITION__"]);
    for dtype in
        [DataType::UInt8, DataType::UInt64, DataType::Int128, DataType::Float32, DataType::Decimal(5, 1)]
    {
        let found = typed(base.path(), "k", dtype.clone()).expect("a column");
        let expected = Column::new("k".into(), [Some(1), Some(2), None]).cast(&dtype).expect("values");
        assert!(found.equals_missing(&expected) && found.dtype() == &dtype, "{found:?}");
    }
    let found = typed(base.path(), "k", DataType::String).expect("a column");
    assert!(found.equals_missing(&Column::new("k".into(), [Some("01"), Some("2"), None])), "{found:?}");

    let times = foreign(&["k=2013-01-15T07%3A00%3A00Z", "k=2013-01-15 12%3A30%3A00.5+05%3A30"]);
    let utc = DataType::Datetime(TimeUnit::Milliseconds, Some(TimeZone::UTC));
    let found = typed(times.path(), "k", utc.clone()).expect("a column");
    let expected = Column::new("k".into(), [1_358_233_200_000i64, 1_358_233_200_500]);
    assert!(found.equals(&expected.cast(&utc).expect("instants")), "{found:?}");

    // A value that does not fit is an error that says where.
    let error = typed(base.path(), "k", DataType::Date).expect_err("no dates").to_string();
    assert!(error.contains("k=01") && error.contains("\"k\"") && error.contains("date"), "{error}");
    let error = typed(base.path(), "other", DataType::Int8).expect_err("another key");
    assert!(matches!(error, PolarsError::SchemaFieldNotFound(_)), "{error}");
    let narrow = foreign(&["k=1", "k=300"]);
    let error = typed(narrow.path(), "k", DataType::UInt8).expect_err("too large").to_string();
    assert!(error.contains("k=300") && error.contains("u8"), "{error}");
}

#[test]
fn a_given_schema_and_a_moved_folder_count_more_than_what_was_written() {
    let folder = tempfile::tempdir().expect("a folder");
    by_keys(&keyed(10, 2), folder.path(), &["k"], IpcSinkOptions::default());
    assert_eq!(column(folder.path(), "k").dtype(), &DataType::Int64);
    let text = typed(folder.path(), "k", DataType::String).expect("a column");
    assert_eq!(text.str().expect("text").get(1), Some("1"));
    fs::rename(folder.path().join("k=1"), folder.path().join("k=7")).expect("another name");
    assert_eq!(column(folder.path(), "k").i64().expect("numbers").get(1), Some(7));
    fs::rename(folder.path().join("k=7"), folder.path().join("k=x")).expect("another name");
    let error =
        scan_ipc_file(folder.path(), IpcScanOptions::default().with_hive(true)).err().expect("no number");
    assert!(error.to_string().contains("k=x") && error.to_string().contains("with_hive_schema"), "{error}");
}

#[test]
fn files_that_do_not_go_together_are_told() {
    // Keys that were written as other types.
    let folder = tempfile::tempdir().expect("a folder");
    let df = keyed(10, 2);
    by_keys(&df, folder.path(), &["k"], IpcSinkOptions::default());
    let k = df.column("k").expect("the key").cast(&DataType::UInt8).expect("numbers");
    let mut narrow = df.clone();
    narrow.with_column(k).expect("a column");
    let add = IpcSinkOptions::default().with_existing(ExistingFiles::Add);
    by_keys(&narrow, folder.path(), &["k"], add);
    let scan = |folder: &Path| scan_ipc_file(folder, IpcScanOptions::default().with_hive(true));
    let error = scan(folder.path()).err().expect("two types").to_string();
    assert!(error.contains("u8") && error.contains("i64") && error.contains("with_hive_schema"), "{error}");
    assert_eq!(typed(folder.path(), "k", DataType::Int16).expect("a column").len(), 20);

    for folders in [
        ["k=1", "j=1"],
        ["k=1", "k=1/j=2"],
        ["k=1/j=2", "k=1"],
        ["k=1/j=1", "k=1/k=1"],
        ["a=1/a=2", "a=1/a=3"],
    ] {
        let error = scan(foreign(&folders).path()).err().expect("other keys").to_string();
        assert!(error.contains("=1") && error.contains("x.arrow"), "{error}");
    }
    // The order of the folders does not matter.
    assert_eq!(hive(foreign(&["k=1/j=2", "j=3/k=4"]).path()).column("j").expect("j").len(), 2);
}

#[test]
fn metadata_that_is_no_schema_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let base = folder.path().join("k=1");
    fs::create_dir(&base).expect("a folder");
    for broken in ["", "zz", "ffffffff10000000", "größe"] {
        let mut df = DataFrame::new(1, vec![Column::new("n".into(), [1])]).expect("a frame");
        let mut writer = IpcWriter::new(File::create(base.join("x.arrow")).expect("a file"));
        writer.set_custom_schema_metadata(Arc::new(Metadata::from([(
            "floe.hive_schema".into(),
            broken.into(),
        )])));
        writer.finish(&mut df).expect("a file");
        let options = IpcScanOptions::default().with_index_cache(false);
        let error = scan_ipc_file(folder.path(), options.clone().with_hive(true))
            .err()
            .expect("no schema")
            .to_string();
        assert!(error.contains("x.arrow") && error.contains("floe.hive_schema"), "{error}");
        assert!(scan_ipc_file(folder.path(), options).is_ok());
        assert!(typed(folder.path(), "k", DataType::Int8).is_ok());
    }
}

#[test]
fn the_callers_metadata_stays_beside_the_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let metadata = Arc::new(Metadata::from([("source".into(), "an atlas".into())]));
    let options = IpcSinkOptions::default().with_custom_schema_metadata(Arc::clone(&metadata));
    let parts = by_keys(&keyed(10, 2), folder.path(), &["k"], options);
    let file = File::open(&parts[0].path).expect("a file");
    let mut reader = IpcReader::new(file);
    assert_eq!(reader.custom_metadata().expect("metadata"), Some(Arc::clone(&metadata)));
    let raw = reader.custom_metadata_bytes().expect("metadata");
    assert!(raw.iter().any(|(key, _)| key == b"floe.hive_schema"));
    assert_eq!(metadata.len(), 1);
}
