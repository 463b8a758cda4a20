//! Bytes with 64-bit offsets (Polars' `BinaryOffset`): offsets from zero, and the data they use; nulls use none.

use std::ops::Range;

use arrow::array::BinaryArray;
use floe_format::{Error, Result};
use floe_runtime::alloc::try_with_capacity;
use polars_buffer::Buffer;

use super::buffer::EncodedBuffer;
use super::bytes::as_bytes;
use super::ctx::EncodeCtx;
use super::under_nulls;
use crate::share;

pub(super) fn encode(ctx: &mut EncodeCtx<'_>, array: &BinaryArray<i64>) -> Result<()> {
    ctx.node_and_validity(array);
    let array = under_nulls::binaries(array)?;
    let used = offsets(ctx, array.offsets().buffer())?;
    ctx.bytes(array.values().clone().sliced(used));
    Ok(())
}

/// Adds offsets, shifted to start at zero, and says which range they covered before.
pub(super) fn offsets(ctx: &mut EncodeCtx<'_>, offsets: &Buffer<i64>) -> Result<Range<usize>> {
    let (first, last) = (first_of(offsets)?, offsets.last().copied());
    let at = |offset: i64| usize::try_from(offset).map_err(|_| Error::invalid("an offset is negative"));
    // There is a last offset if there is a first one.
    let used = at(first)?..at(last.unwrap_or(first))?;
    if used.start == 0 {
        ctx.values(offsets);
        return Ok(used);
    }
    let lens = |offsets: &Buffer<i64>| Some(vec![size_of_val(offsets.as_slice())]);
    ctx.make(offsets, lens, from_zero)?;
    Ok(used)
}

/// The first offset: there is one more than rows.
fn first_of(offsets: &Buffer<i64>) -> Result<i64> {
    offsets.first().copied().ok_or_else(|| Error::invalid("an array has no offsets"))
}

fn from_zero(offsets: &Buffer<i64>) -> Result<Vec<EncodedBuffer>> {
    let base = first_of(offsets)?;
    let mut out = try_with_capacity::<i64>(offsets.len())?;
    out.extend(offsets.iter().map(|offset| offset - base));
    Ok(vec![as_bytes(share(out)).into()])
}
