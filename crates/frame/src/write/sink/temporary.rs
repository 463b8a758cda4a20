//! Files that have no name yet, or one for the time being, which says whose they are.
//!
//! ```text
//!   .floe-8d3f00a1b2c4-1f3a-5c08e1-2.tmp
//!         |            |    |      ^ which of the process's files
//!         |            |    ^ when the process was started
//!         |            ^ the process
//!         ^ the running system and its PID namespace, in which that number means this process
//! ```

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(target_os = "linux")]
pub(super) use leftovers::sweep;
#[cfg(target_os = "linux")]
pub(super) use unnamed::link;

#[cfg(target_os = "linux")]
mod leftovers;

/// The start and the end of temporary names.
const PREFIX: &str = ".floe-";
const SUFFIX: &str = ".tmp";
/// Names that are tried until one is free: there may be files of a process elsewhere that is called the same.
const TRIES: usize = 10_000;

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A file in the folder of `target`, and its name if it had to have one. A `private` one is for nobody else to read.
///
/// # Errors
/// When the folder does not exist or cannot be written to.
pub(super) fn create(target: &Path, private: bool) -> io::Result<(File, Option<PathBuf>)> {
    #[cfg(target_os = "linux")]
    if let Some(file) = unnamed::create(super::folder_of(target), mode(private)) {
        return Ok((file, None));
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode(private));
    #[cfg(not(unix))]
    let _ = private;
    let (file, path) = free_name(target, |path| options.open(path))?;
    Ok((file, Some(path)))
}

/// The mode that a new file is asked for with: the system takes from it what it keeps from all new files.
#[cfg(unix)]
fn mode(private: bool) -> u32 {
    if private { 0o600 } else { 0o666 }
}

/// The mode that a new file of this name gets.
///
/// # Errors
/// When none can be made.
pub(super) fn default_mode(target: &Path) -> io::Result<u32> {
    let (file, name) = create(target, false)?;
    let metadata = file.metadata();
    drop(file);
    if let Some(name) = name {
        fs::remove_file(name)?;
    }
    #[cfg(unix)]
    return Ok(std::os::unix::fs::MetadataExt::mode(&metadata?));
    #[cfg(not(unix))]
    metadata.map(|_| 0)
}

/// Gives a file that has no name a temporary one.
///
/// # Errors
/// When the system does not.
pub(super) fn name(file: &File, target: &Path) -> io::Result<PathBuf> {
    Ok(free_name(target, |path| link(file, path))?.1)
}

/// Tries temporary names beside `target` until one is free.
fn free_name<T>(target: &Path, take: impl Fn(&Path) -> io::Result<T>) -> io::Result<(T, PathBuf)> {
    let owner = owner();
    let mut tries = 0;
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = target.with_file_name(format!("{PREFIX}{owner}-{count:x}{SUFFIX}"));
        match take(&path) {
            Ok(taken) => return Ok((taken, path)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && tries < TRIES => tries += 1,
            Err(e) => return Err(e),
        }
    }
}

/// Whose files these are.
#[cfg(target_os = "linux")]
fn owner() -> String {
    leftovers::Process::this().map_or_else(|| format!("{:x}", std::process::id()), |this| this.to_string())
}

#[cfg(not(target_os = "linux"))]
fn owner() -> String {
    format!("{:x}", std::process::id())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn sweep(_: &Path, _: &File) {}

#[cfg(not(target_os = "linux"))]
pub(super) fn link(_: &File, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Files without a name, which are gone with the process.
#[cfg(target_os = "linux")]
mod unnamed {
    use std::fs::{self, File};
    use std::io;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};

    use rustix::fs::{AtFlags, CWD, Mode, OFlags};

    /// None where the filesystem does not know such files, or they could not be given a name later.
    pub(super) fn create(folder: &Path, mode: u32) -> Option<File> {
        let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::open(folder, flags, Mode::from_raw_mode(mode)).ok()?);
        let (own, seen) = (file.metadata().ok()?, fs::metadata(path_of(&file)).ok()?);
        ((own.dev(), own.ino()) == (seen.dev(), seen.ino())).then_some(file)
    }

    /// Where the system shows an open file.
    fn path_of(file: &File) -> PathBuf {
        format!("/proc/self/fd/{}", file.as_raw_fd()).into()
    }

    /// Gives a file its first name, unless there is something under that.
    pub(in super::super) fn link(file: &File, path: &Path) -> io::Result<()> {
        rustix::fs::linkat(CWD, path_of(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?;
        Ok(())
    }
}
