//! What floe writes, floe reads: any frame, any options, any way of reading.

use std::io::Cursor;
use std::path::PathBuf;
use std::process::Command;

use floe::prelude::*;
use floe_tests::arbitrary::{Arbitrary, dtypes, leaf_dtypes};
use floe_tests::config::{Config, codecs, reads};
use floe_tests::equal::assert_frames_equal;
use floe_tests::frames::drifting;
use floe_tests::run::{Cases, within};
use polars_core::prelude::*;
use polars_core::runtime::THREAD_POOL;
use polars_io::ipc::{
    IpcReader as PolarsReader, IpcStreamReader as PolarsStreamReader, IpcStreamWriter as PolarsStreamWriter,
    IpcWriter as PolarsWriter,
};
use rand::Rng as _;

/// Frames per property. Each has its own seed, which a failure names. `FLOE_TESTS_SEEDS` asks for more.
fn seeds() -> u64 {
    std::env::var("FLOE_TESTS_SEEDS").map_or(600, |seeds| seeds.parse().expect("a number of seeds"))
}

#[test]
fn any_frame_comes_back() {
    let mut cases = Cases::new();
    for seed in 0..seeds() {
        let mut arbitrary = Arbitrary::new(seed);
        let df = arbitrary.frame();
        let config = Config::any(arbitrary.rng());
        cases.run(format!("seed {seed}, {config:?}, {:?}", df.schema()), || {
            comes_back(&df, &config, &config.write(&df));
        });
    }
    cases.finish();
}

#[test]
fn every_dtype_comes_back_from_every_codec() {
    let mut cases = Cases::new();
    for (seed, (name, dtype)) in (0..).zip(dtypes()) {
        let mut arbitrary = Arbitrary::new(seed);
        let one = arbitrary.array(&dtype, 60);
        let many = (0..5).map(|_| arbitrary.array(&dtype, 12)).collect();
        for (chunking, chunks) in [("one chunk", vec![one]), ("five chunks", many)] {
            // SAFETY: the arrays were made for this dtype.
            let series = unsafe { Series::from_chunks_and_dtype_unchecked("column".into(), chunks, &dtype) };
            let df = DataFrame::new(60, vec![series.into_column()]).expect("a frame");
            for compression in codecs() {
                for (file, newest) in [(false, false), (false, true), (true, false), (true, true)] {
                    let config = Config { file, compression, newest, batch_rows: Some(25), parallel: true };
                    cases.run(format!("{name}, {chunking}, {config:?}"), || {
                        comes_back(&df, &config, &config.write(&df));
                    });
                }
            }
        }
    }
    cases.finish();
}

/// In every way of reading, in batches and one by one.
#[track_caller]
fn comes_back(df: &DataFrame, config: &Config, bytes: &[u8]) {
    for (name, read) in reads(config.file) {
        match read(bytes).unwrap_or_else(|error| panic!("{name}: {error}")) {
            Some(found) => equal_by(name, df, &found),
            None => assert!(df.height() == 0, "{name}: no batches"),
        }
    }
    let batches: Vec<DataFrame> = if config.file {
        let batches = IpcReader::new(Cursor::new(bytes)).batches().expect("batches");
        batches.collect::<PolarsResult<_>>().expect("batches")
    } else {
        let reader = IpcStreamReader::new(bytes);
        let batches = reader.batches().expect("batches");
        batches.collect::<PolarsResult<_>>().expect("batches")
    };
    if let Some(rows) = config.batch_rows {
        let (last, whole) = batches.split_last().map_or((None, &[][..]), |(last, whole)| (Some(last), whole));
        assert!(whole.iter().all(|batch| batch.height() == rows), "batches of other than {rows} rows");
        if let Some(last) = last {
            assert!(last.height() <= rows, "a last batch of {} rows", last.height());
            assert!(df.height() == 0 || last.height() > 0, "an empty last batch");
        }
    }
    let mut start = 0;
    for batch in &batches {
        equal_by("batches", &df.slice(start, batch.height()), batch);
        start += i64::try_from(batch.height()).expect("small");
    }
    if config.file {
        random_access(df, &batches, bytes);
    }
}

#[track_caller]
fn random_access(df: &DataFrame, batches: &[DataFrame], bytes: &[u8]) {
    let reader = IpcReader::new(Cursor::new(bytes));
    assert_eq!(reader.num_record_batches().expect("a count"), batches.len());
    let rows = reader.num_rows().expect("a count");
    assert_eq!(u64::try_from(rows).expect("not negative"), u64::try_from(df.height()).expect("small"));
    for (index, batch) in batches.iter().enumerate().rev() {
        equal_by("get_batch", batch, &reader.get_batch(index).expect("a batch"));
    }
    let error = reader.get_batch(batches.len()).expect_err("there is no such batch").to_string();
    assert!(error.contains(&batches.len().to_string()), "the range is not named: {error}");
    equal_by("finish after get_batch", df, &reader.finish().expect("a frame"));
}

#[track_caller]
fn equal_by(way: &str, left: &DataFrame, right: &DataFrame) {
    if let Err(difference) = floe_tests::equal::frames_differ(left, right) {
        panic!("{way}: {difference}");
    }
}

#[test]
fn batches_given_one_by_one_come_back() {
    let mut cases = Cases::new();
    for seed in 0..seeds() / 2 {
        let mut arbitrary = Arbitrary::new(1_000_000 + seed);
        let columns: Vec<_> = (0..arbitrary.rng().random_range(1..5))
            .map(|index| (PlSmallStr::from_string(format!("c{index}")), arbitrary.dtype(2)))
            .collect();
        let heights: Vec<_> =
            (0..arbitrary.rng().random_range(1..6)).map(|_| arbitrary.rng().random_range(0..40)).collect();
        let batches: Vec<_> = heights.iter().map(|&height| arbitrary.frame_of(&columns, height)).collect();
        let config = Config::any(arbitrary.rng());
        cases.run(format!("seed {seed}, {config:?}, {columns:?}"), || {
            let bytes = config.write_batches(&batches);
            let mut expected = batches[0].clone();
            for batch in &batches[1..] {
                expected.vstack_mut(batch).expect("the same schema");
            }
            for (name, read) in reads(config.file) {
                match read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}")) {
                    Some(found) => equal_by(name, &expected, &found),
                    None => assert!(expected.height() == 0, "{name}: no batches"),
                }
            }
        });
    }
    cases.finish();
}

#[test]
fn columns_without_rows_and_rows_without_columns() {
    let mut cases = Cases::new();
    let columns: Vec<_> = dtypes().into_iter().map(|(name, dtype)| (name.into(), dtype)).collect();
    let frames = [
        ("no rows", Arbitrary::new(1).frame_of(&columns, 0)),
        ("one row", Arbitrary::new(2).frame_of(&columns, 1)),
        ("empty with schema", DataFrame::empty_with_schema(Arbitrary::new(1).frame_of(&columns, 0).schema())),
        ("no columns", DataFrame::new(12, vec![]).expect("a height")),
        ("nothing", DataFrame::new(0, vec![]).expect("a height")),
    ];
    for (name, df) in &frames {
        for config in [Config::stream(), Config::file(), Config::file().with_batch_rows(5)] {
            for compression in codecs() {
                let config = config.with_compression(compression);
                cases.run(format!("{name}, {config:?}"), || comes_back(df, &config, &config.write(df)));
            }
        }
    }
    cases.finish();
}

/// A frame that Polars itself can write and read in full.
fn plain_frame() -> DataFrame {
    let names = ["bool", "i64", "f64", "string", "date", "categorical", "u8"];
    let leaves = leaf_dtypes();
    let mut columns: Vec<_> =
        leaves.into_iter().filter(|(name, _)| names.contains(name)).map(|(n, d)| (n.into(), d)).collect();
    columns.push(("list".into(), DataType::List(Box::new(DataType::String))));
    Arbitrary::new(77).frame_of(&columns, 100)
}

/// Which part of a frame to read.
#[derive(Clone, Debug, Default)]
struct Part {
    columns: Option<Vec<String>>,
    projection: Option<Vec<usize>>,
    n_rows: Option<usize>,
    row_index: Option<RowIndex>,
}

macro_rules! read_part {
    ($reader:expr, $part:expr) => {
        $reader
            .with_columns($part.columns.clone())
            .with_projection($part.projection.clone())
            .with_n_rows($part.n_rows)
            .with_row_index($part.row_index.clone())
            .finish()
    };
}

fn parts() -> Vec<Part> {
    let columns = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let row_index = |offset| Some(RowIndex { name: "row".into(), offset });
    let mut parts = Vec::new();
    for n_rows in [None, Some(0), Some(1), Some(15), Some(16), Some(17), Some(99), Some(100), Some(1000)] {
        for row_index in [None, row_index(0), row_index(7)] {
            let part = Part { n_rows, row_index, ..Part::default() };
            parts.push(part.clone());
            parts.push(Part { columns: columns(&["f64"]), ..part.clone() });
            parts.push(Part { columns: columns(&["string", "bool", "categorical"]), ..part.clone() });
            parts.push(Part { projection: Some(vec![1]), ..part.clone() });
            parts.push(Part { projection: Some(vec![0, 3, 6]), ..part.clone() });
            parts.push(Part { projection: Some(vec![6, 3, 5, 0]), ..part.clone() });
            parts.push(Part { projection: Some(vec![2]), columns: columns(&["list", "i64"]), ..part });
        }
    }
    parts.push(Part { columns: columns(&["no such column"]), ..Part::default() });
    parts
}

#[test]
fn parts_of_a_file_are_the_parts_that_polars_reads() {
    let mut bytes = Vec::new();
    let mut df = plain_frame();
    IpcWriter::new(&mut bytes).with_record_batch_size(Some(16)).finish(&mut df).expect("bytes");
    let mut cases = Cases::new();
    for part in parts() {
        cases.run(format!("{part:?}"), || {
            let expected =
                std::panic::catch_unwind(|| read_part!(PolarsReader::new(Cursor::new(&bytes)), part));
            let expected = expected.expect("Polars reads this without a panic");
            same("new", &expected, &read_part!(IpcReader::new(Cursor::new(&bytes)), part));
            same("from_bytes", &expected, &read_part!(IpcReader::from_bytes(bytes.clone()), part));
        });
    }
    cases.finish();
}

#[test]
fn parts_of_a_stream_are_the_parts_that_polars_reads() {
    let mut bytes = Vec::new();
    let mut df = plain_frame();
    IpcStreamWriter::new(&mut bytes).with_record_batch_size(Some(16)).finish(&mut df).expect("bytes");
    let mut cases = Cases::new();
    for part in parts() {
        cases.run(format!("{part:?}"), || {
            let polars = || read_part!(PolarsStreamReader::new(Cursor::new(&bytes)), part);
            let expected = std::panic::catch_unwind(polars).expect("Polars reads this without a panic");
            same("new", &expected, &read_part!(IpcStreamReader::new(bytes.as_slice()), part));
            same("from_bytes", &expected, &read_part!(IpcStreamReader::from_bytes(bytes.clone()), part));
        });
    }
    cases.finish();
}

#[track_caller]
fn same(way: &str, expected: &PolarsResult<DataFrame>, found: &PolarsResult<DataFrame>) {
    match (expected, found) {
        (Ok(expected), Ok(found)) => equal_by(way, expected, found),
        (Err(_), Err(_)) => {},
        (Ok(_), Err(error)) => panic!("{way}: {error}"),
        (Err(error), Ok(_)) => panic!("{way} reads what Polars refuses: {error}"),
    }
}

#[test]
fn parts_apply_to_batches_too() {
    let df = plain_frame();
    let part = Part {
        columns: Some(vec!["string".to_owned(), "i64".to_owned()]),
        n_rows: Some(40),
        row_index: Some(RowIndex { name: "row".into(), offset: 3 }),
        projection: None,
    };
    let expected = df.select(["string", "i64"]).expect("columns").head(Some(40));
    let expected = expected.with_row_index("row".into(), Some(3)).expect("a row index");

    let bytes = Config::file().with_batch_rows(16).write(&df);
    let batches = IpcReader::from_bytes(bytes)
        .with_columns(part.columns.clone())
        .with_n_rows(part.n_rows)
        .with_row_index(part.row_index.clone())
        .batches()
        .expect("batches");
    let batches = batches.collect::<PolarsResult<Vec<_>>>().expect("batches");
    assert_eq!(batches.iter().map(DataFrame::height).collect::<Vec<_>>(), [16, 16, 8]);
    let found =
        floe_tests::config::concat(batches.into_iter().map(Ok)).expect("one schema").expect("batches");
    assert_frames_equal(&expected, &found);

    let bytes = Config::stream().with_batch_rows(16).write(&df);
    let reader = IpcStreamReader::new(bytes.as_slice())
        .with_columns(part.columns)
        .with_n_rows(part.n_rows)
        .with_row_index(part.row_index);
    let found = floe_tests::config::concat(reader.batches().expect("batches"));
    assert_frames_equal(&expected, &found.expect("batches").expect("batches"));
}

/// Where Polars panics, floe has an error or the obvious result.
#[test]
fn parts_that_polars_panics_on() {
    let df = plain_frame();
    let none = Some(Vec::<String>::new());
    let (file, stream) = (Config::file().write(&df), Config::stream().write(&df));

    let found = IpcReader::from_bytes(file.clone()).with_columns(none.clone()).finish().expect("no columns");
    assert_eq!(found.shape(), (100, 0));
    let found =
        IpcReader::from_bytes(file.clone()).with_projection(Some(vec![])).finish().expect("no columns");
    assert_eq!(found.shape(), (100, 0));
    let found = IpcStreamReader::from_bytes(stream.clone()).with_columns(none).finish().expect("no columns");
    assert_eq!(found.shape(), (100, 0));
    let found =
        IpcReader::from_bytes(file.clone()).with_projection(Some(vec![])).with_n_rows(Some(7)).finish();
    assert_eq!(found.expect("no columns").shape(), (7, 0));

    let error =
        IpcReader::from_bytes(file).with_projection(Some(vec![1, 8])).finish().expect_err("8 columns");
    assert!(error.to_string().contains('8'), "{error}");
    let error = IpcStreamReader::from_bytes(stream).with_projection(Some(vec![1, 8])).finish();
    assert!(error.expect_err("8 columns").to_string().contains('8'));
}

#[test]
fn a_row_index_with_the_name_of_a_column() {
    let df = plain_frame();
    let row_index = || Some(RowIndex { name: "f64".into(), offset: 0 });
    let (file, stream) = (Config::file().write(&df), Config::stream().write(&df));
    let error =
        IpcReader::from_bytes(file.clone()).with_row_index(row_index()).finish().expect_err("a clash");
    assert!(error.to_string().contains("f64"), "{error}");
    let error =
        IpcStreamReader::from_bytes(stream).with_row_index(row_index()).finish().expect_err("a clash");
    assert!(error.to_string().contains("f64"), "{error}");
    let columns = Some(vec!["i64".to_owned()]);
    let found = IpcReader::from_bytes(file).with_columns(columns).with_row_index(row_index()).finish();
    assert_eq!(found.expect("no clash").get_column_names(), ["f64", "i64"]);
}

#[test]
fn metadata_comes_from_every_reader() {
    let metadata = Arc::new(Metadata::from([("a".into(), "1".into()), ("größe".into(), "🦀".into())]));
    let mut df = plain_frame();

    let mut bytes = Vec::new();
    let mut writer = IpcWriter::new(&mut bytes);
    writer.set_custom_schema_metadata(Arc::clone(&metadata));
    writer.finish(&mut df).expect("bytes");
    let mut reader = IpcReader::new(Cursor::new(&bytes));
    let found = reader.custom_metadata().expect("metadata").expect("metadata");
    assert!(metadata.iter().all(|(key, value)| found.get(key) == Some(value)), "{found:?}");
    assert_eq!(Schema::from_arrow_schema(&reader.schema().expect("a schema")), **df.schema());
    assert_frames_equal(&df, &reader.finish().expect("a frame"));

    let mut bytes = Vec::new();
    let mut writer = IpcStreamWriter::new(&mut bytes);
    writer.set_custom_schema_metadata(Arc::clone(&metadata));
    writer.finish(&mut df).expect("bytes");
    let mut reader = IpcStreamReader::new(bytes.as_slice());
    let found = reader.custom_metadata().expect("metadata").expect("metadata");
    assert!(metadata.iter().all(|(key, value)| found.get(key) == Some(value)), "{found:?}");
    assert_eq!(reader.schema().expect("a schema"), **df.schema());
    assert_eq!(Schema::from_arrow_schema(&reader.arrow_schema().expect("a schema")), **df.schema());
    assert_frames_equal(&df, &reader.finish().expect("a frame"));
}

#[test]
fn a_mapped_file_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mapped.arrow");
    let mut cases = Cases::new();
    for seed in 0..60 {
        let mut arbitrary = Arbitrary::new(2_000_000 + seed);
        let df = arbitrary.frame();
        let config = Config { file: true, ..Config::any(arbitrary.rng()) };
        std::fs::write(&path, config.write(&df)).expect("a file");
        cases.run(format!("seed {seed}, {config:?}"), || {
            let file = || std::fs::File::open(&path).expect("a file");
            equal_by("copied", &df, &IpcReader::new(file()).finish().expect("a frame"));
            for rechunk in [false, true] {
                // SAFETY: nobody changes the file while a frame of it is alive.
                let reader = unsafe { IpcReader::new(file()).memory_mapped(Some(path.clone())) };
                equal_by("mapped", &df, &reader.set_rechunk(rechunk).finish().expect("a frame"));
            }
            // SAFETY: as above, and floe wrote the file.
            let reader =
                unsafe { IpcReader::new(file()).memory_mapped(Some(path.clone())).skip_validation() };
            equal_by("not validated", &df, &reader.finish().expect("a frame"));
        });
    }
    cases.finish();
}

#[test]
fn the_bytes_do_not_depend_on_threads() {
    let mut cases = Cases::new();
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    for seed in 0..120 {
        let mut arbitrary = Arbitrary::new(3_000_000 + seed);
        let df = arbitrary.frame();
        let config = Config::any(arbitrary.rng());
        cases.run(format!("seed {seed}, {config:?}"), || {
            let serial = Config { parallel: false, ..config };
            let parallel = Config { parallel: true, ..config };
            let expected = serial.write(&df);
            assert_eq!(expected, serial.write(&df), "a second time");
            assert_eq!(expected, parallel.write(&df), "in parallel");
            assert_eq!(expected, alone.install(|| parallel.write(&df)), "in a pool of one thread");
            assert_eq!(expected, THREAD_POOL.install(|| parallel.write(&df)), "in Polars' pool");
        });
    }
    cases.finish();
}

/// Writers and readers on every thread of Polars' pool at once: whoever waits has to work.
#[test]
fn the_pool_can_be_full_of_callers() {
    within(120, || {
        use rayon::prelude::*;
        THREAD_POOL.install(|| {
            (0..64u32).into_par_iter().with_max_len(1).for_each(|seed| {
                let mut arbitrary = Arbitrary::new(4_000_000 + u64::from(seed));
                let df = arbitrary.frame();
                let config = Config { parallel: true, batch_rows: Some(7), ..Config::any(arbitrary.rng()) };
                let bytes = config.write(&df);
                for (name, read) in reads(config.file) {
                    let found = read(&bytes).unwrap_or_else(|error| panic!("seed {seed}, {name}: {error}"));
                    if let Some(found) = found {
                        equal_by(name, &df, &found);
                    }
                }
            });
        });
    });
}

/// Threads of their own and threads of the pool, each with loops within loops: columns, their fields, parts of those.
#[test]
fn callers_are_everywhere_at_once() {
    within(120, || {
        use rayon::prelude::*;
        let rows = 60_000u32;
        let texts: Vec<String> =
            (0..rows).map(|row| format!("a text that is not short, number {row}")).collect();
        let fields = [
            Column::new("text".into(), texts),
            Column::new("half".into(), (0..rows).map(|row| f64::from(row) / 2.0).collect::<Vec<f64>>()),
            Column::new("row".into(), (0..rows).collect::<Vec<u32>>()),
        ];
        let series: Vec<Series> =
            fields.iter().map(|column| column.as_materialized_series().clone()).collect();
        let nested =
            StructChunked::from_series("struct".into(), rows as usize, series.iter()).expect("a struct");
        let columns = fields.into_iter().chain([nested.into_series().into_column()]).collect();
        let df = DataFrame::new(rows as usize, columns).expect("a frame");
        let check = |seed: usize| {
            let compression = [None, Some(IpcCompression::LZ4)][seed % 2];
            let config = [Config::stream(), Config::file()][seed / 2 % 2];
            let config =
                Config { parallel: true, batch_rows: Some(20_000), ..config.with_compression(compression) };
            let bytes = config.write(&df);
            for (name, read) in reads(config.file) {
                if let Some(found) =
                    read(&bytes).unwrap_or_else(|error| panic!("{config:?}, {name}: {error}"))
                {
                    equal_by(name, &df, &found);
                }
            }
        };
        std::thread::scope(|scope| {
            for seed in 0..6 {
                scope.spawn(move || check(seed));
            }
            THREAD_POOL.install(|| (0..8).into_par_iter().with_max_len(1).for_each(check));
        });
    });
}

/// Batches that are on their way while the next is given: the bytes are those of batches given one by one.
#[test]
fn submitted_batches_make_the_same_bytes() {
    macro_rules! both {
        ($writer:ident, $frames:expr) => {{
            let schema = $frames[0].schema();
            let start =
                || $writer::new(Vec::new()).with_compression(Some(IpcCompression::LZ4)).batched(schema);
            let (mut one, mut two) = (start().expect("a writer"), start().expect("a writer"));
            for (i, df) in $frames.iter().enumerate() {
                one.write_batch(df).expect("bytes");
                two.submit_batch(df).expect("bytes");
                if i % 5 == 4 {
                    while two.write_submitted().expect("bytes") {}
                    assert_eq!(one.summary(), two.summary());
                    two.shrink_to_fit();
                }
            }
            let summary = one.finish().expect("bytes");
            assert_eq!(summary, two.finish().expect("bytes"));
            assert!(one.into_inner() == two.into_inner(), "the bytes differ");
            summary
        }};
    }
    for seed in 0..20 {
        let mut arbitrary = Arbitrary::new(6_000_000 + seed);
        let grows = DataType::from_categories(Categories::global());
        let mut columns = vec![("categories".into(), grows), ("n".into(), DataType::Int64)];
        columns.push(("any".into(), arbitrary.dtype(2)));
        // Some are encoded here and now, some are large enough to be handed to the pool.
        let heights = (0..12).map(|i| if i % 3 == 0 { 5 } else { 6_000 });
        let columns = if seed % 2 == 0 { &columns[1..] } else { &columns[..] };
        let frames: Vec<_> = heights.map(|height| arbitrary.frame_of(columns, height)).collect();
        let rows: usize = frames.iter().map(DataFrame::height).sum();
        assert_eq!(both!(IpcWriter, frames).rows, rows as u64);
        assert_eq!(both!(IpcStreamWriter, frames).rows, rows as u64);
    }
}

/// Names the file that [`child`] writes.
const CHILD_OUTPUT: &str = "FLOE_TESTS_CHILD_OUTPUT";

/// The size of Polars' pool is fixed when a process starts: so each size is a process.
#[test]
fn the_bytes_are_the_same_in_pools_of_any_size() {
    let folder = tempfile::tempdir().expect("a folder");
    let outputs = ["1", "2", "7"].map(|threads| {
        let output = folder.path().join(threads);
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "child", "--test-threads", "1"])
            .env("POLARS_MAX_THREADS", threads)
            .env(CHILD_OUTPUT, &output)
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("a child");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
        let status = loop {
            match child.try_wait().expect("a status") {
                Some(status) => break status,
                None if std::time::Instant::now() > deadline => {
                    child.kill().expect("a child to kill");
                    panic!("a pool of {threads} hangs");
                },
                None => std::thread::sleep(std::time::Duration::from_millis(20)),
            }
        };
        assert!(status.success(), "a pool of {threads}: {status}");
        std::fs::read(output).expect("the child's output")
    });
    assert!(!outputs[0].is_empty());
    assert!(outputs[0] == outputs[1] && outputs[1] == outputs[2], "the bytes differ");
}

/// Run by [`the_bytes_are_the_same_in_pools_of_any_size`].
#[test]
fn child() {
    let Ok(output) = std::env::var(CHILD_OUTPUT) else { return };
    let expected = std::env::var("POLARS_MAX_THREADS").expect("a number of threads");
    assert_eq!(THREAD_POOL.current_num_threads().to_string(), expected);
    let mut all = Vec::new();
    for seed in 0..30 {
        let mut arbitrary = Arbitrary::new(5_000_000 + seed);
        let df = arbitrary.frame();
        let config = Config { parallel: true, ..Config::any(arbitrary.rng()) };
        let outside = config.write(&df);
        let (bytes, found) = THREAD_POOL.install(|| {
            let bytes = config.write(&df);
            let found: Vec<_> = reads(config.file).iter().map(|(name, read)| (*name, read(&bytes))).collect();
            (bytes, found)
        });
        assert_eq!(outside, bytes, "inside of the pool and outside");
        for (name, found) in found {
            if let Some(found) = found.unwrap_or_else(|error| panic!("seed {seed}, {name}: {error}")) {
                equal_by(name, &df, &found);
            }
        }
        all.extend(bytes);
    }
    // Batches that are compressed as the first one is, or not.
    for compression in codecs() {
        let config = Config::stream().with_compression(compression).with_batch_rows(40_000);
        all.extend(config.write(&drifting(5, 40_000)));
    }
    std::fs::write(PathBuf::from(output), all).expect("a file");
}

/// The seed of the API: floe's types in the place of Polars', with nothing else changed.
#[test]
fn floe_takes_the_place_of_polars() {
    macro_rules! there_and_back {
        ($writer:ident, $reader:ident, $df:expr) => {{
            let mut bytes = Vec::new();
            let mut writer = $writer::new(&mut bytes);
            writer.set_custom_schema_metadata(Arc::new([("first_name".into(), "John".into())].into()));
            writer.finish($df).expect("bytes");
            let reader = $reader::new(Cursor::new(bytes)).with_n_rows(Some(10)).set_rechunk(true);
            reader.with_columns(Some(vec!["i64".to_owned()])).finish().expect("a frame")
        }};
    }
    let mut df = plain_frame();
    assert_frames_equal(
        &there_and_back!(PolarsWriter, PolarsReader, &mut df),
        &there_and_back!(IpcWriter, IpcReader, &mut df),
    );
    let polars = {
        let mut bytes = Vec::new();
        PolarsStreamWriter::new(&mut bytes).finish(&mut df).expect("bytes");
        PolarsStreamReader::new(Cursor::new(bytes)).with_n_rows(Some(10)).finish().expect("a frame")
    };
    assert_frames_equal(
        &polars.select(["i64"]).expect("a column"),
        &there_and_back!(IpcStreamWriter, IpcStreamReader, &mut df),
    );
}

/// Equal frames whose strings lie in other buffers, in other orders, under nulls or not.
#[test]
fn canonical_views_depend_on_the_values_alone() {
    let text = |i: usize| format!("a text that is not inline: {i}");
    let values: Vec<Option<String>> = (0..1000).map(|i| (i % 7 != 0).then(|| text(i))).collect();
    let fresh = Column::new("text".into(), &values).into_frame();
    let doubled: Vec<String> = (0..2000).rev().map(text).collect();
    let doubled = Column::new("text".into(), doubled);
    let rows: IdxCa = (0..1000u32).map(|i| (i % 7 != 0).then_some(1999 - i)).collect_ca("rows".into());
    let taken = doubled.take(&rows).expect("rows that are there").into_frame();
    let (head, tail) = fresh.split_at(300);
    let stacked = head.vstack(&tail).expect("one schema");
    let write = |df: &DataFrame, canonical: bool| {
        let mut bytes = Vec::new();
        let writer = IpcWriter::new(&mut bytes).with_canonical_views(canonical);
        writer.with_record_batch_size(Some(450)).finish(&mut df.clone()).expect("written");
        bytes
    };
    let expected = write(&fresh, true);
    for df in [&taken, &stacked] {
        assert_frames_equal(df, &fresh);
        assert!(write(df, true) == expected, "the buffers show");
    }
    assert_frames_equal(&IpcReader::from_bytes(expected).finish().expect("read"), &fresh);
}
