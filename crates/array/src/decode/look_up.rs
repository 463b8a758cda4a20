//! The values of dictionary keys: gathered, from one array or from the pieces of a dictionary that grew, or as categories
//! where a dictionary holds nulls.

use arrow::array::Array;
use arrow::bitmap::Bitmap;
use arrow::bitmap::utils::BitmapIter;
use arrow::types::NativeType;
use floe_format::{Error, ErrorKind, Result};
use polars_buffer::Buffer;
use polars_utils::IdxSize;

use super::ctx::{DecodeCtx, index};
use super::primitive::array;
use crate::chunks::Chunks;
use crate::lookup::Lookup;
use crate::share;

/// The error of a key that a dictionary of `len` values does not have.
pub(super) fn outside(key: impl std::fmt::Display, len: usize) -> Error {
    let outside = format!("key {key} is outside of a dictionary of {len} values");
    if len == 0 {
        let message = format!("{outside}: it is empty, or was not sent before the batch");
        return Error::new(ErrorKind::DictionaryMissing(message));
    }
    Error::invalid(outside)
}

pub(super) fn look_up<K: NativeType + TryInto<usize>>(
    ctx: &DecodeCtx<'_>,
    lookup: &Lookup,
    keys: &Buffer<K>,
    validity: Option<Bitmap>,
) -> Result<Box<dyn Array>> {
    match lookup {
        Lookup::Values(values) => {
            let indices = indices(ctx, keys, validity.as_ref(), values.len())?;
            ctx.gather(values.as_ref(), &indices, validity.as_ref())
        },
        Lookup::Chunks(chunks) => {
            let indices = indices(ctx, keys, validity.as_ref(), chunks.len())?;
            gather_of(ctx, chunks, &indices, validity.as_ref())
        },
        Lookup::Categories(found) => {
            let map = found.with_nulls();
            let map =
                map.ok_or_else(|| Error::invalid("categories without nulls have been looked up before"))?;
            match found.width() {
                1 => categories::<K, u8>(ctx, map, keys, validity),
                2 => categories::<K, u16>(ctx, map, keys, validity),
                _ => categories::<K, u32>(ctx, map, keys, validity),
            }
        },
    }
}

/// Keys as indices of `len` values; of a null the first.
fn indices<K: NativeType + TryInto<usize>>(
    ctx: &DecodeCtx<'_>,
    keys: &Buffer<K>,
    validity: Option<&Bitmap>,
    len: usize,
) -> Result<Vec<IdxSize>> {
    let mut indices = ctx.vec::<IdxSize>(keys.len())?;
    for_each_key(keys, validity, len, |key| {
        indices.push(match key {
            Some(key) => index(key)?,
            None => 0,
        });
        Ok(())
    })?;
    Ok(indices)
}

/// The rows of values in pieces that `indices` say, null where `validity` says so. Takes time for the rows, not for all
/// values: a stream that sends a delta before each batch may have far more values.
fn gather_of(
    ctx: &DecodeCtx<'_>,
    chunks: &Chunks,
    indices: &[IdxSize],
    validity: Option<&Bitmap>,
) -> Result<Box<dyn Array>> {
    let arrays = chunks.arrays();
    if let [array] = arrays {
        return ctx.gather(array.as_ref(), indices, validity);
    }
    // First the rows of each piece, in their order; then, of all those, each where it belongs.
    let mut ends = Vec::with_capacity(arrays.len());
    let mut end = 0usize;
    for array in arrays {
        end = end.saturating_add(array.len());
        ends.push(end);
    }
    let of = |index: IdxSize| ends.partition_point(|end| *end <= index as usize);
    let mut counts = vec![0usize; arrays.len()];
    let mut valid = validity.map(Bitmap::iter);
    let is_valid = |valid: &mut Option<BitmapIter<'_>>| valid.as_mut().is_none_or(|v| v.next() == Some(true));
    for index in indices {
        if is_valid(&mut valid)
            && let Some(count) = counts.get_mut(of(*index))
        {
            *count += 1;
        }
    }
    let mut picked = Vec::with_capacity(arrays.len());
    let mut starts = Vec::with_capacity(arrays.len());
    let mut start = 0;
    for count in counts {
        picked.push(ctx.vec::<IdxSize>(count)?);
        starts.push(start);
        start += count;
    }
    let mut places = ctx.vec::<IdxSize>(indices.len())?;
    let mut valid = validity.map(Bitmap::iter);
    for at in indices {
        let chunk = of(*at);
        if !is_valid(&mut valid) {
            places.push(0);
        } else if let (Some(rows), Some(start)) = (picked.get_mut(chunk), starts.get(chunk)) {
            places.push(index(start + rows.len())?);
            // Nothing ends before the first piece.
            let before = chunk.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
            rows.push(index(*at as usize - before)?);
        } else {
            return Err(outside(*at, chunks.len()));
        }
    }
    let pieces = arrays.iter().zip(&picked).map(|(array, rows)| ctx.gather(array.as_ref(), rows, None));
    let pieces = ctx.join(&pieces.collect::<Result<Vec<_>>>()?)?;
    ctx.gather(pieces.as_ref(), &places, validity)
}

fn for_each_key<K: NativeType + TryInto<usize>>(
    keys: &Buffer<K>,
    validity: Option<&Bitmap>,
    len: usize,
    mut visit: impl FnMut(Option<usize>) -> Result<()>,
) -> Result<()> {
    for (i, key) in keys.iter().enumerate() {
        let valid = validity.is_none_or(|v| v.get(i) == Some(true));
        if valid {
            let at =
                (*key).try_into().ok().filter(|at: &usize| *at < len).ok_or_else(|| outside(key, len))?;
            visit(Some(at))?;
        } else {
            visit(None)?;
        }
    }
    Ok(())
}

fn categories<K, C>(
    ctx: &DecodeCtx<'_>,
    map: &[Option<u32>],
    keys: &Buffer<K>,
    validity: Option<Bitmap>,
) -> Result<Box<dyn Array>>
where
    K: NativeType + TryInto<usize>,
    C: NativeType + TryFrom<u32>,
{
    let mut out = ctx.vec::<C>(keys.len())?;
    let has_null_values = map.iter().any(Option::is_none);
    let mut valid = if has_null_values { Some(ctx.bits_for(keys.len())?) } else { None };
    for_each_key(keys, validity.as_ref(), map.len(), |key| {
        let category = key.and_then(|key| map.get(key).copied().flatten());
        if let Some(valid) = &mut valid {
            valid.push(category.is_some());
        }
        // Under a null it does not matter which.
        let category = C::try_from(category.unwrap_or(0))
            .map_err(|_| Error::invalid("a category overflows its type"))?;
        out.push(category);
        Ok(())
    })?;
    let validity = valid.map_or(validity, |v| Some(v.freeze()));
    array(share(out), validity)
}
