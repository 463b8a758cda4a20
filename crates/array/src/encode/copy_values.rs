//! The bytes of views, one value after another.
//!
//! Waiting for memory costs more than copying: the values of a filtered frame lie anywhere in buffers many times as
//! large. So values are prefetched while those before them are copied ([`PREFETCH_ROWS`]). A copy is of whole
//! registers, beyond the end of the value where there is room, instead of a call for its exact length.

use arrow::array::View;
use floe_format::{Error, Result};
use polars_buffer::Buffer;

use floe_runtime::alloc::try_with_capacity;

/// Bytes of a copy: whole registers, also where a value is shorter.
const COPY_BYTES: usize = 32;
/// Values up to this length are copied in such chunks; longer ones by a call.
const MAX_CHUNKED_BYTES: usize = 8 * COPY_BYTES;
/// A value is prefetched this many rows before it is copied.
const PREFETCH_ROWS: usize = 24;

/// A buffer that values are copied to, of a length that is known before.
pub(super) struct CopiedValues {
    out: Vec<u8>,
    at: usize,
    len: usize,
}

impl CopiedValues {
    /// Room for values of `len` bytes together.
    pub(super) fn new(len: usize) -> Result<Self> {
        Ok(Self { out: try_with_capacity(len.saturating_add(COPY_BYTES))?, at: 0, len })
    }

    /// Where the next value goes.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The bytes that are left.
    pub(super) fn room(&self) -> usize {
        self.len - self.at
    }

    /// Copies the value of `view`, which is in one of `buffers` if not in the view itself.
    #[inline(always)]
    pub(super) fn push(&mut self, view: &View, buffers: &[Buffer<u8>]) -> Result<()> {
        let length = view.length as usize;
        if length > self.room() {
            // The views have changed since they were measured, which the borrow rules exclude.
            return Err(Error::invalid("strings are longer than they say"));
        }
        debug_assert!(self.len + COPY_BYTES <= self.out.capacity());
        // SAFETY: `at + length <= len`, so that from here on there is room for `length` bytes and for `COPY_BYTES`
        // beyond them (`new`), in an allocation that nothing else refers to. Bytes beyond `length` are overwritten by
        // the next value, or cut off.
        let place = unsafe { self.out.as_mut_ptr().add(self.at) };
        if view.length <= View::MAX_INLINE_SIZE {
            let inline = (view.as_u128() >> 32).to_le_bytes();
            // SAFETY: as above, 16 bytes.
            unsafe { place.cast::<[u8; 16]>().write_unaligned(inline) };
        } else {
            let source = source(view, buffers).ok_or_else(outside)?;
            if length > source.len() {
                return Err(outside());
            }
            if length <= MAX_CHUNKED_BYTES && source.len() >= length.next_multiple_of(COPY_BYTES) {
                for done in (0..length).step_by(COPY_BYTES) {
                    // SAFETY: both ranges end before the next multiple of `COPY_BYTES` behind `length`: the source has
                    // as much (the condition), and `place` (above). They do not overlap: `out` is new memory.
                    unsafe {
                        let from = source.as_ptr().add(done).cast::<[u8; COPY_BYTES]>();
                        place.add(done).cast::<[u8; COPY_BYTES]>().write_unaligned(from.read_unaligned());
                    }
                }
            } else {
                // SAFETY: as above, `length` bytes, which the source has.
                unsafe { std::ptr::copy_nonoverlapping(source.as_ptr(), place, length) };
            }
        }
        self.at += length;
        Ok(())
    }

    /// The values.
    pub(super) fn finish(mut self) -> Vec<u8> {
        // SAFETY: all of `out[..at]` has been written, and `at <= len`, for which there is room.
        unsafe { self.out.set_len(self.at) };
        self.out
    }
}

/// The values of views that hold them inline. Their end offsets are appended to `ends` in the same pass, since most of
/// the memory traffic is the views.
///
/// # Errors
/// When a view says that its value is elsewhere.
pub(super) fn inline_values(views: &[View], ends: &mut Vec<i64>) -> Result<Vec<u8>> {
    const MAX_INLINE_BYTES: usize = View::MAX_INLINE_SIZE as usize;
    let mut out = try_with_capacity::<u8>(views.len() * MAX_INLINE_BYTES + size_of::<View>())?;
    let place = out.as_mut_ptr();
    let (mut at, mut longest) = (0, 0);
    ends.extend(views.iter().map(|view| {
        longest = longest.max(view.length as usize);
        let inline = (view.as_u128() >> 32).to_le_bytes();
        // SAFETY: each value before took `MAX_INLINE_BYTES` bytes at most, for which there is room, and for 16 bytes
        // behind all of them, in an allocation that nothing else refers to. Bytes that are too many are overwritten, or
        // cut off.
        unsafe { place.add(at).cast::<[u8; 16]>().write_unaligned(inline) };
        at += (view.length as usize).min(MAX_INLINE_BYTES);
        // Twelve bytes a view: more would not have been allocated.
        i64::try_from(at).unwrap_or(i64::MAX)
    }));
    if longest > MAX_INLINE_BYTES {
        return Err(outside());
    }
    // SAFETY: all of `out[..at]` has been written, as above.
    unsafe { out.set_len(at) };
    Ok(out)
}

/// The buffer that a view's value is in, from where the value starts.
#[inline(always)]
fn source<'a>(view: &View, buffers: &'a [Buffer<u8>]) -> Option<&'a [u8]> {
    buffers.get(view.buffer_idx as usize)?.get(view.offset as usize..)
}

#[cold]
pub(super) fn outside() -> Error {
    Error::invalid("a string lies outside of its buffer")
}

/// Prefetching of values that do not follow one another, so that the processor cannot foresee where the next one is.
pub(super) struct Prefetch<'a> {
    views: &'a [View],
    buffers: &'a [Buffer<u8>],
}

/// Views that are sampled to decide.
const SAMPLED_VIEWS: usize = 64;

impl<'a> Prefetch<'a> {
    /// The views, or none of them if most values of a sample follow one another.
    pub(super) fn new(views: &'a [View], buffers: &'a [Buffer<u8>]) -> Self {
        let pairs = views.windows(2).step_by((views.len() / SAMPLED_VIEWS).max(1));
        let long = |view: &View| view.length > View::MAX_INLINE_SIZE;
        let (mut jumps, mut seen) = (0, 0);
        for pair in pairs {
            if let [one, next] = pair
                && long(one)
                && long(next)
            {
                seen += 1;
                let end = u64::from(one.offset) + u64::from(one.length);
                jumps += usize::from(one.buffer_idx != next.buffer_idx || u64::from(next.offset) != end);
            }
        }
        Self { views: if jumps * 2 > seen { views } else { &[] }, buffers }
    }

    /// Prefetches the value that is copied [`PREFETCH_ROWS`] rows after this one.
    #[inline(always)]
    pub(super) fn ahead_of(&self, row: usize) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        if let Some(view) =
            self.views.get(row + PREFETCH_ROWS).filter(|view| view.length > View::MAX_INLINE_SIZE)
            && let Some(source) = source(view, self.buffers)
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let last = source.as_ptr().wrapping_add((view.length as usize).min(MAX_CHUNKED_BYTES) - 1);
            // SAFETY: a hint, which reads nothing: any address will do. SSE is part of x86-64.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(source.as_ptr().cast());
                _mm_prefetch::<_MM_HINT_T0>(last.cast());
            }
        }
        #[cfg(any(not(target_arch = "x86_64"), miri))]
        let _ = (row + PREFETCH_ROWS, self.views, self.buffers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A view of `data[offset..offset + len]`.
    fn view(data: &[u8], offset: usize, len: usize) -> View {
        View::new_from_bytes(&data[offset..offset + len], 0, u32::try_from(offset).unwrap())
    }

    #[test]
    fn values_of_any_length_up_to_the_end_of_their_buffer() {
        let data: Vec<u8> = (0..2 * MAX_CHUNKED_BYTES).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let buffers = [Buffer::from(data.clone())];
        for len in 0..=MAX_CHUNKED_BYTES + 1 {
            let starts = [0, 5, data.len() - len];
            let mut out = CopiedValues::new(len * starts.len()).unwrap();
            for start in starts {
                out.push(&view(&data, start, len), &buffers).unwrap();
            }
            assert_eq!(out.room(), 0);
            assert_eq!(out.finish(), starts.map(|start| &data[start..start + len]).concat(), "{len}");
        }
    }

    #[test]
    fn values_in_their_views_are_packed_in_one_go() {
        let data: Vec<u8> = (1..=12).collect();
        let views: Vec<View> = (0..1_000).map(|i| View::new_from_bytes(&data[..i * 7 % 13], 0, 0)).collect();
        for views in [&views[..], &views[..1], &[]] {
            let mut ends = vec![0];
            let values = inline_values(views, &mut ends).unwrap();
            let expected: Vec<&[u8]> = views.iter().map(|view| &data[..view.length as usize]).collect();
            assert_eq!(values, expected.concat());
            let pairs: Vec<&[u8]> = ends
                .windows(2)
                .map(|pair| &values[usize::try_from(pair[0]).unwrap()..usize::try_from(pair[1]).unwrap()])
                .collect();
            assert_eq!(pairs, expected);
        }
        let long = View { length: 13, ..View::default() };
        for length in [13, u32::MAX] {
            let views = [views[5], View { length, ..long }, views[7]];
            assert!(inline_values(&views, &mut vec![0]).is_err(), "a value of {length} bytes elsewhere");
        }
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let buffers = [Buffer::from(vec![7u8; 100])];
        for (length, buffer_idx, offset) in
            [(20, 1, 0), (20, 0, 81), (20, 0, 101), (101, 0, 0), (u32::MAX, 0, 0)]
        {
            let wrong = View { length, prefix: 0, buffer_idx, offset };
            let mut out = CopiedValues::new(1_000).unwrap();
            assert!(out.push(&wrong, &buffers).is_err(), "{wrong:?}");
            assert_eq!(out.finish(), [0u8; 0]);
        }
        let mut out = CopiedValues::new(19).unwrap();
        assert!(out.push(&view(&[7; 100], 0, 20), &buffers).is_err(), "more than was said");
    }

    #[test]
    fn what_follows_on_is_not_asked_for() {
        let data = vec![7u8; 100_000];
        let buffers = [Buffer::from(data.clone())];
        let every = |step: usize| (0..1_000).map(|i| view(&data, i * step, 40)).collect::<Vec<_>>();
        assert_eq!(Prefetch::new(&every(40), &buffers).views.len(), 0);
        assert_eq!(Prefetch::new(&every(90), &buffers).views.len(), 1_000);
        assert_eq!(Prefetch::new(&[View::default(); 1_000], &buffers).views.len(), 0);
        assert_eq!(Prefetch::new(&[], &buffers).views.len(), 0);
    }
}
