//! Dictionary-encoded arrays: the keys are read, the values looked up.

use arrow::array::Array;
use arrow::bitmap::Bitmap;
use arrow::types::NativeType;
use floe_format::{DictionaryEncoding, Error, ErrorKind, Place, Result};
use floe_runtime::alloc::{byte_len, reserve_more, try_with_capacity};

use super::ctx::{ColumnPart, DecodeCtx, lens, total_len};
use super::look_up::{look_up, outside};
use super::primitive::array;
use super::values::{Destination, StretchHooks};
use crate::category::Category;
use crate::lookup::Lookup;
use crate::share;

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

/// Appends categories to `known`; returns the validity of the new ones. `None`, with nothing decoded, if keys become
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

/// How the keys of a part are translated: to `table[key]`, which may be the key itself.
struct Translation<'a, C> {
    table: &'a [C],
    is_identity: bool,
}

/// The translations of all parts, if their keys become categories of this width and no dictionary holds a null.
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
        // Such keys stay where they are. The keys under nulls stay too, so they are checked as well.
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
    let buffer_refs = ctx.next_buffers()?;
    let counts = lens(&nodes);
    let total = total_len(&nodes)?;
    for (buffer_ref, count) in buffer_refs.iter().zip(&counts) {
        ctx.require(*buffer_ref, byte_len::<K>(*count)?)?;
    }
    let validity = validity.read(ctx, &nodes)?;
    let mut starts = Vec::with_capacity(nodes.len());
    let mut before = 0usize;
    for node in &nodes {
        starts.push(before);
        before += node.len;
    }
    // The translation of `len` rows of a part, and their validity.
    let of = |part: usize, from: usize, len: usize| -> Result<(&Translation<'_, C>, Option<Bitmap>)> {
        let (start, table) = starts.get(part).zip(tables.get(part)).ok_or_else(|| {
            Error::invalid(format!("keys of part {part} have no dictionary"))
                .at(Place::Dictionary(encoding.id))
        })?;
        Ok((table, validity.as_ref().map(|validity| validity.clone().sliced(start + from, len))))
    };
    if size_of::<K>() == size_of::<C>() {
        let transform = |part: usize, from: usize, keys: &mut [C]| {
            let (translation, validity) = of(part, from, keys.len())?;
            translate(keys, translation, validity.as_ref()).map_err(|error| at(encoding, error))
        };
        let change = StretchHooks { prepare: &|_| Ok(()), transform: &transform };
        let known = Destination { values: std::mem::take(out), grows: false };
        *out = ctx.append_transformed(known, &buffer_refs, &counts, &change)?;
        return Ok(validity);
    }
    let mut rest = room_for_categories(ctx, out, total)?;
    let mut jobs = Vec::with_capacity(nodes.len());
    for (buffer_ref, node) in buffer_refs.iter().zip(&nodes) {
        let (here, behind) = rest.split_at_mut(node.len);
        rest = behind;
        jobs.push((*buffer_ref, here));
    }
    ctx.run_jobs(jobs, |(buffer_ref, out)| {
        let keys = ctx.fixed_at::<K>(&[buffer_ref], &[out.len()])?;
        let (translation, validity) = of(buffer_ref.part, 0, keys.len())?;
        // A key that is negative, or beyond `usize`, is outside of every dictionary.
        let keys = keys.iter().map(|key| (*key).try_into().unwrap_or(usize::MAX));
        look_up_all(keys, out, translation.table, validity.as_ref()).map_err(|error| at(encoding, error))
    })?;
    Ok(validity)
}

/// Adds `total` categories to be written over, and returns them.
fn room_for_categories<'o, C: Category>(
    ctx: &DecodeCtx<'_>,
    out: &'o mut Vec<C>,
    total: usize,
) -> Result<&'o mut [C]> {
    ctx.charge(byte_len::<C>(total)?)?;
    if out.capacity() == 0 {
        *out = try_with_capacity(total)?;
    } else {
        reserve_more(out, total)?;
    }
    let known = out.len();
    out.resize(known + total, C::default());
    Ok(&mut out[known..])
}

/// Whether all keys are below `len`. Keys are unsigned.
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
            // Every key is within the table: no default is taken.
            for key in keys {
                *key = (*key).try_into().ok().and_then(|at| table.get(at)).copied().unwrap_or_default();
            }
        }
        return Ok(());
    }
    let mut valid = validity.map(Bitmap::iter);
    for key in keys {
        // As above: outside of every dictionary.
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
