//! Temporary files of processes that have ended: found by their names, removed by the next one that writes there.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use super::{PREFIX, SUFFIX};
use crate::write::sink::folder_of;

/// A process, as temporary names tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Process {
    /// Of the running system and its PID namespace: elsewhere the numbers mean other processes.
    system: u64,
    id: u32,
    /// In the system's ticks since it was booted: a number is given to one process after another.
    started: u64,
}

impl Process {
    /// This one. None if the system does not tell enough.
    pub(super) fn this() -> Option<Self> {
        // A process that was forked off is another one.
        static THIS: Mutex<Option<Process>> = Mutex::new(None);
        let id = std::process::id();
        let mut this = THIS.lock().unwrap_or_else(PoisonError::into_inner);
        if this.is_none_or(|this| this.id != id) {
            *this = Self::look(id);
        }
        *this
    }

    fn look(id: u32) -> Option<Self> {
        // Else it is the `/proc` of another namespace.
        if fs::read_link("/proc/self").ok()? != Path::new(&id.to_string()) {
            return None;
        }
        let boot = fs::read("/proc/sys/kernel/random/boot_id").ok()?;
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
        let system = xxh3_64(&[boot.as_slice(), namespace.as_os_str().as_encoded_bytes()].concat()) >> 16;
        Some(Self { system, id, started: Status::of(id).ok()??.started })
    }

    /// The one that a temporary name tells of.
    fn of_name(name: &str) -> Option<Self> {
        let name = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
        let mut parts = name.split('-').map(|part| u64::from_str_radix(part, 16).ok());
        let (system, id, started) = (parts.next()??, parts.next()??, parts.next()??);
        parts.next()??;
        let process = Self { system, id: u32::try_from(id).ok()?, started };
        parts.next().is_none().then_some(process)
    }

    /// Whether a process of this system has certainly ended.
    fn has_ended(&self) -> bool {
        match Status::of(self.id) {
            Ok(Some(status)) => status.started != self.started || status.ended,
            Ok(None) => false,
            Err(e) => e.kind() == io::ErrorKind::NotFound,
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { system, id, started } = self;
        write!(f, "{system:012x}-{id:x}-{started:x}")
    }
}

/// The state of a process, as the system reports it.
struct Status {
    started: u64,
    /// Nothing of it runs any more: somebody has yet to ask how it ended.
    ended: bool,
}

impl Status {
    /// `Ok(None)` if what the system says is not understood.
    fn of(id: u32) -> io::Result<Option<Self>> {
        Ok(Self::parse(&fs::read_to_string(format!("/proc/{id}/stat"))?))
    }

    /// The third field and those behind it: the second may hold anything, in brackets.
    fn parse(stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?;
        let threads: u64 = fields.nth(16)?.parse().ok()?;
        let started = fields.nth(1)?.parse().ok()?;
        Some(Self { started, ended: matches!(state, "Z" | "X") && threads <= 1 })
    }
}

/// Files examined for each one that is made: a folder of a hundred thousand is not read each time.
const LOOKS: usize = 64;
/// The most files of a folder that are examined.
const MAX_ENTRIES: usize = 1 << 16;
/// Folders that are remembered.
const MAX_FOLDERS: usize = 1 << 10;

/// For each folder: how many files may be made there before it is read again.
static FOLDERS: LazyLock<Mutex<HashMap<PathBuf, usize>>> = LazyLock::new(Mutex::default);

/// Removes what processes that have ended left in the folder of `target`, where `file` has just been made. Nothing
/// happens if that fails: somebody else may have been faster, or will be.
pub(in crate::write::sink) fn sweep(target: &Path, file: &File) {
    let folder = folder_of(target);
    // Without knowing this process and its user, no file can be told to be a leftover of theirs.
    let (Some(this), Ok(own)) = (Process::this(), file.metadata()) else { return };
    let mut folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(left) = folders.get_mut(folder)
        && *left > 0
    {
        *left -= 1;
        return;
    }
    drop(folders);
    let looked_at = remove(folder, this, own.uid());
    let mut folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    if folders.len() >= MAX_FOLDERS {
        folders.clear();
    }
    folders.insert(folder.to_path_buf(), looked_at / LOOKS);
}

/// Removes files of this user whose processes have ended; how many files there are.
fn remove(folder: &Path, this: Process, user: u32) -> usize {
    let mut looked_at = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten().take(MAX_ENTRIES) {
        looked_at += 1;
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(Process::of_name) else { continue };
        // Of other users' processes the system need not tell.
        let is_ours = || entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.uid() == user);
        if process != this && process.system == this.system && process.has_ended() && is_ours() {
            let _ = fs::remove_file(entry.path());
        }
    }
    looked_at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_of_processes() {
        let process = Process { system: 0x8d_3f00, id: 7, started: 99 };
        let name = format!("{PREFIX}{process}-1f{SUFFIX}");
        assert_eq!(name, ".floe-0000008d3f00-7-63-1f.tmp");
        assert_eq!(Process::of_name(&name), Some(process));
        for other in [
            "data.arrow",
            ".floe-.tmp",
            ".floe-7-1.tmp",
            ".floe-0000008d3f00-7-63.tmp",
            ".floe-0000008d3f00-7-63-1f",
            ".floe-0000008d3f00-7-63-1f-2.tmp",
            ".floe-0000008d3f00-7-63-x.tmp",
            ".floe-0000008d3f00-700000000-63-1f.tmp",
            "x.floe-0000008d3f00-7-63-1f.tmp",
        ] {
            assert_eq!(Process::of_name(other), None, "{other}");
        }
    }

    #[test]
    fn what_has_ended() {
        let this = Process::this().expect("a system that tells");
        assert_eq!(Process::this(), Some(this));
        assert!(!this.has_ended());
        assert!(Process { started: this.started + 1, ..this }.has_ended(), "the number is another's now");
        assert!(Process { id: u32::MAX, ..this }.has_ended());
    }

    #[test]
    fn a_process_that_nobody_has_asked_for() {
        let stat = |state: &str, threads: u32| {
            format!(
                "12 (a ) b) {state} 1 12 12 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 {threads} 0 4711 0 0 18446744073709551615"
            )
        };
        let parse = |stat: String| Status::parse(&stat).map(|status| (status.started, status.ended));
        assert_eq!(parse(stat("S", 1)), Some((4711, false)));
        assert_eq!(parse(stat("Z", 1)), Some((4711, true)));
        assert_eq!(parse(stat("Z", 2)), Some((4711, false)), "its other threads run on");
        assert_eq!(parse("12 (a".to_owned()), None);
    }
}
