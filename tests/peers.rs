//! Both directions between floe and the two other implementations in Rust: Polars' own and arrow-rs.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::builder::{
    Int32Builder, ListViewBuilder, MapBuilder, PrimitiveRunBuilder, StringBuilder, StringDictionaryBuilder,
    StringRunBuilder, StringViewBuilder,
};
use arrow_array::types::{Int16Type, Int32Type, Int64Type, UInt8Type};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Date64Array, Decimal32Array, Decimal64Array,
    Decimal128Array, Decimal256Array, DictionaryArray, DurationSecondArray, FixedSizeBinaryArray,
    FixedSizeListArray, Float16Array, Float64Array, Int8Array, Int32Array, Int64Array, IntervalDayTimeArray,
    IntervalMonthDayNanoArray, IntervalYearMonthArray, LargeStringArray, ListArray, NullArray, RecordBatch,
    RunArray, StringArray, StructArray, Time32MillisecondArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, TimestampSecondArray, UInt64Array, UnionArray,
};
use arrow_buffer::{IntervalDayTime, IntervalMonthDayNano, NullBuffer, OffsetBuffer, ScalarBuffer, i256};
use arrow_ipc::CompressionType;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};
use arrow_schema::{
    DataType as ArrowType, Field as ArrowField, Schema as ArrowSchema, UnionFields, UnionMode,
};
use floe::prelude::*;
use floe_tests::arbitrary::{Arbitrary, dtypes};
use floe_tests::config::{Config, codecs, reads};
use floe_tests::equal::{assert_frames_equal, frames_differ};
use floe_tests::run::{Cases, panic_text};
use polars_core::prelude::*;
use polars_io::ipc::{
    IpcReader as PolarsReader, IpcStreamReader as PolarsStreamReader, IpcStreamWriter as PolarsStreamWriter,
    IpcWriter as PolarsWriter,
};

// --- Polars ---

/// What Polars 0.55.2 does not read back from its own output either.
const POLARS_CANNOT_READ: [&str; 3] = ["array_0", "list_array_0", "list_binary_offset"];

fn polars_reads(file: bool, bytes: &[u8]) -> PolarsResult<DataFrame> {
    if file {
        PolarsReader::new(Cursor::new(bytes)).finish()
    } else {
        PolarsStreamReader::new(Cursor::new(bytes)).finish()
    }
}

fn polars_writes(config: &Config, df: &DataFrame) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut df = df.clone();
    if config.file {
        PolarsWriter::new(&mut bytes)
            .with_compression(config.compression)
            .with_compat_level(config.compat_level())
            .finish(&mut df)
            .expect("Polars writes");
    } else {
        PolarsStreamWriter::new(&mut bytes)
            .with_compression(config.compression)
            .with_compat_level(config.compat_level())
            .finish(&mut df)
            .expect("Polars writes");
    }
    bytes
}

fn configs() -> Vec<Config> {
    let mut configs = Vec::new();
    for compression in codecs() {
        for (file, newest) in [(false, false), (false, true), (true, false), (true, true)] {
            configs.push(Config { file, newest, compression, batch_rows: None, parallel: true });
        }
    }
    configs
}

#[test]
fn polars_reads_what_floe_writes() {
    let mut cases = Cases::new();
    for (seed, (name, dtype)) in (0..).zip(dtypes()) {
        if POLARS_CANNOT_READ.contains(&name) {
            continue;
        }
        let df = Arbitrary::new(seed).frame_of(&[("column".into(), dtype)], 40);
        for config in configs() {
            let config = config.with_batch_rows(15);
            cases.run(format!("{name}, {config:?}"), || {
                let found = polars_reads(config.file, &config.write(&df)).expect("a frame");
                assert_frames_equal(&df, &found);
            });
        }
    }
    cases.finish();
}

#[test]
fn floe_reads_what_polars_writes() {
    let mut cases = Cases::new();
    for (seed, (name, dtype)) in (100..).zip(dtypes()) {
        // Polars has trouble with categoricals in several chunks: facts.md, section 3.
        let df = Arbitrary::new(seed).frame_of(&[("column".into(), dtype)], 40);
        let df = {
            let mut df = df;
            df.rechunk_mut();
            df
        };
        for config in configs() {
            cases.run(format!("{name}, {config:?}"), || {
                let bytes = match catch_unwind(AssertUnwindSafe(|| polars_writes(&config, &df))) {
                    Ok(bytes) => bytes,
                    Err(panic) => panic!("Polars does not write it: {}", panic_text(panic.as_ref())),
                };
                for (way, read) in reads(config.file) {
                    let found = read(&bytes).unwrap_or_else(|error| panic!("{way}: {error}"));
                    assert_eq!(frames_differ(&df, &found.expect("batches")), Ok(()), "{way}");
                }
            });
        }
    }
    cases.finish();
}

/// Keeps the list above honest: what a newer Polars reads does not belong there.
#[test]
fn polars_does_not_read_what_polars_writes() {
    let known = dtypes();
    for name in POLARS_CANNOT_READ {
        let dtype = known.iter().find(|(known, _)| *known == name).expect("a known dtype").1.clone();
        let mut df = Arbitrary::new(1).frame_of(&[("column".into(), dtype)], 40);
        df.rechunk_mut();
        for config in [Config::stream(), Config::file()] {
            let bytes = polars_writes(&config, &df);
            let found = polars_reads(config.file, &bytes);
            assert!(
                found.map_or(true, |found| frames_differ(&df, &found).is_err()),
                "{name} is read after all"
            );
        }
    }
}

#[test]
fn metadata_between_polars_and_floe() {
    let mut df = DataFrame::new(3, vec![Column::new("a".into(), [1, 2, 3])]).expect("a frame");
    let metadata: Arc<Metadata> = Arc::new([("key".into(), "größe".into())].into());
    let mut bytes = Vec::new();
    let mut writer = PolarsWriter::new(&mut bytes);
    writer.set_custom_schema_metadata(Arc::clone(&metadata));
    writer.finish(&mut df).expect("bytes");
    let found = IpcReader::new(Cursor::new(&bytes)).custom_metadata().expect("metadata").expect("metadata");
    assert_eq!(found.get("key"), metadata.get("key"));

    let mut bytes = Vec::new();
    let mut writer = IpcWriter::new(&mut bytes);
    writer.set_custom_schema_metadata(Arc::clone(&metadata));
    writer.finish(&mut df).expect("bytes");
    let found =
        PolarsReader::new(Cursor::new(&bytes)).custom_metadata().expect("metadata").expect("metadata");
    assert_eq!(found.get("key"), metadata.get("key"));

    let mut bytes = Vec::new();
    let mut writer = IpcStreamWriter::new(&mut bytes);
    writer.set_custom_schema_metadata(Arc::clone(&metadata));
    writer.finish(&mut df).expect("bytes");
    let found = PolarsStreamReader::new(Cursor::new(&bytes)).custom_metadata().expect("metadata");
    assert_eq!(found.expect("metadata").get("key"), metadata.get("key"));
}

// --- arrow-rs: what floe writes ---

/// No 128-bit integers in arrow-rs.
const ARROW_CANNOT_READ: [&str; 3] = ["i128", "u128", "list_list_i128"];

fn arrow_reads(file: bool, bytes: &[u8]) -> (Arc<ArrowSchema>, Vec<RecordBatch>) {
    if file {
        let reader = FileReader::try_new(Cursor::new(bytes), None).expect("arrow-rs opens it");
        (reader.schema(), reader.map(|batch| batch.expect("arrow-rs reads it")).collect())
    } else {
        let reader = StreamReader::try_new(bytes, None).expect("arrow-rs opens it");
        (reader.schema(), reader.map(|batch| batch.expect("arrow-rs reads it")).collect())
    }
}

fn arrow_writes(
    file: bool,
    options: IpcWriteOptions,
    schema: &ArrowSchema,
    batches: &[RecordBatch],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    if file {
        let mut writer =
            FileWriter::try_new_with_options(&mut bytes, schema, options).expect("arrow-rs writes");
        batches.iter().for_each(|batch| writer.write(batch).expect("arrow-rs writes"));
        writer.finish().expect("arrow-rs writes");
    } else {
        let mut writer =
            StreamWriter::try_new_with_options(&mut bytes, schema, options).expect("arrow-rs writes");
        batches.iter().for_each(|batch| writer.write(batch).expect("arrow-rs writes"));
        writer.finish().expect("arrow-rs writes");
    }
    bytes
}

fn arrow_options() -> Vec<IpcWriteOptions> {
    let default = IpcWriteOptions::default;
    let compressed = |codec| default().try_with_compression(Some(codec)).expect("a codec");
    vec![
        default(),
        IpcWriteOptions::try_new(8, false, arrow_ipc::MetadataVersion::V5).expect("options"),
        compressed(CompressionType::LZ4_FRAME),
        compressed(CompressionType::ZSTD),
    ]
}

/// floe -> arrow-rs -> floe: the values of arrow-rs cannot be other than floe's.
#[test]
fn through_arrow_and_back() {
    let mut cases = Cases::new();
    for (seed, (name, dtype)) in (200..).zip(dtypes()) {
        if ARROW_CANNOT_READ.contains(&name) {
            continue;
        }
        let df = Arbitrary::new(seed).frame_of(&[("column".into(), dtype)], 40);
        for config in configs() {
            cases.run(format!("{name}, {config:?}"), || {
                let (schema, batches) = arrow_reads(config.file, &config.write(&df));
                assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), df.height());
                for file in [false, true] {
                    for options in arrow_options() {
                        let bytes = arrow_writes(file, options, &schema, &batches);
                        for (way, read) in reads(file) {
                            let found = read(&bytes).unwrap_or_else(|error| panic!("{way}: {error}"));
                            assert_eq!(frames_differ(&df, &found.expect("batches")), Ok(()), "{way}");
                        }
                    }
                }
            });
        }
    }
    cases.finish();
}

/// Columns that are large enough for LZ4 blocks of floe's own making, of each kind of them.
#[test]
fn others_read_lz4_of_large_columns() {
    let rows = 150_000;
    let mut state = 1u64;
    let mut below = |n: i64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(state >> 33).expect("31 bits") % n
    };
    let mut ints = |n: i64| (0..rows).map(|_| below(n)).collect::<Vec<i64>>();
    let (hundreds, millions, seconds) = (ints(1_000), ints(1_000_000), ints(1_000_000));
    let texts: Vec<Option<String>> =
        millions.iter().map(|i| (i % 10 > 0).then(|| format!("https://example.com/{i}"))).collect();
    let scaled: Vec<Option<i128>> = millions.iter().map(|i| Some(i128::from(*i) * 1_000_003)).collect();
    let times = (0..).zip(&seconds).map(|(i, more): (i64, &i64)| i * 1_000_000 + more).collect::<Vec<_>>();
    let df = DataFrame::new(
        hundreds.len(),
        vec![
            Column::new("hundreds".into(), hundreds),
            Column::new(
                "nulls".into(),
                millions.iter().map(|i| (i % 7 > 0).then_some(*i)).collect::<Vec<_>>(),
            ),
            Column::new("millions".into(), millions),
            Column::new("steps".into(), (0..rows).collect::<Vec<i64>>()),
            Column::new("times".into(), times)
                .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
                .expect("times"),
            Column::new("texts".into(), texts),
            decimals(&scaled, 20, 2).with_name("decimals".into()).into(),
        ],
    )
    .expect("a frame");
    others_read(&df, |compression| compression == IpcCompression::LZ4);
}

/// Columns that are large enough to be several ZSTD frames.
#[test]
fn others_read_zstd_of_large_columns() {
    let all: String = (0..300_000).map(|i| (i % 4_099).to_string()).collect();
    let texts: Vec<&str> = (0..9).filter_map(|row| all.get(row..)).collect();
    assert!(texts.iter().map(|text| text.len()).sum::<usize>() > 8 << 20);
    let columns = vec![Column::new("texts".into(), texts)];
    let df = DataFrame::new(9, columns).expect("a frame");
    others_read(&df, |compression| matches!(compression, IpcCompression::ZSTD(_)));
}

/// Polars, arrow-rs and floe read what floe makes of `df` with these codecs.
fn others_read(df: &DataFrame, with: impl Fn(IpcCompression) -> bool) {
    for config in configs().into_iter().filter(|config| config.compression.is_some_and(&with)) {
        let bytes = config.write(df);
        assert_frames_equal(df, &polars_reads(config.file, &bytes).expect("Polars reads it"));
        let (schema, batches) = arrow_reads(config.file, &bytes);
        let again = arrow_writes(config.file, IpcWriteOptions::default(), &schema, &batches);
        for (way, read) in reads(config.file) {
            let found = read(&bytes).unwrap_or_else(|error| panic!("{way}: {error}"));
            assert_eq!(frames_differ(df, &found.expect("batches")), Ok(()), "{way}");
        }
        assert_frames_equal(df, &polars_reads(config.file, &again).expect("what arrow-rs read"));
    }
}

/// The values themselves, as arrow-rs sees them.
#[test]
fn arrow_sees_the_values() {
    let df = DataFrame::new(
        3,
        vec![
            Column::new("i".into(), [Some(1i64), None, Some(-3)]),
            Column::new("s".into(), [Some("a"), None, Some("a rather long string")]),
            Column::new("b".into(), [Some(true), None, Some(false)]),
            Column::new("f".into(), [Some(1.5f64), None, Some(-0.0)]),
        ],
    )
    .expect("a frame");
    for config in configs() {
        let (_, batches) = arrow_reads(config.file, &config.write(&df));
        assert_eq!(batches.len(), 1);
        let batch = &batches[0];
        assert_eq!(batch.column(0).as_ref(), &Int64Array::from(vec![Some(1), None, Some(-3)]));
        let texts = vec![Some("a"), None, Some("a rather long string")];
        if config.newest {
            assert_eq!(batch.column(1).as_ref(), &arrow_array::StringViewArray::from(texts));
        } else {
            assert_eq!(batch.column(1).as_ref(), &LargeStringArray::from(texts));
        }
        assert_eq!(batch.column(2).as_ref(), &BooleanArray::from(vec![Some(true), None, Some(false)]));
        assert_eq!(batch.column(3).as_ref(), &Float64Array::from(vec![Some(1.5), None, Some(-0.0)]));
    }
}

/// Growing categories, which floe sends as replacements, as deltas, or behind the batches of a file.
#[test]
fn others_read_growing_dictionaries() {
    let categories = Categories::new("peers".into(), "".into(), CategoricalPhysical::U32);
    let dtype = DataType::from_categories(categories);
    let batches = [&["a", "b"][..], &["c", "a"], &["d", "b", "e"]].map(|values| {
        let column = Series::new("c".into(), values).cast(&dtype).expect("categories").into_column();
        DataFrame::new_infer_height(vec![column]).expect("a frame")
    });
    let texts = |batches: &[RecordBatch]| -> Vec<Vec<String>> {
        let text = |batch: &RecordBatch| {
            let column = batch.column(0).as_any();
            let keys =
                column.downcast_ref::<DictionaryArray<arrow_array::types::UInt32Type>>().expect("keys");
            let text = |row| {
                let key = usize::try_from(keys.keys().value(row)).expect("small");
                arrow_text(keys.values(), key)
            };
            (0..batch.num_rows()).map(text).collect()
        };
        batches.iter().map(text).collect()
    };
    let expected = [vec!["a", "b"], vec!["c", "a"], vec!["d", "b", "e"]];
    for config in [Config::stream(), Config::file()] {
        let bytes = config.write_batches(&batches);
        assert_eq!(texts(&arrow_reads(config.file, &bytes).1), expected, "{config:?}");
        let mut whole = batches[0].clone();
        whole.vstack_mut(&batches[1]).expect("one schema").vstack_mut(&batches[2]).expect("one schema");
        assert_frames_equal(&whole, &polars_reads(config.file, &bytes).expect("Polars reads it"));
    }
    let mut writer = IpcStreamWriter::new(Vec::new())
        .with_dictionary_deltas(true)
        .batched(batches[0].schema())
        .expect("a writer");
    batches.iter().for_each(|batch| writer.write_batch(batch).expect("bytes"));
    writer.finish().expect("bytes");
    assert_eq!(texts(&arrow_reads(false, &writer.into_inner()).1), expected, "deltas");
}

fn arrow_text(array: &ArrayRef, row: usize) -> String {
    if let Some(array) = array.as_any().downcast_ref::<arrow_array::StringViewArray>() {
        return array.value(row).to_owned();
    }
    array.as_any().downcast_ref::<LargeStringArray>().expect("strings").value(row).to_owned()
}

// --- arrow-rs: what floe reads ---

/// A column of arrow-rs', and what it has to become.
struct Pair {
    name: &'static str,
    arrow: ArrayRef,
    polars: Series,
}

fn pair(name: &'static str, arrow: impl arrow_array::Array + 'static, polars: Series) -> Pair {
    Pair { name, arrow: Arc::new(arrow), polars: polars.with_name(name.into()) }
}

fn series<T, P: ?Sized>(values: T) -> Series
where
    Series: NamedFrom<T, P>,
{
    Series::new("".into(), values)
}

fn structure(len: usize, fields: &[(&'static str, Series)]) -> Series {
    let fields: Vec<_> = fields.iter().map(|(name, field)| field.clone().with_name((*name).into())).collect();
    StructChunked::from_series("".into(), len, fields.iter()).expect("a struct").into_series()
}

fn lists(dtype: &DataType, rows: Vec<Option<Series>>) -> Series {
    let rows: Vec<_> = rows.into_iter().map(|row| row.map_or(AnyValue::Null, AnyValue::List)).collect();
    Series::from_any_values_and_dtype("".into(), &rows, &DataType::List(Box::new(dtype.clone())), true)
        .expect("lists")
}

fn decimals(values: &[Option<i128>], precision: usize, scale: usize) -> Series {
    Int128Chunked::new("".into(), values).into_decimal_unchecked(precision, scale).into_series()
}

fn global(values: &[Option<&str>]) -> Series {
    series(values).cast(&DataType::from_categories(Categories::global())).expect("categories")
}

fn common() -> Vec<Pair> {
    let datetimes = |values: &[Option<i64>], unit, zone: Option<&'static str>| {
        let zone = zone.map(|zone| TimeZone::opt_try_new(Some(zone)).expect("a zone").expect("a zone"));
        series(values).cast(&DataType::Datetime(unit, zone)).expect("instants")
    };
    let nulls = Some(NullBuffer::from(vec![true, false, true]));
    vec![
        pair("null", NullArray::new(3), Series::full_null("".into(), 3, &DataType::Null)),
        pair(
            "bool",
            BooleanArray::from(vec![Some(true), None, Some(false)]),
            series([Some(true), None, Some(false)]),
        ),
        pair("i8", Int8Array::from(vec![Some(-1), None, Some(7)]), series([Some(-1i8), None, Some(7)])),
        pair("u64", UInt64Array::from(vec![u64::MAX, 0, 1]), series([u64::MAX, 0, 1])),
        pair(
            "f16",
            Float16Array::from_iter_values([1.5f32, -0.0, 0.25].map(half_of)),
            series([1.5f32, -0.0, 0.25]).cast(&DataType::Float16).expect("halves"),
        ),
        pair(
            "f64",
            Float64Array::from(vec![Some(f64::NAN), None, Some(-0.0)]),
            series([Some(f64::NAN), None, Some(-0.0)]),
        ),
        pair(
            "utf8",
            StringArray::from(vec![Some("a"), None, Some("größe")]),
            series([Some("a"), None, Some("größe")]),
        ),
        pair(
            "large_utf8",
            LargeStringArray::from(vec![Some("a"), None, Some("")]),
            series([Some("a"), None, Some("")]),
        ),
        pair(
            "binary",
            BinaryArray::from_opt_vec(vec![Some(b"ab"), None, Some(b"")]),
            series([Some(b"ab".as_slice()), None, Some(b"")]),
        ),
        pair(
            "fixed_binary",
            FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                [Some([1u8, 2]), None, Some([3, 4])].into_iter(),
                2,
            )
            .expect("binary"),
            series([Some([1u8, 2].as_slice()), None, Some(&[3, 4])]),
        ),
        pair(
            "date",
            Date32Array::from(vec![Some(1), None, Some(-1)]),
            series([Some(1i32), None, Some(-1)]).cast(&DataType::Date).expect("dates"),
        ),
        pair(
            "date64",
            Date64Array::from(vec![Some(86_400_000), None, Some(-86_400_000)]),
            datetimes(&[Some(86_400_000), None, Some(-86_400_000)], TimeUnit::Milliseconds, None),
        ),
        pair(
            "seconds",
            TimestampSecondArray::from(vec![Some(12), None, Some(-5)]),
            datetimes(&[Some(12_000), None, Some(-5_000)], TimeUnit::Milliseconds, None),
        ),
        pair(
            "zoned",
            TimestampMicrosecondArray::from(vec![Some(12), None, Some(-5)]).with_timezone("Europe/Amsterdam"),
            datetimes(&[Some(12), None, Some(-5)], TimeUnit::Microseconds, Some("Europe/Amsterdam")),
        ),
        pair(
            "offset",
            TimestampMicrosecondArray::from(vec![Some(12), None, Some(-5)]).with_timezone("+05:30"),
            datetimes(&[Some(12), None, Some(-5)], TimeUnit::Microseconds, Some("UTC")),
        ),
        pair(
            "unknown_zone",
            TimestampMicrosecondArray::from(vec![Some(12), None, Some(-5)])
                .with_timezone("Mars/Olympus_Mons"),
            datetimes(&[Some(12), None, Some(-5)], TimeUnit::Microseconds, Some("UTC")),
        ),
        pair(
            "time32",
            Time32MillisecondArray::from(vec![Some(5), None, Some(7)]),
            series([Some(5_000_000i64), None, Some(7_000_000)]).cast(&DataType::Time).expect("times"),
        ),
        pair(
            "time64",
            Time64MicrosecondArray::from(vec![Some(5), None, Some(7)]),
            series([Some(5_000i64), None, Some(7_000)]).cast(&DataType::Time).expect("times"),
        ),
        pair(
            "duration_s",
            DurationSecondArray::from(vec![Some(5), None, Some(-7)]),
            series([Some(5_000i64), None, Some(-7_000)])
                .cast(&DataType::Duration(TimeUnit::Milliseconds))
                .expect("durations"),
        ),
        pair(
            "list",
            ListArray::from_iter_primitive::<Int32Type, _, _>([
                Some(vec![Some(1), None]),
                None,
                Some(vec![]),
            ]),
            lists(
                &DataType::Int32,
                vec![
                    Some(series([Some(1i32), None])),
                    None,
                    Some(Series::new_empty("".into(), &DataType::Int32)),
                ],
            ),
        ),
        pair(
            "fixed_list",
            FixedSizeListArray::from_iter_primitive::<Int32Type, _, _>(
                [Some(vec![Some(1), None]), None, Some(vec![Some(3), Some(4)])],
                2,
            ),
            lists(&DataType::Int32, vec![Some(series([Some(1i32), None])), None, Some(series([3i32, 4]))])
                .cast(&DataType::Array(Box::new(DataType::Int32), 2))
                .expect("arrays"),
        ),
        pair(
            "struct",
            StructArray::new(
                vec![
                    ArrowField::new("x", ArrowType::Int32, true),
                    ArrowField::new("y", ArrowType::Utf8, true),
                ]
                .into(),
                vec![
                    Arc::new(Int32Array::from(vec![1, 2, 3])),
                    Arc::new(StringArray::from(vec![Some("a"), Some("b"), None])),
                ],
                nulls,
            ),
            {
                let fields =
                    structure(3, &[("x", series([1i32, 2, 3])), ("y", series([Some("a"), Some("b"), None]))]);
                let mask = BooleanChunked::from_slice("".into(), &[true, false, true]);
                fields.zip_with(&mask, &Series::full_null("".into(), 3, fields.dtype())).expect("a null")
            },
        ),
    ]
}

fn half_of(value: f32) -> <arrow_array::types::Float16Type as arrow_array::ArrowPrimitiveType>::Native {
    <arrow_array::types::Float16Type as arrow_array::ArrowPrimitiveType>::Native::from_f32(value)
}

/// Types that Polars lacks.
fn foreign() -> Vec<Pair> {
    let mut views = StringViewBuilder::new();
    views.append_value("short");
    views.append_null();
    views.append_value("longer than twelve bytes");

    let mut map = MapBuilder::new(
        Some(arrow_array::builder::MapFieldNames {
            entry: "entries".to_owned(),
            key: "key".to_owned(),
            value: "value".to_owned(),
        }),
        StringBuilder::new(),
        Int32Builder::new(),
    );
    map.keys().append_value("a");
    map.values().append_value(1);
    map.keys().append_value("b");
    map.values().append_null();
    map.append(true).expect("a map");
    map.append(false).expect("a null");
    map.append(true).expect("an empty map");
    let entries = structure(2, &[("key", series(["a", "b"])), ("value", series([Some(1i32), None]))]);

    let mut list_view = ListViewBuilder::new(Int32Builder::new());
    list_view.append_value([Some(1), Some(2)]);
    list_view.append_null();
    list_view.append_value([None]);

    let mut runs = PrimitiveRunBuilder::<Int32Type, Int64Type>::new();
    runs.extend([Some(5), Some(5), None]);
    let mut text_runs = StringRunBuilder::<Int16Type>::new();
    text_runs.extend([Some("x"), Some("x"), Some("yy")]);

    let mut keys = StringDictionaryBuilder::<UInt8Type>::new();
    keys.extend([Some("b"), None, Some("a")]);
    let numbers: DictionaryArray<Int16Type> = DictionaryArray::new(
        vec![Some(1i16), None, Some(0)].into(),
        Arc::new(Int64Array::from(vec![10, 20])),
    );

    let days = |days, milliseconds| Some(IntervalDayTime::new(days, milliseconds));
    let months = |months, days, nanoseconds| Some(IntervalMonthDayNano::new(months, days, nanoseconds));
    let null_struct = |fields: Series| {
        let mask = BooleanChunked::from_slice("".into(), &[true, false, true]);
        fields.zip_with(&mask, &Series::full_null("".into(), 3, fields.dtype())).expect("a null")
    };

    vec![
        pair("view", views.finish(), series([Some("short"), None, Some("longer than twelve bytes")])),
        pair(
            "map",
            map.finish(),
            lists(entries.dtype(), vec![Some(entries.clone()), None, Some(entries.clear())]),
        ),
        pair(
            "list_view",
            list_view.finish(),
            lists(&DataType::Int32, vec![Some(series([1i32, 2])), None, Some(series([None::<i32>]))]),
        ),
        pair("runs", runs.finish(), series([Some(5i64), Some(5), None])),
        pair("text_runs", text_runs.finish(), series(["x", "x", "yy"])),
        pair("dictionary", keys.finish(), global(&[Some("b"), None, Some("a")])),
        pair("number_dictionary", numbers, series([Some(20i64), None, Some(10)])),
        pair(
            "interval_months",
            IntervalYearMonthArray::from(vec![Some(14), None, Some(-1)]),
            null_struct(structure(3, &[("months", series([14i32, 0, -1]))])),
        ),
        pair(
            "interval_days",
            IntervalDayTimeArray::from(vec![days(1, 2), None, days(-3, -4)]),
            null_struct(structure(
                3,
                &[("days", series([1i32, 0, -3])), ("milliseconds", series([2i32, 0, -4]))],
            )),
        ),
        pair(
            "interval_nanos",
            IntervalMonthDayNanoArray::from(vec![months(1, 2, 3), None, months(-4, -5, i64::MIN)]),
            null_struct(structure(
                3,
                &[
                    ("months", series([1i32, 0, -4])),
                    ("days", series([2i32, 0, -5])),
                    ("nanoseconds", series([3i64, 0, i64::MIN])),
                ],
            )),
        ),
        pair(
            "decimal32",
            Decimal32Array::from(vec![Some(123), None, Some(-1)])
                .with_precision_and_scale(5, 2)
                .expect("decimals"),
            decimals(&[Some(123), None, Some(-1)], 5, 2),
        ),
        pair(
            "decimal64",
            Decimal64Array::from(vec![Some(123), None, Some(-1)])
                .with_precision_and_scale(15, 2)
                .expect("decimals"),
            decimals(&[Some(123), None, Some(-1)], 15, 2),
        ),
        pair(
            "decimal128",
            Decimal128Array::from(vec![Some(123), None, Some(-1)])
                .with_precision_and_scale(38, 10)
                .expect("decimals"),
            decimals(&[Some(123), None, Some(-1)], 38, 10),
        ),
        pair(
            "decimal256",
            Decimal256Array::from(vec![Some(i256::from_i128(123)), None, Some(i256::from_i128(-1))])
                .with_precision_and_scale(50, 3)
                .expect("decimals"),
            decimals(&[Some(123), None, Some(-1)], 38, 3),
        ),
        pair(
            "negative_scale",
            Decimal128Array::from(vec![Some(12), None, Some(-1)])
                .with_precision_and_scale(5, -3)
                .expect("decimals"),
            decimals(&[Some(12_000), None, Some(-1_000)], 8, 0),
        ),
        pair("sparse_union", union(UnionMode::Sparse), union_frame()),
        pair("dense_union", union(UnionMode::Dense), union_frame()),
    ]
}

/// `5`, `"text"`, a null string.
fn union(mode: UnionMode) -> UnionArray {
    let fields = UnionFields::try_new(
        [3, 7],
        [ArrowField::new("number", ArrowType::Int32, true), ArrowField::new("text", ArrowType::Utf8, true)],
    )
    .expect("union fields");
    let type_ids = ScalarBuffer::from(vec![3i8, 7, 7]);
    let (numbers, texts, offsets) = match mode {
        UnionMode::Sparse => (vec![Some(5), Some(0), None], vec![Some("?"), Some("text"), None], None),
        UnionMode::Dense => {
            (vec![Some(5)], vec![Some("text"), None], Some(ScalarBuffer::from(vec![0, 0, 1])))
        },
    };
    let children: Vec<ArrayRef> =
        vec![Arc::new(Int32Array::from(numbers)), Arc::new(StringArray::from(texts))];
    UnionArray::try_new(fields, type_ids, offsets, children).expect("a union")
}

fn union_frame() -> Series {
    structure(
        3,
        &[
            ("type_id", series([3i8, 7, 7])),
            ("number", series([Some(5i32), None, None])),
            ("text", series([None, Some("text"), None::<&str>])),
        ],
    )
}

fn floe_reads_pairs(pairs: Vec<Pair>) {
    let mut cases = Cases::new();
    for Pair { name, arrow, polars } in pairs {
        let schema = ArrowSchema::new(vec![ArrowField::new(name, arrow.data_type().clone(), true)]);
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![arrow]).expect("a batch");
        // Twice the same, and a slice: offsets, runs and bits that do not start at 0.
        let batches = [batch.clone(), batch.slice(1, 2)];
        let mut expected = DataFrame::new(3, vec![polars.into_column()]).expect("a frame");
        expected.vstack_mut(&expected.slice(1, 2)).expect("one schema");
        for file in [false, true] {
            for (index, options) in arrow_options().into_iter().enumerate() {
                cases.run(format!("{name}, file {file}, options {index}"), || {
                    let write = || arrow_writes(file, options, &schema, &batches);
                    let bytes = match catch_unwind(AssertUnwindSafe(write)) {
                        Ok(bytes) => bytes,
                        Err(panic) => panic!("arrow-rs does not write it: {}", panic_text(panic.as_ref())),
                    };
                    for (way, read) in reads(file) {
                        let found = read(&bytes).unwrap_or_else(|error| panic!("{way}: {error}"));
                        assert_eq!(frames_differ(&expected, &found.expect("batches")), Ok(()), "{way}");
                    }
                });
            }
        }
    }
    cases.finish();
}

#[test]
fn floe_reads_common_types_of_arrow() {
    floe_reads_pairs(common());
}

#[test]
fn floe_reads_types_that_polars_lacks() {
    floe_reads_pairs(foreign());
}

#[test]
fn floe_reads_legacy_framing_and_old_metadata() {
    let array: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
    let schema = ArrowSchema::new(vec![ArrowField::new("a", ArrowType::Int32, true)]);
    let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![array]).expect("a batch");
    let df = DataFrame::new(3, vec![Column::new("a".into(), [Some(1i32), None, Some(3)])]).expect("a frame");
    for legacy in [false, true] {
        for file in [false, true] {
            let options =
                IpcWriteOptions::try_new(64, legacy, arrow_ipc::MetadataVersion::V4).expect("options");
            let bytes = arrow_writes(file, options, &schema, std::slice::from_ref(&batch));
            for (way, read) in reads(file) {
                let found = read(&bytes).unwrap_or_else(|error| panic!("{way}, legacy {legacy}: {error}"));
                assert_eq!(frames_differ(&df, &found.expect("batches")), Ok(()), "{way}, legacy {legacy}");
            }
        }
    }
}

#[test]
fn floe_reads_dictionaries_that_change() {
    let batch = |values: &[&str]| {
        let mut builder = StringDictionaryBuilder::<Int32Type>::new();
        // Deltas are only sent if the new dictionary starts with the old.
        for value in ["a", "b", "c", "d"].iter().take(values.len() + 1) {
            builder.append_value(value);
        }
        let array = builder.finish();
        let keys: Int32Array = values
            .iter()
            .map(|value| ["a", "b", "c", "d"].iter().position(|known| known == value))
            .map(|key| key.map(|key| i32::try_from(key).expect("small")))
            .collect();
        let array: ArrayRef = Arc::new(DictionaryArray::new(keys, Arc::clone(array.values())));
        let schema = ArrowSchema::new(vec![ArrowField::new("c", array.data_type().clone(), true)]);
        RecordBatch::try_new(Arc::new(schema), vec![array]).expect("a batch")
    };
    let batches = [batch(&["a"]), batch(&["c", "b"]), batch(&["d", "a", "d"])];
    let expected = ["a", "c", "b", "d", "a", "d"].map(Some);
    let expected =
        DataFrame::new(6, vec![global(&expected).with_name("c".into()).into_column()]).expect("a frame");
    let schema = batches[0].schema();
    for handling in [DictionaryHandling::Resend, DictionaryHandling::Delta] {
        for file in [false, true] {
            // A file of arrow-rs has to have one dictionary, or deltas.
            if file && handling == DictionaryHandling::Resend {
                continue;
            }
            let options = IpcWriteOptions::default().with_dictionary_handling(handling);
            let bytes = arrow_writes(file, options, &schema, &batches);
            for (way, read) in reads(file) {
                let found = read(&bytes).unwrap_or_else(|error| panic!("{way}, {handling:?}: {error}"));
                assert_eq!(frames_differ(&expected, &found.expect("batches")), Ok(()), "{way}, {handling:?}");
            }
        }
    }
}

/// What Polars cannot hold is an error that names the column, and projecting it away reads the rest.
#[test]
fn what_polars_cannot_hold_is_refused_by_name() {
    let large: ArrayRef = Arc::new(
        Decimal256Array::from(vec![i256::MAX, i256::from_i128(1)])
            .with_precision_and_scale(76, 0)
            .expect("decimals"),
    );
    let small: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let schema = ArrowSchema::new(vec![
        ArrowField::new("too large", large.data_type().clone(), true),
        ArrowField::new("a", ArrowType::Int32, true),
    ]);
    let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![large, small]).expect("a batch");
    let expected = DataFrame::new(2, vec![Column::new("a".into(), [1i32, 2])]).expect("a frame");
    for file in [false, true] {
        let bytes = arrow_writes(file, IpcWriteOptions::default(), &schema, std::slice::from_ref(&batch));
        for (way, read) in reads(file) {
            let error = read(&bytes).expect_err("too large").to_string();
            assert!(error.contains("too large"), "{way}: {error}");
        }
        let columns = Some(vec!["a".to_owned()]);
        let found = if file {
            IpcReader::new(Cursor::new(&bytes)).with_columns(columns).finish()
        } else {
            IpcStreamReader::new(bytes.as_slice()).with_columns(columns).finish()
        };
        assert_frames_equal(&expected, &found.expect("the rest"));
    }
}

#[test]
fn columns_of_one_name_are_told_apart() {
    let array = |value: i32| -> ArrayRef { Arc::new(Int32Array::from(vec![value])) };
    let field = || ArrowField::new("a", ArrowType::Int32, true);
    let schema = ArrowSchema::new(vec![field(), field(), field()]);
    let batch =
        RecordBatch::try_new(Arc::new(schema.clone()), vec![array(1), array(2), array(3)]).expect("a batch");
    for file in [false, true] {
        let bytes = arrow_writes(file, IpcWriteOptions::default(), &schema, std::slice::from_ref(&batch));
        for (way, read) in reads(file) {
            let found = read(&bytes).unwrap_or_else(|error| panic!("{way}: {error}")).expect("batches");
            assert_eq!(found.get_column_names(), ["a", "a_duplicated_0", "a_duplicated_1"], "{way}");
        }
    }
}

#[test]
fn lists_with_offsets_that_start_late() {
    let values: ArrayRef = Arc::new(Int32Array::from(vec![0, 1, 2, 3, 4, 5]));
    let field = Arc::new(ArrowField::new("item", ArrowType::Int32, true));
    let list = ListArray::new(field, OffsetBuffer::new(vec![2, 3, 3, 5].into()), values, None);
    let expected = lists(
        &DataType::Int32,
        vec![
            Some(series([2i32])),
            Some(Series::new_empty("".into(), &DataType::Int32)),
            Some(series([3i32, 4])),
        ],
    );
    floe_reads_pairs(vec![pair("late", list, expected)]);
}

#[test]
fn runs_of_every_index_width() {
    fn runs<T: arrow_array::types::RunEndIndexType>() -> RunArray<T>
    where
        T::Native: TryFrom<i16>,
        <T::Native as TryFrom<i16>>::Error: std::fmt::Debug,
    {
        let ends: arrow_array::PrimitiveArray<T> =
            [2i16, 3].into_iter().map(|end| Some(T::Native::try_from(end).expect("small"))).collect();
        RunArray::try_new(&ends, &StringArray::from(vec![Some("x"), None])).expect("runs")
    }
    let expected = || series([Some("x"), Some("x"), None]);
    floe_reads_pairs(vec![
        pair("i16", runs::<Int16Type>(), expected()),
        pair("i32", runs::<Int32Type>(), expected()),
        pair("i64", runs::<Int64Type>(), expected()),
    ]);
}

/// Bytes that no codec shrinks are stored as they are, in a way that Polars also reads a few rows of.
#[test]
fn polars_reads_a_few_rows_of_what_does_not_shrink() {
    use rand::{Rng, SeedableRng};
    let mut rng = rand::rngs::StdRng::seed_from_u64(7);
    let rows = 40_000;
    let noise: Vec<u64> = (0..rows).map(|_| rng.random()).collect();
    let wide: Vec<i128> = (0..rows).map(|_| rng.random()).collect();
    let columns = vec![
        Column::new("noise".into(), noise),
        Column::new("wide".into(), wide),
        Column::new("zeros".into(), vec![0i64; rows]),
    ];
    let df = DataFrame::new(rows, columns).expect("columns of one length");
    for compression in codecs().into_iter().flatten() {
        let (mut file, mut stream) = (Vec::new(), Vec::new());
        IpcWriter::new(&mut file)
            .with_compression(Some(compression))
            .finish(&mut df.clone())
            .expect("a file");
        IpcStreamWriter::new(&mut stream)
            .with_compression(Some(compression))
            .finish(&mut df.clone())
            .expect("a stream");
        // Two thirds of the frame are noise.
        assert!(file.len() > rows * 24 && file.len() < rows * 25, "{compression:?}: {} bytes", file.len());
        assert_frames_equal(&polars_reads(true, &file).expect("Polars reads the file"), &df);
        assert_frames_equal(&polars_reads(false, &stream).expect("Polars reads the stream"), &df);
        let few = PolarsReader::new(Cursor::new(&file)).with_n_rows(Some(5)).finish();
        assert_frames_equal(&few.expect("Polars reads 5 rows"), &df.head(Some(5)));
        let few = PolarsStreamReader::new(Cursor::new(&stream)).with_n_rows(Some(5)).finish();
        assert_frames_equal(&few.expect("Polars reads 5 rows"), &df.head(Some(5)));
        assert_frames_equal(&IpcReader::from_bytes(file).finish().expect("floe reads the file"), &df);
        assert_frames_equal(
            &IpcStreamReader::from_bytes(stream).finish().expect("floe reads the stream"),
            &df,
        );
    }
}
