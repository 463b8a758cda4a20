//! A stream that is in memory as a whole.

use floe_array::Segments;
use floe_format::{IpcLimits, Next, next_message};
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::message_source::{BodyRequest, Item, MessageSource, SourceKind, body_truncated};
use super::pending::BatchBody;
use crate::error::format_error;

/// Memory, and how far it has been read.
pub(super) struct InMemory {
    bytes: Buffer<u8>,
    at: usize,
}

impl InMemory {
    /// A stream that starts at byte `at`.
    pub(super) fn new(bytes: Buffer<u8>, at: usize) -> Self {
        Self { bytes, at }
    }
}

impl MessageSource for InMemory {
    fn kind(&self) -> SourceKind {
        SourceKind::Memory
    }

    fn position(&self) -> u64 {
        self.at as u64
    }

    fn restart(&mut self, _: IpcLimits) {}

    fn peek(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        let end = self.at.saturating_add(len).min(self.bytes.len());
        Ok(self.bytes.clone().sliced(self.at.min(end)..end))
    }

    fn consume(&mut self, len: usize) {
        self.at += len;
    }

    fn next(&mut self, limits: &IpcLimits) -> PolarsResult<Item> {
        match next_message(&self.bytes, self.at, limits).map_err(format_error)? {
            Next::EndOfInput => Ok(Item::End { marked: false }),
            Next::EndMarker { next } => {
                self.at = next;
                Ok(Item::End { marked: true })
            },
            Next::Message { message, body, .. } => {
                self.at = body.start;
                Ok(Item::Message(message))
            },
        }
    }

    fn body(&mut self, request: BodyRequest<'_>) -> PolarsResult<BatchBody<'static>> {
        let len = request.body_len()?;
        let body = self.at.checked_add(len).filter(|end| *end <= self.bytes.len());
        let end = body.ok_or_else(|| body_truncated(len, self.bytes.len().saturating_sub(self.at)))?;
        let start = std::mem::replace(&mut self.at, end);
        Ok(BatchBody::Read(Segments::whole(self.bytes.clone().sliced(start..end))))
    }

    fn is_sole_owner(&self) -> bool {
        true
    }
}
