//! `AtomicFile`: a file appears whole or not at all, also when its process is killed while it writes.

#[cfg(unix)]
mod kept;
mod killed;
#[cfg(unix)]
mod places;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use floe::prelude::*;
use floe_tests::equal::assert_frames_equal;
use polars_core::prelude::*;

fn frame(first: i64) -> DataFrame {
    let numbers: Vec<_> = (first..first + 1000).collect();
    DataFrame::new(1000, vec![Column::new("n".into(), numbers)]).expect("a frame")
}

fn bytes_of(df: &DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).finish(&mut df.clone()).expect("a frame that can be written");
    bytes
}

fn read(path: &Path) -> PolarsResult<DataFrame> {
    IpcReader::new(File::open(path)?).finish()
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a readable folder");
    let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name().into_string();
    let mut names: Vec<_> = entries.map(|entry| name(entry).expect("UTF-8")).collect();
    names.sort();
    names
}

#[test]
fn commit_puts_the_file_in_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("größe.arrow");
    for first in [0, 5] {
        let mut file = AtomicFile::create(&path).expect("a writable folder");
        assert_eq!(path.exists(), first > 0, "nothing under the name before the commit, or the old file");
        IpcWriter::new(&mut file).finish(&mut frame(first)).expect("a frame that can be written");
        file.commit().expect("a commit");
        assert_frames_equal(&frame(first), &read(&path).expect("a whole file"));
        assert_eq!(names(folder.path()), ["größe.arrow"], "nothing is left beside it");
    }
}

#[test]
fn dropped_without_commit_leaves_the_old_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.arrow");
    let write = || {
        let mut file = AtomicFile::create(&path).expect("a writable folder");
        IpcWriter::new(&mut file).finish(&mut frame(7)).expect("a frame that can be written");
        // A whole file, but nobody said so.
        drop(file);
    };
    write();
    assert_eq!(names(folder.path()), [""; 0]);
    fs::write(&path, b"the old file").expect("a writable folder");
    write();
    assert_eq!(fs::read(&path).expect("the old file"), b"the old file");
    assert_eq!(names(folder.path()), ["data.arrow"]);
}

#[test]
fn parked_it_goes_on_where_it_was_and_may_get_another_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (folder.path().join("part-0.arrow"), folder.path().join("part-00.arrow"));
    let mut file = AtomicFile::create(&first).expect("a writable folder");
    for bytes in [b"one ", b"two ", b"six "] {
        file.write_all(bytes).expect("a writable file");
        file.park();
    }
    assert!(!first.exists());
    file.commit_as(&second).expect("a commit");
    assert_eq!(names(folder.path()), ["part-00.arrow"]);
    assert_eq!(fs::read(&second).expect("a file"), b"one two six ");
    // Parked and dropped, it is gone.
    let mut file = AtomicFile::create(&first).expect("a writable folder");
    file.write_all(b"x").expect("a writable file");
    file.park();
    drop(file);
    assert_eq!(names(folder.path()), ["part-00.arrow"]);
}

#[test]
fn a_panic_while_writing_leaves_the_old_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.arrow");
    fs::write(&path, b"the old file").expect("a writable folder");
    let thread = std::thread::spawn({
        let path = path.clone();
        move || {
            let mut file = AtomicFile::create(path).expect("a writable folder");
            file.write_all(b"half of").expect("a writable file");
            std::panic::resume_unwind(Box::new("on purpose"));
        }
    });
    assert!(thread.join().is_err());
    assert_eq!(fs::read(&path).expect("the old file"), b"the old file");
    assert_eq!(names(folder.path()), ["data.arrow"]);
}

#[test]
fn two_at_once_do_not_meet() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.arrow");
    let mut files = [(); 2].map(|()| AtomicFile::create(&path).expect("a writable folder"));
    for (file, first) in files.iter_mut().zip([0, 5]) {
        IpcWriter::new(file).finish(&mut frame(first)).expect("a frame that can be written");
    }
    let [first, second] = files;
    second.commit().expect("a commit");
    first.commit().expect("a commit");
    assert_frames_equal(&frame(0), &read(&path).expect("the last one committed"));
    assert_eq!(names(folder.path()), ["data.arrow"]);
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(AtomicFile::create(folder.path().join("none").join("data.arrow")).is_err());
    assert!(AtomicFile::create("/").is_err());
    // A folder under the target's name: the rename fails, and nothing is left.
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).expect("a writable folder");
    fs::write(taken.join("file"), b"").expect("a writable folder");
    let file = AtomicFile::create(&taken).expect("a writable folder");
    assert!(file.commit().is_err());
    assert_eq!(names(folder.path()), ["taken"]);
}

#[test]
fn a_name_may_be_as_long_as_the_system_lets_it_be() {
    let folder = tempfile::tempdir().expect("a folder");
    for len in [200, 251, 255] {
        let name = "x".repeat(len);
        let path = folder.path().join(&name);
        for parks in [false, true, false] {
            let mut file = AtomicFile::create(&path).expect("a name that the system takes");
            file.write_all(name.as_bytes()).expect("a writable file");
            if parks {
                file.park();
                let names = names(folder.path());
                assert!(
                    names.iter().filter(|other| *other != &name).all(|other| other.len() < 64),
                    "{names:?}"
                );
            }
            file.commit().expect("a commit");
            assert_eq!(fs::read(&path).expect("a file"), name.as_bytes());
            assert_eq!(names(folder.path()), [name.as_str()]);
        }
        fs::remove_file(&path).expect("a file");
    }
}

#[test]
fn thousands_on_their_way_with_few_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |i: usize| folder.path().join(format!("part-{i}.arrow"));
    let mut files: Vec<_> =
        (0..3000).map(|i| (i, AtomicFile::create(path(i)).expect("a folder"))).map(parked).collect();
    for (i, file) in &mut files {
        write!(file, "more {i}").expect("a writable file");
        file.park();
    }
    // Most of them are given up.
    for (i, file) in files.into_iter().step_by(50) {
        file.commit().expect("a commit");
        assert_eq!(fs::read_to_string(path(i)).expect("a file"), format!("some {i}, more {i}"));
    }
    assert_eq!(names(folder.path()).len(), 60);
}

fn parked((i, mut file): (usize, AtomicFile)) -> (usize, AtomicFile) {
    write!(file, "some {i}, ").expect("a writable file");
    file.park();
    (i, file)
}

#[cfg(unix)]
#[test]
fn after_a_write_that_failed_it_gets_no_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.arrow");
    fs::write(&path, b"the old file").expect("a writable folder");
    let mut file = AtomicFile::create(&path).expect("a writable folder");
    file.write_all(b"half of").expect("a writable file");
    file.park();
    // Somebody has taken it away.
    let temporary =
        names(folder.path()).into_iter().find(|name| name != "data.arrow").expect("a temporary file");
    fs::rename(folder.path().join(&temporary), folder.path().join("away")).expect("a writable folder");
    assert!(file.write_all(b" the bytes").is_err());
    fs::rename(folder.path().join("away"), folder.path().join(&temporary)).expect("a writable folder");
    file.write_all(b" the bytes").expect("a writable file");
    let error = file.commit().expect_err("a part is missing");
    assert!(error.to_string().contains("not complete"), "{error}");
    assert_eq!(fs::read(&path).expect("the old file"), b"the old file");
    assert_eq!(names(folder.path()), ["data.arrow"]);
}
