//! String and binary views, to views or to offsets.
//!
//! Views share their data buffers freely: a slice or a filtered array may use little of what it
//! holds on to. [`encode`] looks at what is used and writes that: the buffers as they lie when
//! most of them is in use, the used range of each when it is dense, gathered values otherwise. If
//! canonical views are wanted, values are always gathered.

use arrow::array::{Array, BinaryViewArrayGeneric, View, ViewType};
use arrow::bitmap::iterator::TrueIdxIter;
use floe_format::Result;
use polars_buffer::Buffer;

use super::EncodeCtx;
use crate::aligned::try_with_capacity;
use crate::recycle::share;

/// The part of a data buffer that views use.
#[derive(Clone, Copy)]
struct Used {
    start: usize,
    end: usize,
    bytes: usize,
}

pub(super) fn encode<T: ViewType + ?Sized>(
    ctx: &mut EncodeCtx<'_>,
    array: &BinaryViewArrayGeneric<T>,
) -> Result<()> {
    ctx.node_and_validity(array);
    let (views, buffers) = compact(array, ctx.canonical_views)?;
    ctx.values(&views);
    ctx.out.variadic.push(buffers.len());
    for buffer in buffers {
        ctx.bytes(buffer);
    }
    Ok(())
}

fn is_valid<T: ViewType + ?Sized>(array: &BinaryViewArrayGeneric<T>, row: usize) -> bool {
    array.validity().is_none_or(|validity| validity.get(row) == Some(true))
}

/// Which range of each buffer the array's values lie in, and how much of it they are.
fn usage<T: ViewType + ?Sized>(array: &BinaryViewArrayGeneric<T>) -> Vec<Used> {
    let mut used = vec![Used { start: usize::MAX, end: 0, bytes: 0 }; array.data_buffers().len()];
    let mut note = |view: &View| {
        if view.length > View::MAX_INLINE_SIZE
            && let Some(used) = used.get_mut(view.buffer_idx as usize)
        {
            let (start, len) = (view.offset as usize, view.length as usize);
            used.start = used.start.min(start);
            used.end = used.end.max(start + len);
            used.bytes += len;
        }
    };
    if array.null_count() == 0 {
        array.views().iter().for_each(note);
    } else {
        let views = array.views().iter().enumerate();
        views.filter(|(row, _)| is_valid(array, *row)).for_each(|(_, view)| note(view));
    }
    used
}

fn compact<T: ViewType + ?Sized>(
    array: &BinaryViewArrayGeneric<T>,
    canonical: bool,
) -> Result<(Buffer<View>, Vec<Buffer<u8>>)> {
    let used = usage(array);
    let has_nulls = array.null_count() > 0;
    let mostly = |bytes: usize, of: usize| bytes >= of - of / 4;
    let as_they_lie = array
        .data_buffers()
        .iter()
        .zip(&used)
        .all(|(buffer, used)| used.bytes > 0 && mostly(used.bytes, buffer.len()));
    if as_they_lie && !has_nulls && (!canonical || used.is_empty()) {
        return Ok((array.views().clone(), array.data_buffers().iter().cloned().collect()));
    }
    // Each buffer in use is kept as a range if its values are dense there; else it is gathered.
    let mut kept = Vec::new();
    let mut place: Vec<Option<(u32, usize)>> = vec![None; used.len()];
    for (i, (buffer, used)) in array.data_buffers().iter().zip(&used).enumerate() {
        if !canonical && used.bytes > 0 && mostly(used.bytes, used.end - used.start) {
            place[i] = Some((index(kept.len())?, used.start));
            kept.push(buffer.clone().sliced(used.start..used.end));
        }
    }
    let scattered: usize = used.iter().zip(&place).filter(|(_, p)| p.is_none()).map(|(u, _)| u.bytes).sum();
    let mut gathered = Gathered::new(kept, scattered)?;
    let mut views = try_with_capacity::<View>(array.len())?;
    for (row, view) in array.views().iter().enumerate() {
        let mut view = *view;
        if has_nulls && !is_valid(array, row) {
            view = View::default();
        } else if view.length > View::MAX_INLINE_SIZE {
            match place.get(view.buffer_idx as usize).copied().flatten() {
                Some((buffer, start)) => {
                    view.buffer_idx = buffer;
                    view.offset -= index(start)?;
                },
                None => {
                    let start = view.offset as usize;
                    let source = array.data_buffers().get(view.buffer_idx as usize);
                    let value = source.and_then(|b| b.get(start..start + view.length as usize));
                    (view.buffer_idx, view.offset) = gathered.push(value.unwrap_or_default())?;
                },
            }
        }
        views.push(view);
    }
    Ok((share(views), gathered.finish()))
}

fn index(value: usize) -> Result<u32> {
    u32::try_from(value).map_err(|_| floe_format::Error::unsupported("more than 2^32 data buffers"))
}

/// Values copied one after another, behind buffers that are kept as they are.
struct Gathered {
    buffers: Vec<Buffer<u8>>,
    open: Vec<u8>,
    left: usize,
}

impl Gathered {
    /// View offsets have 32 bits; stay far below.
    const MAX: usize = 1 << 30;

    fn new(buffers: Vec<Buffer<u8>>, bytes: usize) -> Result<Self> {
        Ok(Self { buffers, open: try_with_capacity(bytes.min(Self::MAX))?, left: bytes })
    }

    fn push(&mut self, value: &[u8]) -> Result<(u32, u32)> {
        if !self.open.is_empty() && self.open.len() + value.len() > Self::MAX {
            let next = try_with_capacity(self.left.min(Self::MAX))?;
            self.buffers.push(share(std::mem::replace(&mut self.open, next)));
        }
        let at = (index(self.buffers.len())?, index(self.open.len())?);
        self.open.extend_from_slice(value);
        self.left = self.left.saturating_sub(value.len());
        Ok(at)
    }

    fn finish(mut self) -> Vec<Buffer<u8>> {
        if !self.open.is_empty() {
            self.buffers.push(share(self.open));
        }
        self.buffers
    }
}

/// Views to 64-bit offsets and one data buffer.
pub(super) fn encode_offsets<T: ViewType + ?Sized>(
    ctx: &mut EncodeCtx<'_>,
    array: &BinaryViewArrayGeneric<T>,
) -> Result<()> {
    ctx.node_and_validity(array);
    let mut offsets = try_with_capacity::<i64>(array.len() + 1)?;
    let mut end = 0i64;
    offsets.push(end);
    let mut add = |length: u32| {
        end += i64::from(length);
        end
    };
    let views = array.views().iter();
    // What a null holds is left out.
    match array.validity().filter(|validity| validity.unset_bits() > 0) {
        None => {
            offsets.extend(views.map(|view| add(view.length)));
            let data = values(array.views().iter(), array.data_buffers(), end)?;
            ctx.values(&share(offsets));
            ctx.bytes(share(data));
        },
        Some(validity) => {
            let length = |(view, valid): (&View, bool)| if valid { view.length } else { 0 };
            offsets.extend(views.zip(validity).map(|pair| add(length(pair))));
            let valid =
                TrueIdxIter::new(array.len(), Some(validity)).filter_map(|row| array.views().get(row));
            let data = values(valid, array.data_buffers(), end)?;
            ctx.values(&share(offsets));
            ctx.bytes(share(data));
        },
    }
    Ok(())
}

/// Bytes that are copied at once, whether a value has as many or not.
const AT_ONCE: usize = 32;

/// The bytes of views, one value after another: `len` in all.
fn values<'a>(views: impl Iterator<Item = &'a View>, buffers: &[Buffer<u8>], len: i64) -> Result<Vec<u8>> {
    let len =
        usize::try_from(len).map_err(|_| floe_format::Error::unsupported("more strings than memory"))?;
    let room = len.saturating_add(AT_ONCE);
    let mut out = try_with_capacity::<u8>(room)?;
    let start = out.as_mut_ptr();
    let mut at = 0;
    for view in views {
        let length = view.length as usize;
        if length > len - at {
            // The views have changed since they were measured, which nobody is allowed to do.
            return Err(floe_format::Error::invalid("strings are longer than they say"));
        }
        // SAFETY: `at + length <= len`, so that from here on there is room for `length` bytes and for
        // `AT_ONCE`, in an allocation that nothing else refers to. What is written beyond `length` is
        // written over by the next value, or cut off.
        let place = unsafe { start.add(at) };
        if view.length <= View::MAX_INLINE_SIZE {
            let inline = (view.as_u128() >> 32).to_le_bytes();
            // SAFETY: as above, 16 bytes.
            unsafe { place.cast::<[u8; 16]>().write_unaligned(inline) };
        } else {
            let from = view.offset as usize;
            let buffer = buffers.get(view.buffer_idx as usize).map_or(&[][..], |buffer| buffer.as_slice());
            let outside = || floe_format::Error::invalid("a string lies outside of its buffer");
            let behind = buffer.get(from..).ok_or_else(outside)?;
            match behind.first_chunk::<AT_ONCE>() {
                // SAFETY: as above, `AT_ONCE` bytes.
                Some(ahead) if length <= AT_ONCE => unsafe {
                    place.cast::<[u8; AT_ONCE]>().write_unaligned(*ahead);
                },
                _ => {
                    let value = behind.get(..length).ok_or_else(outside)?;
                    // SAFETY: as above, `length` bytes.
                    unsafe { std::ptr::copy_nonoverlapping(value.as_ptr(), place, length) };
                },
            }
        }
        at += length;
    }
    // SAFETY: all of `out[..at]` has been written, and `at <= len`, for which there is room.
    unsafe { out.set_len(at) };
    Ok(out)
}
