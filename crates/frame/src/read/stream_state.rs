//! The stream behind a reader and the iterators over its batches.

use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::in_memory::InMemory;
use super::input::Input;
use super::options::ReadOptions;
use super::stream_source::Stream;

/// The stream and the reader's end of it, shared with the iterator over its batches.
pub(super) type Shared<R> = Arc<Mutex<State<R>>>;

pub(super) enum State<R> {
    /// Nothing has been read; limits may still be set.
    New(R),
    Open(Stream<Input<R>>),
    Memory(Stream<InMemory>, Option<R>),
    /// The source has been given back.
    Gone,
}

pub(super) fn lock<R>(state: &Shared<R>) -> MutexGuard<'_, State<R>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `$work` on the stream, wherever it comes from.
macro_rules! with_stream {
    ($state:expr, $options:expr, |$stream:ident| $work:expr) => {{
        let mut state = lock($state);
        state.open($options);
        match &mut *state {
            State::Open($stream) => {
                let result = $work;
                match $stream.leave() {
                    Ok(()) => result,
                    Err(error) => result.and(Err(error)),
                }
            },
            State::Memory($stream, _) => $work,
            State::New(_) | State::Gone => {
                Err(polars_err!(ComputeError: "the source of this stream has been taken back by into_inner"))
            },
        }
    }};
}

impl<R: Read> State<R> {
    pub(super) fn open(&mut self, options: &ReadOptions) {
        if let Self::New(_) = self
            && let Self::New(reader) = std::mem::replace(self, Self::Gone)
        {
            *self = Self::Open(Stream::new(Input::from_reader(reader, options.limits)));
        }
    }
}

pub(super) use with_stream;
