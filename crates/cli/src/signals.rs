//! Temporary files that must not outlive the process, whatever ends it.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Files to be removed when a signal comes.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Notes a temporary file.
pub(crate) fn keep(path: &Path) {
    TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner).push(path.to_path_buf());
}

/// The file has its name, or is gone.
pub(crate) fn forget(path: &Path) {
    TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| known != path);
}

/// From now on, SIGINT and SIGTERM remove the temporary files and end the process with 130 or 143.
#[cfg(unix)]
pub(crate) fn listen() {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            let files = TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner);
            for file in files.iter() {
                let _ = std::fs::remove_file(file);
            }
            // The lock is held to the end: no file is noted any more.
            std::process::exit(128 + signal);
        }
    });
}

#[cfg(not(unix))]
pub(crate) fn listen() {}
