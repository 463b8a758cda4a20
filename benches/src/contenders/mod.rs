//! The implementations that are compared, each doing the same few things: write a frame to a file or a stream,
//! read one back.

pub mod arrow_rs;
pub mod eager;
pub mod floe;
pub mod lazy;
pub mod pyarrow;

use ::floe::prelude::{IpcCompression, ZstdLevel};

/// Which of the two formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// With a footer.
    File,
    /// From start to end.
    Stream,
}

impl Format {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::File, Self::Stream];

    /// As it is called in a cell's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Stream => "stream",
        }
    }
}

/// The codecs: none, LZ4, ZSTD at level 3.
pub const CODECS: [Codec; 3] = [Codec::Raw, Codec::Lz4, Codec::Zstd];

/// The compression of buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    Raw,
    /// LZ4 frames.
    Lz4,
    /// ZSTD, level 3.
    Zstd,
}

impl Codec {
    /// As it is called in a cell's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Lz4 => "LZ4",
            Self::Zstd => "ZSTD 3",
        }
    }

    /// For floe and Polars.
    #[must_use]
    pub fn polars(self) -> Option<IpcCompression> {
        match self {
            Self::Raw => None,
            Self::Lz4 => Some(IpcCompression::LZ4),
            Self::Zstd => Some(IpcCompression::ZSTD(ZstdLevel::try_new(3).expect("a level"))),
        }
    }

    /// For floe's own codec crate.
    #[must_use]
    pub fn floe(self) -> Option<floe_codec::Compression> {
        match self {
            Self::Raw => None,
            Self::Lz4 => Some(floe_codec::Compression::Lz4),
            Self::Zstd => Some(floe_codec::Compression::Zstd { level: 3 }),
        }
    }
}
