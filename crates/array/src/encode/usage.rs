//! Which bytes of their data buffers views use.
//!
//! Views may lie anywhere. A filter leaves gaps between those that stay, a join repeats them, a sort reorders them, and
//! `str.slice` makes them refer to a part of a value. Bytes that no view refers to belong to no row, and must not be
//! written. Mostly values follow one another without a gap, which shows while their lengths are added up ([`usage`]).
//! Where they do not, and lengths alone cannot tell, bytes are marked one by one ([`Coverage`]).

use std::ops::Range;

use arrow::array::{Array, BinaryViewArrayGeneric, View, ViewType};
use arrow::bitmap::Bitmap;
use arrow::bitmap::iterator::TrueIdxIter;
use floe_format::{Error, Result};

use floe_runtime::alloc::try_with_capacity;

/// The part of a data buffer that views use.
#[derive(Clone, Copy)]
pub(super) struct UsedRange {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The lengths of all values together: more than there are between `start` and `end` if values share bytes.
    pub(super) bytes: usize,
    /// Each value starts where the one before it ends: all from `start` to `end` is used, once.
    pub(super) in_order: bool,
}

impl UsedRange {
    const NOTHING: Self = Self { start: usize::MAX, end: 0, bytes: 0, in_order: true };

    #[inline(always)]
    fn join(&mut self, other: Self) {
        let follows = other.start == self.end || self.bytes == 0 || other.bytes == 0;
        self.in_order &= other.in_order & follows;
        self.start = self.start.min(other.start);
        self.end = self.end.max(other.end);
        self.bytes += other.bytes;
    }

    /// From the first byte in use to the last.
    pub(super) fn range(&self) -> Range<usize> {
        self.start.min(self.end)..self.end
    }
}

pub(super) fn nulls<T: ViewType + ?Sized>(array: &BinaryViewArrayGeneric<T>) -> Option<&Bitmap> {
    array.validity().filter(|validity| validity.unset_bits() > 0)
}

/// Whether the views of nulls are all zero, so that they may be written.
pub(super) fn nulls_are_empty(views: &[View], validity: &Bitmap) -> bool {
    let nulls = !validity;
    TrueIdxIter::new(views.len(), Some(&nulls)).all(|row| views.get(row).is_some_and(|v| v.as_u128() == 0))
}

/// The views of values that are not null and not in the views themselves.
fn for_each_long<T: ViewType + ?Sized>(array: &BinaryViewArrayGeneric<T>, mut work: impl FnMut(&View)) {
    let mut long = |view: &View| {
        if view.length > View::MAX_INLINE_SIZE {
            work(view);
        }
    };
    match nulls(array) {
        None => array.views().iter().for_each(long),
        Some(validity) => {
            let views = array.views().iter().zip(validity);
            views.filter(|(_, valid)| *valid).for_each(|(view, _)| long(view));
        },
    }
}

/// Which range of each buffer the array's values lie in, and how much of it they are.
pub(super) fn usage<T: ViewType + ?Sized>(array: &BinaryViewArrayGeneric<T>) -> Vec<UsedRange> {
    let mut used = vec![UsedRange::NOTHING; array.data_buffers().len()];
    // Values of one buffer mostly follow one another: the state of that buffer stays in registers. A view of a buffer
    // that there is not is refused when its value is copied.
    let (mut open, mut here) = (0, UsedRange::NOTHING);
    for_each_long(array, |view| {
        if view.buffer_idx != open {
            let known = std::mem::replace(&mut here, UsedRange::NOTHING);
            used.get_mut(open as usize).into_iter().for_each(|used| used.join(known));
            open = view.buffer_idx;
        }
        let (start, bytes) = (view.offset as usize, view.length as usize);
        here.join(UsedRange { start, end: start + bytes, bytes, in_order: true });
    });
    used.get_mut(open as usize).into_iter().for_each(|used| used.join(here));
    used
}

/// Which bytes of a range of a buffer are used.
pub(super) struct Coverage {
    range: Range<usize>,
    /// A bit a byte.
    words: Vec<u64>,
    /// How many bytes are used before those of each word.
    before: Vec<usize>,
}

const WORD_BITS: usize = u64::BITS as usize;

impl Coverage {
    /// Nothing of a range.
    fn new(range: Range<usize>) -> Result<Self> {
        let len = range.len().div_ceil(WORD_BITS);
        let mut words = try_with_capacity(len)?;
        words.resize(len, 0);
        Ok(Self { range, words, before: Vec::new() })
    }

    /// Of the buffers that `ranges` are given for, which bytes of those an array uses. All of it has to lie there.
    pub(super) fn of<T: ViewType + ?Sized>(
        array: &BinaryViewArrayGeneric<T>,
        ranges: impl Iterator<Item = Option<Range<usize>>>,
    ) -> Result<Vec<Option<Self>>> {
        let mut all = ranges.map(|range| range.map(Self::new).transpose()).collect::<Result<Vec<_>>>()?;
        if all.iter().any(Option::is_some) {
            for_each_long(array, |view| {
                if let Some(Some(coverage)) = all.get_mut(view.buffer_idx as usize) {
                    coverage.mark(view.offset as usize, view.length as usize);
                }
            });
            all.iter_mut().flatten().for_each(Self::count);
        }
        Ok(all)
    }

    /// Marks bytes of the range. Bytes outside of it are refused when the values are [packed](Self::pack).
    #[inline(always)]
    fn mark(&mut self, offset: usize, len: usize) {
        // The range covers all long views of its buffer: others are refused when they are copied.
        let Some(mut from) = offset.checked_sub(self.range.start) else { return };
        let to = from + len;
        while from < to {
            let (word, bit) = (from / WORD_BITS, from % WORD_BITS);
            let bits = (to - from).min(WORD_BITS - bit);
            if let Some(word) = self.words.get_mut(word) {
                *word |= (u64::MAX >> (WORD_BITS - bits)) << bit;
            }
            from += bits;
        }
    }

    fn count(&mut self) {
        let mut before = 0;
        let of_each = self.words.iter().map(|word| {
            let known = before;
            before += word.count_ones() as usize;
            known
        });
        self.before = of_each.collect();
    }

    /// How many bytes are used.
    pub(super) fn bytes(&self) -> usize {
        let last = self.before.last().zip(self.words.last());
        // A range of no bytes has no words.
        last.map_or(0, |(before, word)| before + word.count_ones() as usize)
    }

    /// Whether all bytes of the range are.
    pub(super) fn is_full(&self) -> bool {
        self.bytes() == self.range.len()
    }

    /// The position of a used byte of the buffer, once unused bytes are left out.
    pub(super) fn position(&self, offset: usize) -> Option<usize> {
        let at = offset.checked_sub(self.range.start)?;
        let (word, before) = (self.words.get(at / WORD_BITS)?, self.before.get(at / WORD_BITS)?);
        let lower = word & !(u64::MAX << (at % WORD_BITS));
        Some(before + lower.count_ones() as usize)
    }

    /// The bytes of the buffer that are used, one behind another.
    pub(super) fn pack(&self, buffer: &[u8]) -> Result<Vec<u8>> {
        let mut out = try_with_capacity(self.bytes())?;
        let mut at = 0;
        while at < self.range.len() {
            let start = self.next(at, true);
            let end = self.next(start, false);
            let used = buffer.get(self.range.start + start..self.range.start + end);
            out.extend_from_slice(used.ok_or_else(|| Error::invalid("a string lies outside of its buffer"))?);
            at = end;
        }
        Ok(out)
    }

    /// The first byte from `at` on that is used, or is not.
    fn next(&self, at: usize, used: bool) -> usize {
        let flip = if used { 0 } else { u64::MAX };
        let mut from = at % WORD_BITS;
        for (i, word) in self.words.iter().enumerate().skip(at / WORD_BITS) {
            let found = (word ^ flip) & (u64::MAX << from);
            if found != 0 {
                return (i * WORD_BITS + found.trailing_zeros() as usize).min(self.range.len());
            }
            from = 0;
        }
        self.range.len()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::BinaryViewArray;
    use polars_buffer::Buffer;

    use super::*;

    fn array(data: &[u8], values: &[Range<usize>]) -> BinaryViewArray {
        let view = |range: &Range<usize>| {
            View::new_from_bytes(&data[range.clone()], 0, u32::try_from(range.start).unwrap())
        };
        // SAFETY: the views were made of the buffer.
        unsafe {
            BinaryViewArray::new_unchecked_unknown_md(
                <[u8]>::DATA_TYPE,
                values.iter().map(view).collect::<Vec<_>>().into(),
                vec![Buffer::from(data.to_vec())].into(),
                None,
                None,
            )
        }
    }

    #[test]
    fn what_is_used_is_told_apart_to_the_byte() {
        let data: Vec<u8> = (0..1_000).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let whole = 0..1_000;
        let cases: [(&[Range<usize>], bool); 8] = [
            (&[100..164, 164..200, 200..300], true),
            (&[100..164, 165..300], false),
            (&[164..200, 100..164, 200..300], true),
            (&[100..200, 100..200, 100..200, 201..300], false),
            (&[100..264, 200..300, 150..280], true),
            (&[0..13, 987..1_000], false),
            (&[63..76, 76..128, 128..192, 192..256], true),
            (std::slice::from_ref(&whole), true),
        ];
        for (values, is_full) in cases {
            let array = array(&data, values);
            let used = usage(&array)[0];
            let mut bits = vec![false; data.len()];
            values.iter().for_each(|range| bits[range.clone()].fill(true));
            let expected: Vec<u8> =
                data.iter().zip(&bits).filter(|(_, used)| **used).map(|(byte, _)| *byte).collect();
            let coverage = Coverage::of(&array, [Some(used.range())].into_iter()).unwrap();
            let coverage = coverage[0].as_ref().unwrap();
            assert_eq!(coverage.is_full(), is_full, "{values:?}");
            assert!(!used.in_order || is_full, "{values:?}");
            assert_eq!(coverage.bytes(), expected.len(), "{values:?}");
            let packed = coverage.pack(&data).unwrap();
            assert_eq!(packed, expected, "{values:?}");
            for value in values {
                let at = coverage.position(value.start).unwrap();
                assert_eq!(packed[at..at + value.len()], data[value.clone()], "{value:?} of {values:?}");
            }
        }
    }

    #[test]
    fn what_follows_is_in_order_and_nothing_else() {
        let data = vec![7; 1_000];
        let in_order = |values: &[Range<usize>]| usage(&array(&data, values))[0].in_order;
        assert!(in_order(&[10..30, 30..60, 3..5, 60..80]), "short values are in their views");
        assert!(!in_order(&[10..30, 31..60]));
        assert!(!in_order(&[10..30, 10..30]));
        assert!(!in_order(&[30..60, 10..30]));
    }

    #[test]
    fn a_buffer_that_is_too_short_is_an_error() {
        let array = array(&[7; 100], &[10..30, 50..90]);
        let coverage = Coverage::of(&array, [Some(10..90)].into_iter()).unwrap();
        assert!(coverage[0].as_ref().unwrap().pack(&[7; 80]).is_err());
    }
}
