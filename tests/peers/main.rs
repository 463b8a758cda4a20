//! Both directions between floe and the two other implementations in Rust: Polars' own and arrow-rs.

mod from_arrow;
mod from_arrow_types;
mod to_arrow;
mod unrepresentable;
mod with_polars;

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

/// Frames that Polars 0.55.2 does not read back from its own output either.
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

fn global(values: &[Option<&str>]) -> Series {
    series(values).cast(&DataType::from_categories(Categories::global())).expect("categories")
}

fn decimals(values: &[Option<i128>], precision: usize, scale: usize) -> Series {
    Int128Chunked::new("".into(), values).into_decimal_unchecked(precision, scale).into_series()
}
