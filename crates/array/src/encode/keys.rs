//! Dictionary keys: renumbered to the positions of their categories in the dictionary written.

use std::sync::Arc;

use arrow::array::{Array, PrimitiveArray};
use arrow::bitmap::Bitmap;
use arrow::types::NativeType;
use floe_format::{DictionaryEncoding, Error, Result};
use floe_runtime::alloc::try_with_capacity;
use polars_buffer::Buffer;

use super::bytes::{as_bytes, down};
use super::ctx::EncodeCtx;
use super::primitive;
use crate::share;

pub(super) fn encode(
    ctx: &mut EncodeCtx<'_>,
    encoding: &DictionaryEncoding,
    array: &dyn Array,
) -> Result<()> {
    let (any, own) = (array.as_any(), !encoding.index.signed);
    match encoding.index.bits {
        8 if own && any.is::<PrimitiveArray<u8>>() => encode_keys::<u8>(ctx, encoding, array),
        16 if own && any.is::<PrimitiveArray<u16>>() => encode_keys::<u16>(ctx, encoding, array),
        32 if own && any.is::<PrimitiveArray<u32>>() => encode_keys::<u32>(ctx, encoding, array),
        // Keys as other writers have them.
        _ => {
            if let Some(keys) = any.downcast_ref::<PrimitiveArray<u8>>() {
                other_keys(ctx, encoding, keys)
            } else if let Some(keys) = any.downcast_ref::<PrimitiveArray<u16>>() {
                other_keys(ctx, encoding, keys)
            } else {
                other_keys::<u32>(ctx, encoding, down(array)?)
            }
        },
    }
}

/// Keys of another type than categories have.
fn other_keys<K: NativeType + Into<u32>>(
    ctx: &mut EncodeCtx<'_>,
    encoding: &DictionaryEncoding,
    array: &PrimitiveArray<K>,
) -> Result<()> {
    ctx.node_and_validity(array);
    let remap = ctx.remaps.get(encoding.slot).and_then(Option::as_ref);
    let position = |key: &K| {
        let category: u32 = (*key).into();
        match remap {
            None => Some(category),
            Some(remap) => remap.positions.get(category as usize).copied().filter(|at| *at != u32::MAX),
        }
    };
    let positions = array.iter().map(|key| key.map_or(Some(0), position));
    let keys = match (encoding.index.bits, encoding.index.signed) {
        (8, true) => as_keys::<i8>(positions),
        (16, true) => as_keys::<i16>(positions),
        (32, true) => as_keys::<i32>(positions),
        (64, true) => as_keys::<i64>(positions),
        (8, false) => as_keys::<u8>(positions),
        (16, false) => as_keys::<u16>(positions),
        (32, false) => as_keys::<u32>(positions),
        (64, false) => as_keys::<u64>(positions),
        (bits, _) => Err(Error::invalid(format!("category keys of {bits} bits do not exist"))),
    };
    ctx.bytes(keys?);
    Ok(())
}

fn as_keys<T: NativeType + TryFrom<u32>>(positions: impl Iterator<Item = Option<u32>>) -> Result<Buffer<u8>> {
    let mut out = try_with_capacity::<T>(positions.size_hint().0)?;
    for position in positions {
        let Some(position) = position else {
            return Err(Error::invalid("a category is not among those of its dictionary"));
        };
        out.push(T::try_from(position).map_err(|_| {
            let bits = 8 * size_of::<T>();
            Error::invalid(format!("the dictionary has more values than keys of {bits} bits can tell apart"))
        })?);
    }
    Ok(as_bytes(share(out)))
}

fn encode_keys<K>(ctx: &mut EncodeCtx<'_>, encoding: &DictionaryEncoding, array: &dyn Array) -> Result<()>
where
    K: NativeType + Into<u32> + TryFrom<u32>,
{
    let array: &PrimitiveArray<K> = down(array)?;
    ctx.node_and_validity(array);
    match ctx.remaps.get(encoding.slot).and_then(Option::as_ref) {
        // All keys are written as they are, but for those that nulls hide.
        None => return primitive::values(ctx, array),
        Some(remap) if remap.is_identity && array.validity().is_none() => ctx.values(array.values()),
        Some(remap) => {
            let positions = Arc::clone(&remap.positions);
            let lens = |array: &PrimitiveArray<K>| Some(vec![size_of_val(array.values().as_slice())]);
            let renumbered = move |array: &PrimitiveArray<K>| {
                let keys = renumber(array.values(), array.validity(), &positions)?;
                Ok(vec![as_bytes(keys).into()])
            };
            return ctx.make(array, lens, renumbered);
        },
    }
    Ok(())
}

/// Each category's position; zero for nulls, so that no hidden key is written.
fn renumber<K>(keys: &Buffer<K>, validity: Option<&Bitmap>, positions: &[u32]) -> Result<Buffer<K>>
where
    K: NativeType + Into<u32> + TryFrom<u32>,
{
    let mut out = try_with_capacity::<K>(keys.len())?;
    let mut largest = 0;
    let mut position = |key: K, valid: bool| {
        // `u32::MAX`, and what does not fit into a key, is refused below.
        let position = positions.get(key.into() as usize).copied().unwrap_or(u32::MAX);
        let position = if valid { position } else { 0 };
        largest = largest.max(position);
        // A position that does not fit is an error below: `largest` keeps it.
        K::try_from(position).unwrap_or_default()
    };
    match validity {
        None => out.extend(keys.iter().map(|key| position(*key, true))),
        Some(validity) => out.extend(keys.iter().zip(validity).map(|(key, valid)| position(*key, valid))),
    }
    if largest == u32::MAX || K::try_from(largest).is_err() {
        return Err(Error::invalid(format!(
            "a category is not among the {} of its dictionary",
            positions.iter().filter(|position| **position != u32::MAX).count()
        )));
    }
    Ok(share(out))
}
