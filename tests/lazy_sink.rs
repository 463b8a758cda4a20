//! LazyFrames into streams, files and iterators: what comes out, what goes wrong, how much is held.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use floe::lazy::*;
use floe::prelude::*;
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::equal::{assert_frames_equal, frames_differ};
use floe_tests::run::{Cases, within};
use polars_core::prelude::*;
use polars_core::runtime::THREAD_POOL;
use polars_lazy::prelude::{UnionArgs, concat};

// --- Queries.

/// `rows` rows of what is different in each.
fn numbers(rows: usize) -> DataFrame {
    let n: Vec<i64> = (0..rows).map(|row| i64::try_from(row).expect("a small number")).collect();
    let x: Vec<f64> = n.iter().map(|n| (*n as f64).sqrt()).collect();
    let t: Vec<String> = n.iter().map(|n| format!("text that is not inlined {n}")).collect();
    DataFrame::new(
        rows,
        vec![Column::new("n".into(), n), Column::new("x".into(), x), Column::new("t".into(), t)],
    )
    .expect("a frame")
}

/// A query whose rows pass `look`, some of them at a time, as they are made.
fn watched(df: DataFrame, look: impl Fn(&Column) -> PolarsResult<()> + Send + Sync + 'static) -> LazyFrame {
    let name = df.columns()[0].name().clone();
    let look = move |column: Column| look(&column).map(|()| column);
    df.lazy().with_column(col(name).map(look, |_, field| Ok(field.clone())))
}

/// Many small frames, one after another.
fn pieces(frames: &[DataFrame]) -> LazyFrame {
    let frames: Vec<_> = frames.iter().map(|df| df.clone().lazy()).collect();
    concat(frames, UnionArgs { maintain_order: true, ..UnionArgs::default() }).expect("one schema")
}

// --- Targets.

/// A target that keeps what it gets.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Memory {
    fn boxed(&self) -> Box<dyn Write + Send> {
        Box::new(self.clone())
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A target that fails after so many bytes.
struct Failing(usize, io::ErrorKind);

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::Error::new(self.1, "as the test wants it"));
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.0 == 0 { Err(io::Error::new(self.1, "as the test wants it")) } else { Ok(()) }
    }
}

fn nowhere() -> Box<dyn Write + Send> {
    Box::new(io::sink())
}

fn io_kind(error: &PolarsError) -> Option<io::ErrorKind> {
    match error {
        PolarsError::IO { error, .. } => Some(error.kind()),
        _ => None,
    }
}

/// Both formats by one name.
fn sink(lf: LazyFrame, file: bool, options: IpcSinkOptions) -> PolarsResult<(Vec<u8>, WriteSummary)> {
    let memory = Memory::default();
    let summary = match file {
        true => lf.sink_ipc_file(memory.boxed(), options)?,
        false => lf.sink_ipc_stream(memory.boxed(), options)?,
    };
    let bytes = memory.take();
    assert_eq!(summary.written_bytes, bytes.len() as u64);
    Ok((bytes, summary))
}

fn read(bytes: Vec<u8>, file: bool) -> PolarsResult<DataFrame> {
    if file { IpcReader::from_bytes(bytes).finish() } else { IpcStreamReader::from_bytes(bytes).finish() }
}

/// The rows of each batch of a stream.
fn heights(bytes: &[u8]) -> Vec<usize> {
    let batches = IpcStreamReader::new(bytes).batches().expect("a stream");
    batches.map(|batch| batch.expect("a batch").height()).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a readable folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

// --- What comes out.

#[test]
fn every_dtype_comes_back() {
    let mut cases = Cases::new();
    for (index, (name, dtype)) in dtypes().into_iter().enumerate() {
        // The registry of extensions decides what comes back: tests/roundtrip.rs looks at those.
        if matches!(dtype, DataType::Extension(..)) {
            continue;
        }
        cases.run(name, || {
            let mut arbitrary = Arbitrary::new(index as u64);
            let columns = [("a".into(), dtype.clone()), ("b".into(), DataType::Int64)];
            let frames: Vec<_> = (0..3).map(|_| arbitrary.frame_of(&columns, 40)).collect();
            let mut expected = frames[0].clone();
            for df in &frames[1..] {
                expected.vstack_mut(df).expect("one schema");
            }
            for file in [false, true] {
                for level in [None, Some(CompatLevel::oldest()), Some(CompatLevel::newest())] {
                    for rows in [None, Some(7), Some(1000)] {
                        let mut options = IpcSinkOptions::default().with_record_batch_size(rows);
                        if let Some(level) = level {
                            options = options.with_compat_level(level);
                        }
                        let (bytes, summary) = sink(pieces(&frames), file, options).expect("bytes");
                        assert_eq!(summary.rows, 120);
                        let found = read(bytes, file).expect("a frame");
                        frames_differ(&expected, &found)
                            .unwrap_or_else(|e| panic!("file {file}, {level:?}, {rows:?}: {e}"));
                    }
                }
            }
        });
    }
    cases.finish();
}

#[test]
fn the_bytes_are_those_of_the_eager_writers() {
    let mut df = numbers(30_000);
    for compression in [None, Some(IpcCompression::LZ4), Some(IpcCompression::ZSTD(ZstdLevel::default()))] {
        let metadata: Arc<Metadata> = Arc::new([("made by".into(), "a test".into())].into());
        for (rows, statistics) in
            [(301, true), (7_000, false), (7_000, true), (30_000, false), (usize::MAX, true)]
        {
            let options = IpcSinkOptions::default()
                .with_compression(compression)
                .with_record_batch_size(rows)
                .with_statistics(statistics)
                .with_custom_schema_metadata(Arc::clone(&metadata));
            let mut eager = Vec::new();
            let mut writer = IpcWriter::new(&mut eager)
                .with_compression(compression)
                .with_record_batch_size(Some(rows))
                .with_canonical_views(true)
                .with_statistics(statistics);
            writer.set_custom_schema_metadata(Arc::clone(&metadata));
            writer.finish(&mut df).expect("bytes");
            let (bytes, summary) = sink(df.clone().lazy(), true, options.clone()).expect("bytes");
            assert!(bytes == eager, "{compression:?}, {rows} rows: the files differ");
            assert_eq!(summary.batches, 30_000usize.div_ceil(rows) as u64);

            let mut eager = Vec::new();
            let mut writer = IpcStreamWriter::new(&mut eager)
                .with_compression(compression)
                .with_record_batch_size(Some(rows))
                .with_canonical_views(true)
                .with_statistics(statistics);
            writer.set_custom_schema_metadata(Arc::clone(&metadata));
            writer.finish(&mut df).expect("bytes");
            let (bytes, _) = sink(df.clone().lazy(), false, options).expect("bytes");
            assert!(bytes == eager, "{compression:?}, {rows} rows: the streams differ");
        }
    }
}

#[test]
fn an_empty_result_is_a_valid_stream_and_file() {
    let none = || numbers(1000).lazy().filter(col("n").lt(lit(0)));
    for file in [false, true] {
        let (bytes, summary) = sink(none(), file, IpcSinkOptions::default()).expect("bytes");
        assert_eq!((summary.rows, summary.batches), (0, 0));
        let df = read(bytes, file).expect("a valid output");
        assert_frames_equal(&numbers(0), &df);
    }
    let mut batches = none().collect_ipc_batches(10).expect("a query");
    assert_eq!(**batches.schema(), **numbers(0).schema());
    assert!(batches.next().is_none());
}

#[test]
fn batches_have_the_rows_asked_for() {
    let small: Vec<_> = (0..50).map(|i| numbers(i * 7)).collect();
    let rows: usize = small.iter().map(DataFrame::height).sum();
    for size in [1000, 1, 333, rows, rows + 1] {
        let options = IpcSinkOptions::default().with_record_batch_size(size);
        let (bytes, _) = sink(pieces(&small), false, options).expect("bytes");
        let heights = heights(&bytes);
        let (last, before) = heights.split_last().expect("batches");
        assert!(before.iter().all(|height| *height == size), "{size}: {heights:?}");
        assert_eq!(*last, if rows.is_multiple_of(size) { size } else { rows % size });
        let batches = pieces(&small).collect_ipc_batches(size).expect("a query");
        let found: Vec<_> = batches.map(|batch| batch.expect("a batch").height()).collect();
        assert_eq!(found, heights);
    }
    // Without a size: many small frames become one batch, and large ones are cut in equal ones.
    let (bytes, _) = sink(pieces(&small), false, IpcSinkOptions::default()).expect("bytes");
    assert_eq!(heights(&bytes), [rows]);
    let options = IpcSinkOptions::default().with_record_batch_size(None);
    let (bytes, _) = sink(numbers(1_000_000).lazy(), false, options).expect("bytes");
    let heights = heights(&bytes);
    assert_eq!(heights, [100_000; 10]);
}

#[test]
fn the_order_is_kept_unless_asked_not_to() {
    let df = numbers(400_000);
    for keep in [true, false] {
        let query = df.clone().lazy().filter((col("n") % lit(3)).neq(lit(0)));
        let options = IpcSinkOptions::default().with_maintain_order(keep);
        let (bytes, _) = sink(query.clone(), true, options).expect("bytes");
        let found = read(bytes, true).expect("a frame");
        let found =
            if keep { found } else { found.sort(["n"], SortMultipleOptions::default()).expect("rows") };
        assert_frames_equal(&query.collect().expect("a frame"), &found);
    }
}

#[test]
fn categories_that_grow_come_back() {
    let dtype =
        DataType::from_categories(Categories::new("grows".into(), "".into(), CategoricalPhysical::U32));
    let frames: Vec<_> = (0..6)
        .map(|i| {
            let text: Vec<_> = (0..1000).map(|row| format!("category {}", row % (20 * (i + 1)))).collect();
            let column = Column::new("c".into(), text).cast(&dtype).expect("categories");
            DataFrame::new(1000, vec![column]).expect("a frame")
        })
        .collect();
    let mut expected = frames[0].clone();
    for df in &frames[1..] {
        expected.vstack_mut(df).expect("one schema");
    }
    for file in [false, true] {
        let options = IpcSinkOptions::default().with_record_batch_size(900);
        let (bytes, summary) = sink(pieces(&frames), file, options).expect("bytes");
        assert!(summary.dictionaries >= 1);
        assert_frames_equal(&expected, &read(bytes, file).expect("a frame"));
    }
}

#[test]
fn targets_are_paths_of_every_kind_and_writers() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("größe.arrow");
    let lf = || numbers(10).lazy();
    let options = IpcSinkOptions::default;
    let text = path.to_str().expect("UTF-8");
    lf().sink_ipc_file(text, options()).expect("a file");
    lf().sink_ipc_file(text.to_owned(), options()).expect("a file");
    lf().sink_ipc_file(path.as_path(), options()).expect("a file");
    lf().sink_ipc_file(&path, options()).expect("a file");
    lf().sink_ipc_file(path.clone(), options()).expect("a file");
    assert_frames_equal(&numbers(10), &read(fs::read(&path).expect("a file"), true).expect("a frame"));
    assert_eq!(names(folder.path()), ["größe.arrow"]);
    lf().sink_ipc_stream(Box::new(Memory::default()) as Box<dyn Write + Send + Sync>, options())
        .expect("bytes");
    lf().sink_ipc_stream(Box::new(Memory::default()), options()).expect("bytes");
    lf().sink_ipc_stream(folder.path().join("x.arrows"), options()).expect("a stream");
    assert_eq!(names(folder.path()), ["größe.arrow", "x.arrows"]);
}

#[test]
fn progress_goes_up_to_the_summary() {
    let seen: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let options = IpcSinkOptions::default().with_record_batch_size(10_000).with_progress({
        let seen = Arc::clone(&seen);
        move |progress| seen.lock().expect("no panic").push(progress)
    });
    let (_, summary) = sink(numbers(95_000).lazy(), true, options).expect("bytes");
    let seen = seen.lock().expect("no panic");
    assert!(!seen.is_empty());
    for pair in seen.windows(2) {
        assert!(
            pair[0].rows < pair[1].rows && pair[0].batches < pair[1].batches && pair[0].bytes < pair[1].bytes
        );
    }
    let last = seen.last().expect("progress");
    assert_eq!((last.rows, last.batches), (95_000, 10));
    assert_eq!((summary.rows, summary.batches), (95_000, 10));
    assert!(last.bytes > 95_000 * 8 && last.bytes < summary.written_bytes);
}

// --- What goes wrong.

/// Polars says in which expression; that is the query's own.
fn is_dry(error: &PolarsError) -> bool {
    match error {
        PolarsError::ExprContext { error, .. } => is_dry(error),
        PolarsError::NoData(text) => text.as_ref() == "the well is dry",
        _ => false,
    }
}

#[test]
fn an_error_of_the_query_comes_back_and_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let old = folder.path().join("old.arrow");
    fs::write(&old, "the old file").expect("a file");
    let bad = || {
        watched(numbers(600_000), |column| {
            let last = column.len().saturating_sub(1);
            let past = column.get(last)?.extract::<i64>().is_some_and(|n| n > 400_000);
            polars_ensure!(!past, NoData: "the well is dry");
            Ok(())
        })
    };
    for file in [false, true] {
        for path in [folder.path().join("new.arrow"), old.clone()] {
            let options = IpcSinkOptions::default().with_record_batch_size(1000);
            let result = if file {
                bad().sink_ipc_file(&path, options)
            } else {
                bad().sink_ipc_stream(&path, options)
            };
            let error = result.expect_err("the query fails");
            assert!(is_dry(&error), "{error:?}");
        }
    }
    assert_eq!(names(folder.path()), ["old.arrow"]);
    assert_eq!(fs::read_to_string(&old).expect("a file"), "the old file");

    let batches: Vec<_> = bad().collect_ipc_batches(1000).expect("a query").collect();
    let (last, before) = batches.split_last().expect("an error at least");
    assert!(last.as_ref().is_err_and(is_dry), "{last:?}");
    assert!(before.iter().all(Result::is_ok));

    // Nothing was there to be run.
    let path = folder.path().join("none.arrow");
    let missing = || numbers(3).lazy().select([col("nowhere")]);
    let error = missing().sink_ipc_file(&path, IpcSinkOptions::default()).expect_err("no such column");
    assert_eq!(error.to_string(), missing().collect().expect_err("no such column").to_string());
    assert!(missing().collect_ipc_batches(5).is_err());
    assert_eq!(names(folder.path()), ["old.arrow"]);
}

#[test]
fn an_error_of_the_target_is_the_error_whenever_it_comes() {
    let df = numbers(30_000);
    let (whole, _) = sink(df.clone().lazy(), true, IpcSinkOptions::default()).expect("bytes");
    let mut cases = Cases::new();
    let places = [0, 1, 8, 500, 2_000, 100_000, whole.len() / 2, whole.len() - 300, whole.len() - 1];
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::BrokenPipe, io::ErrorKind::Other] {
        for after in places {
            for rows in [None, Some(100), Some(5_000)] {
                cases.run(format!("{kind:?} after {after} bytes, {rows:?}"), || {
                    let options = IpcSinkOptions::default().with_record_batch_size(rows);
                    let target = Box::new(Failing(after, kind));
                    let error =
                        df.clone().lazy().sink_ipc_file(target, options).expect_err("the target fails");
                    assert_eq!(io_kind(&error), Some(kind), "{error:?}");
                });
            }
        }
    }
    cases.finish();
}

#[test]
fn a_closed_pipe_ends_the_query_early() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let query = watched(numbers(4_000_000), move |column| {
        count.fetch_add(column.len(), Ordering::Relaxed);
        Ok(())
    });
    let target = Box::new(Failing(100_000, io::ErrorKind::BrokenPipe));
    let options = IpcSinkOptions::default().with_record_batch_size(10_000);
    let error = query.sink_ipc_stream(target, options).expect_err("the pipe is closed");
    assert_eq!(io_kind(&error), Some(io::ErrorKind::BrokenPipe));
    let made = made.load(Ordering::Relaxed);
    assert!(made < 3_000_000, "{made} rows were made for nobody");
}

#[test]
fn errors_of_paths_name_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("none").join("x.arrow");
    let error = numbers(3).lazy().sink_ipc_file(&path, IpcSinkOptions::default()).expect_err("no folder");
    assert_eq!(io_kind(&error), Some(io::ErrorKind::NotFound));
    assert!(error.to_string().contains(path.to_str().expect("UTF-8")), "{error}");
    // A folder is in the way.
    let error =
        numbers(3).lazy().sink_ipc_file(folder.path(), IpcSinkOptions::default()).expect_err("a folder");
    assert!(io_kind(&error).is_some());
}

#[test]
fn panics_come_back_and_leave_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.arrow");
    let caught = |work: Box<dyn FnOnce() -> PolarsResult<WriteSummary>>| {
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).expect_err("a panic");
        floe_tests::run::panic_text(panic.as_ref()).to_owned()
    };
    let target = path.clone();
    let text = caught(Box::new(move || {
        let options = IpcSinkOptions::default().with_progress(|_| panic!("the callback's"));
        numbers(1000).lazy().sink_ipc_file(target, options)
    }));
    assert_eq!(text, "the callback's");
    let target = path.clone();
    let text = caught(Box::new(move || {
        let query = watched(numbers(1000), |_| panic!("the query's"));
        query.sink_ipc_file(target, IpcSinkOptions::default())
    }));
    assert!(text.contains("the query's"), "{text}");
    struct Panicking;
    impl Write for Panicking {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // The schema is written, the first batch is not.
            assert!(bytes.len() < 1000, "the target's");
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let text = caught(Box::new(move || {
        numbers(100_000).lazy().sink_ipc_file(Box::new(Panicking), IpcSinkOptions::default())
    }));
    assert!(text.contains("the target's"), "{text}");
    assert_eq!(names(folder.path()), [""; 0]);
}

// --- How much is held.

/// A target that opens its gate for so many bytes at a time.
struct Slow(Arc<AtomicUsize>, Arc<AtomicBool>);

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        while !self.1.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.0.fetch_add(bytes.len(), Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_slow_target_holds_up_the_query() {
    const ROWS: usize = 12_000_000;
    let made = Arc::new(AtomicUsize::new(0));
    let (written, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let count = Arc::clone(&made);
    let n: Vec<i64> = vec![5; 1_000_000];
    let million = DataFrame::new(n.len(), vec![Column::new("n".into(), n)]).expect("a frame");
    let frames: Vec<_> = (0..ROWS / 1_000_000).map(|_| million.clone()).collect();
    let query = pieces(&frames).with_column(col("n").map(
        move |column| {
            count.fetch_add(column.len(), Ordering::Relaxed);
            Ok(column)
        },
        |_, field| Ok(field.clone()),
    ));
    let target: Box<dyn Write + Send> = Box::new(Slow(Arc::clone(&written), Arc::clone(&open)));
    // The schema is written before the query is run, by this thread.
    open.store(true, Ordering::Relaxed);
    let (sender, receiver) = std::sync::mpsc::channel();
    let gate = Arc::clone(&open);
    let options = IpcSinkOptions::default().with_progress(move |progress| {
        if progress.batches == 1 {
            gate.store(false, Ordering::Relaxed);
        }
    });
    let thread = std::thread::spawn(move || sender.send(query.sink_ipc_stream(target, options)));
    // The target takes one batch and then nothing: the query comes to a halt.
    let start = Instant::now();
    let mut before = usize::MAX;
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let now = made.load(Ordering::Relaxed);
        if now == before && now > 0 {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "it goes on and on");
        before = now;
    }
    // 48 MiB on the way, what waits before it, and what the engine holds: 8 bytes a row.
    assert!(before < ROWS - 1_000_000, "{before} rows were made while {written:?} bytes were taken");
    assert!(receiver.try_recv().is_err(), "it ended without its target");
    open.store(true, Ordering::Relaxed);
    let gate = Arc::clone(&open);
    let summary = within(60, move || {
        loop {
            gate.store(true, Ordering::Relaxed);
            if let Ok(result) = receiver.recv_timeout(Duration::from_millis(5)) {
                break result.expect("a summary");
            }
        }
    });
    assert_eq!(summary.rows, ROWS as u64);
    thread.join().expect("no panic").expect("somebody who listened");
}

#[test]
fn batches_are_made_as_they_are_taken_and_dropping_them_ends_the_query() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let query = watched(numbers(3_000_000), move |column| {
        count.fetch_add(column.len(), Ordering::Relaxed);
        Ok(())
    });
    let mut batches = query.collect_ipc_batches(100_000).expect("a query");
    let first = batches.next().expect("a batch").expect("rows");
    assert_frames_equal(&numbers(100_000), &first);
    std::thread::sleep(Duration::from_millis(500));
    let ahead = made.load(Ordering::Relaxed);
    assert!(ahead < 2_500_000, "{ahead} rows were made while one batch was taken");
    drop(batches);
    // The query ends without running through: what it holds goes.
    let start = Instant::now();
    while Arc::strong_count(&made) > 1 {
        assert!(start.elapsed() < Duration::from_secs(30), "the query still runs");
        std::thread::sleep(Duration::from_millis(5));
    }
    let after = made.load(Ordering::Relaxed);
    assert!(after < 2_900_000, "{after} rows were made for nobody");
}

/// Tells this program that it is the child, and what to do.
const CHILD: &str = "FLOE_LAZY_SINK_CHILD";

/// Runs this program's test `child` as a process.
fn child(what: &str, threads: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "the_child", "--nocapture", "--test-threads", "1"]).env(CHILD, what);
    if let Some(threads) = threads {
        command.env("POLARS_MAX_THREADS", threads);
    }
    let what = what.to_owned();
    let output = within(240, move || command.stderr(Stdio::inherit()).output().expect("a process"));
    assert!(output.status.success(), "{what}: {}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

/// Run by the tests below; by itself it does nothing.
#[test]
fn the_child() {
    match std::env::var(CHILD).as_deref() {
        Ok("pool") => in_the_pool(),
        Ok("memory") => println!("peak: {}", peak_of_a_large_sink(None)),
        Ok("bytes") => print_hashes(),
        Ok("memory lz4") => println!("peak: {}", peak_of_a_large_sink(Some(IpcCompression::LZ4))),
        _ => {},
    }
}

/// On a thread of Polars' pool, which may be its only one.
fn in_the_pool() {
    within(200, || {
        THREAD_POOL.install(|| {
            let df = numbers(250_000);
            let query = || df.clone().lazy().filter(col("n").gt(lit(10)));
            let expected = df.slice(11, df.height());
            for compression in [None, Some(IpcCompression::LZ4)] {
                let options = IpcSinkOptions::default().with_compression(compression);
                let (bytes, _) = sink(query(), true, options).expect("bytes");
                assert_frames_equal(&expected, &read(bytes, true).expect("a frame"));
            }
            let batches = query().collect_ipc_batches(1000).expect("a query");
            assert_eq!(batches.map(|batch| batch.expect("rows").height()).sum::<usize>(), expected.height());
            let folder = tempfile::tempdir().expect("a folder");
            let by = PartitionBy::MaxRows(100_000);
            let parts = query().sink_ipc_partitioned(folder.path(), by, IpcSinkOptions::default());
            assert_eq!(parts.expect("files").len(), 3);
        });
    });
}

#[test]
fn sinks_run_on_threads_of_the_pool() {
    for threads in ["1", "2", "5"] {
        child("pool", Some(threads));
    }
}

/// Numbers, short and long strings and lists, with nulls, of which a query keeps some.
fn of_every_length(rows: usize) -> LazyFrame {
    let n: Vec<i64> = (0..).take(rows).collect();
    let short: Vec<_> = n.iter().map(|n| (n % 7 > 0).then(|| format!("s{n}"))).collect();
    // Some long enough that a batch ends before it has its rows.
    let long = |n: &i64| "long ".repeat(if n / 30_000 % 3 == 1 { 150 } else { 5 });
    let long: Vec<_> = n.iter().map(|n| (n % 11 > 0).then(|| format!("{}{n}", long(n)))).collect();
    let mut lists = ListPrimitiveChunkedBuilder::<Int64Type>::new("list".into(), rows, rows, DataType::Int64);
    for n in &n {
        match n % 5 {
            0 => lists.append_null(),
            few => lists.append_values_iter(0..few * few),
        }
    }
    let columns = vec![
        Column::new("n".into(), n),
        Column::new("short".into(), short),
        Column::new("long".into(), long),
        lists.finish().into_column(),
    ];
    let df = DataFrame::new(rows, columns).expect("a frame");
    df.lazy().filter((col("n") % lit(13)).neq(lit(5))).with_column((col("n") * lit(3)).alias("more"))
}

/// What the sinks write, told by hashes: for the test to compare.
fn print_hashes() {
    let hash = |bytes: &[u8]| {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        hasher.finish()
    };
    let strings = of_every_length(210_000);
    let numbers = strings.clone().select([col("n"), col("more"), col("list")]);
    for compression in [None, Some(IpcCompression::LZ4)] {
        let options = || IpcSinkOptions::default().with_compression(compression);
        for (name, query) in [("numbers", &numbers), ("strings", &strings)] {
            for level in [CompatLevel::oldest(), CompatLevel::newest()] {
                for file in [false, true] {
                    let options = options().with_compat_level(level);
                    let (bytes, summary) = sink(query.clone(), file, options).expect("bytes");
                    println!("bytes: {name} {file} {level:?} {} {:x}", summary.batches, hash(&bytes));
                }
            }
        }
        let by_n = (col("n") % lit(3)).alias("k");
        for by in [PartitionBy::MaxRows(70_000), PartitionBy::MaxBytes(5 << 20), PartitionBy::Keys(vec!["k"])]
        {
            let folder = tempfile::tempdir().expect("a folder");
            let query = strings.clone().with_column(by_n.clone());
            let parts = query.sink_ipc_partitioned(folder.path(), by, options()).expect("files");
            for part in parts {
                let name = part.path.strip_prefix(folder.path()).expect("a file in the folder");
                let bytes = fs::read(&part.path).expect("a file");
                println!("bytes: {} {} {:x}", name.display(), part.summary.batches, hash(&bytes));
            }
        }
    }
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let hashes = |threads: &str| -> Vec<String> {
        let out = child("bytes", Some(threads));
        let lines = out.lines().filter_map(|line| Some(line.split_once("bytes: ")?.1.to_owned()));
        lines.collect()
    };
    let expected = hashes("1");
    assert!(expected.len() > 20, "{expected:?}");
    for threads in ["2", "7"] {
        assert_eq!(hashes(threads), expected, "{threads} threads");
    }
}

/// Bytes of memory at the highest, beyond what the process had before the sink ran.
fn peak_of_a_large_sink(compression: Option<IpcCompression>) -> u64 {
    // 400 MB, made as they are asked for out of 6.
    let n: Vec<i64> = (0..100_000).collect();
    let columns = (0..8).map(|i| Column::new(PlSmallStr::from_string(format!("c{i}")), &n)).collect();
    let df = DataFrame::new(n.len(), columns).expect("a frame");
    let frames: Vec<_> = (0..64).map(|_| df.clone()).collect();
    // Twice, so that nothing is counted that is there once a process.
    sink(df.clone().lazy(), true, IpcSinkOptions::default()).expect("bytes");
    let before = memory("VmRSS");
    let query = pieces(&frames).with_columns([(col("*") * lit(3)).name().keep()]);
    let options = IpcSinkOptions::default().with_compression(compression);
    let summary = query.sink_ipc_file(nowhere(), options).expect("bytes");
    assert_eq!(summary.rows, 6_400_000);
    assert!(summary.raw_bytes > 400_000_000);
    memory("VmHWM").saturating_sub(before)
}

/// A line of /proc/self/status, in bytes.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let value = status.lines().find_map(|text| text.strip_prefix(line)).expect("the line");
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    digits.parse::<u64>().expect("a number") * 1024
}

#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded() {
    for what in ["memory", "memory lz4"] {
        let out = child(what, None);
        let peak = out.lines().find_map(|line| line.split_once("peak: ")).expect("a peak").1;
        let peak: u64 = peak.trim().parse().expect("a number");
        floe_tests::run::say(&format!("{what}: 410 MB through {} MB", peak >> 20));
        assert!(peak < 150 << 20, "{what}: {} MB", peak >> 20);
    }
}
