//! A folder that gets all files of a call, or none.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use floe_frame::AtomicFile;
use polars_core::prelude::*;

use super::PartitionSummary;
use super::commit::{Commit, Staged, System};
use super::existing::{self, ExistingFiles};
use super::names::Names;
use crate::error::io_error;

/// Threads that wait for the disk, which can make many files durable at a time.
const COMMITTERS: usize = 8;

/// Dropped before [`commit`](Self::commit), it takes back what it has made.
pub(super) struct Folder {
    base: PathBuf,
    existing: ExistingFiles,
    pub(super) names: Names,
    /// Folders that were not there before, in the order in which they were made.
    made: Vec<PathBuf>,
    /// Files that are complete, and hidden.
    staged: Vec<PathBuf>,
}

/// A file that is complete, but for its name.
pub(super) struct Finished {
    pub(super) file: AtomicFile,
    /// What it is called until all others are complete as well.
    pub(super) hidden: PathBuf,
    pub(super) summary: PartitionSummary,
}

impl Folder {
    /// Makes the folder if it is not there.
    pub(super) fn open(base: &Path, existing: ExistingFiles) -> PolarsResult<Self> {
        if existing == ExistingFiles::Error {
            existing::check_empty(base)?;
        }
        let (base, names) = (base.to_path_buf(), Names::new(existing));
        let mut folder = Self { base, existing, names, made: Vec::new(), staged: Vec::new() };
        folder.make(&folder.base.clone())?;
        Ok(folder)
    }

    /// A folder below, made if it is not there.
    pub(super) fn subfolder(&mut self, relative: &str) -> PolarsResult<PathBuf> {
        let path = self.base.join(relative);
        self.make(&path)?;
        Ok(path)
    }

    fn make(&mut self, path: &Path) -> PolarsResult<()> {
        let missing = path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.is_dir());
        let missing: Vec<_> = missing.collect();
        for path in missing.into_iter().rev() {
            match fs::create_dir(path) {
                Ok(()) => self.made.push(path.to_path_buf()),
                // Somebody else was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {},
                Err(error) => return Err(io_error(error, path)),
            }
        }
        Ok(())
    }

    /// Gives the files their names.
    pub(super) fn commit(mut self, files: Vec<Finished>) -> PolarsResult<Vec<PartitionSummary>> {
        let summaries: Vec<_> = files.iter().map(|file| file.summary.clone()).collect();
        let mut staged = Vec::with_capacity(files.len());
        let mut complete = Vec::with_capacity(files.len());
        for Finished { file, hidden, summary } in files {
            self.staged.push(hidden.clone());
            staged.push(Staged { hidden: hidden.clone(), target: summary.path });
            complete.push((file, hidden));
        }
        in_parallel(complete, |(file, path)| file.commit().map_err(|error| io_error(error, &path)))?;
        let outdated = self.prepare(&mut staged)?;
        let replace = self.existing == ExistingFiles::Replace;
        let hidden = Commit::new(&System, &self.names, replace).run(&staged, &outdated)?;
        // From here on nothing is taken back.
        let made = std::mem::take(&mut self.made);
        let changed = staged.iter().map(|file| &file.target).chain(&outdated).chain(&made);
        let changed: BTreeSet<PathBuf> =
            changed.filter_map(|path| path.parent()).map(Path::to_path_buf).collect();
        let all_new = |error: PolarsError| error.wrap_msg(|msg| format!("{msg}; all new files are in place"));
        in_parallel(changed.into_iter().collect(), |folder| {
            sync_folder(&folder).map_err(|error| io_error(error, &folder))
        })
        .map_err(all_new)?;
        for old in &hidden {
            fs::remove_file(old).map_err(|error| all_new(io_error(error, old)))?;
        }
        existing::remove_empty_folders(&self.base, &outdated);
        Ok(summaries)
    }

    /// Looks at what the new files will find, before any of it changes: returns the files that are to go.
    fn prepare(&self, staged: &mut [Staged]) -> PolarsResult<Vec<PathBuf>> {
        if self.existing == ExistingFiles::Error {
            existing::check_empty(&self.base)?;
        }
        for Staged { hidden, target } in &mut *staged {
            let wanted = target.clone();
            prepare_one(hidden, target, self.existing).map_err(|error| {
                io_error(error, &wanted).wrap_msg(|msg| format!("{msg}; all files are as they were before"))
            })?;
        }
        if self.existing != ExistingFiles::Replace {
            return Ok(Vec::new());
        }
        let mut outdated = existing::outdated(&self.base)?;
        let targets: BTreeSet<PathBuf> = staged.iter().map(|file| real(&file.target)).collect();
        outdated.retain(|path| !targets.contains(&real(path)));
        Ok(outdated)
    }
}

/// The path of a file without links in it, to compare it with others.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// What a new file finds in its place must be a file, whose mode and owner are kept. A link is followed.
fn prepare_one(hidden: &Path, target: &mut PathBuf, existing: ExistingFiles) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(&*target) else { return Ok(()) };
    if existing != ExistingFiles::Replace {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "somebody else has written it meanwhile"));
    }
    if found.is_symlink()
        && let Ok(real) = target.canonicalize()
    {
        *target = real;
    }
    let Ok(found) = fs::metadata(&*target) else { return Ok(()) };
    if !found.is_file() {
        let text = "this is no regular file, which a new one could take the place of";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    keep_owner(hidden, &found);
    if fs::metadata(hidden)?.permissions() != found.permissions() {
        fs::set_permissions(hidden, found.permissions())?;
    }
    Ok(())
}

/// Only some processes may give files away; the others' files are their own.
#[cfg(unix)]
fn keep_owner(path: &Path, old: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt, chown};

    let new = fs::metadata(path);
    if new.is_ok_and(|new| (new.uid(), new.gid()) != (old.uid(), old.gid())) {
        let _ = chown(path, Some(old.uid()), Some(old.gid()));
    }
}

#[cfg(not(unix))]
fn keep_owner(_: &Path, _: &fs::Metadata) {}

/// Does something with each, several at a time, until all are done or one fails.
fn in_parallel<T: Send>(items: Vec<T>, each: impl Fn(T) -> PolarsResult<()> + Sync) -> PolarsResult<()> {
    let threads = items.len().min(COMMITTERS);
    let queue = Mutex::new(items.into_iter());
    let failed = Mutex::new(None);
    let work = || {
        while failed.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some(item) = next else { return };
            if let Err(error) = each(item) {
                failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

impl Drop for Folder {
    fn drop(&mut self) {
        for file in &self.staged {
            let _ = fs::remove_file(file);
        }
        for folder in self.made.iter().rev() {
            // Not if somebody else has put something there.
            let _ = fs::remove_dir(folder);
        }
    }
}
