//! What a decoder needs from its surroundings: the bytes of a body, and someone to run its work.

use std::ops::Range;

use floe_format::Result;
use polars_buffer::Buffer;

/// The body of a message, wherever its bytes are: in memory, in a memory map, in a file.
///
/// Ranges have been checked against the body's length before they get here.
pub trait Body: Send + Sync {
    /// The range as shared memory, if the body is in memory already.
    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>>;

    /// The range as memory that is only lent: enough to decompress from.
    fn lent(&self, range: Range<u64>) -> Option<&[u8]> {
        let _ = range;
        None
    }

    /// Copies the range into `dst`, which has its length.
    ///
    /// # Errors
    /// When the bytes cannot be read.
    fn read_into(&self, range: Range<u64>, dst: &mut [u8]) -> Result<()>;
}

impl Body for Buffer<u8> {
    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        let start = usize::try_from(range.start).ok()?;
        let end = usize::try_from(range.end).ok()?;
        (start <= end && end <= self.len()).then(|| self.clone().sliced(start..end))
    }

    fn read_into(&self, range: Range<u64>, dst: &mut [u8]) -> Result<()> {
        let source = self.shared(range.clone()).ok_or_else(|| {
            floe_format::Error::new(floe_format::ErrorKind::BufferOutOfBounds {
                buffer: 0,
                end: range.end,
                body: self.len() as u64,
            })
        })?;
        dst.copy_from_slice(source.as_slice());
        Ok(())
    }
}

/// Runs independent pieces of work, possibly at once.
pub trait Executor: Sync {
    /// Calls `work(0)` to `work(n - 1)`, in any order, and returns when all have returned.
    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync));
}

/// An [`Executor`] that stays on the calling thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Serial;

impl Executor for Serial {
    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..n).for_each(work);
    }
}
