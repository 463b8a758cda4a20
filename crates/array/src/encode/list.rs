//! Lists: offsets from zero and exactly the values they use; those behind nulls are [left out](super::under_nulls).

use arrow::array::{FixedSizeListArray, ListArray};
use floe_format::{Error, Field, Result};

use super::binary::offsets;
use super::ctx::EncodeCtx;
use super::dispatch::check_nulls;
use super::under_nulls;

pub(super) fn encode(ctx: &mut EncodeCtx<'_>, field: &Field, array: &ListArray<i64>) -> Result<()> {
    ctx.node_and_validity(array);
    let array = under_nulls::lists(array)?;
    let used = offsets(ctx, array.offsets().buffer())?;
    let values = array.values();
    let field = child(field)?;
    if used == (0..values.len()) {
        check_nulls(field, values.as_ref(), None)?;
        return ctx.encode(field, values.as_ref());
    }
    let values = values.sliced(used.start, used.len());
    check_nulls(field, values.as_ref(), None)?;
    ctx.encode(field, values.as_ref())
}

pub(super) fn encode_fixed(ctx: &mut EncodeCtx<'_>, field: &Field, array: &FixedSizeListArray) -> Result<()> {
    ctx.node_and_validity(array);
    let field = child(field)?;
    check_nulls(field, array.values().as_ref(), under_nulls::item_validity(array).as_ref())?;
    ctx.encode(field, under_nulls::items(array).as_ref())
}

fn child(field: &Field) -> Result<&Field> {
    field.children.first().ok_or_else(|| Error::invalid(format!("field \"{}\" has no child", field.name)))
}
