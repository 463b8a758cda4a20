//! Counts checks, says which failed.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The checks so far.
#[derive(Default)]
pub(crate) struct Report {
    /// Checks that held.
    pub(crate) passed: usize,
    /// Checks that did not.
    pub(crate) failed: usize,
}

/// The result of a check: nothing, or the fault.
pub(super) type Check = Result<(), String>;

impl Report {
    /// Runs one check and counts it; an error and a panic are said, and the next check follows.
    pub(super) fn check(&mut self, name: &str, check: impl FnOnce() -> Check) {
        let outcome = catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(format!("PANIC: {}", text.unwrap_or("not a text")))
        });
        match outcome {
            Ok(()) => self.passed += 1,
            Err(error) => {
                self.failed += 1;
                println!("FAILED {name}: {error}");
            },
        }
    }
}

/// An error as text: checks compare and print, nothing more.
#[expect(clippy::needless_pass_by_value, reason = "used as `map_err(text)`")]
pub(super) fn text(error: impl ToString) -> String {
    error.to_string()
}

/// Fails unless both are equal.
pub(super) fn equal<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Check {
    if found == expected { Ok(()) } else { Err(format!("{what}: found {found:?}, expected {expected:?}")) }
}
