//! Dictionary-encoded arrays: the keys are read, the values looked up.

use arrow::array::{Array, PrimitiveArray};
use arrow::bitmap::{Bitmap, MutableBitmap};
use arrow::datatypes::ArrowDataType;
use arrow::types::NativeType;
use floe_format::{DictionaryEncoding, Error, Result};
use polars_buffer::Buffer;
use polars_utils::IdxSize;

use super::DecodeCtx;
use super::fixed::{concat, gather, index};
use super::primitive::parts;
use crate::aligned::try_with_capacity;
use crate::dictionary::Lookup;

pub(super) fn decode(ctx: &mut DecodeCtx<'_>, encoding: &DictionaryEncoding) -> Result<Box<dyn Array>> {
    match (encoding.index.bits, encoding.index.signed) {
        (8, true) => with_keys::<i8>(ctx, encoding),
        (16, true) => with_keys::<i16>(ctx, encoding),
        (32, true) => with_keys::<i32>(ctx, encoding),
        (64, true) => with_keys::<i64>(ctx, encoding),
        (8, false) => with_keys::<u8>(ctx, encoding),
        (16, false) => with_keys::<u16>(ctx, encoding),
        (32, false) => with_keys::<u32>(ctx, encoding),
        (64, false) => with_keys::<u64>(ctx, encoding),
        (bits, _) => Err(Error::invalid(format!("dictionary keys of {bits} bits do not exist"))),
    }
}

fn with_keys<K: NativeType + TryInto<usize>>(
    ctx: &mut DecodeCtx<'_>,
    encoding: &DictionaryEncoding,
) -> Result<Box<dyn Array>> {
    let arrays = ctx.each_part(|ctx| {
        let (keys, validity) = parts::<K>(ctx)?;
        let dictionaries = ctx.parts().first().map(super::ctx::Part::dictionaries);
        let lookup = dictionaries.and_then(|d| d.lookup(encoding.slot));
        let lookup =
            lookup.ok_or_else(|| Error::invalid(format!("dictionary {} is unknown", encoding.id)))?;
        look_up(ctx, lookup, &keys, validity).map_err(|error| error.at(format!("dictionary {}", encoding.id)))
    })?;
    concat(arrays)
}

fn look_up<K: NativeType + TryInto<usize>>(
    ctx: &DecodeCtx<'_>,
    lookup: &Lookup,
    keys: &Buffer<K>,
    validity: Option<Bitmap>,
) -> Result<Box<dyn Array>> {
    match lookup {
        Lookup::Values(values) => {
            let mut indices = try_with_capacity::<IdxSize>(keys.len())?;
            for_each_key(keys, validity.as_ref(), values.len(), |key| {
                indices.push(match key {
                    Some(key) => index(key)?,
                    None => 0,
                });
                Ok(())
            })?;
            if values.is_empty() {
                ctx.charge(keys.len())?;
                return Ok(arrow::array::new_null_array(values.dtype().clone(), keys.len()));
            }
            gather(ctx, values.as_ref(), indices, validity)
        },
        Lookup::Categories { map, width: 1 } => categories::<K, u8>(map, keys, validity),
        Lookup::Categories { map, width: 2 } => categories::<K, u16>(map, keys, validity),
        Lookup::Categories { map, .. } => categories::<K, u32>(map, keys, validity),
    }
}

fn for_each_key<K: NativeType + TryInto<usize>>(
    keys: &Buffer<K>,
    validity: Option<&Bitmap>,
    len: usize,
    mut visit: impl FnMut(Option<usize>) -> Result<()>,
) -> Result<()> {
    let bad = |key: K| {
        let hint = if len == 0 { ": it is empty, or was not sent before the batch" } else { "" };
        Error::invalid(format!("key {key} is outside of a dictionary of {len} values{hint}"))
    };
    for (i, key) in keys.iter().enumerate() {
        let valid = validity.is_none_or(|v| v.get(i) == Some(true));
        if valid {
            let at = (*key).try_into().ok().filter(|at: &usize| *at < len).ok_or_else(|| bad(*key))?;
            visit(Some(at))?;
        } else {
            visit(None)?;
        }
    }
    Ok(())
}

fn categories<K, C>(map: &[Option<u32>], keys: &Buffer<K>, validity: Option<Bitmap>) -> Result<Box<dyn Array>>
where
    K: NativeType + TryInto<usize>,
    C: NativeType + TryFrom<u32>,
{
    let mut out = try_with_capacity::<C>(keys.len())?;
    let has_null_values = map.iter().any(Option::is_none);
    let mut valid = has_null_values.then(|| MutableBitmap::with_capacity(keys.len()));
    for_each_key(keys, validity.as_ref(), map.len(), |key| {
        let category = key.and_then(|key| map.get(key).copied().flatten());
        if let Some(valid) = &mut valid {
            valid.push(category.is_some());
        }
        let category = C::try_from(category.unwrap_or(0))
            .map_err(|_| Error::invalid("a category overflows its type"))?;
        out.push(category);
        Ok(())
    })?;
    let validity = valid.map_or(validity, |v| Some(v.freeze()));
    Ok(Box::new(PrimitiveArray::new(ArrowDataType::from(C::PRIMITIVE), out.into(), validity)))
}
