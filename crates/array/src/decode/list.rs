//! Lists: with offsets, of one width, and list views. All become lists with 64-bit offsets, or
//! fixed-size ones.

use arrow::array::{Array, FixedSizeListArray, ListArray};
use arrow::bitmap::Bitmap;
use arrow::datatypes::ArrowDataType;
use arrow::offset::{Offset, OffsetsBuffer};
use arrow::types::NativeType;
use floe_format::{DataType, Error, Field, FieldNode, Result};
use polars_buffer::Buffer;

use super::binary::{Checked, read_offsets};
use super::ctx::total_len;
use super::fixed::{gather, index};
use super::{DecodeCtx, nested_field};
use crate::aligned::{byte_len, reserve_more, try_with_capacity};
use crate::join;
use crate::recycle::share;

/// Polars' name for the values of lists.
const ITEM: &str = "item";

pub(super) fn decode<O: Offset + NativeType>(
    ctx: &mut DecodeCtx<'_>,
    child: &Field,
) -> Result<Box<dyn Array>> {
    let mark = ctx.mark();
    match decode_joined::<O>(ctx, child)? {
        Some(array) => Ok(array),
        None => {
            ctx.rewind(mark);
            let arrays = ctx.each_part(|ctx| {
                decode_joined::<O>(ctx, child)?.ok_or_else(|| Error::invalid("a single part always joins"))
            })?;
            join(&arrays)
        },
    }
}

/// Decodes all parts into one list, or nothing if their values do not follow one another without
/// gaps, as they do not when a writer sent more values than its offsets use.
fn decode_joined<O: Offset + NativeType>(
    ctx: &mut DecodeCtx<'_>,
    child: &Field,
) -> Result<Option<Box<dyn Array>>> {
    let single = ctx.parts().len() == 1;
    let Some(Lists { rows, validity, values: len, parts }) = lists::<O>(ctx, single)? else {
        return Ok(None);
    };
    let values = super::decode(ctx, child)?;
    if values.len() < len {
        return Err(few_values());
    }
    let offsets = join_offsets(parts, rows)?;
    // SAFETY: each part's offsets rise (checked by `read_offsets`) and are shifted by the number
    // of values before them.
    let offsets = unsafe { OffsetsBuffer::new_unchecked(offsets) };
    new_list(child, offsets, values, validity).map(Some)
}

/// The next lists of all parts, but for their values.
struct Lists<O> {
    rows: usize,
    validity: Option<Bitmap>,
    /// How many values they have.
    values: usize,
    parts: Vec<Checked<O>>,
}

/// Reads them; nothing if there are gaps between the values they use, unless those may be.
fn lists<O: Offset + NativeType>(ctx: &mut DecodeCtx<'_>, gaps: bool) -> Result<Option<Lists<O>>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let slots = ctx.slots()?;
    let rows = total_len(&nodes)?;
    let ends = peek_child_lens(ctx)?;
    let mut parts = Vec::with_capacity(nodes.len());
    for ((node, slot), end) in nodes.iter().zip(slots).zip(&ends) {
        let checked = read_offsets::<O>(ctx, slot, node.len, *end)?;
        if !gaps && (checked.first != 0 || checked.last != *end) {
            return Ok(None);
        }
        parts.push(checked);
    }
    let validity = validity.read(ctx, &nodes)?;
    Ok(Some(Lists { rows, validity, values: ends.iter().sum(), parts }))
}

/// Adds the offsets of all parts behind those there are, if the parts' values follow one another
/// without gaps, and has `grow` add the values; returns the validity of the new lists.
pub(super) fn onto(
    ctx: &mut DecodeCtx<'_>,
    field: &Field,
    out: &mut Vec<i64>,
    grow: &mut dyn FnMut(&mut DecodeCtx<'_>, &Field) -> Result<usize>,
) -> Result<Option<Option<Bitmap>>> {
    let child = super::child(field, 0)?;
    if field.data_type == DataType::LargeList {
        return offsets_onto::<i64>(ctx, child, out, grow);
    }
    offsets_onto::<i32>(ctx, child, out, grow)
}

fn offsets_onto<O: Offset + NativeType>(
    ctx: &mut DecodeCtx<'_>,
    child: &Field,
    out: &mut Vec<i64>,
    grow: &mut dyn FnMut(&mut DecodeCtx<'_>, &Field) -> Result<usize>,
) -> Result<Option<Option<Bitmap>>> {
    let Some(Lists { rows, validity, values, parts }) = lists::<O>(ctx, false)? else { return Ok(None) };
    if grow(ctx, child)? < values {
        return Err(few_values());
    }
    reserve_more(out, rows + 1)?;
    if out.is_empty() {
        out.push(0);
    }
    for part in parts {
        let base = out.last().copied().unwrap_or(0);
        let last = part.offsets.last().map_or(0, ToI64::to_i64_lossless);
        base.checked_add(last).ok_or_else(|| Error::invalid("offsets overflow"))?;
        out.extend(part.offsets.iter().skip(1).map(|offset| base + offset.to_i64_lossless()));
    }
    Ok(Some(validity))
}

/// A list array of offsets that rise from 0 to as many values as there are.
pub(super) fn of_offsets(
    child: &Field,
    mut offsets: Vec<i64>,
    values: Box<dyn Array>,
    validity: Option<Bitmap>,
) -> Result<Box<dyn Array>> {
    if offsets.is_empty() {
        offsets.push(0);
    }
    // SAFETY: `offsets_onto` made them, each part's rising (checked by `read_offsets`) and shifted by
    // the number of values before.
    let offsets = unsafe { OffsetsBuffer::new_unchecked(share(offsets)) };
    new_list(child, offsets, values, validity)
}

fn few_values() -> Error {
    Error::invalid("a list has fewer values than its field node says")
}

fn new_list(
    child: &Field,
    offsets: OffsetsBuffer<i64>,
    values: Box<dyn Array>,
    validity: Option<Bitmap>,
) -> Result<Box<dyn Array>> {
    let item = nested_field(ITEM, child, values.as_ref());
    let dtype = ArrowDataType::LargeList(Box::new(item));
    let array = ListArray::<i64>::try_new(dtype, offsets, values, validity);
    Ok(Box::new(array.map_err(|e| Error::invalid(e.to_string()))?))
}

/// The lengths of the array that comes next, without taking its nodes.
fn peek_child_lens(ctx: &mut DecodeCtx<'_>) -> Result<Vec<usize>> {
    let mark = ctx.mark();
    let nodes = ctx.nodes()?;
    ctx.rewind(mark);
    total_len(&nodes)?;
    Ok(nodes.iter().map(|node| node.len).collect())
}

fn join_offsets<O: Offset + NativeType>(mut parts: Vec<Checked<O>>, rows: usize) -> Result<Buffer<i64>> {
    // A single part with 64-bit offsets is what Polars wants already.
    if parts.len() == 1
        && let Some(part) = parts.pop()
    {
        return match part.offsets.try_transmute::<i64>() {
            Ok(offsets) if size_of::<O>() == 8 => Ok(offsets),
            Ok(other) => {
                widen(&[(0, other.try_transmute::<O>().map_err(|_| Error::invalid("offsets"))?)], rows)
            },
            Err(offsets) => widen(&[(0, offsets)], rows),
        };
    }
    let mut base = 0i64;
    let mut shifted = Vec::with_capacity(parts.len());
    for part in parts {
        let last = part.offsets.last().map_or(0, ToI64::to_i64_lossless);
        shifted.push((base, part.offsets));
        base = base.checked_add(last).ok_or_else(|| Error::invalid("offsets overflow"))?;
    }
    widen(&shifted, rows)
}

fn widen<O: Offset>(parts: &[(i64, Buffer<O>)], rows: usize) -> Result<Buffer<i64>> {
    let mut out = try_with_capacity::<i64>(rows + 1)?;
    for (base, offsets) in parts {
        let skip = usize::from(!out.is_empty());
        out.extend(offsets.iter().skip(skip).map(|o| base + o.to_i64_lossless()));
    }
    Ok(share(out))
}

/// Offsets of either width as `i64`.
trait ToI64 {
    fn to_i64_lossless(&self) -> i64;
}

impl<O: Offset> ToI64 for O {
    #[expect(clippy::cast_possible_wrap, reason = "offsets are at most i64::MAX")]
    fn to_i64_lossless(&self) -> i64 {
        self.to_usize() as i64
    }
}

/// Lists of one width.
pub(super) fn decode_fixed(ctx: &mut DecodeCtx<'_>, child: &Field, width: usize) -> Result<Box<dyn Array>> {
    let mark = ctx.mark();
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let rows = total_len(&nodes)?;
    if width == 0 {
        ctx.free_rows(&nodes)?;
    }
    let ends = peek_child_lens(ctx)?;
    let mut exact = true;
    for (node, end) in nodes.iter().zip(&ends) {
        let need = values_of(node, width)?;
        if *end < need {
            return Err(Error::invalid(format!(
                "{} lists of {width} need {need} values, {end} are there",
                node.len
            )));
        }
        exact &= *end == need;
    }
    if nodes.len() > 1 && !exact {
        ctx.rewind(mark);
        let arrays = ctx.each_part(|ctx| decode_fixed(ctx, child, width))?;
        return join(&arrays);
    }
    let values = super::decode(ctx, child)?;
    let need = rows.checked_mul(width).ok_or_else(|| Error::invalid("lengths overflow"))?;
    if values.len() < need {
        return Err(Error::invalid("a fixed-size list has fewer values than its field node says"));
    }
    let validity = validity.read(ctx, &nodes)?;
    let values = if values.len() == need { values } else { values.sliced(0, need) };
    let item = nested_field(ITEM, child, values.as_ref());
    let dtype = ArrowDataType::FixedSizeList(Box::new(item), width);
    let array = FixedSizeListArray::try_new(dtype, rows, values, validity);
    Ok(Box::new(array.map_err(|e| Error::invalid(e.to_string()))?))
}

fn values_of(node: &FieldNode, width: usize) -> Result<usize> {
    node.len.checked_mul(width).ok_or_else(|| Error::invalid("the length of a fixed-size list overflows"))
}

/// List views: offsets and sizes in any order. The values are gathered into list order.
pub(super) fn decode_view<O: Offset + NativeType>(
    ctx: &mut DecodeCtx<'_>,
    child: &Field,
) -> Result<Box<dyn Array>> {
    let arrays = ctx.each_part(|ctx| {
        let nodes = ctx.nodes()?;
        let validity = ctx.validity()?;
        let rows = [total_len(&nodes)?];
        let starts = ctx.fixed::<O>(&rows)?;
        let sizes = ctx.fixed::<O>(&rows)?;
        let validity = validity.read(ctx, &nodes)?;
        let values = super::decode(ctx, child)?;
        let is_null = |i: usize| validity.as_ref().is_some_and(|v| v.get(i) == Some(false));
        let mut offsets = try_with_capacity::<i64>(rows[0] + 1)?;
        offsets.push(0i64);
        let mut total = 0usize;
        let mut in_order = true;
        for (i, (start, size)) in starts.iter().zip(sizes.iter()).enumerate() {
            let mut count = 0;
            if !is_null(i) {
                let outside =
                    || Error::invalid("a list view lies outside of its values").at(format!("row {i}"));
                if *start < O::zero() || *size < O::zero() {
                    return Err(outside());
                }
                let end = start.to_usize().checked_add(size.to_usize()).ok_or_else(outside)?;
                if end > values.len() {
                    return Err(outside());
                }
                count = size.to_usize();
                in_order &= count == 0 || start.to_usize() == total;
            }
            total = total.checked_add(count).ok_or_else(|| Error::invalid("list views overflow"))?;
            offsets.push(i64::try_from(total).map_err(|_| Error::invalid("list views overflow"))?);
        }
        let values = if in_order {
            values
        } else {
            // Views may overlap, so this can be more than the values there are.
            ctx.charge(byte_len::<u32>(total)?)?;
            let mut indices = try_with_capacity(total)?;
            for (i, (start, size)) in starts.iter().zip(sizes.iter()).enumerate() {
                if !is_null(i) {
                    for row in start.to_usize()..start.to_usize() + size.to_usize() {
                        indices.push(index(row)?);
                    }
                }
            }
            gather(ctx, values.as_ref(), indices, None)?
        };
        // SAFETY: the offsets are running sums of non-negative sizes.
        let offsets = unsafe { OffsetsBuffer::new_unchecked(share(offsets)) };
        new_list(child, offsets, values, validity)
    })?;
    join(&arrays)
}
