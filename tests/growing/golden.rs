//! Arrow's golden files, to each of which its own rows are appended.
//!
//! `ARROW_TEST_DATA` names the `data` folder of an apache/arrow-testing checkout; a relative path starts at the workspace.
//! Without the folder the test is skipped, loudly.

use std::fs;
use std::path::{Path, PathBuf};

use floe::prelude::*;
use floe_tests::equal::frames_differ;
use floe_tests::run::say;
use polars_core::prelude::*;

/// Reasons for which floe refuses to append.
const REASONS: [&str; 9] = [
    "beyond the 38 digits",
    "overflow Polars",
    "is not a type that floe writes",
    "big-endian",
    "before Arrow 1.0",
    "floe writes dictionaries of strings only",
    "share the dictionary",
    "Polars cannot hold",
    // Files of Arrow 1.0 have dates in milliseconds with a time of day, which `Schema.fbs` forbids by now.
    "whole days in milliseconds",
];

fn files() -> Vec<PathBuf> {
    let Some(data) = std::env::var_os("ARROW_TEST_DATA") else { return Vec::new() };
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(data).join("arrow-ipc-stream/integration");
    let Ok(folders) = fs::read_dir(root) else { return Vec::new() };
    let files = folders.flatten().flat_map(|folder| fs::read_dir(folder.path())).flatten().flatten();
    let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "stream" || kind == "arrow_file"));
    files.sort();
    files
}

/// True if it was appended, false if it was refused for a known reason.
fn append(path: &Path, is_file: bool) -> Result<bool, String> {
    let read = |path: &Path| {
        if is_file {
            IpcReader::from_bytes(fs::read(path)?).finish()
        } else {
            IpcStreamReader::from_bytes(fs::read(path)?).finish()
        }
    };
    let add = |df: &mut DataFrame| {
        if is_file { IpcWriter::append(path)?.finish(df) } else { IpcStreamWriter::append(path)?.finish(df) }
    };
    let is_known = |error: &PolarsError| REASONS.iter().any(|reason| error.to_string().contains(reason));
    let df = match read(path) {
        Ok(df) => df,
        Err(error) if is_known(&error) => return Ok(false),
        Err(error) => return Err(format!("not read: {error}")),
    };
    let old = fs::read(path).map_err(|e| e.to_string())?;
    match add(&mut df.clone()) {
        Ok(()) => {},
        Err(error) if is_known(&error) => {
            let now = fs::read(path).map_err(|e| e.to_string())?;
            return if now == old { Ok(false) } else { Err(format!("changed by: {error}")) };
        },
        Err(error) => return Err(format!("not appended: {error}")),
    }
    let twice = read(path).map_err(|e| format!("not read again: {e}"))?;
    let expected = df.vstack(&df).map_err(|e| e.to_string())?;
    frames_differ(&expected, &twice).map(|()| true)
}

#[test]
fn golden_files_take_their_own_rows_once_more() {
    let files = files();
    if files.is_empty() {
        say("golden files: ARROW_TEST_DATA is not set, not tried");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (mut appended, mut refused, mut failures) = (0, 0, Vec::new());
    for source in &files {
        let is_file = source.extension().is_some_and(|kind| kind == "arrow_file");
        let path = folder.path().join("golden");
        fs::copy(source, &path).unwrap();
        match append(&path, is_file) {
            Ok(true) => appended += 1,
            Ok(false) => refused += 1,
            Err(failure) => failures.push(format!("{}: {failure}", source.display())),
        }
    }
    say(&format!(
        "golden files: {appended} appended to, {refused} rightly refused, {} failures",
        failures.len()
    ));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(appended > files.len() / 4, "{appended} of {}", files.len());
}
