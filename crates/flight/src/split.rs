//! Where frames are split into messages.

use floe_frame::row_size::bits;
use polars_core::prelude::*;

/// Rows between two places where a frame may be split: that many bits are whole bytes, so bitmaps are not shifted.
const STEP_ROWS: usize = 64;

/// Slices of a frame of at most about `max_bytes` each, in order. Rows are not split.
pub(crate) fn split(df: &DataFrame, max_bytes: usize) -> Vec<DataFrame> {
    let mut out = Vec::new();
    for (start, len) in chunks(df, max_bytes) {
        halve(df, start, len, max_bytes, &mut out);
    }
    out
}

/// The frame's own chunks, if all columns have the same and they are large: a message within one is not gathered.
fn chunks(df: &DataFrame, max_bytes: usize) -> Vec<(usize, usize)> {
    let whole = vec![(0, df.height())];
    let mut lengths: Option<Vec<usize>> = None;
    for column in df.columns() {
        let Column::Series(series) = column else { continue };
        let of_this: Vec<usize> = series.chunk_lengths().collect();
        match &lengths {
            Some(known) if *known != of_this => return whole,
            Some(_) => {},
            None => lengths = Some(of_this),
        }
    }
    let Some(lengths) = lengths.filter(|lengths| lengths.len() > 1) else { return whole };
    if bytes(df, 0, df.height()) / lengths.len() < max_bytes / 2 {
        return whole;
    }
    let mut start = 0;
    let placed = lengths.into_iter().map(|len| {
        start += len;
        (start - len, len)
    });
    placed.filter(|(_, len)| *len > 0).collect()
}

/// Splits rows evenly, and what is too large still once more: rows may differ in size.
fn halve(df: &DataFrame, start: usize, len: usize, max_bytes: usize, out: &mut Vec<DataFrame>) {
    let bytes = bytes(df, start, len);
    if bytes <= max_bytes || len <= 1 {
        out.push(slice(df, start, len));
        return;
    }
    let parts = bytes.div_ceil(max_bytes).clamp(2, len);
    let even = len.div_ceil(parts);
    let step = if even > STEP_ROWS { even.next_multiple_of(STEP_ROWS) } else { even };
    // A part of all rows would be split for ever.
    let step = if step >= len { len.div_ceil(2) } else { step };
    for from in (0..len).step_by(step) {
        halve(df, start + from, step.min(len - from), max_bytes, out);
    }
}

fn slice(df: &DataFrame, start: usize, len: usize) -> DataFrame {
    if start == 0 && len == df.height() {
        return df.clone();
    }
    // More rows than an i64 counts are in no frame.
    df.slice(i64::try_from(start).unwrap_or(i64::MAX), len)
}

fn bytes(df: &DataFrame, start: usize, len: usize) -> usize {
    let start = i64::try_from(start).unwrap_or(i64::MAX);
    let bits: u64 = df.columns().iter().map(|column| bits(&column.slice(start, len))).sum();
    usize::try_from(bits / 8).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heights(df: &DataFrame, max_bytes: usize) -> Vec<usize> {
        split(df, max_bytes).iter().map(DataFrame::height).collect()
    }

    #[test]
    fn parts_are_even_and_rows_stay_whole() {
        let numbers = DataFrame::new(1000, vec![Column::new("n".into(), vec![7u64; 1000])]).expect("a frame");
        assert_eq!(heights(&numbers, 1 << 20), [1000]);
        assert!(heights(&numbers, 2000).iter().all(|rows| *rows <= 256));
        assert_eq!(heights(&numbers, 2000).iter().sum::<usize>(), 1000);
        assert_eq!(heights(&numbers, 1), [1; 1000]);
    }

    #[test]
    fn one_long_row_is_alone_at_last() {
        let texts: Vec<String> =
            (0..256).map(|row| if row == 100 { "x".repeat(100_000) } else { "y".into() }).collect();
        let df = DataFrame::new(256, vec![Column::new("t".into(), texts)]).expect("a frame");
        let parts = split(&df, 10_000);
        let long = parts.iter().find(|part| bytes(part, 0, part.height()) > 10_000).expect("the long row");
        assert_eq!(long.height(), 1);
        assert_eq!(parts.iter().map(DataFrame::height).sum::<usize>(), 256);
    }

    #[test]
    fn large_chunks_are_kept() {
        let part = DataFrame::new(1000, vec![Column::new("n".into(), vec![7u64; 1000])]).expect("a frame");
        let df = part.vstack(&part).expect("one schema");
        assert_eq!(heights(&df, 9000), [1000, 1000]);
    }

    #[test]
    fn no_rows_are_one_part() {
        let df = DataFrame::new(0, vec![Column::new("n".into(), Vec::<u64>::new())]).expect("a frame");
        assert_eq!(heights(&df, 10), [0]);
    }
}
