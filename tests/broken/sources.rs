//! Sources that fail, give little at a time, or are interrupted.

use super::*;

/// How a source misbehaves.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The given call, and all after it, fail.
    Fail(usize, ErrorKind),
    /// At most this many bytes per call.
    Short(usize),
    /// Every other call is interrupted.
    Interrupted,
    /// The given call says that it read this many bytes more than it was asked for.
    Lie(usize, usize),
}

struct Faulty<'a> {
    bytes: Cursor<&'a [u8]>,
    fault: Fault,
    calls: usize,
    failed: bool,
}

impl<'a> Faulty<'a> {
    fn new(bytes: &'a [u8], fault: Fault) -> Self {
        Self { bytes: Cursor::new(bytes), fault, calls: 0, failed: false }
    }

    fn call(&mut self) -> io::Result<()> {
        self.calls += 1;
        match self.fault {
            Fault::Fail(at, kind) if self.calls > at => {
                self.failed = true;
                Err(io::Error::new(kind, "the disk is on fire"))
            },
            _ => Ok(()),
        }
    }
}

impl Read for Faulty<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.call()?;
        let len = match self.fault {
            Fault::Interrupted if self.calls % 2 == 1 => return Err(ErrorKind::Interrupted.into()),
            Fault::Short(len) => buf.len().min(len),
            _ => buf.len(),
        };
        let read = self.bytes.read(&mut buf[..len])?;
        match self.fault {
            Fault::Lie(at, more) if self.calls == at + 1 => {
                self.failed = true;
                Ok(buf.len().saturating_add(more))
            },
            _ => Ok(read),
        }
    }
}

impl Seek for Faulty<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.call()?;
        self.bytes.seek(position)
    }
}

impl MmapBytesReader for Faulty<'_> {}

/// No `UnexpectedEof` is the end of a stream, when a source says it where a message could end.
const KINDS: [ErrorKind; 4] =
    [ErrorKind::Other, ErrorKind::UnexpectedEof, ErrorKind::WouldBlock, ErrorKind::ConnectionReset];

#[test]
fn a_stream_from_a_source_that_fails() {
    let mut cases = Cases::new();
    for (name, df) in small_frames() {
        let bytes = Config::stream().with_batch_rows(4).write(&df);
        for kind in KINDS {
            for at in 0.. {
                let mut failed = true;
                cases.run(format!("{name}, {kind:?} at call {at}"), || {
                    let mut source = Faulty::new(&bytes, Fault::Fail(at, kind));
                    let result = IpcStreamReader::new(&mut source).finish();
                    failed = source.failed;
                    assert_outcome(&df, result, failed, kind);

                    let mut source = Faulty::new(&bytes, Fault::Fail(at, kind));
                    let outcome = drain(IpcStreamReader::new(&mut source).batches());
                    let whole = outcome.batches.len();
                    assert_prefix(&df, &outcome.batches, whole);
                    match outcome.error {
                        Some(error) => assert_outcome(&df, Err(error), source.failed, kind),
                        None => {
                            assert!(!source.failed, "the failure is not told");
                            assert_eq!(whole, 3);
                        },
                    }
                });
                if !failed {
                    break;
                }
                assert!(at < 10_000, "it never ends");
            }
        }
    }
    cases.finish();
}

#[test]
fn a_file_from_a_source_that_fails() {
    let mut cases = Cases::new();
    for (name, df) in small_frames() {
        let bytes = Config::file().with_batch_rows(4).write(&df);
        for kind in KINDS {
            for at in 0.. {
                let mut failed = true;
                cases.run(format!("{name}, {kind:?} at call {at}"), || {
                    let mut source = Faulty::new(&bytes, Fault::Fail(at, kind));
                    let result = IpcReader::new(&mut source).finish();
                    failed = source.failed;
                    assert_outcome(&df, result, failed, kind);
                    let mut source = Faulty::new(&bytes, Fault::Fail(at, kind));
                    let result = IpcReader::new(&mut source).get_batch(1);
                    assert_outcome(&df.slice(4, 4), result, source.failed, kind);
                });
                if !failed {
                    break;
                }
                assert!(at < 10_000, "it never ends");
            }
        }
    }
    cases.finish();
}

/// An error that says what the source said, or the whole frame.
#[track_caller]
fn assert_outcome(df: &DataFrame, result: PolarsResult<DataFrame>, failed: bool, kind: ErrorKind) {
    match result {
        Ok(found) => {
            assert!(!failed, "the failure is not told");
            assert_frames_equal(df, &found);
        },
        Err(error) => {
            assert!(failed, "{error}");
            assert!(error.to_string().contains("the disk is on fire"), "another error: {error}");
            match error {
                PolarsError::IO { error, .. } => assert_eq!(error.kind(), kind),
                error => panic!("not an I/O error: {error:?}"),
            }
        },
    }
}

#[test]
fn sources_that_give_little_or_are_interrupted() {
    let mut cases = Cases::new();
    for (name, df) in small_frames() {
        for compression in [None, Some(IpcCompression::LZ4)] {
            let stream = Config::stream().with_compression(compression).with_batch_rows(4).write(&df);
            let file = Config::file().with_compression(compression).with_batch_rows(4).write(&df);
            for fault in [Fault::Short(1), Fault::Short(3), Fault::Short(100), Fault::Interrupted] {
                cases.run(format!("{name}, {compression:?}, {fault:?}"), || {
                    let found = IpcStreamReader::new(Faulty::new(&stream, fault)).finish().expect("a stream");
                    assert_frames_equal(&df, &found);
                    let reader = IpcStreamReader::new(Faulty::new(&stream, fault));
                    assert_prefix(&df, &drain(reader.batches()).batches, 3);
                    assert!(reader.saw_end_marker());
                    let found = IpcReader::new(Faulty::new(&file, fault)).finish().expect("a file");
                    assert_frames_equal(&df, &found);
                    let found = IpcReader::new(Faulty::new(&file, fault)).get_batch(2).expect("a batch");
                    assert_frames_equal(&df.slice(8, 2), &found);
                    let mut source = Faulty::new(&file, fault);
                    assert_frames_equal(&df, &IpcReader::recover(&mut source).expect("a file").df);
                });
            }
        }
    }
    cases.finish();
}

const LIES: [usize; 3] = [1, 1 << 40, usize::MAX];

#[test]
fn sources_that_claim_more_than_they_were_asked_for() {
    let mut cases = Cases::new();
    let told = |result: PolarsResult<DataFrame>, df: &DataFrame, failed: bool| match result {
        Ok(found) => {
            assert!(!failed, "the lie is not told");
            assert_frames_equal(df, &found);
        },
        Err(error) => assert!(error.to_string().contains("read more than it was asked for"), "{error}"),
    };
    for (name, df) in small_frames().into_iter().chain([large()]) {
        let (rows, lies) = if df.height() > 100 { (df.height(), &LIES[..1]) } else { (4, &LIES[..]) };
        let stream = Config::stream().with_batch_rows(rows).write(&df);
        let file = Config::file().with_batch_rows(rows).write(&df);
        for &more in lies {
            for at in 0.. {
                let mut failed = true;
                let fault = Fault::Lie(at, more);
                cases.run(format!("{name}, {more} more at call {at}"), || {
                    let mut source = Faulty::new(&stream, fault);
                    let result = IpcStreamReader::new(&mut source).finish();
                    failed = source.failed;
                    told(result, &df, source.failed);
                    let mut source = Faulty::new(&stream, fault);
                    let batches = drain(IpcStreamReader::new(&mut source).batches());
                    assert_eq!(batches.error.is_some(), source.failed);
                    let mut source = Faulty::new(&file, fault);
                    let result = IpcReader::new(&mut source).finish();
                    failed |= source.failed;
                    told(result, &df, source.failed);
                    let mut source = Faulty::new(&file, fault);
                    let recovered = IpcReader::recover(&mut source).map(|found| found.df);
                    told(recovered, &df, source.failed);
                });
                if !failed {
                    break;
                }
                assert!(at < 10_000, "it never ends");
            }
        }
    }
    cases.finish();
}

/// A batch with buffers of every size that is read in a way of its own.
fn large() -> (String, DataFrame) {
    let numbers: Vec<i64> = (0..100_000).collect();
    let text: Vec<String> = numbers.iter().map(|n| format!("{n:045}")).collect();
    let columns = vec![Column::new("n".into(), numbers), Column::new("t".into(), text)];
    ("large".to_owned(), DataFrame::new_infer_height(columns).expect("columns of one length"))
}
