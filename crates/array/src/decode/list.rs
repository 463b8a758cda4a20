//! Lists with offsets, which become lists with 64-bit offsets, and lists of one width.

use arrow::array::{Array, FixedSizeListArray, ListArray};
use arrow::bitmap::Bitmap;
use arrow::datatypes::ArrowDataType;
use arrow::offset::{Offset, OffsetsBuffer};
use arrow::types::NativeType;
use floe_format::{DataType, Error, Field, FieldNode, Result};
use floe_runtime::alloc::{byte_len, reserve_more};
use polars_buffer::Buffer;

use super::ctx::{DecodeCtx, total_len};
use super::fields::{child, nested_field};
use super::offsets::{CheckedOffsets, one_more, read_offsets};
use crate::made::boxed;
use crate::share;

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
            ctx.join(&arrays)
        },
    }
}

/// Decodes all parts into one list array. `None` if the values of the parts do not follow one another without gaps,
/// because a writer sent more values than its offsets use.
fn decode_joined<O: Offset + NativeType>(
    ctx: &mut DecodeCtx<'_>,
    child: &Field,
) -> Result<Option<Box<dyn Array>>> {
    let single = ctx.parts().len() == 1;
    let Some(ListParts { rows, validity, values: len, parts }) = lists::<O>(ctx, single)? else {
        return Ok(None);
    };
    let values = ctx.decode(child)?;
    if values.len() < len {
        return Err(few_values());
    }
    let offsets = join_offsets(ctx, parts, rows)?;
    // SAFETY: each part's offsets rise (checked by `read_offsets`) and are shifted by the number
    // of values before them.
    let offsets = unsafe { OffsetsBuffer::new_unchecked(offsets) };
    new_list(child, offsets, values, validity).map(Some)
}

/// The next lists of all parts, but for their values.
struct ListParts<O> {
    rows: usize,
    validity: Option<Bitmap>,
    /// How many values they have.
    values: usize,
    parts: Vec<CheckedOffsets<O>>,
}

/// Reads them; nothing if there are gaps between the values they use, unless those may be.
fn lists<O: Offset + NativeType>(ctx: &mut DecodeCtx<'_>, gaps: bool) -> Result<Option<ListParts<O>>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let buffer_refs = ctx.next_buffers()?;
    let rows = total_len(&nodes)?;
    let ends = peek_child_lens(ctx)?;
    let mut parts = Vec::with_capacity(nodes.len());
    for ((node, buffer_ref), end) in nodes.iter().zip(buffer_refs).zip(&ends) {
        let checked = read_offsets::<O>(ctx, buffer_ref, node.len, *end)?;
        if !gaps && (checked.first != 0 || checked.last != *end) {
            return Ok(None);
        }
        parts.push(checked);
    }
    let validity = validity.read(ctx, &nodes)?;
    Ok(Some(ListParts { rows, validity, values: ends.iter().sum(), parts }))
}

/// Adds the offsets of all parts behind the present ones, if the parts' values follow one another without gaps. `grow`
/// then adds the values. Returns the validity of the new lists.
pub(super) fn append_offsets(
    ctx: &mut DecodeCtx<'_>,
    field: &Field,
    out: &mut Vec<i64>,
    grow: &mut dyn FnMut(&mut DecodeCtx<'_>, &Field) -> Result<usize>,
) -> Result<Option<Option<Bitmap>>> {
    let child = child(field, 0)?;
    if field.data_type == DataType::LargeList {
        return append_offsets_of::<i64>(ctx, child, out, grow);
    }
    append_offsets_of::<i32>(ctx, child, out, grow)
}

fn append_offsets_of<O: Offset + NativeType>(
    ctx: &mut DecodeCtx<'_>,
    child: &Field,
    out: &mut Vec<i64>,
    grow: &mut dyn FnMut(&mut DecodeCtx<'_>, &Field) -> Result<usize>,
) -> Result<Option<Option<Bitmap>>> {
    let Some(ListParts { rows, validity, values, parts }) = lists::<O>(ctx, false)? else { return Ok(None) };
    if grow(ctx, child)? < values {
        return Err(few_values());
    }
    let more = one_more(rows)?;
    ctx.charge(byte_len::<i64>(more)?)?;
    reserve_more(out, more)?;
    if out.is_empty() {
        out.push(0);
    }
    for part in parts {
        // Neither is empty: `out` has a 0 at least, and each part an offset more than lists.
        let base = out.last().copied().unwrap_or(0);
        let last = part.offsets.last().map_or(0, ToI64::to_i64_lossless);
        base.checked_add(last).ok_or_else(|| Error::invalid("offsets overflow"))?;
        out.extend(part.offsets.iter().skip(1).map(|offset| base + offset.to_i64_lossless()));
    }
    Ok(Some(validity))
}

/// A list array of offsets that rise from 0 to the number of values.
pub(super) fn of_offsets(
    child: &Field,
    mut offsets: Vec<i64>,
    values: Box<dyn Array>,
    validity: Option<Bitmap>,
) -> Result<Box<dyn Array>> {
    if offsets.is_empty() {
        offsets.push(0);
    }
    // SAFETY: `append_offsets_of` made them, each part's rising (checked by `read_offsets`) and shifted by
    // the number of values before.
    let offsets = unsafe { OffsetsBuffer::new_unchecked(share(offsets)) };
    new_list(child, offsets, values, validity)
}

fn few_values() -> Error {
    Error::invalid("a list has fewer values than its field node says")
}

pub(super) fn new_list(
    child: &Field,
    offsets: OffsetsBuffer<i64>,
    values: Box<dyn Array>,
    validity: Option<Bitmap>,
) -> Result<Box<dyn Array>> {
    let item = nested_field(ITEM, child, values.as_ref());
    let dtype = ArrowDataType::LargeList(Box::new(item));
    let array = ListArray::<i64>::try_new(dtype, offsets, values, validity);
    boxed(array)
}

/// The lengths of the array that comes next, without taking its nodes.
fn peek_child_lens(ctx: &mut DecodeCtx<'_>) -> Result<Vec<usize>> {
    let mark = ctx.mark();
    let nodes = ctx.nodes()?;
    ctx.rewind(mark);
    total_len(&nodes)?;
    Ok(nodes.iter().map(|node| node.len).collect())
}

fn join_offsets<O: Offset + NativeType>(
    ctx: &DecodeCtx<'_>,
    mut parts: Vec<CheckedOffsets<O>>,
    rows: usize,
) -> Result<Buffer<i64>> {
    // A single part with 64-bit offsets is what Polars wants already.
    if parts.len() == 1
        && let Some(part) = parts.pop()
    {
        return match part.offsets.try_transmute::<i64>() {
            Ok(offsets) if size_of::<O>() == 8 => Ok(offsets),
            Ok(other) => {
                widen(ctx, &[(0, other.try_transmute::<O>().map_err(|_| Error::invalid("offsets"))?)], rows)
            },
            Err(offsets) => widen(ctx, &[(0, offsets)], rows),
        };
    }
    let mut base = 0i64;
    let mut shifted = Vec::with_capacity(parts.len());
    for part in parts {
        // Each part has an offset more than lists.
        let last = part.offsets.last().map_or(0, ToI64::to_i64_lossless);
        shifted.push((base, part.offsets));
        base = base.checked_add(last).ok_or_else(|| Error::invalid("offsets overflow"))?;
    }
    widen(ctx, &shifted, rows)
}

fn widen<O: Offset>(ctx: &DecodeCtx<'_>, parts: &[(i64, Buffer<O>)], rows: usize) -> Result<Buffer<i64>> {
    let mut out = ctx.vec::<i64>(one_more(rows)?)?;
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
        return ctx.join(&arrays);
    }
    let values = ctx.decode(child)?;
    let need = rows.checked_mul(width).ok_or_else(|| Error::invalid("lengths overflow"))?;
    if values.len() < need {
        return Err(Error::invalid("a fixed-size list has fewer values than its field node says"));
    }
    let validity = validity.read(ctx, &nodes)?;
    let values = if values.len() == need { values } else { values.sliced(0, need) };
    let item = nested_field(ITEM, child, values.as_ref());
    let dtype = ArrowDataType::FixedSizeList(Box::new(item), width);
    let array = FixedSizeListArray::try_new(dtype, rows, values, validity);
    boxed(array)
}

pub(super) fn values_of(node: &FieldNode, width: usize) -> Result<usize> {
    node.len.checked_mul(width).ok_or_else(|| Error::invalid("the length of a fixed-size array overflows"))
}
