//! Values of 4, 8 and 16 bytes, as the columnar encoders compare and hash them.
#![cfg(any(feature = "lz4", feature = "zstd"))]

use std::ops::{BitAnd, BitXor, Range};

/// A number of a column.
pub(crate) trait Value: Copy + Eq + BitAnd<Output = Self> + BitXor<Output = Self> {
    /// The value as it lies in the column, little endian.
    type Bytes: Copy + Eq + 'static;
    /// Bytes of a value.
    const WIDTH: usize;

    /// The whole values of `bytes`; a rest shorter than a value is left out.
    fn split(bytes: &[u8]) -> &[Self::Bytes];
    fn load(bytes: Self::Bytes) -> Self;
    /// How many of the lowest bytes, and of the highest, two values have in common.
    #[cfg(feature = "lz4")]
    fn common(self, other: Self) -> (usize, usize);
    /// A hash below `1 << bits`.
    fn hash(self, bits: u32) -> usize;
    /// All bits of these bytes, counted from the lowest; bytes beyond the value have none.
    fn mask(bytes: Range<usize>) -> Self;
}

macro_rules! value {
    ($type:ty, $width:literal, $fold:expr) => {
        impl Value for $type {
            type Bytes = [u8; $width];
            const WIDTH: usize = $width;

            fn split(bytes: &[u8]) -> &[Self::Bytes] {
                bytes.as_chunks().0
            }

            #[inline(always)]
            fn load(bytes: Self::Bytes) -> Self {
                Self::from_le_bytes(bytes)
            }

            #[cfg(feature = "lz4")]
            #[inline(always)]
            fn common(self, other: Self) -> (usize, usize) {
                let differ = self ^ other;
                // At most 128 zeros, which every `usize` holds.
                let bytes = |bits: u32| (bits / 8) as usize;
                (bytes(differ.trailing_zeros()), bytes(differ.leading_zeros()))
            }

            #[inline(always)]
            fn hash(self, bits: u32) -> usize {
                debug_assert!((1..=32).contains(&bits), "a hash of {bits} bits");
                let fold: fn(Self) -> u64 = $fold;
                let spread = fold(self).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - bits);
                // At most 32 bits are left; a wrong place would cost a match, not a byte.
                #[expect(clippy::cast_possible_truncation, reason = "at most 32 bits")]
                let hash = spread as usize;
                hash
            }

            fn mask(bytes: Range<usize>) -> Self {
                let mut mask = [0; $width];
                mask.iter_mut().take(bytes.end).skip(bytes.start).for_each(|byte| *byte = u8::MAX);
                Self::from_le_bytes(mask)
            }
        }
    };
}

value!(u32, 4, u64::from);
value!(u64, 8, |value| value);
value!(u128, 16, |value| low_half(value) ^ low_half(value >> 64).rotate_left(32));

fn low_half(value: u128) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
    let low = value as u64;
    low
}
