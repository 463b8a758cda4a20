//! Files under a path already: links, FIFOs, sockets. Devices are never tried: a test that fails must not cost one.

use std::io::Read;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::os::unix::net::UnixListener;
use std::thread;

use floe::lazy::*;
use rustix::fs::{CWD, Mode, mkfifoat};

use super::*;

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// A FIFO, and what somebody reads from it.
fn fifo(path: &Path) -> thread::JoinHandle<Vec<u8>> {
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).expect("a FIFO");
    reader(path)
}

fn reader(path: &Path) -> thread::JoinHandle<Vec<u8>> {
    let path = path.to_path_buf();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        File::open(path).expect("the FIFO").read_to_end(&mut bytes).expect("bytes");
        bytes
    })
}

#[track_caller]
fn assert_fifo(path: &Path) {
    assert!(fs::symlink_metadata(path).expect("something").file_type().is_fifo(), "no FIFO any more");
}

#[test]
fn a_fifo_is_written_straight() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fifo");
    let bytes = fifo(&path);
    let mut file = AtomicFile::create(&path).expect("a FIFO");
    file.write_all(b"one ").expect("a reader");
    // The reader must not take that for the end.
    file.park();
    file.write_all(b"two").expect("a reader");
    file.park();
    file.commit().expect("a commit");
    assert_eq!(bytes.join().expect("a reader"), b"one two");
    assert_fifo(&path);
    // Given up, it stays as well.
    let bytes = reader(&path);
    let mut file = AtomicFile::create(&path).expect("a FIFO");
    file.write_all(b"half of").expect("a reader");
    drop(file);
    assert_eq!(bytes.join().expect("a reader"), b"half of");
    assert_fifo(&path);
    assert_eq!(names(folder.path()), ["fifo"]);
}

#[test]
fn a_fifo_has_one_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, link) = (folder.path().join("fifo"), folder.path().join("link"));
    symlink("fifo", &link).expect("a link");
    let bytes = fifo(&path);
    AtomicFile::create(&path).and_then(|file| file.commit_as(&link)).expect("the same");
    bytes.join().expect("a reader");
    let bytes = reader(&path);
    let file = AtomicFile::create(&link).expect("a FIFO");
    assert!(file.commit_as(folder.path().join("other")).is_err());
    bytes.join().expect("a reader");
    // And takes no other's place.
    let mut file = AtomicFile::create(folder.path().join("file")).expect("a writable folder");
    file.write_all(b"bytes").expect("a writable file");
    let error = file.commit_as(&path).expect_err("no file to be replaced");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    assert_fifo(&path);
    assert_eq!(names(folder.path()), ["fifo", "link"]);
}

#[test]
fn queries_go_into_fifos_by_path_and_by_link() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, link) = (folder.path().join("fifo"), folder.path().join("link"));
    symlink(&path, &link).expect("a link");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("a FIFO");
    for target in [&path, &link] {
        let bytes = reader(&path);
        let summary = frame(5).lazy().sink_ipc_file(target, IpcSinkOptions::default()).expect("a reader");
        let bytes = bytes.join().expect("a reader");
        assert_eq!(bytes.len() as u64, summary.written_bytes);
        assert_frames_equal(&frame(5), &IpcReader::new(io::Cursor::new(bytes)).finish().expect("a file"));
        assert_fifo(&path);
        assert!(fs::symlink_metadata(&link).expect("a link").is_symlink());
    }
    assert_eq!(names(folder.path()), ["fifo", "link"]);
}

#[test]
fn a_reader_that_goes_away_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fifo");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).expect("a FIFO");
    let reader = thread::spawn({
        let path = path.clone();
        move || drop(File::open(path).expect("the FIFO"))
    });
    let mut file = AtomicFile::create(&path).expect("a FIFO");
    reader.join().expect("a reader");
    let error = file.write_all(b"for nobody").expect_err("nobody reads");
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert!(file.commit().is_err());
    assert_fifo(&path);
}

#[test]
fn a_socket_is_an_error_and_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("socket");
    let _listener = UnixListener::bind(&path).expect("a socket");
    let error = AtomicFile::create(&path).expect_err("a socket");
    assert!(error.to_string().contains("is a socket"), "{error}");
    assert!(fs::symlink_metadata(&path).expect("the socket").file_type().is_socket());
    assert_eq!(names(folder.path()), ["socket"]);
}

#[test]
fn links_are_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("data")).expect("a writable folder");
    fs::write(at("data/old"), b"old").expect("a writable folder");
    symlink("data", at("folder")).expect("a link");
    symlink("data/old", at("relative")).expect("a link");
    symlink(at("data/old"), at("absolute")).expect("a link");
    symlink("../relative", at("data/up")).expect("a link");
    symlink("folder/up", at("far")).expect("a link");
    symlink("data/new", at("dangling")).expect("a link");
    let links = ["relative", "absolute", "data/up", "folder/up", "far"];
    for (i, link) in links.into_iter().enumerate() {
        let bytes = format!("by {link}, {i}");
        write(&at(link), bytes.as_bytes()).expect("a commit");
        assert_eq!(fs::read_to_string(at("data/old")).expect("the target"), bytes);
        assert!(fs::symlink_metadata(at(link)).expect("a link").is_symlink(), "{link} was replaced");
    }
    for bytes in ["made", "made again"] {
        write(&at("dangling"), bytes.as_bytes()).expect("a commit");
        assert_eq!(fs::read_to_string(at("data/new")).expect("the target"), bytes);
        assert!(fs::symlink_metadata(at("dangling")).expect("a link").is_symlink());
    }
    // Under a name that is known only at the end, too.
    let mut file = AtomicFile::create(at("first")).expect("a writable folder");
    file.write_all(b"at the end").expect("a writable file");
    file.commit_as(at("far")).expect("a commit");
    assert_eq!(fs::read(at("data/old")).expect("the target"), b"at the end");
    assert_eq!(names(folder.path()), ["absolute", "dangling", "data", "far", "folder", "relative"]);
    assert_eq!(names(&at("data")), ["new", "old", "up"]);
}

#[test]
fn links_that_lead_nowhere_are_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    symlink("b", at("a")).expect("a link");
    symlink("a", at("b")).expect("a link");
    symlink("self", at("self")).expect("a link");
    symlink("none/data", at("deep")).expect("a link");
    for (link, kind) in [
        ("a", rustix::io::Errno::LOOP),
        ("self", rustix::io::Errno::LOOP),
        ("deep", rustix::io::Errno::NOENT),
    ] {
        let error = write(&at(link), b"x").expect_err("a link to nowhere");
        assert_eq!(error.raw_os_error(), Some(kind.raw_os_error()), "{link}: {error}");
    }
    assert_eq!(names(folder.path()), ["a", "b", "deep", "self"]);
}

/// As a shell that has opened a file for a program: `/dev/stdout` leads to such a link.
#[cfg(target_os = "linux")]
#[test]
fn what_a_process_has_open_is_written_straight() {
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out");
    let mut out = File::create(&path).expect("a writable folder");
    out.write_all(b"before, ").expect("a writable file");
    let link = folder.path().join("stdout");
    symlink(format!("/proc/self/fd/{}", out.as_raw_fd()), &link).expect("a link");
    let file = out.metadata().expect("metadata").ino();
    for bytes in [b"one, ", b"two, "] {
        write(&link, bytes).expect("a commit");
    }
    assert_eq!(fs::metadata(&path).expect("metadata").ino(), file, "it was replaced");
    assert_eq!(fs::read(&path).expect("a file"), b"before, one, two, ");
    // Nobody can see it any more.
    fs::remove_file(&path).expect("a file");
    write(&link, b"three").expect("a commit");
    assert_eq!(out.metadata().expect("metadata").len(), 23);
    assert_eq!(names(folder.path()), ["stdout"]);
}
