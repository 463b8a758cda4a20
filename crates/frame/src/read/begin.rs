//! Where a stream begins in its source: behind a file's magic, behind the stream before it, or not at all.
//!
//! ```text
//!   | stream | end marker | zeros, more end markers | stream | end marker |
//!   | ARROW1 00 00 | stream | end marker | footer | ARROW1 |
//! ```
//!
//! What is there is looked at before anything is taken. Of a reader no byte is asked for that does not belong to a
//! stream, as long as it is one.

use std::io::Read;

use floe_format::constants::{CONTINUATION, END_OF_STREAM, FILE_MAGIC, FILE_PREFIX};
use floe_format::sniff::check_stream;
use floe_format::{Decoder, IpcLimits, SourceFormat, sniff};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::incoming::Incoming;
use super::index::SNIFFED;
use super::input::Input;
use crate::error::format_error;

/// What is found where a stream could begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// A stream.
    Stream,
    /// The magic of a file. It has been taken: a stream follows.
    File,
    /// The end of the source.
    End,
}

/// Bytes behind the length that tell a message without a marker from anything else.
const TOLD: usize = 64;
/// Zeros and end markers behind a stream that are passed over, of a reader whose end is not known.
const PADDING: u64 = 64 << 20;

impl<R: Read> Input<R> {
    /// Where the next byte is, counted from the start of the memory or the file, or from where the reader stood.
    pub(super) fn position(&self) -> u64 {
        match self {
            Self::Memory { at, .. } => *at as u64,
            Self::OnDisk { disk, .. } => disk.position(),
            Self::Reader(incoming) => incoming.at,
        }
    }

    /// Makes ready for another stream.
    pub(super) fn restart(&mut self, limits: IpcLimits) {
        match self {
            Self::Memory { .. } => {},
            Self::OnDisk { disk, .. } => disk.restart(limits),
            Self::Reader(incoming) => incoming.decoder = Decoder::new(limits),
        }
    }

    /// So many bytes, fewer only at the end of the source. They are not taken.
    fn peek(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        match self {
            Self::Memory { bytes, at } => {
                let end = at.saturating_add(len).min(bytes.len());
                Ok(bytes.clone().sliced((*at).min(end)..end))
            },
            Self::OnDisk { disk, .. } => disk.peek(len),
            Self::Reader(incoming) => {
                incoming.fill(len)?;
                let len = len.min(incoming.pending.len());
                Ok(incoming.pending.iter().take(len).copied().collect::<Vec<u8>>().into())
            },
        }
    }

    /// Takes bytes that have been seen.
    fn consume(&mut self, len: usize) {
        match self {
            Self::Memory { at, .. } => *at += len,
            Self::OnDisk { disk, .. } => disk.consume(len),
            Self::Reader(incoming) => incoming.consume(len),
        }
    }

    /// Looks at what begins here, and takes the magic of a file.
    ///
    /// # Errors
    /// When it is another format, which is named.
    pub(super) fn begin(&mut self) -> PolarsResult<Begin> {
        let start = self.peek(CONTINUATION.len())?;
        if start.is_empty() {
            return Ok(Begin::End);
        }
        if start.as_slice() == CONTINUATION {
            return Ok(Begin::Stream);
        }
        if FILE_MAGIC.starts_with(&start) && self.peek(FILE_PREFIX.len())?.starts_with(&FILE_MAGIC) {
            let prefix = self.peek(FILE_PREFIX.len())?.len();
            self.consume(prefix);
            return Ok(Begin::File);
        }
        let start = if let (SourceFormat::IpcStream, Some(length)) = (sniff(&start), start.first_chunk()) {
            // The length of a message's metadata, as it seems, so that at least so much belongs to it.
            let metadata = usize::try_from(i32::from_le_bytes(*length)).unwrap_or(0);
            self.peek(CONTINUATION.len() + metadata.min(TOLD))?
        } else {
            self.peek_more()?
        };
        check_stream(&start).map_err(format_error)?;
        Ok(Begin::Stream)
    }

    /// What there is of the beginning of another format, without waiting for more than one read.
    fn peek_more(&mut self) -> PolarsResult<Buffer<u8>> {
        if let Self::Reader(incoming) = self {
            incoming.peek_once(SNIFFED);
            return Ok(incoming.pending.clone().into());
        }
        self.peek(SNIFFED)
    }

    /// Takes zeros and end markers, which writers leave behind a stream: of a buffer that is larger than what was
    /// written, or because both ends of a connection closed it.
    pub(super) fn skip_padding(&mut self) -> PolarsResult<()> {
        let start = self.position();
        loop {
            let word = self.peek(CONTINUATION.len())?;
            let len = word.len();
            if len > 0 && word.iter().all(|byte| *byte == 0) {
                self.consume(len);
            } else if word.as_slice() == CONTINUATION
                && self.peek(END_OF_STREAM.len())?.as_slice() == END_OF_STREAM
            {
                self.consume(END_OF_STREAM.len());
            } else {
                return Ok(());
            }
            if matches!(self, Self::Reader(_)) && self.position() - start > PADDING {
                polars_bail!(ComputeError: "more than {PADDING} zero bytes follow the stream that ends at byte {start}");
            }
        }
    }

    /// All that is left, which is taken: at most `most` bytes.
    pub(super) fn rest(&mut self, most: usize) -> PolarsResult<Buffer<u8>> {
        let rest = self.peek(most.saturating_add(1))?;
        polars_ensure!(
            rest.len() <= most,
            ComputeError: "more than {most} bytes follow at byte {}", self.position()
        );
        self.consume(rest.len());
        Ok(rest)
    }

    /// Whether a read that failed so can be tried again, and goes on where it stood.
    pub(super) fn resumes(&self, error: &PolarsError) -> bool {
        matches!(self, Self::Reader(incoming) if incoming.resumes(error))
    }

    pub(super) fn is_reader(&self) -> bool {
        matches!(self, Self::Reader(_))
    }
}

impl<R> Input<R> {
    /// The reader behind it.
    pub(super) fn into_reader(self) -> Option<R> {
        match self {
            Self::Reader(Incoming { reader, .. }) | Self::OnDisk { reader, .. } => Some(reader),
            Self::Memory { .. } => None,
        }
    }
}
