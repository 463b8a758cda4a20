//! Valid frames made of uncompressed blocks, used for buffers that compression would not shrink.
//!
//! ```text
//!   LZ4     04 22 4D 18 | 60 | 50 | HC                 | (u32: size, top bit set | 256 KiB) ..  | 00 00 00 00
//!   ZSTD    28 B5 2F FD | C0 | 38 | u64: content size  | (u24: size << 3 | last  | 128 KiB) ..
//! ```
//!
//! Arrow has a shorter way, a length of -1 and the bytes. But Polars' reader (0.55) fails on such buffers when it is
//! asked for a few rows (`head(5)` of a scan), and panics where their values have 16 bytes. Every decoder reads
//! uncompressed blocks, since the codecs make them themselves. The bytes of the input are not copied.

use crate::Codec;

/// Bytes of an LZ4 block.
pub(crate) const LZ4_BLOCK_BYTES: usize = 256 << 10;
/// Magic, version 1 with independent blocks, blocks of 256 KiB at most, byte 1 of the XXH32 of those two.
pub(crate) const LZ4_HEAD: [u8; 7] = [0x04, 0x22, 0x4D, 0x18, 0x60, 0x50, 0xFB];
/// The bit of a block's size that says that the block is not compressed.
pub(crate) const LZ4_UNCOMPRESSED: u32 = 0x8000_0000;
/// A block of size 0 ends the frame.
pub(crate) const LZ4_END: [u8; 4] = [0; 4];

/// Bytes of a ZSTD block: the most that the format allows.
const ZSTD_BLOCK_BYTES: usize = 128 << 10;
/// Magic, a content size of 8 bytes to follow, a window of 128 KiB (the smallest that allows such blocks).
const ZSTD_HEAD: [u8; 6] = [0x28, 0xB5, 0x2F, 0xFD, 0xC0, 0x38];

/// The frame around an input. The input is written from where it lies, between the pieces of the frame.
///
#[cfg_attr(feature = "lz4", doc = "```")]
#[cfg_attr(not(feature = "lz4"), doc = "```ignore")]
/// use floe_codec::{Codec, UncompressedFrame, decompress};
/// use std::mem::MaybeUninit;
///
/// let frame = UncompressedFrame::new(Codec::Lz4, 5);
/// let pieces: Vec<&[u8]> = (0..).map_while(|i| frame.piece(b"as is", i)).collect();
/// let frame_bytes = pieces.concat();
/// assert_eq!(frame_bytes.len(), frame.len());
/// decompress(Codec::Lz4, &frame_bytes, &mut [MaybeUninit::uninit(); 5])?;
/// # Ok::<(), floe_codec::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct UncompressedFrame {
    head: Vec<u8>,
    /// The header of each block, one after another.
    heads: Vec<u8>,
    head_len: usize,
    block: usize,
    end: &'static [u8],
    input: usize,
}

impl UncompressedFrame {
    /// The frame of an input of `len` bytes.
    #[must_use]
    pub fn new(codec: Codec, len: usize) -> Self {
        match codec {
            Codec::Lz4 => Self {
                head: LZ4_HEAD.to_vec(),
                heads: sizes(len, LZ4_BLOCK_BYTES)
                    .flat_map(|(size, _)| (size | LZ4_UNCOMPRESSED).to_le_bytes())
                    .collect(),
                head_len: 4,
                block: LZ4_BLOCK_BYTES,
                end: &LZ4_END,
                input: len,
            },
            Codec::Zstd => {
                let mut head = ZSTD_HEAD.to_vec();
                head.extend_from_slice(&(len as u64).to_le_bytes());
                let mut heads = Vec::new();
                for (size, last) in sizes(len, ZSTD_BLOCK_BYTES) {
                    let [a, b, c, _] = (size << 3 | u32::from(last)).to_le_bytes();
                    heads.extend_from_slice(&[a, b, c]);
                }
                if heads.is_empty() {
                    // A frame has one block at least.
                    heads.extend_from_slice(&[1, 0, 0]);
                }
                Self { head, heads, head_len: 3, block: ZSTD_BLOCK_BYTES, end: &[], input: len }
            },
        }
    }

    /// Bytes of the frame, the input's included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.head.len() + self.heads.len() + self.input + self.end.len()
    }

    /// Whether it has no bytes: never, a frame has a header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The frame piece by piece, from 0 until there is none: parts of the frame and parts of `input`, which has the
    /// length that was stated.
    #[must_use]
    pub fn piece<'a>(&'a self, input: &'a [u8], i: usize) -> Option<&'a [u8]> {
        debug_assert_eq!(input.len(), self.input, "the frame was made for an input of another length");
        let Some(i) = i.checked_sub(1) else { return Some(&self.head) };
        let (block, part) = (i / 2, i % 2);
        let blocks = self.heads.len() / self.head_len;
        if block >= blocks {
            return (i == 2 * blocks && !self.end.is_empty()).then_some(self.end);
        }
        if part == 0 {
            return self.heads.get(block * self.head_len..(block + 1) * self.head_len);
        }
        let start = block * self.block;
        // An input that is shorter than was stated gives a frame that no reader takes.
        Some(input.get(start..input.len().min(start + self.block)).unwrap_or_default())
    }
}

/// The size of each block, and whether it is the last.
fn sizes(len: usize, block: usize) -> impl Iterator<Item = (u32, bool)> {
    (0..len).step_by(block).map(move |start| {
        let size = block.min(len - start);
        // A block has 256 KiB at most.
        #[expect(clippy::cast_possible_truncation, reason = "blocks are small")]
        let wire_size = size as u32;
        (wire_size, start + size == len)
    })
}

#[cfg(all(test, feature = "lz4", feature = "zstd"))]
mod tests {
    use super::*;
    use crate::lz4::xxh32::xxh32;
    use crate::tests::{noise, unpack};

    #[test]
    fn frames_of_every_length_come_back() {
        for codec in [Codec::Lz4, Codec::Zstd] {
            for len in [
                0,
                1,
                5,
                ZSTD_BLOCK_BYTES - 1,
                ZSTD_BLOCK_BYTES,
                ZSTD_BLOCK_BYTES + 1,
                LZ4_BLOCK_BYTES,
                LZ4_BLOCK_BYTES + 1,
                1 << 20,
            ] {
                let input = noise(len);
                let frame = UncompressedFrame::new(codec, len);
                let pieces: Vec<&[u8]> = (0..).map_while(|i| frame.piece(&input, i)).collect();
                let bytes = pieces.concat();
                assert_eq!(bytes.len(), frame.len(), "{codec:?} {len}");
                assert!(unpack(codec, &bytes, len).as_ref() == Ok(&input), "{codec:?} {len}");
            }
        }
    }

    #[test]
    fn the_constants_are_the_formats() {
        let [.., flags, block, check] = LZ4_HEAD;
        assert_eq!(check, xxh32(&[flags, block]).to_le_bytes()[1]);
    }
}
