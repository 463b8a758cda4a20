//! The length in front of a compressed buffer: an `i64`, little endian, as `BodyCompression` defines it.

use crate::{Error, Result};

/// Bytes of the length prefix.
const PREFIX_BYTES: usize = 8;
/// The prefix of a buffer whose bytes follow uncompressed.
const RAW: i64 = -1;

/// A buffer of a compressed message body, with its prefix read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParsedBuffer<'a> {
    /// No bytes: the buffer is absent (its prefix may be too) or states a length of 0.
    Empty,
    /// Prefix -1: the bytes after the prefix are the buffer.
    Raw(&'a [u8]),
    /// A frame of the body's codec, or of ZSTD several.
    Frame {
        /// How many bytes the prefix says the frame holds: a claim, to be held against
        /// [`max_decompressed_len`](crate::max_decompressed_len) before memory is allocated for it.
        len: u64,
        /// The frame, from its magic number to the end of the buffer.
        frame: &'a [u8],
    },
}

/// Reads the prefix of a buffer of a compressed message body.
///
/// # Errors
/// If there are 1 to 7 bytes, or the prefix is negative but not -1.
///
/// ```
/// use floe_codec::{ParsedBuffer, parse};
///
/// assert_eq!(parse(&[])?, ParsedBuffer::Empty);
/// assert_eq!(parse(b"\xff\xff\xff\xff\xff\xff\xff\xffas is")?, ParsedBuffer::Raw(b"as is"));
/// assert_eq!(parse(b"\x05\0\0\0\0\0\0\0frame")?, ParsedBuffer::Frame { len: 5, frame: b"frame" });
/// # Ok::<(), floe_codec::Error>(())
/// ```
pub fn parse(buffer: &[u8]) -> Result<ParsedBuffer<'_>> {
    let Some((prefix, rest)) = buffer.split_first_chunk::<PREFIX_BYTES>() else {
        if buffer.is_empty() {
            return Ok(ParsedBuffer::Empty);
        }
        let have = buffer.len();
        return Err(Error::Prefix(format!(
            "a compressed buffer starts with its 8-byte length, but has {have} bytes: the data is truncated"
        )));
    };
    match i64::from_le_bytes(*prefix) {
        0 => Ok(ParsedBuffer::Empty),
        RAW => Ok(ParsedBuffer::Raw(rest)),
        len => match u64::try_from(len) {
            Ok(len) => Ok(ParsedBuffer::Frame { len, frame: rest }),
            Err(_) => Err(Error::Prefix(format!(
                "a compressed buffer states the length {len}: only -1 (stored raw) may be negative, the data is corrupt"
            ))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_prefix(prefix: i64, rest: &[u8]) -> Vec<u8> {
        [prefix.to_le_bytes().as_slice(), rest].concat()
    }

    #[test]
    fn every_kind_of_prefix() {
        assert_eq!(parse(&[]), Ok(ParsedBuffer::Empty));
        assert_eq!(parse(&with_prefix(0, b"")), Ok(ParsedBuffer::Empty));
        assert_eq!(parse(&with_prefix(0, b"frame of nothing")), Ok(ParsedBuffer::Empty));
        assert_eq!(parse(&with_prefix(-1, b"")), Ok(ParsedBuffer::Raw(b"")));
        assert_eq!(parse(&with_prefix(-1, b"abc")), Ok(ParsedBuffer::Raw(b"abc")));
        assert_eq!(parse(&with_prefix(9, b"f")), Ok(ParsedBuffer::Frame { len: 9, frame: b"f" }));
        let max = u64::try_from(i64::MAX).unwrap();
        assert_eq!(parse(&with_prefix(i64::MAX, b"")), Ok(ParsedBuffer::Frame { len: max, frame: b"" }));
    }

    #[test]
    fn bad_prefixes_are_named() {
        for len in 1..8 {
            assert!(parse(&vec![0; len]).unwrap_err().to_string().contains(&format!("has {len} bytes")));
        }
        for prefix in [-2, -1000, i64::MIN] {
            let error = parse(&with_prefix(prefix, b"abc")).unwrap_err();
            assert!(error.to_string().contains(&prefix.to_string()), "{error}");
        }
    }
}
