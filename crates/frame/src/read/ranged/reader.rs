//! Readers that seek as sources: whatever Polars' readers take, and anything else, one range at a time.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use floe_array::Body;
use floe_runtime::as_file::read_exact_at;
use polars_buffer::Buffer;
use polars_core::prelude::*;
use polars_io::mmap::MmapBytesReader;
use polars_utils::mmap::MMapSemaphore;

use super::exact::read_exact;
use super::file::read_all;
use super::memory::copy_from;
use super::source::{RangedSource, ReadCost};
use crate::error::io_error;

/// Anything that reads and seeks as a [`RangedSource`]. Threads take turns: a lock is held while a range is read.
///
/// ```
/// use floe_frame::{RangedSource, SeekSource};
/// use std::io::Cursor;
///
/// let source = SeekSource::new(Cursor::new(b"0123456789"))?;
/// assert_eq!(&*source.read_ranges(&[2..4])?[0], b"23");
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct SeekSource<R> {
    reader: Mutex<R>,
    len: u64,
}

impl<R: Read + Seek> SeekSource<R> {
    /// A source of the bytes that the reader has now, from its start to its end.
    ///
    /// See [`SeekSource`] for an example.
    ///
    /// # Errors
    /// When the reader cannot seek to its end.
    pub fn new(mut reader: R) -> io::Result<Self> {
        let len = reader.seek(SeekFrom::End(0))?;
        Ok(Self { reader: Mutex::new(reader), len })
    }
}

impl<R: Read + Seek + Send> RangedSource for SeekSource<R> {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Buffer<u8>>> {
        read_all(ranges, |start, out| self.read_into(start, out))
    }

    fn read_into(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.seek(SeekFrom::Start(start))?;
        read_exact(&mut *reader, out)
    }

    fn read_cost(&self) -> ReadCost {
        ReadCost::Call
    }
}

/// The bytes of a reader as Polars knows them.
pub(in crate::read) enum ReaderSource<R> {
    /// In memory, and ours to share.
    Shared(Buffer<u8>),
    /// In memory, but only borrowed through the reader.
    Borrowed(R),
    /// A file on disk.
    File { reader: R, len: u64 },
    /// Anything else that seeks.
    Seek(SeekSource<R>),
}

impl<R: MmapBytesReader> ReaderSource<R> {
    pub(in crate::read) fn open(reader: R, shared: Option<Buffer<u8>>, map: bool) -> PolarsResult<Self> {
        let failed = |e| io_error(e, "reading an Arrow IPC file's length");
        if let Some(shared) = shared {
            return Ok(Self::Shared(shared));
        }
        if reader.to_bytes().is_some() {
            return Ok(Self::Borrowed(reader));
        }
        if let Some(file) = reader.to_file() {
            let metadata = file.metadata().map_err(failed)?;
            if metadata.is_file() && cfg!(any(unix, windows)) {
                if map && metadata.len() > 0 {
                    let map = MMapSemaphore::new_from_file(file)?;
                    return Ok(Self::Shared(Buffer::from_owner(map)));
                }
                return Ok(Self::File { len: metadata.len(), reader });
            }
        }
        SeekSource::new(reader).map(Self::Seek).map_err(failed)
    }
}

impl<R: MmapBytesReader> RangedSource for ReaderSource<R> {
    fn len(&self) -> u64 {
        match self {
            Self::Shared(bytes) => bytes.len() as u64,
            // `open` has seen the bytes; if they are gone, every read is an error.
            Self::Borrowed(reader) => reader.to_bytes().map_or(0, <[u8]>::len) as u64,
            Self::File { len, .. } => *len,
            Self::Seek(source) => source.len(),
        }
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Buffer<u8>>> {
        match self {
            Self::Shared(bytes) => bytes.read_ranges(ranges),
            _ => read_all(ranges, |start, out| self.read_into(start, out)),
        }
    }

    fn read_into(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        match self {
            Self::Shared(bytes) => copy_from(bytes, start, out),
            // Without bytes the copy is an error.
            Self::Borrowed(reader) => copy_from(reader.to_bytes().unwrap_or_default(), start, out),
            Self::File { reader, .. } => match reader.to_file() {
                Some(file) => read_exact_at(file, out, start),
                None => Err(io::Error::other("the reader is no file any more")),
            },
            Self::Seek(source) => source.read_into(start, out),
        }
    }

    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        match self {
            Self::Shared(bytes) => Body::shared(bytes, range),
            Self::Borrowed(_) | Self::File { .. } | Self::Seek(_) => None,
        }
    }

    fn lent(&self, range: Range<u64>) -> Option<&[u8]> {
        let bytes = match self {
            Self::Borrowed(reader) => reader.to_bytes()?,
            Self::Shared(_) | Self::File { .. } | Self::Seek(_) => return None,
        };
        bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
    }

    fn read_cost(&self) -> ReadCost {
        match self {
            Self::Shared(_) | Self::Borrowed(_) => ReadCost::Memory,
            Self::File { .. } | Self::Seek(_) => ReadCost::Call,
        }
    }
}
