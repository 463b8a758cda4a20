//! Null arrays: a length and nothing else.

use arrow::array::{Array, NullArray};
use arrow::datatypes::ArrowDataType;
use floe_format::Result;

use super::ctx::{DecodeCtx, total_len};

pub(super) fn decode(ctx: &mut DecodeCtx<'_>) -> Result<Box<dyn Array>> {
    let nodes = ctx.nodes()?;
    let len = total_len(&nodes)?;
    ctx.free_rows(&nodes)?;
    Ok(Box::new(NullArray::new(ArrowDataType::Null, len)))
}
