//! Memory that is accounted for: memory that grows with the result is charged before it is allocated. An allocator that
//! refuses is an error.

use arrow::bitmap::MutableBitmap;
use floe_format::{Error, ErrorKind, IpcLimits, Result};
use floe_runtime::alloc::{byte_len, probe, try_with_capacity};

use crate::budget::Budget;

/// Counts the bytes that decoding allocates.
pub(crate) trait Charge {
    /// Counts `bytes` more.
    ///
    /// # Errors
    /// When that exceeds a limit.
    fn charge(&self, bytes: usize) -> Result<()>;

    /// Checks rows that no byte of the input backs.
    ///
    /// # Errors
    /// When there are more than the limit allows.
    fn unbacked_rows(&self, rows: usize) -> Result<()>;
}

impl dyn Charge + '_ {
    /// An empty vector with room for `len` elements.
    pub(crate) fn vec<T>(&self, len: usize) -> Result<Vec<T>> {
        self.charge(byte_len::<T>(len)?)?;
        Ok(try_with_capacity(len)?)
    }

    /// An empty bitmap with room for `len` bits.
    pub(crate) fn bits(&self, len: usize) -> Result<MutableBitmap> {
        Ok(MutableBitmap::from_vec(self.vec::<u8>(len.div_ceil(8))?, 0))
    }
}

/// Checks rows that no byte of the input backs against the limit for those.
pub(crate) fn check_unbacked_rows(limits: &IpcLimits, rows: usize) -> Result<()> {
    let allowed = limits.max_unbacked_rows;
    if rows > allowed {
        return Err(Error::new(ErrorKind::LimitExceeded {
            limit: "max_unbacked_rows",
            claimed: rows as u64,
            allowed: allowed as u64,
        }));
    }
    // A bit for each, in the bitmaps that Polars' kernels make of them.
    Ok(probe(rows / 8)?)
}

impl Charge for Budget {
    fn charge(&self, bytes: usize) -> Result<()> {
        self.charge(bytes as u64)
    }

    fn unbacked_rows(&self, rows: usize) -> Result<()> {
        check_unbacked_rows(self.limits(), rows)
    }
}

/// Counts nothing: for arrays that are the caller's own.
pub(crate) struct Uncharged;

impl Charge for Uncharged {
    fn charge(&self, _: usize) -> Result<()> {
        Ok(())
    }

    fn unbacked_rows(&self, _: usize) -> Result<()> {
        Ok(())
    }
}
