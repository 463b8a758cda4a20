//! Broken sources: errors that say where, never a panic, never fewer rows in silence.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

fn small() -> DataFrame {
    let tags =
        Series::new("c".into(), ["a", "b", "a", "c"]).cast(&DataType::from_categories(Categories::global()));
    DataFrame::new(
        4,
        vec![
            Column::new("a".into(), [1i64, 2, 3, 4]),
            Column::new("s".into(), [Some("one"), None, Some("three, which is longer"), Some("")]),
            tags.unwrap().into_column(),
        ],
    )
    .unwrap()
}

#[test]
fn cut_streams() {
    let df = small();
    let bytes = stream(&df, 1);
    let whole = bytes.len();
    let mut errors = 0;
    for len in 0..whole {
        match scan_ipc_stream(bytes[..len].to_vec(), IpcScanOptions::default()) {
            // Between messages a stream may stop: then the batches before are read.
            Ok(lf) => {
                let found = both(&lf).unwrap();
                assert_same(&found, &df.head(Some(found.height())));
            },
            Err(error) => {
                assert!(!error.to_string().is_empty());
                errors += 1;
            },
        }
    }
    assert!(errors > whole / 2, "{errors} of {whole}");
    let message = error(scan_ipc_stream(bytes[..whole - 100].to_vec(), IpcScanOptions::default()));
    assert!(message.contains("at byte"), "{message}");
}

#[test]
fn cut_files() {
    let bytes = file(&small(), 1);
    for len in 0..bytes.len() {
        assert!(scan_ipc_file(bytes[..len].to_vec(), IpcScanOptions::default()).is_err(), "{len}");
    }
}

#[test]
fn the_path_of_a_broken_source_is_named() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "1.arrows", &stream(&small(), 1));
    let mut bytes = stream(&small(), 1);
    bytes.truncate(bytes.len() - 100);
    put(folder.path(), "2.arrows", &bytes);
    let message = error(scan_ipc_stream(folder.path(), IpcScanOptions::default()));
    assert!(message.contains("2.arrows"), "{message}");
}

#[test]
fn mutations_are_errors_or_values_never_panics() {
    let cases = 400;
    let mut random = StdRng::seed_from_u64(2026);
    let sources = [stream(&small(), 1), file(&small(), 1), file(&small(), 4)];
    for case in 0..cases {
        let mut bytes = sources[case % sources.len()].clone();
        for _ in 0..random.random_range(1..4) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        let options = || IpcScanOptions::default().with_predicate(col("a").gt(lit(2)));
        for lf in
            [scan_ipc_stream(bytes.clone(), options()), scan_ipc_file(bytes, options())].into_iter().flatten()
        {
            for engine in [Engine::InMemory, Engine::Streaming] {
                let _ = lf.clone().collect_with_engine(engine);
            }
            let _ = lf.select([len()]).collect();
        }
    }
}

#[test]
fn limits_hold() {
    let limits = IpcLimits { max_buffers: 3, ..IpcLimits::default() };
    let options = IpcScanOptions::default().with_limits(limits);
    assert!(error(scan_ipc_file(file(&small(), 2), options)).contains("max_buffers"));
    let limits = IpcLimits { max_total_bytes: 8, ..IpcLimits::default() };
    let options = IpcScanOptions::default().with_limits(limits);
    assert!(error(scan_ipc_file(file(&FLIGHTS, 2_000), options)).contains("max_total_bytes"));
}

/// The tests again with one thread in every pool, where a thread that waits for the pool from within it waits for ever.
#[test]
fn one_thread_is_enough() {
    let me = std::env::current_exe().unwrap();
    let status = std::process::Command::new(me)
        .args(["queries::groups_and_joins", "columns::", "pruning::folders", "--test-threads=1", "--quiet"])
        .env("POLARS_MAX_THREADS", "1")
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}
