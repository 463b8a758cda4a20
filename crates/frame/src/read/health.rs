//! What becomes of a stream after a read that failed: nothing, or it goes on exactly where it stood.
//!
//! Whoever reads on behind half a body takes its bytes for messages, and they may be such. So the first failure is kept,
//! and is what every later call gets. Only a reader that has nothing *yet* ([`WouldBlock`], [`TimedOut`]) may be asked
//! again, as long as no body has been begun: the bytes of a head are kept.
//!
//! [`WouldBlock`]: std::io::ErrorKind::WouldBlock
//! [`TimedOut`]: std::io::ErrorKind::TimedOut

use std::io::Read;

use polars_core::prelude::*;

use super::stream_source::Stream;

/// Whether a stream can be read on.
#[derive(Debug, Default)]
pub(super) enum Health {
    #[default]
    Sound,
    /// It is being read. Whoever finds it so comes after a panic.
    Reading,
    Failed(PolarsError),
}

impl Health {
    /// # Errors
    /// The first failure.
    fn check(&self) -> PolarsResult<()> {
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

impl<R: Read> Stream<R> {
    /// Reads on, if no read before has failed. After a failure no other one will be done.
    pub(super) fn once<T>(&mut self, read: impl FnOnce(&mut Self) -> PolarsResult<T>) -> PolarsResult<T> {
        self.guarded(false, read)
    }

    /// As [`Self::once`], for what loses nothing when the reader has nothing yet.
    pub(super) fn again<T>(&mut self, read: impl FnOnce(&mut Self) -> PolarsResult<T>) -> PolarsResult<T> {
        self.guarded(true, read)
    }

    fn guarded<T>(
        &mut self,
        resumes: bool,
        read: impl FnOnce(&mut Self) -> PolarsResult<T>,
    ) -> PolarsResult<T> {
        self.health.check()?;
        self.health = Health::Reading;
        let result = read(self).map_err(|e| self.in_stream(self.in_file(e)));
        self.health = match &result {
            Ok(_) => Health::Sound,
            Err(error) if resumes && self.input.resumes(error) => Health::Sound,
            Err(error) => Health::Failed(error.clone()),
        };
        result
    }

    /// An error with the number of the stream, if there are several.
    fn in_stream(&self, error: PolarsError) -> PolarsError {
        match self.number {
            0 => error,
            number => error.wrap_msg(|msg| format!("stream {} of the source: {msg}", number + 1)),
        }
    }
}
