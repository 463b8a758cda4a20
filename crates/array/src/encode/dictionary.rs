//! Dictionary keys: renumbered to the positions of their categories in the dictionary written.

use std::sync::Arc;

use arrow::array::{Array, PrimitiveArray};
use arrow::bitmap::Bitmap;
use arrow::types::NativeType;
use floe_format::{DictionaryEncoding, Error, Result};
use polars_buffer::Buffer;

use super::{EncodeCtx, down};

/// The position in the written dictionary of each category: `remap[category]`.
pub type Remap = Arc<[u32]>;

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
        None => ctx.values(array.values()),
        Some(remap) => ctx.values(&renumber(array.values(), array.validity(), remap)?),
    }
    Ok(())
}

fn renumber<K>(keys: &Buffer<K>, validity: Option<&Bitmap>, remap: &[u32]) -> Result<Buffer<K>>
where
    K: NativeType + Into<u32> + TryFrom<u32>,
{
    let bad = |key: u32| Error::invalid(format!("category {key} is not part of its dictionary"));
    // What a null row holds is nobody's business: zero.
    let renumber = |key: K, valid: bool| {
        if !valid {
            return Ok(K::default());
        }
        let key: u32 = key.into();
        let position = remap.get(key as usize).copied().filter(|p| *p != u32::MAX).ok_or_else(|| bad(key))?;
        K::try_from(position).map_err(|_| bad(key))
    };
    let keys = keys.iter().copied();
    match validity {
        None => keys.map(|key| renumber(key, true)).collect::<Result<Vec<K>>>().map(Into::into),
        Some(validity) => keys
            .zip(validity.iter())
            .map(|(key, valid)| renumber(key, valid))
            .collect::<Result<Vec<K>>>()
            .map(Into::into),
    }
}
