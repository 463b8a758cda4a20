//! The LZ4 frame format: where the blocks of a frame are. `mod.rs` decodes them.
//!
//! ```text
//! 04 22 4D 18 | FLG | BD | [content size, 8] | [dictionary id, 4] | HC      header; HC = xxh32(FLG..) byte 1
//! u32: size, top bit = not compressed | block | [xxh32 of block, 4]       repeated
//! 00 00 00 00 | [xxh32 of content, 4]                                      end
//! ```

use super::corrupt as wrong;
use super::xxh32::xxh32;
use crate::Result;
use crate::uncompressed::LZ4_UNCOMPRESSED;

const MAGIC: u32 = 0x184D_2204;
const VERSION_MASK: u8 = 0b1100_0000;
const VERSION: u8 = 0b0100_0000;
const INDEPENDENT: u8 = 0b0010_0000;
const BLOCK_CHECKSUM: u8 = 0b0001_0000;
const CONTENT_SIZE: u8 = 0b0000_1000;
const CONTENT_CHECKSUM: u8 = 0b0000_0100;
const FLG_RESERVED: u8 = 0b0000_0010;
const DICTIONARY: u8 = 0b0000_0001;
const BD_RESERVED: u8 = 0b1000_1111;

fn corrupt(what: &str) -> crate::Error {
    wrong(format!("an LZ4 frame is corrupt: {what}"))
}

fn truncated(what: &str) -> crate::Error {
    wrong(format!("an LZ4 frame is truncated in its {what}"))
}

/// Takes `len` bytes off the front of `src`. `what` names them in the error.
fn take<'a>(src: &mut &'a [u8], len: usize, what: &str) -> Result<&'a [u8]> {
    src.split_off(..len).ok_or_else(|| truncated(what))
}

fn take_array<const N: usize>(src: &mut &[u8], what: &str) -> Result<[u8; N]> {
    let (head, rest) = src.split_first_chunk().ok_or_else(|| truncated(what))?;
    *src = rest;
    Ok(*head)
}

fn take_u32(src: &mut &[u8], what: &str) -> Result<u32> {
    take_array(src, what).map(u32::from_le_bytes)
}

/// The header of a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    /// The most bytes that a block may hold, compressed or not: 64 KiB to 4 MiB.
    pub(crate) block_max: usize,
    /// Whether a block may refer to the 64 KiB before it.
    pub(crate) linked: bool,
    /// How many bytes the frame holds, if it says so; liblz4 reads 0 as not saying.
    pub(crate) content_size: Option<u64>,
    block_checksum: bool,
    /// Whether a checksum of the frame's content follows its end.
    pub(crate) content_checksum: bool,
}

impl Header {
    /// Reads the header that `src` starts with, and moves `src` behind it.
    pub(crate) fn take(src: &mut &[u8]) -> Result<Self> {
        let magic = take_u32(src, "header")?;
        if magic != MAGIC {
            return Err(wrong(format!(
                "not an LZ4 frame: it starts with {magic:#010x} instead of {MAGIC:#010x}; is the body's codec right?"
            )));
        }
        let checked = *src;
        let [flg, bd] = take_array(src, "header")?;
        if flg & VERSION_MASK != VERSION || flg & FLG_RESERVED != 0 || bd & BD_RESERVED != 0 {
            return Err(corrupt("unknown version or flags"));
        }
        let content_size = match flg & CONTENT_SIZE {
            0 => None,
            _ => Some(u64::from_le_bytes(take_array(src, "header")?)).filter(|size| *size != 0),
        };
        if flg & DICTIONARY != 0 {
            return Err(wrong("an LZ4 frame needs a dictionary, which Arrow IPC does not have"));
        }
        let checked = &checked[..checked.len() - src.len()];
        let [sum] = take_array(src, "header")?;
        if sum != xxh32(checked).to_le_bytes()[1] {
            return Err(corrupt("the header's checksum is wrong"));
        }
        let block_max = match bd >> 4 {
            4 => 64 << 10,
            5 => 256 << 10,
            6 => 1 << 20,
            7 => 4 << 20,
            _ => return Err(corrupt("unknown block size")),
        };
        Ok(Self {
            block_max,
            linked: flg & INDEPENDENT == 0,
            content_size,
            block_checksum: flg & BLOCK_CHECKSUM != 0,
            content_checksum: flg & CONTENT_CHECKSUM != 0,
        })
    }
}

/// One block.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Block<'a> {
    Uncompressed(&'a [u8]),
    Compressed(&'a [u8]),
}

/// The blocks of a frame, in order, then its end.
#[derive(Debug)]
pub(crate) struct Blocks<'a> {
    header: Header,
    src: &'a [u8],
}

impl<'a> Blocks<'a> {
    /// Over `src`, which starts behind the header.
    pub(crate) fn new(header: Header, src: &'a [u8]) -> Self {
        Self { header, src }
    }

    /// The next block, or `None` at the end mark.
    pub(crate) fn next(&mut self) -> Result<Option<Block<'a>>> {
        let word = take_u32(&mut self.src, "block sizes")?;
        if word == 0 {
            return Ok(None);
        }
        let size = usize::try_from(word & !LZ4_UNCOMPRESSED)
            .ok()
            .filter(|size| *size <= self.header.block_max)
            .ok_or_else(|| corrupt("a block is larger than the header allows"))?;
        let block = take(&mut self.src, size, "blocks")?;
        if self.header.block_checksum && take_u32(&mut self.src, "block checksums")? != xxh32(block) {
            return Err(corrupt("a block's checksum is wrong"));
        }
        Ok(Some(if word & LZ4_UNCOMPRESSED != 0 {
            Block::Uncompressed(block)
        } else {
            Block::Compressed(block)
        }))
    }

    /// Checks the bytes behind the end mark, given the content.
    pub(crate) fn finish(mut self, content: &[u8]) -> Result<()> {
        if self.header.content_checksum && take_u32(&mut self.src, "content checksum")? != xxh32(content) {
            return Err(corrupt("the content's checksum is wrong"));
        }
        match self.src.len() {
            0 => Ok(()),
            more => Err(wrong(format!(
                "{more} bytes follow an LZ4 frame: a compressed buffer is one frame and nothing else"
            ))),
        }
    }
}
