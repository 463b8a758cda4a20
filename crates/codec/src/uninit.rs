//! Memory that a C library writes first: the spare capacity of a `Vec`.

use std::mem::MaybeUninit;

use crate::{Error, Result};

/// Appends to `out` what `write` puts at the start of the `bound` bytes it gets. `out` is as it was on `Err`.
///
/// # Safety
/// When `write` returns `Ok(n)`, it must have written the first `n` bytes.
pub(crate) unsafe fn append(
    out: &mut Vec<u8>,
    bound: usize,
    write: impl FnOnce(&mut [MaybeUninit<u8>]) -> Result<usize>,
) -> Result<()> {
    out.try_reserve(bound)
        .map_err(|e| Error::OutOfMemory(format!("no memory for a buffer of up to {bound} bytes: {e}")))?;
    // Exactly `bound` bytes, not the whole spare capacity: output must not depend on the capacity.
    let written = write(&mut out.spare_capacity_mut()[..bound])?;
    if written > bound {
        return Err(Error::Encoder(format!("a codec reported {written} bytes written into {bound}")));
    }
    // SAFETY: `bound` bytes are reserved behind the length and `written <= bound`, checked above; the caller
    // vouches that `written` bytes are initialised.
    unsafe { out.set_len(out.len() + written) };
    Ok(())
}

/// The first `len` bytes of `bytes`.
///
/// # Safety
/// They must have been written.
#[cfg(any(feature = "lz4", feature = "zstd"))]
pub(crate) unsafe fn written(bytes: &[MaybeUninit<u8>], len: usize) -> &[u8] {
    let bytes = &bytes[..len];
    // SAFETY: the slice is `len` bytes long (indexed above) and the caller vouches that they are initialised;
    // `MaybeUninit<u8>` has the layout of `u8`.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

/// All of `bytes`, to be changed.
///
/// # Safety
/// They must have been written.
pub(crate) unsafe fn written_mut(bytes: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    // SAFETY: the same memory and length; the caller vouches that all of it is initialised.
    unsafe { std::slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len()) }
}

/// The same bytes, to be copied to where none are written yet.
#[cfg(feature = "lz4")]
pub(crate) fn unwritten(bytes: &[u8]) -> &[MaybeUninit<u8>] {
    // SAFETY: the same memory with the same lifetime; `MaybeUninit<u8>` has the layout of `u8`, and nothing is
    // de-initialised through a shared reference.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}
