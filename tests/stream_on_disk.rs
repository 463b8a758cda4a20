//! Streams that are files on disk, which are read at positions. The frames, the errors and the position afterwards
//! equal those of a reader that only reads.

use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek, SeekFrom, Write};

use floe::prelude::*;
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::config::Config;
use floe_tests::equal::assert_frames_equal;
use floe_tests::run::Cases;
use polars_core::prelude::*;

/// Hides what is behind it: the reader sees a `Read` and nothing else.
struct Only<R>(R);

impl<R: Read> Read for Only<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(out)
    }
}

fn on_disk(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("written");
    file.rewind().expect("rewound");
    file
}

fn stream(df: &DataFrame, rows: usize, compression: Option<IpcCompression>) -> Vec<u8> {
    Config::stream().with_compression(compression).with_batch_rows(rows).write(df)
}

fn numbers(rows: i64) -> DataFrame {
    let text = (0..rows).map(|i| format!("row {i}")).collect::<Vec<_>>();
    let columns =
        vec![Column::new("a".into(), (0..rows).collect::<Vec<i64>>()), Column::new("text".into(), text)];
    DataFrame::new(usize::try_from(rows).expect("rows"), columns).expect("a frame")
}

/// Batches whose bodies are read with those behind them.
#[test]
fn every_dtype_in_small_batches() {
    every_dtype(301, 100);
}

/// Batches whose bodies are read where they are, when they are decoded.
#[test]
fn every_dtype_in_large_batches() {
    every_dtype(9_001, 3_000);
}

fn every_dtype(rows: usize, batch: usize) {
    let mut cases = Cases::new();
    for (i, (name, dtype)) in dtypes().into_iter().enumerate() {
        let mut arbitrary = Arbitrary::new(9_700 + i as u64);
        let df = arbitrary.frame_of(&[("a".into(), dtype.clone()), ("b".into(), dtype)], rows);
        for compression in [None, Some(IpcCompression::LZ4), Some(IpcCompression::ZSTD(Default::default()))] {
            let config = Config { newest: i % 2 == 0, ..Config::stream().with_compression(compression) };
            let bytes = config.with_batch_rows(batch).write(&df);
            for (rechunk, parallel) in [(true, true), (false, true), (true, false)] {
                cases.run(format!("{name}, {compression:?}, rechunk {rechunk}, parallel {parallel}"), || {
                    let mut file = on_disk(&bytes);
                    let reader = IpcStreamReader::new(&mut file).set_rechunk(rechunk).with_parallel(parallel);
                    let found = reader.finish().expect("a stream");
                    assert_frames_equal(&df, &found);
                    assert_eq!(found.first_col_n_chunks(), if rechunk { 1 } else { 4 });
                    assert_eq!(file.stream_position().expect("a position"), bytes.len() as u64);
                });
            }
            cases.run(format!("{name}, {compression:?}, batches of one column"), || {
                let reader = IpcStreamReader::new(on_disk(&bytes)).with_projection(Some(vec![1]));
                let batches: Vec<DataFrame> =
                    reader.batches().expect("a schema").collect::<PolarsResult<_>>().expect("a stream");
                assert_eq!(
                    batches.iter().map(DataFrame::height).collect::<Vec<_>>(),
                    [batch, batch, batch, 1]
                );
                let found = batches.into_iter().reduce(|a, b| a.vstack(&b).expect("one schema"));
                assert_frames_equal(&df.select(["b"]).expect("a column"), &found.expect("batches"));
            });
        }
    }
    cases.finish();
}

/// Reads the two streams behind five bytes of something else with one reader after the other.
fn read_two<R: Read>(mut source: R, df: &DataFrame, read: impl Fn(R) -> (DataFrame, R)) -> R {
    let mut before = [0; 5];
    source.read_exact(&mut before).expect("five bytes");
    assert_eq!(&before, b"hello");
    for _ in 0..2 {
        let (found, rest) = read(source);
        assert_frames_equal(df, &found);
        source = rest;
    }
    let mut behind = Vec::new();
    source.read_to_end(&mut behind).expect("the rest");
    assert_eq!(behind, b"goodbye");
    source
}

#[test]
fn the_reader_stands_behind_the_stream() {
    let df = numbers(1_000);
    let one = stream(&df, 300, None);
    let bytes = [b"hello".as_slice(), &one, &one, b"goodbye"].concat();
    fn batches<R: Read>(source: R) -> (DataFrame, R) {
        let reader = IpcStreamReader::new(source);
        let all = reader.batches().expect("a schema").map(|batch| batch.expect("a batch"));
        let all = all.reduce(|a, b| a.vstack(&b).expect("one schema"));
        assert!(reader.saw_end_marker());
        (all.expect("batches"), reader.into_inner())
    }
    read_two(Cursor::new(&bytes), &df, batches);
    read_two(on_disk(&bytes), &df, batches);
    read_two(&on_disk(&bytes), &df, batches);
    read_two(&mut on_disk(&bytes), &df, batches);
    // With much and with little read ahead by the buffer.
    read_two(BufReader::new(on_disk(&bytes)), &df, batches);
    read_two(BufReader::with_capacity(7, on_disk(&bytes)), &df, batches);
    read_two(&mut BufReader::new(on_disk(&bytes)), &df, batches);

    // A reader that is dropped leaves the file there, too.
    let mut file = on_disk(&bytes);
    file.seek(SeekFrom::Start(5)).expect("a position");
    for _ in 0..2 {
        assert_frames_equal(&df, &IpcStreamReader::new(&mut file).finish().expect("a stream"));
    }
    let mut buffered = BufReader::new(file);
    buffered.seek(SeekFrom::Start(5)).expect("a position");
    for _ in 0..2 {
        assert_frames_equal(&df, &IpcStreamReader::new(&mut buffered).finish().expect("a stream"));
    }
    let mut behind = Vec::new();
    buffered.read_to_end(&mut behind).expect("the rest");
    assert_eq!(behind, b"goodbye");
}

#[test]
fn no_more_is_taken_than_was_asked_for() {
    let bytes = stream(&numbers(1_000), 100, Some(IpcCompression::LZ4));
    for wanted in [1, 99, 100, 101, 550] {
        let mut cursor = Cursor::new(&bytes);
        let few = IpcStreamReader::new(&mut cursor).with_n_rows(Some(wanted)).finish().expect("a stream");
        let mut file = on_disk(&bytes);
        let found = IpcStreamReader::new(&mut file).with_n_rows(Some(wanted)).finish().expect("a stream");
        assert_frames_equal(&few, &found);
        assert_eq!(found.height(), wanted);
        assert_eq!(file.stream_position().expect("a position"), cursor.position(), "{wanted} rows");
    }
    let reader = IpcStreamReader::new(on_disk(&bytes));
    let schema = IpcStreamReader::new(Cursor::new(&bytes));
    let mut batches = reader.batches().expect("a schema");
    let mut others = schema.batches().expect("a schema");
    for _ in 0..3 {
        let (a, b) = (batches.next().expect("a batch"), others.next().expect("a batch"));
        assert_frames_equal(&a.expect("valid"), &b.expect("valid"));
    }
    drop((batches, others));
    let at = reader.into_inner().stream_position().expect("a position");
    assert_eq!(at, schema.into_inner().position());
}

#[test]
fn what_is_cut_off_fails_as_from_any_reader() {
    let df = numbers(40);
    let mut cases = Cases::new();
    for compression in [None, Some(IpcCompression::LZ4)] {
        let bytes = stream(&df, 15, compression);
        for len in 0..bytes.len() {
            cases.run(format!("{compression:?}, {len} of {} bytes", bytes.len()), || {
                let expected = IpcStreamReader::new(Only(&bytes[..len])).finish();
                let found = IpcStreamReader::new(on_disk(&bytes[..len])).finish();
                match (expected, found) {
                    (Ok(expected), Ok(found)) => assert_frames_equal(&expected, &found),
                    (Err(expected), Err(found)) => assert_eq!(expected.to_string(), found.to_string()),
                    (expected, found) => panic!("{expected:?} from a reader, {found:?} from disk"),
                }
            });
        }
    }
    cases.finish();
}

/// Small and large bodies in turn, more than one window of the small ones.
#[test]
fn bodies_of_any_size_follow_one_another() {
    let mut bytes = Vec::new();
    let schema = numbers(1).schema().as_ref().clone();
    let mut writer = IpcStreamWriter::new(&mut bytes).batched(&schema).expect("a schema");
    let sizes: Vec<i64> = (0..1_300).map(|i| if i % 650 == 649 { 40_000 } else { i % 7 }).collect();
    for rows in &sizes {
        writer.write_batch(&numbers(*rows)).expect("written");
    }
    writer.finish().expect("finished");
    let expected =
        IpcStreamReader::new(Only(bytes.as_slice())).set_rechunk(false).finish().expect("a stream");
    for (rechunk, parallel) in [(true, true), (false, true), (true, false), (false, false)] {
        let mut file = on_disk(&bytes);
        let reader = IpcStreamReader::new(&mut file).set_rechunk(rechunk).with_parallel(parallel);
        assert_frames_equal(&expected, &reader.finish().expect("a stream"));
        assert_eq!(file.stream_position().expect("a position"), bytes.len() as u64);
    }
    for wanted in [0, 10, 2_000, 41_000, 90_000] {
        let few = IpcStreamReader::new(on_disk(&bytes)).with_n_rows(Some(wanted)).finish();
        assert_frames_equal(&expected.head(Some(wanted)), &few.expect("a stream"));
    }
}

#[test]
fn a_file_may_grow_while_it_is_read() {
    let df = numbers(300);
    let bytes = stream(&df, 100, None);
    let mut writer = tempfile::NamedTempFile::new().expect("a file");
    // Some of the first batch is missing when the reader is made, and comes later.
    let schema_and_some = bytes.len() / 6;
    writer.write_all(&bytes[..schema_and_some]).expect("written");
    let reader = IpcStreamReader::new(writer.reopen().expect("opened"));
    let mut batches = reader.batches().expect("a schema");
    writer.write_all(&bytes[schema_and_some..]).expect("written");
    let all = batches.by_ref().map(|batch| batch.expect("a batch"));
    let all = all.reduce(|a, b| a.vstack(&b).expect("one schema")).expect("batches");
    assert_frames_equal(&df, &all);
    drop(batches);
    assert!(reader.saw_end_marker());
}

#[test]
fn an_empty_file_is_no_stream_and_a_folder_no_file() {
    let found = IpcStreamReader::new(on_disk(&[])).finish().expect_err("nothing is there");
    assert!(found.to_string().contains("empty"), "{found}");
    let folder = tempfile::tempdir().expect("a folder");
    if let Ok(folder) = File::open(folder.path()) {
        assert!(IpcStreamReader::new(folder).finish().is_err());
    }
}

#[test]
fn any_damage_is_survived() {
    let bytes = stream(&numbers(64), 20, Some(IpcCompression::LZ4));
    let mut cases = Cases::new();
    for at in 0..bytes.len() {
        cases.run(format!("byte {at}"), || {
            let mut broken = bytes.clone();
            broken[at] ^= 0x55;
            let expected = IpcStreamReader::new(Only(broken.as_slice())).finish();
            let found = IpcStreamReader::new(on_disk(&broken)).finish();
            match (expected, found) {
                (Ok(expected), Ok(found)) => assert_frames_equal(&expected, &found),
                (Err(_), Err(_)) => {},
                (expected, found) => panic!("{expected:?} from a reader, {found:?} from disk"),
            }
        });
    }
    cases.finish();
}
