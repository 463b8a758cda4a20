//! A file that appears whole or not at all.
//!
//! ```text
//!   create          look at the path          write ..       park          commit
//!   nothing there   -> file without a name ->  bytes   -> temporary name -> its name
//!   a regular file  -> file without a name ->  bytes   -> temporary name -> rename over the old one
//!   FIFO, device    -> opened as it is     ->  bytes go straight there
//! ```
//!
//! [`place`] examines a path, [`temporary`] makes files that have no name or one that says whose it is. [`keep`] gives
//! the new file the attributes of the old one.

mod keep;
mod place;
mod temporary;

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, IoSlice, Seek, Write};
use std::path::{Path, PathBuf};

use super::faults;
use place::Place;

/// Writes to a hidden file, which [`commit`](Self::commit) gives its name.
///
/// Dropped or killed before that, the old file is untouched, and nothing under the target's name looks whole. Symbolic
/// links are followed, also those that lead to nothing yet. If an old file is replaced, the new one gets its mode, and
/// its owner and group as far as the process may set them. On Linux it also gets its access control list and extended
/// attributes. It is another file all the same: hard links keep the old one.
///
/// **What is no regular file** - a FIFO, a terminal, a device, `/dev/stdout` - is written straight, as the bytes come,
/// and never replaced. Opening a FIFO waits for its reader.
///
/// **What is left behind**: on Linux, where the filesystem knows files without a name, nothing, however the process
/// ends. Elsewhere, and of files that were [parked](Self::park), a process that is killed leaves a temporary file
/// (`.floe-*.tmp`) in the target's folder. On Linux the next `AtomicFile` in that folder removes those that belong to the
/// same user and to processes of the same machine and PID namespace that have ended.
///
/// ```
/// use floe_frame::AtomicFile;
/// use std::io::Write;
///
/// let path = std::env::temp_dir().join("floe-atomic-doc.txt");
/// let mut file = AtomicFile::create(&path)?;
/// file.write_all(b"all of it")?;
/// file.commit()?;
/// assert_eq!(std::fs::read(&path)?, b"all of it");
/// # std::fs::remove_file(&path)?;
/// # std::io::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct AtomicFile {
    /// None while parked.
    file: Option<File>,
    stage: Stage,
    /// Behind all links.
    target: PathBuf,
    /// The regular file that stood there first: nobody else can read the new one until it has the same mode.
    before: Option<Box<Metadata>>,
    /// A write has failed: the file is not complete.
    failed: bool,
}

/// How far a file has come.
#[derive(Debug)]
enum Stage {
    /// It is no regular file, and is written to as it is.
    Straight,
    /// It has no name, and is gone when it is closed.
    Unnamed,
    /// It has a temporary name.
    Named(PathBuf),
    /// It has its name.
    Settled,
}

impl AtomicFile {
    /// Opens a file in the folder of `path`, or what stands under `path` if that is no regular file.
    ///
    /// ```
    /// use floe_frame::AtomicFile;
    /// use std::io::Write;
    ///
    /// let path = std::env::temp_dir().join(format!("floe-create-doc-{}.txt", std::process::id()));
    /// let mut file = AtomicFile::create(&path)?;
    /// file.write_all(b"all of it")?;
    /// assert!(!path.exists(), "not before it is whole");
    /// file.commit()?;
    /// # std::fs::remove_file(&path)?;
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// When the folder does not exist or cannot be written to, links lead in a circle, or there is a socket.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        match place::look(path.as_ref())? {
            Place::Special(special) => {
                let file = special.open()?;
                let target = special.path;
                Ok(Self { file: Some(file), stage: Stage::Straight, target, before: None, failed: false })
            },
            Place::File { path: target, before } => {
                if target.file_name().is_none() {
                    let message = format!("{} does not name a file", target.display());
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
                }
                let (file, name) = temporary::create(&target, before.is_some())?;
                temporary::sweep(&target, &file);
                let stage = name.map_or(Stage::Unnamed, Stage::Named);
                let before = before.map(Box::new);
                Ok(Self { file: Some(file), stage, target, before, failed: false })
            },
        }
    }

    /// Closes the file for now; the next write, or the commit, opens it again. So thousands may be
    /// on their way with few of them open. A file without a name gets a temporary one; where that cannot be, and what
    /// is no regular file, stays open.
    ///
    /// ```
    /// use floe_frame::AtomicFile;
    /// use std::io::Write;
    ///
    /// let path = std::env::temp_dir().join(format!("floe-park-doc-{}.txt", std::process::id()));
    /// let mut file = AtomicFile::create(&path)?;
    /// file.write_all(b"one ")?;
    /// file.park(); // it takes no file descriptor until the next write
    /// file.write_all(b"two")?;
    /// file.commit()?;
    /// assert_eq!(std::fs::read(&path)?, b"one two");
    /// # std::fs::remove_file(&path)?;
    /// # std::io::Result::Ok(())
    /// ```
    pub fn park(&mut self) {
        if matches!(self.stage, Stage::Unnamed) && self.name().is_err() {
            return;
        }
        if matches!(self.stage, Stage::Named(_)) {
            self.file = None;
        }
    }

    /// Begins with the bytes of another file, copied by the system, and with what `then` makes of them. The next write
    /// goes where `then` has left the file.
    pub(in crate::write) fn begin_with(
        &mut self,
        old: &mut File,
        then: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        if matches!(self.stage, Stage::Straight) {
            // Written straight, it would be copied behind itself for ever.
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "its name leads to what a process has open, which cannot be replaced: name the file itself",
            ));
        }
        let begun = self.open().and_then(|file| {
            faults::step()?;
            // All of it, since filesystems share whole files rather than parts.
            old.rewind()?;
            io::copy(old, file)?;
            then(file)
        });
        self.noted(begun)
    }

    fn open(&mut self) -> io::Result<&mut File> {
        let file = match (self.file.take(), &self.stage) {
            (Some(file), _) => file,
            (None, Stage::Named(temporary)) => OpenOptions::new().append(true).open(temporary)?,
            (None, Stage::Straight | Stage::Unnamed | Stage::Settled) => {
                return Err(io::Error::other("the file has been closed"));
            },
        };
        Ok(self.file.insert(file))
    }

    /// Gives a file without a name a temporary one.
    fn name(&mut self) -> io::Result<()> {
        if let (Stage::Unnamed, Some(file)) = (&self.stage, &self.file) {
            faults::step()?;
            self.stage = Stage::Named(temporary::name(file, &self.target)?);
        }
        Ok(())
    }

    /// Makes the file durable and gives it its name: flush, fsync, rename, fsync of the folder.
    ///
    /// ```
    /// use floe_frame::AtomicFile;
    /// use std::io::Write;
    ///
    /// let path = std::env::temp_dir().join(format!("floe-commit-doc-{}.txt", std::process::id()));
    /// let mut file = AtomicFile::create(&path)?;
    /// file.write_all(b"new")?;
    /// file.commit()?;
    /// assert_eq!(std::fs::read(&path)?, b"new");
    /// # std::fs::remove_file(&path)?;
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// When any of that fails, or a write has failed before; the old file is then still in place unless only the last
    /// step failed.
    pub fn commit(self) -> io::Result<()> {
        let target = self.target.clone();
        self.commit_as(&target)
    }

    /// As [`commit`](Self::commit), under another name in the same folder: for names that are known
    /// only at the end.
    ///
    /// ```
    /// use floe_frame::AtomicFile;
    /// use std::io::Write;
    ///
    /// let path = std::env::temp_dir().join(format!("floe-as-doc-{}.txt", std::process::id()));
    /// let mut file = AtomicFile::create(path.with_extension("tmp"))?;
    /// file.write_all(b"3 rows")?;
    /// file.commit_as(&path)?;
    /// assert_eq!(std::fs::read(&path)?, b"3 rows");
    /// # std::fs::remove_file(&path)?;
    /// # std::io::Result::Ok(())
    /// ```
    ///
    /// # Errors
    /// As [`commit`](Self::commit), and when what stands there is no regular file.
    pub fn commit_as(mut self, target: impl AsRef<Path>) -> io::Result<()> {
        let target = target.as_ref();
        if self.failed {
            return Err(io::Error::other(
                "an earlier write to this file failed: it is not complete, and does not get its name",
            ));
        }
        self.open()?.flush()?;
        if matches!(self.stage, Stage::Straight) {
            return self.commit_straight(target);
        }
        let Place::File { path: target, before } = place::look(target)? else {
            let message = format!("{} is no regular file, and is not replaced", target.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        };
        self.commit_file(&target, before)
    }

    /// All has been written; there is no other name to be had.
    fn commit_straight(&mut self, target: &Path) -> io::Result<()> {
        self.stage = Stage::Settled;
        if target != self.target && !place::look(target).is_ok_and(|place| place.is_special(&self.target)) {
            let message = format!("{} is no regular file, and keeps its name", self.target.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        match self.open()?.sync_all() {
            // Pipes and terminals have nothing that could be made durable.
            Err(e) if matches!(e.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
            result => result,
        }
    }

    fn commit_file(&mut self, target: &Path, before: Option<Metadata>) -> io::Result<()> {
        let is_private = self.before.is_some();
        let first = self.before.take().filter(|_| target == self.target).map(|before| *before);
        match before.or(first) {
            Some(before) => {
                // First, since what belongs to somebody else may not be given a name.
                self.name()?;
                faults::step()?;
                keep::like(self.open()?, target, &before)?;
            },
            None if is_private => {
                let mode = temporary::default_mode(target)?;
                keep::with_mode(self.open()?, mode)?;
            },
            None => {},
        }
        faults::step()?;
        self.open()?.sync_all()?;
        faults::step()?;
        if let (Stage::Unnamed, Some(file)) = (&self.stage, &self.file) {
            match temporary::link(file, target) {
                Ok(()) => {
                    self.stage = Stage::Settled;
                    return sync_folder(target);
                },
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => self.name()?,
                Err(e) => return Err(e),
            }
        }
        // Closed before it is renamed: not every system renames open files.
        self.file = None;
        if let Stage::Named(temporary) = &self.stage {
            fs::rename(temporary, target)?;
        }
        self.stage = Stage::Settled;
        faults::step()?;
        sync_folder(target)
    }

    /// Notes that a write has failed, unless it may be tried again.
    fn noted<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.failed |= result.as_ref().is_err_and(|e| e.kind() != io::ErrorKind::Interrupted);
        result
    }
}

#[cfg(unix)]
fn sync_folder(target: &Path) -> io::Result<()> {
    File::open(folder_of(target))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The folder that a file is in.
#[cfg(unix)]
fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.open().and_then(|file| file.write(bytes));
        self.noted(written)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        let written = self.open().and_then(|file| file.write_vectored(pieces));
        self.noted(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.as_mut().map_or(Ok(()), Write::flush);
        self.noted(flushed)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        self.file = None;
        if let Stage::Named(temporary) = &self.stage
            && faults::step().is_ok()
        {
            let _ = fs::remove_file(temporary);
        }
    }
}
