//! LZ4 blocks of columns of numbers, made value by value.
//!
//! liblz4 looks for a match at every byte. Most large buffers of Arrow hold values of 4, 8 or 16 bytes: integers,
//! floats, timestamps, decimals, offsets, views of strings. Those repeat in few ways, and looking for these alone takes
//! a third to two thirds of the time (`cargo bench -p floe-benches --bench stages` has both):
//!
//! ```text
//!   Way          a value is like ..            becomes
//!   Before       one shortly before it         4A 1F | 00 00 00 00 00 00    low bytes as literals, a match of the high ones
//!   Part(0..8)   one of the last 64 KiB        | 4A 1F 00 00 00 00 00 00    a match of the value, or of several
//!   Part(2..8)   as that, but for its low      4A 1F | 07 00 00 00 00 00    what differs as literals, a match of the rest
//!   Part(0..7)   or for its high bytes,        | 40 7B 14 AE 47 E1 7A | 84  of prices: the exponent of the one before
//!     shifted    with those before it                                       precedes the low bytes of a fraction
//! ```
//!
//! Values of 16 bytes may as well be two of 8, and those two of 4: two small integers, or dates, are one match.
//!
//! `Part` does what `Before` does where it finds nothing. [`Plan::of`] looks at a sample: `Before` comes first, since it
//! is the fastest; then, by how many values of the sample's second half are known from before, the part that
//! makes it smallest, of those that are found nearly always if there is one: a processor foresees what always happens,
//! and is about twice as fast then. No way is taken that liblz4 makes smaller by more than [`TOLERANCE`]: text is left
//! to it. A small buffer has no room for a sample, but a few values show whether they [rise](`rise`), of which `Before`
//! finds all there is.
//!
//! A value's high bytes are most like those of the value right before it, which is what liblz4 takes for sequences and
//! offsets. But a decoder that copies what it has only just written waits for its own stores: such a block decompresses
//! at a quarter of the speed of others. `Before` therefore looks [`block::BACK`] bytes back, and what it writes is read three
//! times as fast by liblz4, in whichever reader (`cargo bench -p floe-benches --bench stages`, "steps" and "offsets").
//!
//! What is written is an LZ4 block like any other
//! ([format](https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md)).

mod block;
#[cfg(test)]
mod tests;

use self::block::{Block, MIN_MATCH, NOTHING_SEEN, Part, Seen, Target};
use crate::probe::{ASKED, sample, shrinks};
use crate::stored::{LZ4_BLOCK, LZ4_END, LZ4_HEAD, LZ4_STORED};
use crate::value::Value;
use crate::{Error, Result, uninit};

/// Inputs below this are left to liblz4, unless their values rise: the sample would be too large a part of them.
const MIN_INPUT: usize = ASKED;
/// Inputs below this are left to liblz4.
const MIN_RISING: usize = if cfg!(fuzzing) { 64 } else { 4 << 10 };
/// Pieces of the sample that shows whether values rise.
const PIECE_RISING: usize = 256;
/// Of so many values one may rise by too much: where one piece of a sample meets the next, and now and then.
const LEAPS: usize = 16;
/// By how much values may rise steadily: low bytes that come again and again are found by liblz4, if the step is large.
const STEADY_MOST: u64 = 16;
/// Each piece of the sample is this part of the input, but not more bytes than needed, and not so few that they do not
/// show how often values come again.
const PIECE_PART: usize = 128;
const PIECE_MOST: usize = 8 << 10;
const PIECE_LEAST: usize = if cfg!(fuzzing) { 16 } else { 4 << 10 };
/// By which part the sample may become larger than with liblz4.
const TOLERANCE: usize = 8;

/// What a sequence takes beside its literals: a token and an offset.
const SEQUENCE: usize = 3;
/// Of values of which at least one in so many has no known part a processor cannot foresee which.
const SURPRISES: usize = 16;
/// By which part a sample has to shrink at least to be worth the time.
const LEAST_GAIN: usize = 16;
/// Of what becomes so many times smaller liblz4 skips more than is looked at here.
const LONG_MATCHES: usize = 8;

const fn part(shift: usize, from: usize, to: usize) -> Part {
    Part { shift, from, to }
}

/// The parts that are tried, of values of a width: in each row the first is a part of all others, and known whenever one
/// of them is.
const PARTS: [(usize, &[Part]); 4] = [
    (8, &[part(0, 3, 8), part(0, 2, 8), part(0, 1, 8), part(0, 0, 8)]),
    (8, &[part(7, 0, 5), part(7, 0, 6), part(7, 0, 7)]),
    (8, &[part(0, 0, 6)]),
    (16, &[part(0, 4, 16), part(0, 2, 16), part(0, 1, 16), part(0, 0, 16)]),
];

/// How a value is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// What it has in common with one shortly before it.
    Before,
    /// A part of it, among those of the values of the last 64 KiB.
    Part(Part),
}

/// What a column is made of, and how its values are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Of a value, in bytes: 8 or 16.
    width: usize,
    way: Way,
}

impl Plan {
    /// The plan for `input`, of which `theirs` compresses a sample; `None` if that is better. And whether the sample
    /// shrinks.
    pub(crate) fn of(
        input: &[u8],
        theirs: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<()>,
    ) -> Result<(Option<Self>, bool)> {
        if input.len() < MIN_INPUT {
            let rises = input.len() >= MIN_RISING && rise(&sample(input, PIECE_RISING));
            return Ok((rises.then_some(Self { width: 8, way: Way::Before }), true));
        }
        let piece = (input.len() / PIECE_PART).next_multiple_of(16).clamp(PIECE_LEAST, PIECE_MOST);
        let sample = sample(input, piece);
        let mut frame = Vec::new();
        theirs(&sample, &mut frame)?;
        let most = frame.len() + frame.len() / TOLERANCE;
        // The fastest comes first.
        let widths = [(8, alike::<u64>(&sample)), (16, alike::<u128>(&sample))].into_iter();
        let widths = widths.filter_map(|(width, alike)| alike.then_some(width));
        let before = Self::smallest(&sample, widths.map(|width| Self { width, way: Way::Before }))?;
        if let Some((_, plan)) = before.filter(|(len, _)| *len <= most) {
            return Ok((Some(plan), true));
        }
        if frame.len() < sample.len() / LONG_MATCHES {
            return Ok((None, true));
        }
        let most = most.min(sample.len() - sample.len() / LEAST_GAIN);
        let guesses = Guess::all(&sample, most).into_iter();
        let plan = guesses.min_by_key(|guess| (guess.surprises, guess.len)).map(|guess| guess.plan);
        Ok((plan, plan.is_some() || shrinks(frame.len(), sample.len())))
    }

    /// The plan that makes a sample smallest, and how small.
    fn smallest(sample: &[u8], plans: impl Iterator<Item = Self>) -> Result<Option<(usize, Self)>> {
        let mut smallest: Option<(usize, Self)> = None;
        for plan in plans {
            let mut frame = Vec::new();
            plan.append(sample, &mut frame)?;
            if smallest.is_none_or(|(len, _)| frame.len() < len) {
                smallest = Some((frame.len(), plan));
            }
        }
        Ok(smallest)
    }

    /// Appends the frame of `input` to `out`.
    pub(crate) fn append(self, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
        let blocks = input.len().div_ceil(LZ4_BLOCK);
        let bound = LZ4_HEAD.len() + input.len() + blocks * size_of::<u32>() + LZ4_END.len();
        let mut seen = NOTHING_SEEN;
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
            (16, Way::Before) => block.fill::<u128, false, true>(seen, Part::NONE),
            (16, Way::Part(part)) if part.is_whole(16) => block.fill::<u128, true, true>(seen, part),
            (16, Way::Part(part)) => block.fill::<u128, true, false>(seen, part),
            (_, Way::Before) => block.fill::<u64, false, true>(seen, Part::NONE),
            (_, Way::Part(part)) if part.is_whole(8) => block.fill::<u64, true, true>(seen, part),
            (_, Way::Part(part)) => block.fill::<u64, true, false>(seen, part),
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

/// What looking for a part of values would make of a sample.
struct Guess {
    plan: Plan,
    len: usize,
    /// What it would be if as many values had all their bytes in the match.
    least: usize,
    /// A processor that knows what comes is twice as fast.
    surprises: bool,
}

impl Guess {
    fn of(sample: &[u8], width: usize, part: Part, seen: &mut Seen) -> Self {
        let (hits, values) = match width {
            16 => part.hits::<u128>(sample, seen),
            _ => part.hits::<u64>(sample, seen),
        };
        let len = |matched: usize| (values * width - hits * matched.saturating_sub(SEQUENCE)) * 2;
        let surprises = hits < values - values / SURPRISES;
        let plan = Plan { width, way: Way::Part(part) };
        Self { plan, len: len(part.to - part.from), least: len(width), surprises }
    }

    /// Those of the parts that make the sample no larger than `most`.
    fn all(sample: &[u8], most: usize) -> Vec<Self> {
        let mut seen = NOTHING_SEEN;
        let mut out = Vec::new();
        for (width, row) in PARTS {
            for part in row {
                let guess = Self::of(sample, width, *part, &mut seen);
                if guess.least > most {
                    break;
                }
                if guess.len <= most {
                    out.push(guess);
                }
            }
        }
        out
    }
}

/// Whether the values of a sample rise, as offsets, times and row numbers do: by little, and in their lowest bytes. All are
/// different then but for runs of equal ones, so that there is nothing to be found but the high bytes of those before.
/// From one piece of the sample to the next they rise as well: what begins anew each day comes again.
fn rise(sample: &[u8]) -> bool {
    let values = u64::split(sample);
    let (mut falls, mut leaps) = (0, 0);
    for three in values.windows(3) {
        let [first, before, value] = [0, 1, 2].map(|i| u64::load(three[i]));
        let (low, high) = value.common(before);
        let step = value.wrapping_sub(before);
        let is_steady = step > STEADY_MOST && step == before.wrapping_sub(first);
        falls += usize::from(value < before);
        leaps += usize::from(value > before && (high < MIN_MATCH || low > 0 || is_steady));
    }
    falls <= 1 && leaps <= values.len() / LEAPS
}

/// Whether at least a quarter of the values are like the ones before them.
fn alike<V: Value>(sample: &[u8]) -> bool {
    let values = V::split(sample);
    let pairs = values.iter().zip(values.iter().skip(1));
    let alike = pairs.filter(|(before, value)| {
        let (low, high) = V::load(**value).common(V::load(**before));
        low.max(high) >= MIN_MATCH
    });
    alike.count() >= values.len() / 4
}
