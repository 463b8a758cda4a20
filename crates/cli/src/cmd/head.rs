//! `floe head` and `floe tail`: rows of an end, without reading the rest.

use std::path::PathBuf;

use crate::error::{Failure, Outcome, Result};
use crate::input::Input;
use crate::output::Format;
use crate::rows;

/// Show rows of one end; only those are read
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; `-` is standard input
    file: PathBuf,
    /// Number of rows
    #[arg(short, long, default_value_t = 10)]
    n: usize,
    /// These columns only, in this order
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    columns: Option<Vec<String>>,
    /// Of this record batch, counted from 0
    #[arg(long, value_name = "I")]
    batch: Option<usize>,
    /// How rows are shown: by default a table on a terminal, and CSV into a pipe
    #[arg(short, long, value_enum)]
    format: Option<Format>,
}

/// Which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    First,
    Last,
}

impl Args {
    pub(crate) fn run(self, end: End) -> Result<Outcome> {
        let Self { file, n, columns, batch, format } = self;
        let input = Input::open_rows(&file)?;
        let contents = input.scan()?;
        let columns = columns.as_deref();
        let frame = match (batch, end) {
            (None, End::First) => rows::first(&input, &contents, n, columns)?,
            (None, End::Last) => rows::last(&input, &contents, n, columns)?,
            (Some(number), end) => {
                let (_, mut frames) = rows::frames(&input, &contents, columns)?;
                let none = || {
                    let n = contents.batches.len();
                    Failure::of(
                        &input.name,
                        format!("there is no batch {number}: it has {n}, counted from 0"),
                    )
                };
                if number >= contents.batches.len() {
                    return Err(none());
                }
                let frame = match contents.is_whole() {
                    true => rows::batch(&input, number, columns)?,
                    false => frames.nth(number).ok_or_else(none)??,
                };
                if end == End::First { frame.head(Some(n)) } else { frame.tail(Some(n)) }
            },
        };
        rows::show(&frame, format)?;
        Ok(Outcome::Good)
    }
}
