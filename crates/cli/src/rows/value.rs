//! One value as text: whole, never elided.

use std::fmt::Write;

use polars_core::prelude::{AnyValue, TimeUnit};

/// A value as it stands in CSV and tables: text as it is, nested values as JSON, null as nothing.
pub(crate) fn plain(value: &AnyValue<'_>, out: &mut String) {
    match value {
        AnyValue::Null => {},
        value if value.get_str().is_some() => out.push_str(value.get_str().unwrap_or_default()),
        AnyValue::List(_) | AnyValue::Array(..) | AnyValue::Struct(..) | AnyValue::StructOwned(_) => {
            json(value, out)
        },
        value => scalar(value, out),
    }
}

/// A value as JSON. Numbers that JSON lacks are strings.
pub(crate) fn json(value: &AnyValue<'_>, out: &mut String) {
    write_json(value, out, false);
}

/// A value as text that no other value has: as JSON, but NaN and the infinities are not null. Both zeros are one.
pub(crate) fn key(value: &AnyValue<'_>, out: &mut String) {
    write_json(value, out, true);
}

fn write_json(value: &AnyValue<'_>, out: &mut String, is_key: bool) {
    match value {
        AnyValue::Null => out.push_str("null"),
        value if value.get_str().is_some() => quoted(value.get_str().unwrap_or_default(), out),
        AnyValue::List(series) | AnyValue::Array(series, _) => {
            out.push('[');
            for i in 0..series.len() {
                out.push_str(if i == 0 { "" } else { "," });
                write_json(&series.get(i).unwrap_or(AnyValue::Null), out, is_key);
            }
            out.push(']');
        },
        AnyValue::Struct(_, _, fields) => {
            let mut values = Vec::new();
            value._materialize_struct_av(&mut values);
            object(fields.iter().map(|field| field.name().as_str()).zip(&values), out, is_key);
        },
        AnyValue::StructOwned(parts) => {
            object(parts.1.iter().map(|field| field.name().as_str()).zip(&parts.0), out, is_key);
        },
        AnyValue::Float16(_) | AnyValue::Float32(_) | AnyValue::Float64(_) => {
            let number = value.extract::<f64>();
            match number {
                Some(0.0) if is_key => out.push_str("0.0"),
                Some(number) if is_key && !number.is_finite() => {
                    let _ = write!(out, "{number}");
                },
                Some(number) if number.is_finite() => scalar(value, out),
                _ => out.push_str("null"),
            }
        },
        AnyValue::Boolean(_)
        | AnyValue::UInt8(_)
        | AnyValue::UInt16(_)
        | AnyValue::UInt32(_)
        | AnyValue::UInt64(_)
        | AnyValue::Int8(_)
        | AnyValue::Int16(_)
        | AnyValue::Int32(_)
        | AnyValue::Int64(_) => scalar(value, out),
        value => {
            let mut text = String::new();
            scalar(value, &mut text);
            quoted(&text, out);
        },
    }
}

fn object<'a>(fields: impl Iterator<Item = (&'a str, &'a AnyValue<'a>)>, out: &mut String, is_key: bool) {
    out.push('{');
    for (i, (name, value)) in fields.enumerate() {
        out.push_str(if i == 0 { "" } else { "," });
        quoted(name, out);
        out.push(':');
        write_json(value, out, is_key);
    }
    out.push('}');
}

/// A JSON string.
pub(crate) fn quoted(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Values without parts. Writing to a string cannot fail.
fn scalar(value: &AnyValue<'_>, out: &mut String) {
    let _ = match value {
        AnyValue::Boolean(value) => write!(out, "{value}"),
        AnyValue::UInt8(value) => write!(out, "{value}"),
        AnyValue::UInt16(value) => write!(out, "{value}"),
        AnyValue::UInt32(value) => write!(out, "{value}"),
        AnyValue::UInt64(value) => write!(out, "{value}"),
        AnyValue::UInt128(value) => write!(out, "{value}"),
        AnyValue::Int8(value) => write!(out, "{value}"),
        AnyValue::Int16(value) => write!(out, "{value}"),
        AnyValue::Int32(value) => write!(out, "{value}"),
        AnyValue::Int64(value) => write!(out, "{value}"),
        AnyValue::Int128(value) => write!(out, "{value}"),
        // `{:?}` is the shortest text that reads back as the same number, with an exponent where that is shorter.
        AnyValue::Float32(value) => write!(out, "{value:?}"),
        AnyValue::Float64(value) => write!(out, "{value:?}"),
        AnyValue::Float16(_) => match value.extract::<f32>() {
            Some(value) => write!(out, "{value:?}"),
            None => Ok(()),
        },
        AnyValue::Date(days) => date(i64::from(*days), out),
        AnyValue::Datetime(value, unit, zone) => datetime(*value, *unit, zone.is_some(), out),
        AnyValue::DatetimeOwned(value, unit, zone) => datetime(*value, *unit, zone.is_some(), out),
        AnyValue::Time(nanoseconds) => time(*nanoseconds, 1_000_000_000, out),
        AnyValue::Duration(value, unit) => duration(*value, *unit, out),
        AnyValue::Decimal(value, _, scale) => decimal(*value, *scale, out),
        AnyValue::Binary(bytes) => hex(bytes, out),
        AnyValue::BinaryOwned(bytes) => hex(bytes, out),
        other => write!(out, "{other}"),
    };
}

fn per_second(unit: TimeUnit) -> i64 {
    match unit {
        TimeUnit::Milliseconds => 1_000,
        TimeUnit::Microseconds => 1_000_000,
        TimeUnit::Nanoseconds => 1_000_000_000,
    }
}

/// Days since 1970 as a date of the proleptic Gregorian calendar, for any number of them.
fn date(days: i64, out: &mut String) -> std::fmt::Result {
    // Years that begin in March, so that a leap day is the last of its year.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day = days.rem_euclid(146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    let sign = if year < 0 { "-" } else { "" };
    write!(out, "{sign}{:04}-{month:02}-{day:02}", year.unsigned_abs())
}

/// With a zone it is an instant, which is written in UTC.
fn datetime(value: i64, unit: TimeUnit, zoned: bool, out: &mut String) -> std::fmt::Result {
    let per_day = per_second(unit) * 86_400;
    date(value.div_euclid(per_day), out)?;
    out.push('T');
    time(value.rem_euclid(per_day), per_second(unit), out)?;
    out.push_str(if zoned { "Z" } else { "" });
    Ok(())
}

fn time(value: i64, per_second: i64, out: &mut String) -> std::fmt::Result {
    let seconds = value.div_euclid(per_second);
    write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
    fraction(value.rem_euclid(per_second).unsigned_abs(), per_second, out)
}

fn fraction(part: u64, per_second: i64, out: &mut String) -> std::fmt::Result {
    if part == 0 {
        return Ok(());
    }
    let digits = usize::try_from(per_second.ilog10()).unwrap_or(9);
    let text = format!("{part:0digits$}");
    write!(out, ".{}", text.trim_end_matches('0'))
}

/// ISO 8601 in seconds: `PT90.5S`.
fn duration(value: i64, unit: TimeUnit, out: &mut String) -> std::fmt::Result {
    let per_second = per_second(unit);
    let value_ = value.unsigned_abs();
    let each = per_second.unsigned_abs();
    write!(out, "{}PT{}", if value < 0 { "-" } else { "" }, value_ / each)?;
    fraction(value_ % each, per_second, out)?;
    out.push('S');
    Ok(())
}

fn decimal(value: i128, scale: usize, out: &mut String) -> std::fmt::Result {
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at(digits.len().saturating_sub(scale));
    let sign = if value < 0 { "-" } else { "" };
    if part.is_empty() { write!(out, "{sign}{whole}") } else { write!(out, "{sign}{whole}.{part}") }
}

fn hex(bytes: &[u8], out: &mut String) -> std::fmt::Result {
    bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: AnyValue<'_>) -> String {
        let mut out = String::new();
        plain(&value, &mut out);
        out
    }

    #[test]
    fn dates_of_every_year() {
        let dates = [(0, "1970-01-01"), (-1, "1969-12-31"), (19_782, "2024-02-29"), (-719_528, "0000-01-01")];
        for (days, expected) in dates {
            assert_eq!(text(AnyValue::Date(days)), expected);
        }
        assert_eq!(text(AnyValue::Date(i32::MAX)), "5881580-07-11");
        assert_eq!(text(AnyValue::Date(i32::MIN)), "-5877641-06-23");
    }

    #[test]
    fn times_and_numbers() {
        use TimeUnit::{Milliseconds, Nanoseconds};
        assert_eq!(text(AnyValue::Datetime(-1, Milliseconds, None)), "1969-12-31T23:59:59.999");
        assert_eq!(text(AnyValue::Datetime(i64::MIN, Nanoseconds, None)), "1677-09-21T00:12:43.145224192");
        assert_eq!(text(AnyValue::Duration(-1_500, Milliseconds)), "-PT1.5S");
        assert_eq!(text(AnyValue::Decimal(-5, 10, 2)), "-0.05");
        assert_eq!(text(AnyValue::Decimal(12_345, 10, 0)), "12345");
        assert_eq!(text(AnyValue::Float64(1e300)), "1e300");
        assert_eq!(text(AnyValue::Binary(&[0, 255])), "00ff");
    }

    #[test]
    fn json_has_no_infinity() {
        let mut out = String::new();
        json(&AnyValue::Float64(f64::NAN), &mut out);
        json(&AnyValue::String("a\"b\n"), &mut out);
        assert_eq!(out, r#"null"a\"b\n""#);
    }
}
