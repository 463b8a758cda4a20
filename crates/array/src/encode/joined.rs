//! Several arrays as one column, without joining them first where that can wait.

use arrow::array::Array;
use arrow::datatypes::PhysicalType;
use floe_format::{Error, Field, FieldNode, Place, Result};

use super::buffer::EncodedBuffer;
use super::ctx::EncodeCtx;
use super::dispatch::encode_column;
use crate::decode::is_plain;
use crate::made::primitive_width;

/// Appends arrays of a [plain](crate::decode::is_plain) field as one column, in which they follow one another.
///
/// # Errors
/// When they are not of such a field, or of different types.
pub fn encode_joined(ctx: &mut EncodeCtx<'_>, field: &Field, arrays: &[Box<dyn Array>]) -> Result<()> {
    if !is_plain(field) {
        return Err(Error::invalid(format!("field \"{}\" is not of a plain type", field.name)));
    }
    let len = arrays.iter().map(|array| array.len()).sum();
    let null_count = arrays.iter().map(|array| array.null_count()).sum();
    ctx.out.nodes.push(FieldNode { len, null_count });
    let lens = |arrays: &[Box<dyn Array>]| {
        let validity = if null_count > 0 { len.div_ceil(8) } else { 0 };
        Some(vec![validity, len * width(arrays.first()?.as_ref())?])
    };
    let (field, unreferenced_data) = (field.clone(), ctx.unreferenced_data);
    ctx.make(arrays, lens, move |arrays| join(&field, arrays, unreferenced_data))
}

/// Bytes of a value, if all have the same width.
fn width(array: &dyn Array) -> Option<usize> {
    let PhysicalType::Primitive(kind) = array.dtype().to_physical_type() else { return None };
    Some(primitive_width(kind))
}

fn join(field: &Field, arrays: &[Box<dyn Array>], unreferenced_data: bool) -> Result<Vec<EncodedBuffer>> {
    let joined = crate::join(arrays).map_err(|error| error.at(Place::Column(field.name.to_string())))?;
    let mut ctx = EncodeCtx::new(&[]).with_unreferenced_data(unreferenced_data);
    encode_column(&mut ctx, field, joined.as_ref())?;
    Ok(ctx.finish().buffers)
}
