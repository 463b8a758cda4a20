//! Readers that fail once, at any place, and are asked again: never a row that is not the stream's.

use std::cell::Cell;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;

use super::*;

/// How the one call fails.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Error(ErrorKind),
    Panic,
}

/// Gives at most `step` bytes a call. One call fails, and only that one.
struct Once<'a> {
    rest: &'a [u8],
    step: usize,
    calls: Rc<Cell<usize>>,
    at: usize,
    fault: Fault,
}

impl<'a> Once<'a> {
    fn new(rest: &'a [u8], step: usize, at: usize, fault: Fault) -> Self {
        Self { rest, step, calls: Rc::default(), at, fault }
    }
}

impl Read for Once<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.calls.set(self.calls.get() + 1);
        if self.calls.get() == self.at + 1 {
            match self.fault {
                Fault::Error(kind) => return Err(io::Error::new(kind, "not now")),
                // Without a word on standard error.
                Fault::Panic => resume_unwind(Box::new("not now")),
            }
        }
        let len = out.len().min(self.step);
        self.rest.read(&mut out[..len])
    }
}

const FAULTS: [Fault; 5] = [
    Fault::Error(ErrorKind::Other),
    Fault::Error(ErrorKind::WouldBlock),
    Fault::Error(ErrorKind::TimedOut),
    Fault::Error(ErrorKind::Interrupted),
    Fault::Panic,
];

/// A stream whose bodies hold messages: a reader that goes on within a body finds forged rows.
fn nested() -> (DataFrame, Vec<u8>) {
    let texts = |i: std::ops::Range<i64>| i.map(|i| format!("row {i}")).collect::<Vec<String>>();
    let forged = |bytes: Vec<&[u8]>| {
        let columns = vec![
            Column::new("i".into(), vec![1_000_000i64; bytes.len()]),
            Column::new("text".into(), texts(0..2)),
            Column::new("bytes".into(), bytes),
        ];
        DataFrame::new(columns[0].len(), columns).expect("a frame")
    };
    let forged = Config::stream().write(&forged(vec![b"", b""]));
    // Without the schema, it would be a batch of this very stream.
    let inner = floe_tests::messages::messages(&forged).0[1];
    let batch = &forged[inner.start..inner.end];
    let columns =
        vec![Column::new("i".into(), (0..6i64).collect::<Vec<_>>()), Column::new("text".into(), texts(0..6))];
    let mut df = DataFrame::new(6, columns).expect("a frame");
    df.with_column(Column::new("bytes".into(), vec![batch; 6])).expect("a column");
    let bytes = Config::stream().with_batch_rows(2).write(&df);
    (df, bytes)
}

/// The rows of a reader when every way to read on is tried after each failure: in order, from the first one on.
fn persist(mut reader: IpcStreamReader<Once<'_>>, how: usize) -> Vec<DataFrame> {
    let mut found = Vec::new();
    for _ in 0..4 {
        let _ = catch_unwind(AssertUnwindSafe(|| {
            let _ = reader.schema();
            if let Ok(batches) = reader.batches() {
                let take = if how.is_multiple_of(2) { 1 } else { usize::MAX };
                found.extend(batches.take(take).map_while(Result::ok));
            }
            if how == 2 {
                let _ = reader.saw_end_marker();
                let _ = reader.custom_metadata();
            }
        }));
    }
    let last = catch_unwind(AssertUnwindSafe(|| match how {
        0 => reader.finish().ok(),
        _ => reader.next_stream().ok().flatten(),
    }));
    found.extend(last.ok().flatten());
    found
}

#[test]
fn a_reader_that_fails_once_is_never_read_on_within_a_body() {
    let (df, bytes) = nested();
    let mut cases = Cases::new();
    for fault in FAULTS {
        for step in [usize::MAX, 301, 40] {
            for how in 0..3 {
                for at in 0.. {
                    let mut failed = true;
                    cases.run(format!("{fault:?} at call {at} of {step} bytes, {how}"), || {
                        let source = Once::new(&bytes, step, at, fault);
                        let calls = Rc::clone(&source.calls);
                        let found = persist(IpcStreamReader::new(source), how);
                        failed = calls.get() > at;
                        let mut start = 0;
                        for frame in &found {
                            assert_frames_equal(&df.slice(start, frame.height()), frame);
                            start += i64::try_from(frame.height()).expect("small");
                        }
                        if !failed || matches!(fault, Fault::Error(ErrorKind::Interrupted)) {
                            assert_eq!(start, 6, "nothing failed, and rows are missing");
                        }
                    });
                    if !failed {
                        break;
                    }
                    assert!(at < 10_000, "it never ends");
                }
            }
        }
    }
    cases.finish();
}

/// The first failure is what every later call says.
#[test]
fn every_later_call_names_the_first_failure() {
    let (_, bytes) = nested();
    let second = floe_tests::messages::messages(&bytes).0[2];
    // Within the body of the second batch, at one byte a call.
    for at in [second.body + 1, second.body + 100, second.end - 1] {
        for kind in [ErrorKind::Other, ErrorKind::WouldBlock, ErrorKind::ConnectionReset] {
            let source = Once::new(&bytes, 1, at, Fault::Error(kind));
            let mut reader = IpcStreamReader::new(source);
            let mut batches = reader.batches().expect("a schema");
            assert!(batches.next().expect("a batch").is_ok());
            let first = batches.next().expect("an error").expect_err("a failure");
            assert!(first.to_string().contains("not now"), "{first}");
            assert!(batches.next().is_none());
            let says = |error: PolarsError| {
                let text = error.to_string();
                assert!(text.contains("cannot be read on") && text.contains("not now"), "{text}");
                match error {
                    PolarsError::IO { error, .. } => assert_eq!(error.kind(), kind),
                    error => panic!("not an I/O error: {error:?}"),
                }
            };
            says(reader.schema().expect_err("a failure"));
            says(reader.arrow_schema().expect_err("a failure"));
            says(reader.custom_metadata().expect_err("a failure"));
            says(reader.batches().map(|_| ()).expect_err("a failure"));
            says(reader.next_stream().expect_err("a failure"));
            says(reader.advance().expect_err("a failure"));
            says(reader.finish().expect_err("a failure"));
        }
    }
}

/// A time-out between two batches, or within a head, loses nothing.
#[test]
fn waiting_for_a_batch_can_be_gone_on_with() {
    let (df, bytes) = nested();
    let messages = floe_tests::messages::messages(&bytes).0;
    for kind in [ErrorKind::WouldBlock, ErrorKind::TimedOut] {
        for at in
            messages.iter().flat_map(|m| (m.start..m.body).step_by(9)).chain(bytes.len() - 8..bytes.len())
        {
            let source = Once::new(&bytes, 1, at, Fault::Error(kind));
            let mut reader = IpcStreamReader::new(source);
            let mut found = Vec::new();
            let mut failures = 0;
            while !reader.saw_end_marker() {
                match reader.batches().map(Iterator::collect::<Vec<_>>) {
                    Err(_) => failures += 1,
                    Ok(batches) => {
                        failures += batches.iter().filter(|batch| batch.is_err()).count();
                        found.extend(batches.into_iter().flatten());
                    },
                }
                assert!(failures < 3, "{kind:?} at byte {at}");
            }
            assert_eq!(failures, 1, "{kind:?} at byte {at}");
            let found = found.into_iter().reduce(|a, b| a.vstack(&b).expect("one schema"));
            assert_frames_equal(&df, &found.expect("batches"));
            assert!(reader.next_stream().expect("the end").is_none());
        }
    }
}

/// The frames that `finish` and `next_stream` had of a stream are gone with the error, so that its rest is not all
/// there is.
#[test]
fn a_stream_that_was_lost_in_part_is_not_read_on() {
    let (_, bytes) = nested();
    let third = floe_tests::messages::messages(&bytes).0[3];
    let fault = Fault::Error(ErrorKind::TimedOut);
    let source = Once::new(&bytes, 1, third.start, fault);
    let mut reader = IpcStreamReader::new(source);
    assert!(reader.next_stream().is_err());
    let error = reader.next_stream().expect_err("two batches are lost").to_string();
    assert!(error.contains("cannot be read on"), "{error}");
    assert!(reader.batches().is_err());
}

/// A batch that cannot be decoded is not skipped either.
#[test]
fn a_batch_that_is_wrong_ends_the_stream() {
    let bytes = Config::stream().with_batch_rows(2).write(&rows(0, 6));
    let second = floe_tests::messages::messages(&bytes).0[2];
    let mut broken = bytes.clone();
    // The text of the second batch is no UTF-8.
    let at = second.body + bytes[second.body..second.end].windows(3).position(|w| w == b"row").expect("text");
    broken[at] = 0xff;
    every_source!(&broken, |reader, name| {
        let mut batches = reader.batches().expect("a schema");
        assert!(batches.next().expect("a batch").is_ok(), "{name}");
        assert!(batches.next().expect("a batch").is_err(), "{name}");
        let error = reader.finish().expect_err(name).to_string();
        assert!(error.contains("cannot be read on") && error.contains("record batch 1"), "{name}: {error}");
    });
}

/// Opening a file fails for good, too, and says why each time.
#[test]
fn a_file_that_could_not_be_opened_says_why_again() {
    let reader = IpcReader::new(Cursor::new(b"PAR1 and so on".to_vec()));
    for _ in 0..2 {
        let error = reader.num_rows().expect_err("no file").to_string();
        assert!(error.contains("Parquet"), "{error}");
    }
}
