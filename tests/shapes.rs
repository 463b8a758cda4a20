//! How frames become messages: which batches, which dictionaries, which bytes, and what happens when the bytes
//! have nowhere to go.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_ipc::{root_as_footer, root_as_message};
use floe::prelude::*;
use floe_tests::arbitrary::Arbitrary;
use floe_tests::config::{Config, codecs, concat, reads};
use floe_tests::equal::{assert_frames_equal, frames_differ};
use floe_tests::frames::drifting;
use floe_tests::messages::{Kind, Message, footer, messages};
use floe_tests::run::Cases;
use polars_core::chunked_array::object::builder::ObjectChunkedBuilder;
use polars_core::prelude::*;
use polars_core::series::IsSorted;
use polars_io::mmap::MmapBytesReader;
use polars_utils::total_ord::{TotalEq, TotalHash};

fn frame(columns: Vec<Column>) -> DataFrame {
    DataFrame::new_infer_height(columns).expect("columns of one length")
}

fn both() -> [Config; 2] {
    [Config::stream(), Config::file()]
}

/// The messages of a stream or a file.
fn messages_of(config: &Config, bytes: &[u8]) -> Vec<Message> {
    messages(&bytes[if config.file { 8 } else { 0 }..]).0
}

fn batch_rows(messages: &[Message]) -> Vec<i64> {
    let rows = |message: &Message| match message.kind {
        Kind::Batch(rows) => Some(rows),
        _ => None,
    };
    messages.iter().filter_map(rows).collect()
}

fn dictionaries(messages: &[Message]) -> Vec<(i64, bool)> {
    let dictionary = |message: &Message| match message.kind {
        Kind::Dictionary { id, delta } => Some((id, delta)),
        _ => None,
    };
    messages.iter().filter_map(dictionary).collect()
}

/// Everything a stream or file holds, in one frame.
fn read(config: &Config, bytes: &[u8]) -> DataFrame {
    if config.file {
        IpcReader::new(Cursor::new(bytes)).finish().expect("a file")
    } else {
        IpcStreamReader::new(bytes).finish().expect("a stream")
    }
}

// --- What is written is what the frame holds ---

/// 20 MB of strings, in 20,000 rows.
fn long_strings() -> Series {
    let text = "0123456789".repeat(100);
    Series::new("strings".into(), (0..20_000).map(|row| format!("{row} {text}")).collect::<Vec<_>>())
}

#[test]
fn slices_write_their_own_rows_only() {
    let strings = long_strings();
    let lists = strings.reshape_list(&[ReshapeDimension::Infer, ReshapeDimension::new(4)]).expect("lists");
    let arrays = strings.reshape_array(&[ReshapeDimension::Infer, ReshapeDimension::new(4)]).expect("arrays");
    let nested =
        lists.reshape_list(&[ReshapeDimension::Infer, ReshapeDimension::new(2)]).expect("lists of lists");
    let fields = [strings.clone(), strings.clone().with_name("again".into())];
    let structs =
        StructChunked::from_series("structs".into(), strings.len(), fields.iter()).expect("structs");
    let categories = Categories::new("slices".into(), "".into(), CategoricalPhysical::U32);
    let categorical = strings.cast(&DataType::from_categories(categories)).expect("categories");
    let binary = strings.cast(&DataType::Binary).expect("bytes");
    let shapes = [
        ("strings", strings.clone()),
        ("lists", lists),
        ("arrays", arrays),
        ("lists of lists", nested),
        ("structs", structs.into_series()),
        ("categories", categorical),
        ("bytes", binary),
    ];
    let mut cases = Cases::new();
    for (name, series) in shapes {
        let df = frame(vec![series.into_column()]);
        let rows = df.height();
        let mask: BooleanChunked = (0..rows).map(|row| row % (rows / 5) == 1).collect();
        let parts = [
            ("slice", df.slice(i64::try_from(rows / 2).expect("small"), 5)),
            ("filter", df.filter(&mask).expect("a mask")),
        ];
        for (how, part) in parts {
            for (file, newest) in [(false, false), (false, true), (true, false), (true, true)] {
                let config = Config { file, newest, ..Config::stream() };
                cases.run(format!("{name}, {how}, {config:?}"), || {
                    let bytes = config.write(&part);
                    // At most 5 x 2 x 4 strings of 1 KB.
                    assert!(bytes.len() < 50_000, "{} bytes", bytes.len());
                    assert_frames_equal(&part, &read(&config, &bytes));
                });
            }
        }
    }
    cases.finish();
}

#[test]
fn a_large_categorical_writes_the_categories_in_use() {
    let words: Vec<_> = (0..50_000).map(|word| format!("category number {word}")).collect();
    let categories = Categories::new("many".into(), "".into(), CategoricalPhysical::U32);
    let column =
        Series::new("words".into(), words).cast(&DataType::from_categories(categories)).expect("categories");
    let df = frame(vec![column.into_column()]).slice(20_000, 3);
    for config in both() {
        let bytes = config.write(&df);
        assert!(bytes.len() < 4_000, "{} bytes", bytes.len());
        assert_frames_equal(&df, &read(&config, &bytes));
    }
}

#[test]
fn a_dictionary_holds_the_categories_in_use_and_no_others() {
    // More rows and more categories than one task looks at, half of the categories in use, and not in their order.
    let words: Vec<String> = (0..30_000).map(|word| format!("word {word}")).collect();
    let dtype = categories("half in use");
    let all = Series::new("all".into(), &words).cast(&dtype).expect("categories");
    let word = |row: usize| row * 7919 % words.len();
    let values: Vec<Option<&str>> =
        (0..200_000).map(|row| (word(row) % 2 == 0).then(|| words[word(row)].as_str())).collect();
    let df = frame(vec![categorical("words", &dtype, &values)]);
    assert_eq!(all.len(), words.len(), "they are all known while this is written");
    for config in both() {
        let bytes = config.write(&df);
        assert_eq!(bytes, Config { parallel: !config.parallel, ..config }.write(&df));
        assert_frames_equal(&df, &read(&config, &bytes));
        if config.file {
            continue;
        }
        let mut reader =
            arrow_ipc::reader::StreamReader::try_new(bytes.as_slice(), None).expect("arrow-rs reads");
        let batch = reader.next().expect("a batch").expect("arrow-rs reads");
        let keys = batch.column(0).as_any_dictionary().values();
        let texts: Vec<&str> = keys.as_string::<i64>().iter().flatten().collect();
        let even: Vec<&str> = words.iter().step_by(2).map(String::as_str).collect();
        assert_eq!(texts, even);
    }
}

// --- Which batches ---

#[test]
fn thousands_of_tiny_chunks_become_few_batches() {
    let chunk = |start: i64| {
        let values: Vec<_> = (start..start + 3).collect();
        let texts: Vec<_> = values.iter().map(|value| format!("text {value}")).collect();
        frame(vec![Column::new("a".into(), values), Column::new("b".into(), texts)])
    };
    let mut df = chunk(0);
    for index in 1..4000 {
        df.vstack_mut(&chunk(index * 3)).expect("the same schema");
    }
    assert_eq!(df.first_col_n_chunks(), 4000);
    for config in both() {
        let bytes = config.write(&df);
        assert_eq!(batch_rows(&messages_of(&config, &bytes)), [12_000]);
        assert_frames_equal(&df, &read(&config, &bytes));
    }
}

#[test]
fn chunks_need_not_be_aligned() {
    let series = |name: &str, lens: &[i64]| {
        let mut out = Series::new_empty(name.into(), &DataType::Int64);
        let mut start = 0;
        for len in lens {
            let values: Vec<_> = (start..start + len).collect();
            out.append(&Series::new(name.into(), values)).expect("the same dtype");
            start += len;
        }
        out.into_column()
    };
    let df = frame(vec![series("a", &[1, 2, 3, 4]), series("b", &[10]), series("c", &[0, 9, 0, 1])]);
    for config in both() {
        for rows in [1, 3, 4, 100] {
            let config = config.with_batch_rows(rows);
            assert_frames_equal(&df, &read(&config, &config.write(&df)));
        }
    }
}

#[test]
fn numbers_that_are_written_at_once_are_the_bytes_of_those_that_are_not() {
    let numbers = |rows: std::ops::Range<i64>| {
        let values: Vec<i64> = rows.collect();
        let nullable: Vec<_> = values.iter().map(|value| (value % 5 > 0).then_some(*value)).collect();
        frame(vec![Column::new("all".into(), values), Column::new("some".into(), nullable)])
    };
    // Up to what a batch has when nothing is asked for, and one row more.
    for rows in [1, 100, 100_001, 262_144, 262_145] {
        let whole = numbers(0..rows);
        let mut halves = numbers(0..rows / 2);
        halves.vstack_mut(&numbers(rows / 2..rows)).expect("the same schema");
        for config in both() {
            let one_batch = config.with_batch_rows(usize::try_from(rows).expect("rows"));
            let bytes = one_batch.write(&whole);
            assert_eq!(batch_rows(&messages_of(&config, &bytes)), [rows]);
            assert_eq!(bytes, config.write(&whole), "{rows} rows are one batch without being asked for");
            assert_eq!(bytes, one_batch.write(&halves), "{rows} rows in two chunks");
            assert_frames_equal(&whole, &read(&config, &bytes));
        }
    }
}

#[test]
fn strings_that_lie_in_order_are_the_bytes_of_those_that_do_not() {
    // Longer than a view holds, but for those that are empty; over several of the buffers that Polars makes.
    let rows = 70_001u32;
    let text = |row: u32| match row % 10 {
        3 => String::new(),
        digit => format!("text number {row} of {rows}, {}", u64::from(row) * u64::from(digit)),
    };
    let in_order = Column::new("texts".into(), (0..rows).map(text).collect::<Vec<_>>());
    let mut sorted: Vec<u32> = (0..rows).step_by(2).collect();
    sorted.extend((1..rows).step_by(2));
    let place = |row: u32| if row.is_multiple_of(2) { row / 2 } else { rows.div_ceil(2) + row / 2 };
    let places = IdxCa::from_vec("".into(), (0..rows).map(place).collect());
    let scattered = Column::new("texts".into(), sorted.into_iter().map(text).collect::<Vec<_>>());
    let scattered = frame(vec![scattered.take(&places).expect("rows")]);
    let in_order = frame(vec![in_order]);
    assert_frames_equal(&in_order, &scattered);
    let raw = both().map(|config| Config { newest: false, ..config });
    let compressed = raw.map(|config| Config { compression: Some(IpcCompression::LZ4), ..config });
    for config in raw.into_iter().chain(compressed) {
        for (from, len) in [(0, 70_001), (1_003, 60_000), (5, 20)] {
            let [ordered, scattered] = [&in_order, &scattered].map(|df| config.write(&df.slice(from, len)));
            assert_eq!(ordered, scattered, "{config:?}, {len} rows from {from}");
            assert_frames_equal(&in_order.slice(from, len), &read(&config, &ordered));
        }
    }
}

#[test]
fn bytes_do_not_depend_on_the_chunks_within_a_batch() {
    // Large enough that chunks are written as they lie, small enough that several are in a batch; odd lengths.
    let chunk = |start: i64, len: i64| {
        let values: Vec<i64> = (start..start + len).collect();
        let nullable: Vec<Option<i64>> =
            values.iter().map(|value| (value % 7 != 3).then_some(*value)).collect();
        let days = Column::new("days".into(), values.clone()).cast(&DataType::Int32).expect("small numbers");
        frame(vec![
            Column::new("small".into(), values.iter().map(|value| value % 2 == 0).collect::<Vec<bool>>()),
            days.cast(&DataType::Date).expect("dates"),
            Column::new("nullable".into(), nullable),
            Column::new(
                "halves".into(),
                values.iter().map(|value| *value as f64 / 2.0).collect::<Vec<f64>>(),
            ),
            Column::new(
                "bytes".into(),
                values.iter().map(|value| value.to_le_bytes()[0]).collect::<Vec<u8>>(),
            ),
            Column::new("values".into(), values),
        ])
    };
    let mut df = chunk(0, 1_501);
    for (start, len) in [(1_501, 7_777), (9_278, 1), (9_279, 5_003), (14_282, 718)] {
        df.vstack_mut(&chunk(start, len)).expect("the same schema");
    }
    assert_eq!(df.first_col_n_chunks(), 5);
    let mut joined = df.clone();
    joined.rechunk_mut();
    for config in both() {
        for (codec, rows) in
            codecs().into_iter().flat_map(|codec| [4_000, 10_000, 100_000].map(|rows| (codec, rows)))
        {
            let config = config.with_compression(codec).with_batch_rows(rows);
            let bytes = config.write(&df);
            assert!(bytes == config.write(&joined), "{config:?}");
            assert_frames_equal(&df, &read(&config, &bytes));
        }
    }
}

#[test]
fn ten_million_rows_are_cut_unless_asked_otherwise() {
    const ROWS: usize = 10_000_000;
    let values: Vec<u8> = (0..ROWS).map(|row| u8::try_from(row % 251).expect("small")).collect();
    let df = frame(vec![Column::new("a".into(), values)]);
    for config in both() {
        let bytes = config.write(&df);
        let rows = batch_rows(&messages_of(&config, &bytes));
        assert!(rows.len() >= 10, "{} batches", rows.len());
        assert!(rows.iter().all(|&rows| rows <= 1_000_000), "{rows:?}");
        assert!(read(&config, &bytes).equals(&df));

        let config = config.with_batch_rows(usize::MAX);
        let bytes = config.write(&df);
        assert_eq!(batch_rows(&messages_of(&config, &bytes)), [10_000_000]);
        assert!(read(&config, &bytes).equals(&df));

        let config = config.with_batch_rows(3_000_000);
        let bytes = config.write(&df);
        assert_eq!(batch_rows(&messages_of(&config, &bytes)), [3_000_000, 3_000_000, 3_000_000, 1_000_000]);
    }
}

#[test]
fn long_rows_are_cut_by_bytes() {
    let text = "x".repeat(100_000);
    let df = frame(vec![Column::new("a".into(), vec![text; 2_000])]);
    for config in both() {
        let bytes = config.write(&df);
        let messages = messages_of(&config, &bytes);
        assert!(batch_rows(&messages).len() >= 3, "{:?}", batch_rows(&messages));
        assert!(messages.iter().all(|message| message.end - message.body < 100_000_000));
        assert!(read(&config, &bytes).equals(&df));
    }
}

#[test]
fn batches_are_written_as_they_are_given() {
    let batches: Vec<_> = [5, 0, 1, 300]
        .map(|rows| {
            Arbitrary::new(rows)
                .frame_of(&[("a".into(), DataType::Int32)], usize::try_from(rows).expect("small"))
        })
        .into();
    for config in both() {
        let bytes = config.write_batches(&batches);
        let rows: Vec<_> =
            batch_rows(&messages_of(&config, &bytes)).into_iter().filter(|&rows| rows > 0).collect();
        assert_eq!(rows, [5, 1, 300]);
    }
}

/// Frames so large that buffers are still being made while those before them are written.
#[test]
fn large_raw_batches_are_the_same_bytes_with_one_thread_and_many() {
    let rows = 70_000;
    let text = |i: usize| match i % 11 {
        3 => None,
        short if short < 6 => Some(format!("row {i}")),
        _ => Some(format!("row number {i} of a column of long and short strings")),
    };
    let strings: Vec<Option<String>> = (0..rows).map(text).collect();
    let of = [&[1, 2][..], &[3], &[]].map(|values: &[i64]| Series::new("".into(), values));
    let lists: Vec<Series> = of.iter().cycle().take(rows).cloned().collect();
    let nulls = (0..70_000).map(|i| (i % 5 > 0).then_some(f64::from(i)));
    let whole = frame(vec![
        Column::new("strings".into(), &strings),
        Column::new("numbers".into(), (0..70_000i64).collect::<Vec<_>>()),
        Column::new("lists".into(), lists),
        Column::new("nulls".into(), nulls.collect::<Vec<_>>()),
        Column::new("more strings".into(), strings.iter().rev().cloned().collect::<Vec<_>>()),
    ]);
    let mask = BooleanChunked::from_iter_values("mask".into(), (0..rows).map(|i| i % 3 != 1));
    let mut chunked = whole.slice(0, 900);
    for start in (900..70_000).step_by(900) {
        chunked.vstack_mut_owned(whole.slice(start, 900)).expect("the same schema");
    }
    let frames = [whole.slice(123, rows - 200), whole.filter(&mask).expect("a mask"), chunked, whole];
    let mut cases = Cases::new();
    for (i, df) in frames.iter().enumerate() {
        for config in both() {
            for newest in [false, true] {
                for batch_rows in [30_000, rows] {
                    let config = Config { newest, compression: None, ..config.with_batch_rows(batch_rows) };
                    cases.run(format!("frame {i}, {config:?}"), || {
                        let [one, many] =
                            [false, true].map(|parallel| Config { parallel, ..config }.write(df));
                        assert!(one == many);
                        let (_, read) = reads(config.file)[0];
                        assert_frames_equal(df, &read(&many).expect("a frame").expect("batches"));
                    });
                }
            }
        }
    }
    cases.finish();
}

/// How batches are compressed is found out for the first, and anew for those that are not like it.
#[test]
fn columns_that_change_are_compressed_as_well_as_others() {
    let (batches, rows) = (6, 70_000);
    let df = drifting(batches, rows);
    let mut cases = Cases::new();
    for config in both() {
        for compression in codecs() {
            let config = config.with_compression(compression).with_batch_rows(rows as usize);
            cases.run(format!("{config:?}"), || {
                let [one, many] = [false, true].map(|parallel| Config { parallel, ..config }.write(&df));
                assert!(one == many);
                let (_, read) = reads(config.file)[0];
                assert_frames_equal(&df, &read(&many).expect("a frame").expect("batches"));
                let batch = |i: u32| config.write(&df.slice(i64::from(i * rows), rows as usize)).len();
                let alone: usize = (0..batches).map(batch).sum();
                assert!(many.len() < alone + alone / 100, "{} bytes, alone {alone}", many.len());
            });
        }
    }
    cases.finish();
}

/// What suits a column is told by its rows and its type, not by what lies around it in memory.
#[test]
fn equal_batches_are_equal_bytes_however_they_lie() {
    let rows = 60_000;
    let text = |i: usize| format!("{} of a few texts that are not inlined", i * i % 17);
    let number = |i: usize| i64::try_from(i * i % 1_009).expect("small");
    let plain = |start: usize, rows: usize| {
        let all = start..start + rows;
        frame(vec![
            Column::new("texts".into(), all.clone().map(text).collect::<Vec<_>>()),
            Column::new("one".into(), vec![start % 7_000 > 3_000; rows]),
            Column::new("same".into(), vec![number(start); rows]),
            Column::new("numbers".into(), all.map(number).collect::<Vec<_>>()),
        ])
    };
    // Texts that share one buffer, of which there is only one each; scalars.
    let other = |start: usize, rows: usize| {
        let few = frame(vec![Column::new("texts".into(), (0..17).map(text).collect::<Vec<_>>())]);
        let picked = IdxCa::from_vec(
            "row".into(),
            (start..start + rows).map(|i| IdxSize::try_from(i % 17).expect("small")).collect(),
        );
        let texts = few.take(&picked).expect("rows there are").columns()[0].clone();
        let one = Scalar::new(DataType::Boolean, AnyValue::Boolean(start % 7_000 > 3_000));
        let one = Column::new_scalar("one".into(), one, rows);
        let same = Scalar::new(DataType::Int64, AnyValue::Int64(number(start)));
        let same = Column::new_scalar("same".into(), same, rows);
        let numbers = plain(start, rows).column("numbers").expect("a column").clone();
        frame(vec![texts, one, same, numbers])
    };
    let sizes = [3_000, 40_000, rows, 100, rows, rows];
    let starts = (0..).step_by(rows);
    let cuts: Vec<(usize, usize)> = starts.zip(sizes).collect();
    for compression in codecs() {
        let bytes = |batch: &dyn Fn(usize, usize) -> DataFrame, parallel: bool| {
            let mut bytes = Vec::new();
            let writer = IpcStreamWriter::new(&mut bytes)
                .with_compression(compression)
                .with_canonical_views(true)
                .with_parallel(parallel);
            let mut writer = writer.batched(plain(0, 1).schema()).expect("a writer");
            for (start, rows) in &cuts {
                writer.write_batch(&batch(*start, *rows)).expect("written");
            }
            writer.finish().expect("an end");
            bytes
        };
        let expected = bytes(&plain, true);
        for parallel in [true, false] {
            assert!(expected == bytes(&other, parallel), "{compression:?}, parallel {parallel}");
            assert!(expected == bytes(&plain, parallel), "{compression:?}, parallel {parallel}");
        }
    }
}

// --- Summary ---

#[test]
fn the_summary_counts_what_is_written() {
    let values: Vec<i64> = (0..1000).collect();
    let df = frame(vec![Column::new("a".into(), values)]);
    let mut cases = Cases::new();
    for compression in codecs() {
        for parallel in [false, true] {
            cases.run(format!("stream, {compression:?}, parallel {parallel}"), || {
                let mut bytes = Vec::new();
                let mut writer = IpcStreamWriter::new(&mut bytes)
                    .with_compression(compression)
                    .with_parallel(parallel)
                    .with_record_batch_size(Some(300));
                writer.finish(&mut df.clone()).expect("bytes");
                let summary = writer.summary();
                assert_summary(summary, &Config::stream(), &bytes);
                assert_eq!((summary.rows, summary.batches, summary.raw_bytes), (1000, 4, 8000));
            });
            cases.run(format!("file, {compression:?}, parallel {parallel}"), || {
                let mut bytes = Vec::new();
                let mut writer = IpcWriter::new(&mut bytes)
                    .with_compression(compression)
                    .with_parallel(parallel)
                    .with_record_batch_size(Some(300));
                writer.finish(&mut df.clone()).expect("bytes");
                let summary = writer.summary();
                assert_summary(summary, &Config::file(), &bytes);
                assert_eq!((summary.rows, summary.batches, summary.raw_bytes), (1000, 4, 8000));
            });
        }
    }
    for seed in 0..60 {
        let mut arbitrary = Arbitrary::new(seed);
        let df = arbitrary.frame();
        let schema = df.schema();
        cases.run(format!("seed {seed}"), || {
            let mut writer = IpcStreamWriter::new(Vec::new()).batched(schema).expect("a writer");
            writer.write_batch(&df).expect("bytes");
            writer.write_batch(&df).expect("bytes");
            let summary = writer.finish().expect("bytes");
            assert_eq!(summary.rows, 2 * u64::try_from(df.height()).expect("small"));
            assert_summary(summary, &Config::stream(), &writer.into_inner());
            let mut writer = IpcWriter::new(Vec::new()).batched(schema).expect("a writer");
            writer.write_batch(&df).expect("bytes");
            writer.write_batch(&df).expect("bytes");
            let summary = writer.finish().expect("bytes");
            assert_summary(summary, &Config::file(), &writer.into_inner());
        });
    }
    cases.finish();
}

#[track_caller]
fn assert_summary(summary: WriteSummary, config: &Config, bytes: &[u8]) {
    let messages = messages_of(config, bytes);
    let rows = batch_rows(&messages);
    assert_eq!(i64::try_from(summary.rows).expect("small"), rows.iter().sum::<i64>(), "rows");
    assert_eq!(summary.batches, u64::try_from(rows.len()).expect("small"), "batches");
    let count = dictionaries(&messages).len();
    assert_eq!(summary.dictionaries, u64::try_from(count).expect("small"), "dictionaries");
    assert_eq!(summary.written_bytes, u64::try_from(bytes.len()).expect("small"), "written bytes");
}

// --- Layout ---

#[test]
fn bodies_are_aligned_and_padding_is_zero() {
    let mut cases = Cases::new();
    for seed in 0..200 {
        let mut arbitrary = Arbitrary::new(6_000_000 + seed);
        let df = arbitrary.frame();
        let config = Config::any(arbitrary.rng());
        cases.run(format!("seed {seed}, {config:?}"), || {
            let bytes = config.write(&df);
            let start = if config.file { 8 } else { 0 };
            for message in messages_of(&config, &bytes) {
                check_body(&bytes[start..], start, &message);
            }
        });
    }
    cases.finish();
}

fn check_body(stream: &[u8], start: usize, message: &Message) {
    let body = &stream[message.body..message.end];
    if !body.is_empty() {
        assert_eq!((message.body + start) % 64, 0, "a body at {}", message.body + start);
    }
    let header = root_as_message(&stream[message.start + 8..message.body]).expect("a message");
    let batch = match message.kind {
        Kind::Schema => return assert!(body.is_empty(), "a schema with a body"),
        Kind::Batch(_) => header.header_as_record_batch(),
        Kind::Dictionary { .. } => header.header_as_dictionary_batch().and_then(|header| header.data()),
    };
    let mut end = 0;
    for buffer in batch.and_then(|batch| batch.buffers()).expect("buffers") {
        let offset = usize::try_from(buffer.offset()).expect("an offset");
        let length = usize::try_from(buffer.length()).expect("a length");
        assert_eq!(offset % 64, 0, "a buffer at {offset}");
        assert!(offset >= end, "buffers overlap");
        assert!(body[end..offset].iter().all(|&byte| byte == 0), "padding that is not zero");
        end = offset + length;
    }
    assert!(body[end..].iter().all(|&byte| byte == 0), "padding that is not zero");
    assert_eq!(body.len() % 64, 0, "a body of {} bytes", body.len());
}

#[test]
fn a_file_is_also_a_stream() {
    let mut cases = Cases::new();
    for seed in 0..150 {
        let mut arbitrary = Arbitrary::new(7_000_000 + seed);
        let df = arbitrary.frame();
        let config = Config { file: true, ..Config::any(arbitrary.rng()) };
        cases.run(format!("seed {seed}, {config:?}"), || {
            let bytes = config.write(&df);
            assert_eq!(&bytes[..8], b"ARROW1\0\0");
            let mut reader = IpcStreamReader::new(&bytes[8..]).with_end_marker_required(true);
            let schema = reader.schema().expect("a schema");
            assert_eq!(schema, **df.schema());
            let whole = concat(reader.batches().expect("batches")).expect("batches");
            assert!(reader.saw_end_marker());
            if let Some(whole) = whole {
                assert_eq!(frames_differ(&df, &whole), Ok(()));
            }
            let messages = messages_of(&config, &bytes);
            let is_batch = |message: &&Message| matches!(message.kind, Kind::Batch(_));
            let dictionaries = messages.iter().skip_while(|message| !is_batch(message));
            assert!(
                !dictionaries.into_iter().any(|message| !is_batch(&message)),
                "a dictionary behind a batch"
            );
        });
    }
    cases.finish();
}

// --- Dictionaries ---

fn categories(name: &'static str) -> DataType {
    DataType::from_categories(Categories::new(name.into(), "".into(), CategoricalPhysical::U32))
}

fn categorical(name: &str, dtype: &DataType, values: &[Option<&str>]) -> Column {
    Series::new(name.into(), values).cast(dtype).expect("categories").into_column()
}

#[test]
fn the_categories_of_all_chunks_are_one_dictionary() {
    let dtype = categories("chunks");
    let mut df = frame(vec![categorical("c", &dtype, &[Some("a"), Some("b")])]);
    for values in [[Some("c"), None], [Some("b"), Some("d")], [None, Some("a")]] {
        df.vstack_mut(&frame(vec![categorical("c", &dtype, &values)])).expect("the same schema");
    }
    for config in both() {
        for rows in [1, 2, 3, 100] {
            let config = config.with_batch_rows(rows);
            let bytes = config.write(&df);
            let messages = messages_of(&config, &bytes);
            assert_eq!(dictionaries(&messages).len(), 1, "one dictionary");
            assert!(!dictionaries(&messages)[0].1);
            assert_frames_equal(&df, &read(&config, &bytes));
        }
    }
}

#[test]
fn nested_dictionaries_have_ids_of_their_own() {
    let dtype = categories("nested");
    let column = |name: &str| categorical(name, &dtype, &[Some("a"), Some("b"), None]);
    let series = |name: &str| column(name).take_materialized_series();
    let lists =
        series("l").reshape_list(&[ReshapeDimension::Infer, ReshapeDimension::new(1)]).expect("lists");
    let fields = [series("x"), series("y")];
    let structs = StructChunked::from_series("s".into(), 3, fields.iter()).expect("structs").into_series();
    let colours = FrozenCategories::new(["a", "b"]).expect("categories");
    let colours =
        series("e").cast(&DataType::String).and_then(|s| s.cast(&DataType::from_frozen_categories(colours)));
    let df = frame(vec![
        column("c"),
        lists.into_column(),
        structs.into_column(),
        colours.expect("an enum").into_column(),
    ]);
    for config in both() {
        let bytes = config.write(&df);
        let ids: std::collections::HashSet<_> =
            dictionaries(&messages_of(&config, &bytes)).into_iter().map(|(id, _)| id).collect();
        assert_eq!(ids.len(), 5);
        assert_frames_equal(&df, &read(&config, &bytes));
    }
}

/// Batches whose categories grow, stay, and grow again.
fn growing() -> Vec<DataFrame> {
    let dtype = categories("growing");
    [
        &[Some("a"), Some("b"), None][..],
        &[Some("b"), Some("c"), Some("a")],
        &[Some("c"), Some("a")],
        &[None, None],
        &[Some("d"), Some("e"), Some("a")],
    ]
    .map(|values| frame(vec![categorical("c", &dtype, values)]))
    .into()
}

#[test]
fn a_stream_replaces_its_dictionary_when_categories_grow() {
    let batches = growing();
    let bytes = Config::stream().write_batches(&batches);
    let sent = dictionaries(&messages(&bytes).0);
    assert!(sent.iter().all(|(_, delta)| !delta), "a delta that nobody asked for");
    assert_eq!(sent.len(), 3, "sent again only when it has to be");
    read_growing(&batches, &bytes);
}

#[test]
fn a_stream_sends_deltas_on_request() {
    let batches = growing();
    let mut writer = IpcStreamWriter::new(Vec::new())
        .with_dictionary_deltas(true)
        .batched(batches[0].schema())
        .expect("a writer");
    for batch in &batches {
        writer.write_batch(batch).expect("bytes");
    }
    assert_eq!(writer.finish().expect("bytes").dictionaries, 3);
    let bytes = writer.into_inner();
    let sent: Vec<_> = dictionaries(&messages(&bytes).0).into_iter().map(|(_, delta)| delta).collect();
    assert_eq!(sent, [false, true, true]);
    read_growing(&batches, &bytes);
}

fn read_growing(batches: &[DataFrame], bytes: &[u8]) {
    let mut found = Vec::new();
    for batch in IpcStreamReader::new(bytes).batches().expect("batches") {
        found.push(batch.expect("a batch"));
    }
    assert_eq!(found.len(), batches.len());
    batches.iter().zip(&found).for_each(|(batch, found)| assert_frames_equal(batch, found));
    let whole = concat(batches.iter().cloned().map(Ok)).expect("one schema").expect("batches");
    assert_frames_equal(&whole, &IpcStreamReader::new(bytes).finish().expect("a frame"));
    assert_frames_equal(&whole, &IpcStreamReader::from_bytes(bytes.to_vec()).finish().expect("a frame"));
}

#[test]
fn a_file_has_one_dictionary_however_categories_grow() {
    let batches = growing();
    let bytes = Config::file().write_batches(&batches);
    let footer = root_as_footer(&bytes[footer(&bytes)]).expect("a footer");
    let blocks = footer.dictionaries().expect("dictionaries");
    let mut ids = HashMap::new();
    for block in blocks {
        let start = usize::try_from(block.offset()).expect("an offset");
        let end = start + usize::try_from(block.metaDataLength()).expect("a length");
        let message = root_as_message(&bytes[start + 8..end]).expect("a message");
        let header = message.header_as_dictionary_batch().expect("a dictionary");
        assert!(!header.isDelta(), "some readers do not take deltas in files");
        *ids.entry(header.id()).or_insert(0) += 1;
    }
    assert!(ids.values().all(|&count| count == 1), "{ids:?}");
    let mut reader = IpcReader::from_bytes(bytes.clone());
    assert_eq!(reader.num_record_batches().expect("a count"), batches.len());
    for (index, batch) in batches.iter().enumerate() {
        assert_frames_equal(batch, &reader.get_batch(index).expect("a batch"));
    }
    assert!(reader.custom_metadata().expect("metadata").is_some());
    let whole = concat(batches.into_iter().map(Ok)).expect("one schema").expect("batches");
    assert_frames_equal(&whole, &reader.finish().expect("a frame"));
}

// --- Metadata ---

fn pairs<'a>(metadata: Option<impl IntoIterator<Item = arrow_ipc::KeyValue<'a>>>) -> Vec<(String, String)> {
    let pairs = metadata.into_iter().flatten();
    pairs.map(|pair| (pair.key().unwrap_or("").to_owned(), pair.value().unwrap_or("").to_owned())).collect()
}

#[test]
fn metadata_is_in_the_schema_message_and_in_the_footer() {
    let df = frame(vec![
        Column::new("a".into(), [1, 2, 3]),
        categorical("c", &categories("metadata"), &[Some("x"), None, Some("y")]),
    ]);
    let metadata =
        |key: &'static str| Metadata::from([(key.into(), "größe".into()), ("other".into(), "".into())]);

    let mut writer = IpcWriter::new(Vec::new());
    writer.set_custom_schema_metadata(Arc::new(metadata("schema")));
    writer.set_custom_field_metadata("a", metadata("field a"));
    writer.set_custom_field_metadata("c", metadata("field c"));
    let mut writer = writer.batched(df.schema()).expect("a writer");
    writer.write_batch_with_metadata(&df, metadata("first batch")).expect("bytes");
    writer.write_batch(&df).expect("bytes");
    writer.finish().expect("bytes");
    let bytes = writer.into_inner();

    let messages = messages(&bytes[8..]).0;
    let message = |index: usize| {
        let Message { start, body, .. } = messages[index];
        root_as_message(&bytes[8 + start + 8..8 + body]).expect("a message")
    };
    let first = message(0).header_as_schema().expect("a schema");
    let footer = root_as_footer(&bytes[footer(&bytes)]).expect("a footer");
    let last = footer.schema().expect("a schema");
    assert_eq!(format!("{first:?}"), format!("{last:?}"), "the schema message and the footer");

    let found = pairs(first.custom_metadata());
    assert!(found.contains(&("schema".to_owned(), "größe".to_owned())), "{found:?}");
    let fields = first.fields().expect("fields");
    assert!(pairs(fields.get(0).custom_metadata()).contains(&("field a".to_owned(), "größe".to_owned())));
    let of_categorical = pairs(fields.get(1).custom_metadata());
    assert!(of_categorical.contains(&("field c".to_owned(), "größe".to_owned())));
    assert!(of_categorical.iter().any(|(key, _)| key == "_PL_CATEGORICAL2"), "{of_categorical:?}");

    let batches: Vec<_> =
        (0..messages.len()).filter(|&index| matches!(messages[index].kind, Kind::Batch(_))).collect();
    assert!(
        pairs(message(batches[0]).custom_metadata())
            .contains(&("first batch".to_owned(), "größe".to_owned()))
    );
    assert!(!pairs(message(batches[1]).custom_metadata()).iter().any(|(key, _)| key == "first batch"));

    let of_footer = pairs(footer.custom_metadata());
    let polars = of_footer.iter().find(|(key, _)| key == "__POLARS_IPC_METADATA").expect("Polars' metadata");
    let polars: serde_json::Value = serde_json::from_str(&polars.1).expect("JSON");
    assert_eq!(polars["record_batch_cum_len"], serde_json::json!([3, 6]));

    let mut reader = IpcReader::from_bytes(bytes);
    let found = reader.custom_metadata().expect("metadata").expect("metadata");
    assert_eq!(found.get("schema").map(PlSmallStr::as_str), Some("größe"));
    let schema = reader.schema().expect("a schema");
    let field = schema.get("a").expect("a field");
    assert_eq!(
        field.metadata.as_deref().and_then(|md| md.get("field a")).map(PlSmallStr::as_str),
        Some("größe")
    );
}

#[test]
fn metadata_travels_in_streams() {
    let df = frame(vec![Column::new("a".into(), [1, 2, 3])]);
    let mut writer = IpcStreamWriter::new(Vec::new());
    writer.set_custom_schema_metadata(Arc::new([("k".into(), "v".into())].into()));
    writer.set_custom_field_metadata("a", [("f".into(), "w".into())].into());
    let mut writer = writer.batched(df.schema()).expect("a writer");
    writer.write_batch_with_metadata(&df, [("b".into(), "x".into())].into()).expect("bytes");
    writer.finish().expect("bytes");
    let bytes = writer.into_inner();
    let mut reader = IpcStreamReader::new(bytes.as_slice());
    let found = reader.custom_metadata().expect("metadata").expect("metadata");
    assert_eq!(found.get("k").map(PlSmallStr::as_str), Some("v"));
    let schema = reader.arrow_schema().expect("a schema");
    let field = schema.get("a").expect("a field");
    assert_eq!(field.metadata.as_deref().and_then(|md| md.get("f")).map(PlSmallStr::as_str), Some("w"));
    let batch = messages(&bytes).0[1];
    let message = root_as_message(&bytes[batch.start + 8..batch.body]).expect("a message");
    assert!(pairs(message.custom_metadata()).contains(&("b".to_owned(), "x".to_owned())));
}

#[test]
fn sortedness_comes_back() {
    let mut up = Column::new("up".into(), [1, 2, 3]);
    let mut down = Column::new("down".into(), [3, 2, 1]);
    let plain = Column::new("plain".into(), [2, 3, 1]);
    up.set_sorted_flag(IsSorted::Ascending);
    down.set_sorted_flag(IsSorted::Descending);
    let df = frame(vec![up, down, plain]);
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes).with_record_batch_statistics(true).finish(&mut df.clone()).expect("bytes");
    let found = IpcReader::from_bytes(bytes).finish().expect("a file");
    let flags: Vec<_> = found.columns().iter().map(Column::is_sorted_flag).collect();
    assert_eq!(flags, [IsSorted::Ascending, IsSorted::Descending, IsSorted::Not]);
}

#[test]
fn options_of_polars_are_all_kept() {
    let options = IpcWriterOptions {
        compression: Some(IpcCompression::LZ4),
        compat_level: CompatLevel::oldest(),
        record_batch_size: Some(7),
        record_batch_statistics: true,
    };
    let df = frame(vec![Column::new("a".into(), vec!["some text, again and again"; 100])]);
    let mut through_options = Vec::new();
    options.to_writer(&mut through_options).finish(&mut df.clone()).expect("bytes");
    let mut by_hand = Vec::new();
    IpcWriter::new(&mut by_hand)
        .with_compression(options.compression)
        .with_compat_level(options.compat_level)
        .with_record_batch_size(options.record_batch_size)
        .with_record_batch_statistics(options.record_batch_statistics)
        .finish(&mut df.clone())
        .expect("bytes");
    assert_eq!(through_options, by_hand);
}

// --- Schemas that do not fit ---

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Thing(u64);

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "thing {}", self.0)
    }
}

impl TotalEq for Thing {
    fn tot_eq(&self, other: &Self) -> bool {
        self == other
    }
}

impl TotalHash for Thing {
    fn tot_hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::hash::Hash::hash(self, state);
    }
}

impl PolarsObject for Thing {
    fn type_name() -> &'static str {
        "thing"
    }
}

#[test]
fn objects_are_an_error_and_nothing_is_written() {
    let mut builder = ObjectChunkedBuilder::<Thing>::new("the things".into(), 2);
    builder.append_value(Thing(1));
    builder.append_null();
    let things = builder.finish().into_series().into_column();
    let df = frame(vec![Column::new("a".into(), [1, 2]), things]);

    let mut bytes = Vec::new();
    let error = IpcStreamWriter::new(&mut bytes).finish(&mut df.clone()).expect_err("an object").to_string();
    assert!(error.contains("the things"), "{error}");
    assert!(bytes.is_empty());
    let error = IpcWriter::new(&mut bytes).finish(&mut df.clone()).expect_err("an object").to_string();
    assert!(error.contains("the things"), "{error}");
    assert!(bytes.is_empty());
    assert!(IpcStreamWriter::new(&mut bytes).batched(df.schema()).is_err());
    assert!(bytes.is_empty());
    assert!(IpcWriter::new(&mut bytes).batched(df.schema()).is_err());
    assert!(bytes.is_empty());
}

#[test]
fn batches_that_do_not_fit_the_schema_are_not_written() {
    let column = |name: &str| Column::new(name.into(), [1i32, 2]);
    let good = frame(vec![column("a"), column("b")]);
    let bad = [
        ("a name", frame(vec![column("a"), column("c")])),
        ("the order", frame(vec![column("b"), column("a")])),
        ("a dtype", frame(vec![column("a"), Column::new("b".into(), [1i64, 2])])),
        ("too few", frame(vec![column("a")])),
        ("too many", frame(vec![column("a"), column("b"), column("c")])),
    ];
    let mut stream = IpcStreamWriter::new(Vec::new()).batched(good.schema()).expect("a writer");
    let mut file = IpcWriter::new(Vec::new()).batched(good.schema()).expect("a writer");
    stream.write_batch(&good).expect("it fits");
    file.write_batch(&good).expect("it fits");
    for (what, batch) in &bad {
        assert!(stream.write_batch(batch).is_err(), "{what}");
        assert!(file.write_batch(batch).is_err(), "{what}");
    }
    stream.write_batch(&good).expect("it fits");
    file.write_batch(&good).expect("it fits");
    assert_eq!(stream.finish().expect("an end").batches, 2);
    assert_eq!(file.finish().expect("an end").batches, 2);
    assert_eq!(IpcStreamReader::from_bytes(stream.into_inner()).finish().expect("a stream").height(), 4);
    assert_eq!(IpcReader::from_bytes(file.into_inner()).finish().expect("a file").height(), 4);
}

// --- Writers that fail ---

/// How a sink misbehaves.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The given call, and only that one, fails with `ENOSPC`.
    Full(usize),
    /// The given call takes nothing.
    Zero(usize),
    /// Every other call is interrupted, and at most so many bytes are taken.
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

/// What is written is handed on: a buffered sink is empty after `finish`.
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

// --- One connection, several streams ---

/// A connection that must not be read beyond a point: on a socket, that would block.
struct Connection {
    bytes: Cursor<Vec<u8>>,
    end: u64,
}

impl Read for Connection {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.end - self.bytes.position();
        assert!(left > 0 || buf.is_empty(), "a read at {} would block", self.end);
        let len = buf.len().min(usize::try_from(left).expect("small"));
        self.bytes.read(&mut buf[..len])
    }
}

#[test]
fn streams_follow_each_other_on_one_connection() {
    let mut cases = Cases::new();
    for compression in codecs() {
        let frames: Vec<_> = (0..6).map(|seed| Arbitrary::new(8_000_000 + seed).frame()).collect();
        let mut bytes = Vec::new();
        let mut ends = Vec::new();
        for df in &frames {
            let mut writer = IpcStreamWriter::new(bytes)
                .with_compression(compression)
                .with_record_batch_size(Some(9))
                .batched(df.schema())
                .expect("a writer");
            writer.write_batch(df).expect("bytes");
            writer.finish().expect("bytes");
            bytes = writer.into_inner();
            ends.push(u64::try_from(bytes.len()).expect("small"));
        }
        cases.run(format!("{compression:?}, batches"), || {
            let mut connection = Connection { bytes: Cursor::new(bytes.clone()), end: 0 };
            for (df, &end) in frames.iter().zip(&ends) {
                connection.end = end;
                let mut reader = IpcStreamReader::new(connection);
                assert_eq!(reader.schema().expect("a schema"), **df.schema());
                let whole = concat(reader.batches().expect("batches")).expect("batches");
                if let Some(whole) = whole {
                    assert_eq!(frames_differ(df, &whole), Ok(()));
                }
                assert!(reader.saw_end_marker());
                connection = reader.into_inner();
                assert_eq!(connection.bytes.position(), end, "behind the end marker");
            }
        });
        cases.run(format!("{compression:?}, finish"), || {
            let mut connection = Connection { bytes: Cursor::new(bytes.clone()), end: 0 };
            for (df, &end) in frames.iter().zip(&ends) {
                connection.end = end;
                let found = IpcStreamReader::new(&mut connection).finish().expect("a frame");
                assert_eq!(frames_differ(df, &found), Ok(()));
                assert_eq!(connection.bytes.position(), end, "behind the end marker");
            }
        });
    }
    cases.finish();
}

#[test]
fn a_stream_is_not_read_further_than_n_rows() {
    let df = frame(vec![Column::new("a".into(), (0..100i64).collect::<Vec<_>>())]);
    let bytes = Config::stream().with_batch_rows(10).write(&df);
    let messages = messages(&bytes).0;
    // The schema and three batches.
    let end = u64::try_from(messages[3].end).expect("small");
    let connection = || Connection { bytes: Cursor::new(bytes.clone()), end };
    let found = IpcStreamReader::new(connection()).with_n_rows(Some(25)).finish().expect("25 rows");
    assert_frames_equal(&df.head(Some(25)), &found);
    let found = IpcStreamReader::new(connection()).with_n_rows(Some(30)).finish().expect("30 rows");
    assert_frames_equal(&df.head(Some(30)), &found);
    let reader = IpcStreamReader::new(connection()).with_n_rows(Some(30));
    assert_eq!(reader.batches().expect("batches").count(), 3);
}

/// Each batch can be had as soon as its last byte has come.
#[test]
fn a_batch_is_there_as_soon_as_its_bytes_are() {
    let df = frame(vec![Column::new("a".into(), (0..100i64).collect::<Vec<_>>())]);
    let bytes = Config::stream().with_batch_rows(10).write(&df);
    let messages = messages(&bytes).0;
    for (whole, message) in messages.iter().enumerate().take(10).skip(1) {
        let end = u64::try_from(message.end).expect("small");
        let reader = IpcStreamReader::new(Connection { bytes: Cursor::new(bytes.clone()), end });
        assert_eq!(reader.batches().expect("batches").take(whole).filter(Result::is_ok).count(), whole);
    }
}

// --- Only what is needed is read ---

struct Counting<'a> {
    bytes: Cursor<&'a [u8]>,
    read: &'a AtomicUsize,
}

impl Read for Counting<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.bytes.read(buf)?;
        self.read.fetch_add(len, Ordering::Relaxed);
        Ok(len)
    }
}

impl Seek for Counting<'_> {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(position)
    }
}

impl MmapBytesReader for Counting<'_> {}

#[test]
fn a_file_is_read_where_it_is_needed() {
    let column = |name: String| Column::new(name.into(), (0..100_000i64).collect::<Vec<_>>());
    let df = frame((0..8).map(|index| column(format!("c{index}"))).collect());
    for compression in [None, Some(IpcCompression::LZ4)] {
        let bytes = Config::file().with_compression(compression).with_batch_rows(10_000).write(&df);
        let read = AtomicUsize::new(0);
        let reader = || {
            read.store(0, Ordering::Relaxed);
            IpcReader::new(Counting { bytes: Cursor::new(bytes.as_slice()), read: &read })
        };
        let at_most = |what: &str, part: usize| {
            let read = read.load(Ordering::Relaxed);
            assert!(read <= part, "{what}: {read} of {} bytes, {part} are enough", bytes.len());
        };
        let headers = 40_000;

        let mut opened = reader();
        assert_eq!(opened.num_record_batches().expect("a count"), 10);
        assert_eq!(opened.num_rows().expect("a count"), 100_000);
        assert_eq!(opened.schema().expect("a schema").len(), 8);
        at_most("headers", headers);

        assert_frames_equal(&df.slice(70_000, 10_000), &reader().get_batch(7).expect("a batch"));
        at_most("one batch of ten", bytes.len() / 10 + headers);

        let columns = Some(vec!["c3".to_owned()]);
        let found = reader().with_columns(columns.clone()).finish().expect("a column");
        assert_frames_equal(&df.select(["c3"]).expect("a column"), &found);
        at_most("one column of eight", bytes.len() / 8 + headers);

        let found = reader().with_columns(columns).get_batch(2).expect("a column");
        assert_frames_equal(&df.select(["c3"]).expect("a column").slice(20_000, 10_000), &found);
        at_most("one column of one batch", bytes.len() / 80 + headers);

        assert_eq!(reader().with_n_rows(Some(15_000)).finish().expect("rows").height(), 15_000);
        at_most("two batches", bytes.len() / 5 + headers);
    }
}
