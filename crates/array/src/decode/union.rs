//! Unions, which Polars lacks: a struct of the type id and, for each child, a field that is null
//! where another child is selected.

use std::borrow::Cow;

use arrow::array::{Array, PrimitiveArray, StructArray};
use arrow::datatypes::{ArrowDataType, Field as ArrowField};
use floe_format::{Error, Field, Result, UnionMode, Version};
use polars_buffer::Buffer;
use polars_utils::IdxSize;

use super::ctx::{DecodeCtx, index, total_len};
use super::fields::nested_field;
use super::struct_::distinct;
use crate::made::boxed;

/// The field of the struct that says which child a row selects.
pub(super) const TYPE_ID: &str = "type_id";

/// The names of the struct that a union becomes.
#[must_use]
pub fn field_names(children: &[Field]) -> Vec<Cow<'_, str>> {
    distinct(std::iter::once(TYPE_ID).chain(children.iter().map(|child| child.name.as_str())))
}

pub(super) fn decode(
    ctx: &mut DecodeCtx<'_>,
    children: &[Field],
    mode: UnionMode,
    type_ids: &[i8],
) -> Result<Box<dyn Array>> {
    let arrays = ctx.each_part(|ctx| decode_part(ctx, children, mode, type_ids))?;
    ctx.join(&arrays)
}

fn decode_part(
    ctx: &mut DecodeCtx<'_>,
    children: &[Field],
    mode: UnionMode,
    ids: &[i8],
) -> Result<Box<dyn Array>> {
    let nodes = ctx.nodes()?;
    // Before 1.0 unions had a validity bitmap.
    let validity = if ctx.options().version == Version::V4 { Some(ctx.validity()?) } else { None };
    let rows = total_len(&nodes)?;
    let types = ctx.fixed::<i8>(&[rows])?;
    let validity = validity.map_or(Ok(None), |validity| validity.read(ctx, &nodes))?;
    if let Some(unknown) = types.iter().find(|t| !ids.contains(t)) {
        return Err(Error::invalid(format!("a union has no child of type {unknown}")));
    }
    let offsets = match mode {
        UnionMode::Dense => Some(ctx.fixed::<i32>(&[rows])?),
        UnionMode::Sparse => None,
    };
    let mut values: Vec<Box<dyn Array>> = Vec::with_capacity(children.len() + 1);
    values.push(Box::new(PrimitiveArray::new(ArrowDataType::Int8, types.clone(), None)));
    for (child, id) in children.iter().zip(ids) {
        let at = || format!("field \"{}\"", child.name);
        let array = ctx.decode(child).map_err(|error| error.at(at()))?;
        values.push(
            select(ctx, array.as_ref(), &types, offsets.as_ref(), *id).map_err(|error| error.at(at()))?,
        );
    }
    let mut names = field_names(children).into_iter();
    let mut fields = Vec::with_capacity(values.len());
    // `field_names` begins with it.
    let type_id = names.next().unwrap_or(Cow::Borrowed(TYPE_ID));
    fields.push(ArrowField::new(type_id.into(), ArrowDataType::Int8, true));
    for ((name, child), array) in names.zip(children).zip(values.iter().skip(1)) {
        fields.push(nested_field(&name, child, array.as_ref()));
    }
    let array = StructArray::try_new(ArrowDataType::Struct(fields), rows, values, validity);
    boxed(array)
}

/// The child's values in the rows that select it, null in the others.
fn select(
    ctx: &DecodeCtx<'_>,
    child: &dyn Array,
    types: &Buffer<i8>,
    offsets: Option<&Buffer<i32>>,
    id: i8,
) -> Result<Box<dyn Array>> {
    let mut indices = ctx.vec::<IdxSize>(types.len())?;
    let mut selected = ctx.bits_for(types.len())?;
    for (row, kind) in types.iter().enumerate() {
        selected.push(*kind == id);
        if *kind != id {
            indices.push(0);
            continue;
        }
        let at = match offsets {
            None => row,
            Some(offsets) => {
                usize::try_from(offsets[row]).map_err(|_| Error::invalid("a union offset is negative"))?
            },
        };
        if at >= child.len() {
            return Err(Error::invalid(format!("a union points at value {at} of {}", child.len())));
        }
        indices.push(index(at)?);
    }
    ctx.gather(child, &indices, Some(&selected.freeze()))
}
