//! What a decoder needs from its surroundings: the bytes of a body, and someone to run its work.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

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

/// The parts of a body that somebody needs, each in an allocation of its own.
///
/// ```
/// use floe_array::{Body, Segments};
///
/// let mut body = Segments::default();
/// body.push(64, b"abcd".to_vec().into());
/// assert_eq!(body.shared(65..67).as_deref(), Some(b"bc".as_slice()));
/// assert!(body.shared(0..4).is_none());
/// # floe_format::Result::Ok(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Segments(Vec<(u64, Buffer<u8>)>);

impl Segments {
    /// A body that is in memory as a whole.
    #[must_use]
    pub fn whole(bytes: Buffer<u8>) -> Self {
        Self(vec![(0, bytes)])
    }

    /// Adds the bytes from `start` on, which lie behind all that have been added.
    pub fn push(&mut self, start: u64, bytes: Buffer<u8>) {
        debug_assert!(self.0.last().is_none_or(|(last, bytes)| last + bytes.len() as u64 <= start));
        self.0.push((start, bytes));
    }

    /// Bytes of all segments.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

impl Body for Segments {
    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        if range.is_empty() {
            return Some(Buffer::default());
        }
        let behind = self.0.partition_point(|(start, _)| *start <= range.start);
        let (start, bytes) = self.0.get(behind.checked_sub(1)?)?;
        bytes.shared(range.start - start..range.end.checked_sub(*start)?)
    }

    fn read_into(&self, range: Range<u64>, dst: &mut [u8]) -> Result<()> {
        let source = self
            .shared(range)
            .ok_or_else(|| floe_format::Error::invalid("a buffer lies where the body has not been read"))?;
        dst.copy_from_slice(source.as_slice());
        Ok(())
    }
}

/// Runs independent pieces of work, possibly at once.
///
/// Nothing that is safe relies on that: what an executor leaves out is done by the caller, and what it runs a second
/// time is left out (see `map`). Decoding hands out memory that such work writes.
pub trait Executor: Sync {
    /// Calls `work(0)` to `work(n - 1)`, in any order, and returns when all have returned.
    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync));

    /// Whether all work stays on the calling thread.
    fn is_serial(&self) -> bool {
        false
    }
}

/// A piece of work that runs once, and what came of it.
struct Once<T> {
    is_taken: AtomicBool,
    value: Mutex<Option<T>>,
}

impl<T> Once<T> {
    fn new() -> Self {
        Self { is_taken: AtomicBool::new(false), value: Mutex::new(None) }
    }

    /// Runs the work, unless somebody has begun with it.
    fn run(&self, work: impl FnOnce() -> T) {
        if !self.is_taken.swap(true, Ordering::Relaxed) {
            let value = work();
            *self.value.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        }
    }
}

impl dyn Executor + '_ {
    /// What `work(0)` to `work(n - 1)` return, in that order: each is run once, whatever the executor does.
    ///
    /// # Panics
    /// If `work` does, also where the executor makes nothing of it.
    ///
    /// ```
    /// use floe_array::{Executor, Serial};
    ///
    /// let executor: &dyn Executor = &Serial;
    /// assert_eq!(executor.map(4, |i| i * i), [0, 1, 4, 9]);
    /// ```
    pub fn map<T: Send>(&self, n: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
        if n <= 1 || self.is_serial() {
            return (0..n).map(work).collect();
        }
        let all: Vec<Once<T>> = (0..n).map(|_| Once::new()).collect();
        self.for_each(n, &|i| {
            if let Some(one) = all.get(i) {
                one.run(|| work(i));
            }
        });
        let value = |(i, one): (usize, Once<T>)| {
            one.run(|| work(i));
            let value = one.value.into_inner().unwrap_or_else(PoisonError::into_inner);
            // Whoever took it had no value to put there, and no call goes on after `for_each`: it borrows `all`.
            value.unwrap_or_else(|| panic!("an executor went on after piece {i} of its work had panicked"))
        };
        all.into_iter().enumerate().map(value).collect()
    }
}

/// An [`Executor`] that stays on the calling thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct Serial;

impl Executor for Serial {
    fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
        (0..n).for_each(work);
    }

    fn is_serial(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs what it likes, as often as it likes.
    struct Odd(fn(usize, &(dyn Fn(usize) + Sync)));

    impl Executor for Odd {
        fn for_each(&self, n: usize, work: &(dyn Fn(usize) + Sync)) {
            (self.0)(n, work);
        }
    }

    #[test]
    fn all_work_is_done_once_whatever_the_executor_does() {
        type Run = fn(usize, &(dyn Fn(usize) + Sync));
        let odd: [Run; 4] = [
            |_, _| {},
            |n, work| (0..n).chain(0..n + 5).for_each(work),
            |n, work| (0..n).step_by(3).for_each(work),
            |n, work| {
                std::thread::scope(|scope| {
                    for _ in 0..3 {
                        scope.spawn(|| (0..n).for_each(work));
                    }
                });
            },
        ];
        for run in odd {
            let counts: Vec<Mutex<usize>> = (0..100).map(|_| Mutex::new(0)).collect();
            let executor: &dyn Executor = &Odd(run);
            let values = executor.map(counts.len(), |i| {
                *counts[i].lock().unwrap() += 1;
                i
            });
            assert!(values.into_iter().eq(0..100));
            assert!(counts.into_iter().all(|count| count.into_inner().unwrap() == 1));
        }
    }

    #[test]
    fn a_panic_that_the_executor_swallows_is_one() {
        let executor: &dyn Executor = &Odd(|n, work| {
            for i in 0..n {
                let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(i)));
            }
        });
        let map = || executor.map(3, |i| assert!(i != 1));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(map)).is_err());
    }
}
