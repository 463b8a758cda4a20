//! ZSTD frames through libzstd: one call each way, with a context that each thread keeps.
//!
//! Frames state their content size and have no checksum. Data is one frame or several, one behind another (RFC 8878,
//! section 3): a large input becomes several, so that all cores can write it, and read it. ZSTD's legacy formats and
//! skippable frames are refused before libzstd sees them, whatever features other crates enabled.
//!
//! Level 3, the default of Polars and of libzstd, looks for matches in two hash tables, of 512 KiB for matches of 8
//! bytes and of 256 KiB for shorter ones. `tuning.rs` makes other choices for columns.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};
use std::thread::LocalKey;

use zstd_safe::{CCtx, CParameter, DCtx, WriteBuf};

use crate::tuning::Tuning;
use crate::zstd_values::Plan;
use crate::{Error, Result, Run, pieces, uninit};

/// Above this level a context's tables are too large to keep for the life of a thread.
const MAX_KEPT_LEVEL: i32 = 12;

/// Inputs of more than this become several frames.
const LARGE: usize = if cfg!(fuzzing) { 128 } else { 8 << 20 };
/// The input of one of them: twice the window in which matches are looked for.
const PIECE: usize = if cfg!(fuzzing) { 64 } else { 4 << 20 };
/// Levels above this have larger windows, and there size goes before time: an input stays whole.
const MAX_SPLIT_LEVEL: i32 = 8;

const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

type Slot<T> = LocalKey<Cell<Option<T>>>;

thread_local! {
    static COMPRESS: Cell<Option<CCtx<'static>>> = const { Cell::new(None) };
    static DECOMPRESS: Cell<Option<DCtx<'static>>> = const { Cell::new(None) };
}

/// Takes the thread's context, or makes one if there is none or the thread is past destroying it.
fn take<T>(slot: &'static Slot<T>, create: fn() -> Option<T>) -> Result<T> {
    let kept = slot.try_with(Cell::take).ok().flatten();
    kept.or_else(create).ok_or_else(|| Error::new("no memory for a ZSTD context"))
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
        debug_assert!(n <= self.bytes.len());
        self.filled = n;
    }
}

/// Whether ZSTD has this level.
pub(crate) fn check(level: i32) -> Result<()> {
    let (min, max) = (zstd_safe::min_c_level(), zstd_safe::max_c_level());
    if (min..=max).contains(&level) {
        return Ok(());
    }
    Err(Error::new(format!("ZSTD has no level {level}: choose one from {min} (fastest) to {max} (smallest)")))
}

/// Appends the frame of `input` to `out`, or the frames of its pieces.
pub(crate) fn append(input: &[u8], level: i32, out: &mut Vec<u8>, run: Run<'_>) -> Result<()> {
    if input.len() <= LARGE || level > MAX_SPLIT_LEVEL {
        return append_frame(input, level, out);
    }
    let frames = pieces::compress(input, PIECE, run, |piece, out| append_frame(piece, level, out))?;
    pieces::reserve(out, frames.iter().map(Vec::len).sum())?;
    frames.iter().for_each(|frame| out.extend_from_slice(frame));
    Ok(())
}

fn append_frame(input: &[u8], level: i32, out: &mut Vec<u8>) -> Result<()> {
    let theirs = |input: &[u8], out: &mut Vec<u8>| append_theirs(input, level, out);
    match Plan::of(input, level, theirs)? {
        Some(plan) => plan.append(input, level, out),
        None => theirs(input, out),
    }
}

/// Appends the frame that libzstd makes of `input`.
fn append_theirs(input: &[u8], level: i32, out: &mut Vec<u8>) -> Result<()> {
    let mut context = take(&COMPRESS, CCtx::try_create)?;
    let Tuning { long, short, min_match } = Tuning::of(level, input);
    let write = |dst: &mut [MaybeUninit<u8>]| {
        // Nothing of an earlier call is left: all that is ever set is set here.
        let set = [
            CParameter::CompressionLevel(level),
            CParameter::HashLog(long),
            CParameter::ChainLog(short),
            CParameter::MinMatch(min_match),
        ];
        let ready = set.into_iter().try_for_each(|parameter| context.set_parameter(parameter).map(drop));
        ready.and_then(|()| context.compress2(&mut Dst::new(dst), input)).map_err(|code| {
            Error::new(format!("ZSTD could not compress a buffer: {}", zstd_safe::get_error_name(code)))
        })
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
    decompress_with(frames, dst, &crate::one_by_one)
}

/// As [`decompress`], with several frames decoded at once: where each one goes is known if all state their size.
pub(crate) fn decompress_with(frames: &[u8], dst: &mut [MaybeUninit<u8>], run: Run<'_>) -> Result<()> {
    let all = split(frames)?;
    let stated = sum_of_stated(&all);
    // What frames say of themselves is free to check, and makes the better message.
    if stated.is_some_and(|stated| u64::try_from(dst.len()) != Ok(stated)) {
        return Err(wrong_len(dst.len()));
    }
    if all.len() == 1 || stated.is_none() {
        // One frame; or several that do not say where each ends, which libzstd takes one after another.
        return fill(frames, dst);
    }
    let mut places = Vec::with_capacity(all.len());
    let mut room = dst;
    for frame in all {
        let len = content_len(frame).and_then(|len| usize::try_from(len).ok()).unwrap_or_default();
        let (place, rest) = room.split_at_mut(len.min(room.len()));
        places.push(Mutex::new((frame, place, Ok(()))));
        room = rest;
    }
    run(places.len(), &|i| {
        if let Some(place) = places.get(i) {
            let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
            let (frame, dst, result) = &mut *place;
            *result = fill(frame, dst);
        }
    });
    places.into_iter().try_for_each(|place| place.into_inner().unwrap_or_else(PoisonError::into_inner).2)
}

/// Decompresses whole frames into all of `dst`.
fn fill(frames: &[u8], dst: &mut [MaybeUninit<u8>]) -> Result<()> {
    let expected = dst.len();
    let mut context = take(&DECOMPRESS, DCtx::try_create)?;
    let written = context.decompress(&mut Dst::new(dst), frames).map_err(|code| {
        Error::new(format!("a ZSTD frame is corrupt: {}", zstd_safe::get_error_name(code)))
    })?;
    // After an error the context is dropped instead: the next call starts afresh.
    keep(&DECOMPRESS, context);
    // libzstd reports what it wrote from the start of `dst` on.
    if written == expected { Ok(()) } else { Err(wrong_len(expected)) }
}

fn wrong_len(expected: usize) -> Error {
    Error::new(format!("ZSTD frames do not hold the {expected} bytes their buffer's length states"))
}

/// The frames that `frames` is made of: one at least.
fn split(mut frames: &[u8]) -> Result<Vec<&[u8]>> {
    let mut all = Vec::with_capacity(1);
    while all.is_empty() || !frames.is_empty() {
        if !frames.starts_with(&MAGIC) {
            let (start, place) =
                (&frames[..frames.len().min(4)], if all.is_empty() { "it" } else { "the next" });
            return Err(Error::new(format!(
                "not a ZSTD frame: {place} starts with {start:02x?} instead of {MAGIC:02x?}; is the body's codec right?"
            )));
        }
        let len = zstd_safe::find_frame_compressed_size(frames).map_err(|code| {
            Error::new(format!("a ZSTD frame is corrupt or truncated: {}", zstd_safe::get_error_name(code)))
        })?;
        let (frame, rest) =
            frames.split_at_checked(len).ok_or_else(|| Error::new("a ZSTD frame is truncated"))?;
        all.push(frame);
        frames = rest;
    }
    Ok(all)
}

/// How many bytes a frame says it holds.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{ints, letters, unpack};
    use crate::{Codec, max_decompressed_len, one_by_one};

    const BACKWARDS: Run<'static> = &|n, work| (0..n).rev().for_each(work);

    fn decoded(frames: &[u8], len: usize, run: Run<'_>) -> Result<Vec<u8>> {
        let mut out = vec![MaybeUninit::new(0); len];
        decompress_with(frames, &mut out, run)?;
        // SAFETY: all of it was initialised above.
        Ok(unsafe { uninit::written(&out, len) }.to_vec())
    }

    /// A frame that does not say how many bytes it holds.
    fn unsized_frame(input: &[u8]) -> Vec<u8> {
        let mut context = CCtx::create();
        context.set_parameter(CParameter::ContentSizeFlag(false)).unwrap();
        let mut frame = vec![0; zstd_safe::compress_bound(input.len())];
        let len = context.compress2(&mut frame[..], input).unwrap();
        frame.truncate(len);
        assert_eq!(content_len(&frame), None);
        frame
    }

    #[test]
    fn large_inputs_become_frames_that_any_decoder_joins() {
        for (level, extra) in [(3, 1), (1, PIECE), (8, 300_000), (-5, 5)] {
            for input in [ints(LARGE + extra), letters(LARGE + extra)] {
                let len = input.len();
                let mut frames = [Vec::new(), b"before".to_vec()];
                append(&input, level, &mut frames[0], &one_by_one).unwrap();
                append(&input, level, &mut frames[1], BACKWARDS).unwrap();
                let [frames, other] = frames;
                assert!(other[6..] == frames);
                assert_eq!(content_len(&frames), Some(4 << 20), "the first piece");
                assert_eq!(stated_len(&frames), Some(u64::try_from(len).unwrap()));
                assert_eq!(max_decompressed_len(Codec::Zstd, &frames), u64::try_from(len).unwrap());
                assert!(unpack(Codec::Zstd, &frames, len).is_ok_and(|found| found == input));
                assert!(decoded(&frames, len, BACKWARDS).is_ok_and(|found| found == input));
                let mut theirs = vec![0; len];
                assert_eq!(zstd_safe::decompress(&mut theirs[..], &frames), Ok(len));
                assert!(theirs == input);
                for wrong in [len - 1, len + 1, 4 << 20, 0] {
                    assert_eq!(decoded(&frames, wrong, BACKWARDS), Err(wrong_len(wrong)));
                }
            }
        }
    }

    #[test]
    fn what_is_not_large_or_of_a_high_level_is_one_frame() {
        for (level, len) in [(3, LARGE), (MAX_SPLIT_LEVEL + 1, LARGE + 1)] {
            let mut frame = Vec::new();
            append(&vec![7; len], level, &mut frame, &one_by_one).unwrap();
            assert_eq!(split(&frame).unwrap().len(), 1);
        }
    }

    #[test]
    fn frames_of_other_writers_follow_each_other_too() {
        let input = ints(300_000);
        let (one, rest) = input.split_at(100_000);
        let sized = |input| {
            let mut frame = Vec::new();
            append(input, 3, &mut frame, &one_by_one).unwrap();
            frame
        };
        for frames in [
            [unsized_frame(one), unsized_frame(rest)].concat(),
            [sized(one), unsized_frame(rest)].concat(),
            [unsized_frame(one), sized(rest)].concat(),
            [sized(&[]), sized(one), sized(&[]), sized(rest)].concat(),
        ] {
            assert!(decoded(&frames, input.len(), BACKWARDS).is_ok_and(|found| found == input));
            assert!(max_decompressed_len(Codec::Zstd, &frames) >= 300_000);
            for wrong in [input.len() - 1, input.len() + 1, one.len(), 0] {
                assert!(decoded(&frames, wrong, BACKWARDS).is_err(), "{wrong}");
            }
            let skippable = [0x50, 0x2A, 0x4D, 0x18, 1, 0, 0, 0, 9];
            let more = [&frames[..], &skippable].concat();
            assert!(
                decoded(&more, input.len(), BACKWARDS).unwrap_err().to_string().contains("50, 2a, 4d, 18")
            );
            for cut in 1..40 {
                assert!(decoded(&frames[..frames.len() - cut], input.len(), BACKWARDS).is_err(), "{cut}");
            }
        }
    }

    #[test]
    fn damage_is_the_same_error_in_any_order() {
        let input = letters(3_000);
        let mut frames = Vec::new();
        input.chunks(1_000).for_each(|piece| append_frame(piece, 3, &mut frames).unwrap());
        for at in 0..frames.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut bad = frames.clone();
                bad[at] ^= flip;
                let serial = decoded(&bad, input.len(), &one_by_one);
                assert_eq!(decoded(&bad, input.len(), BACKWARDS), serial, "byte {at}");
                assert_eq!(unpack(Codec::Zstd, &bad, input.len()), serial);
            }
        }
    }
}
