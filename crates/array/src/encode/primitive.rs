//! Fixed-width values: their buffer as it lies, or those of several arrays joined.

use arrow::array::{Array, PrimitiveArray};
use arrow::datatypes::PhysicalType;
use arrow::types::NativeType;
use arrow::with_match_primitive_type_full;
use floe_format::{Field, FieldNode, Result};

use super::{EncodeCtx, EncodedBuffer, encode_column};

pub(super) fn encode<T: NativeType>(ctx: &mut EncodeCtx<'_>, array: &dyn Array) -> Result<()> {
    let array: &PrimitiveArray<T> = super::down(array)?;
    ctx.node_and_validity(array);
    ctx.values(array.values());
    Ok(())
}

/// Appends arrays of a [plain](crate::decode::is_plain) field as one column, in which they follow one another.
///
/// # Errors
/// When they are not of such a field, or of different types.
pub fn encode_joined(ctx: &mut EncodeCtx<'_>, field: &Field, arrays: &[Box<dyn Array>]) -> Result<()> {
    let len = arrays.iter().map(|array| array.len()).sum();
    let null_count = arrays.iter().map(|array| array.null_count()).sum();
    ctx.out.nodes.push(FieldNode { len, null_count });
    let lens = |arrays: &[Box<dyn Array>]| {
        let validity = if null_count > 0 { len.div_ceil(8) } else { 0 };
        Some(vec![validity, len * width(arrays.first()?.as_ref())?])
    };
    let field = field.clone();
    ctx.make(arrays, lens, move |arrays| join(&field, arrays))
}

/// Bytes of a value.
fn width(array: &dyn Array) -> Option<usize> {
    match array.dtype().to_physical_type() {
        PhysicalType::Primitive(kind) => Some(with_match_primitive_type_full!(kind, |$T| size_of::<$T>())),
        _ => None,
    }
}

fn join(field: &Field, arrays: &[Box<dyn Array>]) -> Result<Vec<EncodedBuffer>> {
    let joined = crate::join(arrays).map_err(|error| error.at(format!("column \"{}\"", field.name)))?;
    let mut ctx = EncodeCtx::new(&[]);
    encode_column(&mut ctx, field, joined.as_ref())?;
    Ok(ctx.finish().buffers)
}
