//! ZSTD frames through libzstd: one call each way, with a context that each thread keeps.
//!
//! Frames state their content size and have no checksum. Data is one frame or several, one behind another (RFC 8878,
//! section 3): a large input becomes several, so that all cores can write it, and read it. ZSTD's legacy formats and
//! skippable frames are refused before libzstd sees them, whatever features other crates enabled.
//!
//! At level 3, the default of Polars and of libzstd, a sample of the input decides who looks for matches (`select.rs`).
//! It is libzstd, in tables sized for columns (`tuning.rs`), or this crate, value by value (`columnar.rs`).

mod columnar;
mod estimate;
mod select;
#[cfg(test)]
mod select_tests;
#[cfg(test)]
mod tests;
mod tuning;

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::thread::LocalKey;

use floe_runtime::ablation::{self, Mechanism};
use floe_runtime::{Executor, Serial};
use zstd_safe::{CCtx, CParameter, DCtx, ResetDirective, WriteBuf};

pub(crate) use self::columnar::Columnar;
use self::tuning::{MIN_TUNED_BY_SAMPLE_BYTES, Tuning};
use crate::sample::{MIN_SAMPLED_BYTES, is_worth_it, sample};
use crate::strategy::{Encoder, Library, Strategy};
use crate::{Codec, Error, Result, pieces, uninit};

/// Above this level a context's tables are too large to keep for the life of a thread.
const MAX_KEPT_LEVEL: i32 = 12;

/// Inputs of more bytes become several frames.
const MIN_SPLIT_BYTES: usize = if cfg!(fuzzing) { 128 } else { 8 << 20 };
/// Bytes of input of each of those frames: twice the window in which matches are looked for.
const PIECE_BYTES: usize = if cfg!(fuzzing) { 64 } else { 4 << 20 };
/// Levels above this have larger windows, and there size goes before time: an input stays whole.
const MAX_SPLIT_LEVEL: i32 = 8;
/// Above this level the caller wants bytes saved rather than time: no sample decides whether to compress.
const MAX_SAMPLED_LEVEL: i32 = 3;
/// Bytes of each piece of the sample that decides whether compressing is worth the time.
const PIECE_SAMPLED_BYTES: usize = 4 << 10;

const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

type Slot<T> = LocalKey<Cell<Option<T>>>;

thread_local! {
    static COMPRESS: Cell<Option<CCtx<'static>>> = const { Cell::new(None) };
    static DECOMPRESS: Cell<Option<DCtx<'static>>> = const { Cell::new(None) };
}

/// Takes the thread's context, or makes one if there is none or the thread is past destroying it.
fn take<T>(slot: &'static Slot<T>, create: fn() -> Result<T>) -> Result<T> {
    slot.try_with(Cell::take).ok().flatten().map_or_else(create, Ok)
}

fn no_memory() -> Error {
    Error::OutOfMemory("no memory for a ZSTD context".into())
}

fn not_compressed(code: usize) -> Error {
    Error::Encoder(format!("ZSTD could not compress a buffer: {}", zstd_safe::get_error_name(code)))
}

/// Gives the context back for the thread's next call.
fn keep<T>(slot: &'static Slot<T>, context: T) {
    // A thread past destroying its contexts drops this one here.
    let _ = slot.try_with(|slot| slot.set(Some(context)));
}

/// Memory that libzstd writes to; the first `filled` bytes are written.
struct Dst<'a> {
    bytes: &'a mut [MaybeUninit<u8>],
    filled: usize,
}

impl<'a> Dst<'a> {
    fn new(bytes: &'a mut [MaybeUninit<u8>]) -> Self {
        Self { bytes, filled: 0 }
    }
}

// SAFETY: pointer and capacity are those of one slice; `as_slice` covers only what `filled_until` was told of.
unsafe impl WriteBuf for Dst<'_> {
    fn as_slice(&self) -> &[u8] {
        // SAFETY: zstd-safe called `filled_until(filled)`, whose contract is that these bytes are initialised.
        unsafe { uninit::written(self.bytes, self.filled) }
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }

    fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr().cast()
    }

    unsafe fn filled_until(&mut self, n: usize) {
        debug_assert!(n <= self.bytes.len(), "libzstd wrote {n} of {} bytes", self.bytes.len());
        self.filled = n;
    }
}

/// Whether ZSTD has this level.
pub(crate) fn check(level: i32) -> Result<()> {
    let (min, max) = (zstd_safe::min_c_level(), zstd_safe::max_c_level());
    if (min..=max).contains(&level) {
        return Ok(());
    }
    Err(Error::Level { level, min, max })
}

/// An encoder at a level.
pub(crate) trait Leveled: Encoder {
    /// The level of ZSTD.
    fn level(&self) -> i32;
}

/// libzstd, which looks for matches at every byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Libzstd {
    level: i32,
    tuning: Tuning,
}

impl Encoder for Libzstd {
    fn append(&self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        search(input, self.level, self.tuning, out)
    }
}

impl Leveled for Libzstd {
    fn level(&self) -> i32 {
        self.level
    }
}

/// The strategy for `input`, and whether a sample says that compressing is worth the time.
///
/// Inputs at levels above 3 are always worth it: there size goes before time.
pub(crate) fn choose(level: i32, input: &[u8]) -> Result<(Strategy, bool)> {
    let (strategy, is_worth_it) = if ablation::is_on(Mechanism::MatchFinders) {
        select::strategy(input, level)?
    } else {
        (Strategy::Library(Library::Zstd(Libzstd { level, tuning: Tuning::default() })), None)
    };
    let is_worth_it = match is_worth_it {
        Some(is_worth_it) => is_worth_it,
        None => level > MAX_SAMPLED_LEVEL || input.len() < MIN_SAMPLED_BYTES || shrinks_at_level_1(input)?,
    };
    Ok((strategy, is_worth_it))
}

/// A plan for fewer bytes than these is for that input alone: there is no sample, or none that says much.
pub(crate) fn min_reusable_bytes(level: i32) -> usize {
    if level > MAX_SAMPLED_LEVEL { usize::MAX } else { MIN_TUNED_BY_SAMPLE_BYTES }
}

/// Whether a sample shrinks at level 1. Its entropy coding saves bytes that LZ4 does not.
fn shrinks_at_level_1(input: &[u8]) -> Result<bool> {
    let sample = sample(input, PIECE_SAMPLED_BYTES);
    let len = Libzstd { level: 1, tuning: Tuning::default() }.compressed_len(&sample)?;
    Ok(is_worth_it(len, sample.len()))
}

/// Appends the frame of `input` to `out`, or the frames of its pieces.
pub(crate) fn append(
    encoder: &impl Leveled,
    input: &[u8],
    out: &mut Vec<u8>,
    executor: &dyn Executor,
) -> Result<()> {
    if input.len() <= MIN_SPLIT_BYTES || encoder.level() > MAX_SPLIT_LEVEL {
        return encoder.append(input, out);
    }
    let frames = pieces::compress(input, PIECE_BYTES, executor, |piece, out| encoder.append(piece, out))?;
    pieces::reserve(out, frames.iter().map(Vec::len).sum())?;
    frames.iter().for_each(|frame| out.extend_from_slice(frame));
    Ok(())
}

/// Appends the frame that libzstd makes of `input`.
fn search(input: &[u8], level: i32, tuning: Tuning, out: &mut Vec<u8>) -> Result<()> {
    let mut context = take(&COMPRESS, || CCtx::try_create().ok_or_else(no_memory))?;
    let Tuning { long_log, short_log, min_match, is_fast } = tuning;
    let write = |dst: &mut [MaybeUninit<u8>]| {
        let set = [
            CParameter::CompressionLevel(level),
            CParameter::HashLog(long_log),
            CParameter::ChainLog(short_log),
            CParameter::MinMatch(min_match),
        ];
        let strategy = is_fast.then_some(CParameter::Strategy(zstd_safe::Strategy::ZSTD_fast));
        let all = set.into_iter().chain(strategy);
        let ready = context.reset(ResetDirective::SessionAndParameters).map(drop);
        let ready =
            ready.and_then(|()| all.into_iter().try_for_each(|one| context.set_parameter(one).map(drop)));
        ready.and_then(|()| context.compress2(&mut Dst::new(dst), input)).map_err(not_compressed)
    };
    // SAFETY: `ZSTD_compress2` returns how many bytes it wrote from the start of `dst`.
    unsafe { uninit::append(out, zstd_safe::compress_bound(input.len()), write)? };
    // After an error, and above the level, the context is dropped instead.
    if level <= MAX_KEPT_LEVEL {
        keep(&COMPRESS, context);
    }
    Ok(())
}

/// Decompresses the frames that `frames` is, filling `dst`.
pub(crate) fn decompress(frames: &[u8], dst: &mut [MaybeUninit<u8>]) -> Result<()> {
    decompress_with(frames, dst, &Serial)
}

/// As [`decompress`], with several frames decoded at once: where each one goes is known if all state their size.
pub(crate) fn decompress_with(
    frames: &[u8],
    dst: &mut [MaybeUninit<u8>],
    executor: &dyn Executor,
) -> Result<()> {
    let all = split(frames)?;
    let stated = sum_of_stated(&all);
    // The stated sizes are free to check, and make the better message.
    if stated.is_some_and(|stated| u64::try_from(dst.len()) != Ok(stated)) {
        return Err(wrong_len(dst.len()));
    }
    if all.len() == 1 || stated.is_none() {
        // One frame; or several that do not say where each ends, which libzstd takes one after another.
        return fill(frames, dst);
    }
    let expected = dst.len();
    let mut places = Vec::with_capacity(all.len());
    let mut room = dst;
    for frame in all {
        let len = content_len(frame)
            .and_then(|len| usize::try_from(len).ok())
            .ok_or_else(|| wrong_len(expected))?;
        let (place, rest) = room.split_at_mut(len.min(room.len()));
        places.push((frame, place));
        room = rest;
    }
    executor.map_jobs(places, |(frame, dst)| fill(frame, dst)).into_iter().collect()
}

/// Decompresses whole frames into all of `dst`.
fn fill(frames: &[u8], dst: &mut [MaybeUninit<u8>]) -> Result<()> {
    let expected = dst.len();
    let mut context = take(&DECOMPRESS, || DCtx::try_create().ok_or_else(no_memory))?;
    let written = context
        .decompress(&mut Dst::new(dst), frames)
        .map_err(|code| corrupt(format!("a ZSTD frame is corrupt: {}", zstd_safe::get_error_name(code))))?;
    // After an error the context is dropped instead: the next call starts afresh.
    keep(&DECOMPRESS, context);
    // libzstd reports what it wrote from the start of `dst` on.
    if written == expected { Ok(()) } else { Err(wrong_len(expected)) }
}

fn wrong_len(expected: usize) -> Error {
    Error::Length { codec: Codec::Zstd, expected }
}

fn corrupt(what: impl Into<String>) -> Error {
    Error::corrupt(Codec::Zstd, what)
}

/// The frames that `frames` is made of: one at least.
fn split(mut frames: &[u8]) -> Result<Vec<&[u8]>> {
    let mut all = Vec::with_capacity(1);
    while all.is_empty() || !frames.is_empty() {
        if !frames.starts_with(&MAGIC) {
            let (start, place) =
                (&frames[..frames.len().min(4)], if all.is_empty() { "it" } else { "the next" });
            return Err(corrupt(format!(
                "not a ZSTD frame: {place} starts with {start:02x?} instead of {MAGIC:02x?}; is the body's codec right?"
            )));
        }
        let len = zstd_safe::find_frame_compressed_size(frames).map_err(|code| {
            corrupt(format!("a ZSTD frame is corrupt or truncated: {}", zstd_safe::get_error_name(code)))
        })?;
        let (frame, rest) =
            frames.split_at_checked(len).ok_or_else(|| corrupt("a ZSTD frame is truncated"))?;
        all.push(frame);
        frames = rest;
    }
    Ok(all)
}

/// The number of bytes that a frame states it holds.
fn content_len(frame: &[u8]) -> Option<u64> {
    zstd_safe::get_frame_content_size(frame).ok().flatten()
}

fn sum_of_stated(frames: &[&[u8]]) -> Option<u64> {
    frames.iter().try_fold(0u64, |sum, frame| sum.checked_add(content_len(frame)?))
}

/// How many bytes the frames say they hold together, if all do.
pub(crate) fn stated_len(frames: &[u8]) -> Option<u64> {
    sum_of_stated(&split(frames).ok()?)
}
