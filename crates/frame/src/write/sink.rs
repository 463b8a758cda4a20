//! A file that appears whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes to a temporary file beside the target, which [`commit`](Self::commit) puts in its place.
///
/// Dropped or killed before that, the old file is untouched, and nothing under the target's name
/// looks whole. A process killed hard leaves the temporary file (`.name.<pid>-<n>.tmp`) behind.
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
    temporary: PathBuf,
    target: PathBuf,
    /// The temporary file has got its name.
    settled: bool,
}

static COUNT: AtomicU64 = AtomicU64::new(0);

impl AtomicFile {
    /// Opens a temporary file beside `path`.
    ///
    /// # Errors
    /// When the folder does not exist or cannot be written to.
    pub fn create(path: impl AsRef<Path>) -> io::Result<Self> {
        let target = path.as_ref().to_path_buf();
        let name = target.file_name().ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("{} does not name a file", target.display()))
        })?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!(".{}.{}-{count}.tmp", name.to_string_lossy(), std::process::id());
        let temporary = target.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
        Ok(Self { file: Some(file), temporary, target, settled: false })
    }

    /// Closes the file for now; the next write, or the commit, opens it again. So thousands may be
    /// on their way with few of them open.
    pub fn park(&mut self) {
        self.file = None;
    }

    fn open(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => OpenOptions::new().append(true).open(&self.temporary)?,
        };
        Ok(self.file.insert(file))
    }

    /// Makes the file durable and gives it its name: flush, fsync, rename, fsync of the folder.
    ///
    /// # Errors
    /// When any of that fails; the old file is then still in place unless only the last step
    /// failed.
    pub fn commit(self) -> io::Result<()> {
        let target = self.target.clone();
        self.commit_as(&target)
    }

    /// As [`commit`](Self::commit), under another name in the same folder: for names that are known
    /// only at the end.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn commit_as(mut self, target: impl AsRef<Path>) -> io::Result<()> {
        let target = target.as_ref();
        let file = self.open()?;
        file.flush()?;
        file.sync_all()?;
        // Closed before it is renamed: not every system renames open files.
        self.file = None;
        fs::rename(&self.temporary, target)?;
        self.settled = true;
        sync_folder(target)
    }
}

#[cfg(unix)]
fn sync_folder(target: &Path) -> io::Result<()> {
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open()?.write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.open()?.write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if !self.settled {
            self.file = None;
            let _ = fs::remove_file(&self.temporary);
        }
    }
}
