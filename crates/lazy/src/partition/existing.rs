//! The files that are in a folder already, and their fate.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use polars_core::prelude::*;

use super::names;
use crate::error::io_error;

/// Suffixes of files that are replaced.
const SUFFIXES: [&str; 4] = ["arrow", "arrows", "ipc", "feather"];

/// An error if there is a file in a folder that has to be empty.
pub(super) fn check_empty(base: &Path) -> PolarsResult<()> {
    let mut found = None;
    walk(base, &mut |path| {
        found = Some(path.to_path_buf());
        false
    })?;
    let Some(found) = found else { return Ok(()) };
    let found = found.strip_prefix(base).unwrap_or(&found).display();
    let text = not_empty(&found.to_string());
    Err(io_error(io::Error::new(io::ErrorKind::DirectoryNotEmpty, text), base))
}

/// The text of the error about a folder that has a file.
pub(super) fn not_empty(found: &str) -> String {
    format!(
        "the folder is not empty, it has {found}; choose `ExistingFiles::Replace` or `ExistingFiles::Add` with \
        `IpcSinkOptions::with_existing`, or another folder"
    )
}

/// Whether a file of this name, in these folders below the base, is replaced.
pub(super) fn is_replaced<'a>(name: &Path, mut folders: impl Iterator<Item = &'a OsStr>) -> bool {
    let suffix = name.extension().and_then(|suffix| suffix.to_str());
    folders.all(is_key) && suffix.is_some_and(|suffix| SUFFIXES.contains(&suffix))
}

/// The files that are to be replaced. Those that a killed process has left behind are removed at once.
pub(super) fn outdated(base: &Path) -> PolarsResult<Vec<PathBuf>> {
    let mut outdated = Vec::new();
    walk(base, &mut |path| {
        let folders = path.strip_prefix(base).unwrap_or(path).parent();
        if is_replaced(path, folders.into_iter().flat_map(Path::components).map(|folder| folder.as_os_str()))
        {
            outdated.push(path.to_path_buf());
        }
        true
    })?;
    // The same order on every machine.
    outdated.sort_unstable();
    Ok(outdated)
}

fn is_key(folder: &OsStr) -> bool {
    folder.as_encoded_bytes().contains(&b'=')
}

/// Shows all files that are not hidden, until one is enough. Links are not followed. Files that killed processes left
/// behind long ago are removed on the way.
fn walk(base: &Path, each: &mut dyn FnMut(&Path) -> bool) -> PolarsResult<()> {
    let mut folders = vec![base.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            // Not there yet, or no more; a file in its place is an error where the folder is made.
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(io_error(error, &folder)),
        };
        for entry in entries {
            let entry = entry.map_err(|error| io_error(error, &folder))?;
            let (name, path) = (entry.file_name(), entry.path());
            if name.as_encoded_bytes().starts_with(b".") {
                if name.to_str().is_some_and(names::is_abandoned) {
                    let _ = fs::remove_file(&path);
                }
                continue;
            }
            if entry.file_type().map_err(|error| io_error(error, &path))?.is_dir() {
                folders.push(path);
            } else if !each(&path) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Removes the folders of keys that have become empty, from those of files up to the base.
pub(super) fn remove_empty_folders(base: &Path, files: &[PathBuf]) {
    for file in files {
        let folders = file.ancestors().skip(1).take_while(|folder| *folder != base);
        for folder in folders {
            // One that is not empty stays, and so do those above it.
            if !folder.file_name().is_some_and(is_key) || fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}
