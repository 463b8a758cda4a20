//! LZ4 frames through liblz4, but for columns of numbers (`lz4_values`).
//!
//! Writing is one call of `LZ4F_compressFrame`: its context lies on the stack and starts empty, so the frame
//! depends on the input alone and there is nothing to keep, to free or to reset. (A kept context would save
//! clearing 16 KiB, well under a microsecond, and only for inputs below 4 KiB: liblz4 clears it for others.)
//!
//! Reading walks the blocks (`lz4_frame.rs`) and has liblz4 decode each straight into the destination.
//! `LZ4F_decompress` would decode a block that is larger than what is left of the destination, as the last or
//! only one mostly is by its nominal size, into a buffer of its own and copy from there.

use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use lz4_sys::{
    BlockChecksum, BlockMode, BlockSize, ContentChecksum, FrameType, LZ4F_getErrorName, LZ4F_isError,
    LZ4FFrameInfo, LZ4FPreferences,
};

use crate::lz4_frame::{Block, Blocks, Header};
use crate::lz4_values::Plan;
use crate::stored::{LZ4_END, LZ4_HEAD};
use crate::{Each, Error, Result, Run, pieces, uninit};

// Stable API of liblz4 (`lz4frame.h`, `lz4.h`), compiled into lz4-sys' library but not bound by it.
unsafe extern "C" {
    fn LZ4F_compressFrameBound(src_size: usize, prefs: *const LZ4FPreferences) -> usize;
    fn LZ4F_compressFrame(
        dst: *mut c_void,
        dst_capacity: usize,
        src: *const c_void,
        src_size: usize,
        prefs: *const LZ4FPreferences,
    ) -> usize;
    fn LZ4_decompress_safe_usingDict(
        src: *const c_char,
        dst: *mut c_char,
        src_size: c_int,
        dst_capacity: c_int,
        dict: *const c_char,
        dict_size: c_int,
    ) -> c_int;
}

/// How far back a linked block may refer.
const WINDOW: usize = 64 << 10;

const PREFERENCES: LZ4FPreferences = preferences();

/// Blocks of 256 KiB: on data that shrinks, 4 MiB are at most 2% faster and under 1% smaller, while readers that use
/// `LZ4F_decompress` mostly take 5 to 19% longer (the module docs say why). 64 KiB make some data up to 9% smaller, but
/// compress up to 16% slower.
///
/// Independent blocks; no checksums, which Arrow does not ask for; no content size, which the prefix states.
const fn preferences() -> LZ4FPreferences {
    LZ4FPreferences {
        frame_info: LZ4FFrameInfo {
            block_size_id: BlockSize::Max256KB,
            block_mode: BlockMode::Independent,
            content_checksum_flag: ContentChecksum::NoChecksum,
            frame_type: FrameType::Frame,
            content_size: 0,
            dict_id: 0,
            block_checksum_flag: BlockChecksum::NoBlockChecksum,
        },
        compression_level: 0,
        auto_flush: 1,
        favor_dec_speed: 0,
        reserved: [0; 3],
    }
}

/// LZ4 is part of this build.
pub(crate) fn check() -> Result<()> {
    Ok(())
}

/// Inputs of more than this are compressed in pieces, which are copied together then.
const LARGE: usize = 16 << 20;
/// The size of a piece: a multiple of the block's.
const PIECE: usize = 4 << 20;

/// How a frame is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By liblz4.
    Theirs,
    /// Value by value.
    Values(Plan),
}

impl Way {
    /// The way for `input`, and whether that shrinks, as far as a sample shows.
    pub(crate) fn of(input: &[u8]) -> Result<(Self, bool)> {
        let (plan, shrinks) = Plan::of(input, append_theirs)?;
        Ok((plan.map_or(Self::Theirs, Self::Values), shrinks))
    }

    fn append(self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Theirs => append_theirs(input, out),
            Self::Values(plan) => plan.append(input, out),
        }
    }
}

/// Appends the frame of `input` to `out`.
///
/// Blocks are independent, so the blocks of one frame are those of its pieces' frames, one after another.
pub(crate) fn append(way: Way, input: &[u8], out: &mut Vec<u8>, run: Run<'_>) -> Result<()> {
    let append = |input: &[u8], out: &mut Vec<u8>| way.append(input, out);
    if input.len() <= LARGE {
        return append(input, out);
    }
    let frames = pieces::compress(input, PIECE, run, append)?;
    let blocks =
        |frame: &Vec<u8>| LZ4_HEAD.len()..frame.len().saturating_sub(LZ4_END.len()).max(LZ4_HEAD.len());
    let len: usize = frames.iter().map(|frame| blocks(frame).len()).sum();
    pieces::reserve(out, LZ4_HEAD.len() + len + LZ4_END.len())?;
    // The first piece is a full one, so its header names the size of the largest blocks.
    out.extend_from_slice(frames.first().and_then(|frame| frame.get(..LZ4_HEAD.len())).unwrap_or_default());
    for frame in &frames {
        let blocks = frame.get(blocks(frame));
        out.extend_from_slice(
            blocks.ok_or_else(|| Error::new("a piece of an LZ4 frame was not compressed"))?,
        );
    }
    out.extend_from_slice(&LZ4_END);
    Ok(())
}

/// Appends the frame that liblz4 makes of `input`.
pub(crate) fn append_theirs(input: &[u8], out: &mut Vec<u8>) -> Result<()> {
    append_with(&PREFERENCES, input, out)
}

fn append_with(prefs: &LZ4FPreferences, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
    // SAFETY: `prefs` is a valid struct of liblz4's layout; the call only computes.
    let bound = unsafe { LZ4F_compressFrameBound(input.len(), prefs) };
    let write = |dst: &mut [MaybeUninit<u8>]| {
        debug_assert_eq!(dst.len(), bound);
        // SAFETY: pointers and lengths are those of two live slices, which do not overlap (one is borrowed
        // mutably); liblz4 itself checks `dst.len()` against the bound.
        let code = unsafe {
            LZ4F_compressFrame(dst.as_mut_ptr().cast(), dst.len(), input.as_ptr().cast(), input.len(), prefs)
        };
        written(code)
    };
    // SAFETY: `LZ4F_compressFrame` returns how many bytes it wrote from the start of `dst`.
    unsafe { uninit::append(out, bound, write) }
}

/// A size that liblz4 returned, or the error that it is.
fn written(code: usize) -> Result<usize> {
    // SAFETY: the call only compares.
    if unsafe { LZ4F_isError(code) } == 0 {
        return Ok(code);
    }
    // SAFETY: liblz4 returns a static, NUL-terminated string for every code.
    let name = unsafe { std::ffi::CStr::from_ptr(LZ4F_getErrorName(code)) };
    Err(Error::new(format!("LZ4 could not compress a buffer: {}", name.to_string_lossy())))
}

/// Decompresses the one frame that `frame` is, filling `dst`.
pub(crate) fn decompress(frame: &[u8], dst: &mut [MaybeUninit<u8>]) -> Result<()> {
    let mut src = frame;
    let header = Header::take(&mut src)?;
    if header.content_size.is_some_and(|size| u64::try_from(dst.len()) != Ok(size)) {
        return Err(wrong_len(dst.len()));
    }
    let mut blocks = Blocks::new(header, src);
    let mut done = 0;
    while let Some(block) = blocks.next()? {
        done += match block {
            Block::Stored(block) => copy(block, &mut dst[done..])?,
            Block::Compressed(block) => inflate(block, header, dst, done)?,
        };
        debug_assert!(done <= dst.len());
    }
    if done != dst.len() {
        return Err(wrong_len(dst.len()));
    }
    // SAFETY: each round of the loop wrote the bytes it added to `done`.
    blocks.finish(unsafe { uninit::written(dst, done) })
}

/// Destinations of this many bytes and more are decompressed in pieces.
const SPREAD: usize = 2 << 20;
/// The size of such a piece, unless a block is larger.
const SHARE: usize = 1 << 20;

/// As [`decompress`], with independent blocks decoded at once: where each one goes is known from its
/// number if all but the last are full, as they are in frames that were not flushed early. `each` sees what is written.
/// `false` if that cannot be done, and what is wrong has to be found out.
pub(crate) fn decompress_in_pieces(
    frame: &[u8],
    dst: &mut [MaybeUninit<u8>],
    run: Run<'_>,
    each: Each<'_>,
) -> Result<bool> {
    if dst.len() < SPREAD {
        return Ok(false);
    }
    let mut src = frame;
    let header = Header::take(&mut src)?;
    let sized = header.content_size.is_none_or(|size| u64::try_from(dst.len()) == Ok(size));
    if header.linked || header.content_checksum || !sized {
        return Ok(false);
    }
    let mut blocks = Blocks::new(header, src);
    let mut all = Vec::new();
    while let Some(block) = blocks.next()? {
        all.push(block);
    }
    blocks.finish(&[])?;
    if all.len() != dst.len().div_ceil(header.block_max) {
        return Ok(false);
    }
    let count = (SHARE / header.block_max).max(1);
    let share = count * header.block_max;
    let places = dst.chunks_mut(share).map(Mutex::new);
    let pieces: Vec<_> = all.chunks(count).zip(places).collect();
    let failed = AtomicBool::new(false);
    run(pieces.len(), &|i| {
        let Some((blocks, dst)) = pieces.get(i) else { return };
        let mut dst = dst.lock().unwrap_or_else(PoisonError::into_inner);
        if fill(blocks, header, &mut dst).unwrap_or(false) {
            // SAFETY: the blocks filled all of it.
            each(i * share, unsafe { uninit::written_mut(&mut dst) });
        } else {
            failed.store(true, Ordering::Relaxed);
        }
    });
    Ok(!failed.into_inner())
}

/// Decodes independent blocks, each to its place; whether each filled it.
fn fill(blocks: &[Block<'_>], header: Header, dst: &mut [MaybeUninit<u8>]) -> Result<bool> {
    for (block, place) in blocks.iter().zip(dst.chunks_mut(header.block_max)) {
        let len = match block {
            Block::Stored(block) => copy(block, place)?,
            Block::Compressed(block) => inflate(block, header, place, 0)?,
        };
        if len != place.len() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn wrong_len(expected: usize) -> Error {
    Error::new(format!("an LZ4 frame does not hold the {expected} bytes its buffer's length states"))
}

/// Copies a stored block to the start of `dst`; returns its length.
fn copy(block: &[u8], dst: &mut [MaybeUninit<u8>]) -> Result<usize> {
    let dst_len = dst.len();
    let dst = dst.get_mut(..block.len()).ok_or_else(|| {
        Error::new(format!(
            "an LZ4 frame holds more than its buffer's length states: {dst_len} bytes are left"
        ))
    })?;
    dst.copy_from_slice(uninit::unwritten(block));
    Ok(block.len())
}

/// Decodes `block` to `dst[done..]`, of which `dst[..done]` is written; returns how many bytes that gave.
fn inflate(block: &[u8], header: Header, dst: &mut [MaybeUninit<u8>], done: usize) -> Result<usize> {
    let room = (dst.len() - done).min(header.block_max);
    let history = if header.linked { done.min(WINDOW) } else { 0 };
    let c_len = |len: usize| c_int::try_from(len).map_err(|_| Error::new("an LZ4 block is too large"));
    let (block_len, capacity, history_len) = (c_len(block.len())?, c_len(room)?, c_len(history)?);
    debug_assert!(history <= done && done + room <= dst.len());
    // One pointer for both: the history must lie right in front of what is written.
    let base = dst.as_mut_ptr();
    // SAFETY: `block` is a live slice that does not overlap `dst`, which is borrowed mutably. `done + room <=
    // dst.len()` and `history <= done` by construction, so both ranges lie in `dst`, and `dst[..done]` is
    // written. The decoder checks every read of the block, every write and every offset against these lengths,
    // and reads no byte of `dst` that it did not write (an offset of 0 gives zeros).
    let written = unsafe {
        let dst = base.add(done);
        let dict = dst.sub(history);
        LZ4_decompress_safe_usingDict(
            block.as_ptr().cast(),
            dst.cast(),
            block_len,
            capacity,
            dict.cast(),
            history_len,
        )
    };
    match usize::try_from(written) {
        Ok(written) if written <= room => Ok(written),
        _ => Err(Error::new(format!(
            "an LZ4 frame is corrupt, or holds more than the {} bytes its buffer's length states",
            dst.len()
        ))),
    }
}

#[cfg(test)]
pub(crate) mod tests;
