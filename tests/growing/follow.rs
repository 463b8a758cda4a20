//! Streams that are followed while they are written.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use floe::prelude::*;
use floe::{ErrorKind, Follow, FollowReader, error_kind};
use floe_tests::config::{Config, codecs, concat};
use floe_tests::equal::assert_frames_equal;
use floe_tests::messages::{Kind, messages};
use polars_core::prelude::*;
use polars_io::RowIndex;

const NOW: Duration = Duration::ZERO;
/// For what takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

fn frame(first: i64, rows: i64) -> DataFrame {
    let numbers: Vec<i64> = (first..first + rows).collect();
    let texts: Vec<String> = numbers.iter().map(|n| format!("number {n} in words")).collect();
    let kinds: Vec<String> = numbers.iter().map(|n| format!("kind {}", n / 3)).collect();
    let kinds = Column::new("kind".into(), kinds).cast(&DataType::from_categories(Categories::global()));
    let columns = vec![Column::new("n".into(), numbers), Column::new("text".into(), texts), kinds.unwrap()];
    DataFrame::new(usize::try_from(rows).unwrap(), columns).unwrap()
}

fn batches(count: i64) -> Vec<DataFrame> {
    (0..count).map(|i| frame(i * 10, 10)).collect()
}

/// A stream of batches whose categories grow.
fn stream(count: i64, compression: Option<IpcCompression>, deltas: bool) -> Vec<u8> {
    let writer =
        IpcStreamWriter::new(Vec::new()).with_compression(compression).with_dictionary_deltas(deltas);
    let mut writer = writer.batched(frame(0, 1).schema()).unwrap();
    for batch in batches(count) {
        writer.write_batch(&batch).unwrap();
    }
    writer.finish().unwrap();
    writer.into_inner()
}

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn place(bytes: &[u8]) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing.arrows");
    fs::write(&path, bytes).unwrap();
    Place { _folder: folder, path }
}

fn add(path: &Path, bytes: &[u8]) {
    File::options().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// All batches that are there, and what comes behind them.
fn drain(reader: &mut FollowReader) -> (Vec<DataFrame>, PolarsResult<Follow>) {
    let mut frames = Vec::new();
    loop {
        match reader.next_batch(NOW) {
            Ok(Follow::Batch(frame)) => frames.push(frame),
            other => return (frames, other),
        }
    }
}

fn is_truncated(found: &PolarsResult<Follow>) -> bool {
    found.as_ref().is_err_and(|error| matches!(error_kind(error), Some(ErrorKind::Truncated { .. })))
}

#[test]
fn batches_come_as_soon_as_they_are_whole() {
    for (codec, deltas) in codecs().into_iter().zip([false, true, true, false]) {
        let bytes = stream(4, codec, deltas);
        let whole: Vec<usize> =
            messages(&bytes).0.iter().filter(|m| matches!(m.kind, Kind::Batch(_))).map(|m| m.end).collect();
        let Place { path, _folder } = place(b"");
        let mut reader = FollowReader::open(&path).unwrap();
        let mut frames = Vec::new();
        for (at, piece) in (0..).step_by(37).zip(bytes.chunks(37)) {
            add(&path, piece);
            let have = at + piece.len();
            let (more, then) = drain(&mut reader);
            frames.extend(more);
            assert_eq!(frames.len(), whole.iter().filter(|end| **end <= have).count(), "{have} bytes");
            match then.unwrap() {
                Follow::Ended => assert_eq!(have, bytes.len()),
                Follow::NotYet => assert!(have < bytes.len()),
                other => panic!("{other:?}"),
            }
        }
        assert!(reader.saw_end_marker() && reader.waiting_bytes() == 0);
        for (frame, expected) in frames.iter().zip(batches(4)) {
            assert_frames_equal(&expected, frame);
        }
        assert!(matches!(reader.next_batch(NOW).unwrap(), Follow::Ended), "and it stays so");
    }
}

#[test]
fn a_file_without_its_footer_is_followed() {
    let df = frame(0, 40);
    let bytes = Config::file().with_batch_rows(10).write(&df);
    let footer = floe_tests::messages::footer(&bytes);
    let Place { path, _folder } = place(&bytes[..5]);
    let mut reader = FollowReader::open(&path).unwrap();
    assert!(reader.schema().unwrap().is_none());
    assert!(matches!(drain(&mut reader), (frames, Ok(Follow::NotYet)) if frames.is_empty()));
    add(&path, &bytes[5..footer.start - 8]);
    let (frames, then) = drain(&mut reader);
    assert!(matches!(then, Ok(Follow::NotYet)));
    assert_eq!(frames.len(), 4);
    assert_frames_equal(&df, &concat(frames.into_iter().map(Ok)).unwrap().unwrap());
    // The end marker is the end, whether or not the footer has come.
    add(&path, &bytes[footer.start - 8..footer.start + 3]);
    assert!(matches!(reader.next_batch(NOW), Ok(Follow::Ended)));

    let Place { path, _folder } = place(&bytes[..footer.start - 8]);
    let mut reader = FollowReader::open(&path).unwrap();
    reader.complete();
    let (frames, then) = drain(&mut reader);
    assert_eq!(frames.len(), 4);
    let error = then.unwrap_err().to_string();
    assert!(error.contains("cut off after 4 record batches"), "{error}");
}

#[test]
fn not_yet_and_cut_off_are_told_apart() {
    let bytes = stream(3, None, false);
    let ends: Vec<usize> = messages(&bytes).0.iter().map(|message| message.end).collect();
    for cut in (0..bytes.len()).step_by(13).chain(ends.clone()) {
        let Place { path, _folder } = place(&bytes[..cut]);
        let mut reader = FollowReader::open(&path).unwrap();
        let (before, then) = drain(&mut reader);
        assert!(matches!(then, Ok(Follow::NotYet)), "{cut}: {then:?}");
        let start = ends.iter().rfind(|end| **end <= cut).copied().unwrap_or(0);
        assert_eq!(reader.waiting_bytes(), (cut - start) as u64, "{cut}");
        reader.complete();
        let (more, then) = drain(&mut reader);
        assert!(more.is_empty());
        match then {
            Ok(Follow::Ended) => assert!(ends.contains(&cut), "{cut}"),
            Err(error) if cut == 0 => assert!(error.to_string().contains("is empty"), "{error}"),
            other => assert!(is_truncated(&other), "{cut}: {other:?}"),
        }
        assert!(!reader.saw_end_marker());
        assert!(before.len() <= 3);
    }
}

#[test]
fn a_writer_in_another_thread_is_followed_to_its_end() {
    let Place { path, _folder } = place(b"");
    let to = path.clone();
    let writer = std::thread::spawn(move || {
        let bytes = stream(30, Some(IpcCompression::LZ4), true);
        let mut file = File::options().append(true).open(to).unwrap();
        for (i, piece) in bytes.chunks(bytes.len() / 90).enumerate() {
            file.write_all(piece).unwrap();
            std::thread::sleep(Duration::from_millis([0, 3, 1][i % 3]));
        }
    });
    let mut reader = FollowReader::open(&path).unwrap().with_longest_pause(Duration::from_millis(5));
    let mut frames = Vec::new();
    loop {
        match reader.next_batch(PATIENCE).unwrap() {
            Follow::Batch(frame) => frames.push(Ok(frame)),
            Follow::Ended => break,
            other => panic!("{other:?}"),
        }
    }
    writer.join().unwrap();
    assert_eq!(frames.len(), 30);
    assert_frames_equal(&frame(0, 300), &concat(frames).unwrap().unwrap());
}

/// Tells this program to write without end, and where.
const TARGET: &str = "FLOE_FOLLOW_TARGET";

/// Not a test of its own: what the test below runs as a process, to kill it.
#[test]
fn child() {
    let Some(path) = std::env::var_os(TARGET) else { return };
    let bytes = stream(400, None, true);
    let mut file = File::options().append(true).open(path).unwrap();
    for piece in bytes.chunks(100) {
        file.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_micros(300));
    }
}

/// A process that does not outlive the test.
struct Killed(std::process::Child);

impl Killed {
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_killed_writer_leaves_whole_batches_and_a_stream_that_is_cut_off() {
    for wanted in [1, 7, 20] {
        let Place { path, _folder } = place(b"");
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "follow::child"]).env(TARGET, &path);
        let mut child = Killed(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let idle = Some(Duration::from_millis(1500));
        let mut reader = FollowReader::open(&path).unwrap().with_idle_timeout(idle);
        let mut frames = Vec::new();
        let begun = Instant::now();
        loop {
            match reader.next_batch(PATIENCE).unwrap() {
                Follow::Batch(frame) => frames.push(frame),
                Follow::Idle if frames.len() < wanted => assert!(begun.elapsed() < PATIENCE),
                Follow::Idle => break,
                other => panic!("{other:?}"),
            }
            if frames.len() == wanted {
                child.kill();
            }
        }
        let bytes = fs::read(&path).unwrap();
        let whole = stream(400, None, true);
        assert!(whole.starts_with(&bytes) && bytes.len() < whole.len());
        let ends: Vec<usize> = messages(&whole).0.iter().map(|message| message.end).collect();
        let waiting = bytes.len() - ends.iter().rfind(|end| **end <= bytes.len()).unwrap();
        assert_eq!(reader.waiting_bytes(), waiting as u64);
        reader.complete();
        let (more, then) = drain(&mut reader);
        assert!(more.is_empty(), "all whole batches had come");
        assert_eq!(is_truncated(&then), waiting > 0, "{then:?}");
        let rows: usize = frames.iter().map(DataFrame::height).sum();
        let all = concat(frames.into_iter().map(Ok)).unwrap().unwrap();
        assert_frames_equal(&frame(0, i64::try_from(rows).unwrap()), &all);
    }
}

#[test]
fn a_replaced_file_is_noticed_when_all_of_the_old_one_has_come() {
    let bytes = stream(3, None, false);
    let cut = bytes.len() - 20;
    let Place { path, _folder } = place(&bytes[..cut]);
    let mut reader = FollowReader::open(&path).unwrap();
    assert!(matches!(reader.next_batch(NOW), Ok(Follow::Batch(_))));
    let other = path.with_extension("new");
    fs::write(&other, stream(1, None, false)).unwrap();
    fs::rename(&other, &path).unwrap();
    let (frames, then) = drain(&mut reader);
    assert_eq!(frames.len(), 1, "of the old file, whose third batch is cut off");
    assert!(matches!(then, Ok(Follow::Replaced)));
    assert!(matches!(reader.next_batch(NOW), Ok(Follow::Replaced)), "until it is opened again");
    reader.reopen().unwrap();
    let (frames, then) = drain(&mut reader);
    assert_eq!(frames.len(), 1);
    assert_frames_equal(&frame(0, 10), &frames[0]);
    assert!(matches!(then, Ok(Follow::Ended)));
}

#[test]
fn a_file_that_is_emptied_is_another_one() {
    let bytes = stream(3, None, false);
    let second = messages(&bytes).0.iter().rfind(|m| matches!(m.kind, Kind::Batch(_))).unwrap().start;
    for (what, written) in [
        ("empty", Vec::new()),
        ("shorter", bytes[..second - 8].to_vec()),
        ("longer", [stream(1, Some(IpcCompression::LZ4), false), vec![0; bytes.len()]].concat()),
    ] {
        let Place { path, _folder } = place(&bytes[..second]);
        let mut reader = FollowReader::open(&path).unwrap();
        assert_eq!(drain(&mut reader).0.len(), 2);
        // As the shell's `>` does: the same file, from nothing.
        fs::write(&path, &written).unwrap();
        let found = reader.next_batch(NOW);
        assert!(matches!(found, Ok(Follow::Replaced)), "{what}: {found:?}");
    }
}

#[test]
fn a_stream_may_be_gone_on_with_behind_its_last_whole_message() {
    let bytes = stream(3, None, false);
    let last = messages(&bytes).0.iter().rfind(|m| matches!(m.kind, Kind::Batch(_))).unwrap().start;
    // A writer dies within a message; another one cuts that off, and writes something else there.
    let Place { path, _folder } = place(&bytes[..last]);
    add(&path, &bytes[..last.min(300)]);
    let mut reader = FollowReader::open(&path).unwrap();
    let (frames, _) = drain(&mut reader);
    assert_eq!(frames.len(), 2);
    File::options().write(true).open(&path).unwrap().set_len(last as u64).unwrap();
    add(&path, &bytes[last..]);
    let (more, then) = drain(&mut reader);
    assert!(matches!(then, Ok(Follow::Ended)), "{then:?}");
    assert_frames_equal(&frame(20, 10), &more[0]);
}

#[cfg(unix)]
#[test]
fn a_file_without_its_name_is_read_on() {
    let bytes = stream(3, None, false);
    let Place { path, _folder } = place(b"");
    let mut file = File::options().append(true).open(&path).unwrap();
    file.write_all(&bytes[..bytes.len() / 2]).unwrap();
    let mut reader = FollowReader::open(&path).unwrap();
    let (frames, then) = drain(&mut reader);
    assert!(matches!(then, Ok(Follow::NotYet)));
    fs::remove_file(&path).unwrap();
    file.write_all(&bytes[bytes.len() / 2..]).unwrap();
    let (more, then) = drain(&mut reader);
    assert_eq!(frames.len() + more.len(), 3);
    assert!(matches!(then, Ok(Follow::Ended)));
}

#[test]
fn waiting_takes_as_long_as_was_said() {
    let bytes = stream(1, None, false);
    let Place { path, _folder } = place(&bytes[..bytes.len() - 8]);
    let mut reader = FollowReader::open(&path).unwrap();
    assert_eq!(drain(&mut reader).0.len(), 1);
    let begun = Instant::now();
    assert!(matches!(reader.next_batch(Duration::from_millis(150)), Ok(Follow::NotYet)));
    assert!(begun.elapsed() >= Duration::from_millis(150) && begun.elapsed() < PATIENCE);

    let mut reader = FollowReader::open(&path).unwrap().with_idle_timeout(Some(Duration::from_millis(80)));
    assert!(matches!(reader.next_batch(PATIENCE), Ok(Follow::Batch(_))));
    assert!(matches!(reader.next_batch(PATIENCE), Ok(Follow::Idle)));
    // It is no end: the writer may go on.
    add(&path, &bytes[bytes.len() - 8..]);
    assert!(matches!(reader.next_batch(PATIENCE), Ok(Follow::Ended)));
}

#[test]
fn options_are_those_of_a_reader() {
    let bytes = stream(3, None, false);
    let Place { path, _folder } = place(&bytes);
    let index = RowIndex { name: "row".into(), offset: 5 };
    let mut reader = FollowReader::open(&path)
        .unwrap()
        .with_columns(Some(vec!["kind".to_owned(), "n".to_owned()]))
        .with_row_index(Some(index))
        .with_n_rows(Some(15));
    assert_eq!(reader.schema().unwrap().unwrap().len(), 3);
    let (frames, then) = drain(&mut reader);
    assert!(matches!(then, Ok(Follow::Ended)));
    let all = concat(frames.into_iter().map(Ok)).unwrap().unwrap();
    assert_eq!(all.get_column_names(), ["row", "kind", "n"]);
    assert_eq!(all.height(), 15);
    assert_eq!(all.column("row").unwrap().get(14).unwrap().try_extract::<u64>().unwrap(), 19);
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.arrows");
    let error = FollowReader::open(&missing).unwrap_err();
    assert!(matches!(&error, PolarsError::IO { error, .. } if error.kind() == std::io::ErrorKind::NotFound));
    assert!(error.to_string().contains("missing.arrows"), "{error}");
    assert!(FollowReader::open(folder.path()).is_err());

    let Place { path, _folder } = place(b"a,b\n1,2\n3,4\n");
    let mut reader = FollowReader::open(&path).unwrap();
    let error = reader.next_batch(NOW).unwrap_err();
    assert!(matches!(error_kind(&error), Some(ErrorKind::WrongFormat { .. })), "{error}");
    assert!(reader.next_batch(NOW).is_err());

    let Place { path, _folder } = place(&stream(1, None, false));
    let mut reader = FollowReader::open(&path).unwrap().with_columns(Some(vec!["none".to_owned()]));
    assert!(matches!(reader.next_batch(NOW), Err(PolarsError::ColumnNotFound(_))));
}

#[test]
fn as_bytes_any_reader_reads_a_growing_stream() {
    for file in [false, true] {
        let bytes = if file {
            Config::file().with_batch_rows(10).write(&frame(0, 100))
        } else {
            stream(10, None, false)
        };
        let Place { path, _folder } = place(b"");
        let to = path.clone();
        let writer = std::thread::spawn(move || {
            let mut to = File::options().append(true).open(to).unwrap();
            for piece in bytes.chunks(700) {
                to.write_all(piece).unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let followed = FollowReader::open(&path).unwrap().with_longest_pause(Duration::from_millis(2));
        let others = FollowReader::open(&path).unwrap().into_bytes().unwrap();
        let df = IpcStreamReader::new(followed.into_bytes().unwrap()).finish().unwrap();
        assert_frames_equal(&frame(0, 100), &df);
        let others = arrow_ipc::reader::StreamReader::try_new(others, None).unwrap();
        assert_eq!(others.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 100);
        writer.join().unwrap();
    }
}

#[test]
fn as_bytes_a_stream_that_stands_still_is_an_error() {
    use std::io::Read as _;
    let bytes = stream(2, None, false);
    let Place { path, _folder } = place(&bytes[..bytes.len() - 20]);
    let idle = Some(Duration::from_millis(50));
    let mut followed = FollowReader::open(&path).unwrap().with_idle_timeout(idle).into_bytes().unwrap();
    let mut read = Vec::new();
    let error = followed.read_to_end(&mut read).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    // Whole messages only.
    assert!(messages(&bytes).0.iter().any(|message| message.end == read.len()) && bytes.starts_with(&read));
    fs::write(path.with_extension("new"), &bytes).unwrap();
    fs::rename(path.with_extension("new"), &path).unwrap();
    assert!(followed.read(&mut [0]).unwrap_err().to_string().contains("was replaced"));
}
