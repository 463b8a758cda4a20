//! The trait for sources of byte ranges.

use std::io;
use std::ops::Range;

use floe_array::Body;
use floe_format::Result as WireResult;
use polars_buffer::Buffer;

/// The cost of a read of a [`RangedSource`], which decides how it is read.
///
/// ```
/// use floe_frame::{OwnedBytes, RangedSource, ReadCost};
///
/// let source = OwnedBytes::new(b"0123456789".to_vec());
/// assert_eq!(source.read_cost(), ReadCost::Memory);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadCost {
    /// Nothing: the bytes are in memory.
    Memory,
    /// A call to the system. Buffers are read one by one to where they stay.
    Call,
    /// A request that takes milliseconds. Few requests are made: ranges that are near each other are read together, and
    /// the heads of batches are kept.
    Request,
}

/// Bytes of a known length, of which any ranges can be read, from any thread: a file, memory, an object in a store.
///
/// [`IpcIndex::from_source`](crate::IpcIndex::from_source) opens one. Files, memory ([`OwnedBytes`](crate::OwnedBytes)) and
/// anything that seeks ([`SeekSource`](crate::SeekSource)) are sources already.
///
/// ```
/// use floe_frame::{Buffer, IpcIndex, IpcIndexOptions, IpcWriter, RangedSource};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
/// use std::io;
/// use std::ops::Range;
/// use std::sync::Arc;
///
/// /// Stands for a store that answers requests for ranges.
/// struct Store(Vec<u8>);
///
/// impl RangedSource for Store {
///     fn len(&self) -> u64 {
///         self.0.len() as u64
///     }
///
///     fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Buffer<u8>>> {
///         let get = |range: &Range<u64>| self.0.get(range.start as usize..range.end as usize);
///         let get = |range| get(range).map(|bytes| bytes.to_vec().into());
///         ranges.iter().map(|range| get(range).ok_or(io::ErrorKind::UnexpectedEof.into())).collect()
///     }
/// }
///
/// let mut df = DataFrame::new(3, vec![Column::new("day".into(), [1i64, 2, 3])])?;
/// let mut bytes = Vec::new();
/// IpcWriter::new(&mut bytes).finish(&mut df)?;
/// let index = IpcIndex::from_source(Arc::new(Store(bytes)), IpcIndexOptions::default())?;
/// assert_eq!(index.read(0..1, &[0], true)?, df);
/// # PolarsResult::Ok(())
/// ```
pub trait RangedSource: Send + Sync {
    /// Bytes of the whole source. They must not change while it is in use.
    ///
    /// See [`RangedSource`] for an example.
    fn len(&self) -> u64;

    /// Whether there are no bytes.
    ///
    /// ```
    /// use floe_frame::{OwnedBytes, RangedSource};
    ///
    /// let source = OwnedBytes::new(b"0123456789".to_vec());
    /// assert!(!source.is_empty() && OwnedBytes::new(b"").is_empty());
    /// ```
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of each of some ranges, in the order of the ranges. Those are not empty, lie within the source, ascend
    /// and do not overlap; ranges that are near each other have been joined. They may be read at once.
    ///
    /// See [`RangedSource`] for an example.
    ///
    /// # Errors
    /// When the bytes cannot be read. Fewer bytes than a range has are an error of the source.
    fn read_ranges(&self, ranges: &[Range<u64>]) -> io::Result<Vec<Buffer<u8>>>;

    /// Fills `out` with the bytes from `start` on. Worth to be implemented by sources that can do so without a buffer of
    /// their own.
    ///
    /// ```
    /// use floe_frame::{OwnedBytes, RangedSource};
    ///
    /// let source = OwnedBytes::new(b"0123456789".to_vec());
    /// let mut out = [0; 2];
    /// source.read_into(4, &mut out)?;
    /// assert_eq!(&out, b"45");
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`read_ranges`](Self::read_ranges).
    fn read_into(&self, start: u64, out: &mut [u8]) -> io::Result<()> {
        if out.is_empty() {
            return Ok(());
        }
        let range = start..start.saturating_add(out.len() as u64);
        let bytes = self.read_ranges(std::slice::from_ref(&range))?;
        let bytes =
            bytes.first().filter(|bytes| bytes.len() == out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    /// A range as memory that arrays may be views into, if it is in memory already.
    ///
    /// ```
    /// use floe_frame::{OwnedBytes, RangedSource};
    ///
    /// let source = OwnedBytes::new(b"0123456789".to_vec());
    /// assert_eq!(source.shared(2..4).as_deref(), Some(&b"23"[..]));
    /// ```
    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        let _ = range;
        None
    }

    /// A range as memory that is only lent, which is enough to decompress from.
    ///
    /// ```
    /// use floe_frame::{RangedSource, SeekSource};
    /// use std::io::Cursor;
    ///
    /// // A reader has no memory to lend: its bytes are copied.
    /// assert!(SeekSource::new(Cursor::new(b"0123456789"))?.lent(2..4).is_none());
    /// # std::io::Result::Ok(())
    /// ```
    fn lent(&self, range: Range<u64>) -> Option<&[u8]> {
        let _ = range;
        None
    }

    /// The cost of a read. Defaults to [`ReadCost::Request`].
    ///
    /// See [`ReadCost`] for an example.
    fn read_cost(&self) -> ReadCost {
        ReadCost::Request
    }
}

/// A body: the bytes behind `start`.
pub(in crate::read) struct SourceBody<'a> {
    pub(in crate::read) source: &'a dyn RangedSource,
    pub(in crate::read) start: u64,
}

impl SourceBody<'_> {
    fn range(&self, range: Range<u64>) -> Option<Range<u64>> {
        Some(self.start.checked_add(range.start)?..self.start.checked_add(range.end)?)
    }
}

impl Body for SourceBody<'_> {
    fn shared(&self, range: Range<u64>) -> Option<Buffer<u8>> {
        self.source.shared(self.range(range)?)
    }

    fn lent(&self, range: Range<u64>) -> Option<&[u8]> {
        self.source.lent(self.range(range)?)
    }

    fn read_into(&self, range: Range<u64>, dst: &mut [u8]) -> WireResult<()> {
        self.source.read_into(self.start + range.start, dst).map_err(floe_format::Error::io)
    }
}
