//! Paths as tables of a query: files by their content, folders and patterns as one table.

use std::path::{Path, PathBuf};

use floe::lazy::{IpcScanOptions, scan_ipc};
use floe_format::SourceFormat;
use floe_query::ScanError;
pub(crate) use floe_query::{is_ipc, is_readable};
use floe_tools::Contents;
use polars_lazy::dsl::concat;
use polars_lazy::prelude::*;
use polars_utils::pl_path::PlRefPath;

use crate::error::{Failure, Result, without_methods, wrong_format};
use crate::input::{Found, Input, find, has_key, is_many};

/// A file that was named, or stands for a folder.
type Named = (Input, Option<Contents>);

/// Rows of files, to be asked for.
pub(crate) struct Table {
    pub(crate) lf: LazyFrame,
    /// The inputs that were named one by one, and the first file of each folder, with the messages of Arrow IPC. The
    /// first of them gives codec and metadata. Input from a pipe is in a temporary file, which goes with these.
    pub(crate) inputs: Vec<Named>,
    /// Names of what is not Arrow IPC. Polars does not name them in errors that it finds while a query runs.
    pub(crate) others: Vec<String>,
}

/// One table of all that the paths name, in their order.
pub(crate) fn table(paths: &[PathBuf]) -> Result<Table> {
    let mut parts = Vec::new();
    let mut inputs = Vec::new();
    let mut others = Vec::new();
    // Files of Arrow IPC that stand one behind another are one scan, which puts columns together by name.
    let mut ipc: Vec<PathBuf> = Vec::new();
    for path in paths {
        if is_many(path) {
            scan_ipc_files(&mut ipc, &mut parts)?;
            let (lf, first) = many(path)?;
            parts.push(lf);
            if first.is_none() {
                others.push(path.display().to_string());
            }
            inputs.extend(first);
            continue;
        }
        let input = Input::open(path)?;
        let format = input.format()?;
        if is_ipc(format) {
            let contents = input.scan_whole()?;
            ipc.push(input.path.clone());
            inputs.push((input, Some(contents)));
        } else {
            scan_ipc_files(&mut ipc, &mut parts)?;
            parts.push(scan_one(&input, format)?);
            others.push(input.name.clone());
            inputs.push((input, None));
        }
    }
    scan_ipc_files(&mut ipc, &mut parts)?;
    let lf = match parts.len() {
        1 => parts.remove(0),
        _ => concat(parts, UnionArgs::default())?,
    };
    Ok(Table { lf, inputs, others })
}

fn scan_ipc_files(paths: &mut Vec<PathBuf>, parts: &mut Vec<LazyFrame>) -> Result<()> {
    if !paths.is_empty() {
        let paths = std::mem::take(paths);
        parts.push(scan_ipc(paths, IpcScanOptions::default().with_glob(false))?);
    }
    Ok(())
}

/// A folder or a pattern. Its files are of one format, and the names of its folders may be columns.
fn many(path: &Path) -> Result<(LazyFrame, Option<Named>)> {
    let found = find(path)?;
    let of = |wanted: &dyn Fn(SourceFormat) -> bool| -> Vec<&Found> {
        found.iter().filter(|file| wanted(file.format)).collect()
    };
    let options = IpcScanOptions::default();
    let ipc = of(&is_ipc);
    let first_of = |files: &[&Found]| -> Result<Option<Named>> {
        match files.first() {
            Some(file) => {
                let input = Input::open(&file.path)?;
                let contents = input.scan_whole()?;
                Ok(Some((input, Some(contents))))
            },
            None => Ok(None),
        }
    };
    if ipc.len() == found.len() {
        return Ok((scan_ipc(path, options.with_hive(true))?, first_of(&ipc)?));
    }
    let parquet = of(&|format| format == SourceFormat::Parquet);
    if ipc.is_empty() && parquet.len() == found.len() {
        return Ok((LazyFrame::scan_parquet(pl_path(path)?, ScanArgsParquet::default())?, None));
    }
    // Among others: those of the format that Arrow's own tools would take.
    let (chosen, name) = match (ipc.is_empty(), parquet.is_empty()) {
        (false, _) => (ipc, "Arrow IPC"),
        (true, false) => (parquet, "Parquet"),
        (true, true) => (of(&is_readable), "a format that floe reads"),
    };
    let Some(first) = chosen.first() else {
        return Err(Failure::of(path.display(), "nothing in it is of a format that floe reads"));
    };
    if let Some(keyed) = chosen.iter().find(|file| has_key(path, &file.path))
        && let Some(other) = found.iter().find(|file| !chosen.iter().any(|chosen| chosen.path == file.path))
    {
        return Err(Failure::of(
            path.display(),
            format!(
                "{} has keys in its folders' names, but {} is not {name}: name a pattern, as in '{}/**/*.arrow'",
                keyed.path.display(),
                other.path.display(),
                path.display()
            ),
        ));
    }
    if is_ipc(first.format) {
        let paths: Vec<PathBuf> = chosen.iter().map(|file| file.path.clone()).collect();
        return Ok((scan_ipc(paths, options.with_glob(false))?, first_of(&chosen)?));
    }
    let parts = chosen.iter().map(|file| scan_one(&Input::open(&file.path)?, file.format));
    Ok((concat(parts.collect::<Result<Vec<_>>>()?, UnionArgs::default())?, None))
}

/// A file that is not Arrow IPC.
pub(crate) fn scan_one(input: &Input, format: SourceFormat) -> Result<LazyFrame> {
    let failed = |text: &str| {
        Failure::of(&input.name, format!("{format}, which cannot be read: {}", without_methods(text)))
    };
    floe_query::scan_file(&input.path, format, &input.start()?).map_err(|error| match error {
        ScanError::Format(format) => Failure::of(&input.name, wrong_format(format)),
        ScanError::NotUtf8 => not_utf8(&input.path),
        ScanError::Polars(error) => failed(&error.to_string()),
        other => Failure::of(&input.name, other),
    })
}

fn not_utf8(path: &Path) -> Failure {
    Failure::of(path.display(), "a query's paths are UTF-8, and this one is not: rename it, or pipe it in")
}

fn pl_path(path: &Path) -> Result<PlRefPath> {
    PlRefPath::try_from_path(path).map_err(|_| not_utf8(path))
}
