//! The state of a stream after a read that failed: it ends, or goes on exactly where it stood.
//!
//! A reader that goes on behind half a body takes its bytes for messages, and they may be such. So the first failure is
//! kept, and every later call returns it. Only a reader that has nothing *yet* ([`WouldBlock`], [`TimedOut`]) may be
//! asked again, as long as no body has been begun: the bytes of a head are kept.
//!
//! [`WouldBlock`]: std::io::ErrorKind::WouldBlock
//! [`TimedOut`]: std::io::ErrorKind::TimedOut

use polars_core::prelude::*;

/// Whether a stream can be read on.
#[derive(Debug, Default)]
pub(super) enum Health {
    #[default]
    Sound,
    /// It is being read. A call that finds it so comes after a panic.
    Reading,
    Failed(PolarsError),
}

impl Health {
    /// # Errors
    /// The first failure.
    pub(super) fn check(&self) -> PolarsResult<()> {
        match self {
            Self::Sound => Ok(()),
            Self::Reading => {
                polars_bail!(ComputeError: "this stream cannot be read on, since reading it panicked before")
            },
            Self::Failed(first) => Err(first.clone().wrap_msg(|msg| {
                format!("this stream cannot be read on, since reading it failed before: {msg}")
            })),
        }
    }
}
