//! The counters of a writer.

/// The result of writing a stream or a file.
///
/// ```
/// use floe_frame::IpcStreamWriter;
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0i64, 1, 2])])?;
/// let mut writer = IpcStreamWriter::new(Vec::new());
/// writer.finish(&mut df)?;
/// let summary = writer.summary();
/// assert_eq!((summary.rows, summary.batches, summary.raw_bytes), (3, 1, 24));
/// # PolarsResult::Ok(())
/// ```
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
