//! `floe verify`: whether every byte is what the specification says.

use std::io::Write;
use std::path::PathBuf;

use floe_format::IpcLimits;
use floe_tools::{Kind, Verified, VerifyOptions, verify};

use crate::error::{Outcome, Result, explained};
use crate::input::{Input, expand};
use crate::term;

/// Check files: every byte is read, and what is wrong is told with its place
///
/// Footer against messages, schema against schema, lengths, offsets, text, nulls, alignment; with the feature `frame`
/// the values as well. Exit code 1 if anything is wrong. Arrow IPC has no checksums: a value that was changed to
/// another valid one cannot be noticed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, folders and patterns; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Check heads and the footer only
    #[arg(long)]
    quick: bool,
    /// Tell all faults instead of the first
    #[arg(long)]
    all: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { files, quick, all } = self;
        let mut out = anstream::stdout().lock();
        let mut outcome = Outcome::Good;
        for file in expand(&files)? {
            let input = Input::open(&file)?;
            let options = VerifyOptions { quick, all };
            let progress = crate::cmd::convert::progress(input.source_len());
            let mut found = verify(&input.source, &IpcLimits::default(), options, &mut |message| {
                progress.set_position(message.end());
            });
            progress.finish_and_clear();
            #[cfg(feature = "frame")]
            if !quick && found.faults.is_empty() {
                found.faults.extend(crate::rows::value_faults(&input, all));
                if !found.faults.is_empty() {
                    found.whole_batches = found.faults.iter().filter_map(batch_of).min().unwrap_or(0);
                }
            }
            report(&input.name, &mut found, quick, &mut out)?;
            if !found.faults.is_empty() {
                outcome = Outcome::No;
            }
        }
        Ok(outcome)
    }
}

#[cfg(feature = "frame")]
fn batch_of(fault: &floe_tools::Fault) -> Option<usize> {
    match fault.message {
        Some(floe_tools::MessageId::Batch(number)) => Some(number),
        _ => None,
    }
}

fn report(name: &str, found: &mut Verified, quick: bool, out: &mut impl Write) -> Result<()> {
    for fault in &found.faults {
        writeln!(out, "{name}: {}", explained(name, fault))?;
    }
    for remark in &found.remarks {
        writeln!(out, "{name}: note: {remark}")?;
    }
    let kind = match found.kind {
        Some(Kind::File) => "Arrow IPC file",
        Some(Kind::Unfinished) => "Arrow IPC file without a footer",
        Some(Kind::Streams) => "Arrow IPC stream",
        None => return Ok(()),
    };
    let batches = term::count(found.batches as u64);
    if found.faults.is_empty() {
        let read = if quick { "heads and footer checked, no body read" } else { "every byte checked" };
        let rows = term::count(found.whole_rows);
        writeln!(
            out,
            "{name}: OK: {kind}, {rows} rows in {batches} batches, {read} (the format has no checksums)"
        )?;
    } else {
        let whole = term::count(found.whole_batches as u64);
        writeln!(out, "{name}: FAULTY: {kind}, {whole} of the {batches} batches looked at are whole")?;
    }
    Ok(())
}
