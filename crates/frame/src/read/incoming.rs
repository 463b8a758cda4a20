//! A stream from a reader that only reads: what of the next head has come is kept, bodies are taken at once.

use std::io::{self, Read};
use std::ops::Range;

use floe_format::{Decoder, IpcLimits, Step};
use polars_core::prelude::*;

use super::in_place::InPlace;
use super::input::{Ahead, BodyReader, Item, read_once, read_up_to, truncated};
use super::on_disk::StreamBody;
use crate::error::format_error;

/// A reader, and how far it has been read.
pub(crate) struct Incoming<R> {
    pub(super) reader: R,
    pub(super) decoder: Decoder,
    ahead: Ahead,
    /// Bytes of the next message's head that have come: they outlast a read that fails.
    pub(super) pending: Vec<u8>,
    /// Bytes of the source that have been read, but for those.
    pub(super) at: u64,
    /// Whether a body is being read: after a failure there nobody knows how much of it has come.
    in_body: bool,
}

impl<R: Read> Incoming<R> {
    pub(super) fn new(reader: R, limits: IpcLimits) -> Self {
        Self {
            reader,
            decoder: Decoder::new(limits),
            ahead: Ahead::default(),
            pending: Vec::new(),
            at: 0,
            in_body: false,
        }
    }

    /// The next message but for its body, or the end.
    pub(super) fn head(&mut self) -> PolarsResult<Item> {
        loop {
            let need = self.decoder.needed();
            let fresh = self.decoder.is_at_boundary();
            self.fill(need)?;
            if self.pending.is_empty() && fresh && need > 0 {
                return Ok(Item::End { marked: false });
            }
            let Some(bytes) = self.pending.get(..need) else {
                return Err(format_error(truncated("a message's head", need, self.pending.len())));
            };
            let step = self.decoder.feed(bytes);
            self.consume(need);
            match step.map_err(format_error)? {
                Step::Need(_) => {},
                Step::End => return Ok(Item::End { marked: true }),
                Step::Message(message) => return Ok(Item::Message(message)),
            }
        }
    }

    /// The body of the message that came last: see [`Input::body`](super::input::Input::body).
    pub(super) fn body(
        &mut self,
        len: usize,
        ranges: &[Range<u64>],
        in_place: Option<InPlace<'_>>,
        parallel: bool,
    ) -> PolarsResult<StreamBody> {
        self.in_body = true;
        let ahead = if parallel { Some(&mut self.ahead) } else { None };
        let body = BodyReader { reader: &mut self.reader, ahead, len, position: 0 }.read(ranges, in_place);
        let body = body.map_err(format_error)?;
        self.in_body = false;
        self.at += len as u64;
        Ok(StreamBody::Read(body))
    }

    /// Has so many bytes pending, fewer only at the end of the input.
    pub(super) fn fill(&mut self, len: usize) -> PolarsResult<()> {
        read_up_to(&mut self.reader, &mut self.pending, len).map_err(format_error)
    }

    /// Whatever comes with one read, if it is more. For an error that shows it.
    pub(super) fn peek_once(&mut self, len: usize) {
        let have = self.pending.len();
        self.pending.resize(len.max(have), 0);
        let read = self.pending.get_mut(have..).map_or(Ok(0), |out| read_once(&mut self.reader, out));
        self.pending.truncate(have + read.unwrap_or(0));
    }

    /// Takes what is pending.
    pub(super) fn consume(&mut self, len: usize) {
        let len = len.min(self.pending.len());
        self.pending.drain(..len);
        self.at += len as u64;
        if self.pending.capacity() > KEPT {
            self.pending.shrink_to(KEPT);
        }
    }

    /// Whether nothing is lost by an error: a reader that has nothing yet is asked again where a head was begun.
    pub(super) fn resumes(&self, error: &PolarsError) -> bool {
        let PolarsError::IO { error, .. } = error else { return false };
        !self.in_body && matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
    }
}

/// Memory for heads that is kept for the next ones.
const KEPT: usize = 1 << 20;
