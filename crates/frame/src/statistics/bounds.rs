//! The smallest and the largest value of an array, as text and back.
//!
//! Types without bounds have only their nulls counted: nested ones, and those whose order is not that of the stored
//! values (categoricals, enums). Floats have none either where a NaN occurs: it is above all numbers in one of Polars'
//! orders and ignored in another.
// A new type has to be thought about here: it does not fall under the others.
#![warn(clippy::wildcard_enum_match_arm)]

use arrow::array::{Array, BooleanArray, PrimitiveArray, Utf8ViewArray};
use arrow::types::NativeType;
use polars_compute::min_max::MinMaxKernel;
use polars_core::prelude::*;

/// Bytes of a string that are kept; cutting moves a bound outwards, never inwards.
const STRING_BYTES: usize = 64;

/// Bounds as text.
pub(crate) type Bounds = (Option<String>, Option<String>);

/// The bounds of a physical array of this dtype.
pub(crate) fn bounds(array: &dyn Array, dtype: &DataType) -> Bounds {
    use DataType as D;
    match dtype {
        D::Boolean => match array.as_any().downcast_ref::<BooleanArray>() {
            Some(array) => {
                both(array.min_max_ignore_nan_kernel().map(|(a, b)| (a.to_string(), b.to_string())))
            },
            None => Bounds::default(),
        },
        D::Int8 => integers::<i8>(array),
        D::Int16 => integers::<i16>(array),
        D::Int32 => integers::<i32>(array),
        D::Int64 => integers::<i64>(array),
        D::Int128 => integers::<i128>(array),
        D::UInt8 => integers::<u8>(array),
        D::UInt16 => integers::<u16>(array),
        D::UInt32 => integers::<u32>(array),
        D::UInt64 => integers::<u64>(array),
        D::UInt128 => integers::<u128>(array),
        D::Date => integers::<i32>(array),
        D::Datetime(..) | D::Duration(_) | D::Time => integers::<i64>(array),
        #[cfg(feature = "dtype-decimal")]
        D::Decimal(..) => integers::<i128>(array),
        D::Float32 => floats::<f32>(array, f32::is_nan),
        D::Float64 => floats::<f64>(array, f64::is_nan),
        D::String => match array.as_any().downcast_ref::<Utf8ViewArray>() {
            Some(array) => strings(array),
            None => Bounds::default(),
        },
        // No order, or another one than that of the stored values.
        D::Float16 | D::Binary | D::BinaryOffset | D::List(_) | D::Null | D::Unknown(_) => Bounds::default(),
        #[cfg(feature = "dtype-array")]
        D::Array(..) => Bounds::default(),
        #[cfg(feature = "dtype-categorical")]
        D::Categorical(..) | D::Enum(..) => Bounds::default(),
        #[cfg(feature = "dtype-struct")]
        D::Struct(_) => Bounds::default(),
        #[cfg(feature = "dtype-extension")]
        D::Extension(..) => Bounds::default(),
        #[cfg(feature = "object")]
        D::Object(_) => Bounds::default(),
        #[allow(unreachable_patterns, reason = "types of features that are on in Polars only")]
        _ => Bounds::default(),
    }
}

/// The value that a bound's text stands for, or nothing if it is none of this dtype.
pub(crate) fn parse(text: &str, dtype: &DataType) -> Option<AnyValue<'static>> {
    use DataType as D;
    Some(match dtype {
        D::Boolean => AnyValue::Boolean(text.parse().ok()?),
        D::Int8 => AnyValue::Int8(text.parse().ok()?),
        D::Int16 => AnyValue::Int16(text.parse().ok()?),
        D::Int32 => AnyValue::Int32(text.parse().ok()?),
        D::Int64 => AnyValue::Int64(text.parse().ok()?),
        D::Int128 => AnyValue::Int128(text.parse().ok()?),
        D::UInt8 => AnyValue::UInt8(text.parse().ok()?),
        D::UInt16 => AnyValue::UInt16(text.parse().ok()?),
        D::UInt32 => AnyValue::UInt32(text.parse().ok()?),
        D::UInt64 => AnyValue::UInt64(text.parse().ok()?),
        D::UInt128 => AnyValue::UInt128(text.parse().ok()?),
        #[cfg(feature = "dtype-date")]
        D::Date => AnyValue::Date(text.parse().ok()?),
        #[cfg(feature = "dtype-datetime")]
        D::Datetime(unit, zone) => {
            AnyValue::DatetimeOwned(text.parse().ok()?, *unit, zone.clone().map(std::sync::Arc::new))
        },
        #[cfg(feature = "dtype-duration")]
        D::Duration(unit) => AnyValue::Duration(text.parse().ok()?, *unit),
        #[cfg(feature = "dtype-time")]
        D::Time => AnyValue::Time(text.parse().ok()?),
        #[cfg(feature = "dtype-decimal")]
        D::Decimal(precision, scale) => AnyValue::Decimal(text.parse().ok()?, *precision, *scale),
        D::Float32 => AnyValue::Float32(text.parse().ok().filter(|value: &f32| !value.is_nan())?),
        D::Float64 => AnyValue::Float64(text.parse().ok().filter(|value: &f64| !value.is_nan())?),
        D::String => AnyValue::StringOwned(text.into()),
        D::Float16 | D::Binary | D::BinaryOffset | D::List(_) | D::Null | D::Unknown(_) => return None,
        #[cfg(feature = "dtype-array")]
        D::Array(..) => return None,
        #[cfg(feature = "dtype-categorical")]
        D::Categorical(..) | D::Enum(..) => return None,
        #[cfg(feature = "dtype-struct")]
        D::Struct(_) => return None,
        #[cfg(feature = "dtype-extension")]
        D::Extension(..) => return None,
        #[cfg(feature = "object")]
        D::Object(_) => return None,
        #[allow(unreachable_patterns, reason = "types of features that are on in Polars only")]
        _ => return None,
    })
}

fn both(bounds: Option<(String, String)>) -> Bounds {
    bounds.unzip()
}

fn integers<T: NativeType>(array: &dyn Array) -> Bounds
where
    PrimitiveArray<T>: for<'a> MinMaxKernel<Scalar<'a> = T>,
{
    let array = array.as_any().downcast_ref::<PrimitiveArray<T>>();
    let bounds = array.and_then(MinMaxKernel::min_max_ignore_nan_kernel);
    both(bounds.map(|(min, max)| (min.to_string(), max.to_string())))
}

fn floats<T: NativeType>(array: &dyn Array, is_nan: fn(T) -> bool) -> Bounds
where
    PrimitiveArray<T>: for<'a> MinMaxKernel<Scalar<'a> = T>,
{
    let array = array.as_any().downcast_ref::<PrimitiveArray<T>>();
    let bounds = array.and_then(MinMaxKernel::min_max_propagate_nan_kernel);
    let bounds = bounds.filter(|(min, max)| !is_nan(*min) && !is_nan(*max));
    both(bounds.map(|(min, max)| (format!("{min:?}"), format!("{max:?}"))))
}

fn strings(array: &Utf8ViewArray) -> Bounds {
    match array.min_max_ignore_nan_kernel() {
        Some((min, max)) => (Some(prefix(min).to_owned()), above(max)),
        None => Bounds::default(),
    }
}

/// As much of the text as is kept: not above the text.
fn prefix(text: &str) -> &str {
    let cut = (0..=STRING_BYTES).rev().find_map(|end| text.get(..end));
    // Text that is short enough is kept as it is.
    cut.filter(|_| text.len() > STRING_BYTES).unwrap_or(text)
}

/// The text, or a short one above all that begin as it does, if there is one.
fn above(text: &str) -> Option<String> {
    let prefix = prefix(text);
    if prefix.len() == text.len() {
        return Some(text.to_owned());
    }
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // UTF-8 sorts as its characters' numbers do, surrogates not being any.
        let next = (last..=char::MAX).nth(1);
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[Option<&str>]) -> Bounds {
        bounds(&Utf8ViewArray::from_slice(values), &DataType::String)
    }

    #[test]
    fn short_strings_are_exact() {
        assert_eq!(of(&[Some("b"), None, Some("a")]), (Some("a".to_owned()), Some("b".to_owned())));
        assert_eq!(of(&[None]), Bounds::default());
        assert_eq!(of(&[]), Bounds::default());
    }

    #[test]
    fn long_strings_are_cut_outwards() {
        for tail in ["z", "\u{d7ff}", "\u{10ffff}", "é"] {
            let text = tail.repeat(100);
            let (min, max) = of(&[Some(&text)]);
            let min = min.expect("a prefix");
            assert!(min.len() <= STRING_BYTES && min.as_str() < text.as_str());
            match max {
                Some(max) => assert!(max.len() <= STRING_BYTES + 1 && max > text),
                None => assert_eq!(tail, "\u{10ffff}"),
            }
        }
    }

    #[test]
    fn floats_come_back_exactly_and_nan_has_no_bounds() {
        for value in [0.1 + 0.2, f64::MIN_POSITIVE, -0.0, f64::INFINITY, 1e300] {
            let (min, max) = bounds(&PrimitiveArray::from_slice([value]), &DataType::Float64);
            for bound in [min, max] {
                let read = parse(&bound.expect("a bound"), &DataType::Float64);
                let Some(AnyValue::Float64(read)) = read else { panic!("{read:?}") };
                assert_eq!(read.to_bits(), value.to_bits());
            }
        }
        let with_nan = PrimitiveArray::from_slice([1.0, f64::NAN, 2.0]);
        assert_eq!(bounds(&with_nan, &DataType::Float64), Bounds::default());
        assert_eq!(parse("NaN", &DataType::Float64), None);
        assert_eq!(parse("1.5", &DataType::Int64), None);
    }

    #[test]
    fn nulls_are_not_values() {
        let array = PrimitiveArray::<i32>::from([None, Some(5), Some(-2)]);
        assert_eq!(bounds(&array, &DataType::Int32), (Some("-2".to_owned()), Some("5".to_owned())));
        let flags = BooleanArray::from([None, Some(true)]);
        assert_eq!(bounds(&flags, &DataType::Boolean), (Some("true".to_owned()), Some("true".to_owned())));
    }
}
