//! A file that somebody is still writing to, as a source of messages: more may come.
//!
//! ```text
//!   | message | message | mess          nothing is kept of a message that is not whole: whoever goes on with the stream
//!                       ^ at            may cut its start off, and write another one
//! ```

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use floe_array::Segments;
use floe_format::{Decoder, IpcLimits, Step};
use polars_buffer::Buffer;
use polars_core::prelude::*;
use xxhash_rust::xxh3::xxh3_64;

use super::message_source::{BodyRequest, Item, MessageSource, SourceKind, body_truncated, truncated};
use super::pending::BatchBody;
use super::ranged::{FileSource, RangedSource, read_one};
use crate::error::{format_error, io_error};

/// Bodies up to this are read at once.
const SMALL_BODY_BYTES: u64 = 256 << 10;
/// Bytes in front of the next message that tell whether the file is still the one that was read.
const KNOWN_BYTES: u64 = 4 << 10;

/// A growing file.
pub(super) struct GrowingFile {
    path: PathBuf,
    file: Arc<FileSource>,
    /// Bytes that it had when it was looked at last.
    len: u64,
    at: u64,
    /// The hash of what lies in front of `at`, once something has been read.
    known: Option<u64>,
    /// Whether it has turned out to be another one.
    is_changed: bool,
    /// Whether no more will come.
    is_complete: bool,
}

impl GrowingFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // Before it is opened: a FIFO would wait for its other end.
        check_regular(&std::fs::metadata(path)?)?;
        Self::of(File::open(path)?, path)
    }

    /// A file that has been opened by this name.
    pub(super) fn of(file: File, path: &Path) -> io::Result<Self> {
        let file = FileSource::new(file)?;
        let (path, len, file) = (path.to_path_buf(), file.len(), Arc::new(file));
        Ok(Self { path, file, len, at: 0, known: None, is_changed: false, is_complete: false })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that it had when it was looked at last.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Says that no more will come.
    pub(super) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// Whether another file has the name now, or this one has become shorter than what was read of it, or holds something
    /// else there. A name that is gone is no other file: the writer may still be writing.
    pub(super) fn is_replaced(&mut self) -> io::Result<bool> {
        let here = self.file.file().metadata()?;
        self.len = here.len();
        if self.is_changed || self.len < self.at {
            return Ok(true);
        }
        match std::fs::metadata(&self.path) {
            Ok(named) => Ok(!is_same(&here, &named)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Whether the file has `len` bytes from a position on.
    fn has(&mut self, at: u64, len: u64) -> PolarsResult<bool> {
        let end = at.saturating_add(len);
        if end > self.len {
            let metadata = self.file.file().metadata();
            self.len = metadata.map_err(|e| io_error(e, "looking at a growing file"))?.len();
        }
        Ok(end <= self.len)
    }

    /// Fills `out` with the bytes from a position on.
    pub(super) fn read_into(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_into(at, out)
    }

    pub(super) fn read(&self, at: u64, len: u64) -> PolarsResult<Buffer<u8>> {
        read_one(&*self.file, at..at.saturating_add(len))
    }

    /// The hash of the last bytes in front of the next message.
    fn hash(&self) -> PolarsResult<u64> {
        let len = self.at.min(KNOWN_BYTES);
        Ok(xxh3_64(&self.read(self.at - len, len)?))
    }

    /// Looks whether the bytes in front of the next message are those that were read: a file that was emptied and written
    /// anew may be longer by now.
    fn check_known(&mut self) -> PolarsResult<()> {
        let Some(known) = self.known else { return Ok(()) };
        let (at, now) = (self.at, if self.has(self.at, 0)? { Some(self.hash()?) } else { None });
        if now != Some(known) {
            self.is_changed = true;
            return Err(self.wait(at));
        }
        Ok(())
    }

    /// The error of a reader that has nothing yet.
    fn wait(&self, at: u64) -> PolarsError {
        let doing = format!("waiting for more of a growing Arrow IPC stream at byte {at}");
        io_error(io::ErrorKind::WouldBlock.into(), &doing)
    }

    /// Bytes behind a position.
    fn behind(&self, at: u64) -> usize {
        usize::try_from(self.len.saturating_sub(at)).unwrap_or(usize::MAX)
    }
}

/// Only a regular file stays where it is when it has been read.
pub(crate) fn check_regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
}

/// Whether both are of one file.
#[cfg(unix)]
pub(crate) fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Where files have no numbers: by the time at which they were made.
#[cfg(not(unix))]
pub(crate) fn is_same(a: &Metadata, b: &Metadata) -> bool {
    match (a.created(), b.created()) {
        (Ok(a), Ok(b)) => a == b,
        _ => true,
    }
}

impl MessageSource for GrowingFile {
    fn kind(&self) -> SourceKind {
        SourceKind::Growing
    }

    fn position(&self) -> u64 {
        self.at
    }

    fn restart(&mut self, _: IpcLimits) {}

    fn peek(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        if !self.has(self.at, len as u64)? && !self.is_complete {
            return Err(self.wait(self.at));
        }
        self.peek_some(len)
    }

    fn peek_some(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        let len = len.min(self.behind(self.at));
        self.read(self.at, len as u64)
    }

    fn consume(&mut self, len: usize) {
        self.at = self.at.saturating_add(len as u64);
    }

    /// A message is taken when its body is there as a whole.
    fn next(&mut self, limits: &IpcLimits) -> PolarsResult<Item> {
        self.check_known()?;
        let (mut at, mut decoder) = (self.at, Decoder::new(*limits));
        loop {
            let need = decoder.needed();
            if !self.has(at, need as u64)? {
                let have = self.behind(at);
                return match have {
                    _ if !self.is_complete => Err(self.wait(at)),
                    0 if at == self.at => Ok(Item::End { marked: false }),
                    _ => Err(format_error(truncated("a message's head", need, have))),
                };
            }
            let bytes = self.read(at, need as u64)?;
            at += need as u64;
            match decoder.feed(&bytes).map_err(format_error)? {
                Step::Need(_) => {},
                Step::End => {
                    self.at = at;
                    return Ok(Item::End { marked: true });
                },
                Step::Message(message) if self.has(at, message.body_len)? => {
                    self.at = at;
                    return Ok(Item::Message(message));
                },
                Step::Message(_) if !self.is_complete => return Err(self.wait(at)),
                Step::Message(message) => {
                    let need = usize::try_from(message.body_len).unwrap_or(usize::MAX);
                    return Err(body_truncated(need, self.behind(at)));
                },
            }
        }
    }

    fn body(&mut self, request: BodyRequest<'_>) -> PolarsResult<BatchBody<'static>> {
        let (start, len) = (self.at, request.len);
        self.at = start.saturating_add(len);
        self.known = Some(self.hash()?);
        if len > SMALL_BODY_BYTES {
            return Ok(BatchBody::InShared { source: Arc::<FileSource>::clone(&self.file), start });
        }
        let bytes = if request.ranges.is_empty() { Buffer::default() } else { self.read(start, len)? };
        Ok(BatchBody::Read(Segments::whole(bytes)))
    }

    fn resumes(&self, error: &PolarsError) -> bool {
        let PolarsError::IO { error, .. } = error else { return false };
        match error.kind() {
            io::ErrorKind::WouldBlock => true,
            // A writer that goes on has cut it off since it was asked for its length.
            io::ErrorKind::UnexpectedEof => !self.is_complete,
            _ => false,
        }
    }

    fn is_sole_owner(&self) -> bool {
        false
    }
}
