//! Bytes with 64-bit offsets (Polars' `BinaryOffset`): offsets from zero, and the data they use; nulls use none.

use std::ops::Range;

use arrow::array::BinaryArray;
use floe_format::Result;
use polars_buffer::Buffer;

use super::{EncodeCtx, EncodedBuffer, as_bytes, under_nulls};
use crate::aligned::try_with_capacity;
use crate::recycle::share;

pub(super) fn encode(ctx: &mut EncodeCtx<'_>, array: &BinaryArray<i64>) -> Result<()> {
    ctx.node_and_validity(array);
    let array = under_nulls::binaries(array)?;
    let used = offsets(ctx, array.offsets().buffer())?;
    ctx.bytes(array.values().clone().sliced(used));
    Ok(())
}

/// Adds offsets, shifted to start at zero, and says which range they covered before.
pub(super) fn offsets(ctx: &mut EncodeCtx<'_>, offsets: &Buffer<i64>) -> Result<Range<usize>> {
    let at = |offset: Option<&i64>| offset.and_then(|o| usize::try_from(*o).ok()).unwrap_or(0);
    let used = at(offsets.first())..at(offsets.last());
    if used.start == 0 {
        ctx.values(offsets);
        return Ok(used);
    }
    let lens = |offsets: &Buffer<i64>| Some(vec![size_of_val(offsets.as_slice())]);
    ctx.make(offsets, lens, from_zero)?;
    Ok(used)
}

fn from_zero(offsets: &Buffer<i64>) -> Result<Vec<EncodedBuffer>> {
    let base = offsets.first().copied().unwrap_or(0);
    let mut out = try_with_capacity::<i64>(offsets.len())?;
    out.extend(offsets.iter().map(|offset| offset - base));
    Ok(vec![as_bytes(share(out)).into()])
}
