//! `floe cat`: files one behind another.

use std::path::PathBuf;

use super::convert::{self, Options};
use crate::error::{Outcome, Result};
use crate::output::Format;

/// Concatenate files and streams of the same columns
///
/// Messages are copied where schemas and dictionaries allow it, else rows are decoded and written anew, which is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, folders and patterns; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The file to be written, by default standard output
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    output: PathBuf,
    /// The output format, by default as the name ends; on standard output a stream
    #[arg(short, long, value_enum)]
    format: Option<Format>,
    /// Replace a file that exists
    #[arg(long)]
    force: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { files, output, format, force } = self;
        convert::run(&files, output, format, force, Options::default())
    }
}
