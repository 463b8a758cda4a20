//! Steps of writing at which the tests of this crate stop, as if the process were killed there.
//!
//! Every call that changes a file or a folder goes by here first. Outside of those tests nothing is done.

/// A step that is about to be done.
///
/// # Errors
/// When the test at hand has the process be dead by now.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in tests it fails")]
pub(super) fn step() -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(super) use injected::{step, stop_after};

#[cfg(test)]
mod injected {
    use std::cell::Cell;
    use std::io;

    thread_local! {
        /// Steps that are left until the process dies.
        static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
    }

    /// Dies after this number of steps of this thread, or never.
    pub(in super::super) fn stop_after(steps: Option<u64>) {
        LEFT.set(steps);
    }

    pub(in super::super) fn step() -> io::Result<()> {
        match LEFT.get() {
            None => Ok(()),
            Some(0) => Err(io::Error::other("the process was killed here")),
            Some(left) => {
                LEFT.set(Some(left - 1));
                Ok(())
            },
        }
    }
}
