//! Processes that are killed while they write.

use super::*;

/// Tells this program that it is the one to be killed, and where it writes.
const TARGET: &str = "FLOE_ATOMIC_TARGET";
/// The role: [`COMMITS`] again and again, or never; [`PARKS`] after each batch.
const WORK: &str = "FLOE_ATOMIC_WORK";
const COMMITS: &str = "commits";
const PARKS: &str = "parks";
/// The file that it makes when it has written this many bytes.
const MARK: &str = "FLOE_ATOMIC_MARK";
const MARK_AT: &str = "FLOE_ATOMIC_MARK_AT";
/// For what takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Not a test of its own: what the tests below run as a process, to kill it.
#[test]
fn child() {
    let Some(path) = std::env::var_os(TARGET) else { return };
    let work = std::env::var(WORK).unwrap_or_default();
    let mark_at: u64 = std::env::var(MARK_AT).map_or(u64::MAX, |text| text.parse().expect("a number"));
    let path = PathBuf::from(path);
    for first in 0.. {
        let file = AtomicFile::create(&path).expect("a writable folder");
        let mut writer = IpcWriter::new(file).batched(frame(0).schema()).expect("a writer");
        let mut batch = 0;
        while batch < 20 || work != COMMITS {
            writer.write_batch(&frame(first * 1000 + batch)).expect("a writable file");
            if work == PARKS {
                writer.get_mut().park();
            }
            if writer.summary().written_bytes >= mark_at {
                fs::write(std::env::var_os(MARK).expect("a path"), b"").expect("a writable folder");
            }
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
    fn start(path: &Path, work: &str, mark: Option<(&Path, u64)>) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "killed::child"]).env(TARGET, path).env(WORK, work);
        if let Some((mark, at)) = mark {
            command.env(MARK, mark).env(MARK_AT, at.to_string());
        }
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a process"))
    }

    /// Waits until `ready`, and ends it.
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

fn is_temporary(name: &str) -> bool {
    name.starts_with(".floe-") && name.ends_with(".tmp")
}

/// Has a process write `bytes` bytes, and kills it; returns the temporary files that it leaves.
fn kill_after(bytes: u64, work: &str, path: &Path) -> Vec<PathBuf> {
    let marks = tempfile::tempdir().expect("a folder");
    let mark = marks.path().join("mark");
    Killed::start(path, work, Some((&mark, bytes))).kill_when(|| mark.exists());
    let folder = path.parent().expect("a folder");
    names(folder).into_iter().filter(|name| is_temporary(name)).map(|name| folder.join(name)).collect()
}

#[test]
fn killed_while_it_writes_leaves_the_old_file() {
    let old = bytes_of(&frame(-1));
    for (old, bytes) in [(None, 1), (Some(&old), 1), (Some(&old), 10_000), (Some(&old), 1_000_000)] {
        for work in ["", PARKS] {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("data.arrow");
            if let Some(old) = old {
                fs::write(&path, old).expect("a writable folder");
            }
            let left = kill_after(bytes, work, &path);
            assert_eq!(fs::read(&path).ok().as_ref(), old, "killed after {bytes} bytes");
            let others = names(folder.path()).len() - left.len();
            assert_eq!(others, usize::from(old.is_some()));
            if work == PARKS {
                assert_eq!(left.len(), 1, "{left:?}");
            }
            // The files left behind do not look whole, and their batches can be recovered.
            for left in left {
                assert!(read(&left).is_err(), "{} looks whole", left.display());
                if bytes == 1_000_000 {
                    let saved = IpcReader::recover(File::open(&left).expect("the file")).expect("batches");
                    assert!(saved.batches > 100, "{} batches", saved.batches);
                    assert_eq!(saved.df.height(), saved.batches * 1000);
                    assert_frames_equal(&frame(0), &saved.df.head(Some(1000)));
                }
            }
        }
    }
}

/// Where the filesystem knows files without a name, there is nothing to be cleaned up.
#[cfg(target_os = "linux")]
#[test]
fn killed_without_having_parked_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = rustix::fs::OFlags::TMPFILE | rustix::fs::OFlags::WRONLY;
    if rustix::fs::open(folder.path(), flags, rustix::fs::Mode::RWXU).is_err() {
        floe_tests::run::say("files without a name: not on this filesystem, not tried");
        return;
    }
    assert_eq!(kill_after(10_000, "", &folder.path().join("data.arrow")), [""; 0].map(PathBuf::from));
    assert_eq!(names(folder.path()), [""; 0]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_next_write_removes_what_killed_processes_left() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.arrow");
    let write = |path: &Path| {
        let mut file = AtomicFile::create(path).expect("a writable folder");
        file.write_all(b"new").expect("a writable file");
        file.commit().expect("a commit");
    };
    // One that lives, of this process; and names that are only like it.
    let mut parked = AtomicFile::create(folder.path().join("parked")).expect("a writable folder");
    parked.write_all(b"parked").expect("a writable file");
    parked.park();
    let others =
        [".floe-x.tmp", ".floe-1-2-3-4.tmp", ".floe-000000000001-7fffffff-1-0.tmp", ".data.arrow.1-0.tmp"];
    for name in others {
        fs::write(folder.path().join(name), b"somebody's").expect("a writable folder");
    }
    for _ in 0..2 {
        write(&path);
        let left = kill_after(10_000, PARKS, &path);
        assert_eq!(left.iter().filter(|left| !others.contains(&name_of(left))).count(), 2, "{left:?}");
        // Under any name in the folder.
        write(&folder.path().join("other.arrow"));
        let still: Vec<_> =
            left.iter().filter(|left| left.exists() && !others.contains(&name_of(left))).collect();
        assert_eq!(still.len(), 1, "the one that lives: {still:?}");
    }
    parked.commit().expect("a commit");
    let mut expected = [&others[..], &["data.arrow", "other.arrow", "parked"]].concat();
    expected.sort_unstable();
    assert_eq!(names(folder.path()), expected);
}

#[cfg(target_os = "linux")]
fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name")
}

#[test]
fn killed_while_it_commits_leaves_a_whole_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("data.arrow");
    for round in 0..10 {
        let start = Instant::now();
        let delay = Duration::from_millis(15 * round);
        Killed::start(&path, COMMITS, None).kill_when(|| path.exists() && start.elapsed() > delay);
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
