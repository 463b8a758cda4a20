//! Sets of files that are visible together, written by many processes of which some are killed.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

const CHILD: &str = "FLOE_LAZY_PARTITION_WRITER";
/// Files of a set, and rows in each.
const FILES: i64 = 12;
const ROWS: usize = 40;

fn adding() -> IpcSinkOptions {
    IpcSinkOptions::default().with_existing(ExistingFiles::Add).with_commit_marker(true)
}

fn committed() -> IpcScanOptions {
    IpcScanOptions::default().with_hive(true).with_committed_only(true).with_index_cache(false)
}

/// Rows of one set: its number, and a key for each file.
fn set(number: i64) -> DataFrame {
    let rows = ROWS * usize::try_from(FILES).expect("a small number");
    let k: Vec<i64> = (0..FILES).cycle().take(rows).collect();
    DataFrame::new(rows, vec![Column::new("k".into(), k), Column::new("set".into(), vec![number; rows])])
        .expect("a frame")
}

fn write(folder: &Path, number: i64) -> PolarsResult<Vec<PartitionSummary>> {
    set(number).lazy().sink_ipc_partitioned(folder, PartitionBy::Keys(vec!["k"]), adding())
}

/// How many rows there are of each set.
fn sets(folder: &Path, options: IpcScanOptions) -> BTreeMap<i64, usize> {
    let df = match scan_ipc_file(folder, options) {
        Ok(lf) => lf.collect().expect("whole files"),
        Err(error) if error.to_string().contains("found nothing to scan") => return BTreeMap::new(),
        Err(error) => panic!("{error}"),
    };
    let mut found = BTreeMap::new();
    for number in df.column("set").expect("a column").i64().expect("integers").iter().flatten() {
        *found.entry(number).or_insert(0) += 1;
    }
    found
}

fn whole() -> usize {
    set(0).height()
}

#[test]
fn a_scan_of_what_is_committed_takes_the_files_that_markers_name() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), 1).expect("files");
    let unmarked = IpcSinkOptions::default().with_existing(ExistingFiles::Add);
    by_keys(&set(2), folder.path(), &["k"], unmarked.clone());
    write(folder.path(), 3).expect("files");
    let all = IpcScanOptions::default().with_hive(true);
    assert_eq!(sets(folder.path(), all.clone()).len(), 3);
    let marked = sets(folder.path(), committed());
    assert_eq!(marked, BTreeMap::from([(1, whole()), (3, whole())]));
    // A marker is the last to come, and a hidden one: readers that do not know it see files only.
    let markers: Vec<String> =
        files(folder.path()).into_iter().filter(|file| file.starts_with(".committed-")).collect();
    assert_eq!(markers.len(), 2);
    // A file that is named and gone is an error that names it.
    let marker: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join(&markers[0])).expect("a marker")).expect("JSON");
    let first = marker["files"][0].as_str().expect("a path");
    fs::remove_file(folder.path().join(first)).expect("a file");
    let error = scan_ipc_file(folder.path(), committed()).map(drop).expect_err("a file is gone").to_string();
    assert!(error.contains(first), "{error}");
    // A call that replaces all files replaces the markers.
    let replacing = unmarked.with_existing(ExistingFiles::Replace);
    by_keys(&set(4), folder.path(), &["k"], replacing.clone());
    assert_eq!(sets(folder.path(), committed()), BTreeMap::new());
    by_keys(&set(5), folder.path(), &["k"], replacing.with_commit_marker(true));
    assert_eq!(sets(folder.path(), committed()), BTreeMap::from([(5, whole())]));
    assert_eq!(sets(folder.path(), all), BTreeMap::from([(5, whole())]));
}

#[test]
fn markers_are_of_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), 1).expect("files");
    for source in [folder.path().join("**/*.arrow"), folder.path().join("k=0")] {
        let error = scan_ipc_file(&*source, committed()).map(drop).expect_err("no markers there").to_string();
        assert!(error.contains("no folder") || error.contains("found nothing"), "{error}");
    }
    let bytes = scan_ipc_file(Vec::<u8>::new(), committed()).map(drop).expect_err("bytes").to_string();
    assert!(bytes.contains("with_committed_only"), "{bytes}");
    fs::write(folder.path().join(".committed-x.json"), b"{\"files\":[\"../secret.arrow\"]}").expect("a file");
    let error = scan_ipc_file(folder.path(), committed()).map(drop).expect_err("a forged one").to_string();
    assert!(error.contains(".committed-x.json") && error.contains("below the folder"), "{error}");
}

/// Run by the test below; by itself it does nothing.
#[test]
fn the_writer() {
    let Ok(text) = std::env::var(CHILD) else { return };
    let (number, folder) = text.split_once(':').expect("a number and a folder");
    let number: i64 = number.parse().expect("a number");
    for turn in 0.. {
        write(Path::new(folder), number * 1000 + turn).expect("files");
        println!("{}", number * 1000 + turn);
        if turn == 5 && number % 2 == 0 {
            return;
        }
    }
}

fn start(number: i64, folder: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "committed::the_writer", "--nocapture", "--test-threads", "1"])
        .env(CHILD, format!("{number}:{}", folder.display()))
        .env("POLARS_MAX_THREADS", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process")
}

/// Six processes add sets of files to one folder, and three of them are killed at it. At every moment, and after the last
/// has gone, a set is there as a whole or not at all; sets whose process said that they are written are there.
#[test]
fn many_processes_add_to_one_folder_and_are_killed_at_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut writers: Vec<Child> = (0..6).map(|number| start(number, folder.path())).collect();
    let begun = Instant::now();
    let mut looks = 0;
    // The odd ones write until they are killed, one after another.
    for (i, number) in [1usize, 3, 5].into_iter().enumerate() {
        let until = Duration::from_millis(1_300 + 411 * i as u64);
        // However slow a look is, there are some beside each writer.
        while begun.elapsed() < until || looks < 2 * (i + 1) || sets(folder.path(), committed()).len() < 3 + i
        {
            for (number, rows) in sets(folder.path(), committed()) {
                assert_eq!(rows, whole(), "of set {number}");
            }
            looks += 1;
            assert!(begun.elapsed() < Duration::from_secs(120), "writers that write");
        }
        writers[number].kill().expect("a process");
    }
    let mut said = BTreeSet::new();
    for writer in writers {
        let output = writer.wait_with_output().expect("a process");
        let lines = String::from_utf8(output.stdout).expect("text");
        said.extend(lines.lines().filter_map(|line| line.parse::<i64>().ok()));
    }
    let found = sets(folder.path(), committed());
    assert!(found.values().all(|rows| *rows == whole()), "{found:?}");
    let missing: Vec<&i64> = said.iter().filter(|number| !found.contains_key(number)).collect();
    assert!(missing.is_empty(), "{missing:?} of {}", said.len());
    assert!(looks > 3 && said.len() >= 18, "{looks} looks, {} sets", said.len());
    // Nobody reads what a killed writer has left: without markers, too, every file is a whole one.
    let all = sets(folder.path(), IpcScanOptions::default().with_hive(true).with_index_cache(false));
    assert!(all.values().all(|rows| rows % ROWS == 0), "{all:?}");
}
