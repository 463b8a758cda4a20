//! ZSTD frames of columns of numbers: matches found value by value, and libzstd's entropy coding of them.
//!
//! libzstd looks for a match at every byte, in tables of hundreds of kilobytes. In a column of values of a fixed width
//! the same bytes of each value repeat. Integers and timestamps repeat their high bytes, and short strings in views
//! their padding. Prices and measurements repeat their low bytes: their decimals are one of a hundred or a thousand
//! patterns of bits. One [`MatchKey`] is chosen for a whole frame and compared once per value, in one place.
//!
//! All sequences of a frame are then alike: equally many literals, a match of equally many bytes, mostly at the same
//! offset. FSE codes those in next to no bits. So most frames are smaller than libzstd's own, take two thirds to a half
//! of the time, and are read faster, by every reader.
//!
//! `ZSTD_compressSequences` is of libzstd's experimental interface, there since 1.5.0 and exported by static and shared
//! builds alike. It is told to validate its input, so that a wrong sequence is an error and no more than that.
//!
//! What to watch when changing this: the sequences must cover the input exactly, and each block ends with a delimiter and
//! holds at most 128 KiB. `fill` therefore leaves room for two values in each block: for the bytes before the first
//! value, and for those behind the last one. Debug builds assert the sum, and libzstd validates every sequence.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use zstd_sys::{
    ZSTD_CCtx, ZSTD_CCtx_setParameter, ZSTD_Sequence, ZSTD_cParameter as Parameter, ZSTD_compressSequences,
    ZSTD_createCCtx, ZSTD_freeCCtx, ZSTD_isError,
};

use super::{Leveled, keep, no_memory, not_compressed, take};
use crate::match_key::{FIXED_OFFSET, MatchKey, MatchSource};
use crate::strategy::Encoder;
use crate::value::Value;
use crate::{Error, Result, uninit};

/// Bytes of the shortest match of the format.
pub(super) const MIN_MATCH_BYTES: usize = 3;
/// The base-2 logarithm of how far back a match may lie: that of the window of level 3.
const WINDOW_LOG: u8 = 21;
/// The base-2 logarithm of the hash table's entries.
const HASH_BITS: u32 = 16;
/// Bytes of a block: the most that the format allows.
const BLOCK_BYTES: usize = 128 << 10;

/// Sequence buffers take twice the input's memory, so they are pooled: at most `MAX_POOLED` of at most
/// `MAX_POOLED_SEQUENCES` entries. (They are not kept per thread: there may be many threads.)
const MAX_POOLED: usize = 8;
const MAX_POOLED_SEQUENCES: usize = (4 << 20) / 8 + 64;
static POOL: Mutex<Vec<Vec<ZSTD_Sequence>>> = Mutex::new(Vec::new());

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

fn pool() -> MutexGuard<'static, Vec<Vec<ZSTD_Sequence>>> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An encoder of columns of numbers at a level of ZSTD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columnar {
    pub(super) level: i32,
    /// The bytes to search for. Without a key there is no search, and all bytes are literals.
    pub(super) key: Option<MatchKey>,
}

impl Columnar {
    /// Whether earlier values are looked up by their hash.
    pub(super) fn uses_hash_table(&self) -> bool {
        self.key.is_some_and(|key| key.source == MatchSource::HashTable)
    }
}

impl Encoder for Columnar {
    fn append(&self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let mut coder = take(&CODER, Coder::new)?;
        // An empty pool has no buffer to reuse: a new one.
        let mut all = pool().pop().unwrap_or_default();
        sequences(self.key, input, &mut all)?;
        coder.append(&all, input, self.level, out)?;
        if all.capacity() <= MAX_POOLED_SEQUENCES {
            let mut pool = pool();
            if pool.len() < MAX_POOLED {
                pool.push(all);
            }
        }
        // After an error the context is dropped instead.
        keep(&CODER, coder);
        Ok(())
    }
}

impl Leveled for Columnar {
    fn level(&self) -> i32 {
        self.level
    }
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
fn sequences(key: Option<MatchKey>, input: &[u8], out: &mut Vec<ZSTD_Sequence>) -> Result<()> {
    out.clear();
    let Some(key) = key else {
        reserve(out, input.len().div_ceil(BLOCK_BYTES))?;
        for block in input.chunks(BLOCK_BYTES) {
            out.push(delimiter(wire(block.len())?));
        }
        return Ok(());
    };
    match (key.width, key.source) {
        (4, MatchSource::FixedOffset) => fill::<u32, false>(input, key, out),
        (4, MatchSource::HashTable) => fill::<u32, true>(input, key, out),
        (16, MatchSource::FixedOffset) => fill::<u128, false>(input, key, out),
        (16, MatchSource::HashTable) => fill::<u128, true>(input, key, out),
        (_, MatchSource::FixedOffset) => fill::<u64, false>(input, key, out),
        (_, MatchSource::HashTable) => fill::<u64, true>(input, key, out),
    }
}

/// Looks for the key of each value: in a hash table with `USE_HASH_TABLE`, and at the fixed offset without.
fn fill<V: Value, const USE_HASH_TABLE: bool>(
    input: &[u8],
    key: MatchKey,
    out: &mut Vec<ZSTD_Sequence>,
) -> Result<()> {
    key.assert_fits::<V>(MIN_MATCH_BYTES);
    // All lengths and positions below are at most this one: that it fits is checked once.
    wire(input.len())?;
    let mask = key.mask::<V>();
    let values = V::split(key.shifted(input));
    // Bytes before the first shifted value: all, if there is none.
    let head = key.shift.min(input.len());
    let rest = (input.len() - head) % V::WIDTH;
    let mut table = vec![0u32; if USE_HASH_TABLE { 1 << HASH_BITS } else { 0 }];
    // Room for the bytes before the first value, and behind the last one.
    let values_per_block = BLOCK_BYTES / V::WIDTH - 2;
    reserve(out, values.len() + values.len() / values_per_block + 1)?;
    let (width, before) = (fits(V::WIDTH), fits(key.start));
    let (len, behind) = (fits(key.len()), fits(V::WIDTH - key.end));
    let mut literals = fits(head);
    for first in (0..values.len()).step_by(values_per_block) {
        for (i, value) in values.iter().enumerate().take(first + values_per_block).skip(first) {
            let masked = V::load(*value) & mask;
            // Without a candidate this is `i` itself or wraps above it: neither lies before it.
            let candidate = if USE_HASH_TABLE {
                std::mem::replace(&mut table[masked.hash(HASH_BITS)], fits(i)) as usize
            } else {
                i.wrapping_sub(FIXED_OFFSET / V::WIDTH)
            };
            let offset = i.wrapping_sub(candidate).wrapping_mul(V::WIDTH);
            let is_in_window = candidate < i && (!USE_HASH_TABLE || offset <= 1 << WINDOW_LOG);
            if is_in_window && V::load(values[candidate]) & mask == masked {
                debug_assert!(
                    (1..=i * V::WIDTH).contains(&offset),
                    "a match {offset} bytes before value {i}"
                );
                out.push(sequence(fits(offset), literals + before, len));
                literals = behind;
            } else {
                literals += width;
            }
        }
        out.push(delimiter(literals));
        literals = 0;
    }
    let rest = fits(rest) + literals;
    match out.last_mut() {
        Some(end) => end.litLength += rest,
        None => out.push(delimiter(rest)),
    }
    debug_assert_eq!(
        out.iter().map(|sequence| (sequence.litLength + sequence.matchLength) as usize).sum::<usize>(),
        input.len(),
        "the sequences cover the input"
    );
    Ok(())
}

fn reserve(out: &mut Vec<ZSTD_Sequence>, more: usize) -> Result<()> {
    out.try_reserve(more).map_err(|e| Error::OutOfMemory(format!("no memory for {more} ZSTD sequences: {e}")))
}

/// The end of a block, behind this many literals.
fn delimiter(literals: u32) -> ZSTD_Sequence {
    sequence(0, literals, 0)
}

fn sequence(offset: u32, literals: u32, len: u32) -> ZSTD_Sequence {
    ZSTD_Sequence { offset, litLength: literals, matchLength: len, rep: 0 }
}

/// A length as libzstd takes it.
fn wire(len: usize) -> Result<u32> {
    u32::try_from(len)
        .map_err(|_| Error::Encoder(format!("a piece of {len} bytes is too large for ZSTD sequences")))
}

/// A length or position within an input whose length [`wire`] has checked.
#[inline(always)]
fn fits(n: usize) -> u32 {
    debug_assert!(u32::try_from(n).is_ok(), "{n} is beyond the input");
    #[expect(clippy::cast_possible_truncation, reason = "the input's length was checked")]
    let n = n as u32;
    n
}
