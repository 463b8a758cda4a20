//! Which batches are read together: many small ones would be many small requests.

use std::ops::{Bound, Range, RangeBounds};

use floe_frame::IpcIndex;
use polars_core::prelude::*;

/// Bytes of batches, as stored, that are read together at most, unless one has more.
const GROUP_BYTES: u64 = 4 << 20;

/// A batch, and which of its rows are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) batch: usize,
    pub(crate) rows: Range<usize>,
}

/// A range of whatever is counted from 0, of which there are `len`.
pub(crate) fn bounded(
    range: &(Bound<usize>, Bound<usize>),
    len: usize,
    what: &str,
) -> PolarsResult<Range<usize>> {
    let too_far = || polars_err!(OutOfBounds: "{what} {range:?} are out of range: there are {len}");
    let start = match range.start_bound() {
        Bound::Included(start) => *start,
        Bound::Excluded(before) => before.checked_add(1).ok_or_else(too_far)?,
        Bound::Unbounded => 0,
    };
    let end = match range.end_bound() {
        Bound::Included(last) => last.checked_add(1).ok_or_else(too_far)?,
        Bound::Excluded(end) => *end,
        Bound::Unbounded => len,
    };
    if start > end || end > len { Err(too_far()) } else { Ok(start..end) }
}

/// The batches of a range that have some of the rows of another, which are counted over all batches; in groups.
pub(crate) fn groups(index: &IpcIndex, batches: Range<usize>, rows: Range<usize>) -> Vec<Vec<Piece>> {
    let mut groups: Vec<Vec<Piece>> = Vec::new();
    let (mut before, mut group_bytes) = (0usize, 0u64);
    for batch in 0..batches.end {
        let (height, bytes) = index.batch_size(batch).unwrap_or((0, 0));
        let start = before;
        before += height;
        let wanted = rows.start.max(start).min(before)..rows.end.max(start).min(before);
        // An empty batch is read where all rows are wanted, as a reader would.
        let is_empty = if height == 0 { rows.start > start || rows.end < start } else { wanted.is_empty() };
        if batch < batches.start || is_empty {
            continue;
        }
        let piece = Piece { batch, rows: wanted.start - start..wanted.end - start };
        match groups.last_mut() {
            Some(group) if group_bytes.saturating_add(bytes) <= GROUP_BYTES => {
                group.push(piece);
                group_bytes += bytes;
            },
            _ => {
                groups.push(vec![piece]);
                group_bytes = bytes;
            },
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_ranges() {
        let of = |range: (Bound<usize>, Bound<usize>)| bounded(&range, 10, "rows");
        assert_eq!(of((Bound::Unbounded, Bound::Unbounded)).unwrap(), 0..10);
        assert_eq!(of((Bound::Included(2), Bound::Included(9))).unwrap(), 2..10);
        assert_eq!(of((Bound::Excluded(2), Bound::Excluded(3))).unwrap(), 3..3);
        assert!(
            of((Bound::Included(2), Bound::Included(10))).unwrap_err().to_string().contains("there are 10")
        );
        assert!(of((Bound::Included(3), Bound::Excluded(2))).is_err());
        assert!(of((Bound::Excluded(usize::MAX), Bound::Unbounded)).is_err());
        assert!(of((Bound::Unbounded, Bound::Included(usize::MAX))).is_err());
    }
}
