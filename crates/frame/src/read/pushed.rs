//! A stream whose bytes are handed over as they come, in pieces of any size.
//!
//! ```text
//!   push -> | chunk | chunk | chunk |   a message is taken when its body is there as a whole;
//!              ^ at                     what lies in one chunk is shared, what lies in several is copied once
//! ```

use std::collections::VecDeque;
use std::io;

use floe_array::Segments;
use floe_array::share;
use floe_format::{Decoder, IpcLimits, Message, Step};
use floe_runtime::alloc::try_initialised;
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::message_source::{BodyRequest, Item, MessageSource, SourceKind, body_truncated, truncated};
use super::pending::BatchBody;
use crate::error::{format_error, io_error};

/// Bytes that have been handed over and not been taken yet.
pub(super) struct Pushed {
    chunks: VecDeque<Buffer<u8>>,
    /// Bytes of all chunks.
    len: usize,
    at: u64,
    /// Where the message starts that is being taken.
    start: u64,
    decoder: Decoder,
    /// A message whose body has not come as a whole yet.
    pending: Option<Message>,
    /// Bytes without which nothing can be taken.
    wanted: usize,
    /// Whether no more will come.
    is_complete: bool,
}

impl Pushed {
    pub(super) fn new(limits: IpcLimits) -> Self {
        let (chunks, decoder) = (VecDeque::new(), Decoder::new(limits));
        Self { chunks, len: 0, at: 0, start: 0, decoder, pending: None, wanted: 0, is_complete: false }
    }

    pub(super) fn push(&mut self, bytes: Buffer<u8>) {
        if !bytes.is_empty() {
            self.len += bytes.len();
            self.chunks.push_back(bytes);
        }
    }

    /// Bytes that have not been taken.
    pub(super) fn buffered_bytes(&self) -> usize {
        self.len
    }

    /// Bytes that have to come before anything can be taken, as far as that is known.
    pub(super) fn missing_bytes(&self) -> usize {
        self.wanted.saturating_sub(self.len)
    }

    /// Says that no more will come.
    pub(super) fn complete(&mut self) {
        self.is_complete = true;
    }

    /// Whether there is too little to take anything.
    pub(super) fn is_waiting(&self) -> bool {
        self.len < self.wanted && !self.is_complete
    }

    /// Makes `len` bytes pending, or fails as a reader does that has nothing yet.
    fn want(&mut self, len: usize) -> PolarsResult<()> {
        self.wanted = if self.len < len { len } else { 0 };
        if self.is_waiting() {
            return Err(io_error(
                io::ErrorKind::WouldBlock.into(),
                "waiting for more of an Arrow IPC stream",
            ));
        }
        Ok(())
    }

    /// Takes bytes that are there: those of one chunk are shared.
    fn take(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        let bytes = match self.chunks.front() {
            Some(front) if front.len() >= len => front.clone().sliced(..len),
            _ if len == 0 => Buffer::default(),
            _ => share(self.copied(len)?),
        };
        self.consume(len);
        Ok(bytes)
    }

    /// The next bytes of several chunks.
    fn copied(&self, len: usize) -> PolarsResult<Vec<u8>> {
        let mut out = try_initialised::<u8>(len).map_err(|e| format_error(e.into()))?;
        let mut rest = out.as_mut_slice();
        for chunk in &self.chunks {
            let (now, later) = rest.split_at_mut(chunk.len().min(rest.len()));
            // `now` is at most as long as the chunk.
            // `now` is at most as long as the chunk.
            now.copy_from_slice(chunk.get(..now.len()).unwrap_or_default());
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        Ok(out)
    }
}

impl MessageSource for Pushed {
    fn kind(&self) -> SourceKind {
        SourceKind::Pushed
    }

    fn position(&self) -> u64 {
        if self.pending.is_none() && self.decoder.is_at_boundary() { self.at } else { self.start }
    }

    fn restart(&mut self, limits: IpcLimits) {
        self.decoder = Decoder::new(limits);
    }

    fn peek(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        self.want(len)?;
        self.peek_some(len)
    }

    fn peek_some(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        let len = len.min(self.len);
        match self.chunks.front() {
            Some(front) if front.len() >= len => Ok(front.clone().sliced(..len)),
            _ => Ok(self.copied(len)?.into()),
        }
    }

    fn consume(&mut self, len: usize) {
        let mut left = len.min(self.len);
        self.wanted = 0;
        self.len -= left;
        self.at += left as u64;
        while let Some(front) = self.chunks.front_mut().filter(|_| left > 0) {
            if front.len() > left {
                front.slice_in_place(left..);
                return;
            }
            left -= front.len();
            self.chunks.pop_front();
        }
    }

    fn next(&mut self, _: &IpcLimits) -> PolarsResult<Item> {
        loop {
            if let Some(message) = self.pending.take() {
                // More bytes than there are addresses never come.
                let len = usize::try_from(message.body_len).unwrap_or(usize::MAX);
                if self.len >= len {
                    self.wanted = 0;
                    return Ok(Item::Message(message));
                }
                self.pending = Some(message);
                self.want(len)?;
                return Err(body_truncated(len, self.len));
            }
            let need = self.decoder.needed();
            let fresh = self.decoder.is_at_boundary();
            if fresh {
                self.start = self.at;
            }
            self.want(need)?;
            if self.len == 0 && fresh && need > 0 {
                return Ok(Item::End { marked: false });
            }
            if self.len < need {
                return Err(format_error(truncated("a message's head", need, self.len)));
            }
            let bytes = self.take(need)?;
            match self.decoder.feed(&bytes).map_err(format_error)? {
                Step::Need(_) => {},
                Step::End => return Ok(Item::End { marked: true }),
                Step::Message(message) => self.pending = Some(message),
            }
        }
    }

    fn body(&mut self, request: BodyRequest<'_>) -> PolarsResult<BatchBody<'static>> {
        let len = request.body_len()?;
        if self.len < len {
            return Err(body_truncated(len, self.len));
        }
        let mut body = Segments::default();
        let mut position = 0;
        for range in request.ranges {
            // Ranges lie within the body, whose length is a usize.
            let at = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(len);
            self.consume(at(range.start).saturating_sub(position));
            body.push(range.start, self.take(at(range.end) - at(range.start))?);
            position = at(range.end);
        }
        self.consume(len - position);
        Ok(BatchBody::Read(body))
    }

    fn resumes(&self, error: &PolarsError) -> bool {
        matches!(error, PolarsError::IO { error, .. } if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn is_sole_owner(&self) -> bool {
        true
    }
}
