//! A file on disk as a source: read at positions, so that threads do not share one.

use std::fs::File;
use std::io;
use std::ops::Range;

use floe_array::share;
use floe_runtime::alloc::try_initialised;
use floe_runtime::as_file::read_exact_at;
use polars_buffer::Buffer;

use super::source::{RangedSource, ReadCost};
use crate::pool;

/// A regular file as a [`RangedSource`], read at positions: where the file stands does not matter, and is left alone.
///
/// ```
/// use floe_frame::{FileSource, RangedSource};
/// use std::fs::File;
///
/// let path = std::env::temp_dir().join(format!("floe-file-source-{}", std::process::id()));
/// std::fs::write(&path, b"0123456789")?;
/// let source = FileSource::new(File::open(&path)?)?;
/// assert_eq!(source.len(), 10);
/// let read = source.read_ranges(&[2..4, 8..10])?;
/// assert_eq!((&*read[0], &*read[1]), (&b"23"[..], &b"89"[..]));
/// # std::fs::remove_file(&path)?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct FileSource {
    file: File,
    len: u64,
}

impl FileSource {
    /// A file of the length that it has now.
    ///
    /// See [`FileSource`] for an example.
    ///
    /// # Errors
    /// When the length cannot be read, or it is no regular file.
    pub fn new(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it is no regular file"));
        }
        Ok(Self::of_len(file, metadata.len()))
    }

    pub(in crate::read) fn of_len(file: File, len: u64) -> Self {
        Self { file, len }
    }

    pub(in crate::read) fn file(&self) -> &File {
        &self.file
    }
}

impl RangedSource for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Buffer<u8>>> {
        read_all(ranges, |start, out| read_exact_at(&self.file, out, start))
    }

    fn read_into(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        read_exact_at(&self.file, out, start)
    }

    fn read_cost(&self) -> ReadCost {
        ReadCost::Call
    }
}

/// Ranges that one task reads.
const RANGES_PER_TASK: usize = 64;

/// Reads ranges one by one, many of them on all cores.
pub(super) fn read_all(
    ranges: &[Range<u64>],
    read: impl Fn(u64, &mut [u8]) -> io::Result<()> + Sync,
) -> io::Result<Vec<Buffer<u8>>> {
    let one = |range: &Range<u64>| {
        let len = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
        let mut out =
            try_initialised::<u8>(len).map_err(|e| io::Error::new(io::ErrorKind::OutOfMemory, e))?;
        read(range.start, &mut out)?;
        Ok(share(out))
    };
    if ranges.len() <= RANGES_PER_TASK {
        return ranges.iter().map(one).collect();
    }
    let tasks: Vec<&[Range<u64>]> = ranges.chunks(RANGES_PER_TASK).collect();
    let read = pool::executor(true).map(tasks.len(), |task| {
        tasks.get(task).into_iter().copied().flatten().map(one).collect::<io::Result<Vec<Buffer<u8>>>>()
    });
    let mut out = Vec::with_capacity(ranges.len());
    for part in read {
        out.extend(part?);
    }
    Ok(out)
}
