//! The bytes of a stream that grows, for readers that wait.

use std::fmt;
use std::io::{self, Read};
use std::ops::Range;

use floe_format::IpcLimits;
use polars_core::prelude::*;

use super::begin::begin;
use super::growing_file::GrowingFile;
use super::message_source::{BodyRequest, Item, MessageSource as _};
use super::watch::Watch;

/// A growing stream as a [`Read`] that waits for its next message: for readers that know nothing of files that grow. Made
/// by [`FollowReader::into_bytes`](crate::FollowReader::into_bytes), where there is an example.
///
/// Only bytes of whole messages are handed out. It ends behind the end marker. A file that was replaced is an error, and
/// so is an idle timeout, of the kind [`TimedOut`](io::ErrorKind::TimedOut).
///
/// ```
/// use std::io::Read;
///
/// use floe_frame::{FollowReader, IpcStreamWriter};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// let path = std::env::temp_dir().join(format!("floe-followed-doc-{}.arrows", std::process::id()));
/// let mut df = DataFrame::new(2, vec![Column::new("n".into(), [1, 2])])?;
/// IpcStreamWriter::new(std::fs::File::create(&path)?).finish(&mut df)?;
/// let mut bytes = Vec::new();
/// FollowReader::open(&path)?.into_bytes()?.read_to_end(&mut bytes)?;
/// assert_eq!(bytes, std::fs::read(&path)?);
/// # std::fs::remove_file(&path)?;
/// # PolarsResult::Ok(())
/// ```
pub struct FollowedBytes {
    file: GrowingFile,
    limits: IpcLimits,
    watch: Watch,
    /// Whether the magic of a file, if there is one, has been passed over.
    is_begun: bool,
    /// Bytes of messages that are whole, and have not been handed out.
    ready: Range<u64>,
    has_ended: bool,
}

impl FollowedBytes {
    pub(super) fn new(file: GrowingFile, limits: IpcLimits, watch: Watch) -> Self {
        Self { file, limits, watch, is_begun: false, ready: 0..0, has_ended: false }
    }

    /// Finds the next message.
    fn advance(&mut self) -> PolarsResult<()> {
        if !self.is_begun {
            begin(&mut self.file)?;
            self.is_begun = true;
        }
        let start = self.file.position();
        match self.file.next(&self.limits)? {
            Item::Message(message) => {
                self.file.body(BodyRequest::skip(message.body_len))?;
            },
            Item::End { .. } => self.has_ended = true,
        }
        self.ready = start..self.file.position();
        Ok(())
    }

    /// Waits for the next message.
    fn wait(&mut self) -> io::Result<()> {
        loop {
            let Err(error) = self.advance() else { return Ok(()) };
            if self.file.is_replaced()? {
                return Err(io::Error::other("the file was replaced while it was followed"));
            }
            if !self.file.resumes(&error) {
                return Err(io::Error::other(error));
            }
            if self.watch.is_idle(self.file.len()) {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the file that is followed has not grown for as long as was set: its writer may have died",
                ));
            }
            self.watch.sleep(None);
        }
    }
}

impl Read for FollowedBytes {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while self.ready.is_empty() {
            if self.has_ended {
                return Ok(0);
            }
            self.wait()?;
            self.watch.begin();
        }
        let left = usize::try_from(self.ready.end - self.ready.start).unwrap_or(usize::MAX);
        let len = out.len().min(left);
        let Some(out) = out.get_mut(..len) else { return Ok(0) };
        self.file.read_into(self.ready.start, out)?;
        self.ready.start += len as u64;
        Ok(len)
    }
}

impl fmt::Debug for FollowedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowedBytes")
            .field("path", &self.file.path())
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}
