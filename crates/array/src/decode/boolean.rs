//! Booleans: a validity bitmap and a bitmap of values.

use arrow::array::{Array, BooleanArray};
use arrow::datatypes::ArrowDataType;
use floe_format::Result;

use super::ctx::DecodeCtx;

pub(super) fn decode(ctx: &mut DecodeCtx<'_>) -> Result<Box<dyn Array>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let values = ctx.bitmap(&nodes)?;
    let validity = validity.read(ctx, &nodes)?;
    Ok(Box::new(BooleanArray::new(ArrowDataType::Boolean, values, validity)))
}
