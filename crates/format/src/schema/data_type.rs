//! The flatbuffer union `Type` -> [`DataType`], with the parameters checked.

use arrow_format::ipc as fb;

use super::budget::Budget;
use crate::error::malformed;
use crate::{DataType, Error, FloatType, IntType, IntervalUnit, Result, TimeUnit, UnionMode};

/// Whether fields of this type have children.
pub(super) fn is_nested(kind: &fb::TypeRef<'_>) -> bool {
    use fb::TypeRef as T;
    matches!(
        kind,
        T::List(_)
            | T::LargeList(_)
            | T::ListView(_)
            | T::LargeListView(_)
            | T::FixedSizeList(_)
            | T::Struct(_)
            | T::Union(_)
            | T::Map(_)
            | T::RunEndEncoded(_)
    )
}

/// Reads a type. `children` is how many the field has: a union needs as many ids.
pub(super) fn decode_type(
    kind: &fb::TypeRef<'_>,
    children: usize,
    budget: &mut Budget<'_>,
) -> Result<DataType> {
    use fb::TypeRef as T;
    Ok(match kind {
        T::Null(_) => DataType::Null,
        T::Bool(_) => DataType::Bool,
        T::Int(int) => DataType::Int(decode_int(*int)?),
        T::FloatingPoint(float) => DataType::Float(match float.precision().map_err(malformed)? {
            fb::Precision::Half => FloatType::Half,
            fb::Precision::Single => FloatType::Single,
            fb::Precision::Double => FloatType::Double,
        }),
        T::Decimal(decimal) => decode_decimal(*decimal)?,
        T::Date(date) => match date.unit().map_err(malformed)? {
            fb::DateUnit::Day => DataType::Date32,
            fb::DateUnit::Millisecond => DataType::Date64,
        },
        T::Time(time) => decode_time(*time)?,
        T::Timestamp(timestamp) => DataType::Timestamp {
            unit: time_unit(timestamp.unit())?,
            timezone: budget.timezone(timestamp.timezone().map_err(malformed)?)?,
        },
        T::Duration(duration) => DataType::Duration(time_unit(duration.unit())?),
        T::Interval(interval) => DataType::Interval(match interval.unit().map_err(malformed)? {
            fb::IntervalUnit::YearMonth => IntervalUnit::YearMonth,
            fb::IntervalUnit::DayTime => IntervalUnit::DayTime,
            fb::IntervalUnit::MonthDayNano => IntervalUnit::MonthDayNano,
        }),
        T::Binary(_) => DataType::Binary,
        T::LargeBinary(_) => DataType::LargeBinary,
        T::BinaryView(_) => DataType::BinaryView,
        T::Utf8(_) => DataType::Utf8,
        T::LargeUtf8(_) => DataType::LargeUtf8,
        T::Utf8View(_) => DataType::Utf8View,
        T::FixedSizeBinary(binary) => {
            DataType::FixedSizeBinary(width(binary.byte_width().map_err(malformed)?)?)
        },
        T::List(_) => DataType::List,
        T::LargeList(_) => DataType::LargeList,
        T::ListView(_) => DataType::ListView,
        T::LargeListView(_) => DataType::LargeListView,
        T::FixedSizeList(list) => DataType::FixedSizeList(width(list.list_size().map_err(malformed)?)?),
        T::Struct(_) => DataType::Struct,
        T::Union(union) => decode_union(*union, children, budget)?,
        T::Map(map) => DataType::Map { keys_sorted: map.keys_sorted().map_err(malformed)? },
        T::RunEndEncoded(_) => DataType::RunEndEncoded,
    })
}

pub(super) fn decode_int(int: fb::IntRef<'_>) -> Result<IntType> {
    let signed = int.is_signed().map_err(malformed)?;
    match int.bit_width().map_err(malformed)? {
        8 => Ok(IntType { bits: 8, signed }),
        16 => Ok(IntType { bits: 16, signed }),
        32 => Ok(IntType { bits: 32, signed }),
        64 => Ok(IntType { bits: 64, signed }),
        128 => Ok(IntType { bits: 128, signed }),
        bits => Err(Error::invalid(format!("integers of {bits} bits"))),
    }
}

fn decode_decimal(decimal: fb::DecimalRef<'_>) -> Result<DataType> {
    let precision = decimal.precision().map_err(malformed)?;
    let scale = decimal.scale().map_err(malformed)?;
    let bits = match decimal.bit_width().map_err(malformed)? {
        32 => 32,
        64 => 64,
        128 => 128,
        256 => 256,
        bits => return Err(Error::invalid(format!("decimals of {bits} bits"))),
    };
    Ok(DataType::Decimal { precision, scale, bits })
}

fn decode_time(time: fb::TimeRef<'_>) -> Result<DataType> {
    let unit = time_unit(time.unit())?;
    let bits = match unit {
        TimeUnit::Second | TimeUnit::Millisecond => 32,
        TimeUnit::Microsecond | TimeUnit::Nanosecond => 64,
    };
    match time.bit_width().map_err(malformed)? {
        claimed if claimed == i32::from(bits) => Ok(DataType::Time { unit, bits }),
        claimed => Err(Error::invalid(format!("times of {claimed} bits, expected {bits} for {unit}"))),
    }
}

fn decode_union(union: fb::UnionRef<'_>, children: usize, budget: &mut Budget<'_>) -> Result<DataType> {
    budget.take::<i8>(children)?;
    let mode = match union.mode().map_err(malformed)? {
        fb::UnionMode::Sparse => UnionMode::Sparse,
        fb::UnionMode::Dense => UnionMode::Dense,
    };
    let type_ids = match union.type_ids().map_err(malformed)? {
        Some(ids) if ids.len() != children => {
            return Err(Error::invalid(format!("a union of {children} children has {} type ids", ids.len())));
        },
        Some(ids) => ids.iter().map(type_id).collect::<Result<_>>()?,
        None => (0..children).map(type_id).collect::<Result<_>>()?,
    };
    Ok(DataType::Union { mode, type_ids })
}

fn type_id<T: TryInto<i8> + Copy + std::fmt::Display>(id: T) -> Result<i8> {
    match id.try_into() {
        Ok(id) if id >= 0 => Ok(id),
        _ => Err(Error::invalid(format!("type id {id} of a union is outside 0 to 127"))),
    }
}

fn width(width: i32) -> Result<usize> {
    usize::try_from(width).map_err(|_| Error::invalid(format!("a fixed size of {width}")))
}

fn time_unit(unit: planus::Result<fb::TimeUnit>) -> Result<TimeUnit> {
    Ok(match unit.map_err(malformed)? {
        fb::TimeUnit::Second => TimeUnit::Second,
        fb::TimeUnit::Millisecond => TimeUnit::Millisecond,
        fb::TimeUnit::Microsecond => TimeUnit::Microsecond,
        fb::TimeUnit::Nanosecond => TimeUnit::Nanosecond,
    })
}
