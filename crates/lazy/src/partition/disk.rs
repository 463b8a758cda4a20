//! The file system, as far as a commit needs it: a trait, so that tests can let any step fail.

use std::fs;
use std::io;
use std::path::Path;

/// The steps, as the file system does them.
pub(super) trait Disk {
    /// A second name for a file. An error if there is something of that name.
    fn link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Another name for a file, which takes the place of a file of that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The machine's file system.
pub(super) struct System;

impl Disk for System {
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}
