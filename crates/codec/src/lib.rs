//! LZ4 frames and ZSTD over byte slices, as the buffers of compressed Arrow IPC messages hold them.
//!
//! ```text
//!              +-----------------+------------------------------------+
//! stored as    | i64 LE: length  | one LZ4 frame, or ZSTD frames      |   ParsedBuffer::Frame
//! one of       +-----------------+------------------------------------+
//!              | i64 LE: -1      | the bytes as they are              |   ParsedBuffer::Raw (read, not written)
//!              +-----------------+------------------------------------+
//!              | i64 LE: 0, or nothing at all                         |   ParsedBuffer::Empty
//!              +------------------------------------------------------+
//! ```
//!
//! The codec is named once, in the record batch's `BodyCompression`. [`parse`] reads the prefix; writing it is
//! left to the caller, who knows where the buffer goes.
//!
//! Above this crate, `floe-frame` decides which buffers are compressed and where their bytes go, and `floe-array` where
//! decompressed bytes live. Below it are liblz4 and libzstd. There is no I/O.
//!
//! ```text
//!   input -> plan (CompressionPlan: a sample, then one Strategy) -> frame
//!              |                        |
//!              '- sample.rs             '- Uncompressed | Library | ColumnarLz4 | ColumnarZstd
//! ```
//!
//! `strategy.rs` lists the four strategies and says how to add a codec. The columnar ones are this crate's own: for
//! columns of numbers it makes the LZ4 blocks, or finds the matches of ZSTD frames, itself.
//!
//! The frames written are the same for the same input, codec and level, whatever was compressed before and on
//! whichever thread. Any input to [`decompress`] ends in `Ok` with every byte of the destination written, or in
//! an [`Error`].
//!
#![cfg_attr(feature = "lz4", doc = "```")]
#![cfg_attr(not(feature = "lz4"), doc = "```ignore")]
//! use floe_codec::{Codec, Compression, compress, decompress};
//!
//! let ints: Vec<u8> = (0..10_000u64).flat_map(u64::to_le_bytes).collect();
//! let mut frame = Vec::new();
//! assert!(compress(Compression::Lz4, &ints, &mut frame)?);
//! assert!(frame.len() < ints.len());
//!
//! let mut back = Vec::with_capacity(ints.len());
//! decompress(Codec::Lz4, &frame, &mut back.spare_capacity_mut()[..ints.len()])?;
//! // SAFETY: `decompress` returned Ok, so all `ints.len()` bytes are written.
//! unsafe { back.set_len(ints.len()) };
//! assert_eq!(back, ints);
//! # Ok::<(), floe_codec::Error>(())
//! ```
#![warn(missing_debug_implementations)]
#![cfg_attr(
    not(all(feature = "lz4", feature = "zstd")),
    allow(dead_code, reason = "what only a codec that is off would use")
)]

mod append;
mod disabled;
mod error;
#[cfg(feature = "lz4")]
mod lz4;
mod match_key;
mod pieces;
mod plan;
mod prefix;
mod sample;
mod strategy;
#[cfg(test)]
mod tests;
mod uncompressed;
mod uninit;
mod value;
#[cfg(feature = "zstd")]
mod zstd;

use std::mem::MaybeUninit;

pub use append::decompress_append;
use floe_runtime::{Executor, Serial};

#[cfg(not(feature = "lz4"))]
use disabled::lz4;
#[cfg(not(feature = "zstd"))]
use disabled::zstd;
pub use error::{Error, Result};
pub use plan::CompressionPlan;
pub use prefix::{ParsedBuffer, parse};
use strategy::Strategy;
pub use uncompressed::UncompressedFrame;

/// The codec of a message body: the `CompressionType` of its `BodyCompression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// `LZ4_FRAME`.
    Lz4,
    /// `ZSTD`.
    Zstd,
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lz4 => "LZ4",
            Self::Zstd => "ZSTD",
        })
    }
}

/// How to compress: a codec and, for ZSTD, how hard to try.
///
/// ```
/// use floe_codec::{Codec, Compression};
/// assert_eq!(Compression::Zstd { level: 3 }.codec(), Codec::Zstd);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compression {
    /// LZ4 at its fastest level.
    Lz4,
    /// ZSTD.
    Zstd {
        /// From -131072 (fastest) to 22 (smallest); 0 is ZSTD's default, 3.
        level: i32,
    },
}

impl Compression {
    /// The codec, without the level.
    #[must_use]
    pub const fn codec(self) -> Codec {
        match self {
            Self::Lz4 => Codec::Lz4,
            Self::Zstd { .. } => Codec::Zstd,
        }
    }

    /// Whether this build has the codec and the codec has the level.
    fn check(self) -> Result<()> {
        match self {
            Self::Lz4 => lz4::check(),
            Self::Zstd { level } => zstd::check(level),
        }
    }
}

/// Appends the frame that holds `input` to `out`, without a length prefix, if that is worth the time.
///
/// ZSTD at levels up to 8 makes frames of 4 MiB each of inputs larger than 8 MiB.
///
/// Returns `false`, with `out` as it was, for an input of at least 256 KiB if an evenly spread sample of it does not
/// shrink. [`UncompressedFrame`] is for such inputs. At ZSTD levels above 3, where size goes before time, the result is
/// always `true`.
///
/// # Errors
/// If the codec's feature is not enabled, the level is out of range, or memory runs out; `out` is as it was.
///
#[cfg_attr(feature = "lz4", doc = "```")]
#[cfg_attr(not(feature = "lz4"), doc = "```ignore")]
/// use floe_codec::{Compression, compress};
///
/// let mut out = vec![7];
/// assert!(compress(Compression::Lz4, &[0; 1000], &mut out)?);
/// assert!(out.len() < 100 && out[0] == 7);
/// # Ok::<(), floe_codec::Error>(())
/// ```
pub fn compress(compression: Compression, input: &[u8], out: &mut Vec<u8>) -> Result<bool> {
    compress_with(compression, input, out, &Serial)
}

/// As [`compress`], with an executor for the pieces of a large input: its LZ4 blocks, or its ZSTD frames. The bytes do
/// not depend on it.
///
/// # Errors
/// As [`compress`].
///
#[cfg_attr(feature = "lz4", doc = "```")]
#[cfg_attr(not(feature = "lz4"), doc = "```ignore")]
/// use floe_codec::{Compression, compress, compress_with};
/// use floe_runtime::Executor;
///
/// struct Backwards;
///
/// impl Executor for Backwards {
///     fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
///         (0..n).rev().for_each(work);
///     }
/// }
///
/// let input = vec![7; 20 << 20];
/// let (mut one, mut many) = (Vec::new(), Vec::new());
/// compress(Compression::Lz4, &input, &mut one)?;
/// compress_with(Compression::Lz4, &input, &mut many, &Backwards)?;
/// assert_eq!(one, many);
/// # Ok::<(), floe_codec::Error>(())
/// ```
pub fn compress_with(
    compression: Compression,
    input: &[u8],
    out: &mut Vec<u8>,
    executor: &dyn Executor,
) -> Result<bool> {
    CompressionPlan::for_one(compression, input)?.compress(input, out, executor)
}

/// Appends the frame that holds `input` to `out`, without a length prefix, whatever its size.
///
/// # Errors
/// If the codec's feature is not enabled, the level is out of range, or memory runs out; `out` is as it was.
///
#[cfg_attr(feature = "zstd", doc = "```")]
#[cfg_attr(not(feature = "zstd"), doc = "```ignore")]
/// use floe_codec::{Codec, Compression, compress_always, decompress};
///
/// let mut frame = Vec::new();
/// compress_always(Compression::Zstd { level: 1 }, &[], &mut frame)?;
/// decompress(Codec::Zstd, &frame, &mut [])?;
/// # Ok::<(), floe_codec::Error>(())
/// ```
pub fn compress_always(compression: Compression, input: &[u8], out: &mut Vec<u8>) -> Result<()> {
    compress_always_with(compression, input, out, &Serial)
}

/// As [`compress_always`], with an executor for the pieces of a large input: see [`compress_with`].
///
/// # Errors
/// As [`compress_always`].
///
#[cfg_attr(feature = "lz4", doc = "```")]
#[cfg_attr(not(feature = "lz4"), doc = "```ignore")]
/// use floe_codec::{Codec, Compression, compress_always_with, decompress};
/// use floe_runtime::Serial;
///
/// let mut frame = Vec::new();
/// compress_always_with(Compression::Lz4, &[], &mut frame, &Serial)?;
/// decompress(Codec::Lz4, &frame, &mut [])?;
/// # Ok::<(), floe_codec::Error>(())
/// ```
pub fn compress_always_with(
    compression: Compression,
    input: &[u8],
    out: &mut Vec<u8>,
    executor: &dyn Executor,
) -> Result<()> {
    let (strategy, _) = Strategy::choose_compressed(compression, input)?;
    strategy.append(input, out, executor).map(drop)
}

/// Decompresses `frame`, which must hold exactly `dst.len()` bytes, into `dst`.
///
/// On `Ok` every byte of `dst` is written. After an error `dst` may be written in part.
///
/// # Errors
/// If the codec's feature is not enabled, or `frame` is not one whole, valid LZ4 frame (or one or more of ZSTD) of
/// `dst.len()` bytes with nothing after it.
///
/// ```
/// use std::mem::MaybeUninit;
/// use floe_codec::{Codec, decompress};
///
/// let mut dst = [MaybeUninit::uninit(); 4];
/// assert!(decompress(Codec::Zstd, b"not a frame", &mut dst).is_err());
/// ```
pub fn decompress(codec: Codec, frame: &[u8], dst: &mut [MaybeUninit<u8>]) -> Result<()> {
    match codec {
        Codec::Lz4 => lz4::decompress(frame, dst),
        Codec::Zstd => zstd::decompress(frame, dst),
    }
}

/// Callback run on each decompressed chunk while it is in cache: the offset of the chunk, and its bytes.
pub type Each<'a> = &'a (dyn Fn(usize, &mut [u8]) + Sync);

/// As [`decompress`], with the parts of a large frame decompressed through the executor where they can be: LZ4's independent
/// blocks, and ZSTD frames that state their size.
///
/// `each` is called for every chunk right after it was written, by the core that wrote it. On `Ok` the chunks cover all of
/// `dst`. Chunks start at multiples of 64 KiB. If a first attempt fails, a chunk may be written and seen again; the
/// last call counts.
///
/// # Errors
/// As [`decompress`].
///
#[cfg_attr(feature = "lz4", doc = "```")]
#[cfg_attr(not(feature = "lz4"), doc = "```ignore")]
/// use std::mem::MaybeUninit;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use floe_codec::{Codec, Compression, compress_always, decompress_each};
/// use floe_runtime::Serial;
///
/// let mut frame = Vec::new();
/// compress_always(Compression::Lz4, &vec![7; 5 << 20], &mut frame)?;
/// let mut dst = vec![MaybeUninit::uninit(); 5 << 20];
/// let sum = AtomicUsize::new(0);
/// let each = |_: usize, bytes: &mut [u8]| {
///     sum.fetch_add(bytes.iter().map(|byte| usize::from(*byte)).sum(), Ordering::Relaxed);
/// };
/// decompress_each(Codec::Lz4, &frame, &mut dst, &Serial, &each)?;
/// assert_eq!(sum.into_inner(), 7 * (5 << 20));
/// # floe_codec::Result::Ok(())
/// ```
pub fn decompress_each(
    codec: Codec,
    frame: &[u8],
    dst: &mut [MaybeUninit<u8>],
    executor: &dyn Executor,
    each: Each<'_>,
) -> Result<()> {
    match codec {
        Codec::Lz4 if lz4::decompress_in_pieces(frame, dst, executor, each)? => return Ok(()),
        Codec::Lz4 => lz4::decompress(frame, dst)?,
        Codec::Zstd => zstd::decompress_with(frame, dst, executor)?,
    }
    // SAFETY: all of it has been written: decompressing returned `Ok`.
    each(0, unsafe { uninit::written_mut(dst) });
    Ok(())
}

/// An upper bound of how many bytes `frame` can decompress to, whatever it claims.
///
/// A length prefix above it is a lie: refuse it before allocating. The bound follows from the formats and from the
/// sizes that ZSTD frames state. One byte of LZ4 adds at most 255, four bytes of ZSTD at most a block of 128 KiB. It is
/// not a check of the frame, and needs no feature.
///
/// ```
/// use floe_codec::{Codec, max_decompressed_len};
///
/// let claim = 1 << 40;
/// assert!(max_decompressed_len(Codec::Lz4, &[0; 100]) < claim);
/// assert!(max_decompressed_len(Codec::Zstd, &[0; 100]) < claim);
/// ```
#[must_use]
pub fn max_decompressed_len(codec: Codec, frame: &[u8]) -> u64 {
    let bound = max_expanded_len(codec, frame.len() as u64);
    match codec {
        Codec::Lz4 => bound,
        Codec::Zstd => zstd::stated_len(frame).map_or(bound, |stated| stated.min(bound)),
    }
}

/// An upper bound of how many bytes any frames of `len` bytes can decompress to, for callers that know only the length.
///
/// ```
/// use floe_codec::{Codec, max_decompressed_len, max_expanded_len};
///
/// assert!(max_decompressed_len(Codec::Zstd, &[0; 100]) <= max_expanded_len(Codec::Zstd, 100));
/// ```
#[must_use]
pub fn max_expanded_len(codec: Codec, len: u64) -> u64 {
    match codec {
        // No byte of a block adds more than 255 bytes: lengths are sums of bytes, and the least match is paid for.
        Codec::Lz4 => len.saturating_mul(255),
        // A block of RLE takes four bytes, and holds 128 KiB at most.
        Codec::Zstd => (len / 4 + 1).saturating_mul(128 << 10),
    }
}
