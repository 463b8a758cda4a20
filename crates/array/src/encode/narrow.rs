//! Layouts that floe's own files do not have, for files of others that are appended to: 32-bit offsets, bytes of a fixed
//! width, and times in coarser units.

use arrow::array::{Array, BinaryArray, BinaryViewArray, PrimitiveArray};
use arrow::types::NativeType;
use floe_format::{Error, Result};
use floe_runtime::alloc::try_with_capacity;
use polars_buffer::Buffer;

use super::buffer::EncodedBuffer;
use super::bytes::{as_bytes, down};
use super::ctx::EncodeCtx;
use crate::share;

/// Encodes a layout of 64-bit offsets, and makes those 32 bits wide: they are the buffer behind the validity.
pub(super) fn with_narrow_offsets(
    ctx: &mut EncodeCtx<'_>,
    encode: impl FnOnce(&mut EncodeCtx<'_>) -> Result<()>,
) -> Result<()> {
    let at = ctx.out.buffers.len() + 1;
    ctx.undeferred(encode)?;
    let Some(offsets) = ctx.out.buffers.get_mut(at) else {
        return Err(Error::invalid("a layout with offsets has no offsets"));
    };
    let wide = std::mem::replace(offsets, EncodedBuffer::Whole(Buffer::default())).join()?;
    let (wide, _) = wide.as_chunks::<{ size_of::<i64>() }>();
    let mut narrow = try_with_capacity::<i32>(wide.len())?;
    for offset in wide {
        let offset = i64::from_ne_bytes(*offset);
        narrow.push(i32::try_from(offset).map_err(|_| {
            Error::invalid(format!(
                "the column has 32-bit offsets, which end at 2 GiB or 2,147,483,647 values a batch: {offset} is beyond; \
                write smaller batches"
            ))
        })?);
    }
    *offsets = as_bytes(share(narrow)).into();
    Ok(())
}

/// Bytes of a fixed width.
pub(super) fn fixed_size_binary(ctx: &mut EncodeCtx<'_>, width: usize, array: &dyn Array) -> Result<()> {
    ctx.node_and_validity(array);
    let values = match array.as_any().downcast_ref::<BinaryArray<i64>>() {
        Some(offsets) => fixed(width, offsets.len(), offsets.iter())?,
        None => {
            let views: &BinaryViewArray = down(array)?;
            fixed(width, views.len(), views.iter())?
        },
    };
    ctx.bytes(share(values));
    Ok(())
}

/// Zeros where values are null.
fn fixed<'a>(width: usize, rows: usize, values: impl Iterator<Item = Option<&'a [u8]>>) -> Result<Vec<u8>> {
    let bytes = rows.checked_mul(width).ok_or_else(|| Error::invalid("more bytes than there can be"))?;
    let mut out = try_with_capacity::<u8>(bytes)?;
    for (row, value) in values.enumerate() {
        match value {
            None => out.resize(out.len() + width, 0),
            Some(value) if value.len() == width => out.extend_from_slice(value),
            Some(value) => {
                let len = value.len();
                return Err(Error::invalid(format!(
                    "row {row} has {len} bytes, all values of the column have {width}"
                )));
            },
        }
    }
    Ok(out)
}

/// Checks that milliseconds are whole days, as the type asks for. (`Schema.fbs`, `DateUnit`)
pub(super) fn check_whole_days(array: &dyn Array) -> Result<()> {
    const DAY: i64 = 24 * 60 * 60 * 1_000;
    let array: &PrimitiveArray<i64> = down(array)?;
    match array.iter().flatten().find(|value| **value % DAY != 0) {
        None => Ok(()),
        Some(value) => Err(Error::invalid(format!(
            "the column has whole days in milliseconds: {value} is none, round it down to the day"
        ))),
    }
}

/// Integers of 64 bits in a unit that is `divisor` times as long. Zero under nulls.
pub(super) fn divided<T: NativeType + TryFrom<i64>>(
    ctx: &mut EncodeCtx<'_>,
    divisor: i64,
    array: &dyn Array,
) -> Result<()> {
    let array: &PrimitiveArray<i64> = down(array)?;
    ctx.node_and_validity(array);
    let mut out = try_with_capacity::<T>(array.len())?;
    for value in array {
        let value = value.copied().unwrap_or(0);
        let quotient = if value % divisor == 0 { T::try_from(value / divisor).ok() } else { None };
        out.push(quotient.ok_or_else(|| {
            Error::invalid(format!(
                "the column counts in units of {divisor} of the frame's units: {value} is no multiple of that, or too large"
            ))
        })?);
    }
    ctx.values(&share(out));
    Ok(())
}
