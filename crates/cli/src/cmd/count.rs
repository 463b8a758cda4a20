//! `floe count`: rows, from heads alone.

use std::io::Write;
use std::path::PathBuf;

use crate::error::{Outcome, Result};
use crate::input::{Input, expand};

/// Count rows, without reading a body
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, folders and patterns; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let files = expand(&self.files)?;
        let mut out = std::io::stdout().lock();
        let mut total = 0u64;
        for file in &files {
            let input = Input::open(file)?;
            let rows = input.scan_whole()?.rows();
            total = total.saturating_add(rows);
            if files.len() == 1 {
                writeln!(out, "{rows}")?;
            } else {
                writeln!(out, "{rows}\t{}", input.name)?;
            }
        }
        if files.len() > 1 {
            writeln!(out, "{total}\ttotal")?;
        }
        Ok(Outcome::Good)
    }
}
