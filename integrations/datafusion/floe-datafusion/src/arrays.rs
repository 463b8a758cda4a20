//! Polars' columns as arrow-rs's arrays.
//!
//! Polars holds physical arrays: a date is an array of i32, a categorical one of keys. The dtype says which array it is. Buffers are shared, but for categories, which become views of strings.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, BinaryViewArray, BooleanArray, Decimal128Array, FixedSizeListArray, LargeBinaryArray,
    LargeListArray, NullArray, PrimitiveArray, StringViewArray, StructArray,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, DurationMicrosecondType,
    DurationMillisecondType, DurationNanosecondType, Fields, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use datafusion::common::Result;
use polars_arrow::array::{self as polars, Array as _};
use polars_arrow::types::NativeType;
use polars_core::prelude::{Column, DataType as Dtype, TimeUnit};
use polars_utils::float16::pf16;

use crate::buffers::{bits, bytes, nulls, offsets, values, views};
use crate::categories::strings;
use crate::error::{failed, in_column};
use crate::types::{DIGITS, data_type, item, list_width};

/// A column as an array.
pub(crate) fn column(column: &Column) -> Result<ArrayRef> {
    let series = column.as_materialized_series().rechunk();
    let [chunk] = series.chunks().as_slice() else {
        return Err(failed(format!("column `{}` has {} chunks", column.name(), series.chunks().len())));
    };
    array(series.dtype(), chunk.as_ref()).map_err(|error| in_column(column.name(), error))
}

fn array(dtype: &Dtype, chunk: &dyn polars::Array) -> Result<ArrayRef> {
    Ok(match dtype {
        Dtype::Boolean => {
            let array: &polars::BooleanArray = cast(chunk)?;
            Arc::new(BooleanArray::new(bits(array.values()), nulls(array.validity())))
        },
        Dtype::UInt8 => numbers::<u8, UInt8Type>(dtype, chunk)?,
        Dtype::UInt16 => numbers::<u16, UInt16Type>(dtype, chunk)?,
        Dtype::UInt32 => numbers::<u32, UInt32Type>(dtype, chunk)?,
        Dtype::UInt64 => numbers::<u64, UInt64Type>(dtype, chunk)?,
        Dtype::Int8 => numbers::<i8, Int8Type>(dtype, chunk)?,
        Dtype::Int16 => numbers::<i16, Int16Type>(dtype, chunk)?,
        Dtype::Int32 => numbers::<i32, Int32Type>(dtype, chunk)?,
        Dtype::Int64 => numbers::<i64, Int64Type>(dtype, chunk)?,
        Dtype::Float16 => numbers::<pf16, Float16Type>(dtype, chunk)?,
        Dtype::Float32 => numbers::<f32, Float32Type>(dtype, chunk)?,
        Dtype::Float64 => numbers::<f64, Float64Type>(dtype, chunk)?,
        Dtype::Decimal(..) => numbers::<i128, Decimal128Type>(dtype, chunk)?,
        Dtype::Int128 => int128(chunk)?,
        Dtype::UInt128 => uint128(chunk)?,
        Dtype::Date => numbers::<i32, Date32Type>(dtype, chunk)?,
        Dtype::Time => numbers::<i64, Time64NanosecondType>(dtype, chunk)?,
        Dtype::Datetime(TimeUnit::Nanoseconds, _) => numbers::<i64, TimestampNanosecondType>(dtype, chunk)?,
        Dtype::Datetime(TimeUnit::Microseconds, _) => numbers::<i64, TimestampMicrosecondType>(dtype, chunk)?,
        Dtype::Datetime(TimeUnit::Milliseconds, _) => numbers::<i64, TimestampMillisecondType>(dtype, chunk)?,
        Dtype::Duration(TimeUnit::Nanoseconds) => numbers::<i64, DurationNanosecondType>(dtype, chunk)?,
        Dtype::Duration(TimeUnit::Microseconds) => numbers::<i64, DurationMicrosecondType>(dtype, chunk)?,
        Dtype::Duration(TimeUnit::Milliseconds) => numbers::<i64, DurationMillisecondType>(dtype, chunk)?,
        Dtype::Categorical(_, mapping) | Dtype::Enum(_, mapping) => Arc::new(strings(mapping, chunk)?),
        Dtype::Null => Arc::new(NullArray::new(chunk.len())),
        Dtype::String | Dtype::Binary | Dtype::BinaryOffset => text(dtype, chunk)?,
        Dtype::List(_) | Dtype::Array(..) | Dtype::Struct(_) => nested(dtype, chunk)?,
        // Has no type in the schema either, which says so.
        other => return Err(failed(format!("a column of Polars' {other}"))),
    })
}

/// The array as the one that the dtype says it is.
pub(crate) fn cast<A: 'static>(chunk: &dyn polars::Array) -> Result<&A> {
    chunk.as_any().downcast_ref().ok_or_else(|| {
        failed(format!(
            "Polars holds an array of {:?} where {} was expected",
            chunk.dtype(),
            std::any::type_name::<A>()
        ))
    })
}

/// Numbers, which both libraries lay out alike.
fn numbers<T: NativeType, P: ArrowPrimitiveType>(
    dtype: &Dtype,
    chunk: &dyn polars::Array,
) -> Result<ArrayRef> {
    let array: &polars::PrimitiveArray<T> = cast(chunk)?;
    let numbers = PrimitiveArray::<P>::try_new(values(array.values()), nulls(array.validity()))?;
    Ok(Arc::new(numbers.with_data_type(data_type(dtype)?)))
}

/// Integers of 128 bits, as decimals if they have no more digits than those.
fn int128(chunk: &dyn polars::Array) -> Result<ArrayRef> {
    let array: &polars::PrimitiveArray<i128> = cast(chunk)?;
    decimals(Decimal128Array::try_new(values(array.values()), nulls(array.validity()))?)
}

fn uint128(chunk: &dyn polars::Array) -> Result<ArrayRef> {
    let array: &polars::PrimitiveArray<u128> = cast(chunk)?;
    let nulls = nulls(array.validity());
    // A larger number has too many digits as well.
    let number = |value: &u128| i128::try_from(*value).unwrap_or(i128::MAX);
    let numbers: Vec<i128> = array.values().iter().map(number).collect();
    decimals(Decimal128Array::try_new(numbers.into(), nulls)?)
}

fn decimals(array: Decimal128Array) -> Result<ArrayRef> {
    let array = array.with_precision_and_scale(DIGITS, 0)?;
    array.validate_decimal_precision(DIGITS)?;
    Ok(Arc::new(array))
}

fn text(dtype: &Dtype, chunk: &dyn polars::Array) -> Result<ArrayRef> {
    Ok(match dtype {
        Dtype::String => {
            let array: &polars::Utf8ViewArray = cast(chunk)?;
            let data: Vec<_> = array.data_buffers().iter().map(bytes).collect();
            Arc::new(StringViewArray::try_new(views(array.views()), data, nulls(array.validity()))?)
        },
        Dtype::Binary => {
            let array: &polars::BinaryViewArray = cast(chunk)?;
            let data: Vec<_> = array.data_buffers().iter().map(bytes).collect();
            Arc::new(BinaryViewArray::try_new(views(array.views()), data, nulls(array.validity()))?)
        },
        _ => {
            let array: &polars::BinaryArray<i64> = cast(chunk)?;
            // Polars' offsets never fall.
            let offsets = OffsetBuffer::new(offsets(array.offsets().buffer()));
            Arc::new(LargeBinaryArray::try_new(offsets, bytes(array.values()), nulls(array.validity()))?)
        },
    })
}

fn nested(dtype: &Dtype, chunk: &dyn polars::Array) -> Result<ArrayRef> {
    Ok(match dtype {
        Dtype::List(inner) => {
            let list: &polars::ListArray<i64> = cast(chunk)?;
            // Polars' offsets never fall.
            let offsets = OffsetBuffer::new(offsets(list.offsets().buffer()));
            let inside = array(inner, list.values().as_ref())?;
            Arc::new(LargeListArray::try_new(item(inner)?, offsets, inside, nulls(list.validity()))?)
        },
        Dtype::Array(inner, width) => {
            let list: &polars::FixedSizeListArray = cast(chunk)?;
            let (inside, nulls) = (array(inner, list.values().as_ref())?, nulls(list.validity()));
            let (field, width, rows) = (item(inner)?, list_width(*width)?, list.len());
            Arc::new(FixedSizeListArray::try_new_with_length(field, width, inside, nulls, rows)?)
        },
        _ => {
            let array_of: &polars::StructArray = cast(chunk)?;
            let DataType::Struct(fields) = data_type(dtype)? else {
                return Err(failed("a struct was expected"));
            };
            structs(dtype, fields, array_of)?
        },
    })
}

fn structs(dtype: &Dtype, fields: Fields, chunk: &polars::StructArray) -> Result<ArrayRef> {
    let Dtype::Struct(dtypes) = dtype else { return Err(failed("a struct was expected")) };
    let inside = dtypes.iter().zip(chunk.values());
    let inside = inside.map(|(field, values)| array(&field.dtype, values.as_ref()));
    let (inside, nulls) = (inside.collect::<Result<Vec<ArrayRef>>>()?, nulls(chunk.validity()));
    let rows = chunk.len();
    Ok(Arc::new(StructArray::try_new_with_length(fields, inside, nulls, rows)?))
}
