//! `floe sample`: rows from all over a file.

use std::collections::BTreeSet;
use std::path::PathBuf;

use polars_core::prelude::*;

use crate::error::{Failure, Outcome, Result};
use crate::input::Input;
use crate::output::Format;
use crate::rows;

/// Show rows from all over a file, in their order
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, folders and patterns, as one table; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Number of rows
    #[arg(short, long, default_value_t = 10)]
    n: usize,
    /// Another seed gives other rows; the same one the same rows
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// These columns only, in this order
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    columns: Option<Vec<String>>,
    /// Of this record batch, counted from 0
    #[arg(long, value_name = "I")]
    batch: Option<usize>,
    /// Of the rows for which this holds: an expression in SQL, as in "delay > 60 AND origin = 'JFK'"
    #[cfg(feature = "query")]
    #[arg(long = "where", value_name = "SQL")]
    filter: Option<String>,
    /// How rows are shown: by default a table on a terminal, and CSV into a pipe
    #[arg(short, long, value_enum)]
    format: Option<Format>,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        if let Some(number) = self.batch {
            return self.of_batch(number);
        }
        let input = self.input()?;
        let Self { n, seed, columns, format, .. } = self;
        let contents = input.scan_whole()?;
        let wanted = choose(contents.rows(), n, seed);
        let batches = rows::Batches::open(&input, columns.as_deref())?;
        let mut frame: Option<DataFrame> = None;
        let mut start = 0u64;
        for (number, batch) in contents.batches.iter().enumerate() {
            let end = start.saturating_add(batch.rows as u64);
            let here: Vec<IdxSize> =
                wanted.range(start..end).filter_map(|row| IdxSize::try_from(row - start).ok()).collect();
            start = end;
            // Batches without a row that was chosen are not read.
            if here.is_empty() {
                continue;
            }
            let rows = batches.read(number)?.take(&IdxCa::from_vec("".into(), here))?;
            match &mut frame {
                None => frame = Some(rows),
                Some(frame) => drop(frame.vstack_mut(&rows)?),
            }
        }
        let frame = match frame {
            Some(frame) => frame,
            None => rows::first(&input, &contents, 0, columns.as_deref())?,
        };
        rows::show(&frame, format)?;
        Ok(Outcome::Good)
    }

    fn of_batch(&self, number: usize) -> Result<Outcome> {
        let [file] = self.files.as_slice() else {
            return Err(Failure::new("--batch is of one file, and several are named"));
        };
        #[cfg(feature = "query")]
        let filter = self.filter.as_deref();
        #[cfg(not(feature = "query"))]
        let filter = None;
        let frame = rows::of_batch(&Input::open_rows(file)?, number, filter, self.columns.as_deref())?;
        let wanted = choose(frame.height() as u64, self.n, self.seed);
        let wanted = wanted.into_iter().filter_map(|row| IdxSize::try_from(row).ok());
        rows::show(&frame.take(&IdxCa::from_vec("".into(), wanted.collect()))?, self.format)?;
        Ok(Outcome::Good)
    }

    fn input(&self) -> Result<Input> {
        #[cfg(feature = "query")]
        if self.filter.is_some() {
            use crate::query;

            // The number of rows is known at the end of the query.
            let table = query::table(&self.files)?;
            let lf = query::narrowed(table.lf, self.filter.as_deref(), self.columns.as_deref())?;
            return query::spool(lf, &crate::input::names(&self.files));
        }
        Input::open_all_rows(&self.files)
    }
}

/// `n` different numbers below `rows`, each set of them equally likely. (R. Floyd's algorithm.)
fn choose(rows: u64, n: usize, seed: u64) -> BTreeSet<u64> {
    let n = u64::try_from(n).unwrap_or(u64::MAX).min(rows);
    let mut state = seed;
    let mut random = |below: u64| {
        // SplitMix64; the product's high half is below `below`.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let wide = u128::from(z ^ (z >> 31)) * u128::from(below);
        u64::try_from(wide >> 64).unwrap_or(0)
    };
    let mut chosen = BTreeSet::new();
    for last in rows - n..rows {
        let row = random(last + 1);
        if !chosen.insert(row) {
            chosen.insert(last);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_different_and_within() {
        for (rows, n, expected) in [(0, 5, 0), (5, 5, 5), (1000, 10, 10), (3, 10, 3)] {
            let chosen = choose(rows, n, 7);
            assert_eq!(chosen.len(), expected);
            assert!(chosen.iter().all(|row| *row < rows));
        }
        assert_eq!(choose(1000, 10, 1), choose(1000, 10, 1));
        assert_ne!(choose(1000, 10, 1), choose(1000, 10, 2));
    }
}
