//! Marker, length and padding around the metadata of one message. (Arrow `Columnar.rst`,
//! "Encapsulated message format".)
//!
//! ```text
//! | FF FF FF FF | i32 length | flatbuffer | zeros | body ...
//! |<-- 4 ------>|<--- 4 ---->|<---- length ------>|
//! |<--------------- metadata_len ---------------->|  ^ a multiple of 64
//! ```
//!
//! Read by [`decoder`](crate::decoder).

use crate::constants::{ALIGNMENT, CONTINUATION};
use crate::{Error, Result};

/// Marker and length.
const PREFIX_LEN: usize = 8;

/// Appends one message head to `out`: marker, length, `metadata`, zeros. The padding makes the body
/// start at a multiple of 64, counted from where `position` is 0; `position` is where this message
/// starts. Returns the length of the head: the [`Block::metadata_len`].
///
/// ```
/// let mut out = b"ARROW1\0\0".to_vec();
/// let head = floe_format::write_head(&mut out, &[7; 20], 8)?;
/// assert_eq!((head, out.len()), (56, 64));
/// assert_eq!(out[8..16], [0xff, 0xff, 0xff, 0xff, 48, 0, 0, 0]);
/// # Ok::<(), floe_format::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the metadata is longer than an i32 says, or
/// if `position` is not a multiple of 8, where no message may start.
///
/// [`Block::metadata_len`]: crate::Block::metadata_len
pub fn write_head(out: &mut Vec<u8>, metadata: &[u8], position: u64) -> Result<usize> {
    if !position.is_multiple_of(8) {
        return Err(Error::invalid(format!("a message cannot start at byte {position}, no multiple of 8")));
    }
    let too_long =
        || Error::invalid(format!("metadata of {} bytes; the format allows 2 GiB", metadata.len()));
    // Only the position modulo 64 matters, which keeps the sums small.
    let phase = usize::try_from(position % 64).map_err(|_| too_long())?;
    let end = phase
        .checked_add(PREFIX_LEN)
        .and_then(|start| start.checked_add(metadata.len()))
        .and_then(|end| end.checked_next_multiple_of(ALIGNMENT))
        .ok_or_else(too_long)?;
    let head = end - phase;
    let length = i32::try_from(head - PREFIX_LEN).map_err(|_| too_long())?;
    out.reserve(head);
    let start = out.len();
    out.extend_from_slice(&CONTINUATION);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(metadata);
    out.resize(start + head, 0);
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_start_at_multiples_of_64() {
        for position in (0..256u64).step_by(8) {
            for len in 0..130 {
                let mut out = vec![1, 2, 3];
                let head = write_head(&mut out, &vec![7; len], position).unwrap();
                assert_eq!((position + u64::try_from(head).unwrap()) % 64, 0);
                assert!(head >= 8 + len && head < 8 + len + 64 && head.is_multiple_of(8));
                assert_eq!(out.len(), 3 + head);
                assert_eq!(out[7..11], i32::try_from(head - 8).unwrap().to_le_bytes());
                assert!(out[11 + len..].iter().all(|&byte| byte == 0));
            }
        }
        assert!(write_head(&mut Vec::new(), &[], 4).is_err());
        assert_eq!(write_head(&mut Vec::new(), &[], u64::MAX - 7), Ok(8));
    }
}
