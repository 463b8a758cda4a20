//! Lists: offsets from zero and exactly the values they use; those behind nulls are [left out](super::under_nulls).

use arrow::array::{FixedSizeListArray, ListArray};
use floe_format::{Error, Field, Result};

use super::binary::offsets;
use super::ctx::EncodeCtx;
use super::under_nulls;

pub(super) fn encode(ctx: &mut EncodeCtx<'_>, field: &Field, array: &ListArray<i64>) -> Result<()> {
    ctx.node_and_validity(array);
    let array = under_nulls::lists(array)?;
    let used = offsets(ctx, array.offsets().buffer())?;
    let values = array.values();
    let field = child(field)?;
    if used == (0..values.len()) {
        return ctx.encode(field, values.as_ref());
    }
    ctx.encode(field, values.sliced(used.start, used.len()).as_ref())
}

pub(super) fn encode_fixed(ctx: &mut EncodeCtx<'_>, field: &Field, array: &FixedSizeListArray) -> Result<()> {
    ctx.node_and_validity(array);
    ctx.encode(child(field)?, under_nulls::items(array).as_ref())
}

fn child(field: &Field) -> Result<&Field> {
    field.children.first().ok_or_else(|| Error::invalid(format!("field \"{}\" has no child", field.name)))
}
