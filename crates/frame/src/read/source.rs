//! Where a file's bytes are, and reading them at any position, from any thread.

use std::fs::File;
use std::io::{self, Read, SeekFrom};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use floe_array::Body;
use floe_array::share;
use floe_format::Result as WireResult;
use floe_runtime::alloc::try_initialised;
use polars_buffer::Buffer;
use polars_core::prelude::*;
use polars_io::mmap::MmapBytesReader;
use polars_utils::mmap::MMapSemaphore;

use crate::error::io_error;

/// Stretches of so many bytes and more are read onto huge pages.
pub(crate) const LARGE: usize = 4 << 20;

/// The bytes of a file.
pub(crate) enum Source<R> {
    /// In memory, and ours to share.
    Shared(Buffer<u8>),
    /// In memory, but only borrowed through the reader.
    Borrowed(R),
    /// A file on disk: read at positions, so that threads do not share one.
    File { reader: R, len: u64 },
    /// Anything else that seeks: one range at a time.
    Seek { reader: Mutex<R>, len: u64 },
}

impl<R: MmapBytesReader> Source<R> {
    pub(crate) fn open(mut reader: R, shared: Option<Buffer<u8>>, map: bool) -> PolarsResult<Self> {
        if let Some(shared) = shared {
            return Ok(Self::Shared(shared));
        }
        if reader.to_bytes().is_some() {
            return Ok(Self::Borrowed(reader));
        }
        if let Some(file) = reader.to_file() {
            let metadata = file.metadata().map_err(|e| io_error(e, "reading an Arrow IPC file's length"))?;
            if metadata.is_file() && cfg!(any(unix, windows)) {
                if map && metadata.len() > 0 {
                    let map = MMapSemaphore::new_from_file(file)?;
                    return Ok(Self::Shared(Buffer::from_owner(map)));
                }
                return Ok(Self::File { len: metadata.len(), reader });
            }
        }
        let len =
            reader.seek(SeekFrom::End(0)).map_err(|e| io_error(e, "reading an Arrow IPC file's length"))?;
        Ok(Self::Seek { reader: Mutex::new(reader), len })
    }

    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Shared(bytes) => bytes.len() as u64,
            Self::Borrowed(reader) => reader.to_bytes().unwrap_or_default().len() as u64,
            Self::File { len, .. } | Self::Seek { len, .. } => *len,
        }
    }

    /// Whether nothing has to be read.
    pub(crate) fn is_in_memory(&self) -> bool {
        matches!(self, Self::Shared(_) | Self::Borrowed(_))
    }

    /// The bytes of a range, which the caller has checked against [`Self::len`].
    pub(crate) fn read(&self, range: Range<u64>) -> PolarsResult<Buffer<u8>> {
        let body = RangeOf { source: self, start: 0 };
        if let Some(shared) = body.shared(range.clone()) {
            return Ok(shared);
        }
        let len = usize::try_from(range.end - range.start).map_err(|_| too_large())?;
        let mut out = try_initialised::<u8>(len).map_err(|e| crate::error::format_error(e.into()))?;
        self.read_at(range.start, &mut out).map_err(|e| io_error(e, "reading an Arrow IPC file"))?;
        Ok(share(out))
    }

    pub(crate) fn read_at(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        let from_memory = |bytes: &[u8], out: &mut [u8]| {
            let start = usize::try_from(start).map_err(io::Error::other)?;
            let slice = start.checked_add(out.len()).and_then(|end| bytes.get(start..end));
            out.copy_from_slice(slice.ok_or(io::ErrorKind::UnexpectedEof)?);
            Ok(())
        };
        match self {
            Self::Shared(bytes) => from_memory(bytes, out),
            Self::Borrowed(reader) => from_memory(reader.to_bytes().unwrap_or_default(), out),
            Self::File { reader, .. } => match reader.to_file() {
                Some(file) => read_exact_at(file, out, start),
                None => Err(io::Error::other("the reader is no file any more")),
            },
            Self::Seek { reader, .. } => {
                let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
                reader.seek(SeekFrom::Start(start))?;
                read_exact(&mut *reader, out)
            },
        }
    }
}

/// As [`Read::read_exact`], which panics when the reader says that it read more than it was asked for.
fn read_exact<R: Read>(reader: &mut R, mut out: &mut [u8]) -> io::Result<()> {
    while !out.is_empty() {
        match reader.read(out) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => out = out.get_mut(read..).ok_or_else(read_too_much)?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {},
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// A reader that breaks the promise of [`Read::read`].
pub(crate) fn read_too_much() -> io::Error {
    io::Error::other("the reader says it read more than it was asked for")
}

fn too_large() -> PolarsError {
    polars_err!(ComputeError: "a part of the file does not fit in memory")
}

#[cfg(unix)]
fn read_exact_at(file: &File, out: &mut [u8], start: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, start)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut out: &mut [u8], mut start: u64) -> io::Result<()> {
    while !out.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, out, start) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                out = &mut out[n..];
                start += n as u64;
            },
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {},
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(not(any(unix, windows)))]
fn read_exact_at(_: &File, _: &mut [u8], _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// A body: what lies behind `start`.
pub(crate) struct RangeOf<'a, R> {
    pub(crate) source: &'a Source<R>,
    pub(crate) start: u64,
}

impl<R: MmapBytesReader> Body for RangeOf<'_, R> {
    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        match self.source {
            Source::Shared(bytes) => bytes.shared(self.start + range.start..self.start + range.end),
            Source::Borrowed(_) | Source::File { .. } | Source::Seek { .. } => None,
        }
    }

    fn lent(&self, range: Range<u64>) -> Option<&[u8]> {
        let bytes = match self.source {
            Source::Borrowed(reader) => reader.to_bytes()?,
            Source::Shared(_) | Source::File { .. } | Source::Seek { .. } => return None,
        };
        let at = |offset: u64| usize::try_from(self.start.checked_add(offset)?).ok();
        bytes.get(at(range.start)?..at(range.end)?)
    }

    fn read_into(&self, range: Range<u64>, dst: &mut [u8]) -> WireResult<()> {
        self.source.read_at(self.start + range.start, dst).map_err(floe_format::Error::io)
    }
}
