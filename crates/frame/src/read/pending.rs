//! A record batch that is to be decoded: the one description of it, wherever it comes from.
//!
//! ```text
//!   message of a file, a stream or an index -> PendingBatch -> fetch (bodies on disk) -> decode
//! ```

use std::ops::Range;
use std::sync::Arc;

use floe_array::{Body, Dictionaries, Segments};
use floe_format::{BatchHeader, KeyValues, NotUtf8, Result as WireResult, Version};
use polars_buffer::Buffer;

use super::ranged::{RangedSource, SourceBody};

/// The message of a record batch, without its body.
#[derive(Clone)]
pub(crate) struct BatchHead {
    pub(crate) header: BatchHeader,
    pub(crate) version: Version,
    pub(crate) metadata: KeyValues,
    pub(crate) not_utf8: Vec<NotUtf8>,
}

impl BatchHead {
    /// Whether floe's statistics stand with the batch, whatever they say.
    pub(crate) fn has_statistics(&self) -> bool {
        self.metadata.iter().any(|(key, _)| key == crate::statistics::KEY)
    }

    /// Whether sortedness flags stand with the batch.
    pub(crate) fn has_flags(&self) -> bool {
        self.metadata.iter().any(|(key, _)| key == crate::write_flags_key())
    }

    /// Bytes that the custom metadata takes.
    pub(crate) fn metadata_bytes(&self) -> u64 {
        metadata_bytes(&self.metadata, &self.not_utf8)
    }
}

/// Bytes that custom metadata takes.
pub(crate) fn metadata_bytes(metadata: &KeyValues, not_utf8: &[NotUtf8]) -> u64 {
    let text = metadata.iter().map(|(key, value)| key.len() + value.len());
    let other = not_utf8.iter().map(|entry| entry.key.len() + entry.value.len());
    text.chain(other).fold(0, |sum, bytes| sum.saturating_add(bytes as u64))
}

/// A record batch with all that decoding it takes.
pub(crate) struct PendingBatch<'a> {
    /// Its number, for messages.
    pub(crate) index: usize,
    pub(crate) head: BatchHead,
    pub(crate) body: BatchBody<'a>,
    /// The dictionaries as they were when the batch was written.
    pub(crate) dictionaries: Arc<Dictionaries>,
}

impl PendingBatch<'_> {
    pub(crate) fn header(&self) -> &BatchHeader {
        &self.head.header
    }

    pub(crate) fn rows(&self) -> usize {
        self.head.header.rows
    }

    pub(crate) fn version(&self) -> Version {
        self.head.version
    }

    pub(crate) fn is_compressed(&self) -> bool {
        self.head.header.compression.is_some()
    }
}

/// Where the bytes of a body are.
pub(crate) enum BatchBody<'a> {
    /// The wanted part has been read.
    Read(Segments),
    /// It starts there in a source.
    InSource { source: &'a dyn RangedSource, start: u64 },
    /// The same, of a source that goes with the batch to other threads.
    InShared { source: Arc<dyn RangedSource>, start: u64 },
}

impl BatchBody<'_> {
    /// The bytes that have been read.
    pub(crate) fn bytes(&self) -> Option<usize> {
        match self {
            Self::Read(segments) => Some(segments.bytes()),
            Self::InSource { .. } | Self::InShared { .. } => None,
        }
    }

    /// The source that it is in, and where it starts there.
    pub(crate) fn place(&self) -> Option<SourceBody<'_>> {
        match self {
            Self::Read(_) => None,
            Self::InSource { source, start } => Some(SourceBody { source: *source, start: *start }),
            Self::InShared { source, start } => Some(SourceBody { source: &**source, start: *start }),
        }
    }
}

impl Body for BatchBody<'_> {
    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        match self {
            Self::Read(segments) => segments.shared(range),
            Self::InSource { .. } | Self::InShared { .. } => self.place()?.shared(range),
        }
    }

    fn lent(&self, range: Range<u64>) -> Option<&[u8]> {
        let SourceBody { source, start } = self.place()?;
        source.lent(start.checked_add(range.start)?..start.checked_add(range.end)?)
    }

    fn read_into(&self, range: Range<u64>, dst: &mut [u8]) -> WireResult<()> {
        match (self, self.place()) {
            (_, Some(place)) => place.read_into(range, dst),
            (Self::Read(segments), _) => segments.read_into(range, dst),
            (Self::InSource { .. } | Self::InShared { .. }, None) => {
                Err(floe_format::Error::invalid("a body without a place"))
            },
        }
    }
}
