//! Bytes that are read at positions: a file, or memory.

use std::fs::File;
use std::io;

/// Bytes of a known length, any range of which can be read, also by several threads at a time.
pub trait ReadAt: Sync {
    /// Bytes in all.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `out` with the bytes from `offset` on.
    ///
    /// # Errors
    /// When they cannot be read, or end before `out` is full.
    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()>;

    /// The file behind it, if there is one: copies from it need not pass through this process.
    fn as_file(&self) -> Option<&File> {
        None
    }
}

impl ReadAt for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = start.checked_add(out.len()).and_then(|end| self.get(start..end));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> u64 {
        ReadAt::len(self.as_slice())
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(out, offset)
    }
}

/// A regular file, as long as it was when it was opened.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    len: u64,
}

impl FileSource {
    /// Takes the file's length now: bytes that are appended later are not seen.
    ///
    /// # Errors
    /// When the system does not tell the length.
    pub fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, len })
    }
}

impl ReadAt for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        floe_runtime::as_file::read_exact_at(&self.file, out, offset)
    }

    fn as_file(&self) -> Option<&File> {
        Some(&self.file)
    }
}

/// Bytes of one read: heads are small and mostly lie far apart, or close together.
const FAR: usize = 4 << 10;
const NEAR: usize = 256 << 10;

/// A piece of a source kept in memory: heads that are close to each other take one read.
pub(crate) struct Window<'a> {
    source: &'a dyn ReadAt,
    bytes: Vec<u8>,
    start: u64,
    /// Where the last read that missed was: another miss close behind it reads more.
    last: Option<u64>,
}

impl<'a> Window<'a> {
    pub(crate) fn new(source: &'a dyn ReadAt) -> Self {
        Self { source, bytes: Vec::new(), start: 0, last: None }
    }

    /// Some bytes, as far as the source has them: fewer than asked for at its end.
    pub(crate) fn get(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let have = self.source.len().saturating_sub(offset);
        let len = usize::try_from(have).unwrap_or(usize::MAX).min(len);
        if !self.holds(offset, len) {
            let near = self.last.is_some_and(|last| offset.abs_diff(last) < NEAR as u64);
            let ahead = if near { NEAR } else { FAR };
            let wanted = usize::try_from(have).unwrap_or(usize::MAX).min(len.max(ahead));
            self.bytes.clear();
            // A claim of metadata is believed as far as there are bytes for it.
            self.bytes.try_reserve_exact(wanted).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            self.bytes.resize(wanted, 0);
            self.start = offset;
            self.last = Some(offset);
            self.source.read_exact_at(&mut self.bytes, offset)?;
        }
        let from = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        Ok(self.bytes.get(from..from.saturating_add(len)).unwrap_or_default())
    }

    fn holds(&self, offset: u64, len: usize) -> bool {
        let end = self.start.saturating_add(self.bytes.len() as u64);
        offset >= self.start && offset.saturating_add(len as u64) <= end
    }
}
