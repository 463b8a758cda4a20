//! String and binary views to offsets.
//!
//! Offsets need the values one after another, in the order of the rows. Long strings that were not filtered or sorted
//! lie so already: [`encode`] then shares their buffers, and copies in all other cases.

use std::ops::Range;

use arrow::array::{BinaryViewArrayGeneric, View, ViewType};
use arrow::bitmap::Bitmap;
use arrow::bitmap::iterator::TrueIdxIter;
use floe_format::{Error, Result};
use floe_runtime::alloc::try_with_capacity;
use polars_buffer::Buffer;

use super::buffer::EncodedBuffer;
use super::bytes::as_bytes;
use super::copy_values::{CopiedValues, Prefetch, inline_values};
use super::ctx::EncodeCtx;
use super::usage::{nulls, nulls_are_empty};
use crate::share;

/// Views to 64-bit offsets and one data buffer.
pub(super) fn encode<T: ViewType + ?Sized>(
    ctx: &mut EncodeCtx<'_>,
    array: &BinaryViewArrayGeneric<T>,
) -> Result<()> {
    ctx.node_and_validity(array);
    let only = written_rows(array).cloned();
    let lens = |array: &BinaryViewArrayGeneric<T>| {
        Some(vec![(array.len() + 1) * size_of::<i64>(), values_len(array.views(), only.as_ref())])
    };
    let rows = only.clone();
    ctx.make(array, lens, move |array| offsets_and_values(array, rows.as_ref()))
}

/// The validity, if only valid rows are written: where a null holds a value, that is left out. `None` if no null holds any,
/// which is the common case: then rows need not be looked at one by one.
fn written_rows<T: ViewType + ?Sized>(array: &BinaryViewArrayGeneric<T>) -> Option<&Bitmap> {
    nulls(array).filter(|validity| !nulls_are_empty(array.views(), validity))
}

/// Bytes of the values that are written.
fn values_len(views: &[View], only: Option<&Bitmap>) -> usize {
    match only {
        None => views.iter().map(|view| view.length as usize).sum(),
        // A validity has one bit for each view: none is left out.
        Some(valid) => TrueIdxIter::new(views.len(), Some(valid))
            .filter_map(|row| views.get(row))
            .map(|view| view.length as usize)
            .sum(),
    }
}

/// Of all rows, or of the valid ones `only`.
fn offsets_and_values<T: ViewType + ?Sized>(
    array: &BinaryViewArrayGeneric<T>,
    only: Option<&Bitmap>,
) -> Result<Vec<EncodedBuffer>> {
    let views = array.views();
    let mut offsets = try_with_capacity::<i64>(array.len() + 1)?;
    let mut end = 0i64;
    offsets.push(end);
    let mut add = |length: u32| {
        end += i64::from(length);
        end
    };
    let data = match only {
        None if array.data_buffers().is_empty() && views.len() <= MAX_INLINE_ROWS => {
            share(inline_values(views, &mut offsets)?).into()
        },
        None => {
            offsets.extend(views.iter().map(|view| add(view.length)));
            match in_place(views, array.data_buffers()) {
                Some(data) => data,
                None => values(array, 0..array.len(), end)?,
            }
        },
        Some(validity) => {
            let length = |(view, valid): (&View, bool)| if valid { view.length } else { 0 };
            offsets.extend(views.iter().zip(validity).map(|pair| add(length(pair))));
            values(array, TrueIdxIter::new(array.len(), Some(validity)), end)?
        },
    };
    Ok(vec![as_bytes(share(offsets)).into(), data])
}

/// Up to this many rows, room is taken for the largest value that a view can hold itself.
const MAX_INLINE_ROWS: usize = 1 << 20;

/// Pieces that are shorter than this on average are copied together: writing each costs more.
const MIN_PIECE_BYTES: usize = 4 << 10;
/// Pieces are judged from this many on: the buffers of a column start small.
const MIN_JUDGED_PIECES: usize = 16;

/// The values of views whose bytes lie in buffers in the order of the rows, as they lie there: all in one buffer, or in
/// a few. `None` if they do not lie so, or a value is in its view, or outside of its buffer.
fn in_place(views: &[View], buffers: &[Buffer<u8>]) -> Option<EncodedBuffer> {
    // So few are not worth a look.
    if views.len() < MIN_JUDGED_PIECES {
        return None;
    }
    let mut stretches: Vec<(u32, Range<usize>)> = Vec::new();
    let mut before = 0;
    for view in views {
        if view.length == 0 {
            continue;
        }
        if view.length <= View::MAX_INLINE_SIZE {
            return None;
        }
        let (start, len) = (view.offset as usize, view.length as usize);
        match stretches.last_mut() {
            Some((buffer, stretch)) if *buffer == view.buffer_idx && stretch.end == start => {
                stretch.end += len;
                continue;
            },
            Some((_, stretch)) => before += stretch.len(),
            None => {},
        }
        if stretches.len() >= MIN_JUDGED_PIECES && before < stretches.len() * MIN_PIECE_BYTES {
            return None;
        }
        stretches.push((view.buffer_idx, start..start + len));
    }
    // Without a view that is not empty there are no stretches.
    let total = before + stretches.last().map_or(0, |(_, stretch)| stretch.len());
    if total < stretches.len() * MIN_PIECE_BYTES {
        return None;
    }
    let piece = |(buffer, stretch): (u32, Range<usize>)| {
        let buffer = buffers.get(buffer as usize).filter(|buffer| stretch.end <= buffer.len())?;
        Some(buffer.clone().sliced(stretch))
    };
    let mut pieces = stretches.into_iter().map(piece).collect::<Option<Vec<_>>>()?;
    match pieces.pop() {
        Some(only) if pieces.is_empty() => Some(only.into()),
        last => {
            pieces.extend(last);
            Some(EncodedBuffer::Pieces(pieces))
        },
    }
}

/// The bytes of the values of some rows, `len` in all.
fn values<T: ViewType + ?Sized>(
    array: &BinaryViewArrayGeneric<T>,
    rows: impl Iterator<Item = usize>,
    len: i64,
) -> Result<EncodedBuffer> {
    let len = usize::try_from(len).map_err(|_| Error::unsupported("more strings than memory"))?;
    let (views, buffers) = (array.views(), array.data_buffers());
    let prefetch = Prefetch::new(views, buffers);
    let mut out = CopiedValues::new(len)?;
    for row in rows {
        let view = views.get(row).ok_or_else(|| Error::invalid("a validity is longer than its views"))?;
        prefetch.ahead_of(row);
        out.push(view, buffers)?;
    }
    Ok(share(out.finish()).into())
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
