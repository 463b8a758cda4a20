//! Columns of values: the part of each that repeats.
//!
//! libzstd looks for a match at every byte, in tables of hundreds of kilobytes. In a column of values of a fixed width
//! what repeats is the same part of each: the high bytes of integers and timestamps, which change little from one to the
//! next; the low bytes of prices and measurements, whose decimals are one of a hundred or a thousand patterns of bits;
//! the padding of short strings in views, with the length of the next one behind it. So one part is chosen for a whole
//! frame, and looked for once a value, in one place:
//!
//! ```text
//!   Whence    the part is ..                    integers below a million        prices
//!   Before    as in a value shortly before      40 E2 01 | 00 00 00 00 00
//!   Seen      as in the last value like that                                    5C 8F C2 F5 28 5C | 8E 40
//!                                               literals,  a match              a match,          literals
//! ```
//!
//! All sequences of a frame are then alike (so many literals, a match of so many bytes, mostly at the same offset), which
//! FSE codes in next to no bits: most frames are smaller than libzstd's own, take two thirds to a half of the time, and
//! are read faster, by every reader.

use std::ops::Range;

/// The shortest match of the format.
pub(super) const MIN_MATCH: usize = 3;
/// How far back a part is that is as before: some values of any width. (Of the value right before, decoders would wait
/// for what they have only just stored.)
pub(super) const BACK: usize = 32;

/// Where the part of a value is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whence {
    /// In the value [`BACK`] bytes before.
    Before,
    /// In the last value in which it was the same.
    Seen,
}

/// Bytes of each value that are matches, where they can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Of a value, in bytes: 4, 8 or 16.
    pub(super) width: usize,
    /// Counted from a value's first byte; what is beyond the width is of the value behind.
    pub(super) bytes: Range<usize>,
    pub(super) whence: Whence,
}
