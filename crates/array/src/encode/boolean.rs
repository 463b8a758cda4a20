//! Booleans: two bitmaps.

use arrow::array::BooleanArray;
use arrow::bitmap::and;
use floe_format::Result;

use super::ctx::EncodeCtx;

#[expect(clippy::unnecessary_wraps, reason = "as its siblings")]
pub(super) fn encode(ctx: &mut EncodeCtx<'_>, array: &BooleanArray) -> Result<()> {
    ctx.node_and_validity(array);
    match array.validity().filter(|validity| validity.unset_bits() > 0) {
        Some(validity) if !ctx.unreferenced_data => ctx.bits(&and(array.values(), validity)),
        _ => ctx.bits(array.values()),
    }
    Ok(())
}
