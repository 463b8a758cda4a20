//! A folder that gets all files of a call, or none.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::vec::IntoIter;

use floe_frame::AtomicFile;
use polars_core::prelude::*;

use super::PartitionSummary;
use crate::error::io_error;

/// Threads that commit files: they wait for the disk, which can make many durable at a time.
const COMMITTERS: usize = 8;

/// Dropped before [`commit`](Self::commit), it takes back what it has made.
pub(super) struct Folder {
    base: PathBuf,
    /// Folders that were not there before, in the order in which they were made.
    made: Vec<PathBuf>,
    /// Files that have their names.
    committed: Vec<PathBuf>,
}

/// A file that is complete, but for its name.
pub(super) struct Finished {
    pub(super) file: AtomicFile,
    pub(super) summary: PartitionSummary,
}

impl Folder {
    /// Makes the folder if it is not there.
    pub(super) fn open(base: &Path) -> PolarsResult<Self> {
        let mut folder = Self { base: base.to_path_buf(), made: Vec::new(), committed: Vec::new() };
        folder.make(base)?;
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
        let threads = files.len().min(COMMITTERS);
        let queue = Mutex::new(files.into_iter());
        let done = Mutex::new((Vec::new(), None));
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| commit_each(&queue, &done));
            }
        });
        let (committed, failed) = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = failed {
            self.committed = committed;
            return Err(error);
        }
        self.made.clear();
        Ok(summaries)
    }
}

/// Commits files until there are none, or one could not be.
fn commit_each(queue: &Mutex<IntoIter<Finished>>, done: &Mutex<(Vec<PathBuf>, Option<PolarsError>)>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        let Some(Finished { file, summary }) = next else { return };
        let result = file.commit_as(&summary.path);
        let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(()) => done.0.push(summary.path),
            Err(error) => done.1 = done.1.take().or_else(|| Some(io_error(error, &summary.path))),
        }
        if done.1.is_some() {
            return;
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for file in &self.committed {
            let _ = fs::remove_file(file);
        }
        for folder in self.made.iter().rev() {
            // Not if somebody else has put something there.
            let _ = fs::remove_dir(folder);
        }
    }
}
