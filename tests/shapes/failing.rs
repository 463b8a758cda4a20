//! Writers that fail: their errors, and that nothing is lost in silence.

use super::*;

/// How a sink misbehaves.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The given call, and only that one, fails with `ENOSPC`.
    Full(usize),
    /// The given call takes nothing.
    Zero(usize),
    /// Every other call is interrupted, and at most this many bytes are taken.
    Slow(usize),
}

struct Faulty {
    bytes: Vec<u8>,
    fault: Fault,
    calls: usize,
    failed: bool,
    /// Calls after the one that failed.
    late: usize,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        Self { bytes: Vec::new(), fault, calls: 0, failed: false, late: 0 }
    }

    /// Whether this call has to fail.
    fn call(&mut self) -> bool {
        self.calls += 1;
        self.late += usize::from(self.failed);
        let fails = match self.fault {
            Fault::Full(at) | Fault::Zero(at) => self.calls == at + 1,
            Fault::Slow(_) => false,
        };
        self.failed |= fails;
        fails
    }
}

const ENOSPC: i32 = 28;

impl Write for Faulty {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let fails = self.call();
        let len = match self.fault {
            Fault::Full(_) if fails => return Err(io::Error::from_raw_os_error(ENOSPC)),
            Fault::Zero(_) if fails => 0,
            Fault::Slow(_) if self.calls % 2 == 1 => return Err(ErrorKind::Interrupted.into()),
            Fault::Slow(len) => buf.len().min(len),
            _ => buf.len(),
        };
        self.bytes.extend_from_slice(&buf[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        let counts = matches!(self.fault, Fault::Full(_));
        if counts && self.call() { Err(io::Error::from_raw_os_error(ENOSPC)) } else { Ok(()) }
    }
}

fn faulty_frame() -> DataFrame {
    Arbitrary::new(9).frame_of(
        &[("a".into(), DataType::Int64), ("b".into(), DataType::String), ("c".into(), categories("faulty"))],
        20,
    )
}

#[track_caller]
fn assert_full(error: &PolarsError) {
    match error {
        PolarsError::IO { error, .. } => assert_eq!(error.raw_os_error(), Some(ENOSPC), "{error:?}"),
        error => panic!("not an I/O error: {error:?}"),
    }
}

/// Writes twice; the second time must not pretend that the first was good.
macro_rules! finish_twice {
    ($writer:ident, $fault:expr, $parallel:expr, $df:expr) => {{
        let mut sink = Faulty::new($fault);
        let mut writer = $writer::new(&mut sink).with_record_batch_size(Some(6)).with_parallel($parallel);
        let first = writer.finish(&mut $df.clone());
        let second = first.is_err().then(|| writer.finish(&mut $df.clone()));
        drop(writer);
        (first, second, sink)
    }};
}

#[test]
fn a_full_disk_is_told_by_finish() {
    let df = faulty_frame();
    let mut cases = Cases::new();
    for file in [false, true] {
        for parallel in [false, true] {
            for at in 0.. {
                let mut failed = true;
                cases.run(format!("file {file}, parallel {parallel}, full at call {at}"), || {
                    let (first, second, sink) = if file {
                        finish_twice!(IpcWriter, Fault::Full(at), parallel, df)
                    } else {
                        finish_twice!(IpcStreamWriter, Fault::Full(at), parallel, df)
                    };
                    failed = sink.failed;
                    assert_eq!(first.is_err(), sink.failed, "{first:?}");
                    if let Err(error) = first {
                        assert_full(&error);
                        assert!(second.expect("a second call").is_err(), "a later call pretends success");
                        assert_eq!(sink.late, 0, "bytes after the failure");
                    } else {
                        let config = Config { file, ..Config::stream() };
                        assert_frames_equal(&df, &read(&config, &sink.bytes));
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

/// Every call of a batched writer, noting which failed first.
macro_rules! batched_calls {
    ($writer:ident, $fault:expr, $df:expr) => {{
        let mut sink = Faulty::new($fault);
        let mut results = Vec::new();
        match $writer::new(&mut sink).batched($df.schema()) {
            Err(error) => results.push(Err(error)),
            Ok(mut writer) => {
                for start in [0, 6, 12] {
                    results.push(writer.write_batch(&$df.slice(start, 6)));
                }
                results.push(writer.finish().map(|_| ()));
                if results.iter().any(Result::is_err) {
                    results.push(writer.finish().map(|_| ()));
                    results.push(writer.write_batch($df));
                }
            },
        }
        (results, sink)
    }};
}

#[test]
fn a_full_disk_is_told_by_batched_writers() {
    let df = &faulty_frame();
    let mut cases = Cases::new();
    for file in [false, true] {
        for at in 0.. {
            let mut failed = true;
            cases.run(format!("file {file}, full at call {at}"), || {
                let (results, sink) = if file {
                    batched_calls!(IpcWriter, Fault::Full(at), df)
                } else {
                    batched_calls!(IpcStreamWriter, Fault::Full(at), df)
                };
                failed = sink.failed;
                let first = results.iter().position(Result::is_err);
                assert_eq!(first.is_some(), sink.failed, "{results:?}");
                if let Some(first) = first {
                    assert_full(results[first].as_ref().expect_err("the first error"));
                    let later = &results[first..];
                    assert!(later.iter().all(Result::is_err), "a later call pretends success: {results:?}");
                    assert_eq!(sink.late, 0, "bytes after the failure");
                }
            });
            if !failed {
                break;
            }
            assert!(at < 10_000, "it never ends");
        }
    }
    cases.finish();
}

#[test]
fn a_sink_that_takes_nothing_is_an_error() {
    let df = faulty_frame();
    for at in 0..3 {
        let (first, _, sink) = finish_twice!(IpcStreamWriter, Fault::Zero(at), true, df);
        assert!(sink.failed);
        match first.expect_err("nothing was taken") {
            PolarsError::IO { error, .. } => assert_eq!(error.kind(), ErrorKind::WriteZero),
            error => panic!("not an I/O error: {error:?}"),
        }
    }
}

#[test]
fn a_slow_sink_gets_it_all() {
    let df = faulty_frame();
    for len in [1, 7, 1000] {
        let (first, _, sink) = finish_twice!(IpcStreamWriter, Fault::Slow(len), true, df);
        first.expect("bytes");
        assert_frames_equal(&df, &read(&Config::stream(), &sink.bytes));
        let (first, _, sink) = finish_twice!(IpcWriter, Fault::Slow(len), true, df);
        first.expect("bytes");
        assert_frames_equal(&df, &read(&Config::file(), &sink.bytes));
    }
}

/// Output is handed on: a buffered sink is empty after `finish`.
#[test]
fn finish_flushes() {
    struct Flushed<'a>(&'a AtomicUsize);
    impl Write for Flushed<'_> {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            self.0.store(0, Ordering::Relaxed);
            Ok(buf.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
    }
    let df = faulty_frame();
    let flushed = AtomicUsize::new(0);
    let assert_flushed = || assert!(flushed.swap(0, Ordering::Relaxed) > 0, "not flushed");
    IpcStreamWriter::new(Flushed(&flushed)).finish(&mut df.clone()).expect("bytes");
    assert_flushed();
    IpcWriter::new(Flushed(&flushed)).finish(&mut df.clone()).expect("bytes");
    assert_flushed();
    let mut writer = IpcStreamWriter::new(Flushed(&flushed)).batched(df.schema()).expect("a writer");
    writer.write_batch(&df).and_then(|()| writer.finish()).expect("bytes");
    assert_flushed();
    let mut writer = IpcWriter::new(Flushed(&flushed)).batched(df.schema()).expect("a writer");
    writer.write_batch(&df).and_then(|()| writer.finish()).expect("bytes");
    assert_flushed();
}
