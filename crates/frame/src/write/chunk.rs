//! Where a frame is cut into record batches.
//!
//! Asked for a number of rows, every batch has exactly that many, but for the last. Otherwise batches have about
//! [`DEFAULT_ROWS`] rows, fewer if that would be more than [`MAX_BYTES`]. The cuts follow the frame's chunks where
//! those are of a sensible size, since a batch within one chunk is written without a copy.

use std::ops::Range;

use super::convert::Columns;

/// Rows per batch when nothing else is asked for, as in Polars' stream writer.
pub(crate) const DEFAULT_ROWS: usize = 512 * 512;
/// Bytes per batch when nothing else is asked for.
pub(crate) const MAX_BYTES: usize = 32 << 20;

/// The row ranges of the batches. A frame without rows has none.
pub(crate) fn ranges(columns: &Columns, rows: Option<usize>) -> Vec<Range<usize>> {
    let height = columns.height();
    if let Some(rows) = rows {
        return every(0..height, rows.max(1)).collect();
    }
    let target = target_rows(columns.bytes_per_row());
    let Some(starts) = columns.shared_starts() else {
        return every(0..height, target).collect();
    };
    let mut out = Vec::new();
    let mut from = 0;
    let ends = starts.iter().skip(1).copied().chain([height]);
    for end in ends {
        // Small chunks wait for the next ones, unless that would make too large a batch.
        if end - from >= target / 2 || end == height {
            cut(&mut out, from..end, target);
            from = end;
        }
    }
    out
}

/// Cuts a range of chunks into equal batches of at most about one and a half times the target.
fn cut(out: &mut Vec<Range<usize>>, range: Range<usize>, target: usize) {
    if range.len() <= target + target / 2 {
        if !range.is_empty() {
            out.push(range);
        }
    } else {
        out.extend(every(range, target));
    }
}

fn target_rows(bytes_per_row: f64) -> usize {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded"
    )]
    let by_bytes = (MAX_BYTES as f64 / bytes_per_row.max(1e-3)).min(DEFAULT_ROWS as f64) as usize;
    // A multiple of 64 rows keeps bitmaps on byte boundaries.
    (by_bytes & !63).max(64)
}

fn every(range: Range<usize>, rows: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    let count = range.len().div_ceil(rows);
    let start = range.start;
    (0..count).map(move |i| {
        let from = start + i * rows;
        from..from.saturating_add(rows).min(end)
    })
}

#[cfg(test)]
mod tests {
    use polars_core::prelude::*;

    use super::*;

    fn frame(chunks: &[usize]) -> DataFrame {
        let mut out: Option<DataFrame> = None;
        for rows in chunks {
            let values: Vec<i64> = (0..*rows).map(|i| i64::try_from(i).unwrap_or(0)).collect();
            let df = DataFrame::new(*rows, vec![Column::new("a".into(), values)]).expect("a frame");
            match &mut out {
                None => out = Some(df),
                Some(all) => {
                    all.vstack_mut(&df).expect("same schema");
                },
            }
        }
        out.expect("at least one chunk")
    }

    fn lens(chunks: &[usize], rows: Option<usize>) -> Vec<usize> {
        ranges(&Columns::new(&frame(chunks)), rows).into_iter().map(|r| r.len()).collect()
    }

    #[test]
    fn asked_for_rows_are_exact() {
        assert_eq!(lens(&[10, 5], Some(4)), [4, 4, 4, 3]);
        assert_eq!(lens(&[10], Some(usize::MAX)), [10]);
        assert_eq!(lens(&[10], Some(0)), [1; 10]);
    }

    #[test]
    fn tiny_chunks_merge_and_large_ones_split() {
        assert_eq!(lens(&[1; 300], None), [300]);
        assert_eq!(lens(&[200_000, 200_000], None), [200_000, 200_000]);
        assert!(lens(&[1_000_000], None).iter().all(|rows| *rows <= DEFAULT_ROWS));
        assert_eq!(lens(&[0], None), [0usize; 0]);
    }
}
