//! Streams from sources that only read, and files on disk: their frames, how far they are read, and in how much memory.

use std::io::{self, Read};
use std::process::Command;

use floe::prelude::*;
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::config::Config;
use floe_tests::equal::assert_frames_equal;
use floe_tests::messages::messages;
use floe_tests::run::Cases;
use polars_core::prelude::*;

/// Gives `step` bytes at a time, and counts them.
struct Steps<'a> {
    rest: &'a [u8],
    step: usize,
    read: usize,
}

impl<'a> Steps<'a> {
    fn new(bytes: &'a [u8], step: usize) -> Self {
        Self { rest: bytes, step, read: 0 }
    }
}

impl Read for Steps<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = out.len().min(self.step);
        let n = self.rest.read(&mut out[..n])?;
        self.read += n;
        Ok(n)
    }
}

const CODECS: [Option<IpcCompression>; 2] = [None, Some(IpcCompression::LZ4)];

/// More than one window of batches (1,024 of them), and another that is not full.
const MANY: usize = 2_100;

fn reader(bytes: &[u8], step: usize, rechunk: bool, parallel: bool) -> IpcStreamReader<Steps<'_>> {
    IpcStreamReader::new(Steps::new(bytes, step)).set_rechunk(rechunk).with_parallel(parallel)
}

/// The columns at some places, or all.
fn projected(df: &DataFrame, projection: Option<&[usize]>) -> DataFrame {
    let Some(indices) = projection else { return df.clone() };
    let columns = indices.iter().map(|i| df.columns()[*i].clone()).collect();
    DataFrame::new(df.height(), columns).expect("columns of one length")
}

#[test]
fn windows_of_batches_join_in_every_dtype() {
    let mut cases = Cases::new();
    for (i, (name, dtype)) in dtypes().into_iter().enumerate() {
        let mut arbitrary = Arbitrary::new(9_000 + i as u64);
        let df = arbitrary.frame_of(&[("a".into(), dtype.clone()), ("b".into(), dtype)], MANY);
        for compression in CODECS {
            let config = Config { newest: i % 2 == 0, ..Config::stream().with_compression(compression) };
            let bytes = config.with_batch_rows(1).write(&df);
            for (rechunk, parallel) in [(true, true), (true, false), (false, true), (false, false)] {
                cases.run(format!("{name}, {compression:?}, rechunk {rechunk}, parallel {parallel}"), || {
                    let found = reader(&bytes, 1009, rechunk, parallel).finish().expect("a stream");
                    assert_frames_equal(&df, &found);
                    assert_eq!(found.first_col_n_chunks(), if rechunk { 1 } else { MANY });
                });
            }
            cases.run(format!("{name}, {compression:?}, one column"), || {
                let found = reader(&bytes, 4096, true, true).with_projection(Some(vec![1])).finish();
                assert_frames_equal(&df.select(["b"]).expect("a column"), &found.expect("a stream"));
            });
        }
    }
    cases.finish();
}

/// Large and small columns, of every width, strings among them.
fn mixed(rows: usize) -> DataFrame {
    let i = || 0..rows as u64;
    let text = |n: usize| (0..rows).map(move |i| (i % 7 > 0).then(|| format!("{i:0>0$}", i % n)));
    let columns = vec![
        Column::new("u64".into(), i().collect::<Vec<u64>>()),
        Column::new("bool".into(), i().map(|i| i % 3 == 0).collect::<Vec<bool>>()),
        Column::new("long".into(), text(40).collect::<Vec<_>>()),
        Column::new("i32".into(), (0i32..).take(rows).map(|i| (i % 11 > 0).then_some(i)).collect::<Vec<_>>()),
        Column::new("short".into(), text(9).collect::<Vec<_>>()),
        Column::new("f64".into(), i().map(|i| i as f64 / 3.0).collect::<Vec<f64>>()),
    ];
    DataFrame::new(rows, columns).expect("columns of one length")
}

#[test]
fn every_projection_of_large_bodies_is_read_exactly() {
    let df = mixed(700_000);
    let mut cases = Cases::new();
    for (newest, compression, rows) in [
        (true, None, 700_000),
        (false, None, 700_000),
        (false, None, 200_001),
        (true, Some(IpcCompression::LZ4), 200_001),
    ] {
        let config = Config { newest, ..Config::stream().with_compression(compression) };
        let mut bytes = config.with_batch_rows(rows).write(&df);
        let end = bytes.len();
        bytes.extend_from_slice(b"what comes next");
        let projections: [Option<Vec<usize>>; 5] =
            [None, Some(vec![]), Some(vec![2]), Some(vec![5, 1]), Some(vec![5, 4, 3, 2, 1, 0])];
        for (n, projection) in projections.into_iter().enumerate() {
            for rechunk in [true, false] {
                cases.run(format!("{compression:?}, {rows} rows, {projection:?}, {rechunk}"), || {
                    let reader = reader(&bytes, 100_003 * (1 + n), rechunk, n % 2 == 0);
                    let reader = reader.with_projection(projection.clone());
                    let mut found: Option<DataFrame> = None;
                    for batch in reader.batches().expect("batches") {
                        let batch = batch.expect("a batch");
                        match &mut found {
                            None => found = Some(batch),
                            Some(all) => drop(all.vstack_mut(&batch).expect("one schema")),
                        }
                    }
                    let source = reader.into_inner();
                    assert_eq!(source.read, end, "the source stands behind the end marker");
                    let expected = projected(&df, projection.as_deref());
                    assert_frames_equal(&expected, &found.expect("a batch"));
                    let whole = IpcStreamReader::new(&bytes[..]).set_rechunk(rechunk);
                    let whole = whole.with_projection(projection.clone()).finish().expect("a stream");
                    assert_frames_equal(&expected, &whole);
                });
            }
        }
    }
    cases.finish();
}

#[test]
fn a_large_body_that_ends_early_is_truncated() {
    let df = mixed(600_000);
    for compression in CODECS {
        let bytes = Config::stream().with_compression(compression).with_batch_rows(600_000).write(&df);
        for cut in [bytes.len() / 3, bytes.len() / 2, bytes.len() - 1000] {
            for projection in [None, Some(vec![0]), Some(vec![5]), Some(vec![])] {
                let reader = reader(&bytes[..cut], 65_537, true, true).with_projection(projection);
                let error = reader.finish().expect_err("it is cut").to_string();
                assert!(
                    error.contains("a message's body") && error.contains("after 0 record batches"),
                    "{error}"
                );
            }
        }
    }
}

/// Numbers of every type and width, with nulls in some batches and not in others, beside columns of other kinds.
fn numbers(rows: usize) -> DataFrame {
    let values: Vec<i64> = (0i64..).take(rows).map(|i| i * i % 1_009 - 400).collect();
    let nulls = values.iter().enumerate().map(|(i, v)| (i < rows / 2 || i % 5 > 0).then_some(*v));
    let source = [Column::new("".into(), &values), Column::new("".into(), nulls.collect::<Vec<_>>())];
    let time = |unit| DataType::Datetime(unit, None);
    let dtypes = [
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::Int128,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
        DataType::Date,
        DataType::Time,
        time(TimeUnit::Milliseconds),
        DataType::Duration(TimeUnit::Nanoseconds),
        DataType::Boolean,
        DataType::String,
    ];
    let columns = dtypes.iter().enumerate().flat_map(|(i, dtype)| {
        source.iter().enumerate().map(move |(k, source)| {
            let values = if *dtype == DataType::Time {
                // Not below midnight.
                source.cast(&DataType::UInt8).and_then(|v| v.cast(&DataType::Int64))
            } else {
                Ok(source.clone())
            };
            values.and_then(|v| v.cast(dtype)).expect("a cast").with_name(format!("{i} {k}").into())
        })
    });
    DataFrame::new(rows, columns.collect()).expect("columns of one length")
}

#[test]
fn numbers_are_the_same_wherever_they_are_read_to() {
    let rows = 70_000;
    let df = numbers(4 * rows + 12_345);
    let write =
        |compression, rows| Config::stream().with_compression(compression).with_batch_rows(rows).write(&df);
    let (raw, lz4) = (write(None, rows), write(Some(IpcCompression::LZ4), rows));
    // The first batches are raw and large; one behind them is compressed, or all are.
    let (of_raw, of_lz4) = (messages(&raw).0, messages(&lz4).0);
    let mut spliced = raw[..of_raw[3].start].to_vec();
    spliced.extend_from_slice(&lz4[of_lz4[3].start..of_lz4[3].end]);
    spliced.extend_from_slice(&raw[of_raw[3].end..]);
    // After them, one of each kind by turns.
    let short = rows / 4;
    let (raw_short, lz4_short) = (write(None, short), write(Some(IpcCompression::LZ4), short));
    let (of_raw_short, of_lz4_short) = (messages(&raw_short).0, messages(&lz4_short).0);
    let mut alternating = raw_short[..of_raw_short[8].start].to_vec();
    for i in 8..of_raw_short.len() {
        let (bytes, of) =
            if i % 2 == 0 { (&lz4_short, of_lz4_short[i]) } else { (&raw_short, of_raw_short[i]) };
        alternating.extend_from_slice(&bytes[of.start..of.end]);
    }
    alternating.extend_from_slice(&raw_short[of_raw_short[of_raw_short.len() - 1].end..]);
    let mut cases = Cases::new();
    for (name, bytes) in [
        ("raw", &raw),
        ("spliced", &spliced),
        ("alternating", &alternating),
        ("lz4", &lz4),
        ("one batch", &write(None, df.height())),
        ("small batches", &write(None, 3_000)),
    ] {
        for (step, parallel, projection) in [
            (usize::MAX, true, None),
            (65_537, true, None),
            (1_000_003, false, None),
            (usize::MAX, true, Some(vec![])),
            (100_003, true, Some(vec![7, 6, 33, 0])),
            (usize::MAX, false, Some(vec![32])),
        ] {
            let expected = projected(&df, projection.as_deref());
            cases.run(format!("{name}, {step}, {parallel}, {projection:?}"), || {
                let reader = reader(bytes, step, true, parallel).with_projection(projection.clone());
                let found = reader.finish().expect("a stream");
                assert_frames_equal(&expected, &found);
                assert_eq!(found.first_col_n_chunks(), if expected.width() > 0 { 1 } else { 0 });
            });
        }
        cases.run(format!("{name}, first rows"), || {
            let found = reader(bytes, usize::MAX, true, true).with_n_rows(Some(2 * rows + 5)).finish();
            assert_frames_equal(&df.head(Some(2 * rows + 5)), &found.expect("a stream"));
        });
    }
    cases.finish();
}

/// Heads that lie about lengths and places are found out, whether numbers are read in place or from memory; and if
/// they are believed, both see the same.
#[test]
fn broken_heads_say_the_same_of_a_reader_and_of_memory() {
    let df = numbers(210_000).select(["3 0", "3 1", "10 0", "16 0"]).expect("columns");
    let mut bytes = Config::stream().with_batch_rows(70_000).write(&df);
    let last = messages(&bytes).0[3];
    let (mut broken, mut read) = (0, 0);
    for at in (last.start..last.body).step_by(3) {
        for flip in [0x01, 0x80] {
            bytes[at] ^= flip;
            let of_reader = reader(&bytes, usize::MAX, true, true).finish();
            let of_memory = IpcStreamReader::from_bytes(bytes.clone()).finish();
            match (of_reader, of_memory) {
                (Ok(of_reader), Ok(of_memory)) => {
                    read += 1;
                    assert_frames_equal(&of_memory, &of_reader);
                },
                (Err(_), Err(_)) => broken += 1,
                (of_reader, of_memory) => panic!(
                    "byte {at} ^ {flip}: the reader says {:?}, memory says {:?}",
                    of_reader.map(|df| df.shape()),
                    of_memory.map(|df| df.shape())
                ),
            }
            bytes[at] ^= flip;
        }
    }
    assert!(broken > 10 && read > 10, "{broken} broken, {read} read");
}

#[test]
fn files_of_many_small_columns_are_read_from_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut cases = Cases::new();
    let source = mixed(900 + 40);
    let columns = source.columns().iter().cycle().zip(0i64..40);
    let columns = columns.map(|(column, k)| column.slice(k, 900).with_name(format!("c{k}").into()));
    let df = DataFrame::new(900, columns.collect()).expect("columns of one length");
    for newest in [true, false] {
        for compression in CODECS {
            for rows in [900, 250] {
                let path = folder.path().join("wide.arrow");
                let config = Config { newest, ..Config::file().with_compression(compression) };
                std::fs::write(&path, config.with_batch_rows(rows).write(&df)).expect("a file");
                let open = || IpcReader::new(std::fs::File::open(&path).expect("a file"));
                cases.run(format!("{newest}, {compression:?}, {rows}"), || {
                    for rechunk in [true, false] {
                        assert_frames_equal(&df, &open().set_rechunk(rechunk).finish().expect("a file"));
                        let some = vec![31, 0, 7, 8, 9];
                        let names: Vec<_> = some.iter().map(|i| df.columns()[*i].name().clone()).collect();
                        let reader = open().set_rechunk(rechunk).with_projection(Some(some));
                        let expected = df.select(names).expect("columns");
                        assert_frames_equal(&expected, &reader.finish().expect("a file"));
                    }
                    let last = open().get_batch(900usize.div_ceil(rows) - 1).expect("a batch");
                    assert_frames_equal(&df.tail(Some(last.height())), &last);
                    let none = open().with_projection(Some(vec![])).finish().expect("a file");
                    assert_eq!((none.height(), none.width()), (900, 0));
                });
            }
        }
    }
    cases.finish();
}

#[test]
fn one_large_buffer_is_the_same_from_any_number_of_threads() {
    let values: Vec<u64> = (0..3_000_000u64).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 50).collect();
    let df = DataFrame::new(values.len(), vec![Column::new("a".into(), values)]).expect("a frame");
    let config = Config::stream().with_compression(Some(IpcCompression::LZ4)).with_batch_rows(usize::MAX);
    let bytes = config.write(&df);
    assert!(bytes == Config { parallel: false, ..config }.write(&df), "the bytes depend on threads");
    assert_frames_equal(&df, &IpcStreamReader::new(&bytes[..]).finish().expect("a stream"));
}

/// Columns whose buffers and fields are so large that they are compressed and decoded apart from each other.
#[test]
fn large_nested_columns_are_the_same_from_any_number_of_threads() {
    let field = |name: &str, dtype: DataType| Field::new(name.into(), dtype);
    let inner = vec![field("flag", DataType::Boolean), field("text", DataType::String)];
    let fields = vec![
        field("id", DataType::Int64),
        field("name", DataType::String),
        field("bytes", DataType::Binary),
        field("inner", DataType::Struct(inner)),
        field("tags", DataType::List(Box::new(DataType::UInt16))),
        field("nothing", DataType::Null),
    ];
    let structs = DataType::Struct(fields);
    let columns = [("structs".into(), structs.clone()), ("lists".into(), DataType::List(Box::new(structs)))];
    let df = Arbitrary::new(9_800).frame_of(&columns, 40_000);
    let mut cases = Cases::new();
    for (config, newest) in [(Config::stream(), false), (Config::stream(), true), (Config::file(), true)] {
        for compression in [None, Some(IpcCompression::LZ4), Some(IpcCompression::ZSTD(Default::default()))] {
            let config = Config { newest, ..config }.with_compression(compression).with_batch_rows(36_000);
            cases.run(format!("{config:?}"), || {
                let bytes = config.write(&df);
                let alone = Config { parallel: false, ..config }.write(&df);
                assert!(bytes == alone, "the bytes depend on threads");
                for parallel in [true, false] {
                    let found = if config.file {
                        IpcReader::from_bytes(bytes.clone()).with_parallel(parallel).finish()
                    } else {
                        IpcStreamReader::new(&bytes[..]).with_parallel(parallel).finish()
                    };
                    assert_frames_equal(&df, &found.expect("readable"));
                }
            });
        }
    }
    cases.finish();
}

/// Says to the child what to measure.
const CHILD: &str = "FLOE_STREAMS_CHILD";
/// Beyond the frame itself.
const ALLOWED_MB: usize = 64;

fn kilobytes(key: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux system");
    let line = status.lines().find(|line| line.starts_with(key)).expect("the key");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

/// A gigabyte would show the same, and take longer: numbers, and what LZ4 makes of them.
fn large() -> DataFrame {
    let rows = 6_000_000u64;
    let column = |k: u64| {
        let values = (0..rows).map(|i| (i * (2 * k + 3)) ^ (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44));
        Column::new(format!("c{k}").into(), values.collect::<Vec<u64>>())
    };
    DataFrame::new(6_000_000, (0..4).map(column).collect()).expect("columns of one length")
}

#[test]
#[cfg(target_os = "linux")]
fn reading_takes_little_memory_beside_the_result() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut df = large();
    for (name, compression) in [("raw", None), ("LZ4", Some(IpcCompression::LZ4))] {
        let path = folder.path().join(name);
        let file = std::fs::File::create(&path).expect("a file");
        IpcStreamWriter::new(file).with_compression(compression).finish(&mut df).expect("written");
        for how in ["rechunk", "chunks", "one"] {
            let exe = std::env::current_exe().expect("this test");
            let status = Command::new(exe)
                .args(["--exact", "memory_child", "--nocapture"])
                .env(CHILD, format!("{how}:{}", path.display()))
                .status();
            assert!(status.expect("a child").success(), "{name}, {how}: see above");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn writing_takes_little_memory_beside_the_frame() {
    for how in ["write-raw", "write-lz4"] {
        let exe = std::env::current_exe().expect("this test");
        let child = Command::new(exe)
            .args(["--exact", "memory_child", "--nocapture"])
            .env(CHILD, format!("{how}:"))
            .status();
        assert!(child.expect("a child").success(), "{how}: see above");
    }
}

fn write_in_little_memory(how: &str) {
    // Strings, which become offsets and data on the way, and numbers: some 250 MB.
    let rows = 3_000_000;
    let text = (0..rows as u64).map(|i| format!("a text that is not inline: {}", i % 1_000_003));
    let mut df = large().slice(0, rows);
    df.with_column(Column::new("text".into(), text.collect::<Vec<_>>())).expect("a column");
    // Forgets the peak so far.
    std::fs::write("/proc/self/clear_refs", "5").expect("a Linux system");
    let before = kilobytes("VmRSS");
    let compression = (how == "write-lz4").then_some(IpcCompression::LZ4);
    IpcStreamWriter::new(io::sink()).with_compression(compression).finish(&mut df).expect("written");
    let more = kilobytes("VmHWM").saturating_sub(before);
    assert!(more <= ALLOWED_MB * 1024, "{how}: {} MB more at the peak", more / 1024);
}

/// Run by [`reading_takes_little_memory_beside_the_result`] and
/// [`writing_takes_little_memory_beside_the_frame`].
#[test]
fn memory_child() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let (how, path) = task.split_once(':').expect("a task");
    if how.starts_with("write") {
        return write_in_little_memory(how);
    }
    let before = kilobytes("VmRSS");
    let file = std::fs::File::open(path).expect("a file");
    let reader = IpcStreamReader::new(file).set_rechunk(how != "chunks");
    let df = reader.with_projection((how == "one").then(|| vec![1])).finish().expect("a stream");
    let peak = kilobytes("VmHWM") - before;
    let result = df.estimated_size() / 1024;
    println!("{how}: {} MB at the peak for a frame of {} MB", peak / 1024, result / 1024);
    assert_eq!(df.height(), 6_000_000);
    assert!(
        peak <= result + ALLOWED_MB * 1024,
        "{how}: {} MB at the peak for a frame of {} MB",
        peak / 1024,
        result / 1024
    );
}
