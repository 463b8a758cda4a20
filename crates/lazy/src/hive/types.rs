//! The types of keys: as they travel in files' metadata, and as their texts suggest.
//!
//! A file of a sink partitioned by keys has, in its schema's metadata under [`SCHEMA_KEY`], the schema of
//! the keys: an Arrow IPC stream without batches, in hexadecimal digits.

use std::fmt::Write;

use floe_frame::prelude::{CompatLevel, IpcStreamReader, IpcStreamWriter};
use polars_core::prelude::*;
use polars_io::{SerReader, SerWriter};

/// The key in the metadata of the schema.
pub(crate) use floe_frame::HIVE_SCHEMA_KEY as SCHEMA_KEY;

/// The text that goes into the metadata.
pub(crate) fn to_metadata(schema: &Schema) -> PolarsResult<String> {
    let mut bytes = Vec::new();
    let writer = IpcStreamWriter::new(&mut bytes).with_compat_level(CompatLevel::newest());
    writer.batched(schema)?.finish()?;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

/// The schema of such a text, which anybody may have written.
pub(crate) fn from_metadata(text: &str) -> PolarsResult<Schema> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    let bytes = bytes.ok_or_else(|| polars_err!(ComputeError: "the text is not in hexadecimal digits"))?;
    Ok(IpcStreamReader::from_bytes(bytes).finish()?.schema().as_ref().clone())
}

/// The type that all texts suggest, as Polars infers it: integers, floats, booleans, else strings. But a
/// number that would not come back as it was written, such as `01`, is a string.
pub(crate) fn inferred<'a>(texts: impl Iterator<Item = &'a str>) -> DataType {
    let mut found: Option<DataType> = None;
    for text in texts.filter(|text| !text.is_empty()) {
        let dtype = of_text(text);
        found = match (found, dtype) {
            (None, dtype) => Some(dtype),
            (Some(known), dtype) if known == dtype => Some(known),
            (Some(DataType::Int64 | DataType::Float64), DataType::Float64)
            | (Some(DataType::Float64), DataType::Int64) => Some(DataType::Float64),
            #[cfg(feature = "dtype-i128")]
            (Some(DataType::Int64 | DataType::Int128), DataType::Int64 | DataType::Int128) => {
                Some(DataType::Int128)
            },
            #[cfg(feature = "dtype-i128")]
            (Some(DataType::Int128), DataType::Float64) | (Some(DataType::Float64), DataType::Int128) => {
                Some(DataType::Float64)
            },
            _ => return DataType::String,
        };
    }
    found.unwrap_or(DataType::String)
}

fn of_text(text: &str) -> DataType {
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        return DataType::Boolean;
    }
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let is_zero_led = unsigned.len() > 1 && unsigned.starts_with('0');
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return match text {
            _ if is_zero_led || text == "-0" => DataType::String,
            _ if text.parse::<i64>().is_ok() => DataType::Int64,
            #[cfg(feature = "dtype-i128")]
            _ if text.parse::<i128>().is_ok() => DataType::Int128,
            _ => DataType::String,
        };
    }
    if is_float(text) && !(is_zero_led && unsigned.as_bytes().get(1).is_some_and(u8::is_ascii_digit)) {
        return DataType::Float64;
    }
    DataType::String
}

/// Digits with a point or an exponent, or both; `inf`, `NaN`.
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, "inf" | "NaN") {
        return true;
    }
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (number, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    exponent_fits
        && match number.split_once('.') {
            Some((whole, part)) => {
                let digits = whole.len() + part.len();
                digits > 0
                    && all_digits(whole)
                    && all_digits(part)
                    && (exponent.is_none() || !part.is_empty())
            },
            None => exponent.is_some() && !number.is_empty() && all_digits(number),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_travel() {
        let categories = FrozenCategories::new(["x", "y; \"z\""]).expect("categories");
        let named = Categories::new("named".into(), "space".into(), CategoricalPhysical::U16);
        let types = [
            DataType::Int8,
            DataType::UInt128,
            DataType::Float16,
            DataType::Null,
            DataType::Boolean,
            DataType::String,
            DataType::Decimal(20, 5),
            DataType::Date,
            DataType::Time,
            DataType::Duration(TimeUnit::Milliseconds),
            DataType::Datetime(TimeUnit::Nanoseconds, None),
            DataType::Datetime(
                TimeUnit::Microseconds,
                TimeZone::opt_try_new(Some("Europe/Berlin")).expect("a zone"),
            ),
            DataType::from_frozen_categories(categories),
            DataType::from_categories(named),
        ];
        let named = types.into_iter().enumerate().map(|(i, dtype)| Field::new(format!("k{i}").into(), dtype));
        let schema = Schema::from_iter(named);
        let text = to_metadata(&schema).expect("text");
        assert_eq!(from_metadata(&text).expect("a schema"), schema);
        for broken in ["", "0", "zz", "ffff", &text[..text.len() / 2], &text.replace('0', "1"), "größe"] {
            assert!(from_metadata(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn types_are_inferred_from_all_texts() {
        let cases: [(&[&str], DataType); 22] = [
            (&["1", "-2", "0"], DataType::Int64),
            (&["1", "18446744073709551615"], DataType::Int128),
            (&["1", "1.5", "0.5", "-0.5", "1e5"], DataType::Float64),
            (&["inf", "NaN", "5.", ".5"], DataType::Float64),
            (&["true", "FALSE"], DataType::Boolean),
            (&["true", "1"], DataType::String),
            (&["1", "x"], DataType::String),
            (&["01", "02", "010"], DataType::String),
            (&["1", "2", "03"], DataType::String),
            (&["-01"], DataType::String),
            (&["-0"], DataType::String),
            (&["00.5"], DataType::String),
            (&["007e1"], DataType::String),
            (&["0"], DataType::Int64),
            (&["00"], DataType::String),
            (&["", "1"], DataType::Int64),
            (&[""], DataType::String),
            (&[], DataType::String),
            (&["99999999999999999999999999999999999999999"], DataType::String),
            (&["."], DataType::String),
            (&["e5"], DataType::String),
            (&["2013-01-15"], DataType::String),
        ];
        for (texts, expected) in cases {
            assert_eq!(inferred(texts.iter().copied()), expected, "{texts:?}");
        }
    }
}
