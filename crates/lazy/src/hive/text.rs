//! Values of keys as text, and texts as values of a type.
//!
//! The text of a value is Polars' own, where that can be told from every other value's; see [`temporal`].

// A new type has to be thought about here: its text must be different for different values.
#![warn(clippy::wildcard_enum_match_arm)]

use polars_core::chunked_array::cast::CastOptions;
use polars_core::prelude::*;

use super::temporal::{self, Offset};

/// Whether values of that type have a text.
pub(crate) fn has_text(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric()
        || dtype.is_decimal()
        || dtype.is_bool()
        || dtype.is_string()
        || dtype.is_temporal()
        || dtype.is_categorical()
        || dtype.is_enum()
        || dtype.is_null()
}

fn as_polars_casts(column: &Column) -> PolarsResult<StringChunked> {
    Ok(column.cast(&DataType::String)?.str()?.clone())
}

/// The texts of a column's values: different ones of different values.
pub(crate) fn texts(column: &Column) -> PolarsResult<StringChunked> {
    let dtype = column.dtype().clone();
    let write: Box<dyn Fn(i64) -> String> = match dtype {
        DataType::Date => Box::new(temporal::date),
        DataType::Datetime(unit, zone) => {
            let is_instant = zone.is_some();
            Box::new(move |value| temporal::datetime(value, unit, is_instant))
        },
        DataType::Duration(unit) => Box::new(move |value| temporal::duration(value, unit)),
        DataType::Time => Box::new(temporal::time),
        // The others are written as Polars casts them; `has_text` lets no nested ones through.
        DataType::Boolean
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::UInt128
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Int128
        | DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::String
        | DataType::Binary
        | DataType::BinaryOffset
        | DataType::List(_)
        | DataType::Null
        | DataType::Unknown(_) => return as_polars_casts(column),
        #[cfg(feature = "dtype-decimal")]
        DataType::Decimal(..) => return as_polars_casts(column),
        #[cfg(feature = "dtype-array")]
        DataType::Array(..) => return as_polars_casts(column),
        #[cfg(feature = "dtype-struct")]
        DataType::Struct(_) => return as_polars_casts(column),
        #[cfg(feature = "dtype-categorical")]
        DataType::Categorical(..) | DataType::Enum(..) => return as_polars_casts(column),
        #[cfg(feature = "dtype-extension")]
        DataType::Extension(..) => return as_polars_casts(column),
        #[cfg(feature = "object")]
        DataType::Object(_) => return as_polars_casts(column),
        #[allow(unreachable_patterns, reason = "types of features that are on in Polars only")]
        _ => return as_polars_casts(column),
    };
    let numbers = column.to_physical_repr().cast(&DataType::Int64)?;
    let texts = numbers.i64()?.iter().map(|value| value.map(&write)).collect::<StringChunked>();
    Ok(texts.with_name(column.name().clone()))
}

/// Texts as values of a type, null where one is not such a value, and the first row where that is so. An
/// empty text is null but for a string, as Polars has it.
pub(crate) fn values(texts: &StringChunked, dtype: &DataType) -> PolarsResult<(Series, Option<usize>)> {
    if dtype.is_string() {
        return Ok((texts.clone().into_series(), None));
    }
    let texts: StringChunked = texts.iter().map(|text| text.filter(|text| !text.is_empty())).collect();
    let values = if dtype.is_temporal() {
        times(&texts, dtype)?
    } else if dtype.is_bool() {
        let parse = |text: &str| match text {
            _ if text.eq_ignore_ascii_case("true") => Some(true),
            _ if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        texts.iter().map(|text| text.and_then(parse)).collect::<BooleanChunked>().into_series()
    } else if dtype.is_null() {
        Series::new_null(PlSmallStr::EMPTY, texts.len())
    } else {
        let exact: StringChunked =
            texts.iter().map(|text| text.filter(|text| is_exact(text, dtype))).collect();
        exact.cast_with_options(dtype, CastOptions::NonStrict)?
    };
    let lost = texts.is_not_null() & values.is_null();
    Ok((values, lost.iter().position(|lost| lost == Some(true))))
}

/// The number of digits behind the point, if the type fixes it.
fn scale(dtype: &DataType) -> Option<usize> {
    #[cfg(feature = "dtype-decimal")]
    if let DataType::Decimal(_, scale) = dtype {
        return Some(*scale);
    }
    let _ = dtype;
    None
}

/// Whether a decimal has no more digits behind the point than its type.
fn is_exact(text: &str, dtype: &DataType) -> bool {
    let (Some(scale), Some((_, digits))) = (scale(dtype), text.split_once('.')) else { return true };
    digits.trim_end_matches('0').len() <= scale
}

/// The number that a text stands for.
type Parse<'a> = Box<dyn Fn(&str) -> Option<i64> + 'a>;

/// Dates, datetimes, durations and times of day.
#[allow(clippy::wildcard_enum_match_arm, reason = "an error, never a wrong value")]
fn times(texts: &StringChunked, dtype: &DataType) -> PolarsResult<Series> {
    let parse: Parse<'_> = match dtype {
        DataType::Date => {
            Box::new(|text| temporal::parse_date(text).filter(|days| i32::try_from(*days).is_ok()))
        },
        DataType::Datetime(unit, zone) => {
            let offset = match zone {
                None => Offset::None,
                Some(zone) if zone.as_str() == "UTC" => Offset::OrUtc,
                Some(_) => Offset::Needed,
            };
            Box::new(move |text| temporal::parse_datetime(text, *unit, offset))
        },
        DataType::Duration(unit) => Box::new(move |text| temporal::parse_duration(text, *unit)),
        DataType::Time => Box::new(temporal::parse_time),
        other => polars_bail!(InvalidOperation: "{other} is no date, datetime, duration or time"),
    };
    let numbers: Int64Chunked = texts.iter().map(|text| text.and_then(&parse)).collect();
    let numbers = numbers.into_series();
    // A date is of 32 bits.
    let numbers = if *dtype == DataType::Date { numbers.cast(&DataType::Int32)? } else { numbers };
    numbers.cast(dtype)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(column: &Column) {
        let texts = texts(column).expect("texts");
        let (values, unfit) = values(&texts, column.dtype()).expect("values");
        assert_eq!(unfit, None, "{texts:?}");
        assert_eq!(values.dtype(), column.dtype());
        let expected = column.as_materialized_series();
        assert!(
            values.equals_missing(&expected.clone().with_name(values.name().clone())),
            "{values} {texts:?}"
        );
    }

    #[test]
    fn every_value_of_every_type_comes_back() {
        let numbers = Column::new("k".into(), [Some(0i64), Some(1), None, Some(127)]);
        let types = [
            DataType::Int8,
            DataType::Int16,
            DataType::Int32,
            DataType::UInt8,
            DataType::UInt16,
            DataType::UInt32,
            DataType::UInt64,
            DataType::Int128,
            DataType::UInt128,
            DataType::Float16,
            DataType::Float32,
            DataType::Float64,
            DataType::Decimal(38, 3),
            DataType::Boolean,
            DataType::Date,
            DataType::Time,
            DataType::String,
            DataType::Duration(TimeUnit::Milliseconds),
            DataType::Datetime(TimeUnit::Nanoseconds, None),
            DataType::Datetime(TimeUnit::Microseconds, Some(TimeZone::UTC)),
            DataType::from_categories(Categories::global()),
        ];
        round_trip(&numbers);
        for dtype in types {
            let column = if dtype.is_categorical() {
                numbers.cast(&DataType::String).and_then(|texts| texts.cast(&dtype))
            } else {
                numbers.cast(&dtype)
            };
            round_trip(&column.expect("a column"));
        }
        round_trip(&Column::new("k".into(), [u64::MAX, 0, 1 << 63]));
        round_trip(&Column::new("k".into(), [i64::MIN, i64::MAX]));
        round_trip(&Column::new("k".into(), [i128::MIN, i128::MAX]));
        round_trip(&Column::new("k".into(), [u128::MAX, 0]));
        round_trip(&Column::new(
            "k".into(),
            [0.1, 1e300, -0.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, 1.0 / 3.0],
        ));
        round_trip(&Column::new(
            "k".into(),
            [0.1f32, 1e38, -0.0, f32::NAN, f32::NEG_INFINITY, f32::MIN_POSITIVE],
        ));
        round_trip(&Column::full_null("k".into(), 3, &DataType::Null));
        let nines = Column::new("k".into(), ["99999999999999999999999999999999999.999", "-0.001", "0"]);
        round_trip(&nines.cast(&DataType::Decimal(38, 3)).expect("decimals"));
        for unit in [TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Nanoseconds] {
            let extremes = Column::new("k".into(), [i64::MIN, i64::MAX, -1]);
            round_trip(&extremes.cast(&DataType::Datetime(unit, None)).expect("datetimes"));
            round_trip(&extremes.cast(&DataType::Duration(unit)).expect("durations"));
        }
        let days = Column::new("k".into(), [i32::MIN, i32::MAX, -1]);
        round_trip(&days.cast(&DataType::Date).expect("dates"));
    }

    #[test]
    fn what_is_no_such_value_is_found() {
        let texts = StringChunked::from_iter([Some("1"), None, Some("x"), Some("y")]);
        for dtype in [DataType::Int64, DataType::Float64, DataType::Date, DataType::UInt128] {
            let (_, unfit) = values(&texts, &dtype).expect("values");
            assert_eq!(unfit, Some(if dtype == DataType::Date { 0 } else { 2 }), "{dtype}");
        }
        let unfit =
            |text: &str, dtype| values(&StringChunked::from_iter([Some(text)]), &dtype).expect("values").1;
        assert_eq!(unfit("300", DataType::UInt8), Some(0));
        assert_eq!(unfit("-1", DataType::UInt64), Some(0));
        assert_eq!(unfit("1.5", DataType::Int64), Some(0));
        assert_eq!(unfit("1.05", DataType::Decimal(9, 1)), Some(0));
        assert_eq!(unfit("1.50", DataType::Decimal(9, 1)), None);
        assert_eq!(unfit("yes", DataType::Boolean), Some(0));
        assert_eq!(unfit("a", DataType::Null), Some(0));
        assert_eq!(unfit("", DataType::Int64), None);
    }
}
