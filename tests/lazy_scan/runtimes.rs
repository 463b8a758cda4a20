//! Scans on a thread of the caller's own runtime, which may be its only one.

use super::*;
use floe::lazy::{IpcSinkOptions, LazyIpcExt};

/// Any query of Polars panics on such a thread, if it is not told to block elsewhere.
#[test]
fn a_runtime_of_one_thread() {
    let folder = tempfile::tempdir().unwrap();
    let df = FLIGHTS.head(Some(5_000));
    let path = put(folder.path(), "flights.arrow", &file(&df, 1_000));
    put(folder.path(), "all/month=1/flights.arrow", &file(&df, 1_000));
    let written = folder.path().join("few.arrow");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let lf = scan_ipc_file(&path, IpcScanOptions::default()).unwrap();
        let hive = scan_ipc_file(folder.path().join("all"), IpcScanOptions::default().with_hive(true));
        let hive = hive.unwrap().select([len()]);
        let pattern = folder.path().join("all/*/*.arrow");
        let pattern = scan_ipc_file(&pattern, IpcScanOptions::default()).unwrap();
        let blocking = tokio::task::spawn_blocking(move || {
            assert_same(&both(&lf).unwrap(), &df);
            assert_same(&both(&pattern).unwrap(), &df);
            assert_eq!(both(&hive).unwrap().height(), 1);
            let few = lf.filter(col("day").eq(lit(1))).slice(-7, 3);
            few.sink_ipc_file(written.as_path(), IpcSinkOptions::default()).unwrap()
        });
        assert_eq!(blocking.await.unwrap().rows, 3);
    });
}
