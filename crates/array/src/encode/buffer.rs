//! The bytes of an encoded buffer. Mostly they are the array's own memory, written from where it lies.

use floe_format::{Error, Result};
use floe_runtime::alloc::try_with_capacity;
use polars_buffer::Buffer;

use crate::share;

/// The bytes of one buffer: in one place, or in several that follow one another on the wire.
///
/// ```
/// use floe_array::encode::EncodedBuffer;
///
/// let buffer = EncodedBuffer::Pieces(vec![b"ab".to_vec().into(), b"c".to_vec().into()]);
/// assert_eq!((buffer.len(), buffer.piece(1)), (3, Some(b"c".as_slice())));
/// assert_eq!(buffer.join()?.as_slice(), b"abc");
/// # floe_format::Result::Ok(())
/// ```
#[derive(Debug, Clone)]
pub enum EncodedBuffer {
    /// In one place.
    Whole(Buffer<u8>),
    /// In several.
    Pieces(Vec<Buffer<u8>>),
    /// Not made yet: its length in bytes. See [`DeferredBuffers`](super::DeferredBuffers).
    Deferred(usize),
}

impl EncodedBuffer {
    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::Pieces(pieces) => pieces.iter().map(Buffer::len).sum(),
            Self::Deferred(len) => *len,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The pieces in their order, from 0 until there is none. A deferred buffer has none.
    #[must_use]
    pub fn piece(&self, i: usize) -> Option<&[u8]> {
        match self {
            Self::Whole(bytes) => (i == 0).then_some(bytes.as_slice()),
            Self::Pieces(pieces) => pieces.get(i).map(Buffer::as_slice),
            Self::Deferred(_) => None,
        }
    }

    /// All bytes in one place: a copy, if they are in several.
    ///
    /// # Errors
    /// When the allocator refuses, or they are deferred.
    pub fn join(self) -> Result<Buffer<u8>> {
        match self {
            Self::Whole(bytes) => Ok(bytes),
            Self::Pieces(pieces) => {
                let mut out = try_with_capacity(pieces.iter().map(Buffer::len).sum())?;
                pieces.iter().for_each(|piece| out.extend_from_slice(piece));
                Ok(share(out))
            },
            Self::Deferred(len) => {
                Err(Error::invalid(format!("a buffer of {len} bytes is still to be made")))
            },
        }
    }
}

impl From<Buffer<u8>> for EncodedBuffer {
    fn from(bytes: Buffer<u8>) -> Self {
        Self::Whole(bytes)
    }
}
