//! A query into many files: by keys and by size, and what other readers make of the folders.

mod committed;
mod existing;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use floe::lazy::*;
use floe::prelude::*;
use floe_tests::equal::assert_frames_equal;
use polars_core::prelude::*;
use polars_io::HiveOptions;
use polars_io::csv::read::{CsvReadOptions, NullValues};
use polars_lazy::prelude::UnifiedScanArgs;
use polars_utils::pl_path::PlRefPath;

/// Rows with a key of `keys` values, in turn.
fn keyed(rows: usize, keys: usize) -> DataFrame {
    let n: Vec<i64> = (0..rows).map(|row| i64::try_from(row).expect("a small number")).collect();
    let k: Vec<i64> = n.iter().map(|n| n % i64::try_from(keys).expect("a small number")).collect();
    let t: Vec<String> = n.iter().map(|n| format!("text that is not inlined {n}")).collect();
    DataFrame::new(
        rows,
        vec![Column::new("k".into(), k), Column::new("n".into(), n), Column::new("t".into(), t)],
    )
    .expect("a frame")
}

fn by_keys(df: &DataFrame, folder: &Path, keys: &[&str], options: IpcSinkOptions) -> Vec<PartitionSummary> {
    let by = PartitionBy::Keys(keys.to_vec());
    df.clone().lazy().sink_ipc_partitioned(folder, by, options).expect("files")
}

fn read(path: &Path) -> DataFrame {
    IpcReader::new(File::open(path).expect("a file")).finish().expect("a frame")
}

/// All files below a folder, by their paths from there.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a readable folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let relative = path.strip_prefix(folder).expect("below").to_str().expect("UTF-8");
                found.insert(relative.to_owned());
            }
        }
    }
    found
}

fn sorted(df: &DataFrame, by: &str) -> DataFrame {
    df.sort([by], SortMultipleOptions::default()).expect("rows")
}

/// Polars' own reader, with the schema of the keys.
fn scanned(folder: &Path, keys: Schema) -> DataFrame {
    let hive_options = HiveOptions { schema: Some(Arc::new(keys)), ..HiveOptions::new_enabled() };
    let args = UnifiedScanArgs { hive_options, ..UnifiedScanArgs::default() };
    let path = PlRefPath::try_from_path(folder).expect("UTF-8");
    let lf = LazyFrame::scan_ipc(path, Default::default(), args).expect("a scan");
    lf.collect().expect("a frame")
}

#[test]
fn keys_name_folders_and_polars_reads_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let df = keyed(1000, 3);
    let parts = by_keys(&df, folder.path(), &["k"], IpcSinkOptions::default());
    let expected = ["k=0/part-0.arrow", "k=1/part-0.arrow", "k=2/part-0.arrow"];
    assert_eq!(files(folder.path()), expected.iter().map(|path| (*path).to_owned()).collect());
    for (key, (part, path)) in (0i64..).zip(parts.iter().zip(expected)) {
        assert_eq!(part.path, folder.path().join(path));
        assert_eq!(part.keys, [("k".to_owned(), Some(key.to_string()))]);
        let found = read(&part.path);
        assert_eq!(part.summary.rows, found.height() as u64);
        assert_eq!(part.summary.written_bytes, fs::metadata(&part.path).expect("a file").len());
        // The rows of the key, in their order, without it.
        let mask = df.column("k").expect("the key").equal(&Column::new("k".into(), [key])).expect("a mask");
        assert_frames_equal(&df.filter(&mask).expect("rows").drop("k").expect("columns"), &found);
    }
    let schema = Schema::from_iter([Field::new("k".into(), DataType::Int64)]);
    let found = scanned(folder.path(), schema).select(["k", "n", "t"]).expect("columns");
    assert_frames_equal(&df, &sorted(&found, "n"));
}

#[test]
fn keys_of_several_columns_and_types_with_nulls() {
    let s = Column::new(
        "s".into(),
        [Some("a/b=c %"), None, Some("größe*[1]"), Some("a/b=c %"), Some("x:y\\z\n")],
    );
    let b = Column::new("b".into(), [Some(true), Some(false), None, Some(true), Some(false)]);
    let day = Column::new("day".into(), [15_000, 15_001, 15_000, 15_000, 15_002])
        .cast(&DataType::Date)
        .expect("days");
    let n = Column::new("n".into(), [0, 1, 2, 3, 4]);
    let df = DataFrame::new(5, vec![n, s, b, day]).expect("a frame");
    let folder = tempfile::tempdir().expect("a folder");
    let parts = by_keys(&df, folder.path(), &["s", "b", "day"], IpcSinkOptions::default());
    let expected = [
        "s=a%2Fb%3Dc%20%25/b=true/day=2011-01-26/part-0.arrow",
        "s=__HIVE_DEFAULT_PARTITION__/b=false/day=2011-01-27/part-0.arrow",
        "s=gr%C3%B6%C3%9Fe%2A%5B1%5D/b=__HIVE_DEFAULT_PARTITION__/day=2011-01-26/part-0.arrow",
        "s=x%3Ay%5Cz%0A/b=false/day=2011-01-28/part-0.arrow",
    ];
    assert_eq!(files(folder.path()), expected.iter().map(|path| (*path).to_owned()).collect());
    let found: Vec<_> =
        parts.iter().map(|part| part.path.strip_prefix(folder.path()).expect("below")).collect();
    assert_eq!(found, expected.map(Path::new));
    assert_eq!(parts[1].keys[0], ("s".to_owned(), None));
    assert_eq!(parts[0].keys[0], ("s".to_owned(), Some("a/b=c %".to_owned())));
    assert_eq!(parts[0].summary.rows, 2);

    let schema = Schema::from_iter([
        Field::new("s".into(), DataType::String),
        Field::new("b".into(), DataType::Boolean),
        Field::new("day".into(), DataType::String),
    ]);
    let own = scan_ipc_file(folder.path(), IpcScanOptions::default().with_hive(true)).expect("a scan");
    for found in [scanned(folder.path(), schema), own.collect().expect("a frame")] {
        let typed = [col("day").cast(DataType::Date), col("b").cast(DataType::Boolean)];
        let columns = [col("n"), col("s"), col("b"), col("day")];
        let found = found.lazy().with_columns(typed).select(columns).collect().expect("rows");
        assert_frames_equal(&df, &sorted(&found, "n"));
    }
}

#[test]
fn an_empty_text_is_a_key() {
    let key = Column::new("key".into(), [Some(""), Some("a"), None]);
    let df = DataFrame::new(3, vec![Column::new("n".into(), [0, 1, 2]), key]).expect("a frame");
    let folder = tempfile::tempdir().expect("a folder");
    let parts = by_keys(&df, folder.path(), &["key"], IpcSinkOptions::default());
    assert_eq!(parts[0].path, folder.path().join("key=").join("part-0.arrow"));
    let schema = Schema::from_iter([Field::new("key".into(), DataType::String)]);
    assert_frames_equal(&df, &sorted(&scanned(folder.path(), schema), "n"));
    let own = scan_ipc_file(folder.path(), IpcScanOptions::default().with_hive(true)).expect("a scan");
    assert_frames_equal(&df, &sorted(&own.collect().expect("a frame"), "n"));
}

#[test]
fn keys_stay_in_the_files_if_asked_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let df = keyed(100, 4);
    let options =
        IpcSinkOptions::default().with_include_keys(true).with_compression(Some(IpcCompression::LZ4));
    let parts = by_keys(&df, folder.path(), &["k"], options.clone());
    let frames: Vec<_> = parts.iter().map(|part| read(&part.path)).collect();
    let mut all = frames[0].clone();
    for df in &frames[1..] {
        all.vstack_mut(df).expect("one schema");
    }
    assert_frames_equal(&df, &sorted(&all, "n"));
    // Also if there is nothing else.
    let keys = df.select(["k"]).expect("a column");
    let options = options.with_existing(ExistingFiles::Replace);
    assert_eq!(by_keys(&keys, folder.path(), &["k"], options).len(), 4);
}

#[test]
fn every_kind_of_key_has_a_folder() {
    let categories = DataType::from_categories(Categories::global());
    let text = Column::new("key".into(), ["a", "b", "a", "c"]);
    let numbers = Column::new("key".into(), [1, 2, 1, 3]);
    let columns = [
        (text.clone(), ["a", "b", "c"]),
        (text.cast(&categories).expect("categories"), ["a", "b", "c"]),
        (numbers.cast(&DataType::UInt8).expect("numbers"), ["1", "2", "3"]),
        (numbers.cast(&DataType::Float64).expect("numbers"), ["1.0", "2.0", "3.0"]),
        (numbers.cast(&DataType::Decimal(9, 2)).expect("numbers"), ["1.00", "2.00", "3.00"]),
        (numbers.cast(&DataType::Date).expect("days"), ["1970-01-02", "1970-01-03", "1970-01-04"]),
    ];
    for (column, expected) in columns {
        let dtype = column.dtype().clone();
        let df = DataFrame::new(4, vec![column, Column::new("n".into(), [0, 1, 2, 3])]).expect("a frame");
        let folder = tempfile::tempdir().expect("a folder");
        let parts = by_keys(&df, folder.path(), &["key"], IpcSinkOptions::default());
        let found: Vec<_> = parts.iter().map(|part| part.keys[0].1.as_deref().expect("no null")).collect();
        assert_eq!(found, expected, "{dtype}");
        assert_eq!(parts[0].summary.rows, 2, "{dtype}");
    }
}

#[test]
fn thousands_of_keys_need_few_open_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let df = keyed(300_000, 3000);
    let before = open_files();
    let most = Arc::new(AtomicUsize::new(0));
    let options = IpcSinkOptions::default().with_progress({
        let most = Arc::clone(&most);
        move |_| {
            most.fetch_max(open_files(), Ordering::Relaxed);
        }
    });
    let parts = by_keys(&df, folder.path(), &["k"], options);
    let most = most.load(Ordering::Relaxed);
    assert!(most > 0 && most < before + 60, "{most} files were open, {before} before");
    assert_eq!(parts.len(), 3000);
    assert_eq!(files(folder.path()).len(), 3000);
    for (key, part) in (0i64..).zip(&parts).step_by(100) {
        let found = read(&part.path);
        let n: Vec<i64> = found.column("n").expect("n").i64().expect("numbers").into_no_null_iter().collect();
        let expected: Vec<i64> = (0..100).map(|row| row * 3000 + key).collect();
        assert_eq!(n, expected);
    }
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").map_or(1, |entries| entries.count())
}

#[test]
fn what_exceeds_the_budget_is_written_in_time() {
    // 400 keys, 200 MB: beyond what may wait, below what makes any of them worth writing by itself.
    let rows = 400_000;
    let k: Vec<i32> = (0..rows).map(|row| row % 400).collect();
    let n: Vec<i32> = (0..rows).collect();
    let df = DataFrame::new(n.len(), vec![Column::new("k".into(), k), Column::new("n".into(), n)])
        .expect("a frame");
    let long = "x".repeat(500);
    let query = df.lazy().with_column((lit(long) + col("n").cast(DataType::String)).alias("t"));
    for size in [None, Some(100)] {
        let folder = tempfile::tempdir().expect("a folder");
        let options = IpcSinkOptions::default().with_record_batch_size(size);
        let by = PartitionBy::Keys(vec!["k"]);
        let parts = query.clone().sink_ipc_partitioned(folder.path(), by, options).expect("files");
        assert_eq!(parts.len(), 400);
        let several = parts.iter().filter(|part| part.summary.batches > 1).count();
        assert!(several > 50, "{several} files have more than a batch");
        for (key, part) in parts.iter().enumerate().step_by(37) {
            let found = read(&part.path);
            let n: Vec<i32> =
                found.column("n").expect("n").i32().expect("numbers").into_no_null_iter().collect();
            let expected: Vec<i32> =
                (0..1000).map(|row| row * 400 + i32::try_from(key).expect("small")).collect();
            assert_eq!(n, expected);
            if let Some(size) = size {
                assert_eq!(part.summary.batches, 1000 / size as u64, "whole batches until the end");
            }
        }
    }
}

// --- By size.

#[test]
fn rows_a_file() {
    let df = keyed(1003, 5);
    for (most, expected) in [(100, 11usize), (1003, 1), (5000, 1), (400, 3)] {
        let folder = tempfile::tempdir().expect("a folder");
        let options = IpcSinkOptions::default().with_record_batch_size(30);
        let by = PartitionBy::MaxRows(most);
        let parts = df.clone().lazy().sink_ipc_partitioned(folder.path(), by, options).expect("files");
        assert_eq!(parts.len(), expected);
        let digits = if expected > 10 { 2 } else { 1 };
        let mut start = 0;
        for (i, part) in parts.iter().enumerate() {
            assert_eq!(part.path, folder.path().join(format!("part-{i:0digits$}.arrow")));
            assert!(part.keys.is_empty());
            let rows = most.min(1003 - start);
            assert_frames_equal(&df.slice(i64::try_from(start).expect("small"), rows), &read(&part.path));
            assert_eq!(part.summary.batches, rows.div_ceil(30) as u64);
            start += rows;
        }
        assert_eq!(files(folder.path()).len(), expected);
    }
}

#[test]
fn bytes_a_file() {
    let df = keyed(30_000, 7);
    let cases = [None, Some(IpcCompression::LZ4)]
        .into_iter()
        .flat_map(|c| [CompatLevel::oldest(), CompatLevel::newest()].map(|level| (c, level)));
    for (compression, level) in cases {
        for (most, size) in [(1 << 20, None), (300_000, Some(1000)), (50_000, None), (1, Some(50_000))] {
            let df = if most == 1 { df.head(Some(20)) } else { df.clone() };
            let folder = tempfile::tempdir().expect("a folder");
            let options = IpcSinkOptions::default()
                .with_compression(compression)
                .with_compat_level(level)
                .with_record_batch_size(size);
            let by = PartitionBy::MaxBytes(most);
            let parts = df.clone().lazy().sink_ipc_partitioned(folder.path(), by, options).expect("files");
            let mut all: Option<DataFrame> = None;
            for part in &parts {
                let bytes = fs::metadata(&part.path).expect("a file").len();
                assert_eq!(bytes, part.summary.written_bytes);
                assert!(bytes <= most || part.summary.rows == 1, "{bytes} of {most}");
                let found = read(&part.path);
                match &mut all {
                    None => all = Some(found),
                    Some(all) => {
                        all.vstack_mut(&found).expect("one schema");
                    },
                }
            }
            assert_frames_equal(&df, &all.expect("a file"));
            // The files are used: not many more than it takes.
            let total: u64 = parts.iter().map(|part| part.summary.written_bytes).sum();
            if most > 1 {
                assert!(
                    parts.len() as u64 <= total * 5 / 4 / most + 1,
                    "{} files for {total} of {most}",
                    parts.len()
                );
            } else {
                assert_eq!(parts.len(), 20);
            }
        }
    }
}

#[test]
fn a_result_without_rows() {
    let none = || keyed(10, 2).lazy().filter(col("n").lt(lit(0)));
    let folder = tempfile::tempdir().expect("a folder");
    let options = || IpcSinkOptions::default().with_existing(ExistingFiles::Replace);
    let parts =
        none().sink_ipc_partitioned(folder.path(), PartitionBy::Keys(vec!["k"]), options()).expect("none");
    assert!(parts.is_empty() && files(folder.path()).is_empty());
    for by in [PartitionBy::MaxRows(5), PartitionBy::MaxBytes(1000)] {
        let parts = none().sink_ipc_partitioned(folder.path(), by, options()).expect("a file");
        assert_eq!(parts.len(), 1);
        assert_frames_equal(&keyed(0, 2), &read(&folder.path().join("part-0.arrow")));
    }
}

// --- What goes wrong.

#[test]
fn keys_that_cannot_be_are_errors_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let base = folder.path().join("new");
    let mut df = keyed(10, 2);
    let list = Column::new("l".into(), vec![Series::new("".into(), [1, 2]); 10]);
    df.with_column(list).expect("a column");
    let attempt = |df: &DataFrame, by| {
        let result = df.clone().lazy().sink_ipc_partitioned(&base, by, IpcSinkOptions::default());
        assert!(!base.exists(), "nothing is left");
        result.expect_err("an error")
    };
    assert!(matches!(attempt(&df, PartitionBy::Keys(vec!["none"])), PolarsError::ColumnNotFound(_)));
    assert!(matches!(attempt(&df, PartitionBy::Keys(vec!["k", "k"])), PolarsError::Duplicate(_)));
    assert!(matches!(attempt(&df, PartitionBy::Keys(vec![])), PolarsError::InvalidOperation(_)));
    assert!(matches!(attempt(&df, PartitionBy::Keys(vec!["l"])), PolarsError::InvalidOperation(_)));
    assert!(matches!(attempt(&df, PartitionBy::MaxRows(0)), PolarsError::InvalidOperation(_)));
    assert!(matches!(attempt(&df, PartitionBy::MaxBytes(0)), PolarsError::InvalidOperation(_)));
}

#[test]
fn an_error_of_the_query_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("k=1")).expect("a folder");
    fs::write(folder.path().join("k=1").join("part-0.arrow"), "old").expect("a file");
    for by in [PartitionBy::Keys(vec!["k"]), PartitionBy::MaxRows(10_000), PartitionBy::MaxBytes(500_000)] {
        for base in [folder.path().to_path_buf(), folder.path().join("new").join("er")] {
            let fails = |column: Column| {
                let last = column.get(column.len().saturating_sub(1))?.extract::<i64>();
                polars_ensure!(last.is_none_or(|n| n < 400_000), NoData: "the well is dry");
                Ok(column)
            };
            let query =
                keyed(500_000, 50).lazy().with_column(col("n").map(fails, |_, field| Ok(field.clone())));
            let options = IpcSinkOptions::default().with_existing(ExistingFiles::Replace);
            let result = query.sink_ipc_partitioned(&base, by.clone(), options);
            assert!(result.is_err_and(|error| error.to_string().contains("the well is dry")));
            assert_eq!(files(folder.path()), ["k=1/part-0.arrow".to_owned()].into());
            let entries = fs::read_dir(folder.path()).expect("a folder").count();
            assert_eq!(entries, 1, "folders are left");
        }
    }
    assert_eq!(fs::read_to_string(folder.path().join("k=1").join("part-0.arrow")).expect("a file"), "old");
}

#[test]
fn a_folder_in_the_way_of_a_file_takes_the_others_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = folder.path().join("k=1").join("part-0.arrow");
    fs::create_dir_all(&taken).expect("a folder");
    fs::write(taken.join("x"), "").expect("a file");
    let by = PartitionBy::Keys(vec!["k"]);
    let options = IpcSinkOptions::default().with_existing(ExistingFiles::Replace);
    let error = keyed(100, 3).lazy().sink_ipc_partitioned(folder.path(), by, options);
    let error = error.expect_err("a folder is in the way");
    assert!(matches!(&error, PolarsError::IO { .. }), "{error:?}");
    assert!(error.to_string().contains("k=1"), "{error}");
    assert_eq!(files(folder.path()), ["k=1/part-0.arrow/x".to_owned()].into());
    // A file where a folder should be.
    let file = folder.path().join("file");
    fs::write(&file, "").expect("a file");
    let by = PartitionBy::MaxRows(10);
    let error = keyed(100, 3).lazy().sink_ipc_partitioned(&file, by, IpcSinkOptions::default());
    let error = error.expect_err("a file is in the way");
    assert!(
        matches!(&error, PolarsError::IO { error, .. } if error.kind() != io::ErrorKind::Other),
        "{error:?}"
    );
}

#[test]
fn progress_counts_all_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let last: Arc<Mutex<Progress>> = Arc::default();
    let options = IpcSinkOptions::default().with_progress({
        let last = Arc::clone(&last);
        move |progress| {
            let mut last = last.lock().expect("no panic");
            assert!(progress.rows > last.rows && progress.bytes > last.bytes);
            *last = progress;
        }
    });
    let parts = by_keys(&keyed(10_000, 10), folder.path(), &["k"], options);
    let last = *last.lock().expect("no panic");
    assert_eq!(last.rows, 10_000);
    assert_eq!(last.batches, parts.iter().map(|part| part.summary.batches).sum::<u64>());
}

#[test]
fn the_flights_by_day_and_carrier() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/flights-2013-01.csv.gz");
    let df = CsvReadOptions::default()
        .map_parse_options(|options| {
            options.with_null_values(Some(NullValues::AllColumnsSingle("NA".into())))
        })
        .try_into_reader_with_file_path(Some(path))
        .and_then(|reader| reader.finish())
        .expect("flights");
    let folder = tempfile::tempdir().expect("a folder");
    let options =
        IpcSinkOptions::default().with_compression(Some(IpcCompression::ZSTD(ZstdLevel::default())));
    let parts = by_keys(&df, folder.path(), &["day", "carrier"], options);
    let mut rows: BTreeMap<PathBuf, u64> = BTreeMap::new();
    for part in &parts {
        rows.insert(part.path.clone(), part.summary.rows);
    }
    assert_eq!(rows.values().sum::<u64>(), df.height() as u64);
    let expected = df.clone().lazy().select([col("day"), col("carrier")]).unique(None, Default::default());
    assert_eq!(parts.len(), expected.collect().expect("keys").height());
    let schema = Schema::from_iter([
        Field::new("day".into(), df.column("day").expect("days").dtype().clone()),
        Field::new("carrier".into(), DataType::String),
    ]);
    let found = scanned(folder.path(), schema);
    // And floe's own scan.
    let lf = scan_ipc_file(folder.path(), IpcScanOptions::default().with_hive(true)).expect("a scan");
    let own = lf.collect().expect("a frame");
    let total = |df: DataFrame| {
        let grouped = df.lazy().group_by([col("carrier")]).agg([col("distance").sum(), col("day").max()]);
        grouped.sort(["carrier"], SortMultipleOptions::default()).collect().expect("totals")
    };
    let expected = total(df);
    assert_frames_equal(&expected, &total(found));
    assert_frames_equal(&expected, &total(own));
}
