//! Memory that is accounted for: nothing that the size of the result depends on is allocated before it has been
//! charged, and an allocator that refuses is an error.

use arrow::bitmap::MutableBitmap;
use floe_format::Result;

use crate::aligned::{byte_len, try_with_capacity};

/// Whoever counts the bytes that decoding takes.
pub(crate) trait Charge {
    /// Counts so many more bytes.
    ///
    /// # Errors
    /// When they are more than is left.
    fn charge(&self, bytes: usize) -> Result<()>;

    /// Checks rows that no byte stands behind.
    ///
    /// # Errors
    /// When they are more than may be.
    fn unbacked_rows(&self, rows: usize) -> Result<()>;
}

impl dyn Charge + '_ {
    /// An empty vector with room for so many elements.
    pub(crate) fn vec<T>(&self, len: usize) -> Result<Vec<T>> {
        self.charge(byte_len::<T>(len)?)?;
        try_with_capacity(len)
    }

    /// An empty bitmap with room for so many bits.
    pub(crate) fn bits(&self, len: usize) -> Result<MutableBitmap> {
        Ok(MutableBitmap::from_vec(self.vec::<u8>(len.div_ceil(8))?, 0))
    }
}

/// Nobody counts: for arrays that are the caller's own.
pub(crate) struct Uncharged;

impl Charge for Uncharged {
    fn charge(&self, _: usize) -> Result<()> {
        Ok(())
    }

    fn unbacked_rows(&self, _: usize) -> Result<()> {
        Ok(())
    }
}
