//! Unions, which Polars lacks: a struct of the type id and, for each child, a field that is null
//! where another child is selected.

use std::borrow::Cow;

use arrow::array::{Array, PrimitiveArray, StructArray};
use arrow::bitmap::Bitmap;
use arrow::datatypes::{ArrowDataType, Field as ArrowField};
use floe_format::{Error, Field, Result, UnionMode, Version};
use polars_buffer::Buffer;
use polars_utils::IdxSize;

use super::DecodeCtx;
use super::ctx::total_len;
use super::fixed::{gather, index};
use super::struct_::distinct;
use crate::aligned::{byte_len, try_with_capacity};
use crate::join;

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
    join(&arrays)
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
        let array = super::decode(ctx, child).map_err(|error| error.at(at()))?;
        values.push(
            select(ctx, array.as_ref(), &types, offsets.as_ref(), *id).map_err(|error| error.at(at()))?,
        );
    }
    let fields = field_names(children).into_iter().zip(&values);
    let fields = fields.map(|(name, array)| ArrowField::new(name.into(), array.dtype().clone(), true));
    let array = StructArray::try_new(ArrowDataType::Struct(fields.collect()), rows, values, validity);
    Ok(Box::new(array.map_err(|e| Error::invalid(e.to_string()))?))
}

/// The child's values in the rows that select it, null in the others.
fn select(
    ctx: &DecodeCtx<'_>,
    child: &dyn Array,
    types: &Buffer<i8>,
    offsets: Option<&Buffer<i32>>,
    id: i8,
) -> Result<Box<dyn Array>> {
    ctx.charge(byte_len::<IdxSize>(types.len())?)?;
    let mut indices = try_with_capacity::<IdxSize>(types.len())?;
    for (row, kind) in types.iter().enumerate() {
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
    let selected: Bitmap = types.iter().map(|kind| *kind == id).collect();
    if child.is_empty() {
        // Nothing selects it: all null, and nothing to gather from.
        ctx.unbacked_rows(types.len())?;
        return Ok(arrow::array::new_null_array(child.dtype().clone(), types.len()));
    }
    gather(ctx, child, indices, Some(selected))
}
