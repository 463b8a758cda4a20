//! Values of 4, 8 and 16 bytes: what of them is compared, and how they are remembered.
#![cfg(any(feature = "lz4", feature = "zstd"))]

use std::ops::{BitAnd, BitXor, Range};

/// A number of a column.
pub(crate) trait Value: Copy + Eq + BitAnd<Output = Self> + BitXor<Output = Self> {
    /// As it lies in the column.
    type Bytes: Copy + Eq + 'static;
    const WIDTH: usize;

    fn split(bytes: &[u8]) -> &[Self::Bytes];
    fn load(bytes: Self::Bytes) -> Self;
    /// How many of the lowest, and of the highest, bytes two values have in common.
    #[cfg(feature = "lz4")]
    fn common(self, other: Self) -> (usize, usize);
    /// Of so many bits.
    fn hash(self, bits: u32) -> usize;
    /// All bits of those bytes, the lowest first.
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
                let bytes = |bits: u32| usize::try_from(bits / 8).unwrap_or(0);
                (bytes(differ.trailing_zeros()), bytes(differ.leading_zeros()))
            }

            #[inline(always)]
            fn hash(self, bits: u32) -> usize {
                let fold: fn(Self) -> u64 = $fold;
                let spread = fold(self).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - bits);
                usize::try_from(spread).unwrap_or(0)
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
    u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0)
}
