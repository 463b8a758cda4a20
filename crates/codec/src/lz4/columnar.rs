//! LZ4 blocks of columns of numbers, made value by value.
//!
//! liblz4 looks for a match at every byte. Most large buffers of Arrow hold values of 4, 8 or 16 bytes: integers,
//! floats, timestamps, decimals, offsets, views of strings. Those repeat in few ways, and looking for these alone takes
//! a third to two thirds of the time (`cargo bench -p floe-benches --bench stages` has both):
//!
//! ```text
//!   match key        a value agrees with ..       and becomes
//!   any end          one FIXED_OFFSET before      4A 1F | 00 00 00 00 00 00    low bytes as literals, a match of the high ones
//!   bytes 0..8       one of the last 64 KiB       | 4A 1F 00 00 00 00 00 00    a match of the value, or of several
//!   bytes 2..8       one of them, but its low     4A 1F | 07 00 00 00 00 00    what differs as literals, a match of the rest
//!   bytes 0..7,      one of them, but its high    | 40 7B 14 AE 47 E1 7A | 84  of prices: the exponent of the value before
//!     shifted by 7   bytes                                                     precedes the low bytes of a fraction
//! ```
//!
//! Values of 16 bytes may as well be two of 8, and those two of 4: two small integers, or dates, are one match.
//!
//! A key with a hash table falls back to the fixed offset where the table has nothing. [`Columnar::choose`] looks at a
//! sample. The fixed offset comes first, since it is the fastest. Then come the keys, ranked by how many values of the
//! sample's second half the table would find. The key that makes the smallest frame wins. A key that nearly always hits
//! goes before all others: its branch is predictable, which makes the encoder twice as fast. No key is taken if
//! liblz4's frame is smaller by more than one part in [`TOLERANCE_RATIO`]: text is left to liblz4. A small buffer has
//! no room for a sample, but a few values show whether they [rise](`is_rising`); the fixed offset finds all there is in
//! those.
//!
//! A value's high bytes are most like those of the value right before it, which is what liblz4 takes for sequences and
//! offsets. But a decoder that copies what it has only just written waits for its own stores: such a block decompresses
//! at a quarter of the speed of others. The fixed offset is therefore [`FIXED_OFFSET`] bytes. liblz4 then reads the
//! frame three times as fast, in any reader (`cargo bench -p floe-benches --bench stages`, "steps" and "offsets").
//!
//! The blocks are LZ4 blocks like any other
//! ([format](https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md)).
//!
//! This code is too clever to be changed by feel. Run `stages` before and after: the order in which keys are tried and
//! the thresholds were measured together, and the bytes written change with each of them.

use super::block::{Block, EMPTY_TABLE, HashTable, MIN_MATCH_BYTES, Target, hits};
use crate::match_key::{MatchKey, MatchSource};
use crate::sample::{MIN_SAMPLED_BYTES, is_worth_it, sample};
use crate::strategy::Encoder;
use crate::uncompressed::{LZ4_BLOCK_BYTES, LZ4_END, LZ4_HEAD, LZ4_UNCOMPRESSED};
use crate::value::Value;
use crate::{Error, Result, uninit};

/// Inputs of fewer bytes are left to liblz4, unless their values rise.
const MIN_COLUMNAR_BYTES: usize = MIN_SAMPLED_BYTES;
/// Inputs of fewer bytes are left to liblz4 even if their values rise.
const MIN_RISING_BYTES: usize = if cfg!(fuzzing) { 64 } else { 4 << 10 };
/// Bytes of each piece of the sample that shows whether values rise.
const RISING_PIECE_BYTES: usize = 256;
/// One value in `MAX_LEAPS_RATIO` may rise by too much: where one piece of a sample meets the next, and now and then.
const MAX_LEAPS_RATIO: usize = 16;
/// Values may rise by equal steps of at most this much. With larger equal steps the low bytes come again and again,
/// which liblz4 finds.
const MAX_EQUAL_STEP: u64 = 16;
/// Each piece of the sample is one part in `PIECE_RATIO` of the input, within these bounds: enough to show how often
/// values come again, and not more than needed.
const PIECE_RATIO: usize = 128;
const MAX_PIECE_BYTES: usize = 8 << 10;
const MIN_PIECE_BYTES: usize = if cfg!(fuzzing) { 16 } else { 4 << 10 };
/// The sample may become larger than with liblz4 by one part in `TOLERANCE_RATIO`.
const TOLERANCE_RATIO: usize = 8;

/// Bytes of a sequence beside its literals: a token and an offset.
const SEQUENCE_BYTES: usize = 3;
/// If at least 1 value in `MAX_MISSES_RATIO` is not found, the processor cannot predict the branch.
const MAX_MISSES_RATIO: usize = 16;
/// A sample must shrink by at least one part in `MIN_GAIN_RATIO` to be worth the time.
const MIN_GAIN_RATIO: usize = 16;
/// Input that becomes more than this many times smaller is left to liblz4, which skips faster over long matches.
const MAX_SHRINK_RATIO: usize = 8;

const fn key(width: usize, shift: usize, start: usize, end: usize) -> MatchKey {
    MatchKey::new(width, shift, start, end, MatchSource::HashTable)
}

/// The keys that are tried. All keys in a row contain the bytes of its first key, so that key is found whenever another
/// one is. If it is not worth it, the row is skipped.
const KEYS: [&[MatchKey]; 4] = [
    &[key(8, 0, 3, 8), key(8, 0, 2, 8), key(8, 0, 1, 8), key(8, 0, 0, 8)],
    &[key(8, 7, 0, 5), key(8, 7, 0, 6), key(8, 7, 0, 7)],
    &[key(8, 0, 0, 6)],
    &[key(16, 0, 4, 16), key(16, 0, 2, 16), key(16, 0, 1, 16), key(16, 0, 0, 16)],
];

/// An encoder of columns of numbers: the key by which it looks for earlier values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columnar(pub(super) MatchKey);

impl Columnar {
    /// The encoder for `input`, or `None` if `library` does better; and whether compressing is worth the time.
    pub(super) fn choose(input: &[u8], library: &impl Encoder) -> Result<(Option<Self>, bool)> {
        if input.len() < MIN_COLUMNAR_BYTES {
            let is_rising = input.len() >= MIN_RISING_BYTES && is_rising(&sample(input, RISING_PIECE_BYTES));
            return Ok((is_rising.then_some(Self(MatchKey::any_end(8))), true));
        }
        let piece = (input.len() / PIECE_RATIO).next_multiple_of(16).clamp(MIN_PIECE_BYTES, MAX_PIECE_BYTES);
        let sample = sample(input, piece);
        let library_len = library.compressed_len(&sample)?;
        let max_len = library_len + library_len / TOLERANCE_RATIO;
        // The fastest comes first.
        let widths = [(8, is_alike::<u64>(&sample)), (16, is_alike::<u128>(&sample))].into_iter();
        let fixed = widths.filter_map(|(width, is_alike)| is_alike.then_some(Self(MatchKey::any_end(width))));
        if let Some((_, encoder)) = smallest(&sample, fixed)?.filter(|(len, _)| *len <= max_len) {
            return Ok((Some(encoder), true));
        }
        if library_len < sample.len() / MAX_SHRINK_RATIO {
            return Ok((None, true));
        }
        let max_len = max_len.min(sample.len() - sample.len() / MIN_GAIN_RATIO);
        let estimates = Estimate::all(&sample, max_len).into_iter();
        let best = estimates.min_by_key(|estimate| (estimate.is_unpredictable, estimate.len));
        let encoder = best.map(|best| Self(best.key));
        let is_worth_it = encoder.is_some() || is_worth_it(library_len, sample.len());
        Ok((encoder, is_worth_it))
    }

    /// Puts a block behind its size, uncompressed if it does not shrink.
    fn put_block(&self, src: &[u8], target: &mut Target<'_>, table: &mut HashTable) -> Result<()> {
        let size_at = target.at;
        target.put(&[0; size_of::<u32>()])?;
        let body = target.at;
        // A compressed block has at least one byte less than its input.
        let end = body + src.len().saturating_sub(1);
        let key = self.0;
        let mut block = Block { src, anchor: 0, target: target.until(end) };
        let compressed = match (key.width, key.source) {
            (16, MatchSource::FixedOffset) => block.fill::<u128, false, true>(table, key),
            (16, MatchSource::HashTable) if key.is_whole_value() => {
                block.fill::<u128, true, true>(table, key)
            },
            (16, MatchSource::HashTable) => block.fill::<u128, true, false>(table, key),
            (_, MatchSource::FixedOffset) => block.fill::<u64, false, true>(table, key),
            (_, MatchSource::HashTable) if key.is_whole_value() => block.fill::<u64, true, true>(table, key),
            (_, MatchSource::HashTable) => block.fill::<u64, true, false>(table, key),
        };
        let flag = if compressed? {
            target.at = block.target.at;
            0
        } else {
            target.at = body;
            target.put(src)?;
            LZ4_UNCOMPRESSED
        };
        let size = u32::try_from(target.at - body)
            .map_err(|_| Error::Encoder("an LZ4 block of more than 4 GiB".into()))?;
        target.put_at(size_at, &(size | flag).to_le_bytes())?;
        Ok(())
    }
}

impl Encoder for Columnar {
    fn append(&self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let blocks = input.len().div_ceil(LZ4_BLOCK_BYTES);
        let bound = LZ4_HEAD.len() + input.len() + blocks * size_of::<u32>() + LZ4_END.len();
        let mut table = EMPTY_TABLE;
        // SAFETY: `Target::at` counts bytes that have been written, from the start on.
        unsafe {
            uninit::append(out, bound, |dst| {
                let mut target = Target { dst, at: 0 };
                target.put(&LZ4_HEAD)?;
                for block in input.chunks(LZ4_BLOCK_BYTES) {
                    self.put_block(block, &mut target, &mut table)?;
                }
                target.put(&LZ4_END)?;
                Ok(target.at)
            })
        }
    }
}

/// The encoder that makes a sample smallest, and how small, in bytes.
fn smallest(sample: &[u8], encoders: impl Iterator<Item = Columnar>) -> Result<Option<(usize, Columnar)>> {
    let mut smallest: Option<(usize, Columnar)> = None;
    for encoder in encoders {
        let len = encoder.compressed_len(sample)?;
        if smallest.as_ref().is_none_or(|(smallest, _)| len < *smallest) {
            smallest = Some((len, encoder));
        }
    }
    Ok(smallest)
}

/// The result of a key on a sample.
struct Estimate {
    key: MatchKey,
    /// Bytes that the sample would come to.
    len: usize,
    /// Bytes that it would come to if the same number of values matched as a whole.
    min_len: usize,
    /// Misses are too frequent to be predicted: that makes the encoder half as fast.
    is_unpredictable: bool,
}

impl Estimate {
    fn of(sample: &[u8], key: MatchKey, table: &mut HashTable) -> Self {
        let (hits, values) = match key.width {
            16 => hits::<u128>(key, sample, table),
            _ => hits::<u64>(key, sample, table),
        };
        // Only the second half of the sample was counted.
        let len = |matched: usize| (values * key.width - hits * matched.saturating_sub(SEQUENCE_BYTES)) * 2;
        let is_unpredictable = hits < values - values / MAX_MISSES_RATIO;
        Self { key, len: len(key.len()), min_len: len(key.width), is_unpredictable }
    }

    /// The estimates of all keys that make the sample no larger than `max_len`.
    fn all(sample: &[u8], max_len: usize) -> Vec<Self> {
        let mut table = EMPTY_TABLE;
        let mut all = Vec::new();
        for row in KEYS {
            for key in row {
                let estimate = Self::of(sample, *key, &mut table);
                if estimate.min_len > max_len {
                    break;
                }
                if estimate.len <= max_len {
                    all.push(estimate);
                }
            }
        }
        all
    }
}

/// Whether the values of a sample rise, as offsets, times and row numbers do: by little, and in their lowest bytes.
///
/// Such values all differ, but for runs of equal ones, so only the high bytes of earlier values can match. They rise
/// from one piece of the sample to the next as well: values that begin anew each day come again.
fn is_rising(sample: &[u8]) -> bool {
    let values = u64::split(sample);
    let (mut falls, mut leaps) = (0, 0);
    for three in values.windows(3) {
        let [first, before, value] = [0, 1, 2].map(|i| u64::load(three[i]));
        let (low, high) = value.common(before);
        let step = value.wrapping_sub(before);
        let is_equal_step = step > MAX_EQUAL_STEP && step == before.wrapping_sub(first);
        falls += usize::from(value < before);
        leaps += usize::from(value > before && (high < MIN_MATCH_BYTES || low > 0 || is_equal_step));
    }
    falls <= 1 && leaps <= values.len() / MAX_LEAPS_RATIO
}

/// Whether at least a quarter of the values agree with the values before them in a match's worth of bytes.
fn is_alike<V: Value>(sample: &[u8]) -> bool {
    let values = V::split(sample);
    let pairs = values.iter().zip(values.iter().skip(1));
    let alike = pairs.filter(|(before, value)| {
        let (low, high) = V::load(**value).common(V::load(**before));
        low.max(high) >= MIN_MATCH_BYTES
    });
    alike.count() >= values.len() / 4
}

#[cfg(test)]
#[path = "columnar_tests.rs"]
mod tests;
