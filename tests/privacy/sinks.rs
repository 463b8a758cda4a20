//! The same of queries that go to sinks.

use std::fs;
use std::path::Path;

use super::queries::queries;
use super::*;

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(fs::read(path).expect("a file"));
        }
    }
    found
}

#[test]
fn what_queries_leave_behind_is_not_sunk() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cases = Cases::new();
    for (i, (name, lf)) in queries().into_iter().enumerate() {
        cases.run(name, || {
            // Each query meets some of them, and each of them some queries.
            for (j, compression) in codecs().into_iter().enumerate().skip(i % 4).take(1) {
                for level in [CompatLevel::oldest(), CompatLevel::newest()] {
                    let options = || {
                        IpcSinkOptions::default()
                            .with_compression(compression)
                            .with_compat_level(level)
                            .with_statistics(true)
                    };
                    for file in [false, true] {
                        let path = folder.path().join("sunk");
                        let lf = lf.clone();
                        let done = match file {
                            true => lf.sink_ipc_file(&*path, options().with_record_batch_size(41)),
                            false => lf.sink_ipc_stream(&*path, options()),
                        };
                        assert!(done.expect("sunk").rows > 0);
                        let bytes = fs::read(&path).expect("a file");
                        assert!(!leaks(&bytes, file), "{compression:?}, {level:?}, file {file}");
                    }
                    if i % 3 == 0 {
                        let parts = folder.path().join(format!("parts-{i}-{j}-{level:?}"));
                        let by = PartitionBy::MaxRows(50);
                        lf.clone().sink_ipc_partitioned(&parts, by, options()).expect("files");
                        let files = files(&parts);
                        assert!(
                            !files.is_empty() && !files.iter().any(|bytes| leaks(bytes, true)),
                            "{parts:?}"
                        );
                    }
                }
            }
        });
    }
    cases.finish();
}
