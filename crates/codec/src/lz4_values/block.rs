//! The sequences of a block: literals, and a match of what has been there before.

use std::mem::MaybeUninit;

use crate::value::Value;
use crate::{Error, uninit};

/// The shortest match of the format, and how far back one may be.
pub(super) const MIN_MATCH: usize = 4;
const MAX_OFFSET: usize = u16::MAX as usize;
/// How far back a value's high bytes are looked for: some values of either width.
pub(super) const BACK: usize = 32;
/// Lengths from this on take bytes of their own.
pub(super) const LONG: usize = 15;
/// No match begins in so many bytes at the end of a block.
pub(super) const LAST: usize = 12;

/// The base-2 logarithm of how many values are remembered by their hashes.
const HASH_BITS: u32 = 13;
/// Where in the block the last value of each hash is.
pub(super) type Seen = [u16; 1 << HASH_BITS];
pub(super) const NOTHING_SEEN: Seen = [0; 1 << HASH_BITS];

/// What of a value is looked for: some of its bytes, the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// Values are taken to begin so many bytes later: the first ones are the last ones of the value before then.
    pub(super) shift: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

impl Part {
    pub(super) const NONE: Self = Self { shift: 0, from: 0, to: 0 };

    pub(super) fn is_whole(self, width: usize) -> bool {
        self == Self { shift: 0, from: 0, to: width }
    }

    /// How many values of the second half of a sample have a part that is known by then, and how many there are.
    pub(super) fn hits<V: Value>(self, sample: &[u8], seen: &mut Seen) -> (usize, usize) {
        seen.fill(0);
        let mask = V::mask(self.from..self.to);
        let values = V::split(sample.get(self.shift..).unwrap_or_default());
        let half = values.len() / 2;
        let (mut hits, mut before) = (0, 0);
        for (value, i) in values.iter().zip(0u16..) {
            if usize::from(i) == half {
                before = hits;
            }
            let value = V::load(*value) & mask;
            let known = std::mem::replace(&mut seen[value.hash(HASH_BITS)], i);
            hits += usize::from(V::load(values[usize::from(known)]) & mask == value);
        }
        (hits - before, values.len() - half)
    }
}

/// Where a frame goes.
pub(super) struct Target<'a> {
    pub(super) dst: &'a mut [MaybeUninit<u8>],
    /// Bytes that have been written.
    pub(super) at: usize,
}

/// There is no room.
pub(super) struct Full;

pub(super) type Put = std::result::Result<(), Full>;

impl From<Full> for Error {
    fn from(_: Full) -> Self {
        Self::new("an LZ4 frame became larger than it can")
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
pub(super) struct Block<'a> {
    pub(super) src: &'a [u8],
    /// From here on nothing of `src` has been written.
    pub(super) anchor: usize,
    pub(super) target: Target<'a>,
}

impl Block<'_> {
    /// Makes the block: of matches with values before. If it `LOOK`s further, it looks for that part of values, which is
    /// all of them or not.
    pub(super) fn fill<V: Value, const LOOK: bool, const WHOLE: bool>(
        &mut self,
        seen: &mut Seen,
        part: Part,
    ) -> Put {
        if LOOK {
            // Blocks are independent.
            seen.fill(0);
        }
        let Part { shift, from, to } = part;
        let mask = V::mask(from..to);
        let values = V::split(self.src.get(shift..).unwrap_or_default());
        let values = values.get(..self.src.len().saturating_sub(shift + LAST) / V::WIDTH).unwrap_or_default();
        let mut i = 1;
        while let Some(bytes) = values.get(i) {
            let (value, start) = (V::load(*bytes), shift + i * V::WIDTH);
            if value == V::load(values[i - 1]) {
                let count = run(values, i, i - 1);
                self.repeat(start, V::WIDTH, count * V::WIDTH)?;
                i += count;
                continue;
            }
            if LOOK {
                let slot = &mut seen[(value & mask).hash(HASH_BITS)];
                let known = usize::from(std::mem::replace(slot, u16::try_from(i).unwrap_or(0)));
                let offset = (i - known) * V::WIDTH;
                if offset <= MAX_OFFSET && V::load(values[known]) & mask == value & mask {
                    if !WHOLE {
                        self.repeat(start + from, offset, to - from)?;
                        i += 1;
                    } else if values.get(i + 1) != values.get(known + 1) {
                        self.repeat(start, offset, V::WIDTH)?;
                        i += 1;
                    } else {
                        let count = run(values, i, known);
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
fn run<B: Eq>(values: &[B], i: usize, known: usize) -> usize {
    let pairs = values.iter().skip(i).zip(values.iter().skip(known));
    pairs.take_while(|(value, known)| value == known).count()
}
