//! The bytes of a message's body, wherever they are.

use std::ops::Range;

use floe_format::Result;
use polars_buffer::Buffer;

/// The body of a message, wherever its bytes are: in memory, in a memory map, in a file.
///
/// Ranges have been checked against the body's length before they get here.
pub trait Body: Send + Sync {
    /// The range as shared memory, if the body is in memory already.
    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>>;

    /// The range as borrowed memory, if it is in memory but cannot be shared: enough to decompress from.
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

/// Parts of a body, each in an allocation of its own: those that a projection needs.
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
