//! String and binary views: a validity bitmap, a buffer of 16-byte views and any number of data
//! buffers. With several parts the views are re-indexed over the buffers of all.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, BinaryViewArrayGeneric, View, ViewType};
use arrow::bitmap::Bitmap;
use floe_format::{Error, Place, Result};
use floe_runtime::alloc::byte_len;
use polars_buffer::Buffer;

use super::ctx::{BufferRef, DecodeCtx, lens};
use super::values::{Destination, StretchHooks};
use super::view_builder::ViewBuilder;
use crate::made::too_many_buffers;
use crate::share;
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
    let buffer_refs = ctx.next_buffers()?;
    let data_refs = ctx.next_variadic_buffers()?;
    let mut views = ctx.fixed_at::<View>(&buffer_refs, &lens(&nodes))?;
    let validity = validity.read(ctx, &nodes)?;
    let buffers = ctx.bytes_of_all(&data_refs.concat())?;
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
    let views = ctx.next_buffers()?;
    let data = ctx.next_variadic_buffers()?;
    let own = buffer_numbers(&data, out.next_buffer()?)?;
    let parts = ViewParts { lens: lens(&nodes), views, data, own };
    let (known, first) = (out.views.len(), out.buffers.len());
    let are_sound = if ctx.options().big_endian {
        append_big_endian(ctx, out, &parts)?;
        false
    } else {
        append_checked(ctx, out, &parts, T::IS_UTF8)?
    };
    let validity = validity.read(ctx, &nodes)?;
    out.bytes = None;
    if !are_sound
        && ctx.options().validate
        && let Some(repaired) =
            check(ctx, &out.views[known..], &out.buffers, first, validity.as_ref(), T::IS_UTF8)?
    {
        out.views.truncate(known);
        out.views.extend(repaired);
    }
    Ok(validity)
}

/// The views of all parts, still to be read.
struct ViewParts {
    lens: Vec<usize>,
    views: Vec<BufferRef>,
    /// The data buffers of each part.
    data: Vec<Vec<BufferRef>>,
    /// The numbers of each part's data buffers among those of all.
    own: Vec<Range<u32>>,
}

/// The numbers of each part's data buffers, which begin with `next`.
fn buffer_numbers(data: &[Vec<BufferRef>], mut next: u32) -> Result<Vec<Range<u32>>> {
    let numbers = |buffers: &Vec<BufferRef>| {
        let end = u32::try_from(buffers.len()).ok().and_then(|len| next.checked_add(len));
        let end = end.ok_or_else(too_many_buffers)?;
        Ok(std::mem::replace(&mut next, end)..end)
    };
    data.iter().map(numbers).collect()
}

/// Adds views and data as they come, not checked.
fn append_big_endian(ctx: &DecodeCtx<'_>, out: &mut ViewBuilder, parts: &ViewParts) -> Result<()> {
    let ViewParts { lens, views, data, own } = parts;
    let mut total = 0usize;
    for (buffer, len) in views.iter().zip(lens) {
        ctx.require(*buffer, byte_len::<View>(*len)?)?;
        total = total.saturating_add(*len);
    }
    out.reserve(ctx, total)?;
    let known = out.views.len();
    let counts: Vec<usize> = lens.iter().map(|len| len.saturating_mul(size_of::<View>())).collect();
    from_big_endian(&ctx.fixed_at::<u8>(views, &counts)?, &mut out.views);
    let mut rest = &mut out.views[known..];
    for (own, len) in own.iter().zip(lens) {
        let (here, behind) = rest.split_at_mut(*len);
        rest = behind;
        reindex(here, own);
    }
    out.buffers.append(&mut ctx.bytes_of_all(&data.concat())?);
    Ok(())
}

/// Adds views and data, and checks the views of each part right after they were read. False if a view is broken.
fn append_checked(ctx: &DecodeCtx<'_>, out: &mut ViewBuilder, parts: &ViewParts, utf8: bool) -> Result<bool> {
    let ViewParts { lens, views, data, own } = parts;
    let found: Vec<OnceLock<Data>> = lens.iter().map(|_| OnceLock::new()).collect();
    let is_broken = AtomicBool::new(false);
    // Data first: the views are then still in the cache when they are checked.
    let prepare = |part: usize| {
        let (Some(data), Some(found)) = (data.get(part), found.get(part)) else {
            return Err(no_such_part(part));
        };
        let buffers = ctx.bytes_of_all(data)?;
        let texts = if ctx.options().validate { texts(ctx, &buffers, utf8)? } else { None };
        // Each part is one call's.
        let _ = found.set(Data { buffers, texts });
        Ok(())
    };
    let transform = |part: usize, _: usize, views: &mut [View]| {
        let data = found.get(part).and_then(OnceLock::get);
        let (Some(own), Some(data)) = (own.get(part), data) else { return Err(no_such_part(part)) };
        if !check_and_reindex(ctx, views, data, own)? {
            is_broken.store(true, Ordering::Relaxed);
        }
        Ok(())
    };
    let hooks = StretchHooks { prepare: &prepare, transform: &transform };
    let known = Destination { values: std::mem::take(&mut out.views), grows: out.grows };
    out.views = ctx.append_transformed(known, views, lens, &hooks)?;
    for (part, found) in found.into_iter().enumerate() {
        let data = found.into_inner().ok_or_else(|| no_such_part(part))?;
        out.buffers.extend(data.buffers);
    }
    Ok(!is_broken.into_inner())
}

fn no_such_part(part: usize) -> Error {
    Error::invalid(format!("views of part {part} have no data"))
}

/// The data buffers of a part and, for strings, which bytes of each are text.
struct Data {
    buffers: Vec<Buffer<u8>>,
    texts: Option<Vec<Text>>,
}

fn texts(ctx: &DecodeCtx<'_>, buffers: &[Buffer<u8>], utf8: bool) -> Result<Option<Vec<Text>>> {
    let text = |buffer: &Buffer<u8>| Text::of(buffer, &|bytes| ctx.charge(bytes));
    utf8.then(|| buffers.iter().map(text).collect()).transpose()
}

/// Views are checked in stripes of this many, each by one thread.
const STRIPE_VIEWS: usize = 1 << 16;

/// Checks the views of a part against its own buffers, and shifts their indices behind the buffers of the parts
/// before: both while views and data are in the cache. False if a view is broken.
fn check_and_reindex(ctx: &DecodeCtx<'_>, views: &mut [View], data: &Data, own: &Range<u32>) -> Result<bool> {
    let validate = ctx.options().validate;
    let are_sound = ctx.map_jobs(views.chunks_mut(STRIPE_VIEWS).collect(), |stripe| {
        let is_sound = !validate || validate::views(stripe, &data.buffers, data.texts.as_deref()).is_ok();
        reindex(stripe, own);
        Ok(is_sound)
    })?;
    Ok(are_sound.into_iter().all(|is_sound| is_sound))
}

/// Checks all views, none of which refers to a buffer before `first`. If only null rows have broken views, returns all
/// views, with empty ones for those rows.
fn check(
    ctx: &DecodeCtx<'_>,
    views: &[View],
    buffers: &[Buffer<u8>],
    first: usize,
    validity: Option<&Bitmap>,
    utf8: bool,
) -> Result<Option<Vec<View>>> {
    // The buffers of earlier batches have been validated.
    let new = buffers.get(first..).ok_or_else(|| Error::invalid("data buffers are missing"))?;
    let mut texts = texts(ctx, new, utf8)?;
    if let Some(texts) = &mut texts {
        texts.splice(..0, std::iter::repeat_n(Text::Parts(Vec::new()), first));
    }
    let stripes = views.chunks(STRIPE_VIEWS).enumerate().collect();
    let broken = ctx.map_jobs(stripes, |(i, stripe)| {
        let found = validate::views(stripe, buffers, texts.as_deref());
        Ok(found.err().map(|(row, error)| (i * STRIPE_VIEWS + row, error)))
    })?;
    let Some((first, error)) = broken.into_iter().flatten().next() else { return Ok(None) };
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
            // No buffer has that number, so that the check refuses it.
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
    use floe_format::{BatchHeader, BodyLayout, FieldNode, Version};
    use floe_runtime::Serial;

    use super::super::{Budget, ColumnOffsets, ColumnPart, DecodeOptions};
    use super::*;
    use crate::Dictionaries;

    /// Views that cover one buffer, one for each of these lengths.
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
        let (options, budget) = (DecodeOptions::new(Version::V5, false), Budget::default());
        let dictionaries = Dictionaries::default();
        let one = || ColumnPart::new(&header, &body, &dictionaries, ColumnOffsets::default());
        let mut ctx = DecodeCtx::new(vec![one()], &options, &budget, &Serial);
        let array = super::decode::<str>(&mut ctx)?;
        let mut ctx = DecodeCtx::new(vec![one(), one()], &options, &budget, &Serial);
        let twice = super::decode::<str>(&mut ctx)?;
        // Comparing all takes as long as checking each did.
        let few = array.len().min(4);
        for twice in [twice.sliced(0, few), twice.sliced(array.len(), few)] {
            assert!(twice == array.sliced(0, few));
        }
        Ok(array)
    }

    /// Validating each view's text by itself takes a time that grows with the square of the input.
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
        // The same where the buffer has other bytes in it: that is an error, or a null that becomes empty.
        let broken = [text.as_bytes(), b"\xff"].concat();
        assert!(decode(&broken, &vec![all; rows], 0).is_ok());
        assert!(decode(&broken, &vec![all + 1; rows], 0).is_err());
        let nulls = decode(&broken, &vec![all + 1; rows], rows).unwrap();
        assert_eq!(nulls.null_count(), rows);
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
