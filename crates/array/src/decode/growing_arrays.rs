//! The arrays of one column, batch after batch: the last one grows, if its layout is simple.
#![warn(clippy::wildcard_enum_match_arm)]

use arrow::array::{Array, PrimitiveArray};
use arrow::bitmap::Bitmap;
use arrow::datatypes::{PhysicalType, PrimitiveType};
use arrow::types::NativeType;
use arrow::with_match_primitive_type_full;
use floe_format::{DictionaryEncoding, Field, Result};

use super::append::{append, growable, join_validity, not_that_layout, own};
use super::ctx::{DecodeCtx, lens};
use super::dispatch::empty_values;
use super::fields::is_plain;
use super::options::Unrepresentable;
use super::{keys, primitive};
use crate::join::cost;
use crate::lookup::Dictionaries;

/// Decodes the context's next column and adds its rows: to the last array, if its layout is simple, else as another.
pub(super) fn append_column(
    ctx: &mut DecodeCtx<'_>,
    field: &Field,
    mut arrays: Vec<Box<dyn Array>>,
) -> Result<Vec<Box<dyn Array>>> {
    let last = match arrays.pop() {
        Some(last) => last,
        // Room for more from the start, unless the values stay where they are.
        None if is_plain(field) && ctx.is_compressed() => {
            empty_values(field, &Dictionaries::default(), Unrepresentable::default())?
        },
        None => return Ok(vec![ctx.decode(field)?]),
    };
    match grow_last(ctx, field, last)? {
        Ok(array) => arrays.push(array),
        Err(known) => {
            arrays.extend(append(known, ctx.decode(field)?)?);
            // They are joined at the end, where there is no budget: that is charged now.
            if let [others @ .., before, last] = arrays.as_slice() {
                let before = if others.is_empty() { cost(before.as_ref()) } else { 0 };
                ctx.charge(cost(last.as_ref()).saturating_add(before))?;
            }
        },
    }
    Ok(arrays)
}

/// Decodes the context's next column behind the values of an array, if its layout is simple. `Err` with the same array, and
/// nothing decoded, if not.
fn grow_last(ctx: &mut DecodeCtx<'_>, field: &Field, last: Box<dyn Array>) -> Result<Appended> {
    let PhysicalType::Primitive(kind) = last.dtype().to_physical_type() else { return Ok(Err(last)) };
    if let Some(encoding) = &field.dictionary {
        return grow_keys(ctx, encoding, kind, last);
    }
    if !is_plain(field) {
        return Ok(Err(last));
    }
    with_match_primitive_type_full!(kind, |$T| append_primitives::<$T, _>(last, |known| {
        let nodes = ctx.nodes()?;
        let validity = ctx.validity()?;
        *known = ctx.append_fixed(std::mem::take(known), &lens(&nodes))?;
        validity.read(ctx, &nodes).map(Some)
    }))
}

/// As [`grow_last`], for keys of a dictionary that have become categories.
fn grow_keys(
    ctx: &mut DecodeCtx<'_>,
    encoding: &DictionaryEncoding,
    kind: PrimitiveType,
    last: Box<dyn Array>,
) -> Result<Appended> {
    match kind {
        PrimitiveType::UInt8 => {
            append_primitives::<u8, _>(last, |known| keys::append_categories(ctx, encoding, known))
        },
        PrimitiveType::UInt16 => {
            append_primitives::<u16, _>(last, |known| keys::append_categories(ctx, encoding, known))
        },
        PrimitiveType::UInt32 => {
            append_primitives::<u32, _>(last, |known| keys::append_categories(ctx, encoding, known))
        },
        PrimitiveType::Int8
        | PrimitiveType::Int16
        | PrimitiveType::Int32
        | PrimitiveType::Int64
        | PrimitiveType::Int128
        | PrimitiveType::Int256
        | PrimitiveType::UInt64
        | PrimitiveType::UInt128
        | PrimitiveType::Float16
        | PrimitiveType::Float32
        | PrimitiveType::Float64
        | PrimitiveType::DaysMs
        | PrimitiveType::MonthDayNano
        | PrimitiveType::MonthDayMillis => Ok(Err(last)),
    }
}

/// The longer array, or the one there was, if it cannot grow.
type Appended = std::result::Result<Box<dyn Array>, Box<dyn Array>>;

/// Has `onto` append values to an array's. `Err` with the same array if `onto` says `None`: it cannot.
fn append_primitives<T: NativeType, F>(array: Box<dyn Array>, onto: F) -> Result<Appended>
where
    F: FnOnce(&mut Vec<T>) -> Result<Option<Option<Bitmap>>>,
{
    let array: PrimitiveArray<T> = own(array).map_err(|_| not_that_layout())?;
    let (_, values, known) = array.into_inner();
    let before = values.len();
    let mut values = growable(values)?;
    let Some(more) = onto(&mut values)? else { return Ok(Err(primitive::array(values.into(), known)?)) };
    let validity = join_validity((known, before), (more, values.len() - before));
    primitive::array(values.into(), validity).map(Ok)
}
