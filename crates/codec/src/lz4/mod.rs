//! LZ4 frames: through liblz4, or value by value for columns of numbers (`columnar.rs`).
//!
//! liblz4 writes a frame in one call of `LZ4F_compressFrame`. Its context lies on the stack and starts empty, so the
//! frame depends on the input alone, and there is nothing to keep, to free or to reset. (A kept context would save
//! clearing 16 KiB, well under a microsecond, and only for inputs below 4 KiB: liblz4 clears it for others.)
//!
//! Reading walks the blocks (`frame.rs`) and has liblz4 decode each straight into the destination. `LZ4F_decompress`
//! would decode a block whose nominal size exceeds the rest of the destination into a buffer of its own, and copy from
//! there. The last block, or the only one, mostly is such a block.

mod block;
mod columnar;
mod frame;
pub(crate) mod xxh32;

use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;

use floe_runtime::Executor;
use floe_runtime::ablation::{self, Mechanism};
use lz4_sys::{
    BlockChecksum, BlockMode, BlockSize, ContentChecksum, FrameType, LZ4F_getErrorName, LZ4F_isError,
    LZ4FFrameInfo, LZ4FPreferences,
};

pub(crate) use self::columnar::Columnar;
use self::frame::{Block, Blocks, Header};
use crate::sample::{is_worth_it, sample};
use crate::strategy::{Encoder, Library, Strategy};
use crate::uncompressed::{LZ4_END, LZ4_HEAD};
use crate::{Codec, Each, Error, Result, pieces, uninit};

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

/// How far back a linked block may refer, in bytes.
const WINDOW_BYTES: usize = 64 << 10;

const PREFERENCES: LZ4FPreferences = preferences();

/// Bytes of a block: 256 KiB. On data that shrinks, 4 MiB are at most 2% faster and under 1% smaller. Readers that use
/// `LZ4F_decompress` mostly take 5 to 19% longer with them (the module docs say why). Blocks of 64 KiB make some data
/// up to 9% smaller, but compress up to 16% slower.
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

/// Inputs of more bytes are compressed in pieces, whose blocks are then copied into one frame.
const MIN_SPLIT_BYTES: usize = 16 << 20;
/// Bytes of a piece: a multiple of the block's.
const PIECE_BYTES: usize = 4 << 20;
/// Bytes of each piece of the sample, where floe's own match finders are switched off.
const PIECE_BYTES_WITHOUT_COLUMNS: usize = 4 << 10;

/// liblz4, which looks for matches at every byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Liblz4;

impl Encoder for Liblz4 {
    fn append(&self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        append_with(&PREFERENCES, input, out)
    }
}

/// The strategy for `input`, and whether a sample says that compressing is worth the time.
pub(crate) fn choose(input: &[u8]) -> Result<(Strategy, bool)> {
    if !ablation::is_on(Mechanism::MatchFinders) {
        let sample = sample(input, PIECE_BYTES_WITHOUT_COLUMNS);
        let is_worth_it = is_worth_it(Liblz4.compressed_len(&sample)?, sample.len());
        return Ok((Strategy::Library(Library::Lz4(Liblz4)), is_worth_it));
    }
    let (columnar, is_worth_it) = Columnar::choose(input, &Liblz4)?;
    let library = Strategy::Library(Library::Lz4(Liblz4));
    Ok((columnar.map_or(library, Strategy::ColumnarLz4), is_worth_it))
}

/// Appends the frame of `input` to `out`.
///
/// Blocks are independent, so the frame of a large input is made of the blocks of its pieces' frames, one after
/// another.
pub(crate) fn append(
    encoder: &impl Encoder,
    input: &[u8],
    out: &mut Vec<u8>,
    executor: &dyn Executor,
) -> Result<()> {
    if input.len() <= MIN_SPLIT_BYTES {
        return encoder.append(input, out);
    }
    let frames = pieces::compress(input, PIECE_BYTES, executor, |piece, out| encoder.append(piece, out))?;
    let blocks = frames.iter().map(|frame| blocks_of(frame)).collect::<Result<Vec<&[u8]>>>()?;
    let len: usize = blocks.iter().map(|blocks| blocks.len()).sum();
    pieces::reserve(out, LZ4_HEAD.len() + len + LZ4_END.len())?;
    // The first piece is a full one, so its header names the size of the largest blocks.
    let head = frames.first().and_then(|frame| frame.get(..LZ4_HEAD.len()));
    out.extend_from_slice(head.ok_or_else(|| Error::Encoder("an LZ4 frame has no header".into()))?);
    blocks.iter().for_each(|blocks| out.extend_from_slice(blocks));
    out.extend_from_slice(&LZ4_END);
    Ok(())
}

/// The blocks of a frame, without its header and end mark.
fn blocks_of(frame: &[u8]) -> Result<&[u8]> {
    let blocks = frame.len().checked_sub(LZ4_END.len()).and_then(|end| frame.get(LZ4_HEAD.len()..end));
    blocks.ok_or_else(|| Error::Encoder("a piece of an LZ4 frame was not compressed".into()))
}

fn append_with(prefs: &LZ4FPreferences, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
    // SAFETY: `prefs` is a valid struct of liblz4's layout; the call only computes.
    let bound = unsafe { LZ4F_compressFrameBound(input.len(), prefs) };
    let write = |dst: &mut [MaybeUninit<u8>]| {
        debug_assert_eq!(dst.len(), bound, "liblz4 gets the room of its bound");
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
    Err(Error::Encoder(format!("LZ4 could not compress a buffer: {}", name.to_string_lossy())))
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
            Block::Uncompressed(block) => copy(block, &mut dst[done..])?,
            Block::Compressed(block) => inflate(block, header, dst, done)?,
        };
        debug_assert!(done <= dst.len(), "liblz4 wrote {done} of {} bytes", dst.len());
    }
    if done != dst.len() {
        return Err(wrong_len(dst.len()));
    }
    // SAFETY: each round of the loop wrote the bytes it added to `done`.
    blocks.finish(unsafe { uninit::written(dst, done) })
}

/// Destinations of this many bytes and more are decompressed in pieces.
const MIN_PARALLEL_BYTES: usize = 2 << 20;
/// Bytes of such a piece, unless a block is larger.
const PARALLEL_BYTES: usize = 1 << 20;

/// As [`decompress`], with independent blocks decoded in parallel. A block's place follows from its number if all
/// blocks but the last are full, as they are in frames that were not flushed early. `each` sees the written bytes.
///
/// Returns `false` if the frame is not like that, or is wrong: [`decompress`] then finds out what is wrong.
pub(crate) fn decompress_in_pieces(
    frame: &[u8],
    dst: &mut [MaybeUninit<u8>],
    executor: &dyn Executor,
    each: Each<'_>,
) -> Result<bool> {
    if dst.len() < MIN_PARALLEL_BYTES {
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
    let count = (PARALLEL_BYTES / header.block_max).max(1);
    let share = count * header.block_max;
    let pieces = all.chunks(count).zip(dst.chunks_mut(share)).enumerate().collect();
    let is_filled = executor.map_jobs(pieces, |(i, (blocks, dst)): (usize, (&[Block<'_>], _))| {
        // `decompress` finds out why a block is wrong.
        let is_filled = fill(blocks, header, dst).unwrap_or(false);
        if is_filled {
            // SAFETY: the blocks filled all of it.
            each(i * share, unsafe { uninit::written_mut(dst) });
        }
        is_filled
    });
    Ok(is_filled.into_iter().all(|is_filled| is_filled))
}

/// Decodes independent blocks, each to its place; whether each filled it.
fn fill(blocks: &[Block<'_>], header: Header, dst: &mut [MaybeUninit<u8>]) -> Result<bool> {
    for (block, place) in blocks.iter().zip(dst.chunks_mut(header.block_max)) {
        let len = match block {
            Block::Uncompressed(block) => copy(block, place)?,
            Block::Compressed(block) => inflate(block, header, place, 0)?,
        };
        if len != place.len() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn wrong_len(expected: usize) -> Error {
    Error::Length { codec: Codec::Lz4, expected }
}

fn corrupt(what: impl Into<String>) -> Error {
    Error::corrupt(Codec::Lz4, what)
}

/// Copies an uncompressed block to the start of `dst`; returns its length.
fn copy(block: &[u8], dst: &mut [MaybeUninit<u8>]) -> Result<usize> {
    let dst_len = dst.len();
    let dst = dst.get_mut(..block.len()).ok_or_else(|| {
        corrupt(format!("an LZ4 frame holds more than its buffer's length states: {dst_len} bytes are left"))
    })?;
    dst.copy_from_slice(uninit::unwritten(block));
    Ok(block.len())
}

/// Decodes `block` to `dst[done..]`, of which `dst[..done]` is written; returns how many bytes that gave.
fn inflate(block: &[u8], header: Header, dst: &mut [MaybeUninit<u8>], done: usize) -> Result<usize> {
    let room = (dst.len() - done).min(header.block_max);
    let history = if header.linked { done.min(WINDOW_BYTES) } else { 0 };
    let c_len = |len: usize| c_int::try_from(len).map_err(|_| corrupt("an LZ4 block is too large"));
    let (block_len, capacity, history_len) = (c_len(block.len())?, c_len(room)?, c_len(history)?);
    debug_assert!(history <= done && done + room <= dst.len(), "a block of {room} bytes at {done}");
    // One pointer for both: the history must lie right in front of the output.
    let base = dst.as_mut_ptr();
    // SAFETY: `block` is a live slice that does not overlap `dst`, which is borrowed mutably. `done + room <=
    // dst.len()` and `history <= done` by construction, so both ranges lie in `dst`, and `dst[..done]` is written. The
    // decoder checks every read of the block, every write and every offset against these lengths. It reads no byte of
    // `dst` that it did not write: an offset of 0 gives zeros.
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
        _ => Err(corrupt(format!(
            "an LZ4 frame is corrupt, or holds more than the {} bytes its buffer's length states",
            dst.len()
        ))),
    }
}

#[cfg(test)]
pub(crate) mod tests;
