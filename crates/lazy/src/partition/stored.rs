//! Partitioned sinks to object stores.
//!
//! ```text
//!   query -> files in a temporary folder, complete -> objects, some at a time -> outdated objects removed
//! ```
//!
//! Stores have neither links nor renames, and many files under way at once would take as many parts in memory. So the
//! files are made on the local disk first, as those of any folder are: when the query fails nothing has been sent.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use floe_object_store::object_store::path::Path as ObjectPath;
use floe_object_store::{delete, list};
use polars_core::prelude::*;
use polars_lazy::prelude::LazyFrame;
use polars_utils::pl_path::PlRefPath;

use super::existing_files::ExistingFiles;
use super::folder::in_parallel;
use super::names::Names;
use super::summary::PartitionSummary;
use super::{PartitionBy, existing};
use crate::cloud::{Object, below, object, upload};
use crate::committed;
use crate::error::{at_path, io_error};
use crate::options::IpcSinkOptions;

/// Runs the query into objects below a URL.
pub(super) fn sink(
    lf: LazyFrame,
    base: &PlRefPath,
    by: PartitionBy<'_>,
    options: IpcSinkOptions,
) -> PolarsResult<Vec<PartitionSummary>> {
    let folder = Stored { base: base.clone(), at: object(base, options.cloud())? };
    let (existing, commit_marker) = (options.existing(), options.commit_marker());
    folder.check(existing)?;
    let local = tempfile::tempdir().map_err(|error| io_error(error, &std::env::temp_dir()))?;
    let mut parts = super::sink(lf, local.path(), by, options.for_local_files())?;
    let keys = parts.iter().map(|part| folder.key_of(&part.path, local.path()));
    let keys = keys.collect::<PolarsResult<Vec<(String, ObjectPath)>>>()?;
    // Somebody else may have written there meanwhile.
    let before = folder.check(existing)?;
    folder.upload(parts.iter().map(|part| part.path.as_path()).zip(&keys).collect(), &before)?;
    if existing != ExistingFiles::Add {
        // Between the old markers and the new one there is none, rather than both.
        folder.remove(before.iter().filter(|path| folder.is_marker(path)))?;
    }
    if commit_marker {
        folder.mark(local.path(), &keys)?;
    }
    if existing == ExistingFiles::Replace {
        folder.remove_outdated(&before, &keys)?;
    }
    for (part, (relative, _)) in parts.iter_mut().zip(&keys) {
        part.path = below(base, relative);
    }
    Ok(parts)
}

/// A folder of a store.
struct Stored {
    base: PlRefPath,
    at: Object,
}

impl Stored {
    /// The objects that are there already; an error if none may be.
    fn check(&self, existing: ExistingFiles) -> PolarsResult<Vec<ObjectPath>> {
        let found = list(self.at.store.clone(), self.at.path.clone()).map_err(|error| self.failed(error))?;
        // Markers of files that are there belong to them.
        let is_hidden = |path: &ObjectPath| {
            self.relative(path).iter().any(|part| part.starts_with('.')) && !self.is_marker(path)
        };
        let found: Vec<ObjectPath> = found.into_iter().filter(|path| !is_hidden(path)).collect();
        let is_file =
            |path: &&ObjectPath| self.relative(path).last().is_some_and(|name| !name.starts_with('.'));
        match found.iter().find(is_file) {
            Some(first) if existing == ExistingFiles::Error => {
                let name = self.relative(first).join("/");
                Err(self.failed(io::Error::new(io::ErrorKind::DirectoryNotEmpty, existing::not_empty(&name))))
            },
            _ => Ok(found),
        }
    }

    /// Whether an object is a marker of this folder.
    fn is_marker(&self, path: &ObjectPath) -> bool {
        matches!(&*self.relative(path), [name] if committed::is_marker(name))
    }

    fn failed(&self, error: io::Error) -> PolarsError {
        io_error(error, Path::new(self.base.as_str()))
    }

    /// The parts of a path behind the folder's.
    fn relative(&self, path: &ObjectPath) -> Vec<String> {
        let parts = path.prefix_match(&self.at.path).into_iter().flatten();
        parts.map(|part| part.as_ref().to_owned()).collect()
    }

    /// Where a file of the temporary folder goes: below the URL, and in the store.
    fn key_of(&self, file: &Path, local: &Path) -> PolarsResult<(String, ObjectPath)> {
        self.key(super::folder::relative(file, local))
    }

    /// The same of a path below the URL.
    fn key(&self, relative: String) -> PolarsResult<(String, ObjectPath)> {
        let key = match self.at.path.as_ref() {
            "" => relative.clone(),
            folder => format!("{folder}/{relative}"),
        };
        // As it is: names of folders have been encoded already.
        let key =
            ObjectPath::parse(key).map_err(|error| polars_err!(ComputeError: "{}: {error}", self.base))?;
        Ok((relative, key))
    }

    /// Puts files in their places. When one fails those that were put where nothing was are removed.
    fn upload(&self, files: Vec<(&Path, &(String, ObjectPath))>, before: &[ObjectPath]) -> PolarsResult<()> {
        let before: BTreeSet<&ObjectPath> = before.iter().collect();
        let done = Mutex::new(Vec::new());
        let uploaded = in_parallel(files, |(file, (relative, key))| {
            // Before it is tried: a store may have done what it says has failed, or says nothing of.
            done.lock().unwrap_or_else(PoisonError::into_inner).push(key.clone());
            upload(file, Object { store: self.at.store.clone(), path: key.clone() })
                .map_err(|error| at_path(error, &below(&self.base, relative)))
        });
        let Err(error) = uploaded else { return Ok(()) };
        let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        let (replaced, new): (Vec<ObjectPath>, Vec<ObjectPath>) =
            done.into_iter().partition(|key| before.contains(key));
        let removed = delete(self.at.store.clone(), new);
        Err(error.wrap_msg(|msg| match (removed, replaced.as_slice()) {
            (Ok(()), []) => format!("{msg}; all objects are as they were before"),
            (Ok(()), replaced) => {
                format!(
                    "{msg}; new objects have been removed, but for {replaced:?}, which may have been replaced"
                )
            },
            (Err(error), _) => format!("{msg}; objects that had been written could not be removed: {error}"),
        }))
    }

    /// Writes the marker, when all files are in place.
    fn mark(&self, local: &Path, keys: &[(String, ObjectPath)]) -> PolarsResult<()> {
        let files: Vec<String> = keys.iter().map(|(relative, _)| relative.clone()).collect();
        let marker = local.join("marker");
        std::fs::write(&marker, committed::text(&files)).map_err(|error| io_error(error, &marker))?;
        let (relative, path) = self.key(committed::name(Names::new(ExistingFiles::Add, true).id()))?;
        upload(&marker, Object { store: self.at.store.clone(), path }).map_err(|error| {
            at_path(error, &below(&self.base, &relative))
                .wrap_msg(|msg| format!("{msg}; all new objects are in place, and no marker names them"))
        })
    }

    /// Removes what the new objects take the place of.
    fn remove_outdated(&self, before: &[ObjectPath], keys: &[(String, ObjectPath)]) -> PolarsResult<()> {
        let new: BTreeSet<&ObjectPath> = keys.iter().map(|(_, key)| key).collect();
        let is_outdated = |path: &&ObjectPath| {
            let relative = self.relative(path);
            let Some((name, folders)) = relative.split_last() else { return false };
            !new.contains(path) && existing::is_replaced(Path::new(name), folders.iter().map(OsStr::new))
        };
        self.remove(before.iter().filter(is_outdated))
    }

    fn remove<'a>(&self, outdated: impl Iterator<Item = &'a ObjectPath>) -> PolarsResult<()> {
        let outdated = outdated.cloned().collect();
        let removed = delete(self.at.store.clone(), outdated).map_err(|error| self.failed(error));
        removed.map_err(|error| error.wrap_msg(|msg| format!("{msg}; all new objects are in place")))
    }
}
