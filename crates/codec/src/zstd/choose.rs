//! Which part of the values of a column is worth looking for, estimated from a sample.
//!
//! What a part would come to is what the bytes that remain take when they are Huffman coded, and what the sequences
//! take. Both are sums of logarithms of counts; bits are counted in fractions of [`ONE`].

use std::ops::Range;

use super::part::{BACK, MIN_MATCH, Part, Whence};
use crate::value::Value;

/// A bit.
const ONE: u64 = 256;
/// The widest value.
const WIDEST: usize = 16;
/// A byte that is the same in so many of 16 values is part of what is looked for [`Whence::Before`]: one of them.
const OFTEN: [usize; 3] = [15, 12, 8];
/// What is looked for in all of what there was: whole values, what decimals have in common, and what they have without
/// rounding errors.
const SEEN_OF_8: [Range<usize>; 10] = [0..8, 1..8, 2..8, 0..5, 0..6, 0..7, 1..5, 1..6, 1..7, 2..6];
const SEEN_OF_4: [Range<usize>; 3] = [0..4, 0..3, 1..4];
const SEEN_OF_16: [Range<usize>; 2] = [0..16, 0..12];
/// Bits of a value that are fewer than what an offset takes: then there is nothing to look for.
const WORTH_A_LOOK: u64 = 20;
/// Bits that the code of an offset takes beside its own.
const OFFSET_CODE: u64 = 2;
/// A part that saves less than one part in so many is not worth the time.
const GAIN: u64 = 32;
/// Bits that a sequence must save at the least, since it takes time, and beyond that if it has to be looked for.
const SEQUENCE: u64 = 2;
const LOOK: u64 = 1;
/// More different values are as good as never the same.
const MANY: usize = 1 << 24;
/// The base-2 logarithm of how many parts are remembered while looking.
const SLOTS: u32 = 12;

/// The part that makes the smallest frame of so many bytes of which `sample` is one, `None` if looking for something
/// saves less than it costs; and what the sample comes to then, in bytes. (Text has no values to have a part of.)
pub(super) fn part(sample: &[u8], len: usize, is_text: bool) -> (Option<Part>, usize) {
    let counts = Counts::of(sample);
    let literals = counts.literals(1, 0..0, 0, sample.len());
    let mut best = Best { bits: literals - literals / GAIN, part: None };
    if !is_text {
        before::<u64>(sample, &mut best);
        before::<u128>(sample, &mut best);
    }
    if !is_text {
        seen::<u64>(sample, len, &counts, &SEEN_OF_8, &mut best);
        seen::<u32>(sample, len, &counts, &SEEN_OF_4, &mut best);
        seen::<u128>(sample, len, &counts, &SEEN_OF_16, &mut best);
    }
    (best.part, usize::try_from(best.bits / ONE / 8).unwrap_or(usize::MAX))
}

/// The best part so far, and what it would come to.
struct Best {
    bits: u64,
    part: Option<Part>,
}

impl Best {
    fn or(&mut self, bits: u64, part: Part) {
        if bits < self.bits {
            *self = Self { bits, part: Some(part) };
        }
    }
}

/// Considers the parts that are as in the value before.
fn before<V: Value>(sample: &[u8], best: &mut Best) {
    let nothing = V::mask(0..0);
    let masks: [V; WIDEST] = std::array::from_fn(|i| V::mask(i..i + 1));
    let mut same = [0usize; WIDEST];
    for differ in differences::<V>(sample) {
        for (same, mask) in same.iter_mut().zip(&masks).take(V::WIDTH) {
            *same += usize::from(differ & *mask == nothing);
        }
    }
    let all = sample.len() / V::WIDTH;
    let mut last = 0..0;
    for often in OFTEN {
        let bytes = longest(same.get(..V::WIDTH).unwrap_or_default(), all * often / 16);
        if bytes.len() < MIN_MATCH || bytes == last {
            continue;
        }
        last = bytes.clone();
        let skip = bytes.end.saturating_sub(V::WIDTH);
        let (start, end) = (bytes.start - skip, bytes.end - skip);
        let sample = sample.get(skip..).unwrap_or_default();
        // Counted one by one: the values that are not as before may be unlike the others.
        let mask = V::mask(start..end);
        let mut hits = 0;
        let mut literals = [0; 256];
        let values = sample.chunks_exact(V::WIDTH).skip(BACK / V::WIDTH);
        for (differ, value) in differences::<V>(sample).zip(values) {
            let hit = differ & mask == nothing;
            hits += usize::from(hit);
            let (low, high) = if hit { (start, end) } else { (V::WIDTH, V::WIDTH) };
            let rest = value.iter().take(low).chain(value.iter().skip(high));
            rest.for_each(|byte| literals[usize::from(*byte)] += 1);
        }
        let bits = huffman(literals) + sequences(hits, all, 0);
        best.or(bits, Part { width: V::WIDTH, bytes, whence: Whence::Before });
    }
}

/// In which bits values differ from those before.
fn differences<V: Value>(sample: &[u8]) -> impl Iterator<Item = V> {
    let values = V::split(sample);
    let pairs = values.iter().zip(values.iter().skip(BACK / V::WIDTH));
    pairs.map(|(before, value)| V::load(*before) ^ V::load(*value))
}

/// The longest stretch of bytes of which each is the same often enough; it may go on in the value behind.
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

/// Considers parts that are looked for in all values of a frame of so many bytes.
fn seen<V: Value>(sample: &[u8], len: usize, counts: &Counts, parts: &[Range<usize>], best: &mut Best) {
    let values = V::split(sample);
    if best.bits > values.len() as u64 * WORTH_A_LOOK * ONE {
        for bytes in parts {
            let bits = bits_if_seen::<V>(values, len, counts, bytes.clone());
            best.or(bits, Part { width: V::WIDTH, bytes: bytes.clone(), whence: Whence::Seen });
        }
    }
}

/// What a part comes to that is looked for in all of what there was.
fn bits_if_seen<V: Value>(values: &[V::Bytes], len: usize, counts: &Counts, bytes: Range<usize>) -> u64 {
    let mask = V::mask(bytes.clone());
    let mut slots = [0u16; 1 << SLOTS];
    let mut found = 0;
    for (i, value) in values.iter().enumerate().skip(1) {
        let part = V::load(*value) & mask;
        let slot = &mut slots[part.hash(SLOTS)];
        let known = usize::from(std::mem::replace(slot, u16::try_from(i).unwrap_or(0)));
        found += usize::from(V::load(values[known]) & mask == part);
    }
    // The frame has more values than the sample, in which more of them have been there before.
    let different = different(found, values.len());
    let all = len / V::WIDTH;
    let hits = values.len() * repeated(different, all) / all.max(1);
    let offset = u64::from((different.max(1) * V::WIDTH).ilog2());
    let literals = counts.literals(V::WIDTH, bytes, hits, values.len());
    literals + sequences(hits, values.len(), offset + OFFSET_CODE + LOOK)
}

/// How many different values there are, if of `all` that were drawn so many had been there before.
fn different(repeated_of_all: usize, all: usize) -> usize {
    let (mut few, mut many) = (1, MANY);
    while few + few / 16 + 1 < many {
        let middle = few.midpoint(many);
        if repeated(middle, all) > repeated_of_all { few = middle } else { many = middle }
    }
    few
}

/// How many of `all` values, drawn from so many different ones, have been there before.
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

/// What the sequences of so many of `all` values take, each with an offset of so many bits.
fn sequences(hits: usize, all: usize, offset: u64) -> u64 {
    let which = entropy([hits, all.saturating_sub(hits)].into_iter());
    which + hits as u64 * (offset + SEQUENCE) * ONE
}

/// How often each byte is at each place of a value.
struct Counts([[usize; 256]; WIDEST]);

impl Counts {
    fn of(sample: &[u8]) -> Self {
        let mut counts = [[0; 256]; WIDEST];
        for value in u128::split(sample) {
            for (count, byte) in counts.iter_mut().zip(value) {
                count[usize::from(*byte)] += 1;
            }
        }
        Self(counts)
    }

    /// What the literals of `all` values take, if `hits` of them go without those bytes.
    fn literals(&self, width: usize, bytes: Range<usize>, hits: usize, all: usize) -> u64 {
        let mut literals = [0usize; 256];
        for (place, counts) in self.0.iter().enumerate() {
            // Of each byte `all` times as many as there are.
            let times = if bytes.contains(&(place % width)) { all - hits } else { all };
            literals.iter_mut().zip(counts).for_each(|(literal, count)| *literal += count * times);
        }
        huffman(literals) / all.max(1) as u64
    }
}

/// What literals take that occur so often.
fn huffman(literals: [usize; 256]) -> u64 {
    let distinct = literals.iter().filter(|count| **count > 0).count();
    let total: usize = literals.iter().sum();
    // No Huffman code is shorter than a bit.
    if distinct > 1 { entropy(literals.into_iter()).max(total as u64 * ONE) } else { 0 }
}

/// What symbols take that occur so often: the total times the logarithm of the total, less the same of each.
fn entropy(counts: impl Iterator<Item = usize>) -> u64 {
    let mut total = 0;
    let mut parts = 0;
    for count in counts {
        total += count;
        parts += count as u64 * log2(count);
    }
    (total as u64 * log2(total)).saturating_sub(parts)
}

/// The base-2 logarithm, in fractions of [`ONE`], a straight line between the powers of two.
fn log2(n: usize) -> u64 {
    let Some(whole) = n.checked_ilog2() else { return 0 };
    let whole = u64::from(whole);
    (whole * ONE) + ((n as u64 * ONE) >> whole) - ONE
}
