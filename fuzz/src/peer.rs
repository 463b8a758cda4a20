//! The same bytes, read by floe and by arrow-rs.
//!
//! arrow-rs panics on some inputs. The fuzzer would take that for a crash of floe's, so its panics are caught
//! ([`quietly`]). It also allocates what a compressed buffer claims to hold, which floe checks first
//! ([`is_affordable`]).
//!
//! Some types are not compared. A union of arrow-rs has no nulls of its own, and its sparse children have values where
//! another child is selected. Times that are not within a day are null in floe. Nor is big-endian data, which arrow-rs
//! reads as if it were little-endian.

use std::cell::Cell;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use arrow_array::cast::AsArray as _;
use arrow_array::types::*;
use arrow_array::{Array, ArrowPrimitiveType, GenericListViewArray, OffsetSizeTrait, RecordBatch};
use arrow_schema::{DataType as ArrowType, IntervalUnit, TimeUnit as ArrowUnit};
use floe::prelude::*;
use floe_format::{Endianness, Header, Next, decode_footer, footer_len, next_message};
use polars_core::prelude::{Column, DataFrame};

use crate::read::LIMITS;
use crate::value::{Value, of_column};

/// The most that a compressed buffer may claim where arrow-rs is to believe it.
const MOST_CLAIMED: i64 = 4 << 20;

const DAY: i128 = 86_400_000_000_000;

/// Compares what both read, if both do. Returns how many columns that are.
///
/// # Panics
/// When it is not the same.
pub fn compare(bytes: &[u8]) -> usize {
    let is_file = bytes.starts_with(b"ARROW1");
    let df = if is_file {
        IpcReader::from_bytes(bytes.to_vec()).with_limits(LIMITS).with_parallel(false).finish()
    } else {
        IpcStreamReader::from_bytes(bytes.to_vec()).with_limits(LIMITS).with_parallel(false).finish()
    };
    if let Ok(df) = df
        && !is_big_endian(bytes, is_file)
        && is_affordable(bytes)
        && let Some(batches) = quietly(|| read(bytes, is_file)).flatten()
    {
        return compare_batches(&df, &batches);
    }
    0
}

/// Whether the values are big-endian, which arrow-rs does not look at.
fn is_big_endian(bytes: &[u8], is_file: bool) -> bool {
    let schema = if is_file {
        let Some((rest, suffix)) = bytes.split_last_chunk::<10>() else { return false };
        let footer =
            footer_len(suffix, &LIMITS).ok().and_then(|len| rest.get(rest.len().checked_sub(len)?..));
        footer.and_then(|footer| decode_footer(footer, &LIMITS).ok()).map(|footer| footer.schema)
    } else {
        match next_message(bytes, 0, &LIMITS) {
            Ok(Next::Message { message, .. }) => match message.header {
                Header::Schema(schema) => Some(schema),
                _ => None,
            },
            _ => None,
        }
    };
    schema.is_some_and(|schema| schema.endianness == Endianness::Big)
}

fn compare_batches(df: &DataFrame, batches: &[RecordBatch]) -> usize {
    let mut compared = 0;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(df.height(), rows, "floe reads {} rows, arrow-rs {rows}", df.height());
    for (index, column) in df.columns().iter().enumerate() {
        let found = quietly(|| {
            let batches = batches.iter().map(|batch| of_array(batch.column(index).as_ref()));
            Some(batches.collect::<Option<Vec<_>>>()?.concat())
        });
        if let Some(Some(found)) = found {
            compare_column(column, &found);
            compared += 1;
        }
    }
    compared
}

fn compare_column(column: &Column, found: &[Value]) {
    let values = of_column(column);
    assert_eq!(values.len(), found.len(), "column {:?}: rows", column.name());
    for (row, (ours, theirs)) in values.iter().zip(found).enumerate() {
        assert_eq!(
            ours,
            theirs,
            "column {:?} ({:?}), row {row}: floe reads the first, arrow-rs the second",
            column.name(),
            column.dtype()
        );
    }
}

fn read(bytes: &[u8], is_file: bool) -> Option<Vec<RecordBatch>> {
    if is_file {
        let reader = arrow_ipc::reader::FileReader::try_new(Cursor::new(bytes), None).ok()?;
        reader.collect::<Result<_, _>>().ok()
    } else {
        let reader = arrow_ipc::reader::StreamReader::try_new(bytes, None).ok()?;
        reader.collect::<Result<_, _>>().ok()
    }
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs what may panic; `None` if it did. The fuzzer's own hook, which aborts, does not hear of it.
fn quietly<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                hook(info);
            }
        }));
    });
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(false);
    result.ok()
}

/// Whether no compressed buffer claims more than it should.
fn is_affordable(bytes: &[u8]) -> bool {
    let Ok(description) = floe::inspect::describe(bytes, &LIMITS) else { return false };
    description.messages.iter().all(|info| {
        let Ok(Next::Message { message, body, .. }) = next_message(bytes, info.offset, &LIMITS) else {
            return false;
        };
        let batch = match &message.header {
            Header::Schema(_) => return true,
            Header::Dictionary(dictionary) => &dictionary.batch,
            Header::Batch(batch) => batch,
        };
        let claim = |offset: u64| {
            let offset = usize::try_from(offset).ok()?;
            let prefix = bytes.get(body.clone())?.get(offset..)?.first_chunk()?;
            Some(i64::from_le_bytes(*prefix))
        };
        batch.compression.is_none()
            || batch.buffers.iter().all(|b| claim(b.offset).is_none_or(|claim| claim <= MOST_CLAIMED))
    })
}

/// The values of an array, as floe's table of types says they become; `None` where they are not compared.
fn of_array(array: &dyn Array) -> Option<Vec<Value>> {
    let ints = |factor: i128| move |value: i128| Some(Value::Int(value * factor));
    let time = |factor: i128| {
        move |value: i128| (0..DAY).contains(&(value * factor)).then_some(Value::Int(value * factor))
    };
    match array.data_type() {
        ArrowType::Null => Some(vec![Value::Null; array.len()]),
        ArrowType::Boolean => rows(array, |row| Some(Value::Int(array.as_boolean().value(row).into()))),
        ArrowType::Int8 => numbers::<Int8Type>(array, ints(1)),
        ArrowType::Int16 => numbers::<Int16Type>(array, ints(1)),
        ArrowType::Int32 => numbers::<Int32Type>(array, ints(1)),
        ArrowType::Int64 => numbers::<Int64Type>(array, ints(1)),
        ArrowType::UInt8 => numbers::<UInt8Type>(array, ints(1)),
        ArrowType::UInt16 => numbers::<UInt16Type>(array, ints(1)),
        ArrowType::UInt32 => numbers::<UInt32Type>(array, ints(1)),
        ArrowType::UInt64 => numbers::<UInt64Type>(array, ints(1)),
        ArrowType::Date32 => numbers::<Date32Type>(array, ints(1)),
        ArrowType::Date64 => numbers::<Date64Type>(array, ints(1)),
        ArrowType::Float16 => {
            let values = array.as_primitive::<Float16Type>();
            rows(array, |row| Some(Value::Float(values.value(row).to_bits().into())))
        },
        ArrowType::Float32 => {
            let values = array.as_primitive::<Float32Type>();
            rows(array, |row| Some(Value::Float(values.value(row).to_bits().into())))
        },
        ArrowType::Float64 => {
            let values = array.as_primitive::<Float64Type>();
            rows(array, |row| Some(Value::Float(values.value(row).to_bits())))
        },
        ArrowType::Time32(ArrowUnit::Second) => numbers::<Time32SecondType>(array, time(1_000_000_000)),
        ArrowType::Time32(_) => numbers::<Time32MillisecondType>(array, time(1_000_000)),
        ArrowType::Time64(ArrowUnit::Microsecond) => numbers::<Time64MicrosecondType>(array, time(1_000)),
        ArrowType::Time64(_) => numbers::<Time64NanosecondType>(array, time(1)),
        ArrowType::Timestamp(unit, _) => match unit {
            ArrowUnit::Second => numbers::<TimestampSecondType>(array, ints(1_000)),
            ArrowUnit::Millisecond => numbers::<TimestampMillisecondType>(array, ints(1)),
            ArrowUnit::Microsecond => numbers::<TimestampMicrosecondType>(array, ints(1)),
            ArrowUnit::Nanosecond => numbers::<TimestampNanosecondType>(array, ints(1)),
        },
        ArrowType::Duration(unit) => match unit {
            ArrowUnit::Second => numbers::<DurationSecondType>(array, ints(1_000)),
            ArrowUnit::Millisecond => numbers::<DurationMillisecondType>(array, ints(1)),
            ArrowUnit::Microsecond => numbers::<DurationMicrosecondType>(array, ints(1)),
            ArrowUnit::Nanosecond => numbers::<DurationNanosecondType>(array, ints(1)),
        },
        ArrowType::Interval(unit) => intervals(array, *unit),
        ArrowType::Decimal32(_, scale) => numbers::<Decimal32Type>(array, decimal(*scale)?),
        ArrowType::Decimal64(_, scale) => numbers::<Decimal64Type>(array, decimal(*scale)?),
        ArrowType::Decimal128(_, scale) => numbers::<Decimal128Type>(array, decimal(*scale)?),
        ArrowType::Decimal256(_, scale) => {
            let (values, scaled) = (array.as_primitive::<Decimal256Type>(), decimal(*scale)?);
            rows(array, |row| scaled(values.value(row).to_i128()?))
        },
        ArrowType::Utf8 => texts(array, |row| array.as_string::<i32>().value(row).as_bytes()),
        ArrowType::LargeUtf8 => texts(array, |row| array.as_string::<i64>().value(row).as_bytes()),
        ArrowType::Utf8View => texts(array, |row| array.as_string_view().value(row).as_bytes()),
        ArrowType::Binary => texts(array, |row| array.as_binary::<i32>().value(row)),
        ArrowType::LargeBinary => texts(array, |row| array.as_binary::<i64>().value(row)),
        ArrowType::BinaryView => texts(array, |row| array.as_binary_view().value(row)),
        ArrowType::FixedSizeBinary(_) => texts(array, |row| array.as_fixed_size_binary().value(row)),
        ArrowType::List(_) => rows(array, |row| list(array.as_list::<i32>().value(row).as_ref())),
        ArrowType::LargeList(_) => rows(array, |row| list(array.as_list::<i64>().value(row).as_ref())),
        ArrowType::ListView(_) => list_view::<i32>(array),
        ArrowType::LargeListView(_) => list_view::<i64>(array),
        ArrowType::FixedSizeList(..) => {
            rows(array, |row| list(array.as_fixed_size_list().value(row).as_ref()))
        },
        ArrowType::Map(..) => rows(array, |row| {
            let entries = array.as_map().value(row);
            list(&entries)
        }),
        ArrowType::Struct(_) => {
            let fields = array.as_struct().columns().iter().map(|field| of_array(field.as_ref()));
            let fields = fields.collect::<Option<Vec<_>>>()?;
            rows(array, |row| Some(Value::Struct(fields.iter().map(|field| field[row].clone()).collect())))
        },
        ArrowType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let values = of_array(dictionary.values().as_ref())?;
            let keys = dictionary.normalized_keys();
            // The key of a null may be anything.
            rows(array, |row| Some(values.get(keys[row]).cloned().unwrap_or(Value::Null)))
        },
        ArrowType::RunEndEncoded(ends, _) => match ends.data_type() {
            ArrowType::Int16 => runs::<Int16Type>(array),
            ArrowType::Int32 => runs::<Int32Type>(array),
            _ => runs::<Int64Type>(array),
        },
        ArrowType::Union(..) => None,
    }
}

fn rows(array: &dyn Array, value: impl Fn(usize) -> Option<Value>) -> Option<Vec<Value>> {
    (0..array.len()).map(|row| if array.is_null(row) { Some(Value::Null) } else { value(row) }).collect()
}

fn numbers<T: ArrowPrimitiveType<Native: Into<i128>>>(
    array: &dyn Array,
    value: impl Fn(i128) -> Option<Value>,
) -> Option<Vec<Value>> {
    let values = array.as_primitive::<T>();
    rows(array, |row| value(values.value(row).into()))
}

fn texts<'a>(array: &dyn Array, text: impl Fn(usize) -> &'a [u8]) -> Option<Vec<Value>> {
    rows(array, |row| Some(Value::Bytes(text(row).to_vec())))
}

fn list(items: &dyn Array) -> Option<Value> {
    of_array(items).map(Value::List)
}

fn list_view<O: OffsetSizeTrait>(array: &dyn Array) -> Option<Vec<Value>> {
    let view: &GenericListViewArray<O> = array.as_any().downcast_ref()?;
    rows(array, |row| list(view.value(row).as_ref()))
}

fn runs<T: RunEndIndexType>(array: &dyn Array) -> Option<Vec<Value>> {
    let run = array.as_any().downcast_ref::<arrow_array::RunArray<T>>()?;
    let values = of_array(run.values().as_ref())?;
    (0..run.len()).map(|row| values.get(run.get_physical_index(row)).cloned()).collect()
}

/// floe multiplies a negative scale into the values.
fn decimal(scale: i8) -> Option<impl Fn(i128) -> Option<Value>> {
    let factor = 10i128.checked_pow(u32::from(scale.min(0).unsigned_abs()))?;
    Some(move |value: i128| value.checked_mul(factor).map(Value::Int))
}

fn intervals(array: &dyn Array, unit: IntervalUnit) -> Option<Vec<Value>> {
    let fields =
        |fields: &[i128]| Some(Value::Struct(fields.iter().map(|field| Value::Int(*field)).collect()));
    match unit {
        IntervalUnit::YearMonth => {
            let values = array.as_primitive::<IntervalYearMonthType>();
            rows(array, |row| fields(&[values.value(row).into()]))
        },
        IntervalUnit::DayTime => {
            let values = array.as_primitive::<IntervalDayTimeType>();
            rows(array, |row| {
                let value = values.value(row);
                fields(&[value.days.into(), value.milliseconds.into()])
            })
        },
        IntervalUnit::MonthDayNano => {
            let values = array.as_primitive::<IntervalMonthDayNanoType>();
            rows(array, |row| {
                let value = values.value(row);
                fields(&[value.months.into(), value.days.into(), value.nanoseconds.into()])
            })
        },
    }
}
