//! LZ4 frames and ZSTD over byte slices, as the buffers of compressed Arrow IPC messages hold them.
//!
//! ```text
//!              +-----------------+------------------------------------+
//! stored as    | i64 LE: length  | one LZ4 frame, or ZSTD frames      |   Stored::Frame
//! one of       +-----------------+------------------------------------+
//!              | i64 LE: -1      | the bytes as they are              |   Stored::Raw (read, not written)
//!              +-----------------+------------------------------------+
//!              | i64 LE: 0, or nothing at all                         |   Stored::Empty
//!              +------------------------------------------------------+
//! ```
//!
//! The codec is named once, in the record batch's `BodyCompression`. [`parse`] reads the prefix; writing it is
//! left to the caller, who knows where the buffer goes. Above this crate `floe-array` decides which buffers to
//! compress and where their bytes live; below it are liblz4 and libzstd, nothing else, but for columns of numbers: their
//! LZ4 blocks are made here, and the matches of their ZSTD frames are found here. There is no I/O.
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

mod choice;
mod error;
#[cfg(feature = "lz4")]
mod lz4;
mod lz4_frame;
#[cfg(feature = "lz4")]
mod lz4_values;
mod off;
mod pieces;
mod prefix;
mod probe;
mod stored;
#[cfg(test)]
mod tests;
mod uninit;
mod value;
#[cfg(feature = "lz4")]
mod xxh32;
#[cfg(feature = "zstd")]
mod zstd;

use std::mem::MaybeUninit;

pub use choice::Choice;
use choice::Way;
pub use error::{Error, Result};
#[cfg(not(feature = "lz4"))]
use off::lz4;
#[cfg(not(feature = "zstd"))]
use off::zstd;
pub use prefix::{Stored, parse};
pub use stored::StoredFrame;

/// What a message body is compressed with: the `CompressionType` of its `BodyCompression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Codec {
    /// `LZ4_FRAME`.
    Lz4,
    /// `ZSTD`.
    Zstd,
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
/// ZSTD at levels up to 8 makes frames of 4 MiB each of what is larger than 8 MiB.
///
/// Returns `false`, with `out` as it was, for an input of 256 KiB or more of which an evenly spread sample does not
/// shrink (with ZSTD: at levels up to 3, above which size goes before time): a [`StoredFrame`] is for that.
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
    compress_with(compression, input, out, &one_by_one)
}

/// Runs independent pieces of work: calls the second argument with every number below the first, in any order and
/// on any thread, and returns when all calls have.
pub type Run<'a> = &'a dyn Fn(usize, &(dyn Fn(usize) + Sync));

fn one_by_one(n: usize, work: &(dyn Fn(usize) + Sync)) {
    (0..n).for_each(work);
}

/// As [`compress`], with someone to run the pieces of a large input: its LZ4 blocks, or its ZSTD frames. The bytes do
/// not depend on who that is.
///
/// # Errors
/// As [`compress`].
///
#[cfg_attr(feature = "lz4", doc = "```")]
#[cfg_attr(not(feature = "lz4"), doc = "```ignore")]
/// use floe_codec::{Compression, compress, compress_with};
///
/// let input = vec![7; 20 << 20];
/// let (mut one, mut many) = (Vec::new(), Vec::new());
/// compress(Compression::Lz4, &input, &mut one)?;
/// compress_with(Compression::Lz4, &input, &mut many, &|n, work| (0..n).rev().for_each(work))?;
/// assert_eq!(one, many);
/// # Ok::<(), floe_codec::Error>(())
/// ```
pub fn compress_with(
    compression: Compression,
    input: &[u8],
    out: &mut Vec<u8>,
    run: Run<'_>,
) -> Result<bool> {
    Way::of(compression, input)?.append(input, out, run)
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
    compress_always_with(compression, input, out, &one_by_one)
}

/// As [`compress_always`], with someone to run the pieces of a large input: see [`compress_with`].
///
/// # Errors
/// As [`compress_always`].
///
#[cfg_attr(feature = "lz4", doc = "```")]
#[cfg_attr(not(feature = "lz4"), doc = "```ignore")]
/// use floe_codec::{Codec, Compression, compress_always_with, decompress};
///
/// let mut frame = Vec::new();
/// compress_always_with(Compression::Lz4, &[], &mut frame, &|n, work| (0..n).for_each(work))?;
/// decompress(Codec::Lz4, &frame, &mut [])?;
/// # Ok::<(), floe_codec::Error>(())
/// ```
pub fn compress_always_with(
    compression: Compression,
    input: &[u8],
    out: &mut Vec<u8>,
    run: Run<'_>,
) -> Result<()> {
    let (way, _) = Way::always(compression, input)?;
    way.append(input, out, run).map(drop)
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

/// What is done to a stretch of what has been decompressed: where it starts, and the bytes.
pub type Each<'a> = &'a (dyn Fn(usize, &mut [u8]) + Sync);

/// As [`decompress`], with the parts of a large frame decompressed through `run` where they can be (LZ4's independent
/// blocks, and ZSTD frames that state their size), and with `each` called for stretches that have just been written, while
/// they are in the cache of the core that did: on `Ok`, for every byte of `dst`. Stretches start at multiples of 64 KiB.
/// Where a first attempt fails, a stretch may be written and seen again: what is seen last is what stays.
///
/// # Errors
/// As [`decompress`].
///
#[cfg_attr(feature = "lz4", doc = "```")]
#[cfg_attr(not(feature = "lz4"), doc = "```ignore")]
/// use std::mem::MaybeUninit;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use floe_codec::{Codec, Compression, compress_always, decompress_each};
///
/// let mut frame = Vec::new();
/// compress_always(Compression::Lz4, &vec![7; 5 << 20], &mut frame)?;
/// let mut dst = vec![MaybeUninit::uninit(); 5 << 20];
/// let sum = AtomicUsize::new(0);
/// let each = |_: usize, bytes: &mut [u8]| {
///     sum.fetch_add(bytes.iter().map(|byte| usize::from(*byte)).sum(), Ordering::Relaxed);
/// };
/// decompress_each(Codec::Lz4, &frame, &mut dst, &|n, work| (0..n).for_each(work), &each)?;
/// assert_eq!(sum.into_inner(), 7 * (5 << 20));
/// # floe_codec::Result::Ok(())
/// ```
pub fn decompress_each(
    codec: Codec,
    frame: &[u8],
    dst: &mut [MaybeUninit<u8>],
    run: Run<'_>,
    each: Each<'_>,
) -> Result<()> {
    match codec {
        Codec::Lz4 if lz4::decompress_in_pieces(frame, dst, run, each)? => return Ok(()),
        Codec::Lz4 => lz4::decompress(frame, dst)?,
        Codec::Zstd => zstd::decompress_with(frame, dst, run)?,
    }
    // SAFETY: all of it has been written: decompressing returned `Ok`.
    each(0, unsafe { uninit::written_mut(dst) });
    Ok(())
}

/// An upper bound of how many bytes `frame` can decompress to, whatever it claims.
///
/// A length prefix above it is a lie: refuse it before allocating. The bound comes from the formats (one byte of
/// LZ4 adds at most 255, four bytes of ZSTD at most a block of 128 KiB) and from the sizes ZSTD frames state.
/// It is not a check of the frame, and needs no feature.
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
    let len = u64::try_from(frame.len()).unwrap_or(u64::MAX);
    match codec {
        Codec::Lz4 => lz4_frame::max_len(len),
        Codec::Zstd => {
            let blocks = (len / 4 + 1).saturating_mul(128 << 10);
            zstd::stated_len(frame).map_or(blocks, |stated| stated.min(blocks))
        },
    }
}
