//! floe reads its own output: any frame, any options, any way of reading.

mod interop;
mod parts;
mod threads;

use std::io::Cursor;
use std::path::PathBuf;
use std::process::Command;

use floe::prelude::*;
use floe_tests::arbitrary::{Arbitrary, dtypes, leaf_dtypes};
use floe_tests::config::{Config, codecs, reads};
use floe_tests::equal::assert_frames_equal;
use floe_tests::frames::drifting;
use floe_tests::run::{Cases, within};
use polars_core::prelude::*;
use polars_core::runtime::THREAD_POOL;
use polars_io::ipc::{
    IpcReader as PolarsReader, IpcStreamReader as PolarsStreamReader, IpcStreamWriter as PolarsStreamWriter,
    IpcWriter as PolarsWriter,
};
use rand::Rng as _;

/// A frame that Polars itself can write and read in full.
fn plain_frame() -> DataFrame {
    let names = ["bool", "i64", "f64", "string", "date", "categorical", "u8"];
    let leaves = leaf_dtypes();
    let mut columns: Vec<_> =
        leaves.into_iter().filter(|(name, _)| names.contains(name)).map(|(n, d)| (n.into(), d)).collect();
    columns.push(("list".into(), DataType::List(Box::new(DataType::String))));
    Arbitrary::new(77).frame_of(&columns, 100)
}

/// Frames per property. Each has its own seed, which a failure names. `FLOE_TESTS_SEEDS` asks for more.
fn seeds() -> u64 {
    std::env::var("FLOE_TESTS_SEEDS").map_or(600, |seeds| seeds.parse().expect("a number of seeds"))
}

#[test]
fn any_frame_comes_back() {
    let mut cases = Cases::new();
    for seed in 0..seeds() {
        let mut arbitrary = Arbitrary::new(seed);
        let df = arbitrary.frame();
        let config = Config::any(arbitrary.rng());
        cases.run(format!("seed {seed}, {config:?}, {:?}", df.schema()), || {
            comes_back(&df, &config, &config.write(&df));
        });
    }
    cases.finish();
}

#[test]
fn every_dtype_comes_back_from_every_codec() {
    let mut cases = Cases::new();
    for (seed, (name, dtype)) in (0..).zip(dtypes()) {
        let mut arbitrary = Arbitrary::new(seed);
        let one = arbitrary.array(&dtype, 60);
        let many = (0..5).map(|_| arbitrary.array(&dtype, 12)).collect();
        for (chunking, chunks) in [("one chunk", vec![one]), ("five chunks", many)] {
            // SAFETY: the arrays were made for this dtype.
            let series = unsafe { Series::from_chunks_and_dtype_unchecked("column".into(), chunks, &dtype) };
            let df = DataFrame::new(60, vec![series.into_column()]).expect("a frame");
            for compression in codecs() {
                for (file, newest) in [(false, false), (false, true), (true, false), (true, true)] {
                    let config = Config { file, compression, newest, batch_rows: Some(25), parallel: true };
                    cases.run(format!("{name}, {chunking}, {config:?}"), || {
                        comes_back(&df, &config, &config.write(&df));
                    });
                }
            }
        }
    }
    cases.finish();
}

/// In every way of reading, in batches and one by one.
#[track_caller]
fn comes_back(df: &DataFrame, config: &Config, bytes: &[u8]) {
    for (name, read) in reads(config.file) {
        match read(bytes).unwrap_or_else(|error| panic!("{name}: {error}")) {
            Some(found) => equal_by(name, df, &found),
            None => assert!(df.height() == 0, "{name}: no batches"),
        }
    }
    let batches: Vec<DataFrame> = if config.file {
        let batches = IpcReader::new(Cursor::new(bytes)).batches().expect("batches");
        batches.collect::<PolarsResult<_>>().expect("batches")
    } else {
        let reader = IpcStreamReader::new(bytes);
        let batches = reader.batches().expect("batches");
        batches.collect::<PolarsResult<_>>().expect("batches")
    };
    if let Some(rows) = config.batch_rows {
        let (last, whole) = batches.split_last().map_or((None, &[][..]), |(last, whole)| (Some(last), whole));
        assert!(whole.iter().all(|batch| batch.height() == rows), "batches of other than {rows} rows");
        if let Some(last) = last {
            assert!(last.height() <= rows, "a last batch of {} rows", last.height());
            assert!(df.height() == 0 || last.height() > 0, "an empty last batch");
        }
    }
    let mut start = 0;
    for batch in &batches {
        equal_by("batches", &df.slice(start, batch.height()), batch);
        start += i64::try_from(batch.height()).expect("small");
    }
    if config.file {
        random_access(df, &batches, bytes);
    }
}

#[track_caller]
fn random_access(df: &DataFrame, batches: &[DataFrame], bytes: &[u8]) {
    let reader = IpcReader::new(Cursor::new(bytes));
    assert_eq!(reader.num_record_batches().expect("a count"), batches.len());
    let rows = reader.num_rows().expect("a count");
    assert_eq!(u64::try_from(rows).expect("not negative"), u64::try_from(df.height()).expect("small"));
    for (index, batch) in batches.iter().enumerate().rev() {
        equal_by("get_batch", batch, &reader.get_batch(index).expect("a batch"));
    }
    let error = reader.get_batch(batches.len()).expect_err("there is no such batch").to_string();
    assert!(error.contains(&batches.len().to_string()), "the range is not named: {error}");
    equal_by("finish after get_batch", df, &reader.finish().expect("a frame"));
}

#[track_caller]
fn equal_by(way: &str, left: &DataFrame, right: &DataFrame) {
    if let Err(difference) = floe_tests::equal::frames_differ(left, right) {
        panic!("{way}: {difference}");
    }
}

#[test]
fn batches_given_one_by_one_come_back() {
    let mut cases = Cases::new();
    for seed in 0..seeds() / 2 {
        let mut arbitrary = Arbitrary::new(1_000_000 + seed);
        let columns: Vec<_> = (0..arbitrary.rng().random_range(1..5))
            .map(|index| (PlSmallStr::from_string(format!("c{index}")), arbitrary.dtype(2)))
            .collect();
        let heights: Vec<_> =
            (0..arbitrary.rng().random_range(1..6)).map(|_| arbitrary.rng().random_range(0..40)).collect();
        let batches: Vec<_> = heights.iter().map(|&height| arbitrary.frame_of(&columns, height)).collect();
        let config = Config::any(arbitrary.rng());
        cases.run(format!("seed {seed}, {config:?}, {columns:?}"), || {
            let bytes = config.write_batches(&batches);
            let mut expected = batches[0].clone();
            for batch in &batches[1..] {
                expected.vstack_mut(batch).expect("the same schema");
            }
            for (name, read) in reads(config.file) {
                match read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}")) {
                    Some(found) => equal_by(name, &expected, &found),
                    None => assert!(expected.height() == 0, "{name}: no batches"),
                }
            }
        });
    }
    cases.finish();
}

#[test]
fn columns_without_rows_and_rows_without_columns() {
    let mut cases = Cases::new();
    let columns: Vec<_> = dtypes().into_iter().map(|(name, dtype)| (name.into(), dtype)).collect();
    let frames = [
        ("no rows", Arbitrary::new(1).frame_of(&columns, 0)),
        ("one row", Arbitrary::new(2).frame_of(&columns, 1)),
        ("empty with schema", DataFrame::empty_with_schema(Arbitrary::new(1).frame_of(&columns, 0).schema())),
        ("no columns", DataFrame::new(12, vec![]).expect("a height")),
        ("nothing", DataFrame::new(0, vec![]).expect("a height")),
    ];
    for (name, df) in &frames {
        for config in [Config::stream(), Config::file(), Config::file().with_batch_rows(5)] {
            for compression in codecs() {
                let config = config.with_compression(compression);
                cases.run(format!("{name}, {config:?}"), || comes_back(df, &config, &config.write(df)));
            }
        }
    }
    cases.finish();
}

#[test]
fn metadata_comes_from_every_reader() {
    let metadata = Arc::new(Metadata::from([("a".into(), "1".into()), ("größe".into(), "🦀".into())]));
    let mut df = plain_frame();

    let mut bytes = Vec::new();
    let mut writer = IpcWriter::new(&mut bytes);
    writer.set_custom_schema_metadata(Arc::clone(&metadata));
    writer.finish(&mut df).expect("bytes");
    let mut reader = IpcReader::new(Cursor::new(&bytes));
    let found = reader.custom_metadata().expect("metadata").expect("metadata");
    assert!(metadata.iter().all(|(key, value)| found.get(key) == Some(value)), "{found:?}");
    assert_eq!(Schema::from_arrow_schema(&reader.schema().expect("a schema")), **df.schema());
    assert_frames_equal(&df, &reader.finish().expect("a frame"));

    let mut bytes = Vec::new();
    let mut writer = IpcStreamWriter::new(&mut bytes);
    writer.set_custom_schema_metadata(Arc::clone(&metadata));
    writer.finish(&mut df).expect("bytes");
    let mut reader = IpcStreamReader::new(bytes.as_slice());
    let found = reader.custom_metadata().expect("metadata").expect("metadata");
    assert!(metadata.iter().all(|(key, value)| found.get(key) == Some(value)), "{found:?}");
    assert_eq!(reader.schema().expect("a schema"), **df.schema());
    assert_eq!(Schema::from_arrow_schema(&reader.arrow_schema().expect("a schema")), **df.schema());
    assert_frames_equal(&df, &reader.finish().expect("a frame"));
}

#[test]
fn a_mapped_file_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("mapped.arrow");
    let mut cases = Cases::new();
    for seed in 0..60 {
        let mut arbitrary = Arbitrary::new(2_000_000 + seed);
        let df = arbitrary.frame();
        let config = Config { file: true, ..Config::any(arbitrary.rng()) };
        std::fs::write(&path, config.write(&df)).expect("a file");
        cases.run(format!("seed {seed}, {config:?}"), || {
            let file = || std::fs::File::open(&path).expect("a file");
            equal_by("copied", &df, &IpcReader::new(file()).finish().expect("a frame"));
            for rechunk in [false, true] {
                // SAFETY: nobody changes the file while a frame of it is alive.
                let reader = unsafe { IpcReader::new(file()).memory_mapped(Some(path.clone())) };
                equal_by("mapped", &df, &reader.set_rechunk(rechunk).finish().expect("a frame"));
            }
            // SAFETY: as above, and floe wrote the file.
            let reader =
                unsafe { IpcReader::new(file()).memory_mapped(Some(path.clone())).skip_validation() };
            equal_by("not validated", &df, &reader.finish().expect("a frame"));
        });
    }
    cases.finish();
}

/// The seed of the API: floe's types in the place of Polars', with nothing else changed.
#[test]
fn floe_takes_the_place_of_polars() {
    macro_rules! there_and_back {
        ($writer:ident, $reader:ident, $df:expr) => {{
            let mut bytes = Vec::new();
            let mut writer = $writer::new(&mut bytes);
            writer.set_custom_schema_metadata(Arc::new([("first_name".into(), "John".into())].into()));
            writer.finish($df).expect("bytes");
            let reader = $reader::new(Cursor::new(bytes)).with_n_rows(Some(10)).set_rechunk(true);
            reader.with_columns(Some(vec!["i64".to_owned()])).finish().expect("a frame")
        }};
    }
    let mut df = plain_frame();
    assert_frames_equal(
        &there_and_back!(PolarsWriter, PolarsReader, &mut df),
        &there_and_back!(IpcWriter, IpcReader, &mut df),
    );
    let polars = {
        let mut bytes = Vec::new();
        PolarsStreamWriter::new(&mut bytes).finish(&mut df).expect("bytes");
        PolarsStreamReader::new(Cursor::new(bytes)).with_n_rows(Some(10)).finish().expect("a frame")
    };
    assert_frames_equal(
        &polars.select(["i64"]).expect("a column"),
        &there_and_back!(IpcStreamWriter, IpcStreamReader, &mut df),
    );
}

/// Equal frames whose strings lie in other buffers, in other orders, under nulls or not.
#[test]
fn canonical_views_depend_on_the_values_alone() {
    let text = |i: usize| format!("a text that is not inline: {i}");
    let values: Vec<Option<String>> = (0..1000).map(|i| (i % 7 != 0).then(|| text(i))).collect();
    let fresh = Column::new("text".into(), &values).into_frame();
    let doubled: Vec<String> = (0..2000).rev().map(text).collect();
    let doubled = Column::new("text".into(), doubled);
    let rows: IdxCa = (0..1000u32).map(|i| (i % 7 != 0).then_some(1999 - i)).collect_ca("rows".into());
    let taken = doubled.take(&rows).expect("rows that are there").into_frame();
    let (head, tail) = fresh.split_at(300);
    let stacked = head.vstack(&tail).expect("one schema");
    let write = |df: &DataFrame, canonical: bool| {
        let mut bytes = Vec::new();
        let writer = IpcWriter::new(&mut bytes).with_canonical_views(canonical);
        writer.with_record_batch_size(Some(450)).finish(&mut df.clone()).expect("written");
        bytes
    };
    let expected = write(&fresh, true);
    for df in [&taken, &stacked] {
        assert_frames_equal(df, &fresh);
        assert!(write(df, true) == expected, "the buffers show");
    }
    assert_frames_equal(&IpcReader::from_bytes(expected).finish().expect("read"), &fresh);
}
