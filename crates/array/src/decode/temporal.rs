//! Times, seconds and intervals: fixed-width values in units that Polars lacks.

use arrow::array::{Array, PrimitiveArray, StructArray};
use arrow::bitmap::Bitmap;
use arrow::datatypes::{ArrowDataType, Field as ArrowField};
use arrow::types::NativeType;
use floe_format::{Error, IntervalUnit, Result, TimeUnit};
use polars_buffer::Buffer;

use super::DecodeCtx;
use super::ctx::{lens, total_len};
use super::primitive::{array, map_valid};
use crate::aligned::try_with_capacity;
use crate::recycle::share;

const NANOSECONDS_A_DAY: i64 = 86_400_000_000_000;

/// Any time of day becomes nanoseconds since midnight; what is not within a day becomes null, as
/// Polars has no such time (24:00 included).
pub(super) fn decode_time(ctx: &mut DecodeCtx<'_>, unit: TimeUnit) -> Result<Box<dyn Array>> {
    match unit {
        TimeUnit::Second => scale_times(ctx.fixed_and_validity::<i32>()?, 1_000_000_000),
        TimeUnit::Millisecond => scale_times(ctx.fixed_and_validity::<i32>()?, 1_000_000),
        TimeUnit::Microsecond => scale_times(ctx.fixed_and_validity::<i64>()?, 1_000),
        TimeUnit::Nanosecond => {
            let (values, validity) = ctx.fixed_and_validity::<i64>()?;
            if !ctx.options().validate || values.iter().all(|v| (0..NANOSECONDS_A_DAY).contains(v)) {
                return array(values, validity);
            }
            scale_times((values, validity), 1)
        },
    }
}

fn scale_times<T: NativeType + Into<i64>>(
    (values, validity): (Buffer<T>, Option<Bitmap>),
    factor: i64,
) -> Result<Box<dyn Array>> {
    let mut out = try_with_capacity::<i64>(values.len())?;
    out.extend(values.iter().map(|v| (*v).into().checked_mul(factor).unwrap_or(-1)));
    let in_day: Bitmap = out.iter().map(|ns| (0..NANOSECONDS_A_DAY).contains(ns)).collect();
    let validity = match validity {
        _ if in_day.unset_bits() == 0 => validity,
        None => Some(in_day),
        Some(validity) => Some(&validity & &in_day),
    };
    array(share(out), validity)
}

/// Seconds become milliseconds, the nearest unit that Polars has.
pub(super) fn decode_seconds(ctx: &mut DecodeCtx<'_>) -> Result<Box<dyn Array>> {
    let (values, validity) = ctx.fixed_and_validity::<i64>()?;
    let values = map_valid(&values, validity.as_ref(), |v| {
        v.checked_mul(1_000).ok_or_else(|| {
            Error::unsupported(format!(
                "{v} seconds overflow Polars' milliseconds; project the column away to read the rest"
            ))
        })
    })?;
    array(values, validity)
}

/// Intervals become structs of their components.
pub(super) fn decode_interval(ctx: &mut DecodeCtx<'_>, unit: IntervalUnit) -> Result<Box<dyn Array>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let len = total_len(&nodes)?;
    let fields: Vec<(&'static str, Box<dyn Array>)> = match unit {
        IntervalUnit::YearMonth => {
            vec![("months", component(ctx.fixed::<i32>(&lens(&nodes))?))]
        },
        IntervalUnit::DayTime => {
            let doubled: Vec<usize> = nodes.iter().map(|n| n.len.saturating_mul(2)).collect();
            let pairs = ctx.fixed::<i32>(&doubled)?;
            let pick = |at: usize| pairs.iter().skip(at).step_by(2).copied().collect::<Vec<i32>>().into();
            vec![("days", component::<i32>(pick(0))), ("milliseconds", component::<i32>(pick(1)))]
        },
        IntervalUnit::MonthDayNano => {
            // Read as 32-bit words, so that each component is swapped by itself in big-endian data.
            let counts: Vec<usize> = nodes.iter().map(|n| n.len.saturating_mul(4)).collect();
            let words = ctx.fixed::<i32>(&counts)?;
            let pick = |at: usize| words.iter().skip(at).step_by(4).copied().collect::<Vec<i32>>().into();
            let (high, low) = if ctx.options().big_endian { (2, 3) } else { (3, 2) };
            let nanoseconds = words
                .as_slice()
                .chunks_exact(4)
                .map(|w| (i64::from(w[high]) << 32) | i64::from(w[low].cast_unsigned()));
            let nanoseconds = nanoseconds.collect::<Vec<i64>>().into();
            vec![
                ("months", component::<i32>(pick(0))),
                ("days", component::<i32>(pick(1))),
                ("nanoseconds", component::<i64>(nanoseconds)),
            ]
        },
    };
    let validity = validity.read(ctx, &nodes)?;
    let (names, values): (Vec<_>, Vec<_>) = fields.into_iter().unzip();
    let fields = names
        .iter()
        .zip(&values)
        .map(|(name, array)| ArrowField::new((*name).into(), array.dtype().clone(), true));
    let dtype = ArrowDataType::Struct(fields.collect());
    Ok(Box::new(StructArray::new(dtype, len, values, validity)))
}

fn component<T: NativeType>(values: Buffer<T>) -> Box<dyn Array> {
    Box::new(PrimitiveArray::new(ArrowDataType::from(T::PRIMITIVE), values, None))
}
