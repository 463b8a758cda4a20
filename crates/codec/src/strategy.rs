//! The four ways from a buffer to a frame, behind one interface.
//!
//! ```text
//!   strategy        frame                                       chosen when
//!   Uncompressed    blocks stored as they are (`uncompressed`)  a sample does not shrink
//!   Library         liblz4's or libzstd's                       text, small inputs, levels above 3, what else it does best
//!   ColumnarLz4     matches of one key per value (`lz4`)        numbers whose values repeat in part
//!   ColumnarZstd    the same, entropy coded (`zstd`)            as above, at level 3
//! ```
//!
//! [`Strategy::choose`] estimates from a sample, [`Strategy::append`] compresses. A reader of this crate may skip the
//! match finders (`lz4/columnar.rs`, `lz4/block.rs`, `zstd/columnar.rs`, `zstd/estimate.rs`): their frames are like any
//! other.
//!
//! A new codec takes a variant of [`Codec`](crate::Codec) and [`Compression`], and a module beside `lz4` and `zstd`
//! with `check`, `choose`, `append` and `decompress`. It also takes an arm in this file, and one in `lib.rs`.

use floe_runtime::Executor;

use crate::{Compression, Result, lz4, zstd};

/// How a frame is made. The bytes depend on the strategy and the input only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// Not at all: compressing the input is not worth the time. The caller stores it as it is.
    Uncompressed,
    /// By liblz4 or libzstd, which look for matches at every byte.
    Library(Library),
    /// Value by value, as an LZ4 frame.
    ColumnarLz4(lz4::Columnar),
    /// Value by value, as ZSTD frames.
    ColumnarZstd(zstd::Columnar),
}

/// The parameters given to a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Library {
    Lz4(lz4::Liblz4),
    Zstd(zstd::Libzstd),
}

impl Strategy {
    /// The strategy for `input`, estimated from a sample.
    pub(crate) fn choose(compression: Compression, input: &[u8]) -> Result<Self> {
        let (strategy, is_worth_it) = Self::choose_compressed(compression, input)?;
        Ok(if is_worth_it { strategy } else { Self::Uncompressed })
    }

    /// The strategy for an input that is compressed in any case, and whether a sample says that it is worth the time.
    pub(crate) fn choose_compressed(compression: Compression, input: &[u8]) -> Result<(Self, bool)> {
        compression.check()?;
        match compression {
            Compression::Lz4 => lz4::choose(input),
            Compression::Zstd { level } => zstd::choose(level, input),
        }
    }

    /// Appends the frame of `input` to `out`; `false`, with `out` as it was, if the strategy is to leave it
    /// uncompressed.
    pub(crate) fn append(&self, input: &[u8], out: &mut Vec<u8>, executor: &dyn Executor) -> Result<bool> {
        match self {
            Self::Uncompressed => return Ok(false),
            Self::Library(Library::Lz4(library)) => lz4::append(library, input, out, executor)?,
            Self::Library(Library::Zstd(library)) => zstd::append(library, input, out, executor)?,
            Self::ColumnarLz4(columnar) => lz4::append(columnar, input, out, executor)?,
            Self::ColumnarZstd(columnar) => zstd::append(columnar, input, out, executor)?,
        }
        Ok(true)
    }

    /// The name of the strategy, for tracing.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Uncompressed => "uncompressed",
            Self::Library(Library::Lz4(_)) => "liblz4",
            Self::Library(Library::Zstd(_)) => "libzstd",
            Self::ColumnarLz4(_) => "columnar-lz4",
            Self::ColumnarZstd(_) => "columnar-zstd",
        }
    }
}

/// Makes one frame of a piece of input.
pub(crate) trait Encoder: Sync {
    /// Appends the frame to `out`; after an error `out` is as it was.
    fn append(&self, input: &[u8], out: &mut Vec<u8>) -> Result<()>;

    /// The bytes that a sample comes to.
    fn compressed_len(&self, sample: &[u8]) -> Result<usize> {
        let mut frame = Vec::new();
        self.append(sample, &mut frame)?;
        Ok(frame.len())
    }
}
