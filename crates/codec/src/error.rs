//! The errors of this crate, as data: each says what is wrong and what to do.

use std::fmt;

use crate::Codec;

/// The result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a buffer could not be compressed or decompressed.
///
/// ```
/// use floe_codec::{Error, parse};
///
/// let error = parse(&[1, 2, 3]).unwrap_err();
/// assert!(matches!(error, Error::Prefix(_)));
/// assert!(error.to_string().contains("8-byte length"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The codec is not part of this build: its feature is off.
    NotEnabled(Codec),
    /// ZSTD has no such level.
    Level {
        /// The level that was asked for.
        level: i32,
        /// The fastest level there is.
        min: i32,
        /// The level with the smallest frames.
        max: i32,
    },
    /// Memory ran out. The purpose, and how much.
    OutOfMemory(String),
    /// The length in front of a compressed buffer is cut off or not one.
    Prefix(String),
    /// The bytes are not frames of this codec, or are corrupt or truncated.
    Corrupt {
        /// The codec they were decompressed with.
        codec: Codec,
        /// The reason, in words.
        what: String,
    },
    /// The frame is whole, but does not hold as many bytes as the buffer's length states.
    Length {
        /// The codec it was decompressed with.
        codec: Codec,
        /// The bytes that the buffer's length states.
        expected: usize,
    },
    /// An encoder failed, or broke one of its own invariants: a bug, of which the message says more.
    Encoder(String),
}

impl Error {
    pub(crate) fn corrupt(codec: Codec, what: impl Into<String>) -> Self {
        Self::Corrupt { codec, what: what.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEnabled(codec) => {
                let feature = match codec {
                    Codec::Lz4 => "lz4",
                    Codec::Zstd => "zstd",
                };
                write!(
                    f,
                    "{codec} is not part of this build: enable the feature `{feature}` of floe (or floe-codec)"
                )
            },
            Self::Level { level, min, max } => {
                write!(f, "ZSTD has no level {level}: choose one from {min} (fastest) to {max} (smallest)")
            },
            Self::Corrupt { what, .. } => f.write_str(what),
            Self::Length { codec: Codec::Lz4, expected } => {
                write!(f, "an LZ4 frame does not hold the {expected} bytes its buffer's length states")
            },
            Self::Length { codec: Codec::Zstd, expected } => {
                write!(f, "ZSTD frames do not hold the {expected} bytes their buffer's length states")
            },
            Self::OutOfMemory(message) | Self::Prefix(message) | Self::Encoder(message) => {
                f.write_str(message)
            },
        }
    }
}

impl std::error::Error for Error {}
