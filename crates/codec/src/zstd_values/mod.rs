//! ZSTD frames of columns of numbers, in which matches are looked for value by value.
//!
//! libzstd looks for a match at every byte, in tables of hundreds of kilobytes. In a column of 8- or 16-byte values what
//! repeats is the same part of each value: the high bytes of integers and timestamps, which change little from one to
//! the next; the low bytes of prices and measurements, whose decimals are one of a hundred or a thousand patterns of
//! bits. So one part is chosen for a whole frame, and looked for once a value, in one place:
//!
//! ```text
//!   Whence    the part is ..                    integers below a million        prices
//!   Before    as in a value shortly before      40 E2 01 | 00 00 00 00 00
//!   Seen      as in the last value like that                                    5C 8F C2 F5 28 5C | 8E 40
//!                                               literals,  a match              a match,          literals
//! ```
//!
//! All sequences of a frame are then alike (so many literals, a match of so many bytes, mostly at the same offset), which
//! FSE codes in next to no bits: frames are mostly smaller than libzstd's own, take a half to a third of the time, and
//! are read faster, by every reader. Where nothing repeats, as in random `f64`, matches cost time and save nothing:
//! such frames hold literals alone, and what Huffman codes save is all there is to save.
//!
//! [`Plan::of`] estimates from a sample what each part would come to (`choose.rs`), compresses the sample with the best
//! one, and takes it unless libzstd makes that smaller by more than [`TOLERANCE`]: text, offsets, and columns of long
//! runs are left to it. The sequences are given to libzstd, which does the entropy coding (`frame.rs`).
//!
//! What is written is a ZSTD frame like any other (RFC 8878). `cargo bench -p floe-benches --bench stages` has the times
//! beside libzstd's.

mod choose;
mod frame;
#[cfg(test)]
mod tests;

use std::ops::{Range, RangeInclusive};

use crate::Result;
use crate::probe::sample;

/// The levels at which time goes before size.
const LEVELS: RangeInclusive<i32> = 0..=3;
/// Inputs below this are left to libzstd: the sample would be too large a part of them.
const MIN_INPUT: usize = if cfg!(fuzzing) { 64 } else { 512 << 10 };
/// Each piece of the sample is this part of the input or this many bytes, whichever is less.
const PIECE_PART: usize = 64;
const PIECE_MOST: usize = 4 << 10;
/// If that does not show how often values come again, a piece that is this part of the input is looked at.
const LONG_PART: usize = 16;
/// By which part the sample may become larger than with libzstd.
const TOLERANCE: usize = 12;
/// What shrinks to less than this part of its size is what libzstd is fastest at.
const SHRINKS: usize = 16;

/// The shortest match of the format.
const MIN_MATCH: usize = 3;

/// Where the part of a value is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whence {
    /// In the value [`frame::BACK`] bytes before.
    Before,
    /// In the last value in which it was the same.
    Seen,
}

/// Bytes of each value that are matches, where they can be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    /// Of a value, in bytes: 4, 8 or 16.
    width: usize,
    bytes: Range<usize>,
    whence: Whence,
}

/// How a frame is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Nothing is looked for if there is none.
    part: Option<Part>,
}

impl Plan {
    /// The plan for `input`, parts of which `theirs` compresses; `None` if that is better.
    pub(crate) fn of(
        input: &[u8],
        level: i32,
        theirs: impl Fn(&[u8], &mut Vec<u8>) -> Result<()>,
    ) -> Result<Option<Self>> {
        if input.len() < MIN_INPUT || !LEVELS.contains(&level) {
            return Ok(None);
        }
        let sample = sample(input, (input.len() / PIECE_PART).next_multiple_of(16).min(PIECE_MOST));
        let mut frame = Vec::new();
        theirs(&sample, &mut frame)?;
        if frame.len() < sample.len() / SHRINKS {
            return Ok(None);
        }
        let (part, estimate) = choose::part(&sample, input.len());
        let plan = Self { part };
        if plan.is_as_small(&sample, level, frame.len())? {
            return Ok(Some(plan));
        }
        // What comes again at a distance shows in a longer piece only.
        let piece = input.len() / LONG_PART;
        if estimate > frame.len() + frame.len() / 4 || piece < sample.len() || !plan.looks() {
            return Ok(None);
        }
        let start = (input.len() / 2).next_multiple_of(16);
        let piece = &input[start..start + piece];
        frame.clear();
        theirs(piece, &mut frame)?;
        Ok(if plan.is_as_small(piece, level, frame.len())? { Some(plan) } else { None })
    }

    /// Whether values are looked for in all that was there.
    fn looks(&self) -> bool {
        matches!(self.part, Some(Part { whence: Whence::Seen, .. }))
    }

    /// Whether the frame of a part is hardly larger than that, if at all.
    fn is_as_small(&self, part: &[u8], level: i32, theirs: usize) -> Result<bool> {
        let mut frame = Vec::new();
        self.append(part, level, &mut frame)?;
        Ok(frame.len() <= theirs + theirs / TOLERANCE)
    }

    /// Appends the frame of `input` to `out`.
    pub(crate) fn append(&self, input: &[u8], level: i32, out: &mut Vec<u8>) -> Result<()> {
        frame::append(self.part.as_ref(), input, level, out)
    }
}
