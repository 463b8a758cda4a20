//! Writers that panic once, or lie: caught, what they leave behind must not look whole.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::*;

/// The behaviour of the one bad call.
#[derive(Clone, Copy, Debug)]
enum Bad {
    Panics,
    /// It takes a part of what it gets, and then panics.
    PanicsLate,
    /// It says that it has taken more than it was given.
    Lies(usize),
}

/// The given call, a flush among them, is bad; all others are good.
struct Sink {
    bytes: Vec<u8>,
    at: usize,
    bad: Bad,
    calls: usize,
    vectored: bool,
}

impl Sink {
    fn is_bad(&mut self) -> bool {
        self.calls += 1;
        self.calls == self.at + 1
    }

    fn was_bad(&self) -> bool {
        self.calls > self.at
    }

    fn take(&mut self, given: &[&[u8]]) -> usize {
        let len = given.iter().map(|bytes| bytes.len()).sum();
        if !self.is_bad() {
            given.iter().for_each(|bytes| self.bytes.extend_from_slice(bytes));
            return len;
        }
        match self.bad {
            Bad::Panics => {},
            Bad::PanicsLate => self.bytes.extend(given.iter().find_map(|bytes| bytes.first())),
            Bad::Lies(more) => return len.saturating_add(more),
        }
        // Without the hook's message.
        resume_unwind(Box::new("the writer's"))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.take(&[bytes]))
    }

    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let first = pieces.iter().find(|piece| !piece.is_empty()).map_or(&[][..], |piece| piece);
        let all: Vec<&[u8]> =
            if self.vectored { pieces.iter().map(|piece| &**piece).collect() } else { vec![first] };
        Ok(self.take(&all))
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_bad() && !matches!(self.bad, Bad::Lies(_)) {
            resume_unwind(Box::new("the writer's"));
        }
        Ok(())
    }
}

/// The outcome of a call: true if it returned `Ok`.
fn good<T>(call: impl FnOnce() -> PolarsResult<T>) -> bool {
    catch_unwind(AssertUnwindSafe(call)).is_ok_and(|result| result.is_ok())
}

fn panicking_frame() -> DataFrame {
    let names = ["a", "b", "c"];
    let dtypes = [DataType::Int64, DataType::String, categories("panicking")];
    let columns: Vec<_> = names.iter().map(|name| (*name).into()).zip(dtypes).collect();
    Arbitrary::new(12).frame_of(&columns, 20)
}

/// Every call of a writer; the first that is not good, and all behind it, must not be.
fn calls(file: bool, parallel: bool, submits: bool, sink: &mut Sink, df: &DataFrame) -> Vec<bool> {
    macro_rules! calls {
        ($writer:ident) => {{
            let writer = $writer::new(&mut *sink).with_parallel(parallel);
            let mut made = None;
            let mut results = vec![good(|| writer.batched(df.schema()).map(|writer| made = Some(writer)))];
            let Some(mut writer) = made else { return results };
            for start in [0, 6, 12] {
                let batch = df.slice(start, 6);
                results.push(good(|| {
                    if submits { writer.submit_batch(&batch) } else { writer.write_batch(&batch) }
                }));
                results.push(good(|| writer.write_submitted()));
            }
            results.push(good(|| writer.finish()));
            if results.contains(&false) {
                results.push(good(|| writer.submit_batch(df)));
                results.push(good(|| writer.write_submitted()));
                results.push(good(|| writer.write_batch(df)));
                results.push(good(|| writer.finish()));
            }
            results
        }};
    }
    if file { calls!(IpcWriter) } else { calls!(IpcStreamWriter) }
}

const BAD: [Bad; 5] = [Bad::Panics, Bad::PanicsLate, Bad::Lies(1), Bad::Lies(1 << 40), Bad::Lies(usize::MAX)];

#[test]
fn batched_writers_stay_broken() {
    let df = panicking_frame();
    let mut cases = Cases::new();
    for (file, parallel, submits, vectored) in [
        (false, true, true, true),
        (false, false, false, false),
        (true, true, false, true),
        (true, true, true, false),
    ] {
        for bad in BAD {
            for at in 0.. {
                let mut sink = Sink { bytes: Vec::new(), at, bad, calls: 0, vectored };
                cases.run(format!("file {file}, parallel {parallel}, {bad:?} at call {at}"), || {
                    let results = calls(file, parallel, submits, &mut sink, &df);
                    let first = results.iter().position(|good| !good);
                    // A flush has nothing to lie about.
                    let told = sink.was_bad()
                        && !(matches!(bad, Bad::Lies(_)) && sink.calls == at + 1 && first.is_none());
                    assert_eq!(first.is_some(), told, "{results:?}");
                    if let Some(first) = first {
                        assert!(
                            results[first..].iter().all(|good| !good),
                            "later it pretends success: {results:?}"
                        );
                        assert_eq!(sink.calls, at + 1, "bytes after the failure");
                    }
                });
                if !sink.was_bad() {
                    break;
                }
                assert!(at < 10_000, "it never ends");
            }
        }
    }
    cases.finish();
}

#[test]
fn whole_frame_writers_stay_broken() {
    let df = panicking_frame();
    let mut cases = Cases::new();
    for file in [false, true] {
        for bad in BAD {
            for at in 0.. {
                let mut sink = Sink { bytes: Vec::new(), at, bad, calls: 0, vectored: true };
                cases.run(format!("file {file}, {bad:?} at call {at}"), || {
                    let mut twice = || {
                        if file {
                            let mut writer = IpcWriter::new(&mut sink).with_record_batch_size(Some(6));
                            [(); 2].map(|()| good(|| writer.finish(&mut df.clone())))
                        } else {
                            let mut writer = IpcStreamWriter::new(&mut sink).with_record_batch_size(Some(6));
                            [(); 2].map(|()| good(|| writer.finish(&mut df.clone())))
                        }
                    };
                    match twice() {
                        [false, second] => {
                            assert!(!second, "the second call pretends success");
                            assert_eq!(sink.calls, at + 1, "bytes after the failure");
                        },
                        // The second frame may have met it.
                        [true, second] => assert!(second || sink.was_bad()),
                    }
                });
                if !sink.was_bad() {
                    break;
                }
                assert!(at < 10_000, "it never ends");
            }
        }
    }
    cases.finish();
}

#[test]
fn a_lie_is_told_as_one() {
    let df = panicking_frame();
    let mut sink = Sink { bytes: Vec::new(), at: 1, bad: Bad::Lies(1), calls: 0, vectored: false };
    let error = IpcStreamWriter::new(&mut sink).finish(&mut df.clone()).expect_err("a lie");
    assert!(error.to_string().contains("wrote more than it was given"), "{error}");
}
