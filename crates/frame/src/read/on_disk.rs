//! A stream that is a file on disk, whatever type of reader it came as: heads are read one after another, bodies at
//! their positions when they are decoded, on all cores.
//!
//! ```text
//!   | head | body          | head | body   |           | end |
//!     4 KiB                  4 KiB          ^ at              ^ where the reader stands afterwards
//! ```
//!
//! [`SerReader`](polars_io::SerReader) gives a stream's reader as `R: Read`, which has a next byte and nothing else.
//! For a regular file that would be one core's `read`, with the others waiting; so what `R` is is looked at.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use floe_array::{Body, Segments};
use floe_format::{Decoder, IpcLimits, Result as WireResult, Step};
use floe_runtime::as_file::{AsFile, as_file};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::heads::Heads;
use super::input::{Item, body_truncated, truncated};
use super::source::{RangeOf, Source};
use crate::error::{format_error, io_error};

/// A file that is being read as a stream.
pub(crate) struct OnDisk {
    file: Arc<Source<File>>,
    len: u64,
    at: u64,
    heads: Heads,
    /// Bytes that are read at once while bodies are small.
    ahead: u64,
    decoder: Decoder,
}

/// Bodies up to this, of buffers that are no larger than that on average, are small.
const SMALL_BODY: usize = 256 << 10;
const SMALL_PIECE: usize = 4 << 10;
/// What is read at once while bodies are small: first, and at most.
const AHEAD_LEAST: u64 = 32 << 10;
const AHEAD_MOST: u64 = 1 << 20;

impl OnDisk {
    /// The file that a reader is, if it is one, from where the reader stands.
    pub(crate) fn of<R>(reader: &mut R, limits: IpcLimits) -> Option<Self> {
        if !cfg!(any(unix, windows)) {
            return None;
        }
        let (file, at) = match as_file(reader)? {
            AsFile::Plain(mut file) => (file.try_clone().ok()?, file.stream_position().ok()?),
            AsFile::Buffered(reader) => (reader.get_ref().try_clone().ok()?, reader.stream_position().ok()?),
        };
        let metadata = file.metadata().ok()?;
        let len = metadata.len();
        // Files of the system's own say that they are empty. Those that are have nothing to gain.
        if !metadata.is_file() || len <= at {
            return None;
        }
        let file = Arc::new(Source::File { reader: file, len });
        Some(Self { file, len, at, heads: Heads::default(), ahead: 0, decoder: Decoder::new(limits) })
    }

    /// Where the next byte is.
    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// Begins a stream where the one before has ended.
    pub(super) fn restart(&mut self, limits: IpcLimits) {
        self.decoder = Decoder::new(limits);
    }

    /// So many bytes, fewer only at the end of the file. They are not taken.
    pub(super) fn peek(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        let have = self.available(len as u64);
        self.heads.get(self.at..self.at + have, self.len, |range| self.file.read(range))
    }

    /// Takes bytes that have been seen.
    pub(super) fn consume(&mut self, len: usize) {
        self.at += len as u64;
    }

    /// Bytes behind the position, up to `need`: the file may have grown meanwhile.
    fn available(&mut self, need: u64) -> u64 {
        let have = |len: u64, at: u64| len.saturating_sub(at).min(need);
        if have(self.len, self.at) < need
            && let Source::File { reader, .. } = &*self.file
            && let Ok(metadata) = reader.metadata()
        {
            self.len = self.len.max(metadata.len());
        }
        have(self.len, self.at)
    }

    /// What comes next.
    pub(crate) fn next(&mut self) -> PolarsResult<Item> {
        loop {
            let need = self.decoder.needed();
            let fresh = self.decoder.is_at_boundary();
            let have = self.available(need as u64);
            if have == 0 && fresh && need > 0 {
                return Ok(Item::End { marked: false });
            }
            if have < need as u64 {
                self.at += have;
                return Err(format_error(truncated(
                    "a message's head",
                    need,
                    usize::try_from(have).unwrap_or(0),
                )));
            }
            let bytes = self.heads.get(self.at..self.at + have, self.len, |range| self.file.read(range))?;
            self.at += have;
            match self.decoder.feed(&bytes).map_err(format_error)? {
                Step::Need(_) => {},
                Step::End => return Ok(Item::End { marked: true }),
                Step::Message(message) => return Ok(Item::Message(message)),
            }
        }
    }

    /// The body of the message that came last, which has `pieces` buffers. If those are tiny it is read at once with
    /// the messages behind it, since a call for each buffer would take longer than all else.
    pub(crate) fn body(&mut self, len: usize, pieces: usize) -> PolarsResult<StreamBody> {
        let start = self.at;
        let have = self.available(len as u64);
        self.at += have;
        if have < len as u64 {
            return Err(body_truncated(len, usize::try_from(have).unwrap_or(0)));
        }
        if len > SMALL_BODY || len > pieces.saturating_mul(SMALL_PIECE) {
            self.ahead = 0;
            self.heads.read_ahead(0);
            return Ok(StreamBody::OnDisk { file: Arc::clone(&self.file), start });
        }
        // More and more: a stream of which a few rows are wanted is not read far.
        self.ahead = (self.ahead * 2).clamp(AHEAD_LEAST, AHEAD_MOST);
        self.heads.read_ahead(self.ahead);
        let bytes = self.heads.get(start..self.at, self.len, |range| self.file.read(range))?;
        Ok(StreamBody::Read(Segments::whole(bytes)))
    }

    /// Puts the reader where the stream has been read to.
    pub(crate) fn leave<R>(&self, reader: &mut R) -> PolarsResult<()> {
        let to = SeekFrom::Start(self.at);
        let done = match as_file(reader) {
            Some(AsFile::Plain(mut file)) => file.seek(to),
            Some(AsFile::Buffered(reader)) => reader.seek(to),
            None => Err(io::Error::other("the reader is no file any more")),
        };
        done.map(drop).map_err(|e| io_error(e, "leaving an Arrow IPC stream"))
    }
}

/// A body of a stream.
pub(crate) enum StreamBody {
    /// What is wanted of it has been read.
    Read(Segments),
    /// It is at this place of a file.
    OnDisk { file: Arc<Source<File>>, start: u64 },
}

impl StreamBody {
    /// The bytes that have been read.
    pub(crate) fn bytes(&self) -> Option<usize> {
        match self {
            Self::Read(segments) => Some(segments.bytes()),
            Self::OnDisk { .. } => None,
        }
    }

    /// The file that it is in, and where it starts there.
    pub(crate) fn place(&self) -> Option<(&Source<File>, u64)> {
        match self {
            Self::Read(_) => None,
            Self::OnDisk { file, start } => Some((file, *start)),
        }
    }
}

impl Body for StreamBody {
    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        match self {
            Self::Read(segments) => segments.shared(range),
            Self::OnDisk { .. } => None,
        }
    }

    fn read_into(&self, range: Range<u64>, dst: &mut [u8]) -> WireResult<()> {
        match self {
            Self::Read(segments) => segments.read_into(range, dst),
            Self::OnDisk { file, start } => RangeOf { source: file, start: *start }.read_into(range, dst),
        }
    }
}
