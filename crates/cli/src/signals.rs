//! Temporary files that must not outlive the process, whatever ends it.

use std::path::{Path, PathBuf};
#[cfg(feature = "query")]
use std::sync::atomic::AtomicBool;
use std::sync::atomic::{AtomicI32, Ordering};
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

/// Whether the work at hand checks for signals itself, and takes its files back.
#[cfg(feature = "query")]
static IS_GENTLE: AtomicBool = AtomicBool::new(false);

/// The signal that came meanwhile; 0 is none.
static CAME: AtomicI32 = AtomicI32::new(0);

/// The exit code of a signal that came meanwhile.
pub(crate) fn came() -> Option<u8> {
    match CAME.load(Ordering::SeqCst) {
        0 => None,
        signal => u8::try_from(128 + signal).ok(),
    }
}

/// From now on the first signal only sets what [`came`] returns; the next one ends the process as ever.
#[cfg(feature = "query")]
pub(crate) fn be_gentle() {
    IS_GENTLE.store(true, Ordering::SeqCst);
}

#[cfg(unix)]
fn is_gentle() -> bool {
    #[cfg(feature = "query")]
    return IS_GENTLE.load(Ordering::SeqCst);
    #[cfg(not(feature = "query"))]
    false
}

/// From now on, SIGINT and SIGTERM remove the temporary files and end the process with 130 or 143.
#[cfg(unix)]
pub(crate) fn listen() {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
    std::thread::spawn(move || {
        for signal in signals.forever() {
            let is_first = CAME.swap(signal, Ordering::SeqCst) == 0;
            if is_first && is_gentle() {
                continue;
            }
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
