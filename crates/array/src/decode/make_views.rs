//! The inner loop of strings with offsets: one view per row, 16 bytes each.
//!
//! On x86-64 a view is made in a register: sixteen bytes from where the string begins, those behind its end masked
//! away, shifted to make room for the length. That takes half the time of the arithmetic in [`new_view`], which is
//! what other processors get. (Storing past the caches was tried for large columns and gains nothing: the memory is
//! warm when it is used again.)

use std::mem::MaybeUninit;

use arrow::array::View;

/// Writes the views of `data[start..end]` for each row; whether any of them points into the data, as buffer `index`.
///
/// `data` is below 4 GiB.
#[inline]
pub(super) fn write_views(
    views: &mut [MaybeUninit<View>],
    rows: impl Iterator<Item = (usize, usize)>,
    data: &[u8],
    index: u32,
) -> bool {
    #[cfg(target_arch = "x86_64")]
    use x86::view_at;
    let mut any_long = false;
    for (view, (start, end)) in views.iter_mut().zip(rows) {
        any_long |= end - start > View::MAX_INLINE_SIZE as usize;
        view.write(view_at(data, start, end, index));
    }
    any_long
}

/// The view of `data[start..end]`.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "data is below 4 GiB")]
fn view_at(data: &[u8], start: usize, end: usize, index: u32) -> View {
    new_view(data, start, end, index, start as u32)
}

/// The view of `data[start..end]`, which is at `offset` of buffer `index`.
#[inline(always)]
pub(super) fn new_view(data: &[u8], start: usize, end: usize, index: u32, offset: u32) -> View {
    let len = end - start;
    #[expect(clippy::cast_possible_truncation, reason = "callers keep values below 4 GiB")]
    let length = len as u32;
    if len > View::MAX_INLINE_SIZE as usize {
        let prefix = u32::from_le_bytes([data[start], data[start + 1], data[start + 2], data[start + 3]]);
        return View { length, prefix, buffer_idx: index, offset };
    }
    // Twelve bytes at once where they are there, the rest masked away.
    let mut inline = [0u8; 16];
    if let Some(ahead) = data.get(start..start + 12) {
        inline[..12].copy_from_slice(ahead);
    } else {
        inline[..len].copy_from_slice(&data[start..end]);
    }
    let mask = (1u128 << (len * 8)) - 1;
    let value = ((u128::from_le_bytes(inline) & mask) << 32) | u128::from(length);
    View::from(value)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use arrow::array::View;
    use std::arch::x86_64::{
        __m128i, _mm_and_si128, _mm_cvtsi32_si128, _mm_loadu_si128, _mm_or_si128, _mm_slli_si128,
    };

    use super::new_view;

    const MAX_INLINE_BYTES: usize = View::MAX_INLINE_SIZE as usize;

    /// By length: the bytes of a register that belong to a string.
    static MASK_OF_LEN: [[u8; 16]; MAX_INLINE_BYTES + 1] = masks();

    const fn masks() -> [[u8; 16]; MAX_INLINE_BYTES + 1] {
        let mut masks = [[0; 16]; MAX_INLINE_BYTES + 1];
        let mut len = 0;
        while len <= MAX_INLINE_BYTES {
            let mut byte = 0;
            while byte < len {
                masks[len][byte] = 0xff;
                byte += 1;
            }
            len += 1;
        }
        masks
    }

    /// The view of `data[start..end]`.
    #[inline(always)]
    pub(super) fn view_at(data: &[u8], start: usize, end: usize, index: u32) -> View {
        let len = end - start;
        #[expect(clippy::cast_possible_truncation, reason = "data is below 4 GiB")]
        let (length, offset) = (len as u32, start as u32);
        match (data.get(start..).and_then(<[u8]>::first_chunk::<16>), MASK_OF_LEN.get(len)) {
            (Some(ahead), Some(mask)) => {
                // SAFETY: 16 bytes to read each; a view is 16 bytes without padding, and any bits are one.
                unsafe {
                    let (ahead, mask) = (ahead.as_ptr().cast(), mask.as_ptr().cast());
                    let text = _mm_and_si128(_mm_loadu_si128(ahead), _mm_loadu_si128(mask));
                    let view =
                        _mm_or_si128(_mm_slli_si128::<4>(text), _mm_cvtsi32_si128(length.cast_signed()));
                    std::mem::transmute::<__m128i, View>(view)
                }
            },
            (Some([a, b, c, d, ..]), None) => {
                let prefix = u32::from_le_bytes([*a, *b, *c, *d]);
                View { length, prefix, buffer_idx: index, offset }
            },
            // Near the end of the data.
            (None, _) => new_view(data, start, end, index, offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use polars_buffer::Buffer;

    use super::*;

    #[test]
    fn views_are_those_of_the_arithmetic() {
        let data: Vec<u8> = (0..60).collect();
        let ranges = (0..data.len()).flat_map(|start| (start..=data.len()).map(move |end| (start, end)));
        let ranges: Vec<(usize, usize)> = ranges.collect();
        let mut views = vec![MaybeUninit::uninit(); ranges.len()];
        assert!(write_views(&mut views, ranges.iter().copied(), &data, 7));
        for (view, (start, end)) in views.iter().zip(&ranges) {
            // SAFETY: `write_views` has written a view for every range.
            let view = unsafe { view.assume_init() };
            let offset = u32::try_from(*start).unwrap();
            assert_eq!(view.as_u128(), new_view(&data, *start, *end, 7, offset).as_u128(), "{start}..{end}");
            let buffers: Vec<Buffer<u8>> = vec![data.clone().into(); 8];
            // SAFETY: the data is buffer 7.
            let bytes = unsafe { view.get_slice_unchecked(&buffers) }.to_vec();
            assert_eq!(bytes, data[*start..*end]);
        }
        let mut views = vec![MaybeUninit::uninit(); 2];
        assert!(!write_views(&mut views, [(0, 12), (60, 60)].into_iter(), &data, 0), "all inline");
    }
}
