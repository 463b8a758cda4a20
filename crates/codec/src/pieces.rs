//! A large input is cut in pieces that are compressed independently, so that all cores take part.
#![cfg(any(feature = "lz4", feature = "zstd"))]

use floe_runtime::Executor;

use crate::{Error, Result};

/// The frames that `append` makes of each `size` bytes of `input`, in order.
pub(crate) fn compress(
    input: &[u8],
    size: usize,
    executor: &dyn Executor,
    append: impl Fn(&[u8], &mut Vec<u8>) -> Result<()> + Sync,
) -> Result<Vec<Vec<u8>>> {
    let frames = executor.map_jobs(input.chunks(size).collect(), |piece| {
        let mut frame = Vec::new();
        append(piece, &mut frame)?;
        Ok(frame)
    });
    frames.into_iter().collect()
}

/// Reserves room in `out` for a frame of `len` bytes.
pub(crate) fn reserve(out: &mut Vec<u8>, len: usize) -> Result<()> {
    out.try_reserve_exact(len)
        .map_err(|_| Error::OutOfMemory(format!("a frame of {len} bytes does not fit in memory")))
}
