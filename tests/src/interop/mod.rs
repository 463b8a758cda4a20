//! floe beside other implementations: files for them to read, and theirs read and compared.
//!
//! No reader is trusted to judge another. Beside its files each side writes their contents as JSON ([`sidecar`]), made
//! from its own values and never read back from Arrow. The other side compares them with the values it reads.
//! `<frame>.json` goes with every `<frame>.<variant>.arrows` (stream) and `.arrow` (file).
//!
//! The scripts of the other side are in `tests/interop/`; `run.sh` there runs everything.

mod catalogue;
mod partitions;
mod read;
mod report;
mod sidecar;
mod walkthrough;
mod write;

use std::path::Path;

use report::Report;

/// Runs `what` on a folder; `None`: there is no such command.
pub(crate) fn run(what: &str, folder: &Path) -> Option<Report> {
    let command = match what {
        "write" => write::all,
        "read" => read::all,
        "partitions-write" => partitions::write,
        "walkthrough-write" => walkthrough::write,
        "walkthrough-read" => walkthrough::read,
        _ => return None,
    };
    let mut report = Report::default();
    command(folder, &mut report);
    Some(report)
}
