//! Sources of which any range of bytes can be read: the one way in for files, indexes and scans.
//!
//! ```text
//!   IpcReader, IpcIndex, scans, statistics
//!        |  ranges, joined where gaps are small: `read_joined_ranges`
//!   RangedSource: a file | memory | a reader that seeks | what a user brings
//! ```
//!
//! To add a source, implement [`RangedSource`]: `len` and `read_ranges` are enough. Neighbours: [`file`], [`memory`]
//! and [`reader`] are the sources that floe has, [`sparse`] the ranges that a caller without I/O has handed over.

mod exact;
mod file;
mod join;
mod memory;
mod reader;
mod source;
mod sparse;

pub(super) use exact::read_too_much;
pub use file::FileSource;
pub use join::join_ranges;
pub(super) use join::{read_joined_ranges, read_one};
pub(super) use reader::ReaderSource;
pub use reader::SeekSource;
pub(super) use source::SourceBody;
pub use source::{RangedSource, ReadCost};
pub(super) use sparse::SparseSource;

/// Stretches of at least this many bytes are read onto huge pages.
pub(super) const LARGE_BYTES: usize = 4 << 20;
