//! Folders that are not empty, and commits that fail.

use std::process::{Command, Stdio};
use std::time::Duration;

use super::*;

/// Rows whose every value is `generation`, a row for each of `keys`.
fn generation(generation: i64, keys: i64) -> DataFrame {
    let k: Vec<i64> = (0..keys).collect();
    let g = vec![generation; k.len()];
    DataFrame::new(k.len(), vec![Column::new("k".into(), k), Column::new("g".into(), g)]).expect("a frame")
}

fn sink(df: DataFrame, folder: &Path, existing: ExistingFiles) -> PolarsResult<Vec<PartitionSummary>> {
    let options = IpcSinkOptions::default().with_existing(existing);
    df.lazy().sink_ipc_partitioned(folder, PartitionBy::Keys(vec!["k"]), options)
}

fn scan(folder: &Path) -> DataFrame {
    // Files change faster than the cache of indexes looks.
    let options = IpcScanOptions::default().with_hive(true).with_index_cache(false);
    let df = scan_ipc_file(folder, options).expect("a scan").collect().expect("rows");
    sorted(&df.select(["k", "g"]).expect("columns"), "k")
}

fn names<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn a_folder_that_is_not_empty_is_an_error_by_default() {
    let folder = tempfile::tempdir().expect("a folder");
    sink(generation(1, 3), folder.path(), ExistingFiles::default()).expect("empty");
    let ran = Arc::new(AtomicUsize::new(0));
    for by in [PartitionBy::Keys(vec!["k"]), PartitionBy::MaxRows(2), PartitionBy::MaxBytes(1000)] {
        let count = Arc::clone(&ran);
        let counted = move |column: Column| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(column)
        };
        let query = generation(2, 2).lazy().with_column(col("g").map(counted, |_, field| Ok(field.clone())));
        let error =
            query.sink_ipc_partitioned(folder.path(), by, IpcSinkOptions::default()).expect_err("not empty");
        assert!(
            matches!(&error, PolarsError::IO { error, .. } if error.kind() == io::ErrorKind::DirectoryNotEmpty),
            "{error:?}"
        );
        let text = error.to_string();
        assert!(text.contains(folder.path().to_str().expect("UTF-8")), "{text}");
        assert!(text.contains("part-0.arrow") && text.contains("ExistingFiles::Replace"), "{text}");
    }
    assert_eq!(ran.load(Ordering::Relaxed), 0, "found before the query runs");
    assert_frames_equal(&generation(1, 3), &scan(folder.path()));
}

#[test]
fn what_is_hidden_or_empty_does_not_count() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("k=7").join("empty")).expect("folders");
    fs::write(folder.path().join(".hidden"), "").expect("a file");
    fs::create_dir(folder.path().join(".git")).expect("a folder");
    fs::write(folder.path().join(".git").join("x"), "").expect("a file");
    sink(generation(1, 2), folder.path(), ExistingFiles::Error).expect("no file");
    assert!(folder.path().join(".git").join("x").exists());
}

#[test]
fn fewer_files_replace_all() {
    let folder = tempfile::tempdir().expect("a folder");
    sink(generation(1, 9), folder.path(), ExistingFiles::Error).expect("files");
    fs::write(folder.path().join("k=8").join("00000000.ipc"), "another writer's").expect("a file");
    fs::write(folder.path().join("README"), "stays").expect("a file");
    fs::create_dir(folder.path().join("other")).expect("a folder");
    fs::write(folder.path().join("other").join("x.arrow"), "stays").expect("a file");
    sink(generation(2, 2), folder.path(), ExistingFiles::Replace).expect("files");
    let left = names(["README", "other/x.arrow", "k=0/part-0.arrow", "k=1/part-0.arrow"]);
    assert_eq!(files(folder.path()), left);
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 4, "folders of keys are gone");
    fs::remove_file(folder.path().join("README")).expect("a file");
    fs::remove_dir_all(folder.path().join("other")).expect("a folder");
    assert_frames_equal(&generation(2, 2), &scan(folder.path()));

    // Files by rows over files by keys, fewer of them over more, and none at all.
    let by_rows = |df: DataFrame, most| {
        let options = IpcSinkOptions::default().with_existing(ExistingFiles::Replace);
        df.lazy().sink_ipc_partitioned(folder.path(), PartitionBy::MaxRows(most), options).expect("files")
    };
    assert_eq!(by_rows(generation(3, 50), 5).len(), 10);
    assert_eq!(files(folder.path()).len(), 10);
    by_rows(generation(4, 50), 25);
    assert_eq!(files(folder.path()), names(["part-0.arrow", "part-1.arrow"]));
    sink(generation(5, 0), folder.path(), ExistingFiles::Replace).expect("no files");
    assert_eq!(files(folder.path()), names([]));
}

#[test]
fn a_folder_replaces_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    sink(generation(1, 9), folder.path(), ExistingFiles::Error).expect("files");
    let lf = scan_ipc_file(folder.path(), IpcScanOptions::default().with_hive(true)).expect("a scan");
    let options = IpcSinkOptions::default().with_existing(ExistingFiles::Replace);
    let next = lf.filter(col("k").gt(lit(3))).with_column(col("g") + lit(1));
    next.sink_ipc_partitioned(folder.path(), PartitionBy::Keys(vec!["k"]), options).expect("files");
    assert_frames_equal(&generation(2, 9).slice(4, 5), &scan(folder.path()));
}

#[test]
fn added_files_stand_beside_the_old() {
    let folder = tempfile::tempdir().expect("a folder");
    sink(generation(0, 3), folder.path(), ExistingFiles::Error).expect("files");
    let path = folder.path();
    let added: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (1..5).map(|g| scope.spawn(move || sink(generation(g, 3), path, ExistingFiles::Add))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic").expect("files")).collect()
    });
    assert_eq!(files(folder.path()).len(), 15);
    assert!(added.iter().flatten().all(|part| part.path.is_file()));
    let sum = scan(folder.path()).lazy().select([col("g").sum()]).collect().expect("a sum");
    assert_eq!(sum.column("g").expect("g").get(0).expect("a row"), AnyValue::Int64(3 * (1 + 2 + 3 + 4)));

    // Files by rows keep the order of the rows, also over calls.
    let folder = tempfile::tempdir().expect("a folder");
    for start in [0, 30] {
        let rows = keyed(60, 1).slice(start, 30);
        let options = IpcSinkOptions::default().with_existing(ExistingFiles::Add);
        rows.lazy().sink_ipc_partitioned(folder.path(), PartitionBy::MaxRows(2), options).expect("files");
        std::thread::sleep(Duration::from_millis(2));
    }
    let found =
        scan_ipc_file(folder.path(), IpcScanOptions::default()).expect("a scan").collect().expect("rows");
    assert_frames_equal(&keyed(60, 1), &found);
}

#[test]
fn what_is_in_the_way_is_found_before_anything_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    sink(generation(1, 9), folder.path(), ExistingFiles::Error).expect("files");
    let taken = folder.path().join("k=5").join("part-0.arrow");
    fs::remove_file(&taken).expect("a file");
    fs::create_dir(&taken).expect("a folder");
    let before = files(folder.path());
    let error =
        sink(generation(2, 7), folder.path(), ExistingFiles::Replace).expect_err("a folder in the way");
    let text = error.to_string();
    assert!(text.contains("k=5") && text.contains("all files are as they were before"), "{text}");
    assert_eq!(files(folder.path()), before);
    fs::remove_dir(&taken).expect("a folder");
    let expected = generation(1, 9).lazy().filter(col("k").neq(lit(5))).collect().expect("rows");
    assert_frames_equal(&expected, &scan(folder.path()));
    // A file where a key's folder should be.
    fs::remove_dir(folder.path().join("k=5")).expect("a folder");
    fs::write(folder.path().join("k=5"), "in the way").expect("a file");
    sink(generation(2, 7), folder.path(), ExistingFiles::Replace).expect_err("a file in the way");
    fs::remove_file(folder.path().join("k=5")).expect("a file");
    assert_frames_equal(&expected, &scan(folder.path()));
    assert!(!folder.path().join("k=5").exists());
}

#[cfg(unix)]
#[test]
fn modes_are_kept_and_links_are_followed() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data");
    sink(generation(1, 3), &path, ExistingFiles::Error).expect("files");
    let private = path.join("k=0").join("part-0.arrow");
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).expect("a mode");
    let (link, elsewhere) = (path.join("k=1").join("part-0.arrow"), folder.path().join("elsewhere.arrow"));
    fs::rename(&link, &elsewhere).expect("another place");
    symlink(&elsewhere, &link).expect("a link");
    // At no time can others read what replaces a file that they cannot read.
    let (watched, kept) = (path.join("k=0"), generation(2, 3));
    let watch = move |column: Column| {
        for entry in fs::read_dir(&watched)? {
            let found = entry?;
            let mode = found.metadata()?.permissions().mode();
            polars_ensure!(mode & 0o077 == 0, ComputeError: "{:?} has the mode {mode:o}", found.path());
        }
        Ok(column)
    };
    let options = IpcSinkOptions::default().with_existing(ExistingFiles::Replace).with_progress({
        let watch = watch.clone();
        move |_| drop(watch(Column::new("".into(), [0])).expect("private files"))
    });
    let query = kept.lazy().with_column(col("g").map(watch, |_, field| Ok(field.clone())));
    query.sink_ipc_partitioned(&path, PartitionBy::Keys(vec!["k"]), options).expect("files");
    let ordinary = fs::metadata(path.join("k=2").join("part-0.arrow")).expect("a file").permissions().mode();
    let fresh = folder.path().join("fresh");
    fs::write(&fresh, "").expect("a file");
    assert_eq!(ordinary, fs::metadata(&fresh).expect("a file").permissions().mode());
    assert_eq!(fs::metadata(&private).expect("a file").permissions().mode() & 0o777, 0o600);
    assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    assert_frames_equal(&generation(2, 3), &scan(&path));
    assert_eq!(read(&elsewhere).column("g").expect("g").get(0).expect("a row"), AnyValue::Int64(2));
}

// --- Other processes.

/// Tells this program that it is the child, and what to do where.
const CHILD: &str = "FLOE_LAZY_PARTITION_CHILD";

fn child(what: &str, folder: &Path) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "existing::the_child", "--nocapture", "--test-threads", "1"]);
    command.env(CHILD, what).env("FLOE_LAZY_PARTITION_FOLDER", folder).stdout(Stdio::null());
    command.spawn().expect("a process")
}

/// Run by the tests below; by itself it does nothing.
#[test]
fn the_child() {
    let Ok(what) = std::env::var(CHILD) else { return };
    let folder = PathBuf::from(std::env::var("FLOE_LAZY_PARTITION_FOLDER").expect("a folder"));
    match what.as_str() {
        "add" => {
            for g in 0..5 {
                sink(generation(g, 3), &folder, ExistingFiles::Add).expect("files");
            }
        },
        "replace" => {
            for g in 1.. {
                sink(generation(g, 20), &folder, ExistingFiles::Replace).expect("files");
            }
        },
        other => panic!("{other}"),
    }
}

#[test]
fn processes_add_files_of_different_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let children: Vec<_> = (0..3).map(|_| child("add", folder.path())).collect();
    for mut child in children {
        assert!(child.wait().expect("a process").success());
    }
    assert_eq!(files(folder.path()).len(), 3 * 5 * 3);
    assert_eq!(scan(folder.path()).height(), 3 * 5 * 3);
}

#[test]
fn a_process_that_is_killed_leaves_every_file_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    sink(generation(0, 20), folder.path(), ExistingFiles::Error).expect("files");
    for i in 0..8u64 {
        let mut child = child("replace", folder.path());
        // It has begun when a file is new; it is killed wherever it is then.
        let first = folder.path().join("k=0").join("part-0.arrow");
        let before = read(&first);
        let begun = std::time::Instant::now();
        while read(&first).equals(&before) && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(700 * i));
        child.kill().expect("a process");
        child.wait().expect("a process");
        let visible: BTreeSet<String> =
            files(folder.path()).into_iter().filter(|path| !path.contains("/.")).collect();
        assert_eq!(visible.len(), 20, "{visible:?}");
        let found = scan(folder.path());
        assert_eq!(found.column("k").expect("k"), generation(0, 20).column("k").expect("k"));
    }
    // The files that it left are hidden, and do not keep the next sink from its work.
    sink(generation(99, 20), folder.path(), ExistingFiles::Replace).expect("files");
    assert_frames_equal(&generation(99, 20), &scan(folder.path()));
}
