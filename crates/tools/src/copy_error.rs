//! Why a copy fails.

use std::io;

use crate::fault::Fault;

/// Why messages cannot simply be copied: something has to be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyError {
    /// The formats do not allow it, in words: columns differ, or a file would need two dictionaries of one id.
    Impossible(String),
    /// Something is wrong with the input.
    Fault(Fault),
    /// Writing failed.
    Write(String, io::ErrorKind),
}

impl From<Fault> for CopyError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for CopyError {
    fn from(error: io::Error) -> Self {
        Self::Write(error.to_string(), error.kind())
    }
}

impl std::fmt::Display for CopyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Impossible(why) => f.write_str(why),
            Self::Fault(fault) => fault.fmt(f),
            Self::Write(why, _) => write!(f, "writing failed: {why}"),
        }
    }
}

impl std::error::Error for CopyError {}
