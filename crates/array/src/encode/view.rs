//! String and binary views to views.
//!
//! Views share their data buffers freely: a slice or a filtered array may use little of what it holds on to. [`encode`]
//! finds the bytes in use and writes no others:
//!
//! | of a buffer, views use                            | written                                            |
//! |---------------------------------------------------|----------------------------------------------------|
//! | all from one byte to another, in any order        | that range, as it lies                             |
//! | less, in values that are no longer than the range | the values, copied together in the order of rows   |
//! | less, in values that are: some are there often    | the bytes in use, copied together as they lie      |
//!
//! If canonical views are wanted, values are always gathered in the order of the rows. If data that no row refers to may
//! be written, a buffer or range of which most is in use is written as it lies.

use arrow::array::{BinaryViewArrayGeneric, View, ViewType};
use arrow::bitmap::Bitmap;
use floe_format::Result;
use floe_runtime::alloc::try_with_capacity;
use polars_buffer::Buffer;

use super::buffer::EncodedBuffer;
use super::bytes::as_bytes;
use super::copy_values::{Prefetch, outside};
use super::ctx::EncodeCtx;
use super::gathered::Gathered;
use super::usage::{Coverage, UsedRange, nulls, nulls_are_empty, usage};
use crate::made::view_number;
use crate::share;

pub(super) fn encode<T: ViewType + ?Sized>(
    ctx: &mut EncodeCtx<'_>,
    array: &BinaryViewArrayGeneric<T>,
) -> Result<()> {
    ctx.node_and_validity(array);
    let Some(layout) = ViewLayout::of(array, ctx.canonical_views, ctx.unreferenced_data)? else {
        ctx.values(array.views());
        ctx.out.variadic.push(array.data_buffers().len());
        array.data_buffers().iter().for_each(|buffer| ctx.bytes(buffer.clone()));
        return Ok(());
    };
    let (lens, first) = (layout.lens(array.len()), ctx.out.buffers.len());
    ctx.make(array, |_| lens, |array| layout.make(array))?;
    ctx.out.variadic.push(ctx.out.buffers.len() - first - 1);
    Ok(())
}

/// How views are written that cannot stay as they are.
struct ViewLayout {
    /// The parts of data buffers that are written as they lie.
    kept: Vec<Buffer<u8>>,
    /// Where the values of each of the array's buffers are written.
    place: Vec<Placement>,
    /// Bytes of values that are gathered.
    rest: usize,
    /// Null rows have views with bytes, which are not written.
    nulls_hold: bool,
}

/// Where the values of a buffer are written.
enum Placement {
    /// Gathered, if there are any.
    Gathered,
    /// In a buffer that is kept, without the given number of bytes in front.
    Range(u32, usize),
    /// In a buffer without the unused bytes.
    Packed(u32, Coverage),
}

/// Whether `bytes` are at least three quarters of `of`.
fn mostly(bytes: usize, of: usize) -> bool {
    bytes >= of - of / 4
}

/// How a buffer is used, as far as the lengths of its values tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BufferUse {
    Gathered,
    Range,
    /// Values may lie over one another: whether all of the range is used is not known.
    Unknown,
}

impl BufferUse {
    fn of(used: &UsedRange, canonical: bool, unreferenced_data: bool) -> Self {
        let range = used.range().len();
        let is_dense = used.in_order || (unreferenced_data && mostly(used.bytes, range));
        if canonical || used.bytes == 0 {
            Self::Gathered
        } else if is_dense {
            Self::Range
        } else if used.bytes < range {
            Self::Gathered
        } else {
            Self::Unknown
        }
    }
}

impl ViewLayout {
    /// `None` if views and buffers are written as they are.
    fn of<T: ViewType + ?Sized>(
        array: &BinaryViewArrayGeneric<T>,
        canonical: bool,
        unreferenced_data: bool,
    ) -> Result<Option<Self>> {
        let buffers = array.data_buffers();
        let used = usage(array);
        let nulls_hold = nulls(array).is_some_and(|validity| !nulls_are_empty(array.views(), validity));
        let mut kinds: Vec<BufferUse> =
            used.iter().map(|used| BufferUse::of(used, canonical, unreferenced_data)).collect();
        let unknown = kinds.iter().zip(&used);
        let unknown = unknown.map(|(kind, used)| (*kind == BufferUse::Unknown).then(|| used.range()));
        let mut coverage = Coverage::of(array, unknown)?;
        for (kind, coverage) in kinds.iter_mut().zip(&coverage) {
            if coverage.as_ref().is_some_and(Coverage::is_full) {
                *kind = BufferUse::Range;
            }
        }
        let is_whole = |(kind, (buffer, used)): (&BufferUse, (&Buffer<u8>, &UsedRange))| {
            let all = used.range() == (0..buffer.len());
            *kind == BufferUse::Range && (all || (unreferenced_data && mostly(used.bytes, buffer.len())))
        };
        if !nulls_hold && kinds.iter().zip(buffers.iter().zip(&used)).all(is_whole) {
            return Ok(None);
        }
        let mut layout =
            Self { kept: Vec::new(), place: Vec::with_capacity(used.len()), rest: 0, nulls_hold };
        for (i, (buffer, used)) in buffers.iter().zip(&used).enumerate() {
            let place = view_number(layout.kept.len())?;
            let known = coverage.get_mut(i).and_then(Option::take);
            layout.place.push(match (kinds.get(i), known) {
                (Some(BufferUse::Range), _) => {
                    layout.kept.push(buffer.clone().sliced(used.range()));
                    Placement::Range(place, used.start)
                },
                (Some(BufferUse::Unknown), Some(coverage)) => {
                    layout.kept.push(share(coverage.pack(buffer)?));
                    Placement::Packed(place, coverage)
                },
                _ => {
                    layout.rest += used.bytes;
                    Placement::Gathered
                },
            });
        }
        Ok(Some(layout))
    }

    /// The lengths of the buffers for a number of views. `None` if gathered values do not fit into one buffer.
    fn lens(&self, views: usize) -> Option<Vec<usize>> {
        let kept = self.kept.iter().map(Buffer::len);
        let gathered = (self.rest > 0).then_some(self.rest);
        (self.rest <= Gathered::MAX_BUFFER_BYTES)
            .then(|| std::iter::once(views * size_of::<View>()).chain(kept).chain(gathered).collect())
    }

    /// The views, and the data buffers.
    fn make<T: ViewType + ?Sized>(self, array: &BinaryViewArrayGeneric<T>) -> Result<Vec<EncodedBuffer>> {
        let (views, data) = self.views_and_data(array)?;
        Ok(std::iter::once(as_bytes(share(views))).chain(data).map(EncodedBuffer::from).collect())
    }

    fn views_and_data<T: ViewType + ?Sized>(
        self,
        array: &BinaryViewArrayGeneric<T>,
    ) -> Result<(Vec<View>, Vec<Buffer<u8>>)> {
        let (views, buffers) = (array.views(), array.data_buffers());
        let Self { kept, place, rest, nulls_hold } = self;
        if rest == 0 && !nulls_hold && !place.iter().any(|place| matches!(place, Placement::Packed(..))) {
            return Ok((rebased(views, &place)?, kept));
        }
        let mut gathered = Gathered::new(kept, rest)?;
        let prefetch = Prefetch::new(views, buffers);
        let mut out = try_with_capacity::<View>(array.len())?;
        let mut valid = nulls(array).map(Bitmap::iter);
        for (row, view) in views.iter().enumerate() {
            let mut view = *view;
            if valid.as_mut().and_then(Iterator::next) == Some(false) {
                view = View::default();
            } else if view.length > View::MAX_INLINE_SIZE {
                match place.get(view.buffer_idx as usize) {
                    Some(Placement::Range(buffer, start)) => {
                        view.buffer_idx = *buffer;
                        view.offset -= view_number(*start)?;
                    },
                    Some(Placement::Packed(buffer, coverage)) => {
                        view.buffer_idx = *buffer;
                        view.offset =
                            view_number(coverage.position(view.offset as usize).ok_or_else(outside)?)?;
                    },
                    _ => {
                        prefetch.ahead_of(row);
                        (view.buffer_idx, view.offset) = gathered.push(&view, buffers)?;
                    },
                }
            }
            out.push(view);
        }
        Ok((out, gathered.finish()))
    }
}

/// Views of values that stay in their buffers, with the new number of the buffer and the new offset in it.
fn rebased(views: &[View], place: &[Placement]) -> Result<Vec<View>> {
    let moved = |place: &Placement| match place {
        Placement::Range(buffer, start) => Ok((*buffer, view_number(*start)?)),
        Placement::Gathered | Placement::Packed(..) => Ok((0, 0)),
    };
    let place: Vec<(u32, u32)> = place.iter().map(moved).collect::<Result<_>>()?;
    let Some(last) = place.len().checked_sub(1) else { return Err(outside()) };
    let mut out = try_with_capacity::<View>(views.len())?;
    let mut largest = 0;
    // Short and long values may come in any order: nothing here depends on which, but for what is kept.
    out.extend(views.iter().map(|view| {
        let is_long = view.length > View::MAX_INLINE_SIZE;
        let at = if is_long { view.buffer_idx as usize } else { 0 };
        largest = largest.max(at);
        let (buffer_idx, start) = place[at.min(last)];
        let moved = View { buffer_idx, offset: view.offset.wrapping_sub(start), ..*view };
        if is_long { moved } else { *view }
    }));
    if largest > last { Err(outside()) } else { Ok(out) }
}

#[cfg(test)]
pub(super) mod tests {
    use std::ops::Range;

    use super::*;

    /// Buffers of `bytes` each, full of different bytes.
    pub(in crate::encode) fn buffers(n: usize, bytes: usize) -> Vec<Buffer<u8>> {
        let byte = |i: usize| u8::try_from(i % 251).unwrap();
        (0..n).map(|n| (0..bytes).map(|i| byte(i + 7 * n)).collect::<Vec<u8>>().into()).collect()
    }

    pub(in crate::encode) fn view(buffers: &[Buffer<u8>], buffer: usize, range: Range<usize>) -> View {
        let offset = u32::try_from(range.start).unwrap();
        View::new_from_bytes(&buffers[buffer][range], u32::try_from(buffer).unwrap(), offset)
    }

    /// Views of all bytes of a buffer, `len` bytes each.
    pub(in crate::encode) fn every(buffers: &[Buffer<u8>], buffer: usize, len: usize) -> Vec<View> {
        let len_of_all = buffers[buffer].len();
        (0..len_of_all / len).map(|i| view(buffers, buffer, i * len..(i + 1) * len)).collect()
    }

    #[test]
    fn the_used_parts_of_buffers_move_with_their_views() {
        let buffers = buffers(4, 8_000);
        // Of buffer 1 most of a part in the middle, of buffer 3 all, by turns and among short values; of the others none.
        let mut views = Vec::new();
        for (one, three) in every(&buffers, 1, 40)[20..120].iter().zip(every(&buffers, 3, 80)) {
            views.extend([*one, View::new_from_bytes(b"short", 0, 0), three, View::default()]);
        }
        let array = array(views.clone(), &buffers);
        let used = usage(&array);
        let known = |used: &UsedRange| (used.start.min(used.end), used.end, used.bytes);
        let expected = [(0, 0, 0), (800, 4_800, 4_000), (0, 0, 0), (0, 8_000, 8_000)];
        assert_eq!(used.iter().map(known).collect::<Vec<_>>(), expected);
        let layout = ViewLayout::of(&array, false, false).unwrap().unwrap();
        let (moved_views, kept) = layout.views_and_data(&array).unwrap();
        assert_eq!(kept.iter().map(Buffer::len).collect::<Vec<_>>(), [4_000, 8_000]);
        for (before, after) in views.iter().zip(moved_views.iter()) {
            let value = |view: &View, buffers: &[Buffer<u8>]| match view.length {
                0..=View::MAX_INLINE_SIZE => view.as_u128().to_le_bytes().to_vec(),
                _ => {
                    let start = view.offset as usize;
                    buffers[view.buffer_idx as usize][start..start + view.length as usize].to_vec()
                },
            };
            assert_eq!(value(before, &buffers), value(after, &kept));
        }
        let place = [Placement::Gathered, Placement::Range(0, 800)];
        let inside = every(&buffers, 1, 40)[30];
        assert!(rebased(&[inside], &place).is_ok());
        assert!(rebased(&[inside, View { buffer_idx: 2, ..inside }], &place).is_err(), "no such buffer");
        assert!(rebased(&[inside], &[]).is_err(), "no buffers");
    }

    fn array(views: Vec<View>, buffers: &[Buffer<u8>]) -> BinaryViewArrayGeneric<[u8]> {
        let (dtype, buffers) = (<[u8]>::DATA_TYPE, buffers.to_vec().into());
        // SAFETY: the tests make their views of the buffers.
        unsafe { BinaryViewArrayGeneric::new_unchecked_unknown_md(dtype, views.into(), buffers, None, None) }
    }

    #[test]
    fn no_byte_of_a_buffer_is_kept_that_is_not_used() {
        let buffers = buffers(1, 8_000);
        let all = every(&buffers, 0, 40);
        let written = |views: Vec<View>, unreferenced_data: bool| {
            let layout = ViewLayout::of(&array(views.clone(), &buffers), false, unreferenced_data).unwrap();
            let (made, kept) = match layout {
                Some(layout) => layout.views_and_data(&array(views.clone(), &buffers)).unwrap(),
                None => (views.clone(), buffers.clone()),
            };
            for (before, after) in views.iter().zip(&made) {
                let value = |view: &View, buffers: &[Buffer<u8>]| {
                    let start = view.offset as usize;
                    buffers[view.buffer_idx as usize][start..start + view.length as usize].to_vec()
                };
                assert_eq!(value(before, &buffers), value(after, &kept));
            }
            kept.iter().map(Buffer::len).collect::<Vec<_>>()
        };
        let without = |views: &[View]| [&views[..50], &views[51..]].concat();
        let backwards: Vec<View> = all.iter().rev().copied().collect();
        let thrice: Vec<View> = all.iter().chain(&backwards).chain(&all).copied().collect();
        assert_eq!(written(all.clone(), false), [8_000]);
        assert_eq!(written(backwards.clone(), false), [8_000], "all of it, if not in order");
        assert_eq!(written(thrice.clone(), false), [8_000], "all of it, and more than once");
        assert_eq!(written(all[20..180].to_vec(), false), [6_400]);
        assert_eq!(written(without(&all), false), [7_960]);
        assert_eq!(written(without(&backwards), false), [7_960]);
        let gaps: Vec<View> = thrice.iter().filter(|view| view.offset % 400 != 0).copied().collect();
        assert_eq!(written(gaps, false), [7_200], "each once, not three times");
        let ends = [vec![all[0]; 300], vec![all[199]]].concat();
        assert_eq!(written(ends, false), [80]);
        assert_eq!(written(without(&all), true), [8_000]);
    }
}
