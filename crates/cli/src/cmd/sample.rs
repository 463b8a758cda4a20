//! `floe sample`: rows from all over a file.

use std::collections::BTreeSet;
use std::path::PathBuf;

use polars_core::prelude::*;

use crate::error::{Outcome, Result};
use crate::input::Input;
use crate::output::Format;
use crate::rows;

/// Show rows from all over a file, in their order
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; `-` is standard input
    file: PathBuf,
    /// Number of rows
    #[arg(short, long, default_value_t = 10)]
    n: usize,
    /// Another seed gives other rows; the same one the same rows
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// These columns only, in this order
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    columns: Option<Vec<String>>,
    /// How rows are shown: by default a table on a terminal, and CSV into a pipe
    #[arg(short, long, value_enum)]
    format: Option<Format>,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { file, n, seed, columns, format } = self;
        let input = Input::open_rows(&file)?;
        let contents = input.scan_whole()?;
        let wanted = choose(contents.rows(), n, seed);
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
            let rows = rows::batch(&input, number, columns.as_deref())?;
            let rows = rows.take(&IdxCa::from_vec("".into(), here))?;
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
