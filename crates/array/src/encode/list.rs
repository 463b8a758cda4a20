//! Lists: offsets from zero and exactly the values they use; those behind nulls are [left out](super::under_nulls).

use arrow::array::{FixedSizeListArray, ListArray};
use floe_format::{Field, Result};

use super::binary::offsets;
use super::{EncodeCtx, child, under_nulls};

pub(super) fn encode(ctx: &mut EncodeCtx<'_>, field: &Field, array: &ListArray<i64>) -> Result<()> {
    ctx.node_and_validity(array);
    let array = under_nulls::lists(array)?;
    let used = offsets(ctx, array.offsets().buffer())?;
    let values = array.values();
    let field = child(field)?;
    if used == (0..values.len()) {
        return super::encode(ctx, field, values.as_ref());
    }
    super::encode(ctx, field, values.sliced(used.start, used.len()).as_ref())
}

pub(super) fn encode_fixed(ctx: &mut EncodeCtx<'_>, field: &Field, array: &FixedSizeListArray) -> Result<()> {
    ctx.node_and_validity(array);
    super::encode(ctx, child(field)?, under_nulls::items(array).as_ref())
}
