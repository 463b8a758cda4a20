//! What a writer did.

/// The result of writing a stream or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WriteSummary {
    /// Rows written.
    pub rows: u64,
    /// Record batches written.
    pub batches: u64,
    /// Dictionary batches written, replacements and deltas included.
    pub dictionaries: u64,
    /// Bytes of all buffers before compression and padding.
    pub raw_bytes: u64,
    /// Bytes handed to the writer, all told.
    pub written_bytes: u64,
}
