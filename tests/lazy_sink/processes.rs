//! Tests that need a process of their own: memory, and pools of another size.

use super::*;

/// Tells this program that it is the child, and what to do.
const CHILD: &str = "FLOE_LAZY_SINK_CHILD";

/// Runs this program's test `child` as a process.
pub(super) fn child(what: &str, threads: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "processes::the_child", "--nocapture", "--test-threads", "1"]).env(CHILD, what);
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
        Ok("slices") => slices::matrix(),
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

/// The output of the sinks as hashes, for the test to compare.
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
