//! `with_interop`: types that every engine can query.

use floe::lazy::*;
use floe::prelude::*;
use floe_tests::equal::assert_frames_equal;
use polars_core::datatypes::extension::get_extension_type_or_generic;
use polars_core::prelude::*;
use polars_lazy::prelude::*;

fn categorical() -> DataType {
    DataType::from_categories(Categories::global())
}

fn frozen() -> DataType {
    DataType::from_frozen_categories(FrozenCategories::new(["a", "b", "c"]).unwrap())
}

/// Every place where a categorical can be, and the dtypes that they are written as.
fn frame() -> (DataFrame, DataFrame) {
    let text =
        |name: &str| Column::new(name.into(), [Some("a"), None, Some("b"), Some("a"), Some("c"), Some("a")]);
    let lists = |name: &str| {
        let values = Series::new("".into(), ["a", "b", "c", "a", "b", "c", "b", "b"]);
        let rows: [Option<(i64, usize)>; 6] =
            [Some((0, 2)), Some((2, 0)), None, Some((2, 4)), Some((6, 1)), Some((7, 1))];
        let rows = rows.map(|rows| rows.map(|(start, len)| values.slice(start, len)));
        ListChunked::from_iter(rows).with_name(name.into()).into_series().into_column()
    };
    let pair = DataType::Array(Box::new(DataType::String), 2);
    let arrays = |name: &str| {
        let rows = (0..6).map(|row| Some(Series::new("".into(), [["a", "b"], ["c", "a"]][row % 2])));
        let lists: ListChunked = rows.collect();
        lists.with_name(name.into()).into_series().cast(&pair).unwrap().into_column()
    };
    let structs = |name: &str| {
        let fields = [text("x").take_materialized_series(), lists("y").take_materialized_series()];
        StructChunked::from_series(name.into(), 6, fields.iter()).unwrap().into_series().into_column()
    };
    let columns = vec![
        Column::new("n".into(), 0i64..6),
        text("categorical"),
        text("enum"),
        lists("lists"),
        arrays("arrays"),
        structs("structs"),
        Column::new_scalar("scalar".into(), Scalar::from(PlSmallStr::from("b")), 6),
    ];
    let plain = DataFrame::new(6, columns).unwrap();
    let list = |inner: DataType| DataType::List(Box::new(inner));
    let dtypes = [
        ("categorical", categorical()),
        ("enum", frozen()),
        ("lists", list(categorical())),
        ("arrays", DataType::Array(Box::new(frozen()), 2)),
        (
            "structs",
            DataType::Struct(vec![
                Field::new("x".into(), categorical()),
                Field::new("y".into(), list(frozen())),
            ]),
        ),
        ("scalar", categorical()),
    ];
    let mut df = plain.clone();
    for (name, dtype) in dtypes {
        let cast = df.column(name).unwrap().cast(&dtype).unwrap();
        df.with_column(cast).unwrap();
    }
    (df, plain)
}

fn has(dtype: &arrow_schema::DataType, is_such: fn(&arrow_schema::DataType) -> bool) -> bool {
    use arrow_schema::DataType as D;
    is_such(dtype)
        || match dtype {
            D::List(field) | D::LargeList(field) | D::FixedSizeList(field, _) => {
                has(field.data_type(), is_such)
            },
            D::Struct(fields) => fields.iter().any(|field| has(field.data_type(), is_such)),
            _ => false,
        }
}

/// Equal values, and nothing that an engine stumbles over.
#[track_caller]
fn check(file: Vec<u8>, expected: &DataFrame) {
    let reader = arrow_ipc::reader::FileReader::try_new(std::io::Cursor::new(file.clone()), None).unwrap();
    for field in reader.schema().fields() {
        use arrow_schema::DataType as D;
        let odd = |dtype: &D| matches!(dtype, D::Dictionary(..) | D::Utf8View | D::BinaryView);
        assert!(!has(field.data_type(), odd), "{field}");
    }
    reader.for_each(|batch| drop(batch.unwrap()));
    assert_frames_equal(&IpcReader::from_bytes(file).finish().unwrap(), expected);
}

#[test]
fn categoricals_become_strings_wherever_they_are() {
    let (df, plain) = frame();
    let mut file = Vec::new();
    IpcWriter::new(&mut file).with_interop(true).finish(&mut df.clone()).unwrap();
    check(file, &plain);
    // Batch by batch, also from chunks, and compressed.
    let chunked = df.head(Some(2)).vstack(&df.slice(2, 4)).unwrap();
    let twice = plain.vstack(&plain).unwrap();
    for compression in [None, Some(IpcCompression::LZ4)] {
        let writer = IpcWriter::new(Vec::new()).with_interop(true).with_compression(compression);
        let mut writer = writer.with_record_batch_size(4).with_statistics(true).batched(df.schema()).unwrap();
        writer.write_batch(&df).unwrap();
        writer.write_batch(&chunked).unwrap();
        // A frame of the types that are written is another frame.
        writer.write_batch(&plain).unwrap_err();
        writer.finish().unwrap();
        check(writer.into_inner(), &twice);
    }
    let mut stream = Vec::new();
    IpcStreamWriter::new(&mut stream).with_interop(true).finish(&mut df.clone()).unwrap();
    assert_frames_equal(&IpcStreamReader::from_bytes(stream).finish().unwrap(), &plain);
}

#[test]
fn a_frame_that_is_plain_is_written_as_it_is() {
    let (_, mut plain) = frame();
    let (mut with, mut without) = (Vec::new(), Vec::new());
    IpcWriter::new(&mut with).with_interop(true).finish(&mut plain).unwrap();
    IpcWriter::new(&mut without).with_compat_level(CompatLevel::oldest()).finish(&mut plain).unwrap();
    assert_eq!(with, without);
}

#[test]
fn what_no_engine_reads_is_refused_before_the_first_byte() {
    let wide = Column::new("wide".into(), [1i64]).cast(&DataType::Int128).unwrap();
    let inner = Column::new("inner".into(), [1u64]).cast(&DataType::UInt128).unwrap();
    let fields = [inner.take_materialized_series()];
    let structs = StructChunked::from_series("structs".into(), 1, fields.iter()).unwrap().into_series();
    let mut df = DataFrame::new(1, vec![wide, Column::new("n".into(), [1]), structs.into_column()]).unwrap();
    let mut out = Vec::new();
    let error = IpcWriter::new(&mut out).with_interop(true).finish(&mut df).unwrap_err().to_string();
    assert!(
        error.contains("\"wide\" (i128)") && error.contains("\"structs\"") && !error.contains("\"n\""),
        "{error}"
    );
    let writer = IpcStreamWriter::new(&mut out).with_interop(true).with_compat_level(CompatLevel::newest());
    let error = writer.batched(&Schema::default()).map(drop).unwrap_err().to_string();
    assert!(error.contains("oldest"), "{error}");
    assert_eq!(out, b"");
}

#[test]
fn what_polars_cannot_cast_is_refused_before_the_first_byte() {
    let kind = |storage: DataType| {
        let kind = get_extension_type_or_generic("floe.kind", &storage, None);
        DataType::Extension(kind, Box::new(storage))
    };
    let fields = [
        Field::new("kind".into(), kind(categorical())),
        Field::new("kinds".into(), DataType::List(Box::new(kind(frozen())))),
        Field::new("text".into(), kind(DataType::String)),
        Field::new("plain".into(), categorical()),
    ];
    let mut out = Vec::new();
    let writer = IpcWriter::new(&mut out).with_interop(true);
    let error = writer.batched(&Schema::from_iter(fields)).map(drop).unwrap_err().to_string();
    assert!(error.contains("\"kind\"") && error.contains("\"kinds\""), "{error}");
    assert!(!error.contains("\"text\"") && !error.contains("\"plain\""), "{error}");
    assert_eq!(out, b"");
}

#[test]
fn rows_are_appended_to_what_engines_query() {
    let (df, plain) = frame();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.arrow");
    IpcWriter::new(std::fs::File::create(&path).unwrap()).with_interop(true).finish(&mut df.clone()).unwrap();
    IpcWriter::append(&path).unwrap().with_interop(true).finish(&mut df.clone()).unwrap();
    check(std::fs::read(&path).unwrap(), &plain.vstack(&plain).unwrap());
    // A file of views stays one.
    IpcWriter::new(std::fs::File::create(&path).unwrap()).finish(&mut plain.clone()).unwrap();
    let before = std::fs::read(&path).unwrap();
    let writer = IpcWriter::append(&path).unwrap().with_interop(true);
    let error = writer.batched(plain.schema()).map(drop).unwrap_err().to_string();
    assert!(error.contains("views"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn sinks_write_it_too() {
    let (df, plain) = frame();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.arrow");
    let options = || IpcSinkOptions::default().with_interop(true);
    df.clone().lazy().sink_ipc_file(&*path, options()).unwrap();
    check(std::fs::read(&path).unwrap(), &plain);
    let keys = PartitionBy::Keys(vec!["categorical"]);
    let filtered = df.clone().lazy().filter(col("categorical").is_not_null());
    filtered.sink_ipc_partitioned(folder.path().join("hive"), keys, options()).unwrap();
    let part = folder.path().join("hive/categorical=a");
    let file = std::fs::read_dir(part).unwrap().next().unwrap().unwrap();
    let expected =
        plain.lazy().filter(col("categorical").eq(lit("a"))).drop(by_name(["categorical"], true, false));
    check(std::fs::read(file.path()).unwrap(), &expected.collect().unwrap());
    let wide = df.lazy().select([col("n").cast(DataType::Int128)]);
    let error = wide.sink_ipc_file(&*folder.path().join("b.arrow"), options()).unwrap_err().to_string();
    assert!(error.contains("\"n\" (i128)"), "{error}");
    assert!(!folder.path().join("b.arrow").exists());
}

#[test]
fn messages_are_made_of_it_too() {
    let (df, plain) = frame();
    let options = IpcStreamWriter::new(std::io::sink()).with_interop(true);
    let mut encoder = options.message_encoder(df.schema()).unwrap();
    let mut messages = encoder.encode(&df).unwrap();
    messages.extend(encoder.finish().unwrap());
    let pieces = messages.iter().flat_map(|message| message.pieces());
    let bytes: Vec<u8> = pieces.flat_map(|piece| piece.as_slice().iter().copied()).collect();
    assert_frames_equal(&IpcStreamReader::from_bytes(bytes).finish().unwrap(), &plain);
}
