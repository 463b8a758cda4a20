//! Offsets of strings, bytes and lists.

use arrow::offset::Offset;
use arrow::types::NativeType;
use floe_format::{Error, Result};
use polars_buffer::Buffer;

use super::ctx::{BufferRef, DecodeCtx};
use crate::validate;

/// Offsets of one part, checked: `len + 1` of them, rising, within the data.
pub(super) struct CheckedOffsets<O> {
    pub(super) offsets: Buffer<O>,
    pub(super) first: usize,
    pub(super) last: usize,
}

/// Reads the offsets of an array of `len` rows over `end` values.
pub(super) fn read_offsets<O: Offset + NativeType>(
    ctx: &DecodeCtx<'_>,
    buffer_ref: BufferRef,
    len: usize,
    end: usize,
) -> Result<CheckedOffsets<O>> {
    // Some writers leave the offsets of an empty array out.
    if len == 0 {
        return Ok(CheckedOffsets { offsets: vec![O::zero()].into(), first: 0, last: 0 });
    }
    let count = one_more(len)?;
    let offsets = ctx.fixed_at::<O>(&[buffer_ref], &[count])?;
    let (first, last) = if ctx.options().validate {
        validate::offsets(&offsets, end)?
    } else {
        (offsets[0].to_usize(), offsets[len].to_usize())
    };
    Ok(CheckedOffsets { offsets, first, last })
}

/// Offsets of `rows` rows: one more than those.
pub(super) fn one_more(rows: usize) -> Result<usize> {
    rows.checked_add(1).ok_or_else(|| Error::invalid("a length overflows"))
}
