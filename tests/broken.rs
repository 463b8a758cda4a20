//! Bytes that stop too early, sources that fail, files that others broke: an error, or the right result. Never a
//! panic, never less than was written without saying so.

use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use floe::prelude::*;
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::config::{Config, codecs, reads};
use floe_tests::equal::{assert_frames_equal, frames_differ, touch};
use floe_tests::messages::{Kind, footer, messages};
use floe_tests::run::{Cases, say};
use polars_core::prelude::*;
use polars_io::mmap::MmapBytesReader;

/// Small frames of several dtypes, each of three batches.
fn small_frames() -> Vec<(String, DataFrame)> {
    let groups: [&[&str]; 6] = [
        &["i64", "string"],
        &["categorical", "bool", "list_categorical"],
        &["struct_flat", "decimal_9_2", "null"],
        &["list_string", "array_3", "binary_offset"],
        &["enum", "f16", "struct_empty", "array_0"],
        &["extension_string", "i128", "datetime_us_zone"],
    ];
    let known = dtypes();
    let frame = |(seed, names): (u64, &&[&str])| {
        let columns: Vec<_> = names
            .iter()
            .map(|name| known.iter().find(|(known, _)| known == name).expect("a known dtype"))
            .map(|(name, dtype)| ((*name).into(), dtype.clone()))
            .collect();
        (names.join(", "), Arbitrary::new(seed).frame_of(&columns, 10))
    };
    (10..).zip(&groups).map(frame).collect()
}

/// All of them as they are, and some with each codec: every byte of every one is a case.
fn small_inputs() -> Vec<(String, DataFrame, Option<IpcCompression>)> {
    let mut inputs = Vec::new();
    for (index, (name, df)) in small_frames().into_iter().enumerate() {
        for compression in codecs().into_iter().take(if index < 2 { 3 } else { 1 }) {
            inputs.push((name.clone(), df.clone(), compression));
        }
    }
    inputs
}

/// What iterating gave: the rows of the whole batches, and the error that came after them.
struct Outcome {
    batches: Vec<DataFrame>,
    error: Option<PolarsError>,
}

/// # Panics
/// When there is anything behind an error.
fn drain(batches: PolarsResult<impl Iterator<Item = PolarsResult<DataFrame>>>) -> Outcome {
    let mut outcome = Outcome { batches: Vec::new(), error: None };
    let mut batches = match batches {
        Ok(batches) => batches,
        Err(error) => return Outcome { error: Some(error), ..outcome },
    };
    while let Some(batch) = batches.next() {
        match batch {
            Ok(batch) => outcome.batches.push(batch),
            Err(error) => {
                outcome.error = Some(error);
                assert!(!matches!(batches.next(), Some(Ok(_))), "a batch after an error");
                break;
            },
        }
    }
    assert!(batches.next().is_none(), "batches after the end");
    outcome
}

#[track_caller]
fn assert_prefix(df: &DataFrame, batches: &[DataFrame], expected: usize) {
    assert_eq!(batches.len(), expected, "whole batches");
    let mut start = 0;
    for batch in batches {
        if let Err(difference) = frames_differ(&df.slice(start, batch.height()), batch) {
            panic!("{difference}");
        }
        start += i64::try_from(batch.height()).expect("small");
    }
}

/// `None`: the cut is inside of a message. Otherwise the whole batches before it.
fn batches_before(ends: &[(usize, usize)], cut: usize) -> (usize, bool) {
    let before = ends.iter().rev().find(|(end, _)| *end <= cut);
    before.map_or((0, false), |&(end, batches)| (batches, end == cut))
}

/// The end of each message, with the batches up to there.
fn ends(bytes: &[u8]) -> (Vec<(usize, usize)>, usize) {
    let (messages, whole) = messages(bytes);
    let mut batches = 0;
    let ends = messages.iter().map(|message| {
        batches += usize::from(matches!(message.kind, Kind::Batch(_)));
        (message.end, batches)
    });
    (ends.collect(), whole)
}

#[test]
fn a_stream_cut_anywhere() {
    let mut cases = Cases::new();
    for (name, df, compression) in small_inputs() {
        let bytes = Config::stream().with_compression(compression).with_batch_rows(4).write(&df);
        let (ends, whole) = ends(&bytes);
        assert_eq!(whole, bytes.len(), "bytes behind the end marker");
        for cut in 0..=bytes.len() {
            cases.run(format!("{name}, {compression:?}, cut at {cut} of {whole}"), || {
                cut_stream(&df, &bytes, cut, &ends);
            });
        }
    }
    cases.finish();
}

fn cut_stream(df: &DataFrame, bytes: &[u8], cut: usize, ends: &[(usize, usize)]) {
    let (expected, between) = batches_before(ends, cut);
    let whole = cut == bytes.len();
    let good = between || whole;
    let part = &bytes[..cut];

    let reader = IpcStreamReader::new(part);
    let outcome = drain(reader.batches());
    assert_prefix(df, &outcome.batches, expected);
    assert_eq!(outcome.error.is_none(), good, "{:?}", outcome.error);
    assert_eq!(reader.saw_end_marker(), whole, "the end marker");

    let reader = IpcStreamReader::from_bytes(part.to_vec());
    let outcome = drain(reader.batches());
    assert_prefix(df, &outcome.batches, expected);
    assert_eq!(outcome.error.is_none(), good, "from_bytes: {:?}", outcome.error);
    assert_eq!(reader.saw_end_marker(), whole, "the end marker, from_bytes");

    let rows = outcome.batches.iter().map(DataFrame::height).sum();
    for (name, read) in reads(false) {
        match read(part) {
            Ok(found) => {
                assert!(good, "{name} takes it for whole");
                if let Some(found) = found {
                    assert_frames_equal(&df.slice(0, rows), &found);
                }
            },
            Err(error) => assert!(!good, "{name}: {error}"),
        }
    }

    let reader = IpcStreamReader::new(part).with_end_marker_required(true);
    let outcome = drain(reader.batches());
    assert_prefix(df, &outcome.batches, expected);
    assert_eq!(outcome.error.is_none(), whole, "with the end marker required: {:?}", outcome.error);
    let finished = IpcStreamReader::new(part).with_end_marker_required(true).finish();
    assert_eq!(finished.is_ok(), whole, "with the end marker required");
    let finished = IpcStreamReader::from_bytes(part.to_vec()).with_end_marker_required(true).finish();
    assert_eq!(finished.is_ok(), whole, "with the end marker required, from_bytes");
}

#[test]
fn stray_bytes_are_not_an_end() {
    let (_, df) = small_frames().remove(0);
    let bytes = Config::stream().with_batch_rows(4).write(&df);
    let (messages, whole) = messages(&bytes);
    let last = messages[messages.len() - 1].end;
    for stray in 1..=3 {
        for byte in [0, 0xFF, b'x'] {
            let mut bytes = bytes[..last].to_vec();
            bytes.extend(std::iter::repeat_n(byte, stray));
            let outcome = drain(IpcStreamReader::new(bytes.as_slice()).batches());
            assert_prefix(&df, &outcome.batches, messages.len() - 1);
            assert!(outcome.error.is_some(), "{stray} stray bytes are taken for an end");
            assert!(IpcStreamReader::new(bytes.as_slice()).finish().is_err());
            assert!(IpcStreamReader::from_bytes(bytes).finish().is_err());
        }
    }
    assert_eq!(whole, bytes.len());
}

#[test]
fn a_file_cut_anywhere() {
    let mut cases = Cases::new();
    for (name, df, compression) in small_inputs() {
        let bytes = Config::file().with_compression(compression).with_batch_rows(4).write(&df);
        for cut in 0..bytes.len() {
            cases.run(format!("{name}, {compression:?}, cut at {cut} of {}", bytes.len()), || {
                let part = &bytes[..cut];
                for (name, read) in reads(true) {
                    assert!(read(part).is_err(), "{name} takes it for whole");
                }
                assert!(IpcReader::new(Cursor::new(part)).num_rows().is_err(), "num_rows");
                assert!(IpcReader::new(Cursor::new(part)).schema().is_err(), "schema");
                assert!(IpcReader::new(Cursor::new(part)).get_batch(0).is_err(), "get_batch");
            });
        }
    }
    cases.finish();
}

#[test]
fn what_is_whole_of_a_cut_file_is_recovered() {
    let mut cases = Cases::new();
    for (name, df) in small_frames() {
        for compression in [None, Some(IpcCompression::LZ4)] {
            let bytes = Config::file().with_compression(compression).with_batch_rows(4).write(&df);
            let (ends, marked) = ends(&bytes[8..]);
            for cut in 0..=bytes.len() {
                cases.run(format!("{name}, {compression:?}, cut at {cut} of {}", bytes.len()), || {
                    let recovered = IpcReader::recover(Cursor::new(&bytes[..cut]));
                    if cut < 8 + ends[0].0 {
                        assert!(recovered.is_err(), "there is no schema");
                        return;
                    }
                    let recovered = recovered.expect("a schema, at least");
                    let (batches, _) = batches_before(&ends, cut - 8);
                    assert_eq!(recovered.batches, batches);
                    assert_frames_equal(&df.head(Some(4 * batches)), &recovered.df);
                    if cut - 8 < marked {
                        // A dictionary without a batch behind it is of no use.
                        let used = ends.iter().find(|(_, up_to)| *up_to == batches).expect("the schema").0;
                        assert_eq!(recovered.leftover_bytes, u64::try_from(cut - 8 - used).expect("small"));
                    } else {
                        assert_eq!(recovered.batches, 3);
                    }
                    if cut == bytes.len() {
                        assert_eq!(recovered.leftover_bytes, 0);
                    }
                });
            }
        }
    }
    cases.finish();
}

/// Every number of a block in the footer, changed: offset, metadata length, body length.
#[test]
fn a_footer_that_disagrees_with_its_bodies() {
    let mut cases = Cases::new();
    for (name, df) in small_frames() {
        let bytes = Config::file().with_batch_rows(4).write(&df);
        let footer = footer(&bytes);
        let (messages, _) = messages(&bytes[8..]);
        let blocks = messages.iter().filter(|message| message.kind != Kind::Schema);
        for message in blocks {
            let offset = i64::try_from(message.start + 8).expect("small");
            let metadata = i64::try_from(message.body - message.start).expect("small");
            let body = i64::try_from(message.end - message.body).expect("small");
            let block = [offset.to_le_bytes(), metadata.to_le_bytes(), body.to_le_bytes()].concat();
            let at = bytes[footer.clone()].windows(24).position(|window| window == block).expect("a block");
            for (field, value) in [(0, offset), (8, metadata), (16, body)] {
                for other in
                    [value - 64, value - 8, value + 8, value + 64, 0, -1, i64::MAX, i64::MIN, 1 << 30]
                {
                    if other == value {
                        continue;
                    }
                    let mut bytes = bytes.clone();
                    bytes[footer.start + at + field..][..8].copy_from_slice(&other.to_le_bytes());
                    cases.run(
                        format!("{name}, {:?}, field {field}: {value} -> {other}", message.kind),
                        || {
                            for (way, read) in reads(true) {
                                assert!(read(&bytes).is_err(), "{way} takes it");
                            }
                        },
                    );
                }
            }
        }
    }
    cases.finish();
}

/// How a source misbehaves.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The given call, and all after it, fail.
    Fail(usize, ErrorKind),
    /// At most so many bytes a call.
    Short(usize),
    /// Every other call is interrupted.
    Interrupted,
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
        self.bytes.read(&mut buf[..len])
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

#[test]
fn what_is_no_ipc_at_all() {
    let inputs: [&[u8]; 9] = [
        b"",
        b"A",
        b"ARROW1",
        b"ARROW1\0\0",
        b"ARROW1\0\0\0\0\0\0ARROW1",
        b"ARROW1\0\0\xFF\xFF\xFF\xFF\0\0\0\0\0\0\0\0ARROW1",
        b"a,b,c\n1,2,3\n4,5,6\n",
        &[0; 1000],
        &[0xFF; 1000],
    ];
    let mut cases = Cases::new();
    for (index, input) in inputs.into_iter().enumerate() {
        for file in [false, true] {
            for (name, read) in reads(file) {
                cases.run(format!("input {index}, {name}"), || {
                    assert!(read(input).is_err(), "it is read");
                });
            }
        }
    }
    cases.finish();
}

/// Files that once broke a reader, collected by the Arrow project. An error or a sound frame.
#[test]
fn fuzz_regressions() {
    let Some(files) = regressions() else { return };
    let mut cases = Cases::new();
    let (mut read_count, mut error_count) = (0, 0);
    for path in &files {
        let bytes = std::fs::read(path).expect("a readable file");
        for (name, read) in reads(false).iter().chain(reads(true)) {
            cases.run(format!("{}, {name}", path.display()), || match read(&bytes) {
                Ok(df) => {
                    df.iter().for_each(|df| {
                        touch(df);
                    });
                    read_count += 1;
                },
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    error_count += 1;
                },
            });
        }
        cases.run(format!("{}, recover", path.display()), || {
            if let Ok(recovered) = IpcReader::recover(Cursor::new(&bytes)) {
                touch(&recovered.df);
            }
        });
    }
    say(&format!("fuzz regressions: {} files, {read_count} reads, {error_count} errors", files.len()));
    cases.finish();
}

/// `None`: there is no data, and that is allowed here.
fn regressions() -> Option<Vec<PathBuf>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let data = std::env::var("ARROW_TEST_DATA").unwrap_or_else(|_| "../shared/arrow-testing/data".to_owned());
    let data = workspace.join(data);
    let mut files = Vec::new();
    for folder in ["arrow-ipc-file", "arrow-ipc-stream"] {
        let Ok(entries) = std::fs::read_dir(data.join(folder)) else { continue };
        let paths = entries.map(|entry| entry.expect("a readable folder").path());
        files.extend(paths.filter(|path| path.is_file()));
    }
    files.sort();
    if !files.is_empty() {
        return Some(files);
    }
    let message = format!("no fuzz regressions in {}; set ARROW_TEST_DATA", data.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
    say(&format!("\n!!!!!!!! SKIPPED: {message} !!!!!!!!\n"));
    None
}

/// Found by fuzzing: a schema without batches, whose column Polars' `Series::new_empty` panics on (a
/// `BinaryOffset` in a list in a struct). Two bytes of hexadecimal a byte.
const NO_BATCHES: &str = "\
    ffffffff180100001000000000000a000c000600050008000a000000000104000c000000080008000000040008000000\
    040000000100000004000000d8ffffff0000010d14000000180000000400000001000000200000000100000073000000\
    4cffffff100014000800060007000c00000010001000000000000115140000001c000000040000000100000028000000\
    010000006600000004000600040000000000120018000800060007000c00000010001400120000000000011314000000\
    58000000080000001400000000000000040000006974656d00000000010000000c00000008000c000400080008000000\
    1c000000040000000d0000006d61696e7461696e5f7479706500000002000000706c0000040004000400000000000000\
    ffffffff00000000";

#[test]
fn a_column_that_polars_cannot_make_empty() {
    let digits: Vec<u32> = NO_BATCHES.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("a byte")).collect();
    let df = IpcStreamReader::new(bytes.as_slice()).finish().expect("a frame without rows");
    assert_eq!(df.shape(), (0, 1));
    let df = IpcStreamReader::from_bytes(bytes).with_n_rows(Some(0)).finish().expect("a frame without rows");
    assert_eq!(df.shape(), (0, 1));
}

#[test]
fn a_footer_that_miscounts_rows_is_not_believed() {
    let mut df =
        DataFrame::new(50, vec![Column::new("a".into(), (0..50i64).collect::<Vec<_>>())]).expect("a frame");
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).with_record_batch_size(Some(10)).finish(&mut df).expect("written");
    let index = b"[10,20,30,40,50]";
    let at = bytes.windows(index.len()).position(|part| part == index).expect("Polars' index in the footer");
    // The first, the middle and the last batch are looked at. What is no index at all is none.
    for lie in
        ["[11,20,30,40,50]", "[10,20,31,40,50]", "[10,20,30,40,51]", "[10,20,30,40,49]", "[10,20,30,40   ]"]
    {
        bytes[at..at + lie.len()].copy_from_slice(lie.as_bytes());
        assert_eq!(IpcReader::new(Cursor::new(&bytes)).num_rows().expect("a count"), 50, "{lie}");
        let back = IpcReader::new(Cursor::new(&bytes)).finish().expect("a frame");
        assert_eq!(back.height(), 50, "{lie}");
    }
}
