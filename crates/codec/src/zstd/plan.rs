//! How a frame of level 3 is made, told from a sample of its input.
//!
//! ```text
//!   Search   libzstd looks for matches, in two tables (strategy `dfast`, as the level says) or in one (`fast`)
//!   Part     one part of each value is looked for, see `part.rs`
//!   Nothing  Huffman codes alone: nothing repeats, and looking for it takes time
//! ```
//!
//! The sample is compressed in both of libzstd's ways, and with the part that an estimate (`choose.rs`) says is best.
//! What takes less time is taken if it is hardly larger: by one part in [`FAST_TOLERANCE`] or [`OWN_TOLERANCE`]. Most
//! frames become smaller than libzstd's. `cargo bench -p floe-benches --bench stages` has the times beside libzstd's, and
//! sizes of files beside Polars'.

use super::part::{Part, Whence};
use super::tuning::{SAMPLED, Tuning, is_text};
use super::{choose, search, sequences};
use crate::Result;
use crate::probe::{sample, shrinks};

/// Each piece of the sample is this part of the input or this many bytes, whichever is less.
const PIECE_PART: usize = 64;
const PIECE_MOST: usize = 4 << 10;
/// If that does not show how often values come again, a piece that is this part of the input or this many bytes,
/// whichever is less, is looked at.
const LONG_PART: usize = 16;
const LONG_MOST: usize = 256 << 10;
/// By which part the sample may become larger without the second table, and without any.
const FAST_TOLERANCE: usize = 20;
const OWN_TOLERANCE: usize = 12;
/// What is estimated to come to so much more than libzstd's is not tried.
const WORTH_A_TRY: usize = 4;
/// What shrinks to less than this part of its size is what libzstd is fastest at.
const SHRINKS: usize = 32;

/// How a frame is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    Search(Tuning),
    Part(Part),
    Nothing,
}

impl Plan {
    /// The plan for `input`, and whether a sample shrinks, if there is one.
    pub(super) fn of(input: &[u8], level: i32) -> Result<(Self, Option<bool>)> {
        let level_3 = Self::Search(Tuning::of(level, input));
        if input.len() < SAMPLED || !Tuning::chooses(level) {
            return Ok((level_3, None));
        }
        let sample = sample(input, (input.len() / PIECE_PART).next_multiple_of(16).min(PIECE_MOST));
        let two = level_3.len_of(&sample, level)?;
        let shrinks = |len: usize| Some(shrinks(len, sample.len()));
        if two < sample.len() / SHRINKS {
            return Ok((level_3, shrinks(two)));
        }
        let fast = Self::Search(Tuning::FAST);
        let one = fast.len_of(&sample, level)?;
        let (theirs, len) = if one <= two + two / FAST_TOLERANCE { (fast, one) } else { (level_3, two) };
        let text = is_text(&sample);
        let (part, estimate) = choose::part(&sample, input.len(), text);
        let own = part.map_or(Self::Nothing, Self::Part);
        let most = |len: usize| len + len / OWN_TOLERANCE;
        if estimate > len + len / WORTH_A_TRY {
            return Ok((theirs, shrinks(len)));
        }
        let own_len = own.len_of(&sample, level)?;
        if own_len <= most(len) {
            return Ok((own, shrinks(own_len.min(len))));
        }
        // What comes again at a distance shows in a longer piece only.
        let piece = (input.len() / LONG_PART).min(LONG_MOST);
        if piece > sample.len() && own.looks_everywhere() {
            let start = (input.len() / 2).next_multiple_of(16);
            let piece = input.get(start..start + piece).unwrap_or_default();
            if own.len_of(piece, level)? <= most(theirs.len_of(piece, level)?) {
                return Ok((own, shrinks(len)));
            }
        }
        Ok((theirs, shrinks(len)))
    }

    fn looks_everywhere(&self) -> bool {
        matches!(self, Self::Part(Part { whence: Whence::Seen, .. }))
    }

    /// How large the frame of a sample becomes.
    fn len_of(&self, sample: &[u8], level: i32) -> Result<usize> {
        let mut frame = Vec::new();
        self.append(sample, level, &mut frame)?;
        Ok(frame.len())
    }

    /// Appends the frame of `input` to `out`.
    pub(super) fn append(&self, input: &[u8], level: i32, out: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Search(tuning) => search(input, level, *tuning, out),
            Self::Part(part) => sequences::append(Some(part), input, level, out),
            Self::Nothing => sequences::append(None, input, level, out),
        }
    }
}
