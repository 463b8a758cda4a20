//! `floe verify`: whether every byte is what the specification says.

use std::io::Write;
use std::path::PathBuf;

use floe_format::{ErrorKind, IpcLimits};
use floe_tools::{Fault, Kind, Verified, VerifyOptions, verify};

use crate::error::{Failure, Outcome, Result, explained};
use crate::input::{Input, expand};
use crate::term;

/// Check files: every byte is read, and faults are reported with their place
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
        let mut out = std::io::stdout().lock();
        let mut outcome = Outcome::Good;
        for file in expand(&files)? {
            let input = Input::open(&file)?;
            let options = VerifyOptions { quick, all };
            let progress = crate::cmd::convert::progress(input.source_len());
            let found = verify(&input.source, &IpcLimits::default(), options, &mut |message| {
                progress.set_position(message.end());
            });
            progress.finish_and_clear();
            if let Some(fault) = found.faults.iter().find(|fault| is_unreadable(fault)) {
                return Err(Failure::fault(&input.name, fault));
            }
            let checked = if quick { Checked::Heads } else { Checked::Buffers };
            #[cfg(feature = "frame")]
            let (found, checked) = match checked {
                Checked::Buffers if found.faults.is_empty() => values(&input, all, found),
                _ => (found, checked),
            };
            if !found.faults.is_empty() {
                outcome = Outcome::No;
            }
            match report(&input.name, &found, checked, &mut out) {
                // The reader of the output has seen enough; the exit code still reports the faults.
                Err(Failure::ClosedPipe) => return Ok(outcome),
                done => done?,
            }
        }
        Ok(outcome)
    }
}

/// Whether it is nothing that is wrong with Arrow IPC: another format, or bytes that the system does not give.
fn is_unreadable(fault: &Fault) -> bool {
    matches!(fault.kind.as_deref(), Some(ErrorKind::WrongFormat { .. } | ErrorKind::Io(_)))
}

/// How far a check has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checked {
    Heads,
    Buffers,
    #[cfg(feature = "frame")]
    All,
}

/// Adds what only values tell.
#[cfg(feature = "frame")]
fn values(input: &Input, all: bool, mut found: Verified) -> (Verified, Checked) {
    let (faults, is_all) = crate::rows::value_faults(input, all);
    let mut batches: Vec<usize> = faults
        .iter()
        .filter_map(|fault| match fault.message {
            Some(floe_tools::MessageId::Batch(number)) => Some(number),
            _ => None,
        })
        .collect();
    batches.dedup();
    match batches.first() {
        // Without `--all` nothing is known of the batches behind the first fault.
        Some(first) if !all => found.whole_batches = *first,
        Some(_) => found.whole_batches = found.batches.saturating_sub(batches.len()),
        None if !faults.is_empty() => found.whole_batches = 0,
        None => {},
    }
    found.faults.extend(faults);
    (found, if is_all { Checked::All } else { Checked::Buffers })
}

fn report(name: &str, found: &Verified, checked: Checked, out: &mut impl Write) -> Result<()> {
    for fault in &found.faults {
        writeln!(out, "{name}: {}", term::printable(&explained(name, fault)))?;
    }
    for remark in &found.remarks {
        writeln!(out, "{name}: note: {}", term::printable(&remark.to_string()))?;
    }
    let kind = match found.kind {
        Some(Kind::File) => "Arrow IPC file",
        Some(Kind::Unfinished) => "Arrow IPC file without a footer",
        Some(Kind::Streams) => "Arrow IPC stream",
        None => return Ok(()),
    };
    let batches = term::count(found.batches as u64);
    if found.faults.is_empty() {
        let read = match checked {
            Checked::Heads => "heads and footer checked, no body read",
            Checked::Buffers => "every buffer checked, but not all values",
            #[cfg(feature = "frame")]
            Checked::All => "every byte checked",
        };
        let rows = term::count(found.whole_rows);
        writeln!(
            out,
            "{name}: {}: {kind}, {rows} rows in {batches} batches, {read} (the format has no checksums)",
            term::painted("OK", term::Paint::Good)
        )?;
    } else {
        let whole = term::count(found.whole_batches as u64);
        let faulty = term::painted("FAULTY", term::Paint::Bad);
        writeln!(out, "{name}: {faulty}: {kind}, {whole} of the {batches} batches looked at are whole")?;
    }
    Ok(())
}
