//! String and binary views: a validity bitmap, a buffer of 16-byte views and any number of data
//! buffers. With several parts the views are re-indexed over the buffers of all.

use std::sync::{Mutex, PoisonError};

use arrow::array::{Array, BinaryViewArrayGeneric, View, ViewType};
use arrow::bitmap::Bitmap;
use floe_format::{Error, FieldNode, Result};
use polars_buffer::Buffer;

use super::DecodeCtx;
use super::ctx::{lens, total_len};
use crate::validate;

pub(super) fn decode<T: ViewType + ?Sized>(ctx: &mut DecodeCtx<'_>) -> Result<Box<dyn Array>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let slots = ctx.slots()?;
    let data_slots = ctx.variadic_slots()?;
    total_len(&nodes)?;
    let mut views = if ctx.options().big_endian {
        let counts: Vec<usize> = nodes.iter().map(|n| n.len.saturating_mul(16)).collect();
        from_big_endian(&ctx.fixed_at::<u8>(&slots, &counts)?)
    } else {
        ctx.fixed_at::<View>(&slots, &lens(&nodes))?
    };
    let validity = validity.read(ctx, &nodes)?;
    let mut bases = Vec::with_capacity(nodes.len());
    let mut before = 0;
    for slots in &data_slots {
        bases.push(before);
        before += slots.len();
    }
    let buffers = ctx.bytes_of_all(&data_slots.concat())?;
    if bases.iter().any(|base| *base > 0) {
        views = reindex(views, &nodes, &bases, &buffers)?;
    }
    if ctx.options().validate {
        views = check(ctx, views, &buffers, validity.as_ref(), T::IS_UTF8)?;
    }
    let total = buffers.iter().map(Buffer::len).sum();
    // SAFETY: `check` made sure that every view is sound, and UTF-8 for strings; or the caller
    // vouched for it by `skip_validation`, which is unsafe.
    let array = unsafe {
        BinaryViewArrayGeneric::<T>::new_unchecked(T::DATA_TYPE, views, buffers.into(), validity, None, total)
    };
    Ok(Box::new(array))
}

/// Checks all views; broken ones in null rows, which nobody may look at, are replaced by empty ones.
fn check(
    ctx: &DecodeCtx<'_>,
    views: Buffer<View>,
    buffers: &[Buffer<u8>],
    validity: Option<&Bitmap>,
    utf8: bool,
) -> Result<Buffer<View>> {
    const AT_ONCE: usize = 1 << 16;
    let ascii = validate::ascii(buffers, utf8);
    let pieces: Vec<&[View]> = views.chunks(AT_ONCE).collect();
    let broken = Mutex::new(None);
    ctx.run(pieces.len(), |i| {
        let Some(piece) = pieces.get(i) else { return Ok(()) };
        if let Err((row, error)) = validate::views(piece, buffers, ascii.as_deref()) {
            let mut first = broken.lock().unwrap_or_else(PoisonError::into_inner);
            let row = i * AT_ONCE + row;
            if first.as_ref().is_none_or(|(known, _)| row < *known) {
                *first = Some((row, error));
            }
        }
        Ok(())
    })?;
    let Some((first, error)) = broken.into_inner().unwrap_or_else(PoisonError::into_inner) else {
        return Ok(views);
    };
    let is_null = |i: usize| validity.is_some_and(|v| v.get(i) == Some(false));
    if !is_null(first) {
        return Err(error.at(format!("row {first}")));
    }
    let mut repaired = views.to_vec();
    for (i, view) in repaired.iter_mut().enumerate() {
        if !validate::is_view_sound(view, buffers, utf8) {
            if !is_null(i) {
                return Err(error.at(format!("row {i}")));
            }
            *view = View::default();
        }
    }
    Ok(repaired.into())
}

/// Shifts the buffer indices of each part behind the buffers of the parts before it.
fn reindex(
    views: Buffer<View>,
    nodes: &[FieldNode],
    bases: &[usize],
    buffers: &[Buffer<u8>],
) -> Result<Buffer<View>> {
    let too_many = |_| Error::unsupported("more than 2^32 data buffers");
    let mut views = views.to_vec();
    let mut rest = views.as_mut_slice();
    for (i, node) in nodes.iter().enumerate() {
        let base = u32::try_from(bases.get(i).copied().unwrap_or_default()).map_err(too_many)?;
        let end = u32::try_from(bases.get(i + 1).copied().unwrap_or(buffers.len())).map_err(too_many)?;
        let (here, behind) = rest.split_at_mut(node.len);
        rest = behind;
        for view in here {
            if view.length > View::MAX_INLINE_SIZE {
                // An index beyond its own part's buffers must not land in another part's.
                let shifted = view.buffer_idx.checked_add(base).filter(|index| *index < end);
                view.buffer_idx = shifted.unwrap_or(u32::MAX);
            }
        }
    }
    Ok(views.into())
}

/// Views as they lie in big-endian data: the integers are swapped, prefix and inline bytes not.
fn from_big_endian(bytes: &[u8]) -> Buffer<View> {
    let word = |chunk: &[u8], at: usize| {
        let mut word = [0; 4];
        word.copy_from_slice(&chunk[at..at + 4]);
        word
    };
    let views = bytes.chunks_exact(16).map(|chunk| {
        let length = u32::from_be_bytes(word(chunk, 0));
        let prefix = u32::from_le_bytes(word(chunk, 4));
        let read = if length <= View::MAX_INLINE_SIZE { u32::from_le_bytes } else { u32::from_be_bytes };
        View { length, prefix, buffer_idx: read(word(chunk, 8)), offset: read(word(chunk, 12)) }
    });
    views.collect()
}
