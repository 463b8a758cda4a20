//! Which match key of a column's values makes the smallest frame, estimated from a sample.
//!
//! A frame is the literals that are left, Huffman coded, and the sequences, FSE coded. The size of both is estimated by
//! their entropy: sums of logarithms of counts. Bits are counted in fractions of [`BIT`].

use std::ops::Range;

use super::columnar::MIN_MATCH_BYTES;
use crate::match_key::{FIXED_OFFSET, MatchKey, MatchSource};
use crate::value::Value;

/// One bit.
const BIT: u64 = 256;
/// Bytes of the widest value.
const MAX_WIDTH: usize = 16;
/// A byte belongs to a key at the fixed offset if it is the same in at least this many of 16 values. Each of these is
/// tried.
const MIN_SAME_OF_16: [usize; 3] = [15, 12, 8];
/// The keys tried with a hash table: whole values, the bytes that decimals have in common, and those that they have
/// without rounding errors.
const KEYS_OF_8: [Range<usize>; 10] = [0..8, 1..8, 2..8, 0..5, 0..6, 0..7, 1..5, 1..6, 1..7, 2..6];
const KEYS_OF_4: [Range<usize>; 3] = [0..4, 0..3, 1..4];
const KEYS_OF_16: [Range<usize>; 2] = [0..16, 0..12];
/// A hash table is not tried where values take fewer bits than this: an offset would take as many.
const MIN_HASHED_BITS: u64 = 20;
/// Bits of an offset's code, beside the offset itself.
const OFFSET_CODE_BITS: u64 = 2;
/// A key that saves less than one part in `MIN_GAIN_RATIO` of the literals is not worth the time.
const MIN_GAIN_RATIO: u64 = 32;
/// Bits that a sequence must save, since it takes time, and bits that it must save beyond that if it has to be looked
/// for.
const MIN_SAVED_BITS: u64 = 2;
const MIN_SAVED_BITS_HASHED: u64 = 1;
/// More different values than this are as good as never the same.
const MAX_DISTINCT: usize = 1 << 24;
/// The base-2 logarithm of the estimate's hash table.
const HASH_BITS: u32 = 12;

/// The key that makes the smallest frame of an input of `len` bytes, of which `sample` is a sample, and the bytes that
/// the sample comes to then. `None` if any key costs more than it saves. Text has no values, so no key.
pub(super) fn best_key(sample: &[u8], len: usize, is_text: bool) -> (Option<MatchKey>, usize) {
    let counts = Counts::of(sample);
    let literals = counts.literals(1, 0..0, 0, sample.len());
    let mut best = Best { bits: literals - literals / MIN_GAIN_RATIO, key: None };
    if !is_text {
        fixed_offset::<u64>(sample, &mut best);
        fixed_offset::<u128>(sample, &mut best);
        hash_table::<u64>(sample, len, &counts, &KEYS_OF_8, &mut best);
        hash_table::<u32>(sample, len, &counts, &KEYS_OF_4, &mut best);
        hash_table::<u128>(sample, len, &counts, &KEYS_OF_16, &mut best);
    }
    // An estimate beyond `usize` is as good as the largest.
    (best.key, usize::try_from(best.bits / BIT / 8).unwrap_or(usize::MAX))
}

/// The best key so far, and the bits that the sample would come to.
struct Best {
    bits: u64,
    key: Option<MatchKey>,
}

impl Best {
    fn or(&mut self, bits: u64, key: MatchKey) {
        if bits < self.bits {
            *self = Self { bits, key: Some(key) };
        }
    }
}

/// Considers keys that are compared at the fixed offset.
fn fixed_offset<V: Value>(sample: &[u8], best: &mut Best) {
    let nothing = V::mask(0..0);
    let masks: [V; MAX_WIDTH] = std::array::from_fn(|i| V::mask(i..i + 1));
    let mut same = [0usize; MAX_WIDTH];
    for differ in differences::<V>(sample) {
        for (same, mask) in same.iter_mut().zip(&masks).take(V::WIDTH) {
            *same += usize::from(differ & *mask == nothing);
        }
    }
    let all = sample.len() / V::WIDTH;
    let mut last = 0..0;
    for min_same in MIN_SAME_OF_16 {
        // `V::WIDTH` is at most `MAX_WIDTH`.
        let bytes = longest(same.get(..V::WIDTH).unwrap_or_default(), all * min_same / 16);
        if bytes.len() < MIN_MATCH_BYTES || bytes == last {
            continue;
        }
        last = bytes.clone();
        let key = MatchKey::spanning(V::WIDTH, bytes.start, bytes.end, MatchSource::FixedOffset);
        let (start, end) = (key.start, key.end);
        let sample = key.shifted(sample);
        // Counted one by one: the values that are not as before may be unlike the others.
        let mask = key.mask::<V>();
        let mut hits = 0;
        let mut literals = [0; 256];
        let values = sample.chunks_exact(V::WIDTH).skip(FIXED_OFFSET / V::WIDTH);
        for (differ, value) in differences::<V>(sample).zip(values) {
            let hit = differ & mask == nothing;
            hits += usize::from(hit);
            let (low, high) = if hit { (start, end) } else { (V::WIDTH, V::WIDTH) };
            let rest = value.iter().take(low).chain(value.iter().skip(high));
            rest.for_each(|byte| literals[usize::from(*byte)] += 1);
        }
        let bits = huffman(literals) + sequences(hits, all, 0);
        best.or(bits, key);
    }
}

/// In which bits values differ from those at the fixed offset.
fn differences<V: Value>(sample: &[u8]) -> impl Iterator<Item = V> {
    let values = V::split(sample);
    let pairs = values.iter().zip(values.iter().skip(FIXED_OFFSET / V::WIDTH));
    pairs.map(|(before, value)| V::load(*before) ^ V::load(*value))
}

/// The longest run of bytes of which each is the same often enough; it may go on in the next value.
fn longest(same: &[usize], enough: usize) -> Range<usize> {
    let mut longest = 0..0;
    for start in 0..same.len() {
        let stretch = same.iter().cycle().skip(start).take(same.len());
        let len = stretch.take_while(|same| **same >= enough).count();
        if len > longest.len() {
            longest = start..start + len;
        }
    }
    longest
}

/// Considers keys that are looked up among all earlier values of an input of `len` bytes.
fn hash_table<V: Value>(sample: &[u8], len: usize, counts: &Counts, keys: &[Range<usize>], best: &mut Best) {
    let values = V::split(sample);
    if best.bits > values.len() as u64 * MIN_HASHED_BITS * BIT {
        for bytes in keys {
            let bits = hashed_bits::<V>(values, len, counts, bytes.clone());
            best.or(bits, MatchKey::spanning(V::WIDTH, bytes.start, bytes.end, MatchSource::HashTable));
        }
    }
}

/// The bits that a sample comes to with a key that is looked up among all earlier values.
fn hashed_bits<V: Value>(values: &[V::Bytes], len: usize, counts: &Counts, bytes: Range<usize>) -> u64 {
    let mask = V::mask(bytes.clone());
    let mut table = [0u16; 1 << HASH_BITS];
    let mut found = 0;
    // A sample has 32 KiB at most, so no more values than a `u16` counts.
    for (i, value) in (0u16..).zip(values).skip(1) {
        let key = V::load(*value) & mask;
        let slot = &mut table[key.hash(HASH_BITS)];
        let candidate = usize::from(std::mem::replace(slot, i));
        found += usize::from(V::load(values[candidate]) & mask == key);
    }
    // The frame has more values than the sample, in which more of them have been there before.
    let different = different(found, values.len());
    let all = len / V::WIDTH;
    let hits = values.len() * repeated(different, all) / all.max(1);
    let offset = u64::from((different.max(1) * V::WIDTH).ilog2());
    let literals = counts.literals(V::WIDTH, bytes, hits, values.len());
    literals + sequences(hits, values.len(), offset + OFFSET_CODE_BITS + MIN_SAVED_BITS_HASHED)
}

/// How many different values there are, if `repeated_of_all` of `all` drawn values had been drawn before.
fn different(repeated_of_all: usize, all: usize) -> usize {
    let (mut few, mut many) = (1, MAX_DISTINCT);
    while few + few / 16 + 1 < many {
        let middle = few.midpoint(many);
        if repeated(middle, all) > repeated_of_all { few = middle } else { many = middle }
    }
    few
}

/// How many of `all` values, drawn from `different` ones, have been drawn before.
fn repeated(different: usize, all: usize) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    let once = (different as f64 * -(-(all as f64) / different as f64).exp_m1()) as usize;
    all.saturating_sub(once)
}

/// The bits of `hits` sequences among `all` values, each with an offset of `offset` bits.
fn sequences(hits: usize, all: usize, offset: u64) -> u64 {
    let which = entropy([hits, all.saturating_sub(hits)].into_iter());
    which + hits as u64 * (offset + MIN_SAVED_BITS) * BIT
}

/// How often each byte is at each place of a value of 16 bytes.
struct Counts([[usize; 256]; MAX_WIDTH]);

impl Counts {
    fn of(sample: &[u8]) -> Self {
        let mut counts = [[0; 256]; MAX_WIDTH];
        for value in u128::split(sample) {
            for (count, byte) in counts.iter_mut().zip(value) {
                count[usize::from(*byte)] += 1;
            }
        }
        Self(counts)
    }

    /// The bits of the literals of `all` values, if `hits` of them go without the bytes of the key.
    fn literals(&self, width: usize, bytes: Range<usize>, hits: usize, all: usize) -> u64 {
        let mut literals = [0usize; 256];
        for (place, counts) in self.0.iter().enumerate() {
            // Each byte counts `all` times: probabilities are then whole numbers.
            let times = if bytes.contains(&(place % width)) { all - hits } else { all };
            literals.iter_mut().zip(counts).for_each(|(literal, count)| *literal += count * times);
        }
        huffman(literals) / all.max(1) as u64
    }
}

/// The bits of Huffman coded literals that occur this often.
fn huffman(literals: [usize; 256]) -> u64 {
    let distinct = literals.iter().filter(|count| **count > 0).count();
    let total: usize = literals.iter().sum();
    // No Huffman code is shorter than a bit.
    if distinct > 1 { entropy(literals.into_iter()).max(total as u64 * BIT) } else { 0 }
}

/// The bits of symbols that occur this often: the total times the logarithm of the total, less the same of each.
fn entropy(counts: impl Iterator<Item = usize>) -> u64 {
    let mut total = 0;
    let mut parts = 0;
    for count in counts {
        total += count;
        parts += count as u64 * log2(count);
    }
    (total as u64 * log2(total)).saturating_sub(parts)
}

/// The base-2 logarithm, in fractions of [`BIT`], a straight line between the powers of two.
fn log2(n: usize) -> u64 {
    // A symbol that does not occur takes no bits.
    let Some(whole) = n.checked_ilog2() else { return 0 };
    let whole = u64::from(whole);
    (whole * BIT) + ((n as u64 * BIT) >> whole) - BIT
}
