//! LZ4 blocks of columns of numbers, made value by value.
//!
//! liblz4 looks for a match at every byte. Most large buffers of Arrow hold values of 8 or 16 bytes: integers,
//! timestamps, decimals, offsets of strings and lists. Those repeat in few ways, and looking for these alone takes
//! about half the time, for offsets less:
//!
//! ```text
//!   Way      a value is like ..              becomes
//!   Before   one shortly before it           4A 1F | 00 00 00 00 00 00    low bytes as literals, a match of the high ones
//!   Whole    one of the last 64 KiB          | 4A 1F 00 00 00 00 00 00    a match of the value, or of several
//!   Tail(1)  as Whole, but for a byte        4A | 1F 00 00 00 00 00 00    a literal, a match of the rest
//!   Tail(2)  or for two of them              4A 1F | 07 00 00 00 00 00
//! ```
//!
//! `Whole` and `Tail` do what `Before` does where they find nothing. [`Plan::of`] tries all on a sample, and takes
//! none if liblz4 makes that smaller by more than [`TOLERANCE`]: text, most `f64`, and values of 4 bytes or less are
//! left to it.
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

use self::block::{Block, MIN_MATCH, NOTHING_SEEN, Seen, Target};
use crate::probe::sample;
use crate::stored::{LZ4_BLOCK, LZ4_END, LZ4_HEAD, LZ4_STORED};
use crate::value::Value;
use crate::{Error, Result, uninit};

/// Inputs below this are left to liblz4: the sample would be too large a part of them.
const MIN_INPUT: usize = if cfg!(fuzzing) { 64 } else { 256 << 10 };
/// Each piece of the sample is this part of the input or this many bytes, whichever is less.
const PIECE_PART: usize = 128;
const PIECE_MOST: usize = 8 << 10;
/// Smaller pieces do not show how often values come again.
const PIECE_OF_WINDOW: usize = if cfg!(fuzzing) { 0 } else { PIECE_MOST };
/// By which part the sample may become larger than with liblz4.
const TOLERANCE: usize = 8;

/// What a value is looked for in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Before,
    Whole,
    /// Without so many of its low bytes: 1 or 2.
    Tail(u8),
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
        let piece = (input.len() / PIECE_PART).next_multiple_of(16).min(PIECE_MOST);
        let sample = sample(input, piece);
        let widths = [(8, alike::<u64>(&sample)), (16, alike::<u128>(&sample))].into_iter();
        let widths = widths.filter_map(|(width, alike)| alike.then_some(width));
        // The fastest comes first.
        let before = widths.map(|width| Self { width, way: Way::Before });
        let Some((len, plan)) = Self::smallest(&sample, before)? else { return Ok(None) };
        let mut frame = Vec::new();
        theirs(&sample, &mut frame)?;
        let most = frame.len() + frame.len() / TOLERANCE;
        if len <= most {
            return Ok(Some(plan));
        }
        if piece < PIECE_OF_WINDOW {
            return Ok(None);
        }
        let ways = [Way::Whole, Way::Tail(1), Way::Tail(2)].into_iter();
        let found = Self::smallest(&sample, ways.map(|way| Self { way, ..plan }))?;
        Ok(found.filter(|(len, _)| *len <= most).map(|(_, plan)| plan))
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
            (16, Way::Before) => block.fill::<u128, false, 0>(seen),
            (16, Way::Whole) => block.fill::<u128, true, 0>(seen),
            (16, Way::Tail(1)) => block.fill::<u128, true, 1>(seen),
            (16, Way::Tail(_)) => block.fill::<u128, true, 2>(seen),
            (_, Way::Before) => block.fill::<u64, false, 0>(seen),
            (_, Way::Whole) => block.fill::<u64, true, 0>(seen),
            (_, Way::Tail(1)) => block.fill::<u64, true, 1>(seen),
            (_, Way::Tail(_)) => block.fill::<u64, true, 2>(seen),
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

/// Whether values of a sample are so much alike that it shrinks.
pub(crate) fn repeats(sample: &[u8]) -> bool {
    alike::<u64>(sample) || alike::<u128>(sample)
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
