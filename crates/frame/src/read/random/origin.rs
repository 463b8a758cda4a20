//! Where an index reads from, and a count of the bytes.

use std::fs::{File, Metadata};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use floe_array::Body;
use floe_format::{Block, Result as WireResult};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use crate::error::io_error;
use crate::read::source::{RangeOf, Source};

/// A file on disk, by its path, or bytes in memory.
pub(super) enum Origin {
    Path { path: PathBuf, stamp: Stamp },
    Bytes(Buffer<u8>),
}

/// Files of up to so many bytes are read at once when they are indexed.
const SMALL: u64 = 32 << 10;

/// What tells a file from another of the same name.
#[derive(PartialEq, Eq)]
pub(super) struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Self { len: metadata.len(), modified: metadata.modified().ok(), inode }
    }
}

impl Origin {
    pub(super) fn path(path: &Path) -> PolarsResult<Self> {
        let metadata = path.metadata().map_err(|e| io_error(e, "opening an Arrow IPC source"))?;
        polars_ensure!(
            metadata.is_file(),
            ComputeError: "not a regular file, which an index needs; IpcStreamReader reads pipes and sockets"
        );
        Ok(Self::Path { path: path.to_path_buf(), stamp: Stamp::of(&metadata) })
    }

    pub(super) fn bytes<B: AsRef<[u8]> + Send + Sync + 'static>(bytes: B) -> Self {
        Self::Bytes(Buffer::from_owner(bytes))
    }

    pub(super) fn as_path(&self) -> Option<&Path> {
        match self {
            Self::Path { path, .. } => Some(path),
            Self::Bytes(_) => None,
        }
    }

    pub(super) fn is_current(&self) -> bool {
        match self {
            Self::Path { path, stamp } => path.metadata().is_ok_and(|now| Stamp::of(&now) == *stamp),
            Self::Bytes(_) => true,
        }
    }

    pub(super) fn modified(&self) -> Option<SystemTime> {
        match self {
            Self::Path { stamp, .. } => stamp.modified,
            Self::Bytes(_) => None,
        }
    }

    /// Opens it for a while.
    pub(super) fn reading<'a>(&self, total: &'a AtomicU64) -> PolarsResult<Reading<'a>> {
        let source = match self {
            Self::Bytes(bytes) => Source::Shared(bytes.clone()),
            Self::Path { path, stamp } => {
                let reader = File::open(path).map_err(|e| io_error(e, "opening an Arrow IPC source"))?;
                let metadata = reader.metadata().map_err(|e| io_error(e, "reading a file's length"))?;
                polars_ensure!(
                    Stamp::of(&metadata) == *stamp,
                    ComputeError: "the file has changed since it was indexed; scan it again"
                );
                Source::File { reader, len: stamp.len }
            },
        };
        Ok(Reading { source, bytes: AtomicU64::new(0), total, is_counted: true })
    }

    /// Opens it for making an index. A file that is small is read at once, as fast as any part of it: of
    /// thousands of them each takes one read.
    pub(super) fn reading_for_index<'a>(&self, total: &'a AtomicU64) -> PolarsResult<Reading<'a>> {
        let mut reading = self.reading(total)?;
        let len = reading.len();
        if matches!(reading.source, Source::File { .. }) && len <= SMALL {
            let bytes = reading.read(0..len)?;
            reading.source = Source::Shared(bytes);
            reading.is_counted = false;
        }
        Ok(reading)
    }
}

/// An origin that is open.
pub(super) struct Reading<'a> {
    source: Source<File>,
    bytes: AtomicU64,
    /// Gets the bytes when the origin is closed again.
    total: &'a AtomicU64,
    /// Whether what is looked at counts as read: not, if all has been read.
    is_counted: bool,
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.total.fetch_add(self.bytes(), Ordering::Relaxed);
    }
}

impl Reading<'_> {
    pub(super) fn len(&self) -> u64 {
        self.source.len()
    }

    /// Whether its bytes are in memory that arrays may be views into.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.source, Source::Shared(_))
    }

    /// The source, for what is counted by the caller with [`Self::count`].
    pub(super) fn source(&self) -> &Source<File> {
        &self.source
    }

    pub(super) fn count(&self, bytes: u64) {
        if self.is_counted {
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// Whether its bytes need not be read one by one.
    pub(super) fn is_in_memory(&self) -> bool {
        self.source.is_in_memory()
    }

    /// Bytes read since it was opened.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Reads a message's head.
    pub(super) fn counted<T>(&self, block: Block, read: impl FnOnce(&Source<File>) -> T) -> T {
        self.count(block.metadata_len.into());
        read(&self.source)
    }

    /// What lies from `start` up to at most `end`.
    pub(super) fn read(&self, range: Range<u64>) -> PolarsResult<Buffer<u8>> {
        self.count(range.end - range.start);
        self.source.read(range)
    }

    /// The body that starts there.
    pub(super) fn body(&self, start: u64) -> BodyOf<'_> {
        BodyOf { range: RangeOf { source: &self.source, start }, counter: &self.bytes }
    }
}

/// A body whose bytes are counted as they are read.
pub(super) struct BodyOf<'a> {
    range: RangeOf<'a, File>,
    counter: &'a AtomicU64,
}

impl BodyOf<'_> {
    fn count(&self, range: &Range<u64>) {
        self.counter.fetch_add(range.end - range.start, Ordering::Relaxed);
    }
}

impl Body for BodyOf<'_> {
    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        let shared = self.range.shared(range.clone())?;
        self.count(&range);
        Some(shared)
    }

    fn lent(&self, range: Range<u64>) -> Option<&[u8]> {
        self.range.lent(range)
    }

    fn read_into(&self, range: Range<u64>, dst: &mut [u8]) -> WireResult<()> {
        self.count(&range);
        self.range.read_into(range, dst)
    }
}
