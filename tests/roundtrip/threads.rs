//! Any number of threads: the same bytes, called from anywhere.

use super::*;

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

/// Writers and readers on every thread of Polars' pool at once: a thread that waits has to work.
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
            .args(["--exact", "threads::child", "--test-threads", "1"])
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
