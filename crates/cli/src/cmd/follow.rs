//! `floe follow`: rows of a stream that grows, as batches arrive.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use floe::prelude::*;
use floe::{Follow, FollowReader};
use polars_core::prelude::*;

use crate::error::{Failure, Outcome, Result};
use crate::output::Format;
use crate::rows::TextWriter;
use crate::term;

/// Show the rows of a growing stream, or file without a footer yet, as batches arrive
///
/// Ends at the end marker. A file that is replaced is begun anew.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; `-` is standard input
    file: PathBuf,
    /// Print how many rows there are so far, instead of the rows
    #[arg(long)]
    count: bool,
    /// These columns only, in this order
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    columns: Option<Vec<String>>,
    /// How rows are shown: csv (the default), tsv or ndjson
    #[arg(short, long, value_enum, default_value_t = Format::Csv)]
    format: Format,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { file, count, columns, format } = self;
        if !matches!(format, Format::Csv | Format::Tsv | Format::Ndjson) {
            return Err(Failure::new("`follow` shows rows as csv, tsv or ndjson, which have no end"));
        }
        let mut shown = Shown::new(count, format);
        if file == Path::new("-") {
            let reader = IpcStreamReader::new(std::io::stdin()).with_columns(columns).with_parallel(false);
            for frame in reader.batches()? {
                shown.frame(&frame?)?;
            }
            return Ok(Outcome::Good);
        }
        if file.is_dir() {
            return Err(Failure::of(
                file.display(),
                "it is a folder, and `follow` takes a file: name one in it",
            ));
        }
        let named = |error: PolarsError| match Failure::from(error) {
            Failure::Message(text) => Failure::of(file.display(), text),
            other => other,
        };
        let opened = FollowReader::open(&file).map_err(|error| match &error {
            PolarsError::IO { error, .. } => Failure::io(&file, error),
            _ => named(error),
        });
        let mut reader = opened?.with_columns(columns).with_parallel(false);
        loop {
            match reader.next_batch(Duration::MAX).map_err(named)? {
                Follow::Batch(frame) => shown.frame(&frame)?,
                Follow::Ended => return Ok(Outcome::Good),
                Follow::Replaced => {
                    term::tell(&format!("{}: it was replaced: beginning anew", file.display()));
                    reader.reopen().map_err(named)?;
                    shown = Shown::new(count, format);
                },
                _ => {},
            }
        }
    }
}

/// The output, and how many rows it has shown.
struct Shown {
    text: Option<TextWriter<std::io::Stdout>>,
    rows: u64,
}

impl Shown {
    /// With `count` the number of rows is shown, otherwise the rows.
    fn new(count: bool, format: Format) -> Self {
        let text = (!count).then(|| TextWriter::new(std::io::stdout(), format, None));
        Self { text, rows: 0 }
    }

    fn frame(&mut self, frame: &DataFrame) -> Result<()> {
        self.rows += frame.height() as u64;
        match &mut self.text {
            Some(text) => text.write(frame),
            None => {
                let mut out = std::io::stdout().lock();
                writeln!(out, "{}", term::count(self.rows))?;
                Ok(out.flush()?)
            },
        }
    }
}
