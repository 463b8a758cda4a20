//! Decompression to the end of a `Vec`, for callers without `unsafe`.

use crate::{Codec, Error, Result, decompress, max_decompressed_len, uninit};

/// Appends the `len` bytes that `frame` holds to `out`.
///
/// `len` is a claim: it is held against [`max_decompressed_len`] before memory is allocated.
///
/// # Errors
/// As [`decompress`]; if the frame cannot hold `len` bytes, or memory runs out. `out` is as it was.
///
#[cfg_attr(feature = "lz4", doc = "```")]
#[cfg_attr(not(feature = "lz4"), doc = "```ignore")]
/// use floe_codec::{Codec, Compression, compress_always, decompress_append};
///
/// let mut frame = Vec::new();
/// compress_always(Compression::Lz4, &[7; 100], &mut frame)?;
/// let mut out = vec![1];
/// decompress_append(Codec::Lz4, &frame, 100, &mut out)?;
/// assert_eq!((out.len(), out[100]), (101, 7));
/// assert!(decompress_append(Codec::Lz4, &frame, 1 << 40, &mut out).is_err());
/// # floe_codec::Result::Ok(())
/// ```
pub fn decompress_append(codec: Codec, frame: &[u8], len: u64, out: &mut Vec<u8>) -> Result<()> {
    let most = max_decompressed_len(codec, frame);
    let too_long = || {
        Error::Prefix(format!(
            "a buffer states {len} bytes, but its {} bytes hold {most} at most",
            frame.len()
        ))
    };
    if len > most {
        return Err(too_long());
    }
    let len = usize::try_from(len).map_err(|_| too_long())?;
    // SAFETY: `decompress` has written all bytes that it was given when it returns `Ok`.
    unsafe { uninit::append(out, len, |dst| decompress(codec, frame, dst).map(|()| len)) }
}
