//! Which ranges of a body the projected columns need.

use std::ops::Range;

use floe_array::decode::ColumnOffsets;
use floe_format::{BatchHeader, BufferSpec, DataType, Field};

/// Neighbouring buffers are read together up to this many bytes.
const MAX_JOINED_BYTES: u64 = 8 << 20;
/// Bytes between two buffers that are not worth a segment of their own.
pub(crate) const MAX_GAP_BYTES: u64 = 4 << 10;
/// Buffers of this size that do not end up in the result as they are stay apart from those that do.
const MIN_SEPARATE_BYTES: u64 = 256 << 10;

/// The ranges of a body that hold all buffers of the columns, but for the values of those that are read `in_place`.
/// They ascend, do not touch, and each buffer lies within one. `starts` says where the columns' buffers begin.
pub(crate) fn ranges(
    header: &BatchHeader,
    starts: &[ColumnOffsets],
    fields: &[Field],
    columns: &[usize],
    in_place: &[usize],
) -> Vec<Range<u64>> {
    let mut buffers = Vec::with_capacity(header.buffers.len());
    for column in columns {
        let (Some(from), Some(to), Some(field)) =
            (starts.get(*column), starts.get(column + 1), fields.get(*column))
        else {
            continue;
        };
        let apart = header.compression.is_none() && becomes_views(field);
        let end = if in_place.binary_search(column).is_ok() { from.buffer + 1 } else { to.buffer };
        // Buffers that are missing are an error when the column is decoded.
        let own = header.buffers.get(from.buffer..end).unwrap_or_default();
        let own = own.iter().filter(|buffer| buffer.len > 0);
        buffers.extend(own.map(|buffer| (*buffer, apart && buffer.len >= MIN_SEPARATE_BYTES)));
    }
    buffers.sort_by_key(|(buffer, _)| buffer.offset);
    merge(&buffers)
}

/// Padding between buffers takes less than this.
const ALIGNMENT_BYTES: u64 = 64;

/// The ranges of a body that hold the buffers of the columns, and nothing else but padding between neighbours, in ascending
/// order and apart.
pub(crate) fn exact_ranges(
    header: &BatchHeader,
    starts: &[ColumnOffsets],
    columns: &[usize],
) -> Vec<Range<u64>> {
    let mut is_wanted = vec![false; header.buffers.len()];
    for column in columns {
        let ends = starts.get(*column).zip(starts.get(column + 1));
        let own = ends.and_then(|(from, to)| is_wanted.get_mut(from.buffer..to.buffer));
        own.into_iter().for_each(|own| own.fill(true));
    }
    let mut buffers: Vec<(BufferSpec, bool)> = header.buffers.iter().copied().zip(is_wanted).collect();
    buffers.retain(|(buffer, _)| buffer.len > 0);
    buffers.sort_by_key(|(buffer, _)| buffer.offset);
    let mut out: Vec<Range<u64>> = Vec::new();
    // Whether the buffer before this one is wanted, so that only padding lies between.
    let mut follows = false;
    for (buffer, is_wanted) in buffers {
        if is_wanted {
            let range = buffer.offset..buffer.offset.saturating_add(buffer.len);
            match out.last_mut() {
                Some(last)
                    if range.start <= last.end || (follows && range.start - last.end < ALIGNMENT_BYTES) =>
                {
                    last.end = last.end.max(range.end);
                },
                _ => out.push(range),
            }
        }
        follows = is_wanted;
    }
    out
}

/// Whether the values' offsets are read, but not kept.
pub(crate) fn becomes_views(field: &Field) -> bool {
    let offsets = [DataType::Utf8, DataType::Binary, DataType::LargeUtf8, DataType::LargeBinary];
    field.dictionary.is_none() && offsets.contains(&field.data_type)
}

fn merge(buffers: &[(BufferSpec, bool)]) -> Vec<Range<u64>> {
    let mut out: Vec<Range<u64>> = Vec::new();
    let mut open = false;
    for (buffer, apart) in buffers {
        let end = buffer.offset.saturating_add(buffer.len);
        if let Some(last) = out.last_mut() {
            let overlaps = buffer.offset < last.end;
            let near = buffer.offset.saturating_sub(last.end) <= MAX_GAP_BYTES
                && end - last.start <= MAX_JOINED_BYTES;
            if overlaps || (near && open && !apart) {
                last.end = last.end.max(end);
                continue;
            }
        }
        out.push(buffer.offset..end);
        open = !apart;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(buffers: &[(u64, u64, bool)]) -> Vec<(u64, u64)> {
        let buffers: Vec<(BufferSpec, bool)> = buffers
            .iter()
            .map(|(offset, len, apart)| (BufferSpec { offset: *offset, len: *len }, *apart))
            .collect();
        merge(&buffers).into_iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn neighbours_are_read_together_and_gaps_left_out() {
        assert_eq!(merged(&[(0, 10, false), (64, 100, false)]), [(0, 164)]);
        assert_eq!(merged(&[(0, 10, false), (1 << 20, 10, false)]), [(0, 10), (1 << 20, (1 << 20) + 10)]);
        assert_eq!(merged(&[(0, 6 << 20, false), (6 << 20, 6 << 20, false)]).len(), 2);
        assert_eq!(merged(&[(0, 1 << 20, false), (1 << 20, 1 << 20, true), (2 << 20, 9, false)]).len(), 3);
    }

    #[test]
    fn buffers_that_overlap_share_a_segment() {
        assert_eq!(merged(&[(0, 100, true), (50, 10, true), (99, 40, false)]), [(0, 139)]);
        assert_eq!(merged(&[(0, 9 << 20, false), (1, 9 << 20, false)]), [(0, (9 << 20) + 1)]);
    }
}
