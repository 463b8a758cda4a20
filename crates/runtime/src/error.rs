//! The error of this crate: memory that cannot be had.

use std::fmt;

/// Memory that cannot be had.
///
/// ```
/// let error = floe_runtime::alloc::byte_len::<u64>(usize::MAX).unwrap_err();
/// assert!(error.to_string().contains("overflow the address space"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The allocator refused.
    OutOfMemory {
        /// Bytes that were asked for.
        bytes: usize,
    },
    /// Values that take more bytes than there are addresses.
    Overflow {
        /// How many values.
        values: usize,
    },
}

/// A result whose error is memory that cannot be had.
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory { bytes } => {
                write!(f, "the data needs an allocation of {bytes} bytes, which the system refused")
            },
            Self::Overflow { values } => write!(f, "{values} values overflow the address space"),
        }
    }
}

impl std::error::Error for Error {}
