//! The body of a message: buffers one after another, each at a multiple of 64. (Arrow
//! `Columnar.rst`, "Recordbatch message".)
//!
//! ```text
//! | buffer 0 | zeros | buffer 1 | zeros | ... | end of the body
//! ^ 0                ^ multiple of 64         ^ multiple of 64
//! ```
//!
//! When reading, [`decode_message`](crate::decode_message) checks the ranges.

use crate::BufferSpec;
use crate::constants::ALIGNMENT;
use crate::limits::wide;

/// Gives each buffer of a body its place.
///
/// ```
/// use floe_format::{BodyLayout, BufferSpec};
///
/// let mut layout = BodyLayout::default();
/// assert_eq!(layout.push(10), BufferSpec { offset: 0, len: 10 });
/// assert_eq!(layout.push(64), BufferSpec { offset: 64, len: 64 });
/// assert_eq!(layout.body_len(), 128);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BodyLayout {
    /// A multiple of 64.
    next: u64,
}

impl BodyLayout {
    /// The place of a buffer of `len` bytes, padding not counted.
    pub fn push(&mut self, len: usize) -> BufferSpec {
        // Saturating: such buffers cannot exist, and the encoder refuses what is not an i64.
        const MASK: u64 = ALIGNMENT as u64 - 1;
        let len = wide(len);
        let spec = BufferSpec { offset: self.next, len };
        self.next = self.next.saturating_add(len).saturating_add(MASK) & !MASK;
        spec
    }

    /// Length of the body so far, padding included.
    #[must_use]
    pub fn body_len(&self) -> u64 {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_buffer_starts_at_a_multiple_of_64() {
        let mut layout = BodyLayout::default();
        let mut end = 0;
        for len in [0, 1, 63, 64, 65, 0, 1000] {
            let spec = layout.push(len);
            assert_eq!(spec.offset % 64, 0);
            assert!(spec.offset >= end && spec.offset < end + 64);
            end = spec.offset + spec.len;
        }
        assert_eq!(layout.body_len(), end.next_multiple_of(64));
    }

    #[test]
    fn impossible_lengths_do_not_wrap() {
        let mut layout = BodyLayout::default();
        layout.push(usize::MAX);
        let spec = layout.push(usize::MAX);
        assert!(i64::try_from(spec.offset).is_err());
    }
}
