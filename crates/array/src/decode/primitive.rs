//! Fixed-width values: a validity bitmap and one buffer.

use arrow::array::{Array, PrimitiveArray};
use arrow::bitmap::Bitmap;
use arrow::datatypes::ArrowDataType;
use arrow::types::{NativeType, i256};
use floe_format::{DataType, Error, Result};
use polars_buffer::Buffer;

use super::ctx::DecodeCtx;
use super::options::Unrepresentable;
use super::text;
use crate::made::boxed;
use crate::share;

pub(super) fn decode<T: NativeType>(ctx: &mut DecodeCtx<'_>) -> Result<Box<dyn Array>> {
    let (values, validity) = ctx.fixed_and_validity::<T>()?;
    array(values, validity)
}

pub(super) fn array<T: NativeType>(values: Buffer<T>, validity: Option<Bitmap>) -> Result<Box<dyn Array>> {
    let array = PrimitiveArray::try_new(ArrowDataType::from(T::PRIMITIVE), values, validity);
    boxed(array)
}

/// Applies `convert` to each value that is not null; null ones become the default.
pub(super) fn map_valid<T: NativeType, U: NativeType>(
    ctx: &DecodeCtx<'_>,
    values: &Buffer<T>,
    validity: Option<&Bitmap>,
    mut convert: impl FnMut(T) -> Result<U>,
) -> Result<Buffer<U>> {
    let mut out = ctx.vec::<U>(values.len())?;
    match validity {
        None => {
            for value in values.iter() {
                out.push(convert(*value)?);
            }
        },
        Some(validity) => {
            for (value, valid) in values.iter().zip(validity.iter()) {
                out.push(if valid { convert(*value)? } else { U::default() });
            }
        },
    }
    Ok(share(out))
}

/// As [`map_valid`]. A value for which `convert` has no result becomes null if the options say so, else the error of
/// `refused`.
pub(super) fn place_valid<T: NativeType, U: NativeType>(
    ctx: &DecodeCtx<'_>,
    values: &Buffer<T>,
    validity: Option<Bitmap>,
    convert: impl Fn(T) -> Option<U>,
    refused: impl Fn(T) -> Error,
) -> Result<(Buffer<U>, Option<Bitmap>)> {
    if ctx.options().unrepresentable != Unrepresentable::Null {
        let placed = map_valid(ctx, values, validity.as_ref(), |v| convert(v).ok_or_else(|| refused(v)))?;
        return Ok((placed, validity));
    }
    let mut lost = false;
    let placed = map_valid(ctx, values, validity.as_ref(), |v| {
        let placed = convert(v);
        lost |= placed.is_none();
        // Null, whatever the value.
        Ok(placed.unwrap_or_default())
    })?;
    if !lost {
        return Ok((placed, validity));
    }
    ctx.charge(values.len().div_ceil(8))?;
    let has_place: Bitmap = values.iter().map(|v| convert(*v).is_some()).collect();
    Ok((placed, Some(validity.map_or_else(|| has_place.clone(), |validity| &validity & &has_place))))
}

/// Decimals of every width become `i128`. A negative scale is multiplied away.
pub(super) fn decode_decimal(
    ctx: &mut DecodeCtx<'_>,
    precision: i32,
    scale: i32,
    bits: u16,
) -> Result<Box<dyn Array>> {
    let unrepresentable = ctx.options().unrepresentable;
    if unrepresentable == Unrepresentable::String
        && text::becomes_text(&DataType::Decimal { precision, scale, bits })
    {
        return text::decode_decimal(ctx, scale, bits);
    }
    if scale > text::MAX_DIGITS && unrepresentable != Unrepresentable::Null {
        return Err(Error::unsupported(format!(
            "Polars cannot hold a decimal scale of {scale} (at most 38); project the column away to read the rest, or \
             say what becomes of it with `with_unrepresentable`"
        )));
    }
    let refused = || {
        Error::unsupported(format!(
            "a value of decimal({precision}, {scale}) is beyond the 38 digits that Polars can hold; project the column \
             away to read the rest, or say what becomes of it with `with_unrepresentable`"
        ))
    };
    let factor = 10i128.checked_pow(scale.min(0).unsigned_abs());
    let scaled = |value: i128| match value {
        0 => Some(0),
        _ if scale > text::MAX_DIGITS => shortened(wide(value), scale),
        _ => value.checked_mul(factor?).filter(|v| fits(*v)),
    };
    let (values, validity) = match bits {
        32 => {
            let (values, validity) = ctx.fixed_and_validity::<i32>()?;
            place_valid(ctx, &values, validity, |v: i32| scaled(v.into()), |_| refused())?
        },
        64 => {
            let (values, validity) = ctx.fixed_and_validity::<i64>()?;
            place_valid(ctx, &values, validity, |v: i64| scaled(v.into()), |_| refused())?
        },
        128 => {
            let (values, validity) = ctx.fixed_and_validity::<i128>()?;
            if (0..=text::MAX_DIGITS).contains(&scale) && precision <= text::MAX_DIGITS {
                (values, validity)
            } else {
                place_valid(ctx, &values, validity, scaled, |_| refused())?
            }
        },
        256 => {
            let (values, validity) = ctx.fixed_and_validity::<i256>()?;
            let scaled = |v: i256| match i128::try_from(v.0) {
                Ok(value) => scaled(value),
                Err(_) if scale > text::MAX_DIGITS => shortened(v, scale),
                Err(_) => None,
            };
            place_valid(ctx, &values, validity, scaled, |_| refused())?
        },
        _ => return Err(Error::invalid(format!("decimals of {bits} bits do not exist"))),
    };
    array(values, validity)
}

fn wide(value: i128) -> i256 {
    i256::from_words(value >> 127, value)
}

/// A value of a scale beyond what Polars has as one of its largest scale, if it has no more digits than that.
fn shortened(value: i256, scale: i32) -> Option<i128> {
    let (zero, ten) = (wide(0).0, wide(10).0);
    let mut value = value.0;
    for _ in text::MAX_DIGITS..scale {
        if value == zero {
            return Some(0);
        }
        if value % ten != zero {
            return None;
        }
        value /= ten;
    }
    i128::try_from(value).ok().filter(|value| fits(*value))
}

fn fits(value: i128) -> bool {
    value.unsigned_abs() < 10u128.pow(38)
}
