//! Fixed-width values: their buffer as it lies.

use arrow::array::{Array, PrimitiveArray};
use arrow::types::NativeType;
use floe_format::Result;

use super::{EncodeCtx, down};

pub(super) fn encode<T: NativeType>(ctx: &mut EncodeCtx<'_>, array: &dyn Array) -> Result<()> {
    let array: &PrimitiveArray<T> = down(array)?;
    ctx.node_and_validity(array);
    ctx.values(array.values());
    Ok(())
}
