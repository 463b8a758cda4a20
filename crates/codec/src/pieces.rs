//! A large input is cut in pieces that are compressed independently, so that all cores take part.
#![cfg(any(feature = "lz4", feature = "zstd"))]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::{Error, Result, Run};

/// Has every piece of work run at least once, by `run` or, whatever that leaves out, here: memory that the pieces fill
/// is taken to be written afterwards, and `run` is safe code of somebody else.
pub(crate) fn run_all(n: usize, run: Run<'_>, work: &(dyn Fn(usize) + Sync)) {
    let done: Vec<AtomicBool> = (0..n).map(|_| AtomicBool::new(false)).collect();
    run(n, &|i| {
        if let Some(done) = done.get(i) {
            work(i);
            done.store(true, Ordering::Relaxed);
        }
    });
    // No call goes on after `run` has returned: it would outlive the borrow of `done`.
    for (i, done) in done.into_iter().enumerate() {
        if !done.into_inner() {
            work(i);
        }
    }
}

/// The frames that `append` makes of each `size` bytes of `input`, in order.
pub(crate) fn compress(
    input: &[u8],
    size: usize,
    run: Run<'_>,
    append: impl Fn(&[u8], &mut Vec<u8>) -> Result<()> + Sync,
) -> Result<Vec<Vec<u8>>> {
    let pieces: Vec<&[u8]> = input.chunks(size).collect();
    let frames: Vec<Mutex<Result<Vec<u8>>>> = pieces.iter().map(|_| Mutex::new(Ok(Vec::new()))).collect();
    run_all(pieces.len(), run, &|i| {
        if let (Some(piece), Some(slot)) = (pieces.get(i), frames.get(i)) {
            let mut frame = Vec::new();
            let result = append(piece, &mut frame);
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = result.map(|()| frame);
        }
    });
    frames.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

/// Reserves room in `out` for a frame of `len` bytes.
pub(crate) fn reserve(out: &mut Vec<u8>, len: usize) -> Result<()> {
    out.try_reserve_exact(len)
        .map_err(|_| Error::OutOfMemory(format!("a frame of {len} bytes does not fit in memory")))
}
