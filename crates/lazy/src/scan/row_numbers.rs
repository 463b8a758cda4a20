//! The numbers of a scan's rows, which an engine slices in place of the rows themselves.

use std::ops::Range;

use arrow::bitmap::Bitmap;
use polars_core::prelude::*;

use super::layout::Layout;
use super::parts::Part;
use crate::size;

/// Bytes, when decoded, that a scan of rows may have.
const MAX_BYTES: u64 = 512 << 20;
/// Rows that it may have, and columns: each costs an expression.
const MAX_ROWS: usize = 1 << 28;
pub(super) const MAX_COLUMNS: usize = 1024;
/// The rows of a scan, by number.
pub(super) struct RowNumbers {
    pub(super) zeros: Bitmap,
    /// The number of the first row of each part, and that of all rows.
    pub(super) starts: Vec<usize>,
}

impl RowNumbers {
    /// The rows of some parts, if there are neither too many rows nor too many bytes.
    pub(super) fn new(layout: &Layout, parts: &[Part]) -> Option<Self> {
        if layout.schema.len() > MAX_COLUMNS {
            return None;
        }
        let mut starts = Vec::with_capacity(parts.len() + 1);
        let (mut rows, mut stored) = (0usize, 0u64);
        starts.push(0);
        for part in parts {
            rows = rows.checked_add(part.rows)?;
            stored = stored.saturating_add(part_bytes(layout, part));
            starts.push(rows);
        }
        let bits = layout.schema.iter_values().map(|dtype| match size::row_bits(dtype) {
            Ok(bits) | Err(bits) => bits,
        });
        let bits = bits.fold(0u64, u64::saturating_add);
        let decoded = u64::try_from(rows).ok()?.saturating_mul(bits) / 8;
        if rows > MAX_ROWS || decoded.max(stored) > MAX_BYTES {
            return None;
        }
        let zeros = Bitmap::from_u8_vec(vec![0; rows.div_ceil(8)], rows);
        Some(Self { zeros, starts })
    }

    /// The rows that are left in a column, which once was all of them.
    pub(super) fn range(&self, column: &Column) -> PolarsResult<Range<usize>> {
        let bits = column.bool()?;
        let whole = self.zeros.as_slice().0.as_ptr().addr();
        let mut found: Option<Range<usize>> = None;
        for array in bits.downcast_iter() {
            let (bytes, bit, len) = array.values().as_slice();
            if len == 0 {
                continue;
            }
            let start =
                bytes.as_ptr().addr().checked_sub(whole).and_then(|at| at.checked_mul(8)?.checked_add(bit));
            let expected = found.as_ref().map(|rows| rows.end);
            let start = start.filter(|start| expected.is_none_or(|expected| expected == *start));
            let end = start.and_then(|start| start.checked_add(len)).filter(|end| *end <= self.zeros.len());
            let (Some(start), Some(end)) = (start, end) else {
                if bits.len() == self.zeros.len() {
                    // Copied, but all of them.
                    return Ok(0..self.zeros.len());
                }
                polars_bail!(ComputeError: "the engine has copied the rows of a scan: which are left is not known");
            };
            found = Some(found.map_or(start, |rows| rows.start)..end);
        }
        Ok(found.unwrap_or(0..0))
    }
}

/// Stored bytes of a part.
pub(super) fn part_bytes(layout: &Layout, part: &Part) -> u64 {
    let bytes = |batch| Some(layout.sources.get(part.source)?.index.batch_size(batch)?.1);
    part.batches.clone().filter_map(bytes).fold(0, u64::saturating_add)
}
