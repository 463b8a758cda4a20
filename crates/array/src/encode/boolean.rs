//! Booleans: two bitmaps.

use arrow::array::BooleanArray;
use floe_format::Result;

use super::EncodeCtx;

#[expect(clippy::unnecessary_wraps, reason = "as its siblings")]
pub(super) fn encode(ctx: &mut EncodeCtx<'_>, array: &BooleanArray) -> Result<()> {
    ctx.node_and_validity(array);
    ctx.bits(array.values());
    Ok(())
}
