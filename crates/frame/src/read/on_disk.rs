//! A stream that is a file on disk, whatever type of reader it came as. Heads are read one after another; bodies are
//! read at their positions when they are decoded, on all cores.
//!
//! ```text
//!   | head | body          | head | body   |           | end |
//!     4 KiB                  4 KiB          ^ at              ^ where the reader stands afterwards
//! ```
//!
//! [`SerReader`](polars_io::SerReader) gives a stream's reader as `R: Read`, which has a next byte and nothing else.
//! For a regular file that would be one core's `read`, with the others waiting; so we look whether `R` is a file.

use std::io::{self, Seek, SeekFrom};
use std::sync::Arc;

use floe_array::Segments;
use floe_format::{Decoder, IpcLimits, Step};
use floe_runtime::as_file::{AsFile, as_file, owns_file};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::message_source::{BodyRequest, Item, MessageSource, SourceKind, body_truncated, truncated};
use super::pending::BatchBody;
use super::ranged::{FileSource, RangedSource, read_one};
use super::read_ahead::ReadAhead;
use crate::error::{format_error, io_error};

/// A file that is being read as a stream.
pub(super) struct OnDisk<R> {
    reader: R,
    file: Arc<FileSource>,
    len: u64,
    at: u64,
    heads: ReadAhead,
    /// Bytes that are read at once while bodies are small.
    ahead: u64,
    decoder: Decoder,
}

/// Bodies up to this, of buffers that are no larger than that on average, are small.
const SMALL_BODY_BYTES: usize = 256 << 10;
const SMALL_BUFFER_BYTES: usize = 4 << 10;
/// Bytes of one read while bodies are small: of the first read, and at most.
const MIN_AHEAD_BYTES: u64 = 32 << 10;
const MAX_AHEAD_BYTES: u64 = 1 << 20;

impl<R> OnDisk<R> {
    /// The file that a reader is, if it is one, from where the reader stands.
    ///
    /// # Errors
    /// With the reader, if it is none.
    pub(super) fn of(mut reader: R, limits: IpcLimits) -> Result<Self, R> {
        match open(&mut reader) {
            None => Err(reader),
            Some((file, at)) => {
                let len = file.len();
                let (file, heads, decoder) = (Arc::new(file), ReadAhead::default(), Decoder::new(limits));
                Ok(Self { reader, file, len, at, heads, ahead: 0, decoder })
            },
        }
    }

    pub(super) fn into_reader(self) -> R {
        self.reader
    }

    /// Bytes behind the position, up to `need`: the file may have grown meanwhile.
    fn available(&mut self, need: u64) -> u64 {
        let have = |len: u64, at: u64| len.saturating_sub(at).min(need);
        if have(self.len, self.at) < need
            && let Ok(metadata) = self.file.file().metadata()
        {
            self.len = self.len.max(metadata.len());
        }
        have(self.len, self.at)
    }

    /// The next bytes, which are there.
    fn read(&mut self, len: u64) -> PolarsResult<Buffer<u8>> {
        self.heads.get(self.at..self.at + len, self.len, |range| read_one(&*self.file, range))
    }
}

/// The file, and where the reader stands in it.
fn open<R>(reader: &mut R) -> Option<(FileSource, u64)> {
    if !cfg!(any(unix, windows)) {
        return None;
    }
    let (file, at) = match as_file(reader)? {
        AsFile::Plain(mut file) => (file.try_clone().ok()?, file.stream_position().ok()?),
        AsFile::Buffered(reader) => (reader.get_ref().try_clone().ok()?, reader.stream_position().ok()?),
    };
    let file = FileSource::new(file).ok()?;
    // Files of the system's own say that they are empty. Those that are have nothing to gain.
    (file.len() > at).then_some((file, at))
}

impl<R> MessageSource for OnDisk<R> {
    fn kind(&self) -> SourceKind {
        SourceKind::Disk
    }

    fn position(&self) -> u64 {
        self.at
    }

    fn restart(&mut self, limits: IpcLimits) {
        self.decoder = Decoder::new(limits);
    }

    fn peek(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        let have = self.available(len as u64);
        self.read(have)
    }

    fn consume(&mut self, len: usize) {
        self.at += len as u64;
    }

    fn next(&mut self, _: &IpcLimits) -> PolarsResult<Item> {
        loop {
            let need = self.decoder.needed();
            let fresh = self.decoder.is_at_boundary();
            let have = self.available(need as u64);
            if have == 0 && fresh && need > 0 {
                return Ok(Item::End { marked: false });
            }
            if have < need as u64 {
                self.at += have;
                // Less than `need`, which is a usize.
                let have = usize::try_from(have).unwrap_or(0);
                return Err(format_error(truncated("a message's head", need, have)));
            }
            let bytes = self.read(have)?;
            self.at += have;
            match self.decoder.feed(&bytes).map_err(format_error)? {
                Step::Need(_) => {},
                Step::End => return Ok(Item::End { marked: true }),
                Step::Message(message) => return Ok(Item::Message(message)),
            }
        }
    }

    /// If the buffers are tiny the body is read at once with the messages behind it, since a call for each buffer would
    /// take longer than all else.
    fn body(&mut self, request: BodyRequest<'_>) -> PolarsResult<BatchBody<'static>> {
        let len = request.body_len()?;
        let start = self.at;
        let have = self.available(len as u64);
        if have < len as u64 {
            self.at += have;
            // Less than `len`, which is a usize.
            return Err(body_truncated(len, usize::try_from(have).unwrap_or(0)));
        }
        if len > SMALL_BODY_BYTES || len > request.buffers.saturating_mul(SMALL_BUFFER_BYTES) {
            self.at += have;
            self.ahead = 0;
            self.heads.read_ahead(0);
            return Ok(BatchBody::InShared { source: Arc::<FileSource>::clone(&self.file), start });
        }
        // More and more: a stream of which a few rows are wanted is not read far.
        self.ahead = (self.ahead * 2).clamp(MIN_AHEAD_BYTES, MAX_AHEAD_BYTES);
        self.heads.read_ahead(self.ahead);
        let bytes = self.read(have);
        self.at += have;
        Ok(BatchBody::Read(Segments::whole(bytes?)))
    }

    /// Puts the reader where the stream has been read to.
    fn leave(&mut self) -> PolarsResult<()> {
        let to = SeekFrom::Start(self.at);
        let done = match as_file(&mut self.reader) {
            Some(AsFile::Plain(mut file)) => file.seek(to),
            Some(AsFile::Buffered(reader)) => reader.seek(to),
            None => Err(io::Error::other("the reader is no file any more")),
        };
        done.map(drop).map_err(|e| io_error(e, "leaving an Arrow IPC stream"))
    }

    fn is_sole_owner(&self) -> bool {
        owns_file::<R>()
    }
}
