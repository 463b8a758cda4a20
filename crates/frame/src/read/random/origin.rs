//! Where an index reads from, and a count of the bytes.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use polars_buffer::Buffer;
use polars_core::prelude::*;

use crate::error::io_error;
use crate::read::ranged::{FileSource, RangedSource, ReadCost};

/// The source that an index reads from.
pub(super) enum Origin {
    /// A file on disk, by its path.
    Path {
        path: PathBuf,
        stamp: Stamp,
    },
    Source(Arc<dyn RangedSource>),
    /// Somebody else reads.
    None,
}

/// The mark that tells a file from another of the same name.
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

    pub(super) fn as_path(&self) -> Option<&Path> {
        match self {
            Self::Path { path, .. } => Some(path),
            Self::Source(_) | Self::None => None,
        }
    }

    pub(super) fn is_current(&self) -> bool {
        match self {
            Self::Path { path, stamp } => path.metadata().is_ok_and(|now| Stamp::of(&now) == *stamp),
            Self::Source(_) | Self::None => true,
        }
    }

    pub(super) fn modified(&self) -> Option<SystemTime> {
        match self {
            Self::Path { stamp, .. } => stamp.modified,
            Self::Source(_) | Self::None => None,
        }
    }

    /// Opens it for a while.
    pub(super) fn open(&self) -> PolarsResult<Counted> {
        let source: Arc<dyn RangedSource> = match self {
            Self::Source(source) => Arc::clone(source),
            Self::Path { path, stamp } => {
                let file = File::open(path).map_err(|e| io_error(e, "opening an Arrow IPC source"))?;
                let metadata = file.metadata().map_err(|e| io_error(e, "reading a file's length"))?;
                polars_ensure!(
                    Stamp::of(&metadata) == *stamp,
                    ComputeError: "the file has changed since it was indexed; scan it again"
                );
                Arc::new(FileSource::of_len(file, stamp.len))
            },
            Self::None => {
                polars_bail!(
                    InvalidOperation: "this index was made by IpcIndexBuilder and has no source to read from: \
                    IpcIndex::plan says which bytes a read takes, and is given them"
                )
            },
        };
        Ok(Counted { source, bytes: AtomicU64::new(0) })
    }
}

/// A source that counts the bytes that are read of it; of memory those looked at.
pub(super) struct Counted {
    source: Arc<dyn RangedSource>,
    bytes: AtomicU64,
}

impl Counted {
    /// Bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn count(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl RangedSource for Counted {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Buffer<u8>>> {
        self.count(ranges.iter().map(|range| range.end - range.start).sum());
        self.source.read_ranges(ranges)
    }

    fn read_into(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        self.count(out.len() as u64);
        self.source.read_into(start, out)
    }

    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        let shared = self.source.shared(range.clone())?;
        self.count(range.end - range.start);
        Some(shared)
    }

    fn lent(&self, range: Range<u64>) -> Option<&[u8]> {
        self.source.lent(range)
    }

    fn read_cost(&self) -> ReadCost {
        self.source.read_cost()
    }
}
