//! Fixed-width values: a validity bitmap and one buffer.

use arrow::array::{Array, PrimitiveArray};
use arrow::bitmap::Bitmap;
use arrow::datatypes::ArrowDataType;
use arrow::types::NativeType;
use floe_format::{Error, Result};
use polars_buffer::Buffer;

use super::DecodeCtx;
use crate::recycle::share;

pub(super) fn decode<T: NativeType>(ctx: &mut DecodeCtx<'_>) -> Result<Box<dyn Array>> {
    let (values, validity) = ctx.fixed_and_validity::<T>()?;
    array(values, validity)
}

pub(super) fn array<T: NativeType>(values: Buffer<T>, validity: Option<Bitmap>) -> Result<Box<dyn Array>> {
    let array = PrimitiveArray::try_new(ArrowDataType::from(T::PRIMITIVE), values, validity);
    Ok(Box::new(array.map_err(|e| Error::invalid(e.to_string()))?))
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

/// Decimals of every width become `i128`. A negative scale is multiplied away.
pub(super) fn decode_decimal(
    ctx: &mut DecodeCtx<'_>,
    precision: i32,
    scale: i32,
    bits: u16,
) -> Result<Box<dyn Array>> {
    if scale > 38 {
        return Err(Error::unsupported(format!(
            "Polars cannot hold a decimal scale of {scale} (at most 38); project the column away to read the rest"
        )));
    }
    let factor = if scale < 0 { 10i128.checked_pow(scale.unsigned_abs()) } else { Some(1) };
    let out_of_range = || {
        Error::unsupported(format!(
            "a value of decimal({precision}, {scale}) is beyond the 38 digits that Polars can hold; \
             project the column away to read the rest"
        ))
    };
    let factor = factor.ok_or_else(out_of_range)?;
    let scaled = |value: i128| value.checked_mul(factor).filter(|v| fits(*v)).ok_or_else(out_of_range);
    let (values, validity) = match bits {
        32 => {
            let (values, validity) = ctx.fixed_and_validity::<i32>()?;
            (map_valid(ctx, &values, validity.as_ref(), |v| scaled(v.into()))?, validity)
        },
        64 => {
            let (values, validity) = ctx.fixed_and_validity::<i64>()?;
            (map_valid(ctx, &values, validity.as_ref(), |v| scaled(v.into()))?, validity)
        },
        128 => {
            let (values, validity) = ctx.fixed_and_validity::<i128>()?;
            let values = if factor == 1 && precision <= 38 {
                values
            } else {
                map_valid(ctx, &values, validity.as_ref(), scaled)?
            };
            (values, validity)
        },
        256 => {
            let (values, validity) = ctx.fixed_and_validity::<arrow::types::i256>()?;
            let values = map_valid(ctx, &values, validity.as_ref(), |v| {
                scaled(i128::try_from(v.0).map_err(|_| out_of_range())?)
            })?;
            (values, validity)
        },
        _ => return Err(Error::invalid(format!("decimals of {bits} bits do not exist"))),
    };
    array(values, validity)
}

fn fits(value: i128) -> bool {
    value.unsigned_abs() < 10u128.pow(38)
}
