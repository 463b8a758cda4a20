//! `floe sql`: a query over files.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Outcome, Result};
use crate::output::Format;
use crate::{query, rows};

/// Answer a query in SQL; files are tables, by their quoted names
///
/// As in `floe sql "SELECT origin, count(*) FROM 'flights.arrow' GROUP BY origin"`. Arrow IPC, Parquet, CSV and NDJSON
/// may be joined; folders and patterns are tables as well, and `stdin` is standard input. Columns and batches that the
/// query does not need are not read. Queries only: nothing is changed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The query
    query: String,
    /// Show how the query would run, instead of its answer
    #[arg(long)]
    explain: bool,
    /// How rows are shown: by default as the name of the output ends, a table on a terminal, and CSV into a pipe
    #[arg(short, long, value_enum)]
    format: Option<Format>,
    /// The file to be written, by default standard output
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    output: PathBuf,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { query, explain, format, output, force } = self;
        // Onto a terminal only what was asked for by name.
        let force = force || (output.as_path() == Path::new("-") && format.is_some());
        let format = Format::of(format, &output)?;
        let query = query::Query::parse(&query)?.plan()?;
        if explain {
            writeln!(std::io::stdout().lock(), "{}", query.explain()?)?;
            return Ok(Outcome::Good);
        }
        let (schema, mut frames) = query::frames(query.lf.clone(), None, &query.others())?;
        rows::write_frames(&mut frames, &schema, format, &output, force)?;
        Ok(Outcome::Good)
    }
}
