//! Where a stream's messages come from: one description of reading a stream.
//!
//! ```text
//!   Stream -- next, body --> MessageSource: memory | a file on disk | a reader | pushed bytes
//!                                 | feeds
//!                            floe_format::Decoder, which does no I/O
//! ```
//!
//! A body is taken when its header is known, so that of a reader only the wanted ranges are kept:
//!
//! ```text
//!   body       | a | b | c     | d     | e |        columns a, c and d are wanted
//!   segments   | a |   | c     | d     |            three: c and d are large
//! ```

use std::ops::Range;

use floe_format::{Error, ErrorKind, IpcLimits, Message};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::in_place::InPlace;
use super::pending::BatchBody;
use crate::error::format_error;

/// The next item of a stream.
pub(super) enum Item {
    /// A message, whose body is to be taken by [`MessageSource::body`] before anything else.
    Message(Message),
    End {
        marked: bool,
    },
}

/// The kind of a [`MessageSource`], where that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SourceKind {
    /// All of it is in memory.
    Memory,
    /// A regular file, read at positions.
    Disk,
    /// It comes as it is read, and its end is not known before.
    Reader,
    /// It comes as somebody hands it over.
    Pushed,
    /// A regular file that is still being written.
    Growing,
}

/// The wanted part of a body.
pub(super) struct BodyRequest<'a> {
    /// Bytes of the body.
    pub(super) len: u64,
    /// How many of its buffers have bytes.
    pub(super) buffers: usize,
    /// At least these ranges of it, ascending, apart, and within its length.
    pub(super) ranges: &'a [Range<u64>],
    /// The part that is read to where it stays, of a reader only. It is not among the ranges.
    pub(super) in_place: Option<InPlace<'a>>,
    pub(super) parallel: bool,
}

impl BodyRequest<'_> {
    /// Nothing of a body, which is passed over.
    pub(super) fn skip(len: u64) -> Self {
        Self { len, buffers: 0, ranges: &[], in_place: None, parallel: false }
    }

    pub(super) fn body_len(&self) -> PolarsResult<usize> {
        let Self { len, .. } = self;
        usize::try_from(*len).map_err(|_| polars_err!(ComputeError: "a message body of {len} bytes"))
    }
}

/// The messages of streams that lie one behind another.
pub(super) trait MessageSource {
    fn kind(&self) -> SourceKind;

    /// Where the next byte is, counted from the start of the memory or the file, or from where the reader stood.
    fn position(&self) -> u64;

    /// Makes ready for another stream.
    fn restart(&mut self, limits: IpcLimits);

    /// The next `len` bytes, fewer only at the end of the source. They are not taken.
    fn peek(&mut self, len: usize) -> PolarsResult<Buffer<u8>>;

    /// Up to `len` bytes, without waiting for more than one read.
    fn peek_some(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        self.peek(len)
    }

    /// Takes bytes that have been seen.
    fn consume(&mut self, len: usize);

    /// The next item.
    fn next(&mut self, limits: &IpcLimits) -> PolarsResult<Item>;

    /// The body of the message that came last.
    fn body(&mut self, request: BodyRequest<'_>) -> PolarsResult<BatchBody<'static>>;

    /// Has the reader behind it stand where the stream has been read to.
    fn leave(&mut self) -> PolarsResult<()> {
        Ok(())
    }

    /// Whether a read that failed so can be tried again, and goes on where it stood.
    fn resumes(&self, error: &PolarsError) -> bool {
        let _ = error;
        false
    }

    /// Whether its end is known without waiting, and nobody else can read on there.
    fn is_sole_owner(&self) -> bool;
}

pub(super) fn body_truncated(need: usize, have: usize) -> PolarsError {
    format_error(truncated("a message's body", need, have))
}

pub(super) fn truncated(what: &str, need: usize, have: usize) -> Error {
    let error = Error::new(ErrorKind::Truncated { need: need as u64, have: have as u64 });
    error.at(what)
}
