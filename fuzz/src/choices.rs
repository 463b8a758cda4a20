//! A fuzzer's bytes as a row of choices.

/// Bytes that decide; when there are no more, everything is zero.
pub struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    /// The choices that `bytes` make.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether all have been made.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// One byte.
    pub fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    /// This many bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// Fills `out`.
    pub fn fill(&mut self, out: &mut [u8]) {
        let (here, rest) = self.bytes.split_at(out.len().min(self.bytes.len()));
        out[..here.len()].copy_from_slice(here);
        self.bytes = rest;
    }

    /// At most this many bytes.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (here, rest) = self.bytes.split_at(len.min(self.bytes.len()));
        self.bytes = rest;
        here
    }

    /// A number from 0 to `end - 1`.
    ///
    /// # Panics
    /// When `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let choice = u16::from_le_bytes(if end > 256 { self.array() } else { [self.byte(), 0] });
        usize::from(choice) % end
    }

    /// One of them.
    ///
    /// # Panics
    /// When there is none.
    pub fn pick<'b, T>(&mut self, of: &'b [T]) -> &'b T {
        &of[self.below(of.len())]
    }

    /// True once in `n` choices.
    pub fn one_in(&mut self, n: u8) -> bool {
        self.byte() % n == n - 1
    }
}
