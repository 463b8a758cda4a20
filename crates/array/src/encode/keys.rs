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
    match encoding.index.bits {
        8 => encode_keys::<u8>(ctx, encoding, array),
        16 => encode_keys::<u16>(ctx, encoding, array),
        32 => encode_keys::<u32>(ctx, encoding, array),
        bits => Err(Error::invalid(format!("category keys of {bits} bits do not exist"))),
    }
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
