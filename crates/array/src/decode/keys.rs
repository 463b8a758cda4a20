//! Dictionary-encoded arrays: the keys are read, the values looked up.

use std::sync::{Mutex, PoisonError};

use arrow::array::Array;
use arrow::bitmap::Bitmap;
use arrow::bitmap::utils::BitmapIter;
use arrow::types::NativeType;
use floe_format::{DictionaryEncoding, Error, ErrorKind, Place, Result};
use polars_buffer::Buffer;
use polars_utils::IdxSize;

use super::DecodeCtx;
use super::ctx::{ColumnPart, index, lens, total_len};
use super::primitive::array;
use super::values::{Destination, StretchHooks};
use crate::aligned::{byte_len, reserve_more, try_with_capacity};
use crate::category::Category;
use crate::chunks::Chunks;
use crate::lookup::Lookup;
use crate::recycle::share;

/// Runs the code with `$K` as the type of the encoding's keys.
macro_rules! with_key_type {
    ($encoding:expr, |$K:ident| $body:expr) => {
        match ($encoding.index.bits, $encoding.index.signed) {
            (8, true) => with_key_type!(@ $K i8 $body),
            (16, true) => with_key_type!(@ $K i16 $body),
            (32, true) => with_key_type!(@ $K i32 $body),
            (64, true) => with_key_type!(@ $K i64 $body),
            (8, false) => with_key_type!(@ $K u8 $body),
            (16, false) => with_key_type!(@ $K u16 $body),
            (32, false) => with_key_type!(@ $K u32 $body),
            (64, false) => with_key_type!(@ $K u64 $body),
            (bits, _) => Err(Error::invalid(format!("dictionary keys of {bits} bits do not exist"))),
        }
    };
    (@ $K:ident $type:ident $body:expr) => {{
        type $K = $type;
        $body
    }};
}

pub(super) fn decode(ctx: &mut DecodeCtx<'_>, encoding: &DictionaryEncoding) -> Result<Box<dyn Array>> {
    with_key_type!(encoding, |K| with_keys::<K>(ctx, encoding))
}

/// Categories behind those that are there, and the validity of the new ones. `None` if keys become
/// something else, or nulls.
pub(super) fn append_categories<C: Category>(
    ctx: &mut DecodeCtx<'_>,
    encoding: &DictionaryEncoding,
    known: &mut Vec<C>,
) -> Result<Option<Option<Bitmap>>> {
    let Some(tables) = translations::<C>(ctx, encoding)? else { return Ok(None) };
    with_key_type!(encoding, |K| append_translated::<K, C>(ctx, encoding, &tables, known)).map(Some)
}

fn with_keys<K: NativeType + TryInto<usize>>(
    ctx: &mut DecodeCtx<'_>,
    encoding: &DictionaryEncoding,
) -> Result<Box<dyn Array>> {
    if let Some(tables) = translations::<u32>(ctx, encoding)? {
        return translated::<K, u32>(ctx, encoding, &tables);
    }
    if let Some(tables) = translations::<u16>(ctx, encoding)? {
        return translated::<K, u16>(ctx, encoding, &tables);
    }
    if let Some(tables) = translations::<u8>(ctx, encoding)? {
        return translated::<K, u8>(ctx, encoding, &tables);
    }
    if ctx.parts().len() > 1 {
        let arrays = ctx.each_part(|ctx| with_keys::<K>(ctx, encoding))?;
        return ctx.join(&arrays);
    }
    let arrays = ctx.each_part(|ctx| {
        let (keys, validity) = ctx.fixed_and_validity::<K>()?;
        let lookup = lookup_of(ctx.parts().first(), encoding)?;
        look_up(ctx, lookup, &keys, validity).map_err(|error| at(encoding, error))
    })?;
    ctx.join(&arrays)
}

fn at(encoding: &DictionaryEncoding, error: Error) -> Error {
    error.at(Place::Dictionary(encoding.id))
}

fn lookup_of<'a>(part: Option<&ColumnPart<'a>>, encoding: &DictionaryEncoding) -> Result<&'a Lookup> {
    let lookup = part.and_then(|part| part.dictionaries().lookup(encoding.slot));
    lookup.ok_or_else(|| {
        Error::new(ErrorKind::DictionaryMissing(format!("dictionary {} is unknown", encoding.id)))
    })
}

/// What the keys of a part become: `table[key]`, which may be the key itself.
struct Translation<'a, C> {
    table: &'a [C],
    is_identity: bool,
}

/// Those of all parts, if all their keys become such categories and none of them null.
fn translations<'a, C: Category>(
    ctx: &DecodeCtx<'a>,
    encoding: &DictionaryEncoding,
) -> Result<Option<Vec<Translation<'a, C>>>> {
    let translation = |part| {
        let Lookup::Categories(categories) = lookup_of(Some(part), encoding)? else { return Ok(None) };
        let is_identity = categories.is_identity();
        Ok(C::table(categories).map(|table| Translation { table, is_identity }))
    };
    ctx.parts().iter().map(translation).collect()
}

/// Keys translated to categories.
fn translated<K, C>(
    ctx: &mut DecodeCtx<'_>,
    encoding: &DictionaryEncoding,
    tables: &[Translation<'_, C>],
) -> Result<Box<dyn Array>>
where
    K: NativeType + TryInto<usize>,
    C: Category,
{
    if let ([translation], true) = (tables, size_of::<K>() == size_of::<C>())
        && translation.is_identity
    {
        // Such keys stay where they are. What nulls hold is taken over, so it is checked as well.
        let (keys, validity) = ctx.fixed_and_validity::<C>()?;
        if are_within(&keys, translation.table.len()) {
            return array(keys, validity);
        }
        let mut categories = ctx.vec::<C>(keys.len())?;
        categories.extend_from_slice(&keys);
        translate(&mut categories, translation, validity.as_ref()).map_err(|error| at(encoding, error))?;
        return array(share(categories), validity);
    }
    let mut categories = Vec::new();
    let validity = append_translated::<K, C>(ctx, encoding, tables, &mut categories)?;
    array(share(categories), validity)
}

/// Keys translated to categories, behind those that are there. The validity is that of the new ones.
fn append_translated<K, C>(
    ctx: &mut DecodeCtx<'_>,
    encoding: &DictionaryEncoding,
    tables: &[Translation<'_, C>],
    out: &mut Vec<C>,
) -> Result<Option<Bitmap>>
where
    K: NativeType + TryInto<usize>,
    C: Category,
{
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let slots = ctx.next_buffers()?;
    let counts = lens(&nodes);
    let total = total_len(&nodes)?;
    for (slot, count) in slots.iter().zip(&counts) {
        ctx.require(*slot, byte_len::<K>(*count)?)?;
    }
    let validity = validity.read(ctx, &nodes)?;
    let mut starts = Vec::with_capacity(nodes.len());
    let mut before = 0usize;
    for node in &nodes {
        starts.push(before);
        before += node.len;
    }
    // What a part's rows become, and their validity.
    let of = |part: usize, from: usize, len: usize| {
        let start = starts.get(part).copied().unwrap_or_default() + from;
        (tables.get(part), validity.as_ref().map(|validity| validity.clone().sliced(start, len)))
    };
    if size_of::<K>() == size_of::<C>() {
        let transform = |part: usize, from: usize, keys: &mut [C]| {
            let (Some(translation), validity) = of(part, from, keys.len()) else { return Ok(()) };
            translate(keys, translation, validity.as_ref()).map_err(|error| at(encoding, error))
        };
        let change = StretchHooks { prepare: &|_| Ok(()), transform: &transform };
        let known = Destination { values: std::mem::take(out), grows: false };
        *out = ctx.append_transformed(known, &slots, &counts, &change)?;
        return Ok(validity);
    }
    ctx.charge(byte_len::<C>(total)?)?;
    if out.capacity() == 0 {
        *out = try_with_capacity(total)?;
    } else {
        reserve_more(out, total)?;
    }
    let known = out.len();
    out.resize(known + total, C::default());
    let mut rest = &mut out[known..];
    let mut jobs = Vec::with_capacity(nodes.len());
    for (slot, node) in slots.iter().zip(&nodes) {
        let (here, behind) = rest.split_at_mut(node.len);
        rest = behind;
        jobs.push(Mutex::new((*slot, here)));
    }
    ctx.run(jobs.len(), |part| {
        let Some(job) = jobs.get(part) else { return Ok(()) };
        let mut job = job.lock().unwrap_or_else(PoisonError::into_inner);
        let (slot, out) = &mut *job;
        let keys = ctx.fixed_at::<K>(&[*slot], &[out.len()])?;
        let (Some(translation), validity) = of(part, 0, keys.len()) else { return Ok(()) };
        let keys = keys.iter().map(|key| (*key).try_into().unwrap_or(usize::MAX));
        look_up_all(keys, out, translation.table, validity.as_ref()).map_err(|error| at(encoding, error))
    })?;
    drop(jobs);
    Ok(validity)
}

/// Whether no key, of which none is negative, reaches `len`.
fn are_within<C: Category>(keys: &[C], len: usize) -> bool {
    keys.iter().copied().max().is_none_or(|key| key.try_into().is_ok_and(|key| key < len))
}

/// Replaces keys by their categories.
fn translate<C: Category>(
    keys: &mut [C],
    Translation { table, is_identity }: &Translation<'_, C>,
    validity: Option<&Bitmap>,
) -> Result<()> {
    if are_within(keys, table.len()) {
        if !is_identity {
            for key in keys {
                *key = (*key).try_into().ok().and_then(|at| table.get(at)).copied().unwrap_or_default();
            }
        }
        return Ok(());
    }
    let mut valid = validity.map(Bitmap::iter);
    for key in keys {
        let at = (*key).try_into().unwrap_or(usize::MAX);
        *key = one(at, table, valid.as_mut().is_none_or(|valid| valid.next() == Some(true)))?;
    }
    Ok(())
}

/// The category of one key; of a null the first.
fn one<C: NativeType>(key: usize, table: &[C], valid: bool) -> Result<C> {
    if !valid {
        return Ok(C::default());
    }
    table.get(key).copied().ok_or_else(|| outside(key, table.len()))
}

fn look_up_all<C: NativeType>(
    keys: impl Iterator<Item = usize>,
    out: &mut [C],
    table: &[C],
    validity: Option<&Bitmap>,
) -> Result<()> {
    let mut valid = validity.map(Bitmap::iter);
    for (key, out) in keys.zip(out) {
        *out = one(key, table, valid.as_mut().is_none_or(|valid| valid.next() == Some(true)))?;
    }
    Ok(())
}

fn outside(key: impl std::fmt::Display, len: usize) -> Error {
    let outside = format!("key {key} is outside of a dictionary of {len} values");
    if len == 0 {
        let message = format!("{outside}: it is empty, or was not sent before the batch");
        return Error::new(ErrorKind::DictionaryMissing(message));
    }
    Error::invalid(outside)
}

fn look_up<K: NativeType + TryInto<usize>>(
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

/// The rows of values in pieces that `indices` say, null where `validity` says so. Takes time for the rows, and not for
/// all values: a stream that sends a delta before each batch may have far more of them.
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
        let category = C::try_from(category.unwrap_or(0))
            .map_err(|_| Error::invalid("a category overflows its type"))?;
        out.push(category);
        Ok(())
    })?;
    let validity = valid.map_or(validity, |v| Some(v.freeze()));
    array(share(out), validity)
}
