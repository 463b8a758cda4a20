//! A folder that gets all files of a call, or none.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use floe_frame::AtomicFile;
use polars_core::prelude::*;

use super::commit::{Commit, Markers, Staged};
use super::disk::System;
use super::existing;
use super::existing_files::ExistingFiles;
use super::names::Names;
use super::summary::PartitionSummary;
use crate::committed;
use crate::error::io_error;

/// Threads that wait for the disk, which can make many files durable at a time.
const COMMITTERS: usize = 8;

/// Dropped before [`commit`](Self::commit), it removes the files that it has made.
pub(super) struct Folder {
    base: PathBuf,
    existing: ExistingFiles,
    /// Whether a marker names the files.
    commit_marker: bool,
    pub(super) names: Names,
    /// Folders that were not there before, in the order in which they were made.
    made: Vec<PathBuf>,
    /// Files that are complete, and hidden.
    staged: Vec<PathBuf>,
}

/// A file that is complete, but for its name.
pub(super) struct Finished {
    pub(super) file: AtomicFile,
    /// Its hidden name, until all others are complete as well.
    pub(super) hidden: PathBuf,
    pub(super) summary: PartitionSummary,
}

impl Folder {
    /// Makes the folder if it is not there.
    pub(super) fn open(base: &Path, existing: ExistingFiles, commit_marker: bool) -> PolarsResult<Self> {
        if existing == ExistingFiles::Error {
            existing::check_empty(base)?;
        }
        let (base, names) = (base.to_path_buf(), Names::new(existing, commit_marker));
        let mut folder = Self { base, existing, commit_marker, names, made: Vec::new(), staged: Vec::new() };
        folder.make(&folder.base.clone())?;
        Ok(folder)
    }

    /// A folder below, made if it is not there.
    pub(super) fn subfolder(&mut self, relative: &str) -> PolarsResult<PathBuf> {
        let path = self.base.join(relative);
        self.make(&path)?;
        Ok(path)
    }

    /// A path for a file that is not to be seen yet. If one stands under `path` that it is to replace, nobody else
    /// can read it until it has that one's mode.
    pub(super) fn hidden(&mut self, folder: &Path, path: &Path) -> io::Result<PathBuf> {
        let hidden = self.names.hidden(folder);
        if self.existing == ExistingFiles::Replace && fs::metadata(path).is_ok_and(|old| old.is_file()) {
            // An empty file, whose mode the one that takes its place keeps.
            create_private(&hidden)?;
            self.staged.push(hidden.clone());
        }
        Ok(hidden)
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
        let private = self.staged.clone();
        for Finished { file, hidden, summary } in files {
            self.staged.push(hidden.clone());
            staged.push(Staged { hidden: hidden.clone(), target: summary.path });
            complete.push((file, hidden));
        }
        in_parallel(complete, |(file, path)| file.commit().map_err(|error| io_error(error, &path)))?;
        let markers = self.markers(&summaries).map_err(|error| io_error(error, &self.base))?;
        let outdated = self.prepare(&mut staged, &private)?;
        let replace = self.existing == ExistingFiles::Replace;
        let hidden = Commit::new(&System, &self.names, replace).run(&staged, &markers, &outdated)?;
        // From here on nothing is taken back.
        let made = std::mem::take(&mut self.made);
        let new = staged.iter().chain(&markers.new).map(|file| &file.target);
        let changed = new.chain(&markers.old).chain(&outdated).chain(&made);
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

    /// The markers that are to go, and the new one, if there is to be one.
    fn markers(&mut self, files: &[PartitionSummary]) -> io::Result<Markers> {
        let old = match self.existing {
            ExistingFiles::Add => Vec::new(),
            // They name files that are to go, or that have gone.
            ExistingFiles::Error | ExistingFiles::Replace => committed::markers(&self.base)?,
        };
        let new = self.commit_marker.then(|| self.stage_marker(files)).transpose()?;
        Ok(Markers { old, new })
    }

    /// Writes the marker, under a hidden name.
    fn stage_marker(&mut self, files: &[PartitionSummary]) -> io::Result<Staged> {
        let hidden = self.names.hidden(&self.base);
        self.staged.push(hidden.clone());
        let files: Vec<String> = files.iter().map(|file| relative(&file.path, &self.base)).collect();
        let mut file = OpenOptions::new().write(true).create_new(true).open(&hidden)?;
        file.write_all(committed::text(&files).as_bytes())?;
        file.sync_all()?;
        Ok(Staged { hidden, target: self.base.join(committed::name(self.names.id())) })
    }

    /// Checks the places of the new files, before any of it changes: returns the files that are to go.
    fn prepare(&self, staged: &mut [Staged], private: &[PathBuf]) -> PolarsResult<Vec<PathBuf>> {
        if self.existing == ExistingFiles::Error {
            existing::check_empty(&self.base)?;
        }
        let private: BTreeSet<&PathBuf> = private.iter().collect();
        for Staged { hidden, target } in &mut *staged {
            let wanted = target.clone();
            let is_private = private.contains(hidden);
            prepare_one(hidden, target, self.existing, is_private).map_err(|error| {
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

/// A path below a folder, with slashes.
pub(super) fn relative(file: &Path, base: &Path) -> String {
    let relative = file.strip_prefix(base).unwrap_or(file);
    let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

/// The path of a file without links in it, to compare it with others.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// A file that a new one replaces must be a regular one, whose mode and owner are kept. A link is followed.
fn prepare_one(
    hidden: &Path,
    target: &mut PathBuf,
    existing: ExistingFiles,
    is_private: bool,
) -> io::Result<()> {
    if let Ok(found) = fs::symlink_metadata(&*target) {
        if existing != ExistingFiles::Replace {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "somebody else has written it meanwhile",
            ));
        }
        if found.is_symlink()
            && let Ok(real) = target.canonicalize()
        {
            *target = real;
        }
    }
    match fs::metadata(&*target) {
        Ok(old) if old.is_file() => keep(hidden, &old),
        Ok(_) => {
            let text = "this is no regular file, which a new one could take the place of";
            Err(io::Error::new(io::ErrorKind::AlreadyExists, text))
        },
        // The file to be replaced has gone, or has got another name.
        Err(_) if is_private => {
            let probe = hidden.with_extension("mode");
            let created = OpenOptions::new().write(true).create_new(true).open(&probe);
            let permissions = created.and_then(|file| Ok(file.metadata()?.permissions()));
            let _ = fs::remove_file(&probe);
            fs::set_permissions(hidden, permissions?)
        },
        Err(_) => Ok(()),
    }
}

/// An empty file that nobody else can read.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Gives a file the owner and the group of an old one, as far as the process may, and its mode: without the
/// group's rights where it is another group.
#[cfg(unix)]
fn keep(path: &Path, old: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

    let new = fs::metadata(path)?;
    let owner = new.uid() == old.uid() || chown(path, Some(old.uid()), None).is_ok();
    let group = new.gid() == old.gid() || chown(path, None, Some(old.gid())).is_ok();
    let mut mode = old.mode() & 0o7777;
    if !owner {
        mode &= !0o4000;
    }
    if !group {
        mode = (mode & !0o2070) | (mode & ((mode & 0o007) << 3));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn keep(_: &Path, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

/// Does something with each, several at a time, until all are done or one fails.
pub(super) fn in_parallel<T: Send>(
    items: Vec<T>,
    each: impl Fn(T) -> PolarsResult<()> + Sync,
) -> PolarsResult<()> {
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
