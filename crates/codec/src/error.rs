//! The one error of this crate: a sentence that says what is wrong and what to do.

use std::fmt;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a buffer could not be compressed or decompressed.
///
/// ```
/// let error = floe_codec::parse(&[1, 2, 3]).err().unwrap();
/// assert!(error.to_string().contains("8-byte length"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}
