//! Memory for bytes of which only the number is known before they are read.
//!
//! Filling fresh memory is bound by page faults: 2 GB/s with pages of 4 KiB, 5.5 with huge ones, which need a start on
//! a boundary of 2 MiB. Growing an allocation is no way out: the system moves huge pages by breaking them up, at 2 GB/s
//! again. So a [`Region`] begins on such a boundary, has its size from the start, and its pages can be made before they
//! are needed, on another thread.

use std::fmt;
use std::ops::Range;

use crate::Result;
use crate::alloc::try_initialised;
use crate::free_list::take_initialised;
use crate::pages::{HUGE_PAGE_BYTES, populate};

/// Initialised memory on huge pages, where the system has them.
///
/// ```
/// use floe_runtime::Region;
///
/// let mut region = Region::new(5 << 20)?;
/// region.as_mut_slice()[..2].copy_from_slice(b"ab");
/// let (memory, range) = region.into_parts(2);
/// assert_eq!(&memory[range], b"ab");
/// # floe_runtime::Result::Ok(())
/// ```
pub struct Region {
    /// Up to [`HUGE_PAGE_BYTES`] longer than the region: address space, not memory.
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Region {
    /// `len` bytes of arbitrary contents: zeros, or the old contents of recycled memory.
    ///
    /// # Errors
    /// When the allocator refuses.
    pub fn new(len: usize) -> Result<Self> {
        Ok(Self::of(try_initialised::<u8>(len.saturating_add(HUGE_PAGE_BYTES))?, len))
    }

    /// As [`Region::new`], from recycled memory only: its pages need not be made.
    #[must_use]
    pub fn recycled(len: usize) -> Option<Self> {
        Some(Self::of(take_initialised(len.saturating_add(HUGE_PAGE_BYTES))?, len))
    }

    /// The first `len` bytes behind a boundary.
    fn of(memory: Vec<u8>, len: usize) -> Self {
        let address = memory.as_ptr().addr();
        Self { start: address.next_multiple_of(HUGE_PAGE_BYTES) - address, memory, len }
    }

    /// Makes the pages of the first `len` bytes (all, if there are fewer), where the system can do that at once.
    pub fn populate(&mut self, len: usize) {
        let len = len.min(self.len);
        populate(&mut self.as_mut_slice()[..len]);
    }

    /// The bytes of the region.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }

    /// Grows to `len` bytes and keeps the present ones.
    ///
    /// # Errors
    /// When the allocator refuses.
    pub fn grow(&mut self, len: usize) -> Result<()> {
        let mut larger = Self::new(len.max(self.len))?;
        larger.as_mut_slice()[..self.len].copy_from_slice(self.as_mut_slice());
        *self = larger;
        Ok(())
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The memory, and where in it the first `len` bytes (all, if there are fewer) are.
    #[must_use]
    pub fn into_parts(self, len: usize) -> (Vec<u8>, Range<usize>) {
        let end = self.start + len.min(self.len);
        (self.memory, self.start..end)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Region").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_on_a_huge_page_and_keeps_its_bytes() {
        let mut region = Region::new(3 << 20).unwrap();
        region.populate(1 << 20);
        region.populate(usize::MAX);
        assert_eq!(region.as_mut_slice().as_ptr().addr() % HUGE_PAGE_BYTES, 0);
        region.as_mut_slice().fill(7);
        region.grow(5 << 20).unwrap();
        let (memory, range) = region.into_parts(usize::MAX);
        assert_eq!(range.len(), 5 << 20);
        assert!(memory[range][..3 << 20].iter().all(|byte| *byte == 7));
        assert!(Region::new(usize::MAX / 2).is_err());
    }
}
