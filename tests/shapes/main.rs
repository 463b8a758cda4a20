//! How frames become messages: which batches, which dictionaries, which bytes, and what happens when the bytes
//! have nowhere to go.

mod connections;
mod dictionaries;
mod failing;
mod layout;
mod metadata;
mod panicking;
mod schemas;

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

fn categories(name: &'static str) -> DataType {
    DataType::from_categories(Categories::new(name.into(), "".into(), CategoricalPhysical::U32))
}

fn categorical(name: &str, dtype: &DataType, values: &[Option<&str>]) -> Column {
    Series::new(name.into(), values).cast(dtype).expect("categories").into_column()
}

// --- Only the frame's values are written ---

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

/// The plan of a column depends on its rows and its type, not on the memory around it.
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
