//! Where a reader's stream comes from: a file on disk, or anything else that reads.

use std::io::Read;

use floe_format::IpcLimits;
use polars_buffer::Buffer;
use polars_core::prelude::*;

use super::incoming::Incoming;
use super::message_source::{BodyRequest, Item, MessageSource, SourceKind};
use super::on_disk::OnDisk;
use super::pending::BatchBody;

/// A reader, which turns out to be a file or not.
pub(super) enum Input<R> {
    OnDisk(OnDisk<R>),
    Reader(Incoming<R>),
}

impl<R: Read> Input<R> {
    pub(super) fn from_reader(reader: R, limits: IpcLimits) -> Self {
        match OnDisk::of(reader, limits) {
            Ok(disk) => Self::OnDisk(disk),
            Err(reader) => Self::Reader(Incoming::new(reader, limits)),
        }
    }

    fn source(&self) -> &dyn MessageSource {
        match self {
            Self::OnDisk(disk) => disk,
            Self::Reader(incoming) => incoming,
        }
    }

    fn source_mut(&mut self) -> &mut dyn MessageSource {
        match self {
            Self::OnDisk(disk) => disk,
            Self::Reader(incoming) => incoming,
        }
    }
}

impl<R> Input<R> {
    /// The reader behind it.
    pub(super) fn into_reader(self) -> R {
        match self {
            Self::OnDisk(disk) => disk.into_reader(),
            Self::Reader(incoming) => incoming.into_reader(),
        }
    }
}

impl<R: Read> MessageSource for Input<R> {
    fn kind(&self) -> SourceKind {
        self.source().kind()
    }

    fn position(&self) -> u64 {
        self.source().position()
    }

    fn restart(&mut self, limits: IpcLimits) {
        self.source_mut().restart(limits);
    }

    fn peek(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        self.source_mut().peek(len)
    }

    fn peek_some(&mut self, len: usize) -> PolarsResult<Buffer<u8>> {
        self.source_mut().peek_some(len)
    }

    fn consume(&mut self, len: usize) {
        self.source_mut().consume(len);
    }

    fn next(&mut self, limits: &IpcLimits) -> PolarsResult<Item> {
        self.source_mut().next(limits)
    }

    fn body(&mut self, request: BodyRequest<'_>) -> PolarsResult<BatchBody<'static>> {
        self.source_mut().body(request)
    }

    fn leave(&mut self) -> PolarsResult<()> {
        self.source_mut().leave()
    }

    fn resumes(&self, error: &PolarsError) -> bool {
        self.source().resumes(error)
    }

    fn is_sole_owner(&self) -> bool {
        self.source().is_sole_owner()
    }
}
