//! Times, seconds and intervals: fixed-width values in units that Polars does not have.

use arrow::array::{Array, StructArray};
use arrow::bitmap::Bitmap;
use arrow::datatypes::{ArrowDataType, Field as ArrowField};
use arrow::types::NativeType;
use floe_format::{DataType, Error, IntervalUnit, Result, TimeUnit};
use polars_buffer::Buffer;

use super::ctx::{DecodeCtx, lens, total_len};
use super::options::Unrepresentable;
use super::primitive::{array, place_valid};
use super::text;
use crate::made::boxed;
use crate::share;

const NANOSECONDS_PER_DAY: i64 = 86_400_000_000_000;

/// Any time of day becomes nanoseconds since midnight. Values outside of a day become null, as Polars has no such time
/// (24:00 included).
pub(super) fn decode_time(ctx: &mut DecodeCtx<'_>, unit: TimeUnit) -> Result<Box<dyn Array>> {
    match unit {
        TimeUnit::Second => {
            let times = ctx.fixed_and_validity::<i32>()?;
            scale_times(ctx, times, 1_000_000_000)
        },
        TimeUnit::Millisecond => {
            let times = ctx.fixed_and_validity::<i32>()?;
            scale_times(ctx, times, 1_000_000)
        },
        TimeUnit::Microsecond => {
            let times = ctx.fixed_and_validity::<i64>()?;
            scale_times(ctx, times, 1_000)
        },
        TimeUnit::Nanosecond => {
            let (values, validity) = ctx.fixed_and_validity::<i64>()?;
            if !ctx.options().validate || values.iter().all(|v| (0..NANOSECONDS_PER_DAY).contains(v)) {
                return array(values, validity);
            }
            scale_times(ctx, (values, validity), 1)
        },
    }
}

fn scale_times<T: NativeType + Into<i64>>(
    ctx: &DecodeCtx<'_>,
    (values, validity): (Buffer<T>, Option<Bitmap>),
    factor: i64,
) -> Result<Box<dyn Array>> {
    let mut out = ctx.vec::<i64>(values.len())?;
    // A value that overflows is no time of day: as -1 it becomes null below.
    out.extend(values.iter().map(|v| (*v).into().checked_mul(factor).unwrap_or(-1)));
    let mut in_day = ctx.bits_for(out.len())?;
    out.iter().for_each(|ns| in_day.push((0..NANOSECONDS_PER_DAY).contains(ns)));
    let in_day = in_day.freeze();
    let validity = match validity {
        _ if in_day.unset_bits() == 0 => validity,
        None => Some(in_day),
        Some(validity) => Some(&validity & &in_day),
    };
    array(share(out), validity)
}

/// Seconds become milliseconds, the nearest unit that Polars has.
pub(super) fn decode_seconds(ctx: &mut DecodeCtx<'_>, data_type: &DataType) -> Result<Box<dyn Array>> {
    if ctx.options().unrepresentable == Unrepresentable::String {
        return text::decode_seconds(ctx, data_type);
    }
    let (values, validity) = ctx.fixed_and_validity::<i64>()?;
    let refused = |seconds: i64| {
        Error::unsupported(format!(
            "{seconds} seconds overflow Polars' milliseconds; project the column away to read the rest, or say what \
             becomes of them with `with_unrepresentable`"
        ))
    };
    let (values, validity) = place_valid(ctx, &values, validity, |v: i64| v.checked_mul(1_000), refused)?;
    array(values, validity)
}

/// Intervals become structs of their components.
pub(super) fn decode_interval(ctx: &mut DecodeCtx<'_>, unit: IntervalUnit) -> Result<Box<dyn Array>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let len = total_len(&nodes)?;
    let fields: Vec<(&'static str, Box<dyn Array>)> = match unit {
        IntervalUnit::YearMonth => {
            vec![("months", array(ctx.fixed::<i32>(&lens(&nodes))?, None)?)]
        },
        IntervalUnit::DayTime => {
            let doubled: Vec<usize> = nodes.iter().map(|n| n.len.saturating_mul(2)).collect();
            let pairs = ctx.fixed::<i32>(&doubled)?;
            let pick = |at: usize| each_of(ctx, &pairs, 2, |pair| pair[at]);
            vec![("days", pick(0)?), ("milliseconds", pick(1)?)]
        },
        IntervalUnit::MonthDayNano => {
            // Read as 32-bit words, so that each component is swapped by itself in big-endian data.
            let counts: Vec<usize> = nodes.iter().map(|n| n.len.saturating_mul(4)).collect();
            let words = ctx.fixed::<i32>(&counts)?;
            let (high, low) = if ctx.options().big_endian { (2, 3) } else { (3, 2) };
            let nanoseconds = |w: &[i32]| (i64::from(w[high]) << 32) | i64::from(w[low].cast_unsigned());
            vec![
                ("months", each_of(ctx, &words, 4, |w| w[0])?),
                ("days", each_of(ctx, &words, 4, |w| w[1])?),
                ("nanoseconds", each_of(ctx, &words, 4, nanoseconds)?),
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
    let array = StructArray::try_new(dtype, len, values, validity);
    boxed(array)
}

/// The array of `of(words)` for each `width` words.
fn each_of<T: NativeType>(
    ctx: &DecodeCtx<'_>,
    words: &[i32],
    width: usize,
    of: impl Fn(&[i32]) -> T,
) -> Result<Box<dyn Array>> {
    let mut out = ctx.vec::<T>(words.len() / width)?;
    out.extend(words.chunks_exact(width).map(of));
    array(share(out), None)
}
