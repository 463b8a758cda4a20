//! The frames that a query delivers, put together or cut for record batches.
//!
//! The streaming engine delivers what its nodes leave: 100,000 rows, or five that passed a filter.
//! Small frames wait for others; they are joined when they are encoded, and no sooner. Frames of a
//! sensible size pass as they are: the encoder needs no copy of them, and cuts those that are large.

use polars_core::prelude::*;

use crate::size;

/// Rows that make a batch worth writing, when no number of rows was asked for.
const ENOUGH_ROWS: usize = 64 << 10;
/// Bytes that make a batch worth writing, when no number of rows was asked for.
const ENOUGH_BYTES: usize = 8 << 20;

/// When what waits is enough.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Enough {
    /// Multiples of so many rows.
    Exactly(usize),
    /// About so many rows or bytes.
    About {
        /// Rows.
        rows: usize,
        /// Bytes.
        bytes: usize,
    },
}

impl Enough {
    /// For record batches of that many rows, or of a sensible size.
    pub(crate) fn for_batches(rows: Option<usize>) -> Self {
        match rows {
            Some(rows) => Self::Exactly(rows.max(1)),
            None => Self::About { rows: ENOUGH_ROWS, bytes: ENOUGH_BYTES },
        }
    }
}

/// The frames that wait.
pub(crate) struct Regroup {
    enough: Enough,
    waiting: Option<DataFrame>,
    bytes: usize,
}

impl Regroup {
    pub(crate) fn new(enough: Enough) -> Self {
        Self { enough, waiting: None, bytes: 0 }
    }

    /// Takes a frame, and gives one if enough are there.
    pub(crate) fn push(&mut self, df: DataFrame) -> PolarsResult<Option<DataFrame>> {
        if df.height() == 0 {
            return Ok(None);
        }
        if self.waiting.is_none() && self.ready(df.height(), || size::bytes(&df)) == df.height() {
            return Ok(Some(df));
        }
        let df = size::compact(df);
        self.bytes = self.bytes.saturating_add(size::bytes(&df));
        let all = match self.waiting.take() {
            None => df,
            Some(mut waiting) => {
                waiting.vstack_mut_owned(df)?;
                waiting
            },
        };
        let ready = self.ready(all.height(), || self.bytes);
        if ready == 0 {
            self.waiting = Some(all);
            return Ok(None);
        }
        if ready < all.height() {
            let (ready, rest) = all.split_at(i64::try_from(ready).unwrap_or(i64::MAX));
            self.bytes = size::bytes(&rest);
            self.waiting = Some(rest);
            return Ok(Some(ready));
        }
        self.bytes = 0;
        Ok(Some(all))
    }

    /// How many of so many rows may go.
    fn ready(&self, height: usize, bytes: impl FnOnce() -> usize) -> usize {
        match self.enough {
            Enough::Exactly(rows) => height / rows * rows,
            Enough::About { rows, bytes: enough } if height >= rows || bytes() >= enough => height,
            Enough::About { .. } => 0,
        }
    }

    /// What is left at the end.
    pub(crate) fn rest(&mut self) -> Option<DataFrame> {
        self.bytes = 0;
        self.waiting.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(rows: usize) -> DataFrame {
        DataFrame::new(rows, vec![Column::new("a".into(), vec![7i64; rows])]).expect("a frame")
    }

    fn heights(enough: Enough, frames: &[usize]) -> (Vec<usize>, Option<usize>) {
        let mut regroup = Regroup::new(enough);
        let given = frames.iter().filter_map(|rows| regroup.push(frame(*rows)).expect("one schema"));
        let given = given.map(|df| df.height()).collect();
        (given, regroup.rest().map(|df| df.height()))
    }

    #[test]
    fn exact_sizes_come_in_multiples() {
        assert_eq!(heights(Enough::Exactly(4), &[1, 2, 3, 10, 4]), (vec![4, 12, 4], None));
        assert_eq!(heights(Enough::Exactly(4), &[4, 9, 0, 2]), (vec![4, 8], Some(3)));
        assert_eq!(heights(Enough::for_batches(Some(0)), &[2]), (vec![2], None));
    }

    #[test]
    fn small_frames_wait_and_large_ones_pass() {
        let enough = Enough::About { rows: 100, bytes: 1 << 20 };
        assert_eq!(heights(enough, &[60, 30, 5, 5, 500, 1]), (vec![100, 500], Some(1)));
        let enough = Enough::About { rows: 100, bytes: 80 };
        assert_eq!(heights(enough, &[9, 1, 10]), (vec![10, 10], None));
    }

    #[test]
    fn what_waits_holds_no_more_than_it_is() {
        let long = "x".repeat(1000);
        let text = Column::new("t".into(), vec![long.as_str(); 1000]);
        let df = DataFrame::new(1000, vec![text]).expect("a frame");
        let mut regroup = Regroup::new(Enough::Exactly(10));
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
