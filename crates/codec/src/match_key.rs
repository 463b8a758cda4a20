//! The bytes of a value that a columnar encoder looks for among earlier values, and where it looks.
//!
//! Libraries search for a match at every byte. A column of numbers repeats in one way only: the same bytes of
//! each value come again. The columnar encoders of both codecs ([`lz4::columnar`](crate::lz4), `zstd::columnar`)
//! therefore fix one [`MatchKey`] for a whole frame and compare it once per value:
//!
//! ```text
//!   source        earlier value compared             integers below a million    prices
//!   FixedOffset   the one FIXED_OFFSET bytes before  40 E2 01 | 00 00 00 00 00
//!   HashTable     the last one with that hash                                    5C 8F C2 F5 28 5C | 8E 40
//!                                                    literals | match            match             | literals
//! ```
//!
//! A key may go on in the next value. Values are then taken to start `shift` bytes later, so that the key lies within
//! one shifted value. An example is the padding of a short string in a view, followed by the length of the next string.
//!
//! When you change this: both encoders rely on [`MatchKey::assert_fits`], and the estimates (`zstd::estimate`,
//! `lz4::columnar`) must look for exactly the bytes that the encoder will match.
#![cfg(any(feature = "lz4", feature = "zstd"))]

use crate::value::Value;

/// The distance, in bytes, at which [`MatchSource::FixedOffset`] compares: a multiple of every value width.
///
/// It is not the width itself. A decoder that copies from the value right before waits for its own last store, and
/// reads such blocks at a quarter of the speed.
pub(crate) const FIXED_OFFSET: usize = 32;

/// Where earlier values are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MatchSource {
    /// Only [`FIXED_OFFSET`] bytes before.
    FixedOffset,
    /// The last value whose key had the same hash.
    HashTable,
}

/// Which bytes of each value are looked for, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MatchKey {
    /// Bytes of a value: 4, 8 or 16.
    pub(crate) width: usize,
    /// Values are taken to start this many bytes into the input.
    pub(crate) shift: usize,
    /// The first byte of the key within a shifted value.
    pub(crate) start: usize,
    /// The byte behind the key within a shifted value.
    pub(crate) end: usize,
    /// Where earlier values are looked for.
    pub(crate) source: MatchSource,
}

impl MatchKey {
    /// A key of the bytes `start..end` of values that begin `shift` bytes later.
    pub(crate) const fn new(
        width: usize,
        shift: usize,
        start: usize,
        end: usize,
        source: MatchSource,
    ) -> Self {
        Self { width, shift, start, end, source }
    }

    /// A key of the bytes `start..end`, counted from a value's first byte; bytes beyond the width lie in the next
    /// value. The shift is the smallest that makes it lie within one.
    #[cfg(feature = "zstd")]
    pub(crate) const fn spanning(width: usize, start: usize, end: usize, source: MatchSource) -> Self {
        let shift = end.saturating_sub(width);
        Self { width, shift, start: start - shift, end: end - shift, source }
    }

    /// No fixed bytes: LZ4's columnar encoder takes as many low or high bytes as two values have in common.
    #[cfg(feature = "lz4")]
    pub(crate) const fn any_end(width: usize) -> Self {
        Self::new(width, 0, 0, 0, MatchSource::FixedOffset)
    }

    /// Bytes of the key.
    pub(crate) const fn len(&self) -> usize {
        self.end - self.start
    }

    /// Whether the key is the whole value, so that matches may span several values.
    #[cfg(feature = "lz4")]
    pub(crate) const fn is_whole_value(&self) -> bool {
        self.shift == 0 && self.start == 0 && self.end == self.width
    }

    /// The bits of a shifted value that belong to the key.
    pub(crate) fn mask<V: Value>(&self) -> V {
        V::mask(self.start..self.end)
    }

    /// The input from where shifted values begin.
    pub(crate) fn shifted<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        // An input shorter than the shift has no shifted values.
        input.get(self.shift..).unwrap_or_default()
    }

    /// Asserts, in debug builds, that the key lies within a value of `V` and is long enough for a match.
    pub(crate) fn assert_fits<V: Value>(&self, min_match: usize) {
        debug_assert_eq!(self.width, V::WIDTH, "the key is for values of another width: {self:?}");
        debug_assert!(
            self.start <= self.end && self.end <= V::WIDTH,
            "the key lies outside of a value: {self:?}"
        );
        debug_assert!(
            self.len() >= min_match || self.len() == 0 && self.source == MatchSource::FixedOffset,
            "the key is shorter than the shortest match: {self:?}"
        );
    }
}

const _: () = assert!(FIXED_OFFSET.is_multiple_of(16), "every width divides the fixed offset");
