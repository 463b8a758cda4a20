//! Values that Polars cannot represent, as text: decimals of more digits than it has, and seconds beyond its
//! milliseconds. [`Unrepresentable`](super::Unrepresentable) says whether they become text.
#![warn(clippy::wildcard_enum_match_arm)]

use std::fmt::Write;

use arrow::array::{Array, MutableBinaryViewArray, View};
use arrow::bitmap::Bitmap;
use arrow::types::{NativeType, i256};
use floe_format::{DataType, Error, Result, TimeUnit};
use polars_buffer::Buffer;

use super::ctx::DecodeCtx;

/// Polars' largest number of digits.
pub(super) const MAX_DIGITS: i32 = 38;

/// Whether a type may have values that Polars cannot represent. Such a column becomes text if that is asked for.
#[must_use]
pub fn becomes_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Decimal { precision, scale, bits } => {
            *bits == 256 || *precision > MAX_DIGITS || !(0..=MAX_DIGITS).contains(scale)
        },
        DataType::Timestamp { unit, .. } | DataType::Duration(unit) => *unit == TimeUnit::Second,
        DataType::Null
        | DataType::Bool
        | DataType::Int(_)
        | DataType::Float(_)
        | DataType::Date32
        | DataType::Date64
        | DataType::Time { .. }
        | DataType::Interval(_)
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::FixedSizeBinary(_)
        | DataType::List
        | DataType::LargeList
        | DataType::ListView
        | DataType::LargeListView
        | DataType::FixedSizeList(_)
        | DataType::Struct
        | DataType::Union { .. }
        | DataType::Map { .. }
        | DataType::RunEndEncoded => false,
    }
}

/// Decimals: `-0.05`, with as many digits behind the point as the scale says.
pub(super) fn decode_decimal(ctx: &mut DecodeCtx<'_>, scale: i32, bits: u16) -> Result<Box<dyn Array>> {
    match bits {
        32 => {
            let found = ctx.fixed_and_validity::<i32>()?;
            texts(ctx, found, |value, out| decimal(ctx, &value.to_string(), scale, out))
        },
        64 => {
            let found = ctx.fixed_and_validity::<i64>()?;
            texts(ctx, found, |value, out| decimal(ctx, &value.to_string(), scale, out))
        },
        128 => {
            let found = ctx.fixed_and_validity::<i128>()?;
            texts(ctx, found, |value, out| decimal(ctx, &value.to_string(), scale, out))
        },
        256 => {
            let found = ctx.fixed_and_validity::<i256>()?;
            texts(ctx, found, |value, out| decimal(ctx, &value.to_string(), scale, out))
        },
        _ => Err(Error::invalid(format!("decimals of {bits} bits do not exist"))),
    }
}

/// Seconds, in the form of ISO 8601: `2020-02-29T12:00:00`, with a `Z` behind it if there is a zone; `PT90S`.
pub(super) fn decode_seconds(ctx: &mut DecodeCtx<'_>, data_type: &DataType) -> Result<Box<dyn Array>> {
    let found = ctx.fixed_and_validity::<i64>()?;
    let is_zoned = |zone: &str| !zone.is_empty();
    if let DataType::Timestamp { timezone, .. } = data_type {
        let zoned = timezone.as_deref().is_some_and(is_zoned);
        return texts(ctx, found, |value, out| {
            timestamp(value, zoned, out);
            Ok(())
        });
    }
    texts(ctx, found, |value, out| {
        // Writing to a string cannot fail.
        let _ = write!(out, "PT{value}S");
        Ok(())
    })
}

/// The text of each value that is not null.
fn texts<T: NativeType>(
    ctx: &DecodeCtx<'_>,
    (values, validity): (Buffer<T>, Option<Bitmap>),
    write: impl Fn(T, &mut String) -> Result<()>,
) -> Result<Box<dyn Array>> {
    ctx.charge(values.len().saturating_mul(size_of::<View>()))?;
    let mut out = MutableBinaryViewArray::<str>::with_capacity(values.len());
    let mut text = String::new();
    for (row, value) in values.iter().enumerate() {
        if validity.as_ref().is_some_and(|validity| validity.get(row) != Some(true)) {
            out.push_null();
            continue;
        }
        text.clear();
        write(*value, &mut text)?;
        ctx.budget.charge(text.len() as u64)?;
        out.push_value(text.as_str());
    }
    Ok(out.freeze().boxed())
}

/// Puts the point into the digits of an integer, or zeros behind them.
fn decimal(ctx: &DecodeCtx<'_>, value: &str, scale: i32, out: &mut String) -> Result<()> {
    let (sign, digits) = value.strip_prefix('-').map_or(("", value), |digits| ("-", digits));
    // A scale beyond `usize` is more than any budget.
    let zeros = usize::try_from(scale.unsigned_abs()).unwrap_or(usize::MAX);
    // A scale says how long each text is: it may be anything.
    ctx.budget.charge(zeros as u64)?;
    let room = zeros.saturating_add(value.len()).saturating_add(2);
    out.try_reserve(room).map_err(|_| Error::unsupported(format!("no memory for {room} digits")))?;
    out.push_str(sign);
    let repeat = |out: &mut String, count: usize| out.extend(std::iter::repeat_n('0', count));
    if scale <= 0 {
        out.push_str(digits);
        repeat(out, if digits == "0" { 0 } else { zeros });
        return Ok(());
    }
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(zeros));
    out.push_str(if whole.is_empty() { "0" } else { whole });
    out.push('.');
    repeat(out, zeros - fraction.len());
    out.push_str(fraction);
    Ok(())
}

const SECONDS_PER_DAY: i64 = 86_400;
/// The calendar repeats itself after 400 years.
const DAYS_PER_ERA: i64 = 146_097;

/// The date and time that is `seconds` after 1970 in the Gregorian calendar. Years beyond 9999 and before 0 have a sign.
fn timestamp(seconds: i64, zoned: bool, out: &mut String) {
    let (day, second) = (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    // Years that begin in March have their odd day at their end. (Howard Hinnant, "chrono-compatible low-level date
    // algorithms", `civil_from_days`.)
    let day = day + 719_468;
    let (era, day) = (day.div_euclid(DAYS_PER_ERA), day.rem_euclid(DAYS_PER_ERA));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + later;
    // Writing to a string cannot fail.
    let _ = match year {
        0..=9_999 => write!(out, "{year:04}"),
        _ => write!(out, "{year:+05}"),
    };
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let zone = if zoned { "Z" } else { "" };
    let _ = write!(out, "-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{zone}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        let text = |seconds, zoned| {
            let mut out = String::new();
            timestamp(seconds, zoned, &mut out);
            out
        };
        assert_eq!(text(0, false), "1970-01-01T00:00:00");
        assert_eq!(text(-1, true), "1969-12-31T23:59:59Z");
        assert_eq!(text(951_782_400, false), "2000-02-29T00:00:00");
        assert_eq!(text(4_107_542_399, false), "2100-02-28T23:59:59");
        assert_eq!(text(4_107_542_400, false), "2100-03-01T00:00:00");
        assert_eq!(text(253_402_300_799, false), "9999-12-31T23:59:59");
        assert_eq!(text(253_402_300_800, false), "+10000-01-01T00:00:00");
        assert_eq!(text(-62_167_219_200, false), "0000-01-01T00:00:00");
        assert_eq!(text(-62_167_219_201, false), "-0001-12-31T23:59:59");
        assert_eq!(text(i64::MAX, true), "+292277026596-12-04T15:30:07Z");
        assert_eq!(text(i64::MIN, false), "-292277022657-01-27T08:29:52");
    }
}
