//! LZ4 blocks of columns of numbers, made value by value.
//!
//! liblz4 looks for a match at every byte. Most large buffers of Arrow hold values of 8 or 16 bytes: integers,
//! timestamps, decimals, offsets of strings and lists. Those repeat in few ways, and looking for these alone takes a
//! half to a third of the time:
//!
//! ```text
//!   Way      a value is like ..              becomes
//!   Before   one shortly before it           4A 1F | 00 00 00 00 00 00    low bytes as literals, a match of the high ones
//!   Whole    one of the last 64 KiB          | 4A 1F 00 00 00 00 00 00    a match of the value, or of several
//!   Tail     as Whole, but for a byte        4A | 1F 00 00 00 00 00 00    a literal, a match of the rest
//! ```
//!
//! `Whole` and `Tail` do what `Before` does where they find nothing. [`Plan::of`] tries all on a sample, and takes
//! none if liblz4 makes that smaller by more than [`TOLERANCE`]: text, most `f64`, and values of 4 bytes or less are
//! left to it.
//!
//! A value's high bytes are most like those of the value right before it, which is what liblz4 takes for sequences and
//! offsets. But a decoder that copies what it has only just written waits for its own stores: such a block decompresses
//! at a quarter of the speed of others. `Before` therefore looks [`BACK`] bytes back, and what it writes is read three
//! times as fast, by whichever reader (`cargo bench -p floe-benches --bench stages`, "steps" and "offsets").
//!
//! What is written is an LZ4 block like any other
//! ([format](https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md)).

use std::mem::MaybeUninit;

use crate::stored::{LZ4_BLOCK, LZ4_END, LZ4_HEAD, LZ4_STORED};
use crate::{Error, Result, uninit};

/// Inputs below this are left to liblz4: the sample would be too large a part of them.
const MIN_INPUT: usize = if cfg!(fuzzing) { 64 } else { 256 << 10 };
/// The sample is two pieces, each this part of the input or this many bytes, whichever is less.
const SAMPLE_PART: usize = 32;
const SAMPLE_MOST: usize = 32 << 10;
/// Pieces below this do not show how often values come again.
const SAMPLE_WINDOW: usize = if cfg!(fuzzing) { 0 } else { SAMPLE_MOST };
/// By which part the sample may become larger than with liblz4.
const TOLERANCE: usize = 8;

/// The shortest match of the format, and how far back one may be.
const MIN_MATCH: usize = 4;
const MAX_OFFSET: usize = u16::MAX as usize;
/// How far back a value's high bytes are looked for: some values of either width.
const BACK: usize = 32;
/// Lengths from this on take bytes of their own.
const LONG: usize = 15;
/// No match begins in so many bytes at the end of a block.
const LAST: usize = 12;

/// The base-2 logarithm of how many values are remembered by their hashes.
const HASH_BITS: u32 = 13;
/// Where in the block the last value of each hash is.
type Seen = [u16; 1 << HASH_BITS];

/// What a value is looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Before,
    Whole,
    Tail,
}

/// What a column is made of, and what its values are looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Of a value, in bytes: 8 or 16.
    width: usize,
    way: Way,
}

impl Plan {
    /// The plan for `input`, of which `theirs` compresses a sample; `None` if that is better.
    pub(crate) fn of(
        input: &[u8],
        theirs: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<()>,
    ) -> Result<Option<Self>> {
        if input.len() < MIN_INPUT {
            return Ok(None);
        }
        let sample = sample(input);
        let Some(width) = width(&sample) else { return Ok(None) };
        let mut frame = Vec::new();
        theirs(&sample, &mut frame)?;
        let most = frame.len() + frame.len() / TOLERANCE;
        let mut len = |way| {
            frame.clear();
            Self { width, way }.append(&sample, &mut frame).map(|()| frame.len())
        };
        // The fastest comes first.
        if len(Way::Before)? <= most {
            return Ok(Some(Self { width, way: Way::Before }));
        }
        if sample.len() < 2 * SAMPLE_WINDOW {
            return Ok(None);
        }
        let (whole, tail) = (len(Way::Whole)?, len(Way::Tail)?);
        let way = if whole <= tail { Way::Whole } else { Way::Tail };
        Ok((whole.min(tail) <= most).then_some(Self { width, way }))
    }

    /// Appends the frame of `input` to `out`.
    pub(crate) fn append(self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let blocks = input.len().div_ceil(LZ4_BLOCK);
        let bound = LZ4_HEAD.len() + input.len() + blocks * size_of::<u32>() + LZ4_END.len();
        let mut seen = [0; 1 << HASH_BITS];
        // SAFETY: `Target::at` counts bytes that have been written, from the start on.
        unsafe {
            uninit::append(out, bound, |dst| {
                let mut target = Target { dst, at: 0 };
                target.put(&LZ4_HEAD)?;
                for block in input.chunks(LZ4_BLOCK) {
                    self.block(block, &mut target, &mut seen)?;
                }
                target.put(&LZ4_END)?;
                Ok(target.at)
            })
        }
    }

    /// Puts a block and its size, as it is if it does not shrink.
    fn block(self, src: &[u8], target: &mut Target<'_>, seen: &mut Seen) -> Result<()> {
        let start = target.at;
        target.put(&[0; size_of::<u32>()])?;
        // One byte less than the input has: else it is stored.
        let end = target.at + src.len().saturating_sub(1);
        let mut block = Block { src, anchor: 0, target: target.until(end) };
        let compressed = match (self.width, self.way) {
            (16, Way::Before) => block.fill::<u128, false, false>(seen),
            (16, Way::Whole) => block.fill::<u128, true, false>(seen),
            (16, Way::Tail) => block.fill::<u128, true, true>(seen),
            (_, Way::Before) => block.fill::<u64, false, false>(seen),
            (_, Way::Whole) => block.fill::<u64, true, false>(seen),
            (_, Way::Tail) => block.fill::<u64, true, true>(seen),
        };
        let body = start + size_of::<u32>();
        let flag = match compressed {
            Ok(()) => {
                target.at = block.target.at;
                0
            },
            Err(_) => {
                target.at = body;
                target.put(src)?;
                LZ4_STORED
            },
        };
        let size = u32::try_from(target.at - body).map_err(|_| Error::new("an LZ4 block is too large"))?;
        target.put_at(start, &(size | flag).to_le_bytes())?;
        Ok(())
    }
}

/// Two pieces of an input, one after the other.
fn sample(input: &[u8]) -> Vec<u8> {
    let len = (input.len() / SAMPLE_PART).min(SAMPLE_MOST).next_multiple_of(16);
    let piece = |third: usize| {
        let start = input.len() / 3 * third / 16 * 16;
        input.get(start..start + len).unwrap_or_default()
    };
    [piece(1), piece(2)].concat()
}

/// How wide the values of a column are, if they are like the ones before them at all.
fn width(sample: &[u8]) -> Option<usize> {
    fn alike<V: Value>(sample: &[u8]) -> bool {
        let values = V::split(sample);
        let alike = |pair: &&[V::Bytes]| match pair {
            [before, value] => {
                let (low, high) = V::load(*value).common(V::load(*before));
                low.max(high) >= MIN_MATCH
            },
            _ => false,
        };
        values.windows(2).filter(alike).count() >= values.len() / 4
    }
    if alike::<u64>(sample) {
        return Some(8);
    }
    alike::<u128>(sample).then_some(16)
}

/// A number of a column.
trait Value: Copy + Eq {
    /// As it lies in the column.
    type Bytes: Copy + Eq;
    const WIDTH: usize;

    fn split(bytes: &[u8]) -> &[Self::Bytes];
    fn load(bytes: Self::Bytes) -> Self;
    /// How many of the lowest, and of the highest, bytes two values have in common.
    fn common(self, other: Self) -> (usize, usize);
    fn hash(self) -> usize;
    /// Without the lowest byte.
    fn tail(self) -> Self;
}

macro_rules! value {
    ($type:ty, $width:literal, $fold:expr) => {
        impl Value for $type {
            type Bytes = [u8; $width];
            const WIDTH: usize = $width;

            fn split(bytes: &[u8]) -> &[Self::Bytes] {
                bytes.as_chunks().0
            }

            #[inline(always)]
            fn load(bytes: Self::Bytes) -> Self {
                Self::from_le_bytes(bytes)
            }

            #[inline(always)]
            fn common(self, other: Self) -> (usize, usize) {
                let differ = self ^ other;
                let bytes = |bits: u32| usize::try_from(bits / 8).unwrap_or(0);
                (bytes(differ.trailing_zeros()), bytes(differ.leading_zeros()))
            }

            #[inline(always)]
            fn hash(self) -> usize {
                let fold: fn(Self) -> u64 = $fold;
                let spread = fold(self).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - HASH_BITS);
                usize::try_from(spread).unwrap_or(0)
            }

            #[inline(always)]
            fn tail(self) -> Self {
                self >> 8
            }
        }
    };
}

value!(u64, 8, |value| value);
value!(u128, 16, |value| low_half(value) ^ low_half(value >> 64).rotate_left(32));

fn low_half(value: u128) -> u64 {
    u64::try_from(value & u128::from(u64::MAX)).unwrap_or(0)
}

/// Where a frame goes.
struct Target<'a> {
    dst: &'a mut [MaybeUninit<u8>],
    /// Bytes that have been written.
    at: usize,
}

/// There is no room.
struct Full;

type Put = std::result::Result<(), Full>;

impl From<Full> for Error {
    fn from(_: Full) -> Self {
        Self::new("an LZ4 frame became larger than it can")
    }
}

impl Target<'_> {
    /// The same, with room up to `end` only.
    fn until(&mut self, end: usize) -> Target<'_> {
        let end = end.min(self.dst.len());
        Target { at: self.at, dst: &mut self.dst[..end] }
    }

    fn put(&mut self, bytes: &[u8]) -> Put {
        self.put_at(self.at, bytes)?;
        self.at += bytes.len();
        Ok(())
    }

    fn put_at(&mut self, at: usize, bytes: &[u8]) -> Put {
        let place = self.dst.get_mut(at..at + bytes.len()).ok_or(Full)?;
        place.copy_from_slice(uninit::unwritten(bytes));
        Ok(())
    }

    /// What a length has beyond the [`LONG`] that its half of the token holds.
    fn put_rest(&mut self, len: usize) -> Put {
        let Some(mut rest) = len.checked_sub(LONG) else { return Ok(()) };
        while rest >= 255 {
            self.put(&[255])?;
            rest -= 255;
        }
        self.put(&[u8::try_from(rest).unwrap_or(u8::MAX)])
    }
}

/// The upper and the lower half of a token.
fn token(literals: usize, more: usize) -> u8 {
    u8::try_from(literals.min(LONG) << 4 | more.min(LONG)).unwrap_or(u8::MAX)
}

/// A block in the making.
struct Block<'a> {
    src: &'a [u8],
    /// From here on nothing of `src` has been written.
    anchor: usize,
    target: Target<'a>,
}

impl Block<'_> {
    /// Makes the block: of matches with the value before, if it `LOOK`s further of whole values or (`TAIL`) of their
    /// tails, too.
    fn fill<V: Value, const LOOK: bool, const TAIL: bool>(&mut self, seen: &mut Seen) -> Put {
        if LOOK {
            // Blocks are independent.
            seen.fill(0);
        }
        let part = |value: V| if TAIL { value.tail() } else { value };
        let values = V::split(self.src);
        let values = values.get(..self.src.len().saturating_sub(LAST) / V::WIDTH).unwrap_or_default();
        let mut i = 1;
        while let Some(bytes) = values.get(i) {
            let (value, start) = (V::load(*bytes), i * V::WIDTH);
            if value == V::load(values[i - 1]) {
                let count = alike(values, i, i - 1);
                self.repeat(start, V::WIDTH, count * V::WIDTH)?;
                i += count;
                continue;
            }
            if LOOK {
                let slot = &mut seen[part(value).hash()];
                let known = usize::from(std::mem::replace(slot, u16::try_from(i).unwrap_or(0)));
                let offset = (i - known) * V::WIDTH;
                if offset <= MAX_OFFSET && part(V::load(values[known])) == part(value) {
                    if TAIL {
                        self.repeat(start + 1, offset, V::WIDTH - 1)?;
                        i += 1;
                    } else if values.get(i + 1) != values.get(known + 1) {
                        self.repeat(start, offset, V::WIDTH)?;
                        i += 1;
                    } else {
                        let count = alike(values, i, known);
                        self.repeat(start, offset, count * V::WIDTH)?;
                        i += count;
                    }
                    continue;
                }
            }
            if let Some(before) = i.checked_sub(BACK / V::WIDTH) {
                let (low, high) = value.common(V::load(values[before]));
                if high >= MIN_MATCH {
                    self.repeat(start + V::WIDTH - high, BACK, high)?;
                } else if low >= MIN_MATCH {
                    self.repeat(start, BACK, low)?;
                }
            }
            i += 1;
        }
        self.end()
    }

    /// Puts what is before `start`, and a match of `len` bytes with those `offset` before it.
    #[inline(always)]
    fn repeat(&mut self, start: usize, offset: usize, len: usize) -> Put {
        let (literals, more) = (start - self.anchor, len - MIN_MATCH);
        let offset = u16::try_from(offset).unwrap_or(0).to_le_bytes();
        if literals.max(more) < LONG
            && let Some(short) = self.src.get(self.anchor..self.anchor + 16)
            && let Some(room) = self.target.dst.get_mut(self.target.at..self.target.at + 19)
        {
            // All that may be needed at once; what is too much is written over.
            room[0] = MaybeUninit::new(token(literals, more));
            room[1..17].copy_from_slice(uninit::unwritten(short));
            room[1 + literals..3 + literals].copy_from_slice(uninit::unwritten(&offset));
            self.target.at += 3 + literals;
        } else {
            self.target.put(&[token(literals, more)])?;
            self.target.put_rest(literals)?;
            self.target.put(self.src.get(self.anchor..start).ok_or(Full)?)?;
            self.target.put(&offset)?;
            self.target.put_rest(more)?;
        }
        self.anchor = start + len;
        Ok(())
    }

    /// Puts what is left.
    fn end(&mut self) -> Put {
        let literals = self.src.get(self.anchor..).ok_or(Full)?;
        self.target.put(&[token(literals.len(), 0)])?;
        self.target.put_rest(literals.len())?;
        self.target.put(literals)
    }
}

/// How many values from `i` on are those from `known` on, at least one.
fn alike<B: Eq>(values: &[B], i: usize, known: usize) -> usize {
    let pairs = values.iter().skip(i).zip(values.iter().skip(known));
    pairs.take_while(|(value, known)| value == known).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;
    use crate::lz4::tests::reference;
    use crate::tests::{letters, noise, patterns, unpack};

    const WAYS: [Way; 3] = [Way::Before, Way::Whole, Way::Tail];

    fn plans() -> impl Iterator<Item = Plan> {
        [8, 16].into_iter().flat_map(|width| WAYS.map(|way| Plan { width, way }))
    }

    fn random(len: usize) -> impl Iterator<Item = u64> {
        let bytes = noise(len + 8);
        (0..len / 8).map(move |i| u64::from_le_bytes(*bytes[i * 8..].first_chunk().unwrap()))
    }

    fn of(values: impl Iterator<Item = u64>) -> Vec<u8> {
        values.flat_map(u64::to_le_bytes).collect()
    }

    /// Name, bytes, and how they should be compressed.
    type Column = (&'static str, Vec<u8>, Option<(usize, Way)>);

    /// Columns of `len` bytes.
    fn columns(len: usize) -> Vec<Column> {
        let below = |n: u64| of(random(len).map(|value| value % n));
        let decimals = random(len / 2).flat_map(|value| u128::from(value % (1 << 40)).to_le_bytes());
        let mut offset = 0;
        let offsets = random(len).map(|value| {
            offset += value % 20;
            offset
        });
        let start = 1_600_000_000_000_000;
        let times = (0..).zip(random(len)).map(|(i, value)| start + i * 1_000_000 + value % 1_000_000);
        #[expect(clippy::cast_precision_loss, reason = "made-up numbers")]
        let float = |value: u64| (value as f64 / u64::MAX as f64).to_bits();
        vec![
            ("steps", of(0..len as u64 / 8), Some((8, Way::Before))),
            ("offsets", of(offsets), Some((8, Way::Before))),
            ("timestamps", of(times), Some((8, Way::Before))),
            ("runs", of((0..len as u64 / 8).map(|i| i / 100)), Some((8, Way::Before))),
            ("below 1,000", below(1_000), Some((8, Way::Whole))),
            ("below a million", below(1_000_000), Some((8, Way::Tail))),
            ("decimals", decimals.collect(), Some((16, Way::Before))),
            ("floats", of(random(len).map(float)), None),
            ("letters", letters(len), None),
            ("noise", noise(len), None),
        ]
    }

    fn liblz4(input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        crate::lz4::append_theirs(input, out)
    }

    /// Checks what decoders may rely on, beyond that a block decodes to what it was made of.
    fn check_block(block: &[u8], len: usize) {
        fn more(block: &mut &[u8], mut length: usize) -> usize {
            if length == LONG {
                while let Some((byte, rest)) = block.split_first() {
                    *block = rest;
                    length += usize::from(*byte);
                    if *byte < 255 {
                        break;
                    }
                }
            }
            length
        }
        let (mut rest, mut at) = (block, 0);
        loop {
            let (token, behind) = rest.split_first().unwrap();
            rest = behind;
            let literals = more(&mut rest, usize::from(token >> 4));
            rest = &rest[literals..];
            at += literals;
            let Some((offset, behind)) = rest.split_first_chunk() else {
                assert_eq!((at, rest.len()), (len, 0));
                assert!(literals >= 5, "the last 5 bytes are literals");
                break;
            };
            rest = behind;
            let offset = usize::from(u16::from_le_bytes(*offset));
            assert!((1..=at).contains(&offset));
            assert!(at + LAST <= len, "the last match begins 12 bytes before the end");
            at += more(&mut rest, usize::from(token & 15)) + MIN_MATCH;
        }
    }

    fn check(plan: Plan, input: &[u8]) {
        let mut frame = vec![7];
        plan.append(input, &mut frame).unwrap();
        let frame = &frame[1..];
        assert_eq!(unpack(Codec::Lz4, frame, input.len()).as_deref(), Ok(input), "{plan:?}");
        assert_eq!(reference(frame, input.len()).as_deref(), Some(input), "{plan:?}");
        let mut rest = &frame[LZ4_HEAD.len()..];
        for block in input.chunks(LZ4_BLOCK) {
            let size = u32::from_le_bytes(*rest.first_chunk().unwrap());
            let stored = usize::try_from(size & !LZ4_STORED).unwrap();
            assert!(stored < block.len() || size == LZ4_STORED | u32::try_from(block.len()).unwrap());
            if size & LZ4_STORED == 0 {
                check_block(&rest[4..4 + stored], block.len());
            }
            rest = &rest[4 + stored..];
        }
        assert_eq!(rest, LZ4_END);
    }

    #[test]
    fn every_way_keeps_every_column() {
        for len in (0..100).chain([LZ4_BLOCK - 1, LZ4_BLOCK, LZ4_BLOCK + 1, 3 * LZ4_BLOCK + 77]) {
            for (_, mut input, _) in columns(len.next_multiple_of(16)) {
                input.truncate(len);
                plans().for_each(|plan| check(plan, &input));
            }
            for input in patterns(len) {
                plans().for_each(|plan| check(plan, &input));
            }
        }
    }

    /// Pieces of all kinds and lengths one after another, so that matches and literals of any length meet.
    #[test]
    fn every_way_keeps_any_mixture() {
        let kinds = columns(1 << 12);
        let mut state = random(8 << 12);
        let mut below = |n: usize| usize::try_from(state.next().unwrap()).unwrap() % n;
        for _ in 0..200 {
            let mut input = Vec::new();
            for _ in 0..below(12) {
                let (_, column, _) = &kinds[below(kinds.len())];
                let start = below(column.len());
                input.extend_from_slice(&column[start..][..below(column.len() - start)]);
            }
            plans().for_each(|plan| check(plan, &input));
        }
    }

    #[test]
    fn columns_are_planned_by_what_they_hold() {
        for len in [MIN_INPUT, 300_000, 1 << 20, 2 << 20] {
            for (name, input, expected) in columns(len.next_multiple_of(16)) {
                let plan = Plan::of(&input, liblz4).unwrap();
                // Of a small input there is too little to tell how often values come again.
                let expected = expected.filter(|(_, way)| len >= 1 << 20 || *way == Way::Before);
                assert_eq!(plan.map(|plan| (plan.width, plan.way)), expected, "{name}, {len}");
                let small = Plan::of(&input[..MIN_INPUT - 1], liblz4);
                assert_eq!(small, Ok(None), "{name}: too small for a sample");
            }
        }
    }

    #[test]
    fn frames_are_about_as_small_as_those_of_liblz4() {
        for (name, input, expected) in columns(2 << 20) {
            let Some((width, way)) = expected else { continue };
            let (mut own, mut theirs) = (Vec::new(), Vec::new());
            Plan { width, way }.append(&input, &mut own).unwrap();
            liblz4(&input, &mut theirs).unwrap();
            assert!(
                own.len() <= theirs.len() + theirs.len() / TOLERANCE,
                "{name}: {} {}",
                own.len(),
                theirs.len()
            );
        }
    }
}
