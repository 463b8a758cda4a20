//! The frames that a query delivers, put together or cut for record batches.
//!
//! The streaming engine delivers frames of any size: 100,000 rows, or five that passed a filter. Their number depends
//! on the number of threads. Where batches begin depends on the rows alone.
//!
//! Small frames wait for others, and are joined when they are encoded. Frames of the engine's own size pass as they are,
//! or in slices, which the encoder need not copy.

use polars_core::prelude::*;

use crate::batch_sizing::{BatchSizing, Cursor};
use crate::size;

/// Puts frames together, or cuts them.
pub(crate) struct Regroup {
    sizing: BatchSizing,
    cursor: Cursor,
    waiting: Option<DataFrame>,
}

impl Regroup {
    pub(crate) fn new(sizing: BatchSizing) -> Self {
        Self { sizing, cursor: Cursor::default(), waiting: None }
    }

    /// Takes a frame, and returns those that are complete.
    pub(crate) fn push(&mut self, mut df: DataFrame) -> PolarsResult<Vec<DataFrame>> {
        let mut out = Vec::new();
        let mut compact = false;
        while df.height() > 0 {
            let end = self.end(&df);
            let passes = self.waiting.is_none() && end == Some(df.height());
            if !compact && !passes {
                // Rows of it will wait, or have waited for it: they should not hold more than they are.
                df = size::compact(df);
                compact = true;
            }
            let Some(end) = end else {
                self.waiting = Some(self.joined(df)?);
                break;
            };
            let mut rest = df.clear();
            if end < df.height() {
                (df, rest) = df.split_at(size::row(end));
            }
            out.push(self.joined(df)?);
            df = rest;
        }
        Ok(out)
    }

    /// How many rows of a frame go with those that wait.
    fn end(&mut self, df: &DataFrame) -> Option<usize> {
        match &self.sizing {
            BatchSizing::Rows(rows) => {
                let waiting = self.waiting.as_ref().map_or(0, DataFrame::height);
                let ready = (waiting + df.height()) / rows * rows;
                (ready > 0).then(|| ready - waiting)
            },
            BatchSizing::ByContent(spans) => spans.end(&mut self.cursor, df),
        }
    }

    /// The waiting rows with a frame behind them. Nothing waits afterwards.
    fn joined(&mut self, df: DataFrame) -> PolarsResult<DataFrame> {
        match self.waiting.take() {
            None => Ok(df),
            Some(mut waiting) => {
                waiting.vstack_mut_owned(df)?;
                Ok(waiting)
            },
        }
    }

    /// The rows that wait at the end. Rows behind them begin a new batch.
    pub(crate) fn rest(&mut self) -> Option<DataFrame> {
        self.cursor = Cursor::default();
        self.waiting.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(rows: usize) -> DataFrame {
        DataFrame::new(rows, vec![Column::new("a".into(), vec![7i64; rows])]).expect("a frame")
    }

    fn heights(sizing: BatchSizing, frames: &[usize]) -> (Vec<usize>, Option<usize>) {
        let mut regroup = Regroup::new(sizing);
        let given = frames.iter().flat_map(|rows| regroup.push(frame(*rows)).expect("one schema"));
        let given = given.map(|df| df.height()).collect();
        (given, regroup.rest().map(|df| df.height()))
    }

    #[test]
    fn exact_sizes_come_in_multiples() {
        assert_eq!(heights(BatchSizing::Rows(4), &[1, 2, 3, 10, 4]), (vec![4, 12, 4], None));
        assert_eq!(heights(BatchSizing::Rows(4), &[4, 9, 0, 2]), (vec![4, 8], Some(3)));
        assert_eq!(heights(BatchSizing::for_batches(Some(0), &Schema::default()), &[2]), (vec![2], None));
    }

    #[test]
    fn numbers_are_cut_by_rows_alone() {
        let schema = frame(0).schema().clone();
        let sizing = BatchSizing::for_batches(None, &schema);
        assert_eq!(heights(sizing, &[100_000, 60_000, 50_000, 190_001]), (vec![100_000; 4], Some(1)));
        // 65 bits per row: a thousand rows are cut in three.
        let sizing = BatchSizing::about(1000, 3000, &schema);
        assert_eq!(heights(sizing, &[999]), (vec![333; 3], None));
        let sizing = BatchSizing::about(1000, 1, &schema);
        assert_eq!(heights(sizing, &[200]), (vec![66; 3], Some(2)));
    }

    /// Heights of the batches of rows with strings of `len` bytes, `max_bytes` per batch.
    fn of_strings(rows: usize, len: usize, span: usize, max_bytes: u64) -> Vec<usize> {
        let text = Column::new("t".into(), vec!["x".repeat(len); rows]);
        let df = DataFrame::new(rows, vec![text]).expect("a frame");
        let mut regroup = Regroup::new(BatchSizing::about(span, max_bytes, df.schema()));
        let mut batches = regroup.push(df).expect("one schema");
        batches.extend(regroup.rest());
        batches.iter().map(DataFrame::height).collect()
    }

    #[test]
    fn batches_of_rows_that_are_alike_are_even() {
        // A span of 1,600 rows of 16 bytes a view and some for the text, as its types let it be.
        let cases =
            [(1, 1600), (30, 1600), (60, 1600), (100, 800), (150, 800), (200, 400), (400, 200), (900, 100)];
        for (len, expected) in cases {
            let heights = of_strings(4 * 1600, len, 1600, 180_000);
            assert_eq!(heights, vec![expected; 4 * 1600 / expected], "{len}");
        }
        // Nor is there a small one where a span has no sixteenths.
        let heights = of_strings(3 * 1607, 200, 1607, 180_000);
        assert!(heights.iter().all(|rows| (400..=407).contains(rows)), "{heights:?}");
        // Blocks that are too large for a batch.
        let heights = of_strings(1600, 4000, 1600, 180_000);
        assert!(heights.len() < 1600 * 4100 / 180_000 * 3 / 2, "{heights:?}");
    }

    /// Numbers, short and long strings, lists and structs of them, some null.
    fn mixed(rows: usize) -> DataFrame {
        let numbers = Column::new("n".into(), (0..).take(rows).collect::<Vec<i64>>());
        let lengths = (0..rows).map(|row| if row / 700 % 3 == 1 { row % 900 } else { row % 20 });
        let text: Vec<_> = lengths.map(|len| (len % 7 > 0).then(|| "x".repeat(len))).collect();
        let text = Series::new("t".into(), text);
        let flag = Series::new("f".into(), (0..rows).map(|row| row % 3 == 0).collect::<Vec<_>>());
        let mut lists = ListStringChunkedBuilder::new("l".into(), rows, rows);
        for row in 0..rows {
            match row % 5 {
                0 => lists.append_null(),
                few => lists.append_values_iter((0..few).map(|_| "an element of a list")),
            }
        }
        let fields = StructChunked::from_series("s".into(), rows, [text.clone(), flag].iter());
        let fields = fields.expect("fields").into_column();
        let columns = vec![numbers, text.into_column(), lists.finish().into_column(), fields];
        DataFrame::new(rows, columns).expect("a frame")
    }

    #[test]
    fn the_same_rows_make_the_same_batches() {
        let df = mixed(3000);
        let mut random = 7u64;
        for (rows, bytes) in [(900, 1 << 20), (900, 100 << 10), (2000, 30 << 10), (100_000, 1 << 30), (9, 1)]
        {
            let sizing = BatchSizing::about(rows, bytes, df.schema());
            let mut expected: Option<Vec<DataFrame>> = None;
            for most in [u64::MAX, 2, 10, 100, 1000] {
                let mut regroup = Regroup::new(sizing.clone());
                let mut batches = Vec::new();
                let mut at = 0;
                while at < df.height() {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let len = usize::try_from((random >> 33) % most + 1).expect("a small number");
                    let len = if most == u64::MAX { df.height() } else { len };
                    let piece = df.slice(i64::try_from(at).expect("a small number"), len);
                    at += len;
                    batches.extend(regroup.push(piece).expect("one schema"));
                }
                batches.extend(regroup.rest());
                let expected = expected.get_or_insert_with(|| batches.clone());
                let heights = |frames: &[DataFrame]| frames.iter().map(DataFrame::height).collect::<Vec<_>>();
                assert_eq!(heights(&batches), heights(expected), "{rows} rows, {bytes} bytes, {most}");
                assert!(batches.iter().zip(expected.iter()).all(|(a, b)| a.equals_missing(b)));
            }
            let expected = expected.expect("batches");
            assert_eq!(expected.iter().map(DataFrame::height).sum::<usize>(), df.height());
            if bytes == 30 << 10 {
                assert!(expected.len() > 20, "{} batches", expected.len());
            }
        }
    }

    #[test]
    fn what_waits_holds_no_more_than_it_is() {
        let long = "x".repeat(1000);
        let text = Column::new("t".into(), vec![long.as_str(); 1000]);
        let df = DataFrame::new(1000, vec![text]).expect("a frame");
        let mut regroup = Regroup::new(BatchSizing::Rows(10));
        regroup.push(df.slice(5, 1)).expect("one schema");
        let waiting = regroup.rest().expect("a row that waits");
        assert!(waiting.equals(&df.slice(5, 1)));
        let held: usize = waiting.columns()[0]
            .str()
            .expect("text")
            .downcast_iter()
            .map(|array| array.total_buffer_len())
            .sum();
        assert_eq!(held, 1000);
    }
}
