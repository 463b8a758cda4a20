//! Scans of what can be read once.

use std::io::{self, Cursor, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use floe::lazy::{LazyIpcExt, scan_ipc_reader};

use super::*;

fn scan(bytes: Vec<u8>, options: IpcScanOptions) -> LazyFrame {
    scan_ipc_reader(Box::new(Cursor::new(bytes)), options).unwrap()
}

/// The result of a query under each engine, over a reader of its own.
fn once(bytes: &[u8], options: &IpcScanOptions, query: &dyn Fn(LazyFrame) -> LazyFrame) -> DataFrame {
    let run = |engine| {
        let lf = query(scan(bytes.to_vec(), options.clone()));
        lf.collect_with_engine(engine).unwrap().unwrap_single()
    };
    let memory = run(Engine::InMemory);
    assert_same(&memory, &run(Engine::Streaming));
    memory
}

/// Each engine's error.
fn fails(lf: impl Fn() -> PolarsResult<LazyFrame>) -> [String; 2] {
    [Engine::InMemory, Engine::Streaming].map(|engine| {
        let found = lf().and_then(|lf| lf.collect_with_engine(engine));
        found.map(|_| ()).unwrap_err().to_string()
    })
}

fn queries() -> Vec<Box<dyn Fn(LazyFrame) -> LazyFrame>> {
    vec![
        Box::new(|lf| lf),
        Box::new(|lf| lf.select([col("day"), col("carrier")])),
        Box::new(|lf| lf.select([col("carrier"), col("day")])),
        Box::new(|lf| lf.select([len()])),
        Box::new(|lf| lf.limit(2_500).select([len()])),
        Box::new(|lf| lf.filter(col("day").eq(lit(3))).select([len(), col("distance").sum()])),
        Box::new(|lf| lf.limit(10)),
        Box::new(|lf| lf.limit(0)),
        Box::new(|lf| lf.slice(1_990, 30)),
        Box::new(|lf| lf.slice(3_000, 5_000)),
        Box::new(|lf| lf.slice(1_000_000, 5)),
        Box::new(|lf| lf.limit(3_000).filter(col("day").gt(lit(1)))),
        Box::new(|lf| lf.filter(col("day").gt(lit(1))).limit(3)),
        Box::new(|lf| lf.slice(5, 3_000).tail(7)),
        Box::new(|lf| lf.slice(-5, 2)),
        Box::new(|lf| lf.slice(-2_500, 2_200)),
        Box::new(|lf| lf.slice(-100, 90).slice(-80, 7)),
        Box::new(|lf| lf.filter(lit(true)).limit(7)),
        Box::new(|lf| lf.filter(lit(false))),
        Box::new(|lf| lf.limit(1_500).filter(col("day").eq(lit(1))).select([len()])),
        Box::new(|lf| lf.limit(2_000).limit(1_100).select([col("day").sum()])),
        Box::new(|lf| lf.select([col("day")]).unique_stable(None, UniqueKeepStrategy::First)),
        Box::new(|lf| lf.select([col("day"), col("distance").max().alias("most")])),
        Box::new(|lf| {
            lf.sort(["distance"], SortMultipleOptions::new().with_maintain_order(true)).slice(-5, 3)
        }),
        Box::new(|lf| lf.slice(100, 3_000).slice(50, 100).select([col("day"), col("origin")])),
        Box::new(|lf| lf.tail(3)),
        Box::new(|lf| lf.with_row_index("n", None).filter(col("n").gt(lit(3_995)))),
        Box::new(|lf| lf.group_by_stable([col("origin")]).agg([col("distance").sum(), len()])),
        Box::new(|lf| lf.sort(["distance"], SortMultipleOptions::new().with_maintain_order(true)).limit(20)),
        Box::new(|lf| lf.with_columns([(col("day") + lit(1)).alias("next")]).limit(5)),
    ]
}

/// All queries over the first rows of the flights.
fn compare(rows: usize, rows_per_batch: usize) {
    let df = FLIGHTS.head(Some(rows)).select(["day", "carrier", "origin", "distance"]).unwrap();
    let bytes = stream(&df, rows_per_batch);
    for (i, query) in queries().iter().enumerate() {
        let expected = query(df.clone().lazy()).collect().unwrap();
        let found = once(&bytes, &IpcScanOptions::default(), query);
        assert!(
            found.equals_missing(&expected),
            "query {i}, {rows_per_batch} rows: {found} is not {expected}"
        );
    }
}

#[test]
fn queries_are_those_of_the_frame() {
    compare(4_000, 1_000);
    compare(50, 1);
}

#[test]
fn an_ipc_file_and_several_streams() {
    let df = FLIGHTS.head(Some(3_000));
    let options = IpcScanOptions::default();
    assert_same(&once(&file(&df, 700), &options, &|lf| lf), &df);
    let mut bytes = stream(&df.head(Some(1_000)), 300);
    bytes.extend(stream(&df.slice(1_000, 0), 300));
    bytes.extend(stream(&df.slice(1_000, 2_000), 3_000));
    assert_same(&once(&bytes, &options, &|lf| lf), &df);
    bytes.extend(stream(&df.select(["day"]).unwrap(), 3_000));
    for message in fails(|| Ok(scan(bytes.clone(), IpcScanOptions::default()))) {
        assert!(message.contains("different columns"), "{message}");
    }
    assert_same(&once(&stream(&df.slice(0, 0), 3), &options, &|lf| lf), &df.slice(0, 0));
}

#[test]
fn options_are_those_of_other_scans() {
    let df = FLIGHTS.head(Some(2_000)).select(["day", "carrier", "distance"]).unwrap();
    let bytes = stream(&df, 300);
    let all = IpcScanOptions::default()
        .with_n_rows(1_111)
        .with_row_index(RowIndex { name: "row".into(), offset: 7 })
        .with_columns(["distance", "day"])
        .with_predicate(col("day").gt(lit(0)).and(col("row").gt(lit(900))))
        .with_include_file_paths("path");
    let expected = {
        let lf = scan_ipc_stream(bytes.clone(), all.clone()).unwrap();
        lf.with_columns([lit("reader").alias("path")]).collect().unwrap()
    };
    assert_eq!(expected.height(), 1_111 - 894);
    assert_same(&once(&bytes, &all, &|lf| lf), &expected);
    assert_same(
        &once(&bytes, &all, &|lf| lf.select([col("row"), col("distance")]).slice(3, 100)),
        &expected.select(["row", "distance"]).unwrap().slice(3, 100),
    );
    let counter = Arc::new(AtomicU64::new(0));
    scan(bytes.clone(), IpcScanOptions::default().with_read_counter(Arc::clone(&counter))).collect().unwrap();
    assert_eq!(counter.load(Ordering::Relaxed), bytes.len() as u64);
    for options in [
        IpcScanOptions::default().with_hive(true),
        IpcScanOptions::default().with_committed_only(true),
        IpcScanOptions::default().with_schema(Arc::clone(df.schema())),
        IpcScanOptions::default().with_columns(["nothing"]),
        IpcScanOptions::default().with_row_index(RowIndex { name: "day".into(), offset: 0 }),
    ] {
        assert!(scan_ipc_reader(Box::new(Cursor::new(bytes.clone())), options).is_err());
    }
}

#[test]
fn columns_beyond_a_thousand() {
    let columns = (0..1_100).map(|i| Column::new(format!("c{i}").into(), [i, i + 1, i + 2])).collect();
    let df = DataFrame::new(3, columns).unwrap();
    let bytes = stream(&df, 1);
    let options = IpcScanOptions::default();
    assert_same(&once(&bytes, &options, &|lf| lf), &df);
    let two = |lf: LazyFrame| lf.select([col("c1099"), col("c3")]).slice(1, 1);
    assert_same(&once(&bytes, &options, &two), &two(df.clone().lazy()).collect().unwrap());
    let count = |lf: LazyFrame| lf.select([len()]);
    assert_same(&once(&bytes, &options, &count), &count(df.lazy()).collect().unwrap());
}

/// Fails where it is read further than allowed.
struct Short(Cursor<Vec<u8>>, u64);

impl Read for Short {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buf)?;
        if self.0.position() > self.1 {
            return Err(io::Error::other("read too far"));
        }
        Ok(read)
    }
}

#[test]
fn limits_stop_reading() {
    let df = FLIGHTS.head(Some(20_000));
    let bytes = stream(&df, 100);
    // A batch for each thread, and those before it.
    let allowed = bytes.len() as u64 / 4;
    let short = |options: IpcScanOptions| {
        scan_ipc_reader(Box::new(Short(Cursor::new(bytes.clone()), allowed)), options).unwrap()
    };
    for engine in [Engine::InMemory, Engine::Streaming] {
        let collect = |lf: LazyFrame| lf.collect_with_engine(engine).map(|found| found.unwrap_single());
        let options = IpcScanOptions::default();
        assert_same(&collect(short(options.clone()).limit(150)).unwrap(), &df.head(Some(150)));
        assert_same(&collect(short(options.clone()).slice(140, 30)).unwrap(), &df.slice(140, 30));
        let one = collect(short(options.clone()).select([col("day")]).limit(101)).unwrap();
        assert_same(&one, &df.select(["day"]).unwrap().head(Some(101)));
        assert_same(&collect(short(options.clone().with_n_rows(333))).unwrap(), &df.head(Some(333)));
        assert_same(&collect(short(options.clone()).limit(0)).unwrap(), &df.head(Some(0)));
        let message = collect(short(options)).unwrap_err().to_string();
        assert!(message.contains("read too far"), "{message}");
    }
}

#[test]
fn a_second_use_is_an_error_that_says_so() {
    let df = FLIGHTS.head(Some(500));
    let bytes = stream(&df, 100);
    for first in [Engine::InMemory, Engine::Streaming] {
        for second in [Engine::InMemory, Engine::Streaming] {
            for limit in [1, 1_000] {
                let lf = scan(bytes.clone(), IpcScanOptions::default()).limit(limit);
                lf.clone().collect_with_engine(first).unwrap();
                let message = lf.collect_with_engine(second).map(|_| ()).unwrap_err().to_string();
                assert!(message.contains("can be read once"), "{message}");
            }
        }
    }
    // Also of nothing.
    let lf = scan(stream(&df.slice(0, 0), 1), IpcScanOptions::default());
    lf.clone().collect_with_engine(Engine::Streaming).unwrap();
    assert!(lf.collect_with_engine(Engine::Streaming).is_err());
}

/// An error, or the right rows where Polars makes one of both.
#[test]
fn twice_in_one_query() {
    let df = FLIGHTS.head(Some(500)).select(["day", "distance"]).unwrap();
    let bytes = stream(&df, 100);
    let on = || [col("day"), col("distance")];
    let queries: [&dyn Fn(LazyFrame) -> LazyFrame; 4] = [
        &|lf| concat([lf.clone(), lf], UnionArgs::default()).unwrap(),
        &|lf| concat([lf.clone().limit(150), lf], UnionArgs::default()).unwrap(),
        &|lf| concat([lf.clone().limit(150), lf.limit(10)], UnionArgs::default()).unwrap(),
        &|lf| lf.clone().join(lf, on(), on(), JoinArgs::new(JoinType::Inner)).select([len()]),
    ];
    let mut errors = 0;
    for (i, query) in queries.iter().enumerate() {
        let expected = query(df.clone().lazy()).collect().unwrap();
        for engine in [Engine::InMemory, Engine::Streaming] {
            for merged in [true, false] {
                let twice = query(scan(bytes.clone(), IpcScanOptions::default()));
                match twice.with_comm_subplan_elim(merged).collect_with_engine(engine) {
                    Ok(found) => assert_same(&found.unwrap_single(), &expected),
                    Err(error) => {
                        errors += 1;
                        assert!(error.to_string().contains("can be read once"), "{i}: {error}");
                    },
                }
            }
        }
    }
    assert!(errors >= 8, "not merged, there is nothing else it can be: {errors}");
}

/// Threads that collect it at the same time: one has all rows, and nobody some of them.
#[test]
fn at_the_same_time() {
    let df = FLIGHTS.head(Some(2_000));
    for _ in 0..8 {
        let lf = scan(stream(&df, 100), IpcScanOptions::default());
        let threads = (0..3).map(|_| {
            let lf = lf.clone();
            thread::spawn(move || lf.collect_with_engine(Engine::Streaming))
        });
        let threads = threads.collect::<Vec<_>>();
        let mut whole = 0;
        for thread in threads {
            match thread.join().unwrap() {
                Ok(found) => {
                    whole += 1;
                    assert_same(&found.unwrap_single(), &df);
                },
                Err(error) => assert!(error.to_string().contains("can be read once"), "{error}"),
            }
        }
        assert_eq!(whole, 1);
    }
}

/// A writer that waits until its last batch has been handed on.
fn in_step(batches: usize) -> (impl Read + Send + 'static, Sender<()>) {
    let (source, mut sink) = io::pipe().unwrap();
    let (seen, wait) = channel();
    thread::spawn(move || {
        let df = DataFrame::new(2 * batches, vec![Column::new("n".into(), vec![7i64; 2 * batches])]).unwrap();
        // All but the end marker of a stream is how a longer one begins.
        let end = |batches: usize| stream(&df.head(Some(2 * batches)), 2).len() - 8;
        let bytes = stream(&df, 2);
        let mut start = 0;
        for batch in 1..=batches {
            if sink.write_all(&bytes[start..end(batch)]).is_err() {
                return;
            }
            start = end(batch);
            if wait.recv_timeout(Duration::from_secs(60)).is_err() {
                return;
            }
        }
        let _ = sink.write_all(&bytes[start..]);
    });
    (source, seen)
}

#[test]
fn batches_come_as_they_are_written() {
    let (source, seen) = in_step(50);
    let rows = Arc::new(AtomicU64::new(0));
    let callback = {
        let rows = Arc::clone(&rows);
        PlanCallback::new(move |df: DataFrame| {
            rows.fetch_add(df.height() as u64, Ordering::Relaxed);
            if df.height() > 0 {
                let _ = seen.send(());
            }
            Ok(false)
        })
    };
    let lf = scan_ipc_reader(Box::new(source), IpcScanOptions::default()).unwrap();
    let lf = lf.with_columns([(col("n") * lit(2)).alias("double")]);
    lf.sink_batches(callback, true, None).unwrap().collect_with_engine(Engine::Streaming).unwrap();
    assert_eq!(rows.load(Ordering::Relaxed), 100);
}

#[test]
fn a_slow_query_holds_up_a_fast_writer() {
    let (source, mut sink) = io::pipe().unwrap();
    let written = Arc::new(AtomicU64::new(0));
    let writer = thread::spawn({
        let written = Arc::clone(&written);
        move || {
            let df = DataFrame::new(50_000, vec![Column::new("n".into(), vec![7i64; 50_000])]).unwrap();
            let mut writer = IpcStreamWriter::new(&mut sink).batched(df.schema()).unwrap();
            for _ in 0..100 {
                if writer.write_batch(&df).is_err() {
                    break;
                }
                written.fetch_add(1, Ordering::Relaxed);
            }
            let _ = writer.finish();
        }
    });
    let lf = scan_ipc_reader(Box::new(source), IpcScanOptions::default()).unwrap();
    let mut batches = lf.collect_ipc_batches(Some(50_000)).unwrap();
    assert_eq!(batches.next().unwrap().unwrap().height(), 50_000);
    thread::sleep(Duration::from_millis(500));
    let ahead = written.load(Ordering::Relaxed);
    assert!(ahead < 60, "{ahead} batches were written while one was taken");
    assert_eq!(batches.map(|batch| batch.unwrap().height()).sum::<usize>(), 99 * 50_000);
    writer.join().unwrap();
}

#[test]
fn columns_that_are_not_needed_are_not_decoded() {
    // No byte of them is a z.
    let n: Vec<i64> = (0..1_000).map(|n| n % 100).collect();
    let text = vec!["zzzzzzzzzzzzzzzzzzzzzzzz"; 1_000];
    let df = DataFrame::new(1_000, vec![Column::new("n".into(), n), Column::new("t".into(), text)]).unwrap();
    let mut bytes = stream(&df, 100);
    bytes.iter_mut().filter(|byte| **byte == b'z').for_each(|byte| *byte = 0xFF);
    let options = IpcScanOptions::default();
    assert_same(&once(&bytes, &options, &|lf| lf.select([col("n")])), &df.select(["n"]).unwrap());
    assert_eq!(
        once(&bytes, &options, &|lf| lf.select([len()])).get_row(0).unwrap().0,
        [AnyValue::UInt32(1_000)]
    );
    for message in fails(|| Ok(scan(bytes.clone(), options.clone()))) {
        assert!(message.to_lowercase().contains("utf-8"), "{message}");
    }
    let binary = once(&bytes, &options.with_text_as_binary(["t"]), &|lf| lf);
    assert_eq!(binary.column("t").unwrap().dtype(), &DataType::Binary);
}

#[test]
fn what_is_cut_or_no_stream_is_an_error() {
    let bytes = stream(&FLIGHTS.head(Some(1_000)), 100);
    for message in fails(|| Ok(scan(bytes[..bytes.len() / 2].to_vec(), IpcScanOptions::default()))) {
        assert!(!message.is_empty());
    }
    for junk in [&b""[..], b"PAR1 and more of it", &bytes[..20]] {
        assert!(scan_ipc_reader(Box::new(Cursor::new(junk.to_vec())), IpcScanOptions::default()).is_err());
    }
}

/// Tables from two pipes in one query, and a sink behind it.
#[test]
fn two_readers_join() {
    let left = FLIGHTS.head(Some(3_000)).select(["day", "distance"]).unwrap();
    let right = DataFrame::new(31, vec![Column::new("day".into(), (1..32i64).collect::<Vec<_>>())]).unwrap();
    let right = right.lazy().with_columns([(col("day") * lit(10)).alias("ten")]).collect().unwrap();
    let join = |left: LazyFrame, right: LazyFrame| {
        let joined = left.join(right, [col("day")], [col("day")], JoinArgs::new(JoinType::Inner));
        joined.select([col("ten").sum(), col("distance").sum(), len()])
    };
    let expected = join(left.clone().lazy(), right.clone().lazy()).collect().unwrap();
    for engine in [Engine::InMemory, Engine::Streaming] {
        let piped = |df: &DataFrame| {
            let (source, mut sink) = io::pipe().unwrap();
            let bytes = stream(df, 100);
            thread::spawn(move || sink.write_all(&bytes));
            scan_ipc_reader(Box::new(source), IpcScanOptions::default()).unwrap()
        };
        let found = join(piped(&left), piped(&right)).collect_with_engine(engine).unwrap().unwrap_single();
        assert_same(&found, &expected);
    }
    let summary = scan(stream(&left, 100), IpcScanOptions::default())
        .filter(col("day").eq(lit(1)))
        .sink_ipc_stream(Box::new(io::sink()), Default::default())
        .unwrap();
    let expected = left.lazy().filter(col("day").eq(lit(1))).collect().unwrap();
    assert_eq!(summary.rows, expected.height() as u64);
}

/// Batches of 1 MB that are made as they are read.
struct Endless {
    schema: Vec<u8>,
    batch: Vec<u8>,
    batches: usize,
    at: usize,
}

impl Endless {
    fn new(batches: usize) -> Self {
        let df = DataFrame::new(1 << 17, vec![Column::new("n".into(), vec![7i64; 1 << 17])]).unwrap();
        let all = stream(&df, 1 << 17);
        let head = stream(&df.slice(0, 0), 1 << 17).len() - 8;
        Self { schema: all[..head].to_vec(), batch: all[head..all.len() - 8].to_vec(), batches, at: 0 }
    }
}

impl Read for Endless {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let from = if self.schema.is_empty() { &self.batch[self.at..] } else { &self.schema[self.at..] };
        if self.schema.is_empty() && self.batches == 0 {
            return Ok(0);
        }
        let count = from.len().min(buf.len());
        buf[..count].copy_from_slice(&from[..count]);
        if count < from.len() {
            self.at += count;
            return Ok(count);
        }
        self.at = 0;
        match self.schema.is_empty() {
            true => self.batches -= 1,
            false => self.schema.clear(),
        }
        Ok(count)
    }
}

/// In a process of its own, whose highest memory it prints.
#[cfg(target_os = "linux")]
fn memory_of_a_long_stream() {
    let memory = |line: &str| -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let value = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
        value.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    let run = |batches: usize| {
        let lf = scan_ipc_reader(Box::new(Endless::new(batches)), IpcScanOptions::default()).unwrap();
        let lf = lf.filter(col("n").gt(lit(0))).select([len(), col("n").sum()]);
        let found = lf.collect_with_engine(Engine::Streaming).unwrap().unwrap_single();
        let rows = batches as u64 * (1 << 17);
        let value = |at: usize| found.columns()[at].get(0).unwrap().try_extract::<u64>().unwrap();
        assert_eq!((value(0), value(1)), (rows, rows * 7));
        let lf = scan_ipc_reader(Box::new(Endless::new(batches)), IpcScanOptions::default()).unwrap();
        let summary = lf.sink_ipc_stream(Box::new(io::sink()), Default::default()).unwrap();
        assert_eq!(summary.rows, rows);
    };
    run(20);
    let before = memory("VmRSS:");
    run(2_048);
    println!("peak: {}", memory("VmHWM:").saturating_sub(before));
}

/// Queries by the number of threads, which a process has once.
const CHILD: &str = "FLOE_LAZY_SCAN_READER_CHILD";

fn child(what: &str, threads: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "reader::the_child", "--nocapture", "--test-threads", "1"]).env(CHILD, what);
    if let Some(threads) = threads {
        command.env("POLARS_MAX_THREADS", threads);
    }
    let mut running = command.stderr(Stdio::inherit()).stdout(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    // It prints little, which the pipe holds.
    let status = loop {
        match running.try_wait().unwrap() {
            Some(status) => break status,
            None if begun.elapsed() < Duration::from_secs(300) => thread::sleep(Duration::from_millis(20)),
            None => {
                running.kill().unwrap();
                panic!("{what}, {threads:?} threads: not done after five minutes");
            },
        }
    };
    assert!(status.success(), "{what}, {threads:?} threads: {status}");
    io::read_to_string(running.stdout.unwrap()).unwrap()
}

/// Run by the tests below; by itself it does nothing.
#[test]
fn the_child() {
    match std::env::var(CHILD).as_deref() {
        #[cfg(target_os = "linux")]
        Ok("memory") => memory_of_a_long_stream(),
        Ok("threads") => {
            compare(4_000, 200);
            an_ipc_file_and_several_streams();
            limits_stop_reading();
            a_limit_does_not_wait_for_more();
            batches_come_as_they_are_written();
            a_query_feeds_another();
            two_readers_join();
            twice_in_one_query();
        },
        _ => {},
    }
}

#[test]
fn any_number_of_threads() {
    for threads in ["1", "3", "16"] {
        child("threads", Some(threads));
    }
}

/// 2 GB through a query, and through a sink.
#[cfg(target_os = "linux")]
#[test]
fn memory_is_bounded() {
    let out = child("memory", Some("8"));
    let peak = out.lines().find_map(|line| line.split_once("peak: ")).unwrap().1;
    let peak = peak.trim().parse::<u64>().unwrap() >> 10;
    floe_tests::run::say(&format!("2,048 MB through {peak} MB"));
    assert!(peak < 200, "{peak} MB");
}

/// The writer keeps the pipe open, and writes no more.
#[test]
fn a_limit_does_not_wait_for_more() {
    let df = FLIGHTS.head(Some(300));
    for engine in [Engine::InMemory, Engine::Streaming] {
        for query in [
            &(|lf: LazyFrame| lf.limit(150)) as &dyn Fn(LazyFrame) -> LazyFrame,
            &|lf| lf.slice(110, 40).select([col("day"), col("carrier")]),
            &|lf| lf.limit(200).select([len()]),
        ] {
            let (source, mut sink) = io::pipe().unwrap();
            let mut bytes = stream(&df.head(Some(200)), 100);
            bytes.truncate(bytes.len() - 8);
            let (done, wait) = channel::<()>();
            let writer = thread::spawn(move || {
                sink.write_all(&bytes).unwrap();
                let _ = wait.recv_timeout(Duration::from_secs(60));
            });
            let lf = scan_ipc_reader(Box::new(source), IpcScanOptions::default()).unwrap();
            let started = std::time::Instant::now();
            let found = query(lf).collect_with_engine(engine).unwrap().unwrap_single();
            assert!(started.elapsed() < Duration::from_secs(30), "it has waited for the writer");
            drop(done);
            writer.join().unwrap();
            assert_same(&found, &query(df.clone().lazy()).collect().unwrap());
        }
    }
}

/// Both run on the threads of one streaming engine.
#[test]
fn a_query_feeds_another() {
    let df = FLIGHTS.head(Some(5_000));
    let (source, sink) = io::pipe().unwrap();
    let feeding = df.clone().lazy().with_columns([(col("day") + lit(1)).alias("next")]);
    let expected = feeding.clone().filter(col("next").gt(lit(2))).collect().unwrap();
    let feeder = thread::spawn(move || feeding.sink_ipc_stream(Box::new(sink), Default::default()));
    let lf = scan_ipc_reader(Box::new(source), IpcScanOptions::default()).unwrap();
    let found = lf.filter(col("next").gt(lit(2))).collect_with_engine(Engine::Streaming).unwrap();
    assert_same(&found.unwrap_single(), &expected);
    assert_eq!(feeder.join().unwrap().unwrap().rows, 5_000);
}

/// A scan of a stream that is being written ends with the writer. When nothing has come for long, that is an error.
#[test]
fn a_growing_file_is_scanned() {
    use floe::FollowReader;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing.arrows");
    let df = FLIGHTS.head(Some(1_000));
    for engine in [Engine::InMemory, Engine::Streaming] {
        let mut writer =
            IpcStreamWriter::new(std::fs::File::create(&path).unwrap()).batched(df.schema()).unwrap();
        writer.write_batch(&df.head(Some(400))).unwrap();
        let bytes = FollowReader::open(&path).unwrap().into_bytes().unwrap();
        let lf = scan_ipc_reader(Box::new(bytes), IpcScanOptions::default()).unwrap();
        let late = thread::spawn({
            let df = df.clone();
            move || {
                thread::sleep(Duration::from_millis(50));
                writer.write_batch(&df.slice(400, 600)).unwrap();
                writer.finish().unwrap();
            }
        });
        assert_same(&lf.collect_with_engine(engine).unwrap().unwrap_single(), &df);
        late.join().unwrap();

        let mut writer =
            IpcStreamWriter::new(std::fs::File::create(&path).unwrap()).batched(df.schema()).unwrap();
        writer.write_batch(&df.head(Some(400))).unwrap();
        let scan = || {
            let reader =
                FollowReader::open(&path).unwrap().with_idle_timeout(Some(Duration::from_millis(50)));
            scan_ipc_reader(Box::new(reader.into_bytes().unwrap()), IpcScanOptions::default()).unwrap()
        };
        let found = scan().limit(400).collect_with_engine(engine).unwrap().unwrap_single();
        assert_same(&found, &df.head(Some(400)));
        let error = scan().collect_with_engine(engine).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("has not grown"), "{error}");
    }
}

/// The first rows have been read when it fails: the query fails, and says why.
#[test]
fn a_reader_that_fails_in_the_middle() {
    let df = FLIGHTS.head(Some(2_000));
    let bytes = stream(&df, 100);
    for at in [bytes.len() / 2, bytes.len() - 9] {
        for message in fails(|| {
            scan_ipc_reader(Box::new(Short(Cursor::new(bytes.clone()), at as u64)), IpcScanOptions::default())
        }) {
            assert!(message.contains("read too far"), "{message}");
        }
    }
}
