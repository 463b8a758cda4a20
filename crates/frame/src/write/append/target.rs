//! The file that is gone on with: locked, copied or written in place, and given its name.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use floe_format::IpcLimits;
use polars_core::prelude::*;

use super::AppendOptions;
use crate::error::io_error;
use crate::read::{Existing, check_regular, is_same};
use crate::write::faults;
use crate::write::sink::AtomicFile;

/// How often a file is opened that is replaced at the same moment.
const TRIES: usize = 10;

/// A file by its name, and what is being written for it.
pub(super) struct Target {
    path: PathBuf,
    is_file: bool,
    out: Mutex<Option<Out>>,
}

/// Where bytes go.
enum Out {
    /// To a hidden copy.
    Copy(AtomicFile),
    /// To the file itself.
    InPlace(File),
}

/// A file that has been looked at and is locked.
pub(in crate::write) struct Opened {
    pub(in crate::write) existing: Existing,
    target: Arc<Target>,
    in_place: bool,
    file: Locked,
    len: u64,
}

/// An open file that is locked until this is dropped.
///
/// To close it would not do: a process that is being started on another thread holds all open files of this one, and
/// their locks, until its own program runs.
struct Locked(File);

impl Deref for Locked {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut File {
        &mut self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Without a lock there is nothing to give back, and closing the file gives back the rest.
        let _ = self.0.unlock();
    }
}

/// A file that is being written for, until it is committed. Dropped before that, nothing has been changed, unless it is
/// written in place.
pub(crate) struct Appending {
    target: Arc<Target>,
    file: Locked,
    len: u64,
    position: u64,
}

impl Target {
    pub(super) fn new(path: &Path, is_file: bool) -> Self {
        Self { path: path.to_path_buf(), is_file, out: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn out(&self) -> MutexGuard<'_, Option<Out>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names the file in an error.
    pub(super) fn at<T>(&self, result: PolarsResult<T>) -> PolarsResult<T> {
        result.map_err(|e| e.wrap_msg(|msg| format!("cannot append to {}: {msg}", self.path.display())))
    }

    pub(super) fn write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        if let Err(killed) = faults::step() {
            // As far as it comes.
            let half = pieces.first().and_then(|piece| piece.get(..piece.len() / 2)).unwrap_or_default();
            self.write_now(&[IoSlice::new(half)])?;
            return Err(killed);
        }
        self.write_now(pieces)
    }

    fn write_now(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut *self.out() {
            Some(Out::Copy(file)) => file.write_vectored(pieces),
            Some(Out::InPlace(file)) => file.write_vectored(pieces),
            None => Err(io::Error::other("only its writer can write to this file")),
        }
    }

    /// Opens the file that has the name. To be written as well, since NFS locks no others for one writer alone; a copy can
    /// be made without.
    fn open(&self, in_place: bool) -> io::Result<File> {
        use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let open = |write| OpenOptions::new().read(true).write(write).open(&self.path);
        match open(true) {
            Err(e) if !in_place && matches!(e.kind(), PermissionDenied | ReadOnlyFilesystem) => open(false),
            opened => opened,
        }
    }

    /// Opens and locks the file that has the name.
    fn lock(&self, in_place: bool) -> io::Result<Locked> {
        for _ in 0..TRIES {
            // Before it is opened: a FIFO would wait for its other end.
            check_regular(&std::fs::metadata(&self.path)?)?;
            let file = self.open(in_place)?;
            check_regular(&file.metadata()?)?;
            let file = match file.try_lock() {
                Ok(()) => Locked(file),
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::new(
                        io::ErrorKind::ResourceBusy,
                        "another writer is appending to it",
                    ));
                },
                // Not every filesystem has locks.
                Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => Locked(file),
                Err(TryLockError::Error(e)) => return Err(e),
            };
            if is_same(&file.metadata()?, &std::fs::metadata(&self.path)?) {
                return Ok(file);
            }
        }
        Err(io::Error::other("it is replaced again and again"))
    }
}

impl Opened {
    pub(super) fn new(options: &AppendOptions) -> PolarsResult<Self> {
        let AppendOptions { target, in_place } = options.clone();
        let file = target.lock(in_place).map_err(|e| io_error(e, "opening it"))?;
        let clone = || file.try_clone().map_err(|e| io_error(e, "opening it"));
        let limits = IpcLimits::default();
        let existing = if target.is_file {
            Existing::file(clone()?, &limits)?
        } else {
            Existing::stream(clone()?, &limits)?
        };
        let len = file.metadata().map_err(|e| io_error(e, "opening it"))?.len();
        Ok(Self { existing, target, in_place, file, len })
    }

    /// Makes ready for messages behind those that are there.
    ///
    /// # Errors
    /// When the folder cannot be written to, or there is no room for a copy. Nothing has been changed then.
    pub(in crate::write) fn begin(self) -> PolarsResult<(Appending, Existing)> {
        let Self { existing, target, in_place, mut file, len } = self;
        // Behind messages of other writers there may be an odd number of bytes; those that follow belong to none.
        let position = existing.end.next_multiple_of(8);
        let mut begun = || -> io::Result<Out> {
            if in_place {
                let mut out = file.try_clone()?;
                cut(&mut out, existing.end, position)?;
                return Ok(Out::InPlace(out));
            }
            faults::step()?;
            let mut copy = AtomicFile::create(&target.path)?;
            copy.begin_with(&mut file, |out| cut(out, existing.end, position))?;
            Ok(Out::Copy(copy))
        };
        let out = target.at(begun().map_err(|e| io_error(e, "copying what is there")))?;
        *target.out() = Some(out);
        Ok((Appending { target, file, len, position }, existing))
    }
}

/// Cuts a file off at `end`, adds zeros up to `position`, and has it stand there.
fn cut(file: &mut File, end: u64, position: u64) -> io::Result<()> {
    faults::step()?;
    file.set_len(end)?;
    if position != end {
        faults::step()?;
        file.set_len(position)?;
    }
    file.seek(SeekFrom::Start(position)).map(drop)
}

impl Appending {
    /// Where the first new message goes.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Makes durable what has been written, and visible.
    ///
    /// # Errors
    /// When that fails, or somebody else has changed the file meanwhile: it stays as it is now.
    pub(crate) fn commit(self) -> PolarsResult<()> {
        let target = Arc::clone(&self.target);
        target.at(self.committed().map_err(|e| io_error(e, "giving the new file its name")))
    }

    fn committed(self) -> io::Result<()> {
        let out = self.target.out().take();
        match out {
            Some(Out::InPlace(file)) => {
                faults::step()?;
                file.sync_all()?;
                match std::fs::metadata(&self.target.path) {
                    Ok(now) if is_same(&file.metadata()?, &now) => Ok(()),
                    _ => Err(io::Error::other(
                        "another file has its name by now: what was added is in the old one, which has none",
                    )),
                }
            },
            Some(Out::Copy(copy)) => {
                let now = std::fs::metadata(&self.target.path)?;
                if !is_same(&self.file.metadata()?, &now) || now.len() != self.len {
                    return Err(io::Error::other(
                        "another program has changed it meanwhile: it stays as it is, and nothing was added",
                    ));
                }
                copy.commit()
            },
            None => Err(io::Error::other("nothing has been written")),
        }
    }
}

impl Drop for Appending {
    fn drop(&mut self) {
        let Self { target, file: _, len: _, position: _ } = self;
        // A hidden copy that has not been committed goes.
        drop(target.out().take());
    }
}
