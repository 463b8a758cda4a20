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
pub(crate) mod tests {
    use std::ptr::null_mut;

    use lz4_sys::{
        LZ4F_VERSION, LZ4F_createDecompressionContext, LZ4F_decompress, LZ4F_freeDecompressionContext,
        LZ4FDecompressionContext,
    };

    use super::*;
    use crate::tests::{ints, patterns, unpack};
    use crate::{Codec, decompress_each, decompress_with, max_decompressed_len};

    /// Every kind of frame that another writer may choose.
    fn variants() -> Vec<LZ4FPreferences> {
        let mut all = Vec::new();
        for linked in [false, true] {
            for sums in [false, true] {
                for sized in [0, 1] {
                    for small in [false, true] {
                        let mut prefs = preferences();
                        let info = &mut prefs.frame_info;
                        info.content_size = sized;
                        if linked {
                            info.block_mode = BlockMode::Linked;
                        }
                        if sums {
                            info.content_checksum_flag = ContentChecksum::ChecksumEnabled;
                            info.block_checksum_flag = BlockChecksum::BlockChecksumEnabled;
                        }
                        if small {
                            info.block_size_id = BlockSize::Max64KB;
                        }
                        all.push(prefs);
                    }
                }
            }
        }
        all
    }

    /// What liblz4's own frame decoder makes of `frame`, if it is one whole frame of `len` bytes.
    pub(crate) fn reference(frame: &[u8], len: usize) -> Option<Vec<u8>> {
        let mut context = LZ4FDecompressionContext(null_mut());
        // One more, to see a frame that holds more.
        let mut out = vec![0; len + 1];
        let (mut out_len, mut frame_len) = (out.len(), frame.len());
        // SAFETY: pointers and lengths are those of live slices; the context is created, used and freed here.
        let code = unsafe {
            assert_eq!(LZ4F_createDecompressionContext(&mut context, LZ4F_VERSION), 0);
            let (dst, src) = (out.as_mut_ptr(), frame.as_ptr());
            let code = LZ4F_decompress(context, dst, &mut out_len, src, &mut frame_len, std::ptr::null());
            LZ4F_freeDecompressionContext(context);
            code
        };
        out.truncate(out_len);
        (code == 0 && frame_len == frame.len() && out_len == len).then_some(out)
    }

    #[test]
    fn frames_of_other_writers() {
        for prefs in variants() {
            for len in [0, 1, 1000, 65_536, 65_537, 300_000] {
                for input in patterns(len) {
                    let mut frame = Vec::new();
                    append_with(&prefs, &input, &mut frame).unwrap();
                    assert_eq!(unpack(Codec::Lz4, &frame, len).as_ref(), Ok(&input), "{prefs:?}");
                    assert!(max_decompressed_len(Codec::Lz4, &frame) >= u64::try_from(len).unwrap());
                    assert!(unpack(Codec::Lz4, &frame, len + 1).is_err());
                    assert!(len == 0 || unpack(Codec::Lz4, &frame, len - 1).is_err());
                }
            }
        }
    }

    #[test]
    fn blocks_are_decoded_at_once_or_one_after_another() {
        let backwards: Run<'_> = &|n, work| (0..n).rev().for_each(work);
        for prefs in variants() {
            for len in [SPREAD - 1, SPREAD, SPREAD + 1, 3 * SPREAD + 70_000] {
                let input = ints(len);
                let mut frame = Vec::new();
                append_with(&prefs, &input, &mut frame).unwrap();
                let mut out = vec![MaybeUninit::new(0); len];
                decompress_with(Codec::Lz4, &frame, &mut out, backwards).unwrap();
                // SAFETY: all of it was initialised above.
                assert!(unsafe { uninit::written(&out, len) } == input, "{prefs:?}");
                let mut short = vec![MaybeUninit::new(0); len - 1];
                assert!(decompress_with(Codec::Lz4, &frame, &mut short, backwards).is_err());
                for at in (0..frame.len()).step_by(frame.len() / 50) {
                    let mut broken = frame.clone();
                    broken[at] ^= 0x55;
                    let serial = decompress(&broken, &mut out);
                    assert_eq!(
                        decompress_with(Codec::Lz4, &broken, &mut out, backwards),
                        serial,
                        "byte {at}"
                    );
                }
                frame.truncate(frame.len() - 5);
                assert!(decompress_with(Codec::Lz4, &frame, &mut out, backwards).is_err());
            }
        }
    }

    /// What is changed when it has just been written stays so, and nothing is left out, however frames are decoded.
    #[test]
    fn stretches_are_seen_when_they_are_written() {
        let backwards: Run<'_> = &|n, work| (0..n).rev().for_each(work);
        for prefs in variants() {
            for len in [0, 1, 300_000, SPREAD, 3 * SPREAD + 70_000] {
                let input = ints(len);
                let mut frame = Vec::new();
                append_with(&prefs, &input, &mut frame).unwrap();
                let mut out = vec![MaybeUninit::new(0); len];
                let seen = Mutex::new(0);
                let each = |start: usize, bytes: &mut [u8]| {
                    assert_eq!(start % (64 << 10), 0);
                    assert!(bytes == &input[start..start + bytes.len()]);
                    bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
                    *seen.lock().unwrap() += bytes.len();
                };
                decompress_each(Codec::Lz4, &frame, &mut out, backwards, &each).unwrap();
                assert_eq!(seen.into_inner().unwrap(), len, "{prefs:?}");
                // SAFETY: all of it was initialised above.
                let out = unsafe { uninit::written(&out, len) };
                assert!(out.iter().zip(&input).all(|(out, input)| out ^ 0x55 == *input), "{prefs:?}");
            }
        }
    }

    #[test]
    fn blocks_that_were_flushed_early_are_decoded_too() {
        // As many blocks as there would be full ones, but others: 300,000 bytes, then the rest.
        let mut prefs = preferences();
        prefs.frame_info.block_size_id = BlockSize::Max1MB;
        let input = ints(SPREAD);
        let mut frame = Vec::new();
        append_with(&prefs, &input[..300_000], &mut frame).unwrap();
        frame.truncate(frame.len() - LZ4_END.len());
        let mut rest = Vec::new();
        append_with(&prefs, &input[300_000..], &mut rest).unwrap();
        frame.extend_from_slice(&rest[LZ4_HEAD.len()..]);
        let mut out = vec![MaybeUninit::new(0); SPREAD];
        let each = |_: usize, bytes: &mut [u8]| bytes.iter_mut().for_each(|byte| *byte ^= 0x55);
        decompress_each(Codec::Lz4, &frame, &mut out, &|n, work| (0..n).for_each(work), &each).unwrap();
        // SAFETY: all of it was initialised above.
        let out = unsafe { uninit::written(&out, SPREAD) };
        assert!(
            out.iter().zip(&input).all(|(out, input)| out ^ 0x55 == *input),
            "each byte was changed once"
        );
    }

    #[test]
    fn pieces_make_one_frame() {
        for extra in [1, 65_536, 300_000, PIECE] {
            let len = LARGE + extra;
            let input = ints(len);
            let mut frames = [Vec::new(), Vec::new()];
            let (way, _) = Way::of(&input).unwrap();
            append(way, &input, &mut frames[0], &|n, work| (0..n).for_each(work)).unwrap();
            append(way, &input, &mut frames[1], &|n, work| {
                std::thread::scope(|scope| (0..n).for_each(|i| drop(scope.spawn(move || work(i)))));
            })
            .unwrap();
            assert!(frames[0] == frames[1]);
            assert!(reference(&frames[0], len).is_some_and(|found| found == input), "{len}");
            assert!(unpack(Codec::Lz4, &frames[0], len).is_ok_and(|found| found == input), "{len}");
        }
    }

    #[test]
    fn agrees_with_liblz4_on_damaged_frames() {
        let input = ints(600);
        for prefs in variants() {
            let mut frame = Vec::new();
            append_with(&prefs, &input, &mut frame).unwrap();
            for at in 0..frame.len() {
                for flip in [0x01, 0x80, 0xFF] {
                    let mut frame = frame.clone();
                    frame[at] ^= flip;
                    let ours = unpack(Codec::Lz4, &frame, input.len()).ok();
                    assert_eq!(ours, reference(&frame, input.len()), "byte {at} ^ {flip:#x} of {prefs:?}");
                }
            }
        }
    }

    /// An offset of 0 is invalid, but liblz4 does not refuse it: it must not show what memory held before.
    #[test]
    fn offset_zero_shows_no_old_memory() {
        let block = [&[0x1F, b'x', 0, 0, 20, 0x50][..], b"final"].concat();
        let mut frame = vec![0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x82];
        frame.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
        frame.extend(&block);
        frame.extend([0; 4]);
        let len = 1 + 19 + 20 + 5;
        let [a, b] = [0xAA, 0x55].map(|old| {
            let mut dst = vec![MaybeUninit::new(old); len];
            decompress(&frame, &mut dst).map(|()| {
                // SAFETY: all of `dst` was written when it was made.
                unsafe { uninit::written(&dst, len) }.to_vec()
            })
        });
        assert!(a.is_ok(), "{a:?}");
        assert_eq!(a, b);
    }

    #[test]
    fn headers_are_refused_by_name() {
        let error = |frame: &[u8]| unpack(Codec::Lz4, frame, 5).unwrap_err().to_string();
        assert!(error(&[]).contains("truncated in its header"));
        assert!(error(b"\x28\xb5\x2f\xfd0000").contains("not an LZ4 frame"));
        assert!(error(b"\x50\x2a\x4d\x18\0\0\0\0").contains("not an LZ4 frame"), "skippable");
        assert!(error(&[0x04, 0x22, 0x4D, 0x18, 0x61, 0x40, 0, 0, 0, 0, 0]).contains("dictionary"));
        assert!(error(&[0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x83]).contains("checksum"));
    }
}
