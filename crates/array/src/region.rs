//! Memory that bytes are read into before anything is known of them but their number.
//!
//! Filling fresh memory is bound by page faults: 2 GB/s with pages of 4 KiB, 5.5 with huge ones,
//! which only what lies on a boundary of 2 MiB gets. Growing an allocation is no way out: the
//! system moves huge pages by breaking them up, at 2 GB/s again. So a [`Region`] begins on such a
//! boundary, has its size from the start, and its pages can be made before they are needed, on
//! another thread.

use floe_format::Result;
use polars_buffer::Buffer;

use crate::aligned::{HUGE_PAGE_BYTES, populate, try_initialised};
use crate::recycle::{share, take_initialised};

/// Initialised memory on huge pages, where the system has them.
///
/// ```
/// use floe_array::Region;
///
/// let mut region = Region::new(5 << 20)?;
/// region.as_mut_slice()[..2].copy_from_slice(b"ab");
/// assert_eq!(region.into_buffer(2).as_slice(), b"ab");
/// # floe_format::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Region {
    /// Up to [`HUGE_PAGE_BYTES`] bytes longer than what is used: address space, not memory.
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

impl Region {
    /// `len` bytes: zeros, or what memory that is used again held.
    ///
    /// # Errors
    /// When the allocator refuses.
    pub fn new(len: usize) -> Result<Self> {
        Ok(Self::of(try_initialised::<u8>(len.saturating_add(HUGE_PAGE_BYTES))?, len))
    }

    /// As [`Region::new`], if there is memory to be used again: its pages need not be made.
    #[must_use]
    pub fn recycled(len: usize) -> Option<Self> {
        Some(Self::of(take_initialised(len.saturating_add(HUGE_PAGE_BYTES))?, len))
    }

    /// The first `len` bytes behind a boundary.
    fn of(memory: Vec<u8>, len: usize) -> Self {
        let address = memory.as_ptr().addr();
        Self { start: address.next_multiple_of(HUGE_PAGE_BYTES) - address, memory, len }
    }

    /// Makes the pages of the first `len` bytes, where the system can do that at once.
    pub fn populate(&mut self, len: usize) {
        populate(self.as_mut_slice().get_mut(..len).unwrap_or_default());
    }

    /// Its bytes: of new memory zero, but for what has been written.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }

    /// Larger, with the bytes it has.
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

    /// The first `len` bytes (all, if there are fewer), to share.
    #[must_use]
    pub fn into_buffer(self, len: usize) -> Buffer<u8> {
        let end = self.start + len.min(self.len);
        share(self.memory).sliced(self.start..end)
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
        let bytes = region.into_buffer(usize::MAX);
        assert_eq!(bytes.len(), 5 << 20);
        assert!(bytes[..3 << 20].iter().all(|byte| *byte == 7));
        assert!(Region::new(usize::MAX / 2).is_err());
    }
}
