//! What the format leaves to the writer's honesty, checked before it is relied on: offsets, UTF-8
//! and views.
//!
//! The checks are written as branch-free passes over whole buffers, so that the compiler makes
//! vectors of them; the place of a failure is looked for only after one is known.

use arrow::array::View;
use arrow::bitmap::Bitmap;
use arrow::offset::Offset;
use floe_format::{Error, Result};
use polars_buffer::Buffer;

/// Checks that offsets rise from `0..` to at most `end`; returns the first and the last.
///
/// # Errors
/// When they fall, are negative or pass `end`.
pub fn offsets<O: Offset>(offsets: &[O], end: usize) -> Result<(usize, usize)> {
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else {
        return Ok((0, 0));
    };
    let falls = offsets.windows(2).fold(false, |falls, pair| falls | (pair[1] < pair[0]));
    if falls || *first < O::zero() {
        return Err(Error::invalid("offsets are not in ascending order"));
    }
    let last = last.to_usize();
    if last > end {
        return Err(Error::invalid(format!("offsets reach {last}, beyond the {end} values there are")));
    }
    Ok((first.to_usize(), last))
}

/// Checks that `data[first..last]` is UTF-8 and that no offset splits a character.
///
/// # Errors
/// When it is not.
pub fn utf8_offsets<O: Offset>(offsets: &[O], first: usize, last: usize, data: &[u8]) -> Result<()> {
    let Some(used) = data.get(first..last) else {
        return Err(Error::invalid("offsets lie outside of their data"));
    };
    if used.is_ascii() {
        return Ok(());
    }
    simdutf8::basic::from_utf8(used).map_err(|_| not_utf8())?;
    let splits =
        offsets.iter().any(|offset| data.get(offset.to_usize()).is_some_and(|byte| is_continuation(*byte)));
    // An offset at `last` may be followed by data that is not part of any string.
    if splits && offsets.iter().filter(|o| o.to_usize() < last).any(|o| is_continuation(data[o.to_usize()])) {
        return Err(not_utf8());
    }
    Ok(())
}

/// Checks each row that is not null to be UTF-8 by itself.
///
/// # Errors
/// When one is not.
pub fn utf8_rows<O: Offset>(offsets: &[O], data: &[u8], validity: &Bitmap) -> Result<()> {
    for (row, (pair, valid)) in offsets.windows(2).zip(validity.iter()).enumerate() {
        let text = data.get(pair[0].to_usize()..pair[1].to_usize()).unwrap_or_default();
        if valid && simdutf8::basic::from_utf8(text).is_err() {
            return Err(not_utf8().at(format!("row {row}")));
        }
    }
    Ok(())
}

/// Whether a byte is the second or later one of a UTF-8 character.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

fn not_utf8() -> Error {
    Error::invalid("a string is not valid UTF-8")
}

/// The bits behind an inline string of so many bytes. (A table: shifting 128 bits takes longer than all else.)
static PADDING: [u128; View::MAX_INLINE_SIZE as usize + 1] = padding();

/// The bits of an inline view that no ASCII has.
const HIGH: u128 = 0x8080_8080_8080_8080_8080_8080_0000_0000;

const fn padding() -> [u128; View::MAX_INLINE_SIZE as usize + 1] {
    let mut out = [0; View::MAX_INLINE_SIZE as usize + 1];
    let mut len = 0;
    while len < View::MAX_INLINE_SIZE as usize {
        out[len] = u128::MAX << (32 + 8 * len);
        len += 1;
    }
    out
}

/// Checks one view against its buffers: inline padding, index, range, prefix and, for strings,
/// UTF-8. `trusted[i]` says that all of buffer `i` is ASCII.
fn check_view(view: &View, buffers: &[Buffer<u8>], ascii: Option<&[bool]>) -> Result<()> {
    if let Some(padding) = PADDING.get(view.length as usize) {
        let bits = view.as_u128();
        if bits & padding != 0 {
            return Err(Error::invalid("an inline view has non-zero padding"));
        }
        if ascii.is_some() && bits & HIGH != 0 {
            let bytes = (bits >> 32).to_le_bytes();
            let text = bytes.get(..view.length as usize).unwrap_or_default();
            std::str::from_utf8(text).map_err(|_| not_utf8())?;
        }
        return Ok(());
    }
    let index = view.buffer_idx as usize;
    let data = buffers.get(index).ok_or_else(|| {
        Error::invalid(format!("a view points at data buffer {index} of {}", buffers.len()))
    })?;
    let start = view.offset as usize;
    let bytes =
        start.checked_add(view.length as usize).and_then(|end| data.get(start..end)).ok_or_else(|| {
            Error::invalid(format!("a view reaches beyond its data buffer of {} bytes", data.len()))
        })?;
    if bytes.get(..4) != Some(view.prefix.to_le_bytes().as_slice()) {
        return Err(Error::invalid("a view's prefix differs from its data"));
    }
    if let Some(ascii) = ascii
        && !ascii.get(index).copied().unwrap_or(false)
    {
        simdutf8::basic::from_utf8(bytes).map_err(|_| not_utf8())?;
    }
    Ok(())
}

/// Which buffers are all ASCII, if `utf8` is asked for: views into those need no further look.
#[must_use]
pub fn ascii(buffers: &[Buffer<u8>], utf8: bool) -> Option<Vec<bool>> {
    utf8.then(|| buffers.iter().map(|b| b.is_ascii()).collect())
}

/// Checks views against their buffers; with `ascii` (see [`ascii`]) they must be UTF-8 as well.
///
/// # Errors
/// The first broken view's index, and what is wrong with it.
pub fn views(
    views: &[View],
    buffers: &[Buffer<u8>],
    ascii: Option<&[bool]>,
) -> std::result::Result<(), (usize, Error)> {
    for (i, view) in views.iter().enumerate() {
        if !is_plainly_sound(view, buffers, ascii) {
            check_view(view, buffers, ascii).map_err(|error| (i, error))?;
        }
    }
    Ok(())
}

/// What [`check_view`] finds for nearly all views, in few steps: false says nothing.
#[inline(always)]
fn is_plainly_sound(view: &View, buffers: &[Buffer<u8>], ascii: Option<&[bool]>) -> bool {
    if let Some(padding) = PADDING.get(view.length as usize) {
        let not_ascii = if ascii.is_some() { HIGH } else { 0 };
        return view.as_u128() & (padding | not_ascii) == 0;
    }
    let index = view.buffer_idx as usize;
    let (start, len) = (view.offset as usize, view.length as usize);
    let Some(data) = buffers.get(index).map(Buffer::as_slice) else { return false };
    let is_inside = data.len().checked_sub(start).is_some_and(|rest| rest >= len);
    let begin = data.get(start..).and_then(<[u8]>::first_chunk::<4>);
    is_inside
        && begin.is_some_and(|begin| u32::from_le_bytes(*begin) == view.prefix)
        && ascii.is_none_or(|ascii| ascii.get(index) == Some(&true))
}

/// Whether one view is sound; for the repair of null rows.
#[must_use]
pub fn is_view_sound(view: &View, buffers: &[Buffer<u8>], utf8: bool) -> bool {
    let none: &[bool] = &[];
    check_view(view, buffers, utf8.then_some(none)).is_ok()
}
