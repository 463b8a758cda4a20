//! Breaks bytes: bits flipped, lengths replaced, ranges spliced, ends cut off.

use std::ops::Range;

use rand::Rng as _;
use rand::rngs::SmallRng;

/// Numbers to put where a length should be: near the limits of its type, and beyond all memory.
const LENGTHS: [i64; 20] = [
    0,
    -1,
    1,
    2,
    7,
    8,
    63,
    255,
    1 << 16,
    1 << 20,
    1 << 28,
    1 << 30,
    1 << 31,
    1 << 33,
    1 << 40,
    1 << 62,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MAX,
    i64::MIN,
];

/// Breaks an input in one to four places: most of them in its `headers`, which may be none. Pieces of `other` may get in.
///
/// # Panics
/// When `other` is empty, or a header is.
#[must_use]
pub fn mutate(rng: &mut SmallRng, input: &[u8], headers: &[Range<usize>], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..*[1, 1, 1, 2, 2, 4].get(rng.random_range(0..6)).expect("six") {
        if bytes.is_empty() {
            break;
        }
        let at = place(rng, input.len(), headers).min(bytes.len() - 1);
        match rng.random_range(0..12) {
            0 | 1 => bytes[at] ^= 1 << rng.random_range(0..8),
            2 => bytes[at] = rng.random(),
            3..=5 => set(&mut bytes, at & !3, 4, LENGTHS[rng.random_range(0..LENGTHS.len())]),
            6..=8 => set(&mut bytes, at & !7, 8, LENGTHS[rng.random_range(0..LENGTHS.len())]),
            // A number a little off.
            9 => {
                let at = at & !3;
                if let Some(field) = bytes.get(at..at + 4) {
                    let value = i32::from_le_bytes(field.try_into().expect("4 bytes"));
                    let step = *[-64, -8, -4, -1, 1, 4, 8, 64].get(rng.random_range(0..8)).expect("eight");
                    set(&mut bytes, at, 4, value.wrapping_add(step).into());
                }
            },
            10 => {
                let len = rng.random_range(1..64);
                let from = rng.random_range(0..other.len());
                let piece = other[from..(from + len).min(other.len())].to_vec();
                let end = if rng.random() { (at + piece.len()).min(bytes.len()) } else { at };
                bytes.splice(at..end, piece);
            },
            _ if rng.random_range(0..4) == 0 => bytes.truncate(at),
            _ => {
                let end = (at + rng.random_range(1..32)).min(bytes.len());
                bytes.drain(at..end);
            },
        }
    }
    bytes
}

fn place(rng: &mut SmallRng, len: usize, headers: &[Range<usize>]) -> usize {
    if !headers.is_empty() && rng.random_range(0..10) < 7 {
        let header = rng.random_range(0..headers.len());
        rng.random_range(headers[header].clone())
    } else {
        rng.random_range(0..len)
    }
}

fn set(bytes: &mut [u8], at: usize, len: usize, value: i64) {
    if let Some(field) = bytes.get_mut(at..at + len) {
        field.copy_from_slice(&value.to_le_bytes()[..len]);
    }
}
