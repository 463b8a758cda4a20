//! Files and streams that are appended to: floe's and other writers'.

use std::fs::{self, File};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use floe::prelude::*;
use floe::{AppendFile, Follow, FollowReader, FrameWriter, WriteFormat};
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::config::{Config, codecs};
use floe_tests::equal::assert_frames_equal;
use floe_tests::messages::{Kind, messages};
use floe_tests::run::Cases;
use polars_core::prelude::*;

pub(crate) struct Place {
    pub(crate) _folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

pub(crate) fn place(bytes: &[u8]) -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.arrow");
    fs::write(&path, bytes).unwrap();
    Place { _folder: folder, path }
}

fn read(path: &Path) -> DataFrame {
    let bytes = fs::read(path).unwrap();
    if bytes.starts_with(b"ARROW1") {
        IpcReader::from_bytes(bytes).finish().unwrap()
    } else {
        IpcStreamReader::from_bytes(bytes).finish().unwrap()
    }
}

fn below(above: &DataFrame, more: &DataFrame) -> DataFrame {
    above.vstack(more).unwrap()
}

pub(crate) fn days(days: &[i64]) -> DataFrame {
    DataFrame::new(days.len(), vec![Column::new("day".into(), days)]).unwrap()
}

fn kinds(values: &[&str]) -> DataFrame {
    let column = Column::new("kind".into(), values).cast(&DataType::from_categories(Categories::global()));
    DataFrame::new(values.len(), vec![column.unwrap()]).unwrap()
}

/// The bytes up to the end marker.
fn up_to_end(bytes: &[u8]) -> usize {
    if bytes.starts_with(b"ARROW1") {
        return floe_tests::messages::footer(bytes).start - 8;
    }
    messages(bytes).1 - 8
}

fn batched<F: WriteFormat>(writer: FrameWriter<AppendFile, F>, frames: &[DataFrame]) -> floe::WriteSummary {
    let mut writer = writer.batched(frames[0].schema()).unwrap();
    for frame in frames {
        writer.write_batch(frame).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn every_dtype_is_appended_and_old_batches_keep_their_bytes() {
    let mut cases = Cases::new();
    for (seed, (name, dtype)) in (900..).zip(dtypes()) {
        let mut arbitrary = Arbitrary::new(seed);
        let columns = [("column".into(), dtype)];
        let frames: Vec<DataFrame> =
            [40, 25, 0, 60].iter().map(|rows| arbitrary.frame_of(&columns, *rows)).collect();
        let codec = codecs()[usize::try_from(seed).unwrap() % 4];
        for config in [Config::file(), Config::stream(), Config { newest: false, ..Config::file() }] {
            let config = config.with_compression(codec).with_batch_rows(15);
            cases.run(format!("{name}, {config:?}"), || {
                let old = config.write(&frames[0]);
                let Place { path, _folder } = place(&old);
                let mut summary = floe::WriteSummary::default();
                if config.file {
                    let mut writer = IpcWriter::append(&path).unwrap();
                    writer.finish(&mut frames[1].clone()).unwrap();
                    assert_eq!(writer.summary().rows, 25);
                    summary.rows += batched(IpcWriter::append(&path).unwrap(), &frames[2..]).rows;
                } else {
                    IpcStreamWriter::append(&path).unwrap().finish(&mut frames[1].clone()).unwrap();
                    let writer = IpcStreamWriter::append(&path).unwrap().with_in_place(true);
                    summary.rows += batched(writer, &frames[2..]).rows;
                }
                assert_eq!(summary.rows, 60);
                let new = fs::read(&path).unwrap();
                assert!(new.starts_with(&old[..up_to_end(&old)]), "old batches have changed");
                let expected = below(&below(&frames[0], &frames[1]), &frames[3]);
                assert_frames_equal(&expected, &read(&path));
            });
        }
    }
    cases.finish();
}

#[test]
fn one_writer_can_finish_again_and_again() {
    let Place { path, _folder } = place(&Config::file().write(&days(&[1])));
    let mut writer = IpcWriter::append(&path).unwrap();
    writer.finish(&mut days(&[2])).unwrap();
    assert!(writer.finish(&mut kinds(&["a"])).is_err());
    writer.finish(&mut days(&[3, 4])).unwrap();
    assert_frames_equal(&days(&[1, 2, 3, 4]), &read(&path));
    let mut nothing = IpcWriter::append(&path).unwrap().batched(days(&[]).schema()).unwrap();
    nothing.finish().unwrap();
    assert_frames_equal(&days(&[1, 2, 3, 4]), &read(&path));
}

#[test]
fn a_writer_that_does_not_finish_changes_nothing() {
    for file in [true, false] {
        let config = if file { Config::file() } else { Config::stream() };
        let old = config.write(&days(&[1]));
        let Place { path, _folder } = place(&old);
        if file {
            let mut writer = IpcWriter::append(&path).unwrap().batched(days(&[]).schema()).unwrap();
            writer.write_batch(&days(&[2])).unwrap();
        } else {
            let mut writer = IpcStreamWriter::append(&path).unwrap().batched(days(&[]).schema()).unwrap();
            writer.write_batch(&days(&[2])).unwrap();
        }
        assert_eq!(fs::read(&path).unwrap(), old);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left behind");
    }
}

#[test]
fn categories_that_grow() {
    let (first, more) = (kinds(&["a", "b", "a"]), [kinds(&["b", "c"]), kinds(&["d", "a", "c"])]);
    let expected = below(&below(&first, &more[0]), &more[1]);
    for (file, deltas, whole) in [
        (true, false, true),
        (true, false, false),
        (true, true, false),
        (false, false, true),
        (false, true, false),
    ] {
        let what = format!("file {file}, deltas {deltas}, whole {whole}");
        let config = if file { Config::file() } else { Config::stream() };
        let Place { path, _folder } = place(&config.write(&first));
        match (file, whole) {
            (true, true) => {
                let mut writer = IpcWriter::append(&path).unwrap().with_dictionary_deltas(deltas);
                more.iter().for_each(|frame| writer.finish(&mut frame.clone()).unwrap());
            },
            (true, false) => {
                batched(IpcWriter::append(&path).unwrap().with_dictionary_deltas(deltas), &more);
            },
            (false, true) => {
                let mut writer = IpcStreamWriter::append(&path).unwrap().with_dictionary_deltas(deltas);
                more.iter().for_each(|frame| writer.finish(&mut frame.clone()).unwrap());
            },
            (false, false) => {
                batched(IpcStreamWriter::append(&path).unwrap().with_dictionary_deltas(deltas), &more);
            },
        }
        assert_frames_equal(&expected, &read(&path));
        let bytes = fs::read(&path).unwrap();
        assert_eq!(arrow_rows(file, &bytes), 8, "{what}");
        if !deltas {
            let polars = if file {
                polars_io::ipc::IpcReader::new(Cursor::new(&bytes)).finish()
            } else {
                polars_io::ipc::IpcStreamReader::new(Cursor::new(&bytes)).finish()
            };
            assert_frames_equal(&expected, &polars.unwrap());
        }
        if file {
            // As the footer says, each id has one dictionary that is no delta.
            let start = floe_tests::messages::footer(&bytes);
            let footer = arrow_ipc::root_as_footer(&bytes[start]).unwrap();
            let blocks: Vec<usize> =
                footer.dictionaries().unwrap().iter().map(|b| usize::try_from(b.offset()).unwrap()).collect();
            let all = messages(&bytes[8..]).0;
            let listed = all.iter().filter(|message| blocks.contains(&(message.start + 8)));
            let whole = listed.filter(|m| matches!(m.kind, Kind::Dictionary { delta: false, .. })).count();
            assert_eq!(whole, 1, "{what}");
        }
        // Keys that are known need no dictionary.
        let before = messages(&bytes[if file { 8 } else { 0 }..]).0.len();
        let after = if file {
            IpcWriter::append(&path).unwrap().finish(&mut first.clone()).unwrap();
            messages(&fs::read(&path).unwrap()[8..]).0.len()
        } else {
            IpcStreamWriter::append(&path).unwrap().finish(&mut first.clone()).unwrap();
            messages(&fs::read(&path).unwrap()).0.len()
        };
        assert_eq!(after, before + 1, "{what}");
    }
}

/// Rows as arrow-rs reads and validates them.
fn arrow_rows(file: bool, bytes: &[u8]) -> usize {
    arrow_batches(file, bytes).iter().map(arrow_array::RecordBatch::num_rows).sum()
}

fn arrow_batches(file: bool, bytes: &[u8]) -> Vec<arrow_array::RecordBatch> {
    if file {
        let reader = arrow_ipc::reader::FileReader::try_new(Cursor::new(bytes), None).unwrap();
        reader.map(Result::unwrap).collect()
    } else {
        let reader = arrow_ipc::reader::StreamReader::try_new(Cursor::new(bytes), None).unwrap();
        reader.map(Result::unwrap).collect()
    }
}

/// A batch of types that floe does not write by itself.
fn foreign() -> arrow_array::RecordBatch {
    use arrow_array::types::{Int8Type, Int64Type};
    use arrow_array::*;
    use arrow_schema::{DataType, Field, Schema, TimeUnit};
    use std::sync::Arc;
    let texts = StringArray::from(vec![Some("a"), None, Some("a text of more than twelve bytes")]);
    let lists =
        ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let keys: DictionaryArray<Int8Type> = [Some("x"), None, Some("y")].into_iter().collect();
    let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size(
        [Some([1u8, 2, 3]), None, Some([4, 5, 6])].into_iter(),
        3,
    );
    let named = StructArray::from(vec![(
        Arc::new(Field::new("text", DataType::Utf8, true)),
        Arc::new(texts.clone()) as ArrayRef,
    )]);
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("sure", Arc::new(Int64Array::from(vec![1, 2, 3])), false),
        ("text", Arc::new(texts), true),
        ("bytes", Arc::new(BinaryArray::from(vec![Some(&b"\xff"[..]), None, Some(b"")])), true),
        ("list", Arc::new(lists), true),
        ("kind", Arc::new(keys), true),
        ("fixed", Arc::new(fixed.unwrap()), true),
        ("struct", Arc::new(named), true),
        ("second", Arc::new(TimestampSecondArray::from(vec![Some(1), None, Some(-5)])), true),
        ("time", Arc::new(Time32MillisecondArray::from(vec![Some(7), None, Some(86_399_999)])), true),
        ("micros", Arc::new(Time64MicrosecondArray::from(vec![Some(7), None, Some(1)])), true),
        ("lasting", Arc::new(DurationSecondArray::from(vec![Some(7), None, Some(1)])), true),
        ("date", Arc::new(Date64Array::from(vec![Some(86_400_000), None, Some(0)])), true),
    ];
    assert_eq!(columns[7].1.data_type(), &DataType::Timestamp(TimeUnit::Second, None));
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array, nullable)| Field::new(*name, array.data_type().clone(), *nullable))
        .collect();
    let metadata = std::collections::HashMap::from([("made".to_owned(), "by arrow-rs".to_owned())]);
    let schema = Arc::new(Schema::new(fields).with_metadata(metadata));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, array, _)| array).collect()).unwrap()
}

fn arrow_file(batch: &arrow_array::RecordBatch, alignment: usize) -> Vec<u8> {
    let options =
        arrow_ipc::writer::IpcWriteOptions::try_new(alignment, false, arrow_ipc::MetadataVersion::V5)
            .unwrap();
    let mut writer =
        arrow_ipc::writer::FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    writer.write_metadata("kept", "yes");
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn files_of_others_keep_their_types_and_their_metadata() {
    let batch = foreign();
    for alignment in [8, 64] {
        let old = arrow_file(&batch, alignment);
        let Place { path, _folder } = place(&old);
        let df = read(&path);
        let more = kinds(&["z", "x", "z"]);
        let mut grown = df.clone();
        grown.with_column(more.column("kind").unwrap().clone().with_name("kind".into())).unwrap();
        let mut writer = IpcWriter::append(&path).unwrap();
        writer.finish(&mut df.clone()).unwrap();
        let mut writer = writer.with_statistics(true);
        writer.finish(&mut grown).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.starts_with(&old[..up_to_end(&old)]));
        assert_frames_equal(&below(&below(&df, &df), &grown), &read(&path));
        let batches = arrow_batches(true, &bytes);
        assert_eq!(batches.len(), 3);
        for (column, field) in
            batch.schema().fields().iter().enumerate().filter(|(_, field)| field.name() != "kind")
        {
            assert_eq!(batches[0].column(column), batches[1].column(column), "{field}");
            assert_eq!(batches[0].column(column), batches[2].column(column), "{field}");
        }
        let kind = |batch: &arrow_array::RecordBatch| -> Vec<Option<String>> {
            let keys = batch.column(4).as_any();
            let keys =
                keys.downcast_ref::<arrow_array::DictionaryArray<arrow_array::types::Int8Type>>().unwrap();
            let typed = keys.downcast_dict::<arrow_array::StringArray>().unwrap();
            typed.into_iter().map(|text| text.map(str::to_owned)).collect()
        };
        let texts = |texts: [Option<&str>; 3]| texts.map(|text| text.map(str::to_owned)).to_vec();
        assert_eq!(kind(&batches[0]), texts([Some("x"), None, Some("y")]));
        assert_eq!(kind(&batches[1]), texts([Some("x"), None, Some("y")]));
        assert_eq!(kind(&batches[2]), texts([Some("z"), Some("x"), Some("z")]));
        assert_eq!(batches[2].schema(), batch.schema(), "types, nullability and metadata");
        let reader = IpcReader::from_bytes(bytes.clone());
        let metadata = reader.footer_metadata().unwrap();
        assert_eq!(metadata.get("kept").map(PlSmallStr::as_str), Some("yes"));
        // And Polars, in whose footer key the rows of all batches stand.
        let raw = reader.footer_metadata_bytes().unwrap();
        let index = raw.iter().find(|(key, _)| key == b"__POLARS_IPC_METADATA").unwrap();
        assert_eq!(index.1, br#"{"record_batch_cum_len":[3,6,9]}"#);
    }
}

#[test]
fn files_of_polars() {
    let df = kinds(&["a", "b", "c"]);
    for compression in [None, Some(IpcCompression::LZ4)] {
        let mut bytes = Vec::new();
        let mut writer = polars_io::ipc::IpcWriter::new(&mut bytes).with_compression(compression);
        writer.finish(&mut df.clone()).unwrap();
        let Place { path, _folder } = place(&bytes);
        let more = kinds(&["d", "a", "c"]);
        IpcWriter::append(&path).unwrap().finish(&mut more.clone()).unwrap();
        assert_frames_equal(&below(&df, &more), &read(&path));
        let found = polars_io::ipc::IpcReader::new(File::open(&path).unwrap()).finish().unwrap();
        assert_frames_equal(&below(&df, &more), &found);
    }
}

#[test]
fn what_is_there_has_a_say_in_what_is_added() {
    let batch = foreign();
    let Place { path, _folder } = place(&arrow_file(&batch, 64));
    let df = read(&path);
    let fails = |df: &DataFrame| {
        let before = fs::read(&path).unwrap();
        let error = IpcWriter::append(&path).unwrap().finish(&mut df.clone()).unwrap_err().to_string();
        assert!(fs::read(&path).unwrap() == before, "{error}");
        error
    };
    let with = |name: &str, column: Column| {
        let mut df = df.clone();
        df.with_column(column.with_name(name.into())).unwrap();
        df
    };
    let error = fails(&with("sure", Column::new("".into(), [Some(1i64), None, Some(2)])));
    assert!(error.contains("row 1 is null") && error.contains("\"sure\" is not nullable"), "{error}");
    let half = Column::new("".into(), [1_500i64, 0, 0]);
    let half = half.cast(&DataType::Datetime(TimeUnit::Milliseconds, None)).unwrap();
    let error = fails(&with("second", half));
    assert!(error.contains("second") && error.contains("1500 is no multiple"), "{error}");
    let error = fails(&with("fixed", Column::new("".into(), [&b"abc"[..], b"ab", b"abc"])));
    assert!(error.contains("row 1 has 2 bytes, all values of the column have 3"), "{error}");
    // Keys of eight bits tell 128 categories apart.
    let many: Vec<String> = (0..200).map(|i| format!("category {i}")).collect();
    let mut long = df.clone();
    while long.height() < 200 {
        long = below(&long, &df);
    }
    let mut long = long.head(Some(200));
    let texts: Vec<&str> = many.iter().map(String::as_str).collect();
    long.with_column(kinds(&texts).column("kind").unwrap().clone()).unwrap();
    let error = fails(&long);
    assert!(error.contains("kind") && error.contains("more values than keys of 8 bits"), "{error}");
}

#[test]
fn schemas_that_differ_are_told() {
    let there =
        DataFrame::new(1, vec![Column::new("a".into(), [1i64]), Column::new("b".into(), ["x"])]).unwrap();
    let old = Config::file().write(&there);
    let Place { path, _folder } = place(&old);
    let told = |columns: Vec<Column>| {
        let mut df = DataFrame::new(1, columns).unwrap();
        let error = IpcWriter::append(&path).unwrap().finish(&mut df).unwrap_err();
        assert!(matches!(error, PolarsError::SchemaMismatch(_)), "{error:?}");
        let batched = IpcWriter::append(&path).unwrap().batched(df.schema()).unwrap_err();
        assert_eq!(error.to_string(), batched.to_string());
        assert_eq!(fs::read(&path).unwrap(), old);
        let text = error.to_string();
        assert!(text.contains("data.arrow"), "{text}");
        text
    };
    let (a, b) = (Column::new("a".into(), [1i64]), Column::new("b".into(), ["x"]));
    let text = told(vec![Column::new("a".into(), [1i32]), b.clone()]);
    assert!(text.contains("column \"a\" is i64 in what is there, and i32 in the frame"), "{text}");
    let text = told(vec![a.clone()]);
    assert!(text.contains("column \"b\" is str there, and missing in the frame"), "{text}");
    let text = told(vec![a.clone(), b.clone(), Column::new("c".into(), [1.5])]);
    assert!(text.contains("column \"c\" is f64 in the frame, and missing there"), "{text}");
    let text = told(vec![b, a]);
    assert!(text.contains("another order: a, b there, b, a in the frame"), "{text}");

    let mut writer = IpcWriter::append(&path).unwrap();
    writer.set_custom_field_metadata("a", Metadata::from([("unit".into(), "m".into())]));
    assert!(writer.finish(&mut there.clone()).unwrap_err().to_string().contains("written already"));
    let mut writer = IpcWriter::append(&path).unwrap().with_compat_level(CompatLevel::oldest());
    assert!(writer.finish(&mut there.clone()).unwrap_err().to_string().contains("compat level"));
    assert_eq!(fs::read(&path).unwrap(), old);
}

#[test]
fn statistics_and_codec_go_on() {
    let mut first = days(&(0..100).collect::<Vec<i64>>());
    let mut bytes = Vec::new();
    IpcWriter::new(&mut bytes)
        .with_statistics(true)
        .with_record_batch_size(Some(25))
        .with_compression(Some(IpcCompression::LZ4))
        .finish(&mut first)
        .unwrap();
    let Place { path, _folder } = place(&bytes);
    let more = days(&(1000..1100).collect::<Vec<i64>>());
    IpcWriter::append(&path).unwrap().with_record_batch_size(Some(50)).finish(&mut more.clone()).unwrap();
    let mut writer = IpcWriter::append(&path).unwrap().batched(more.schema()).unwrap();
    writer.set_custom_metadata(vec![("note".into(), "appended".into())]);
    writer.write_batch(&more).unwrap();
    writer.finish().unwrap();
    let index = IpcIndex::open(&path, IpcLimits::default()).unwrap();
    let statistics = index.statistics(0..7, &[0]).unwrap();
    let column = |name: &str| -> Vec<Option<i64>> {
        let column = statistics.column(name).unwrap().cast(&DataType::Int64).unwrap();
        column.i64().unwrap().iter().collect()
    };
    assert_eq!(column("len"), [25, 25, 25, 25, 50, 50, 100].map(Some));
    assert_eq!(column("day_min"), [0, 25, 50, 75, 1000, 1050, 1000].map(Some));
    assert_eq!(column("day_max"), [24, 49, 74, 99, 1049, 1099, 1099].map(Some));
    let reader = IpcReader::new(File::open(&path).unwrap());
    let raw = reader.footer_metadata_bytes().unwrap();
    let lines = &raw.iter().find(|(key, _)| key == b"floe:statistics").unwrap().1;
    assert_eq!(lines.split(|byte| *byte == b'\n').count(), 7, "a line for each batch");
    assert_eq!(reader.footer_metadata().unwrap().get("note").unwrap().as_str(), "appended");
    let bytes = fs::read(&path).unwrap();
    for message in messages(&bytes[8..]).0.iter().filter(|m| matches!(m.kind, Kind::Batch(_))) {
        let head = arrow_ipc::root_as_message(&bytes[8 + message.start + 8..8 + message.body]).unwrap();
        assert!(head.header_as_record_batch().unwrap().compression().is_some(), "as the batches before");
    }
}

/// Where buffers are is said in the footer of large files, if all batches are laid out alike.
#[test]
fn layouts_go_on() {
    let numbers: Vec<i64> = (0..100_000).collect();
    let mut large = days(&numbers);
    let layout = |path: &Path| {
        let raw = IpcReader::new(File::open(path).unwrap()).footer_metadata_bytes().unwrap();
        let found = raw.into_iter().filter(|(key, _)| key == b"floe:layout").collect::<Vec<_>>();
        assert!(found.len() <= 1);
        found.into_iter().next().map(|(_, text)| String::from_utf8(text).unwrap())
    };
    let Place { path, _folder } = place(&Config::file().with_batch_rows(50_000).write(&large));
    assert_eq!(layout(&path).unwrap().lines().count(), 1 + 2);
    IpcWriter::append(&path).unwrap().finish(&mut large).unwrap();
    assert_eq!(layout(&path).unwrap().lines().count(), 1 + 3, "a line for each batch");
    let mut writer = IpcWriter::append(&path).unwrap().with_compression(Some(IpcCompression::LZ4));
    writer.finish(&mut large).unwrap();
    assert_eq!(layout(&path), None, "a layout has room for one codec");
    assert_eq!(read(&path).height(), 300_000);

    // Of another writer, whose buffers lie at multiples of 8.
    let batch = foreign();
    for (alignment, expected) in [(8, false), (64, true)] {
        let Place { path, _folder } = place(&arrow_file(&batch, alignment));
        let mut df = read(&path);
        while df.height() < 40_000 {
            df = below(&df, &df);
        }
        IpcWriter::append(&path).unwrap().finish(&mut df).unwrap();
        assert_eq!(layout(&path).is_some(), expected, "{alignment}");
    }
}

#[test]
fn streams_with_and_without_their_end() {
    let df = below(&kinds(&["a", "b"]), &kinds(&["c"]));
    let more = kinds(&["c", "d"]);
    let whole = Config::stream().with_batch_rows(2).write(&df);
    let ends: Vec<usize> = messages(&whole).0.iter().map(|message| message.end).collect();
    let last = ends[ends.len() - 1];
    // With its end, without, cut off within the marker, and with what large buffers leave behind.
    let zeros = [whole.as_slice(), &[0; 24]].concat();
    for bytes in [&whole[..], &whole[..last], &whole[..last + 5], &zeros] {
        for in_place in [false, true] {
            let Place { path, _folder } = place(bytes);
            let mut writer = IpcStreamWriter::append(&path).unwrap().with_in_place(in_place);
            writer.finish(&mut more.clone()).unwrap();
            assert_frames_equal(&below(&df, &more), &read(&path));
            assert_eq!(arrow_rows(false, &fs::read(&path).unwrap()), 5);
        }
    }
    // Within the last batch: that one is lost, and no dictionary that came before it.
    for in_place in [false, true] {
        let Place { path, _folder } = place(&whole[..last - 3]);
        IpcStreamWriter::append(&path).unwrap().with_in_place(in_place).finish(&mut more.clone()).unwrap();
        assert_frames_equal(&below(&df.head(Some(2)), &more), &read(&path));
        // Within the schema nothing can be gone on with.
        let Place { path, _folder } = place(&whole[..ends[0] - 4]);
        let error = IpcStreamWriter::append(&path).unwrap_err().to_string();
        assert!(error.contains("no whole schema"), "{error}");
    }
    // Another stream behind it.
    let Place { path, _folder } = place(&[whole.as_slice(), &whole].concat());
    let error = IpcStreamWriter::append(&path).unwrap_err().to_string();
    assert!(error.contains("something follows the end marker"), "{error}");
}

#[test]
fn who_follows_a_stream_sees_what_is_appended_in_place() {
    let whole = Config::stream().write(&days(&[1]));
    let Place { path, _folder } = place(&whole[..whole.len() - 8]);
    let mut reader = FollowReader::open(&path).unwrap();
    let mut next = || reader.next_batch(Duration::ZERO).unwrap();
    assert!(matches!(next(), Follow::Batch(df) if df.equals(&days(&[1]))));
    assert!(matches!(next(), Follow::NotYet));
    let writer = IpcStreamWriter::append(&path).unwrap().with_in_place(true);
    let mut writer = writer.batched(days(&[]).schema()).unwrap();
    assert!(matches!(next(), Follow::NotYet));
    for day in 2..5 {
        writer.write_batch(&days(&[day])).unwrap();
        assert!(matches!(next(), Follow::Batch(df) if df.equals(&days(&[day]))));
    }
    writer.finish().unwrap();
    assert!(matches!(next(), Follow::Ended));
}

#[test]
fn what_cannot_be_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.arrow");
    let error = IpcWriter::append(&missing).unwrap_err();
    assert!(matches!(&error, PolarsError::IO { error, .. } if error.kind() == std::io::ErrorKind::NotFound));
    assert!(error.to_string().contains("missing.arrow"), "{error}");
    assert!(IpcStreamWriter::append(&missing).is_err() && IpcWriter::append(folder.path()).is_err());
    let (file, stream) = (Config::file().write(&days(&[1])), Config::stream().write(&days(&[1])));
    let cases: [(&[u8], &str); 5] = [
        (&[], "empty"),
        (b"a,b\n1,2\n", "CSV"),
        (&file[..file.len() - 3], "recover"),
        (&stream, "IpcStreamReader"),
        (&file[..20], "recover"),
    ];
    for (bytes, expected) in cases {
        let Place { path, _folder } = place(bytes);
        let error = IpcWriter::append(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let Place { path, _folder } = place(&file);
    let error = IpcStreamWriter::append(&path).unwrap_err().to_string();
    assert!(error.contains("IpcWriter::append"), "{error}");
    let Place { path, _folder } = place(&[]);
    assert!(IpcStreamWriter::append(&path).is_err());
}

#[test]
fn two_writers_do_not_append_at_once() {
    let Place { path, _folder } = place(&Config::file().write(&days(&[1])));
    let mut first = IpcWriter::append(&path).unwrap().batched(days(&[]).schema()).unwrap();
    first.write_batch(&days(&[2])).unwrap();
    let error = IpcWriter::append(&path).unwrap_err().to_string();
    assert!(error.contains("another writer is appending"), "{error}");
    first.finish().unwrap();
    IpcWriter::append(&path).unwrap().finish(&mut days(&[3])).unwrap();
    assert_frames_equal(&days(&[1, 2, 3]), &read(&path));

    // Who does not ask for the lock may change the file: then it is left as it is.
    let mut writer = IpcWriter::append(&path).unwrap().batched(days(&[]).schema()).unwrap();
    writer.write_batch(&days(&[4])).unwrap();
    let other = Config::file().write(&days(&[7, 8]));
    fs::write(path.with_extension("new"), &other).unwrap();
    fs::rename(path.with_extension("new"), &path).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("another program has changed it"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), other);
}

/// Tells this program to append without end, and to what.
const TARGET: &str = "FLOE_APPEND_TARGET";

/// Not a test of its own: what the test below runs as a process, to kill it.
#[test]
fn child() {
    let Some(path) = std::env::var_os(TARGET) else { return };
    loop {
        let rows = i64::try_from(read(Path::new(&path)).height()).unwrap();
        let frames: Vec<DataFrame> =
            (0..10).map(|i| days(&(rows + i * 100..rows + (i + 1) * 100).collect::<Vec<i64>>())).collect();
        batched(IpcWriter::append(&path).unwrap(), &frames);
    }
}

#[test]
fn a_process_that_is_killed_leaves_the_old_file_or_the_new_one() {
    let Place { path, _folder } = place(&Config::file().write(&days(&[])));
    for round in 0..12u64 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "append::child"]).env(TARGET, &path);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(150 + round * 13));
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
        let df = read(&path);
        assert_eq!(df.height() % 1000, 0, "all of an append or nothing");
        let expected: Vec<i64> = (0..i64::try_from(df.height()).unwrap()).collect();
        assert_frames_equal(&days(&expected), &df);
    }
    assert!(read(&path).height() > 1000, "it had time to append");
}

#[cfg(unix)]
#[test]
fn links_and_modes_stay() {
    use std::os::unix::fs::PermissionsExt;
    let Place { path, _folder } = place(&Config::file().write(&days(&[1])));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let link = path.with_file_name("link");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    IpcWriter::append(&link).unwrap().finish(&mut days(&[2])).unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert_frames_equal(&days(&[1, 2]), &read(&path));
}
