//! Uploads: files in a folder of their own, which are checked before they become tables.
//!
//! A name is of letters, digits and a few marks, so that no path out of the folder can be made of it. A file gets its name
//! when it is known to be good; until then it is hidden.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;

use axum::http::StatusCode;
use floe::lazy::{IpcScanOptions, LazyIpcExt, scan_ipc};
use floe_format::{IpcLimits, SourceFormat, sniff};
use floe_query::scan_file;
use floe_tools::{Copier, FileSource, Sink, Target, VerifyOptions, scan, verify};
use polars_core::prelude::*;
use tempfile::{TempDir, TempPath};

use super::find::{self, Table};
use crate::error::{ApiError, Result};

/// The folder of uploads.
pub(crate) struct Uploads {
    given: Option<PathBuf>,
    /// Made for the first upload, where no folder was given.
    temporary: Mutex<Option<TempDir>>,
}

/// The fate of an upload.
#[derive(Debug)]
pub(crate) struct Uploaded {
    pub(crate) rows: Option<u64>,
    /// It was broken, and what was whole of it has been saved.
    pub(crate) recovered: bool,
    /// Bytes that could not be saved.
    pub(crate) leftover_bytes: u64,
}

/// Endings of the files, by format.
const ENDINGS: [(&str, SourceFormat); 4] = [
    ("arrow", SourceFormat::IpcFile),
    ("arrows", SourceFormat::IpcStream),
    ("parquet", SourceFormat::Parquet),
    ("csv", SourceFormat::Csv),
];

/// Characters of a name, and its bytes: file systems take 255 of them, with the ending.
const MOST_CHARACTERS: usize = 100;
const MOST_BYTES: usize = 240;

/// Whether an upload may be called so.
pub(crate) fn is_upload_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ');
    name.chars().all(is_plain)
        && (1..=MOST_CHARACTERS).contains(&name.chars().count())
        && name.len() <= MOST_BYTES
        && !name.starts_with(['.', '_', ' ', '-'])
        && !name.ends_with(['.', ' '])
}

impl Uploads {
    pub(super) fn open(folder: Option<PathBuf>) -> PolarsResult<Self> {
        let failed =
            |error: io::Error| polars_err!(ComputeError: "the folder of uploads cannot be made: {error}");
        let given = match folder {
            Some(folder) => {
                std::fs::create_dir_all(&folder).map_err(failed)?;
                Some(folder.canonicalize().map_err(failed)?)
            },
            None => None,
        };
        Ok(Self { given, temporary: Mutex::new(None) })
    }

    fn temporary(&self) -> std::sync::MutexGuard<'_, Option<TempDir>> {
        self.temporary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder, if there is one yet.
    fn folder(&self) -> Option<PathBuf> {
        self.given.clone().or_else(|| Some(self.temporary().as_ref()?.path().to_path_buf()))
    }

    fn make_folder(&self) -> io::Result<PathBuf> {
        if let Some(folder) = self.folder() {
            return Ok(folder);
        }
        let mut temporary = self.temporary();
        if temporary.is_none() {
            *temporary = Some(tempfile::Builder::new().prefix("floe-uploads-").tempdir()?);
        }
        Ok(temporary.as_ref().map(|made| made.path().to_path_buf()).unwrap_or_default())
    }

    /// A temporary folder goes with all uploads.
    pub(super) fn remove_if_temporary(&self) {
        drop(self.temporary().take());
    }

    /// The tables that have been uploaded.
    pub(super) fn tables(&self) -> Vec<Table> {
        let named = |(name, path): (String, PathBuf)| {
            let file = find::entry(&path)?;
            Some(Table { is_upload: true, ..Table::of_files(name, vec![file]) })
        };
        self.files().into_iter().filter_map(named).collect()
    }

    /// Names and paths, in the order of the names. Links are none of this server's making.
    fn files(&self) -> Vec<(String, PathBuf)> {
        let entries = self.folder().and_then(|folder| std::fs::read_dir(folder).ok());
        let named = |entry: io::Result<std::fs::DirEntry>| {
            let path = entry.ok()?.path();
            let name = path.file_stem()?.to_str()?.to_owned();
            let ending = path.extension()?.to_str()?;
            let is_own = ENDINGS.iter().any(|(own, _)| *own == ending) && is_upload_name(&name);
            (is_own && !path.is_symlink()).then_some((name, path))
        };
        let mut files: Vec<_> = entries.into_iter().flatten().filter_map(named).collect();
        files.sort();
        files
    }

    /// A hidden file for the bytes of an upload.
    pub(crate) fn begin(&self) -> Result<(File, TempPath)> {
        Ok(tempfile::Builder::new().prefix(".upload-").tempfile_in(self.make_folder()?)?.into_parts())
    }

    /// Checks an upload, and gives it its name. It takes the place of an older upload of this name.
    pub(crate) fn finish(&self, name: &str, bytes: TempPath) -> Result<Uploaded> {
        if !is_upload_name(name) {
            return Err(ApiError::bad_request("name", "such a name is not possible"));
        }
        let mut start = Vec::new();
        File::open(&bytes)?.take(4 << 10).read_to_end(&mut start)?;
        let format = sniff(&start);
        let Some((ending, _)) = ENDINGS.iter().find(|(_, known)| *known == format) else {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_format",
                format!("it is {format}; Arrow IPC, Parquet and CSV become tables"),
            ));
        };
        let (good, uploaded) = match format {
            SourceFormat::IpcFile | SourceFormat::IpcStream => self.checked_ipc(bytes)?,
            format => {
                let rows = read_through(scan_file(&bytes, format, &start).map_err(not_readable)?)?;
                (bytes, Uploaded { rows: Some(rows), recovered: false, leftover_bytes: 0 })
            },
        };
        let target = self.make_folder()?.join(format!("{name}.{ending}"));
        good.persist(&target).map_err(|failed| ApiError::from(failed.error))?;
        for (other, path) in self.files() {
            if other == name && path != target {
                std::fs::remove_file(path)?;
            }
        }
        Ok(uploaded)
    }

    /// Removes an upload; false if there is none.
    pub(crate) fn remove(&self, name: &str) -> Result<bool> {
        let mut was_there = false;
        for (other, path) in self.files() {
            if other == name {
                std::fs::remove_file(path)?;
                was_there = true;
            }
        }
        Ok(was_there)
    }

    /// A whole one as it is; of a broken one the batches that are whole.
    fn checked_ipc(&self, bytes: TempPath) -> Result<(TempPath, Uploaded)> {
        let source = FileSource::new(File::open(&bytes)?)?;
        let options = VerifyOptions { quick: false, all: false };
        let found = verify(&source, &IpcLimits::default(), options, &mut |_| ());
        if found.faults.is_empty() {
            let rows = decoded(&bytes)?;
            return Ok((bytes, Uploaded { rows: Some(rows), recovered: false, leftover_bytes: 0 }));
        }
        let (saved, leftover_bytes) = self.recovered(&source)?;
        // Batches that are whole may hold values that are not.
        let rows = decoded(&saved)?;
        Ok((saved, Uploaded { rows: Some(rows), recovered: true, leftover_bytes }))
    }

    /// Copies the whole batches of a broken file or stream.
    fn recovered(&self, source: &FileSource) -> Result<(TempPath, u64)> {
        let failed = |text: String| ApiError::bad_request("unrecoverable", text);
        let contents = scan(source, &IpcLimits::default(), &mut |_, _| Ok(()))
            .map_err(|fault| failed(format!("nothing of it can be saved: {fault}")))?;
        let (file, saved) = self.begin()?;
        let mut start = [0; 6];
        floe_tools::ReadAt::read_exact_at(source, &mut start, 0)?;
        let target = if start == *b"ARROW1" { Target::File } else { Target::Stream };
        let mut copier = Copier::new(Copy(io::BufWriter::new(file)), target, None, IpcLimits::default());
        copier.copy_all(source, &contents, &mut |_, _| ()).map_err(|error| failed(error.to_string()))?;
        let (mut out, _) = copier.finish(&Vec::new()).map_err(|error| failed(error.to_string()))?;
        out.flush()?;
        let messages = contents.dictionaries.iter().chain(&contents.batches);
        let kept = messages
            .fold(0u64, |sum, message| sum.saturating_add(message.head_len).saturating_add(message.body_len));
        let leftover = match contents.footer {
            None => contents.len.saturating_sub(contents.end),
            Some(_) => contents.end.saturating_sub(kept),
        };
        Ok((saved, leftover))
    }
}

/// Rows of Arrow IPC, all of which have been decoded.
fn decoded(path: &Path) -> Result<u64> {
    read_through(scan_ipc(vec![path.to_path_buf()], IpcScanOptions::default().with_glob(false))?)
}

/// Rows of a table, all of which have been read: values that are broken are an error now.
fn read_through(lf: polars_lazy::prelude::LazyFrame) -> Result<u64> {
    let mut rows = 0u64;
    for frame in lf.collect_ipc_batches(None)? {
        rows = rows.saturating_add(u64::try_from(frame?.height()).unwrap_or(u64::MAX));
    }
    Ok(rows)
}

fn not_readable(error: floe_query::ScanError) -> ApiError {
    match error {
        floe_query::ScanError::Polars(error) => ApiError::from(error),
        other => ApiError::bad_request("unreadable", other.to_string()),
    }
}

/// A writer that messages are copied into.
struct Copy(io::BufWriter<File>);

impl Write for Copy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Sink for Copy {}

#[cfg(test)]
mod tests {
    use super::is_upload_name;

    #[test]
    fn names_lead_nowhere() {
        for name in ["flights", "Flüge 2013", "a.b", "a-b_c"] {
            assert!(is_upload_name(name), "{name}");
        }
        let (long, wide) = ("x".repeat(101), "\u{4e2d}".repeat(81));
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            "/etc/passwd",
            "a\0b",
            ".hidden",
            "a\n",
            "C:x",
            "~",
            "a%2f",
            " a",
            "a.",
            &long,
            &wide,
        ] {
            assert!(!is_upload_name(name), "{name:?}");
        }
    }
}
