//! `floe head` and `floe tail`: rows of an end, without reading the rest.

use std::path::PathBuf;

use crate::error::{Failure, Outcome, Result};
use crate::input::Input;
use crate::output::Format;
use crate::rows;

/// Show rows of one end; only those are read
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, folders and patterns, as one table; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Number of rows
    #[arg(short, long, default_value_t = 10)]
    n: usize,
    /// These columns only, in this order
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    columns: Option<Vec<String>>,
    /// Of this record batch, counted from 0
    #[arg(long, value_name = "I")]
    batch: Option<usize>,
    /// The rows for which this holds: an expression in SQL, as in "delay > 60 AND origin = 'JFK'"
    #[cfg(feature = "query")]
    #[arg(long = "where", value_name = "SQL")]
    filter: Option<String>,
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
        #[cfg(feature = "query")]
        if self.batch.is_none() && self.needs_query() {
            return self.query(end);
        }
        let frame = match (self.files.as_slice(), self.batch) {
            ([_, _, ..], Some(_)) => {
                return Err(Failure::new("--batch is of one file, and several are named"));
            },
            ([file], Some(number)) => {
                rows::of_batch(&Input::open_rows(file)?, number, self.filter(), self.columns.as_deref())?
            },
            (files, _) => {
                let input = Input::open_all_rows(files)?;
                let contents = input.scan()?;
                match end {
                    End::First => rows::first(&input, &contents, self.n, self.columns.as_deref())?,
                    End::Last => rows::last(&input, &contents, self.n, self.columns.as_deref())?,
                }
            },
        };
        let frame = if end == End::First { frame.head(Some(self.n)) } else { frame.tail(Some(self.n)) };
        rows::show(&frame, self.format)?;
        Ok(Outcome::Good)
    }

    /// The predicate, in builds that have them.
    fn filter(&self) -> Option<&str> {
        #[cfg(feature = "query")]
        return self.filter.as_deref();
        #[cfg(not(feature = "query"))]
        None
    }

    /// Whether the rows are those of a query: of one file that is Arrow IPC, fewer bytes are read without.
    #[cfg(feature = "query")]
    fn needs_query(&self) -> bool {
        match self.files.as_slice() {
            [file] => self.filter.is_some() || crate::input::is_many(file) || crate::input::is_other(file),
            _ => true,
        }
    }

    #[cfg(feature = "query")]
    fn query(self, end: End) -> Result<Outcome> {
        use crate::query;

        let table = query::table(&self.files)?;
        let lf = query::narrowed(table.lf, self.filter.as_deref(), self.columns.as_deref())?;
        let frame = match end {
            End::First => query::first(lf, self.n, &table.others)?,
            End::Last => query::last(lf, self.n, &table.others)?,
        };
        rows::show(&frame, self.format)?;
        Ok(Outcome::Good)
    }
}
