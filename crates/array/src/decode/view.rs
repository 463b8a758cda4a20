//! String and binary views: a validity bitmap, a buffer of 16-byte views and any number of data
//! buffers. With several parts the views are re-indexed over the buffers of all.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use arrow::array::{Array, BinaryViewArrayGeneric, View, ViewType};
use arrow::bitmap::Bitmap;
use floe_format::{Error, Place, Result};
use polars_buffer::Buffer;

use super::DecodeCtx;
use super::binary::ViewBuilder;
use super::ctx::{lens, total_len};
use super::values::{Destination, StretchHooks};
use crate::aligned::byte_len;
use crate::recycle::share;
use crate::validate::{self, Text};

pub(super) fn decode<T: ViewType + ?Sized>(ctx: &mut DecodeCtx<'_>) -> Result<Box<dyn Array>> {
    if ctx.parts().len() != 1 || ctx.options().big_endian {
        let mut views = ViewBuilder::default();
        let validity = append_views::<T>(ctx, &mut views)?;
        return Ok(views.finish::<T>(validity));
    }
    // The views of one part may stay where they are.
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let slots = ctx.next_buffers()?;
    let data_slots = ctx.next_variadic_buffers()?;
    let mut views = ctx.fixed_at::<View>(&slots, &lens(&nodes))?;
    let validity = validity.read(ctx, &nodes)?;
    let buffers = ctx.bytes_of_all(&data_slots.concat())?;
    if ctx.options().validate
        && let Some(repaired) = check(ctx, &views, &buffers, 0, validity.as_ref(), T::IS_UTF8)?
    {
        views = share(repaired);
    }
    let total = buffers.iter().map(Buffer::len).sum();
    // SAFETY: `check` made sure that every view is sound, and UTF-8 for strings; or the caller
    // vouched for it by `skip_validation`, which is unsafe.
    let array = unsafe {
        BinaryViewArrayGeneric::<T>::new_unchecked(T::DATA_TYPE, views, buffers.into(), validity, None, total)
    };
    Ok(Box::new(array))
}

/// Adds the views and buffers of all parts; returns the validity of these rows.
pub(super) fn append_views<T: ViewType + ?Sized>(
    ctx: &mut DecodeCtx<'_>,
    out: &mut ViewBuilder,
) -> Result<Option<Bitmap>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let slots = ctx.next_buffers()?;
    let data_slots = ctx.next_variadic_buffers()?;
    let total = total_len(&nodes)?;
    // Where the buffers of each part lie among those of all.
    let mut own = Vec::with_capacity(nodes.len());
    let mut before = out.next_buffer()?;
    for slots in &data_slots {
        let end = u32::try_from(slots.len()).ok().and_then(|len| before.checked_add(len));
        let end = end.ok_or_else(|| Error::unsupported("more than 2^32 data buffers"))?;
        own.push(before..end);
        before = end;
    }
    if ctx.options().big_endian {
        for (slot, node) in slots.iter().zip(&nodes) {
            ctx.require(*slot, byte_len::<View>(node.len)?)?;
        }
        out.reserve(ctx, total)?;
    }
    let (known, first) = (out.views.len(), out.buffers.len());
    let mut views = std::mem::take(&mut out.views);
    let suspect = if ctx.options().big_endian {
        let counts: Vec<usize> = nodes.iter().map(|n| n.len.saturating_mul(16)).collect();
        from_big_endian(&ctx.fixed_at::<u8>(&slots, &counts)?, &mut views);
        let mut rest = &mut views[known..];
        for (own, node) in own.iter().zip(&nodes) {
            let (here, behind) = rest.split_at_mut(node.len);
            rest = behind;
            reindex(here, own);
        }
        out.views = views;
        out.buffers.append(&mut ctx.bytes_of_all(&data_slots.concat())?);
        true
    } else {
        let found: Vec<OnceLock<Data>> = nodes.iter().map(|_| OnceLock::new()).collect();
        let broken = AtomicBool::new(false);
        // Data first: views are in the cache then when they are looked at.
        let prepare = |part: usize| {
            let (Some(slots), Some(found)) = (data_slots.get(part), found.get(part)) else { return Ok(()) };
            let buffers = ctx.bytes_of_all(slots)?;
            let texts = if ctx.options().validate { texts(ctx, &buffers, T::IS_UTF8)? } else { None };
            // Each part is one call's.
            let _ = found.set(Data { buffers, texts });
            Ok(())
        };
        let transform = |part: usize, _: usize, views: &mut [View]| {
            let data = found.get(part).and_then(OnceLock::get);
            let (Some(own), Some(data)) = (own.get(part), data) else { return Ok(()) };
            if !check_and_reindex(ctx, views, data, own)? {
                broken.store(true, Ordering::Relaxed);
            }
            Ok(())
        };
        let change = StretchHooks { prepare: &prepare, transform: &transform };
        let views = Destination { values: views, grows: out.grows };
        out.views = ctx.append_transformed(views, &slots, &lens(&nodes), &change)?;
        out.buffers
            .extend(found.into_iter().flat_map(|found| found.into_inner().unwrap_or_default().buffers));
        broken.into_inner()
    };
    let validity = validity.read(ctx, &nodes)?;
    out.bytes = None;
    if suspect
        && ctx.options().validate
        && let Some(repaired) =
            check(ctx, &out.views[known..], &out.buffers, first, validity.as_ref(), T::IS_UTF8)?
    {
        out.views.truncate(known);
        out.views.extend(repaired);
    }
    Ok(validity)
}

/// The data buffers of a part, and what of each is text if that matters.
#[derive(Default)]
struct Data {
    buffers: Vec<Buffer<u8>>,
    texts: Option<Vec<Text>>,
}

fn texts(ctx: &DecodeCtx<'_>, buffers: &[Buffer<u8>], utf8: bool) -> Result<Option<Vec<Text>>> {
    let text = |buffer: &Buffer<u8>| Text::of(buffer, &|bytes| ctx.charge(bytes));
    utf8.then(|| buffers.iter().map(text).collect()).transpose()
}

/// Views that are looked at at once.
const STRIPE_VIEWS: usize = 1 << 16;

/// Checks the views of a part against its own buffers, and shifts their indices behind the buffers of the parts
/// before: both while views and data are in the cache. False if a view is broken.
fn check_and_reindex(ctx: &DecodeCtx<'_>, views: &mut [View], data: &Data, own: &Range<u32>) -> Result<bool> {
    let validate = ctx.options().validate;
    let sound = AtomicBool::new(true);
    let stripes: Vec<Mutex<&mut [View]>> = views.chunks_mut(STRIPE_VIEWS).map(Mutex::new).collect();
    ctx.run(stripes.len(), |i| {
        let Some(stripe) = stripes.get(i) else { return Ok(()) };
        let mut stripe = stripe.lock().unwrap_or_else(PoisonError::into_inner);
        if validate && validate::views(&stripe, &data.buffers, data.texts.as_deref()).is_err() {
            sound.store(false, Ordering::Relaxed);
        }
        reindex(&mut stripe, own);
        Ok(())
    })?;
    Ok(sound.into_inner())
}

/// Checks all views, none of which points at a buffer before `first`. If there are broken ones, in null rows only,
/// which nobody may look at, returns all of them with empty ones in their place.
fn check(
    ctx: &DecodeCtx<'_>,
    views: &[View],
    buffers: &[Buffer<u8>],
    first: usize,
    validity: Option<&Bitmap>,
    utf8: bool,
) -> Result<Option<Vec<View>>> {
    // The buffers of batches before have been looked at.
    let mut texts = texts(ctx, buffers.get(first..).unwrap_or_default(), utf8)?;
    if let Some(texts) = &mut texts {
        texts.splice(..0, std::iter::repeat_n(Text::Parts(Vec::new()), first));
    }
    let pieces: Vec<&[View]> = views.chunks(STRIPE_VIEWS).collect();
    let broken = Mutex::new(None);
    ctx.run(pieces.len(), |i| {
        let Some(piece) = pieces.get(i) else { return Ok(()) };
        if let Err((row, error)) = validate::views(piece, buffers, texts.as_deref()) {
            let mut first = broken.lock().unwrap_or_else(PoisonError::into_inner);
            let row = i * STRIPE_VIEWS + row;
            if first.as_ref().is_none_or(|(known, _)| row < *known) {
                *first = Some((row, error));
            }
        }
        Ok(())
    })?;
    let Some((first, error)) = broken.into_inner().unwrap_or_else(PoisonError::into_inner) else {
        return Ok(None);
    };
    let is_null = |i: usize| validity.is_some_and(|v| v.get(i) == Some(false));
    if !is_null(first) {
        return Err(error.at(Place::Row(first)));
    }
    let mut repaired = ctx.vec::<View>(views.len())?;
    repaired.extend_from_slice(views);
    for (i, view) in repaired.iter_mut().enumerate() {
        if !validate::is_view_sound(view, buffers, texts.as_deref()) {
            if !is_null(i) {
                return Err(error.at(Place::Row(i)));
            }
            *view = View::default();
        }
    }
    Ok(Some(repaired))
}

/// Shifts the buffer indices of a part behind the buffers of the parts before it.
fn reindex(views: &mut [View], own: &Range<u32>) {
    for view in views {
        if view.length > View::MAX_INLINE_SIZE {
            // An index beyond its own part's buffers must not land in another part's.
            let shifted = view.buffer_idx.checked_add(own.start).filter(|index| *index < own.end);
            view.buffer_idx = shifted.unwrap_or(u32::MAX);
        }
    }
}

/// Views as they lie in big-endian data: the integers are swapped, prefix and inline bytes not.
fn from_big_endian(bytes: &[u8], out: &mut Vec<View>) {
    let word = |chunk: &[u8], at: usize| {
        let mut word = [0; 4];
        word.copy_from_slice(&chunk[at..at + 4]);
        word
    };
    out.extend(bytes.chunks_exact(16).map(|chunk| {
        let length = u32::from_be_bytes(word(chunk, 0));
        let prefix = u32::from_le_bytes(word(chunk, 4));
        let read = if length <= View::MAX_INLINE_SIZE { u32::from_le_bytes } else { u32::from_be_bytes };
        View { length, prefix, buffer_idx: read(word(chunk, 8)), offset: read(word(chunk, 12)) }
    }));
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use arrow::array::Utf8ViewArray;
    use floe_format::{BatchHeader, BodyLayout, FieldNode, IpcLimits, Version};

    use super::super::{Budget, ColumnOffsets, ColumnPart, DecodeOptions};
    use super::*;
    use crate::{Dictionaries, Serial};

    /// Views of all of one buffer, each so many bytes from its start on.
    fn decode(data: &[u8], lengths: &[u32], nulls: usize) -> Result<Box<dyn Array>> {
        let prefix = u32::from_le_bytes([data[0], data[1], data[2], data[3]]);
        let views =
            lengths.iter().flat_map(|length| [*length, prefix, 0, 0].into_iter().flat_map(u32::to_le_bytes));
        let bits: Vec<u8> = if nulls > 0 { vec![0; lengths.len().div_ceil(8)] } else { Vec::new() };
        let (mut layout, mut body, mut buffers) = (BodyLayout::default(), Vec::new(), Vec::new());
        for buffer in [bits, views.collect(), data.to_vec()] {
            let spec = layout.push(buffer.len());
            body.resize(usize::try_from(spec.offset).unwrap(), 0);
            body.extend(buffer);
            buffers.push(spec);
        }
        let nodes = vec![FieldNode { len: lengths.len(), null_count: nulls }];
        let header =
            BatchHeader { rows: lengths.len(), nodes, buffers, variadic: vec![1], ..BatchHeader::default() };
        let body = Buffer::<u8>::from(body);
        let (options, budget) =
            (DecodeOptions::new(Version::V5, false, IpcLimits::default()), Budget::default());
        let dictionaries = Dictionaries::default();
        let one = || ColumnPart::new(&header, &body, &dictionaries, ColumnOffsets::default());
        let mut ctx = DecodeCtx::new(vec![one()], &options, &budget, &Serial);
        let array = super::decode::<str>(&mut ctx)?;
        let mut ctx = DecodeCtx::new(vec![one(), one()], &options, &budget, &Serial);
        let twice = super::decode::<str>(&mut ctx)?;
        // Comparing many takes as long as looking at each did.
        let few = array.len().min(4);
        for twice in [twice.sliced(0, few), twice.sliced(array.len(), few)] {
            assert!(twice == array.sliced(0, few));
        }
        Ok(array)
    }

    /// Looking at each view's text by itself takes a time that grows with the square of the input.
    #[test]
    fn views_of_the_same_text_are_looked_at_once() {
        let (rows, few) = if cfg!(miri) { (10, 4) } else { (50_000, 40_000) };
        let text = "ä€😀 and so on ".repeat(few);
        let all = u32::try_from(text.len()).unwrap();
        let start = Instant::now();
        let array = decode(text.as_bytes(), &vec![all; rows], 0).unwrap();
        let array = array.as_any().downcast_ref::<Utf8ViewArray>().unwrap();
        assert_eq!(array.value(rows - 1), text);
        assert!(
            decode(text.as_bytes(), &[all, all - 1, all], 0).is_ok(),
            "the last character is of one byte"
        );
        assert!(decode(text.as_bytes(), &[all, 15, 16], 0).is_ok());
        assert!(decode(text.as_bytes(), &[all, 27, all], 0).is_err(), "a character is split");
        // Also where the buffer has something else in it: that is an error, or a null that becomes empty.
        let broken = [text.as_bytes(), b"\xff"].concat();
        assert!(decode(&broken, &vec![all; rows], 0).is_ok());
        assert!(decode(&broken, &vec![all + 1; rows], 0).is_err());
        let nulls = decode(&broken, &vec![all + 1; rows], rows).unwrap();
        assert_eq!(nulls.null_count(), rows);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
