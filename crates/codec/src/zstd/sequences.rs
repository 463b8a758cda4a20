//! The sequences of a frame, and libzstd's entropy coding of them.
//!
//! `ZSTD_compressSequences` is of libzstd's experimental interface, there since 1.5.0 and exported by static and shared
//! builds alike. It is told to validate what it is given: should a sequence be wrong, that is an error, and not more.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zstd_sys::{
    ZSTD_CCtx, ZSTD_CCtx_setParameter, ZSTD_Sequence, ZSTD_cParameter as Parameter, ZSTD_compressSequences,
    ZSTD_createCCtx, ZSTD_freeCCtx, ZSTD_isError,
};

use super::part::{BACK, MIN_MATCH, Part, Whence};
use super::{keep, no_memory, not_compressed, take};
use crate::value::Value;
use crate::{Error, Result, uninit};

/// The base-2 logarithm of how far back a part may be: that of the window of level 3.
const WINDOW_LOG: u8 = 21;
/// The base-2 logarithm of how many parts are remembered by their hashes.
const HASH_BITS: u32 = 16;
/// Bytes of a block: the most that the format allows.
const BLOCK: usize = 128 << 10;

/// Memory for sequences is as much as the input takes twice over, and used again; more than so many pieces of it, or
/// pieces for more than so many sequences, are not kept. (Not one a thread: there may be many.)
const KEPT: usize = 8;
const KEPT_LEN: usize = (4 << 20) / 8 + 64;
static SHELF: Mutex<Vec<Vec<ZSTD_Sequence>>> = Mutex::new(Vec::new());

/// The parameters of libzstd that are always the same.
const SETTINGS: [(Parameter, i32); 7] = [
    // `ZSTD_c_blockDelimiters`: `ZSTD_sf_explicitBlockDelimiters`.
    (Parameter::ZSTD_c_experimentalParam11, 1),
    // `ZSTD_c_validateSequences`.
    (Parameter::ZSTD_c_experimentalParam12, 1),
    // `ZSTD_c_repcodeResolution`: `ZSTD_ps_enable`. An offset that is always the same then takes no bits.
    (Parameter::ZSTD_c_experimentalParam19, 1),
    (Parameter::ZSTD_c_minMatch, 3),
    (Parameter::ZSTD_c_windowLog, WINDOW_LOG as i32),
    // Tables for looking for matches, which nobody does: as small as can be.
    (Parameter::ZSTD_c_hashLog, 6),
    (Parameter::ZSTD_c_chainLog, 6),
];

/// A context of libzstd with its settings.
struct Coder(NonNull<ZSTD_CCtx>);

thread_local! {
    static CODER: Cell<Option<Coder>> = const { Cell::new(None) };
}

fn shelf() -> MutexGuard<'static, Vec<Vec<ZSTD_Sequence>>> {
    SHELF.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Appends the frame of `input` to `out`.
pub(super) fn append(part: Option<&Part>, input: &[u8], level: i32, out: &mut Vec<u8>) -> Result<()> {
    let mut coder = take(&CODER, Coder::new)?;
    let mut all = shelf().pop().unwrap_or_default();
    sequences(part, input, &mut all)?;
    coder.append(&all, input, level, out)?;
    if all.capacity() <= KEPT_LEN {
        let mut shelf = shelf();
        if shelf.len() < KEPT {
            shelf.push(all);
        }
    }
    // After an error the context is dropped instead.
    keep(&CODER, coder);
    Ok(())
}

impl Coder {
    fn new() -> Result<Self> {
        // SAFETY: the call takes nothing and returns a new context, or null.
        let context = NonNull::new(unsafe { ZSTD_createCCtx() });
        let coder = Self(context.ok_or_else(no_memory)?);
        SETTINGS.into_iter().try_for_each(|(parameter, value)| coder.set(parameter, value))?;
        Ok(coder)
    }

    fn set(&self, parameter: Parameter, value: i32) -> Result<()> {
        // SAFETY: the context is live, and no frame is being made.
        checked(unsafe { ZSTD_CCtx_setParameter(self.0.as_ptr(), parameter, value) }).map(drop)
    }

    /// Appends the frame that all the sequences are of.
    fn append(&mut self, all: &[ZSTD_Sequence], input: &[u8], level: i32, out: &mut Vec<u8>) -> Result<()> {
        self.set(Parameter::ZSTD_c_compressionLevel, level)?;
        let write = |dst: &mut [MaybeUninit<u8>]| {
            // SAFETY: pointers and lengths are those of live slices, `dst` is borrowed mutably, and the context is
            // live and used by nobody else. The sequences are validated (`SETTINGS`), and end with a delimiter as the
            // setting for delimiters asks for (`sequences`).
            checked(unsafe {
                ZSTD_compressSequences(
                    self.0.as_ptr(),
                    dst.as_mut_ptr().cast(),
                    dst.len(),
                    all.as_ptr(),
                    all.len(),
                    input.as_ptr().cast(),
                    input.len(),
                )
            })
        };
        // SAFETY: `ZSTD_compressSequences` returns how many bytes it wrote from the start of `dst`.
        unsafe { uninit::append(out, zstd_safe::compress_bound(input.len()), write) }
    }
}

impl Drop for Coder {
    fn drop(&mut self) {
        // SAFETY: the context is from `ZSTD_createCCtx`, and nobody has it after this. The call cannot fail.
        unsafe { ZSTD_freeCCtx(self.0.as_ptr()) };
    }
}

/// A size that libzstd returned, or the error that it is.
fn checked(code: usize) -> Result<usize> {
    // SAFETY: the call only compares.
    if unsafe { ZSTD_isError(code) } == 0 {
        return Ok(code);
    }
    Err(not_compressed(code))
}

/// Fills `out` with the sequences of all blocks, each with the delimiter at its end.
fn sequences(part: Option<&Part>, input: &[u8], out: &mut Vec<ZSTD_Sequence>) -> Result<()> {
    out.clear();
    match part {
        None => {
            reserve(out, input.len().div_ceil(BLOCK))?;
            out.extend(input.chunks(BLOCK).map(|block| delimiter(short(block.len()))));
            Ok(())
        },
        Some(Part { width, bytes, whence }) => match (width, whence) {
            (4, Whence::Before) => fill::<u32, false>(input, bytes, out),
            (4, Whence::Seen) => fill::<u32, true>(input, bytes, out),
            (16, Whence::Before) => fill::<u128, false>(input, bytes, out),
            (16, Whence::Seen) => fill::<u128, true>(input, bytes, out),
            (_, Whence::Before) => fill::<u64, false>(input, bytes, out),
            (_, Whence::Seen) => fill::<u64, true>(input, bytes, out),
        },
    }
}

/// Looks for a part of each value.
fn fill<V: Value, const SEEN: bool>(
    input: &[u8],
    bytes: &Range<usize>,
    out: &mut Vec<ZSTD_Sequence>,
) -> Result<()> {
    debug_assert!(bytes.len() >= MIN_MATCH && bytes.start < V::WIDTH && bytes.len() <= V::WIDTH);
    // A part that goes on in the value behind is one of values that begin later.
    let skip = bytes.end.saturating_sub(V::WIDTH);
    let (head, input) = input.split_at_checked(skip).unwrap_or((input, &[]));
    let bytes = bytes.start - skip..bytes.end - skip;
    let mask = V::mask(bytes.clone());
    let values = V::split(input);
    let mut seen = vec![0u32; if SEEN { 1 << HASH_BITS } else { 0 }];
    // Room for what is before the first value, and behind the last one.
    let in_block = BLOCK / V::WIDTH - 2;
    reserve(out, values.len() + values.len() / in_block + 1)?;
    let (whole, before) = (short(V::WIDTH), short(bytes.start));
    let (len, behind) = (short(bytes.len()), short(V::WIDTH - bytes.end));
    let mut literals = short(head.len());
    for first in (0..values.len()).step_by(in_block) {
        for (i, value) in values.iter().enumerate().take(first + in_block).skip(first) {
            let part = V::load(*value) & mask;
            let known = if SEEN {
                let place = std::mem::replace(&mut seen[part.hash(HASH_BITS)], short(i));
                usize::try_from(place).unwrap_or(usize::MAX)
            } else {
                i.wrapping_sub(BACK / V::WIDTH)
            };
            let offset = i.wrapping_sub(known).wrapping_mul(V::WIDTH);
            let there = known < i && (!SEEN || offset <= 1 << WINDOW_LOG);
            if there && V::load(values[known]) & mask == part {
                out.push(sequence(short(offset), literals + before, len));
                literals = behind;
            } else {
                literals += whole;
            }
        }
        out.push(delimiter(literals));
        literals = 0;
    }
    let rest = short(input.len() % V::WIDTH) + literals;
    match out.last_mut() {
        Some(end) => end.litLength += rest,
        None => out.push(delimiter(rest)),
    }
    Ok(())
}

fn reserve(out: &mut Vec<ZSTD_Sequence>, more: usize) -> Result<()> {
    out.try_reserve(more).map_err(|e| Error::new(format!("no memory for {more} ZSTD sequences: {e}")))
}

/// What ends a block, behind so many literals.
fn delimiter(literals: u32) -> ZSTD_Sequence {
    sequence(0, literals, 0)
}

fn sequence(offset: u32, literals: u32, len: u32) -> ZSTD_Sequence {
    ZSTD_Sequence { offset, litLength: literals, matchLength: len, rep: 0 }
}

/// Frames are of some megabytes.
fn short(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
