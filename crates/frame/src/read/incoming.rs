//! A stream from a reader that only reads: the bytes of the next head that have come are kept, bodies are taken at
//! once.

use std::io::{self, Read};

use floe_format::{Decoder, IpcLimits, Step};
use floe_runtime::as_file::is_in_memory;
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::body_reader::{BodyReader, read_once, read_up_to};
use super::message_source::{BodyRequest, Item, MessageSource, SourceKind, truncated};
use super::pending::BatchBody;
use super::prepared::PreparedMemory;
use crate::error::format_error;

/// A reader, and how far it has been read.
pub(super) struct Incoming<R> {
    reader: R,
    decoder: Decoder,
    prepared: PreparedMemory,
    /// Bytes of the next message's head that have come: they outlast a read that fails.
    pending: Vec<u8>,
    /// Bytes of the source that have been read, but for those.
    at: u64,
    /// Where the message starts whose head is being read, which may take several calls.
    start: u64,
    /// Whether a body is being read: after a failure there nobody knows how much of it has come.
    in_body: bool,
}

impl<R: Read> Incoming<R> {
    pub(super) fn new(reader: R, limits: IpcLimits) -> Self {
        Self {
            reader,
            decoder: Decoder::new(limits),
            prepared: PreparedMemory::default(),
            pending: Vec::new(),
            at: 0,
            start: 0,
            in_body: false,
        }
    }

    /// Makes `len` bytes pending, fewer only at the end of the input.
    fn fill(&mut self, len: usize) -> PolarsResult<()> {
        read_up_to(&mut self.reader, &mut self.pending, len).map_err(format_error)
    }
}

impl<R> Incoming<R> {
    pub(super) fn into_reader(self) -> R {
        self.reader
    }
}

impl<R: Read> MessageSource for Incoming<R> {
    fn kind(&self) -> SourceKind {
        SourceKind::Reader
    }

    fn position(&self) -> u64 {
        if self.decoder.is_at_boundary() { self.at } else { self.start }
    }

    fn restart(&mut self, limits: IpcLimits) {
        self.decoder = Decoder::new(limits);
    }

    fn peek(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        self.fill(len)?;
        Ok(self.pending.iter().take(len).copied().collect::<Vec<u8>>().into())
    }

    /// Whatever comes with one read, if it is more. For an error that shows it.
    fn peek_some(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        let have = self.pending.len();
        self.pending.resize(len.max(have), 0);
        // `pending` was resized to more than `have` above.
        let read = self.pending.get_mut(have..).map_or(Ok(0), |out| read_once(&mut self.reader, out));
        // The bytes before are enough to name the format by, whatever the error.
        self.pending.truncate(have + read.unwrap_or(0));
        Ok(self.pending.clone().into())
    }

    fn consume(&mut self, len: usize) {
        let len = len.min(self.pending.len());
        self.pending.drain(..len);
        self.at += len as u64;
        if self.pending.capacity() > MAX_KEPT_BYTES {
            self.pending.shrink_to(MAX_KEPT_BYTES);
        }
    }

    fn next(&mut self, _: &IpcLimits) -> PolarsResult<Item> {
        loop {
            let need = self.decoder.needed();
            let fresh = self.decoder.is_at_boundary();
            if fresh {
                self.start = self.at;
            }
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

    fn body(&mut self, request: BodyRequest<'_>) -> PolarsResult<BatchBody<'static>> {
        let len = request.body_len()?;
        let BodyRequest { ranges, in_place, parallel, .. } = request;
        self.in_body = true;
        let prepared = if parallel { Some(&mut self.prepared) } else { None };
        let body = BodyReader { reader: &mut self.reader, prepared, len, position: 0 }.read(ranges, in_place);
        let body = body.map_err(format_error)?;
        self.in_body = false;
        self.at += len as u64;
        Ok(BatchBody::Read(body))
    }

    /// Nothing is lost by an error where a head was begun: a reader that has nothing yet is asked again.
    fn resumes(&self, error: &PolarsError) -> bool {
        let PolarsError::IO { error, .. } = error else { return false };
        !self.in_body && matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
    }

    fn is_sole_owner(&self) -> bool {
        is_in_memory::<R>()
    }
}

/// Memory for heads that is kept for the next ones.
const MAX_KEPT_BYTES: usize = 1 << 20;
