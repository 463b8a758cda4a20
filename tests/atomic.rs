//! `AtomicFile`: a file appears whole or not at all, also when its process is killed while it writes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use floe::prelude::*;
use floe_tests::equal::assert_frames_equal;
use polars_core::prelude::*;

/// Tells this program that it is the one to be killed, and where it writes.
const TARGET: &str = "FLOE_ATOMIC_TARGET";
/// Whether it commits, again and again, or never.
const COMMITS: &str = "FLOE_ATOMIC_COMMITS";
/// For what takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

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

// --- Killed.

/// Not a test of its own: what the tests below run as a process, to kill it.
#[test]
fn child() {
    let Some(path) = std::env::var_os(TARGET) else { return };
    let commits = std::env::var_os(COMMITS).is_some();
    let path = PathBuf::from(path);
    for first in 0.. {
        let file = AtomicFile::create(&path).expect("a writable folder");
        let mut writer = IpcWriter::new(file).batched(frame(0).schema()).expect("a writer");
        let mut batch = 0;
        while batch < 20 || !commits {
            writer.write_batch(&frame(first * 1000 + batch)).expect("a writable file");
            batch += 1;
            // Nobody came to kill it.
            assert!(batch < 100_000);
        }
        writer.finish().expect("a writable file");
        writer.into_inner().commit().expect("a commit");
    }
}

/// Ends with the test, however that ends.
struct Killed(Child);

impl Killed {
    fn start(path: &Path, commits: bool) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "child"]).env(TARGET, path).stdout(Stdio::null()).stderr(Stdio::null());
        if commits {
            command.env(COMMITS, "1");
        }
        Self(command.spawn().expect("a process"))
    }

    /// Waits until `ready`.
    fn kill_when(mut self, ready: impl Fn() -> bool) {
        let start = Instant::now();
        while !ready() {
            assert!(start.elapsed() < PATIENCE, "the process did not come that far");
            assert!(self.0.try_wait().expect("a process").is_none(), "the process ended by itself");
            std::thread::sleep(Duration::from_millis(1));
        }
        self.0.kill().expect("a process that runs");
        let status = self.0.wait().expect("a process");
        assert!(!status.success(), "{status}");
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The temporary file's length, if there is one.
fn written(folder: &Path) -> Option<u64> {
    let temporary = names(folder).into_iter().find(|name| is_temporary(name))?;
    Some(fs::metadata(folder.join(temporary)).ok()?.len())
}

fn is_temporary(name: &str) -> bool {
    name.starts_with(".data.arrow.") && name.ends_with(".tmp")
}

#[test]
fn killed_while_it_writes_leaves_the_old_file() {
    let old = bytes_of(&frame(-1));
    for (old, bytes) in [(None, 1), (Some(&old), 1), (Some(&old), 10_000), (Some(&old), 1_000_000)] {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("data.arrow");
        if let Some(old) = old {
            fs::write(&path, old).expect("a writable folder");
        }
        Killed::start(&path, false).kill_when(|| written(folder.path()).is_some_and(|len| len >= bytes));

        assert_eq!(fs::read(&path).ok().as_ref(), old, "killed after {bytes} bytes");
        let names = names(folder.path());
        let (temporary, others): (Vec<_>, Vec<_>) = names.iter().partition(|name| is_temporary(name));
        assert_eq!(others.len(), usize::from(old.is_some()), "{names:?}");
        // What it leaves behind does not look whole, and its batches can be had.
        for name in temporary {
            let left = folder.path().join(name);
            assert!(read(&left).is_err(), "{name} looks whole");
            if bytes == 1_000_000 {
                let saved = IpcReader::recover(File::open(&left).expect("the file")).expect("batches");
                assert!(saved.batches > 100, "{} batches", saved.batches);
                assert_eq!(saved.df.height(), saved.batches * 1000);
                assert_frames_equal(&frame(0), &saved.df.head(Some(1000)));
            }
        }
    }
}

#[test]
fn killed_while_it_commits_leaves_a_whole_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.arrow");
    for round in 0..10 {
        let start = Instant::now();
        let delay = Duration::from_millis(15 * round);
        Killed::start(&path, true).kill_when(|| path.exists() && start.elapsed() > delay);
        let df = read(&path).expect("one of the whole files");
        assert_eq!(df.height(), 20_000);
        // The file under the name is one that was committed: its batches belong together.
        let first =
            df.column("n").expect("the column").get(0).expect("a row").extract::<i64>().expect("a number");
        let batches: Vec<_> = (0..20).map(|batch| frame(first + batch)).collect();
        let expected =
            batches[1..].iter().fold(batches[0].clone(), |whole, batch| whole.vstack(batch).expect("rows"));
        assert_frames_equal(&expected, &df);
    }
}
