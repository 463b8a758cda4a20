//! The file under a path, behind all links.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Links behind one another that are followed at most, as on Linux.
const MAX_LINKS: usize = 40;

/// The file under a path.
pub(super) enum Place {
    /// Nothing, a regular file, or a folder, which nothing can replace.
    File {
        path: PathBuf,
        /// Of a regular file.
        before: Option<Metadata>,
    },
    /// Something else.
    Special(Special),
}

impl Place {
    /// Whether it is the special file of this path.
    pub(super) fn is_special(&self, path: &Path) -> bool {
        matches!(self, Self::Special(special) if special.path == path)
    }
}

/// A FIFO, a device, a socket, or what a process has open.
pub(super) struct Special {
    pub(super) path: PathBuf,
    metadata: Metadata,
}

/// Looks at what stands under a path.
///
/// # Errors
/// When the system does not say, or links lead in a circle.
pub(super) fn look(path: &Path) -> io::Result<Place> {
    let mut path = path.to_path_buf();
    for _ in 0..=MAX_LINKS {
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Place::File { path, before: None }),
            Err(e) => return Err(e),
        };
        if !metadata.is_symlink() {
            if metadata.is_file() || metadata.is_dir() {
                let before = metadata.is_file().then_some(metadata);
                return Ok(Place::File { path, before });
            }
            return Ok(Place::Special(Special { path, metadata }));
        }
        if is_of_process(&path) {
            // Such a link leads to what is open, whatever its text says.
            let metadata = fs::metadata(&path)?;
            return Ok(Place::Special(Special { path, metadata }));
        }
        let link = fs::read_link(&path)?;
        path = match path.parent() {
            Some(folder) => folder.join(link),
            None => link,
        };
    }
    Err(circle(&path))
}

#[cfg(unix)]
fn circle(_: &Path) -> io::Error {
    rustix::io::Errno::LOOP.into()
}

#[cfg(not(unix))]
fn circle(path: &Path) -> io::Error {
    io::Error::other(format!("too many links lead to {}", path.display()))
}

/// Whether a link is one of those in `/proc`, to which `/dev/stdout` and `/dev/fd` lead.
#[cfg(target_os = "linux")]
fn is_of_process(link: &Path) -> bool {
    let folder = rustix::fs::statfs(super::folder_of(link));
    folder.is_ok_and(|folder| folder.f_type == rustix::fs::PROC_SUPER_MAGIC)
}

#[cfg(not(target_os = "linux"))]
fn is_of_process(_: &Path) -> bool {
    false
}

impl Special {
    /// Opens it to be written to as it is. Of a FIFO that waits for a reader.
    ///
    /// # Errors
    /// When it cannot be opened, as a socket, or something else has taken its place.
    pub(super) fn open(&self) -> io::Result<File> {
        if is_socket(&self.metadata) {
            let message = format!(
                "{} is a socket, which cannot be opened: connect to it, and write to the connection",
                self.path.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let is_file = self.metadata.is_file();
        let mut options = OpenOptions::new();
        // Behind what a process has written to its regular file already.
        options.append(is_file).write(true);
        no_terminal(&mut options);
        let file = options.open(&self.path)?;
        if file.metadata()?.is_file() != is_file {
            let message = format!("{} was replaced while it was opened", self.path.display());
            return Err(io::Error::other(message));
        }
        Ok(file)
    }
}

#[cfg(unix)]
fn is_socket(metadata: &Metadata) -> bool {
    std::os::unix::fs::FileTypeExt::is_socket(&metadata.file_type())
}

#[cfg(not(unix))]
fn is_socket(_: &Metadata) -> bool {
    false
}

/// A terminal that is opened does not become the process's own.
#[cfg(unix)]
fn no_terminal(options: &mut OpenOptions) {
    let flags = i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).expect("a flag of a C int");
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags);
}

#[cfg(not(unix))]
fn no_terminal(_: &mut OpenOptions) {}
