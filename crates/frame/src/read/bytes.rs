//! Bytes in memory that readers may keep views into.

use std::io::{self, Read, Seek, SeekFrom};

use polars_buffer::Buffer;
use polars_io::mmap::MmapBytesReader;

/// Shared bytes as a reader: the source of [`IpcReader::from_bytes`](crate::IpcReader::from_bytes).
///
/// ```
/// # use floe_frame::{IpcReader, IpcWriter, OwnedBytes};
/// # use polars_core::prelude::*;
/// # use polars_io::{SerReader, SerWriter};
/// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
/// # let mut bytes = Vec::new();
/// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
/// let bytes = OwnedBytes::new(bytes);
/// assert_eq!(IpcReader::new(bytes.clone()).finish()?, df);
/// # PolarsResult::Ok(())
/// ```
#[derive(Clone)]
pub struct OwnedBytes {
    buffer: Buffer<u8>,
    position: usize,
}

impl OwnedBytes {
    /// Takes hold of the bytes, without a copy.
    ///
    /// ```
    /// use floe_frame::OwnedBytes;
    ///
    /// assert_eq!(OwnedBytes::new(vec![1u8, 2]).as_ref(), [1, 2]);
    /// ```
    pub fn new<B: AsRef<[u8]> + Send + Sync + 'static>(bytes: B) -> Self {
        Self { buffer: Buffer::from_owner(bytes), position: 0 }
    }

    pub(crate) fn buffer(&self) -> &Buffer<u8> {
        &self.buffer
    }
}

impl AsRef<[u8]> for OwnedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Read for OwnedBytes {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        // `Seek` may stand behind the end, where there are no bytes.
        let mut rest = self.buffer.get(self.position..).unwrap_or_default();
        let n = rest.read(out)?;
        self.position += n;
        Ok(n)
    }
}

impl Seek for OwnedBytes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let mut cursor = io::Cursor::new(self.buffer.as_slice());
        cursor.set_position(self.position as u64);
        let position = cursor.seek(to)?;
        self.position = usize::try_from(position).map_err(io::Error::other)?;
        Ok(position)
    }
}

impl MmapBytesReader for OwnedBytes {
    fn to_bytes(&self) -> Option<&[u8]> {
        Some(&self.buffer)
    }
}

impl std::fmt::Debug for OwnedBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OwnedBytes")
            .field("len", &self.buffer.len())
            .field("position", &self.position)
            .finish()
    }
}
