//! Many cases in one test: all are run, all that fail are reported.

use std::fmt::Display;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Collects the cases that failed.
#[derive(Default)]
pub struct Cases {
    count: usize,
    failures: Vec<String>,
}

impl Cases {
    /// No cases yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs a case. It fails by panicking.
    pub fn run(&mut self, name: impl Display, case: impl FnOnce()) {
        self.count += 1;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(case)) {
            self.failures.push(format!("{name}: {}", panic_text(panic.as_ref())));
        }
    }

    /// Takes in what failed elsewhere.
    pub fn fail(&mut self, failure: String) {
        self.failures.push(failure);
    }

    /// # Panics
    /// When a case failed, with the first 25 of them, or when there was none at all.
    #[track_caller]
    pub fn finish(self) {
        assert!(self.count > 0, "no case was run");
        let Self { count, failures } = self;
        let shown = failures.iter().take(25).map(String::as_str).collect::<Vec<_>>().join("\n\n");
        assert!(failures.is_empty(), "{} of {count} cases failed:\n\n{shown}\n", failures.len());
    }
}

/// The message of a panic.
#[must_use]
pub fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without text")
}

/// Runs `work` on a thread of its own, for at most `seconds`: a deadlock is a failure, not a hang.
///
/// # Panics
/// When the time is over, and when `work` panics.
#[track_caller]
pub fn within<T: Send + 'static>(seconds: u64, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = channel();
    let thread = std::thread::spawn(move || {
        let _ = sender.send(work());
    });
    match receiver.recv_timeout(Duration::from_secs(seconds)) {
        Ok(value) => value,
        Err(RecvTimeoutError::Timeout) => panic!("not done within {seconds} seconds"),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("the thread sends before it ends"),
        },
    }
}

/// To the real stderr: the test harness shows what `eprintln!` says only of tests that fail.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
