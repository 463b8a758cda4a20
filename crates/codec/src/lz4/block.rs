//! The sequences of one LZ4 block: literals, then a match with earlier bytes of the block.
//!
//! What to watch when changing this: `repeat` writes up to 19 bytes at once and moves on by fewer, so the order of its
//! three copies matters. `fill` must never put a match whose offset is 0 or above [`MAX_OFFSET`]. Nor may a match begin
//! within the last [`TAIL_BYTES`] of the block: the format forbids it, and decoders rely on it. Both are asserted in
//! debug builds, and an offset that does not fit is an error, not a wrong match.

use std::mem::MaybeUninit;

use crate::match_key::{FIXED_OFFSET, MatchKey};
use crate::value::Value;
use crate::{Error, uninit};

/// Bytes of the shortest match of the format.
pub(super) const MIN_MATCH_BYTES: usize = 4;
/// Bytes that a match may lie back.
const MAX_OFFSET: usize = u16::MAX as usize;
/// A half of a token holds lengths below this; longer ones take bytes of their own.
pub(super) const TOKEN_MAX: usize = 15;
/// No match begins in this many bytes at the end of a block.
pub(super) const TAIL_BYTES: usize = 12;

/// The base-2 logarithm of the hash table's entries.
const HASH_BITS: u32 = 13;
/// By hash: the number of the last value of the block with that hash.
pub(super) type HashTable = [u16; 1 << HASH_BITS];
/// A table in which every entry names the first value.
pub(super) const EMPTY_TABLE: HashTable = [0; 1 << HASH_BITS];

/// The number of a value of a block or of a sample as the table holds it.
///
/// A block of 256 KiB has at most 32,768 values of 8 bytes, and a sample has 64 KiB.
#[inline(always)]
fn entry(i: usize) -> u16 {
    debug_assert!(u16::try_from(i).is_ok(), "value {i} is beyond what the table holds");
    #[expect(clippy::cast_possible_truncation, reason = "asserted above, by the size of a block")]
    let entry = i as u16;
    entry
}

/// How many values of the second half of a sample have a key that the table finds, and how many values there are.
pub(super) fn hits<V: Value>(key: MatchKey, sample: &[u8], table: &mut HashTable) -> (usize, usize) {
    key.assert_fits::<V>(MIN_MATCH_BYTES);
    table.fill(0);
    let mask = key.mask::<V>();
    let values = V::split(key.shifted(sample));
    let half = values.len() / 2;
    let (mut hits, mut in_first_half) = (0, 0);
    for (i, value) in values.iter().enumerate() {
        if i == half {
            in_first_half = hits;
        }
        let value = V::load(*value) & mask;
        let candidate = std::mem::replace(&mut table[value.hash(HASH_BITS)], entry(i));
        hits += usize::from(V::load(values[usize::from(candidate)]) & mask == value);
    }
    (hits - in_first_half, values.len() - half)
}

/// Where a frame goes.
pub(super) struct Target<'a> {
    pub(super) dst: &'a mut [MaybeUninit<u8>],
    /// Bytes that have been written.
    pub(super) at: usize,
}

/// Why nothing more can be put.
pub(super) enum Stop {
    /// There is no room: the block does not shrink.
    Full,
    /// The encoder broke an invariant of the format.
    Broken(&'static str),
}

pub(super) type Put = std::result::Result<(), Stop>;

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        Self::Encoder(match stop {
            Stop::Full => "an LZ4 frame became larger than its bound".into(),
            Stop::Broken(what) => what.into(),
        })
    }
}

impl Target<'_> {
    /// The same, with room up to `end` only.
    pub(super) fn until(&mut self, end: usize) -> Target<'_> {
        let end = end.min(self.dst.len());
        Target { at: self.at, dst: &mut self.dst[..end] }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Put {
        self.put_at(self.at, bytes)?;
        self.at += bytes.len();
        Ok(())
    }

    pub(super) fn put_at(&mut self, at: usize, bytes: &[u8]) -> Put {
        let place = self.dst.get_mut(at..at + bytes.len()).ok_or(Stop::Full)?;
        place.copy_from_slice(uninit::unwritten(bytes));
        Ok(())
    }

    /// Puts the part of a length beyond the [`TOKEN_MAX`] that its half of the token holds.
    fn put_rest(&mut self, len: usize) -> Put {
        // All of a length below `TOKEN_MAX` is in the token.
        let Some(mut rest) = len.checked_sub(TOKEN_MAX) else { return Ok(()) };
        while rest >= 255 {
            self.put(&[255])?;
            rest -= 255;
        }
        #[expect(clippy::cast_possible_truncation, reason = "below 255 behind the loop")]
        let last = rest as u8;
        self.put(&[last])
    }
}

/// A token: how many literals in its upper half, how much longer than the shortest match in its lower half.
fn token(literals: usize, more: usize) -> u8 {
    #[expect(clippy::cast_possible_truncation, reason = "two numbers up to 15")]
    let token = (literals.min(TOKEN_MAX) << 4 | more.min(TOKEN_MAX)) as u8;
    token
}

/// A block that is being made.
pub(super) struct Block<'a> {
    pub(super) src: &'a [u8],
    /// From here on nothing of `src` has been written.
    pub(super) anchor: usize,
    pub(super) target: Target<'a>,
}

impl Block<'_> {
    /// Makes the block; `false` if it does not shrink.
    ///
    /// With `USE_HASH_TABLE`, earlier values are searched by their key, and with `WHOLE_VALUE` that key is the whole
    /// value, so that matches may span values. Without, and where the table has nothing, values are compared at the
    /// fixed offset. A value that equals the one right before starts a run in any case.
    pub(super) fn fill<V: Value, const USE_HASH_TABLE: bool, const WHOLE_VALUE: bool>(
        &mut self,
        table: &mut HashTable,
        key: MatchKey,
    ) -> crate::Result<bool> {
        match self.sequences::<V, USE_HASH_TABLE, WHOLE_VALUE>(table, key) {
            Ok(()) => Ok(true),
            Err(Stop::Full) => Ok(false),
            Err(stop) => Err(stop.into()),
        }
    }

    fn sequences<V: Value, const USE_HASH_TABLE: bool, const WHOLE_VALUE: bool>(
        &mut self,
        table: &mut HashTable,
        key: MatchKey,
    ) -> Put {
        key.assert_fits::<V>(MIN_MATCH_BYTES);
        if USE_HASH_TABLE {
            // Blocks are independent.
            table.fill(0);
        }
        let mask = key.mask::<V>();
        let values = V::split(key.shifted(self.src));
        // No match may begin in the tail, so the search ends before it.
        let whole = self.src.len().saturating_sub(key.shift + TAIL_BYTES) / V::WIDTH;
        let values = &values[..whole.min(values.len())];
        let mut i = 1;
        while let Some(bytes) = values.get(i) {
            let (value, start) = (V::load(*bytes), key.shift + i * V::WIDTH);
            if value == V::load(values[i - 1]) {
                let count = run(values, i, i - 1);
                self.repeat(start, V::WIDTH, count * V::WIDTH)?;
                i += count;
                continue;
            }
            if USE_HASH_TABLE {
                let slot = &mut table[(value & mask).hash(HASH_BITS)];
                let candidate = usize::from(std::mem::replace(slot, entry(i)));
                let offset = (i - candidate) * V::WIDTH;
                if offset <= MAX_OFFSET && V::load(values[candidate]) & mask == value & mask {
                    if !WHOLE_VALUE {
                        self.repeat(start + key.start, offset, key.len())?;
                        i += 1;
                    } else if values.get(i + 1) != values.get(candidate + 1) {
                        self.repeat(start, offset, V::WIDTH)?;
                        i += 1;
                    } else {
                        let count = run(values, i, candidate);
                        self.repeat(start, offset, count * V::WIDTH)?;
                        i += count;
                    }
                    continue;
                }
            }
            if let Some(before) = i.checked_sub(FIXED_OFFSET / V::WIDTH) {
                let (low, high) = value.common(V::load(values[before]));
                if high >= MIN_MATCH_BYTES {
                    self.repeat(start + V::WIDTH - high, FIXED_OFFSET, high)?;
                } else if low >= MIN_MATCH_BYTES {
                    self.repeat(start, FIXED_OFFSET, low)?;
                }
            }
            i += 1;
        }
        self.end()
    }

    /// Puts the literals before `start`, and a match of `len` bytes with those `offset` before it.
    #[inline(always)]
    fn repeat(&mut self, start: usize, offset: usize, len: usize) -> Put {
        debug_assert!(self.anchor <= start && len >= MIN_MATCH_BYTES, "a match of {len} bytes at {start}");
        debug_assert!((1..=start).contains(&offset), "a match at {start} with bytes {offset} before it");
        let (literals, more) = (start - self.anchor, len - MIN_MATCH_BYTES);
        let Ok(offset) = u16::try_from(offset) else {
            return Err(Stop::Broken("an LZ4 match lies further back than the format allows"));
        };
        let offset = offset.to_le_bytes();
        if literals.max(more) < TOKEN_MAX
            && let Some(short) = self.src.get(self.anchor..self.anchor + 16)
            && let Some(room) = self.target.dst.get_mut(self.target.at..self.target.at + 19)
        {
            // Copies a fixed number of bytes at once. The offset, or the next sequence, overwrites those that are too
            // many.
            room[0] = MaybeUninit::new(token(literals, more));
            room[1..17].copy_from_slice(uninit::unwritten(short));
            room[1 + literals..3 + literals].copy_from_slice(uninit::unwritten(&offset));
            self.target.at += 3 + literals;
        } else {
            self.target.put(&[token(literals, more)])?;
            self.target.put_rest(literals)?;
            self.target.put(self.src.get(self.anchor..start).ok_or(Stop::Broken(OVERLAP))?)?;
            self.target.put(&offset)?;
            self.target.put_rest(more)?;
        }
        self.anchor = start + len;
        Ok(())
    }

    /// Puts the literals that are left.
    fn end(&mut self) -> Put {
        let literals = self.src.get(self.anchor..).ok_or(Stop::Broken(OVERLAP))?;
        self.target.put(&[token(literals.len(), 0)])?;
        self.target.put_rest(literals.len())?;
        self.target.put(literals)
    }
}

const OVERLAP: &str = "LZ4 sequences overlap, or reach beyond their block";

/// How many values from `i` on equal those from `candidate` on: at least one.
fn run<B: Eq>(values: &[B], i: usize, candidate: usize) -> usize {
    let pairs = values.iter().skip(i).zip(values.iter().skip(candidate));
    pairs.take_while(|(value, candidate)| value == candidate).count()
}
