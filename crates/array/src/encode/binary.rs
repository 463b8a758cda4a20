//! Bytes with 64-bit offsets (Polars' `BinaryOffset`): offsets from zero, and the data they use.

use arrow::array::BinaryArray;
use floe_format::Result;
use polars_buffer::Buffer;

use super::EncodeCtx;

#[expect(clippy::unnecessary_wraps, reason = "as its siblings")]
pub(super) fn encode(ctx: &mut EncodeCtx<'_>, array: &BinaryArray<i64>) -> Result<()> {
    ctx.node_and_validity(array);
    let (offsets, first, last) = from_zero(array.offsets().buffer());
    ctx.values(&offsets);
    ctx.bytes(array.values().clone().sliced(first..last));
    Ok(())
}

/// Offsets shifted to start at zero, and the range they covered before.
pub(super) fn from_zero(offsets: &Buffer<i64>) -> (Buffer<i64>, usize, usize) {
    let at = |offset: Option<&i64>| offset.and_then(|o| usize::try_from(*o).ok()).unwrap_or(0);
    let (first, last) = (at(offsets.first()), at(offsets.last()));
    if first == 0 {
        return (offsets.clone(), first, last);
    }
    let base = offsets.first().copied().unwrap_or(0);
    (offsets.iter().map(|offset| offset - base).collect(), first, last)
}
