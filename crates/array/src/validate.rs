//! Checks of offsets, UTF-8 and views: the format leaves these to the writer's honesty.
//!
//! The checks are branch-free passes over whole buffers, so that the compiler vectorises them. The place of a failure
//! is searched only after there is one.

use arrow::array::View;
use arrow::bitmap::Bitmap;
use arrow::offset::Offset;
use floe_format::{Error, ErrorKind, Place, Result};
use polars_buffer::Buffer;

use floe_runtime::alloc::{byte_len, try_with_capacity};

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
        let text = data.get(pair[0].to_usize()..pair[1].to_usize());
        if valid && text.is_none_or(|text| simdutf8::basic::from_utf8(text).is_err()) {
            return Err(not_utf8().at(Place::Row(row)));
        }
    }
    Ok(())
}

/// Whether a byte is the second or later one of a UTF-8 character.
fn is_continuation(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

fn not_utf8() -> Error {
    Error::new(ErrorKind::InvalidUtf8)
}

/// By the length of an inline string: the bits behind it. A table, since shifting 128 bits takes longer than the rest of
/// the check.
static PADDING_OF_LEN: [u128; View::MAX_INLINE_SIZE as usize + 1] = padding();

/// The bits of an inline view that no ASCII has.
const NON_ASCII_BITS: u128 = 0x8080_8080_8080_8080_8080_8080_0000_0000;

const fn padding() -> [u128; View::MAX_INLINE_SIZE as usize + 1] {
    let mut out = [0; View::MAX_INLINE_SIZE as usize + 1];
    let mut len = 0;
    while len < View::MAX_INLINE_SIZE as usize {
        out[len] = u128::MAX << (32 + 8 * len);
        len += 1;
    }
    out
}

/// Which bytes of a data buffer are text. Any number of views may share bytes, so the buffer is validated once, and views
/// are compared with the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// All of it, of one byte a character.
    Ascii,
    /// All of it.
    Utf8,
    /// These ranges of it, in ascending order, with bytes between them that are not UTF-8.
    Parts(Vec<(usize, usize)>),
}

impl Text {
    /// Validates the bytes. `charge` is told of the bytes that are allocated, before they are.
    ///
    /// # Errors
    /// Those of `charge`, and when the allocator refuses.
    pub fn of(bytes: &[u8], charge: &dyn Fn(usize) -> Result<()>) -> Result<Self> {
        if bytes.is_ascii() {
            return Ok(Self::Ascii);
        }
        if simdutf8::basic::from_utf8(bytes).is_ok() {
            return Ok(Self::Utf8);
        }
        let parts = || bytes.utf8_chunks().filter(|chunk| !chunk.valid().is_empty());
        let count = parts().count();
        charge(byte_len::<(usize, usize)>(count)?)?;
        let mut out = try_with_capacity(count)?;
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            let end = at + chunk.valid().len();
            if end > at {
                out.push((at, end));
            }
            at = end + chunk.invalid().len();
        }
        Ok(Self::Parts(out))
    }

    /// Whether `data[start..end]` is UTF-8 by itself, where `data` is the buffer that was validated.
    ///
    /// UTF-8 synchronises itself: a range of valid text that starts and ends between characters is valid.
    #[inline]
    fn holds(&self, data: &[u8], start: usize, end: usize) -> bool {
        let begins = |at: usize| data.get(at).is_none_or(|byte| !is_continuation(*byte));
        match self {
            Self::Ascii => true,
            Self::Utf8 => begins(start) && begins(end),
            Self::Parts(parts) => {
                let behind = parts.partition_point(|(from, _)| *from <= start);
                let part = behind.checked_sub(1).and_then(|at| parts.get(at));
                part.is_some_and(|(_, until)| end == *until || (end < *until && begins(end))) && begins(start)
            },
        }
    }
}

/// Checks one view against its buffers: inline padding, index, range, prefix and, for strings, UTF-8. `texts[i]` says
/// which bytes of buffer `i` are text.
fn check_view(view: &View, buffers: &[Buffer<u8>], texts: Option<&[Text]>) -> Result<()> {
    if let Some(padding) = PADDING_OF_LEN.get(view.length as usize) {
        let bits = view.as_u128();
        if bits & padding != 0 {
            return Err(Error::invalid("an inline view has non-zero padding"));
        }
        if texts.is_some() && bits & NON_ASCII_BITS != 0 {
            let bytes = (bits >> 32).to_le_bytes();
            // An inline view is of twelve bytes at most.
            let text = bytes.get(..view.length as usize).ok_or_else(not_utf8)?;
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
    let is_text =
        |texts: &[Text]| texts.get(index).is_some_and(|text| text.holds(data, start, start + bytes.len()));
    if texts.is_some_and(|texts| !is_text(texts)) {
        return Err(not_utf8());
    }
    Ok(())
}

/// Checks views against their buffers; with `texts`, what is text in each, they must be UTF-8 as well.
///
/// # Errors
/// The first broken view's index, and what is wrong with it.
pub fn views(
    views: &[View],
    buffers: &[Buffer<u8>],
    texts: Option<&[Text]>,
) -> std::result::Result<(), (usize, Error)> {
    for (i, view) in views.iter().enumerate() {
        if !is_plainly_sound(view, buffers, texts) {
            check_view(view, buffers, texts).map_err(|error| (i, error))?;
        }
    }
    Ok(())
}

/// A fast path for nearly all views. False says nothing: [`check_view`] decides.
#[inline(always)]
fn is_plainly_sound(view: &View, buffers: &[Buffer<u8>], texts: Option<&[Text]>) -> bool {
    if let Some(padding) = PADDING_OF_LEN.get(view.length as usize) {
        let not_ascii = if texts.is_some() { NON_ASCII_BITS } else { 0 };
        return view.as_u128() & (padding | not_ascii) == 0;
    }
    let index = view.buffer_idx as usize;
    let (start, len) = (view.offset as usize, view.length as usize);
    let Some(data) = buffers.get(index).map(Buffer::as_slice) else { return false };
    let is_inside = data.len().checked_sub(start).is_some_and(|rest| rest >= len);
    let begin = data.get(start..).and_then(<[u8]>::first_chunk::<4>);
    is_inside
        && begin.is_some_and(|begin| u32::from_le_bytes(*begin) == view.prefix)
        && texts.is_none_or(|texts| match texts.get(index) {
            Some(Text::Ascii) => true,
            Some(text @ Text::Utf8) => text.holds(data, start, start + len),
            _ => false,
        })
}

/// Whether one view is sound; for the repair of null rows.
#[must_use]
pub fn is_view_sound(view: &View, buffers: &[Buffer<u8>], texts: Option<&[Text]>) -> bool {
    check_view(view, buffers, texts).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stretch of bytes is text exactly if the check of the whole said so.
    #[test]
    fn what_is_text_is_so_by_itself() {
        let inputs: [&[u8]; 8] = [
            b"plain",
            "\u{e4}\u{20ac}\u{1f600}x".as_bytes(),
            b"",
            b"\xff",
            b"ab\xe0\xc3\xa9\xf0\x90cd\x80\xe2\x82\xac\xed\xa0\x80z",
            b"\xf0\x9f\x98\x80\xf0\x9f\x98",
            b"\x80\x80a\xc0\xafb\xf5\x80\x80\x80",
            b"\xc3\xa9\xc3\xc3\xa9\xa9",
        ];
        for bytes in inputs {
            let text = Text::of(bytes, &|_| Ok(())).unwrap();
            assert_eq!(text == Text::Ascii, bytes.is_ascii());
            for start in 0..=bytes.len() {
                for end in start + 1..=bytes.len() {
                    let expected = std::str::from_utf8(&bytes[start..end]).is_ok();
                    assert_eq!(text.holds(bytes, start, end), expected, "{bytes:x?}, {start}..{end}");
                }
            }
        }
        let refused = Text::of(b"a\xffb\xff", &|bytes| Err(Error::invalid(format!("{bytes} bytes"))));
        assert!(refused.is_err_and(|error| error.to_string().contains("32 bytes")));
    }
}
