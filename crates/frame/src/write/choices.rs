//! How the buffers of a column are compressed: found out for its first large batch, kept for those that are like it.
//!
//! ```text
//!   batch 0   column a: Finds    sample, choose ──┐ compress
//!   batch 1   column a: Follows                   └▶ still like that? compress
//!   batch 2   column a: Follows                   └▶ still like that? compress
//! ```
//!
//! Which batch finds is settled when batches are cut, and those that follow wait for it: what is written depends on the
//! data alone, never on which thread comes first. They wait for a task that has begun, since those of a batch before are
//! taken from the queue first. It is a task of one column that does nothing but compute until it has found something,
//! so that no thread waits for itself.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use floe_array::encode::EncodedBuffer;
use floe_codec::{Choice, Compression};
use floe_format::Result;

use super::convert::Pieces;
use super::encode::{APART_BYTES, codec_error};

/// The choices for a column's buffers.
#[derive(Default)]
pub(crate) struct Found {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// By the number of the buffer, of those that are large.
    choices: Vec<Option<Choice>>,
    /// There will be no others.
    is_all: bool,
}

impl Found {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the choice for a buffer; `None` if there is none.
    pub(crate) fn wait(&self, buffer: usize) -> Option<Choice> {
        let choice = |state: &State| state.choices.get(buffer).cloned().flatten();
        let waits = |state: &mut State| !state.is_all && choice(state).is_none();
        let state = self.changed.wait_while(self.state(), waits);
        choice(&state.unwrap_or_else(PoisonError::into_inner))
    }
}

/// Of each column, what has been found, or will be.
#[derive(Default)]
pub(crate) struct Choices(Vec<Option<Arc<Found>>>);

impl Choices {
    /// The role of a batch's column that takes about so many bytes.
    pub(crate) fn role(&mut self, column: usize, pieces: &Pieces, bytes: usize) -> Role {
        // The rows of a scalar are made by Polars, which may do other work of the pool meanwhile.
        if bytes < APART_BYTES || matches!(pieces, Pieces::Scalar(_)) {
            return Role::Alone;
        }
        if self.0.len() <= column {
            self.0.resize(column + 1, None);
        }
        match self.0.get_mut(column) {
            Some(Some(found)) => Role::Follows(Arc::clone(found)),
            Some(slot) => Role::Finds(Finder(Arc::clone(slot.insert(Arc::default())))),
            None => Role::Alone,
        }
    }
}

/// What a batch's column has to do with those of other batches.
pub(crate) enum Role {
    /// Nothing: it is too small to tell anything, or not compressed.
    Alone,
    /// It is the first.
    Finds(Finder),
    /// There was one before.
    Follows(Arc<Found>),
}

/// Who finds something: at the latest when it is dropped, since others wait.
pub(crate) struct Finder(Arc<Found>);

impl Finder {
    fn found(&self, buffer: usize, choice: Choice) {
        let mut state = self.0.state();
        if state.choices.len() <= buffer {
            state.choices.resize(buffer + 1, None);
        }
        if let Some(slot) = state.choices.get_mut(buffer) {
            *slot = Some(choice);
        }
        drop(state);
        self.0.changed.notify_all();
    }
}

impl Drop for Finder {
    fn drop(&mut self) {
        self.0.state().is_all = true;
        self.0.changed.notify_all();
    }
}

/// What is known of how a buffer is compressed.
pub(crate) enum Known {
    Nothing,
    /// How.
    Choice(Choice),
    /// Where it will be found how one of a batch before is: the number of the buffer.
    Before(Arc<Found>, usize),
}

impl Role {
    /// What is known of each buffer. The last large one is looked at first, since others need to know of that first: all
    /// before it are put off (see [`column`](super::encode::column)). Then there is nothing left to be found.
    pub(crate) fn known(self, buffers: &[EncodedBuffer], compression: Compression) -> Result<Vec<Known>> {
        let known = |(i, buffer): (usize, &EncodedBuffer)| match &self {
            _ if buffer.len() < APART_BYTES => Ok(Known::Nothing),
            Self::Alone => Ok(Known::Nothing),
            Self::Follows(found) => Ok(Known::Before(Arc::clone(found), i)),
            Self::Finds(finder) => {
                let choice = Choice::of(compression, &buffer.clone().join()?).map_err(codec_error)?;
                finder.found(i, choice.clone());
                Ok(Known::Choice(choice))
            },
        };
        let mut all = buffers.iter().enumerate().rev().map(known).collect::<Result<Vec<Known>>>()?;
        all.reverse();
        Ok(all)
    }
}

#[cfg(all(test, feature = "lz4"))]
mod tests {
    use std::time::Duration;

    use polars_core::prelude::*;

    use super::*;

    const LZ4: Compression = Compression::Lz4;

    fn some() -> Pieces {
        Pieces::Arrays(Vec::new())
    }

    fn buffer(bytes: usize) -> EncodedBuffer {
        polars_buffer::Buffer::from(vec![7; bytes]).into()
    }

    #[test]
    fn the_first_large_batch_of_a_column_finds_and_the_others_follow() {
        let mut choices = Choices::default();
        let scalar = Pieces::Scalar(Column::new_scalar("one".into(), 1.into(), 1_000_000));
        assert!(matches!(choices.role(3, &some(), APART_BYTES - 1), Role::Alone));
        assert!(matches!(choices.role(3, &scalar, 8_000_000), Role::Alone));
        let first = choices.role(3, &some(), APART_BYTES);
        assert!(matches!(first, Role::Finds(_)));
        assert!(matches!(choices.role(1, &some(), APART_BYTES), Role::Finds(_)), "another column");
        assert!(matches!(choices.role(3, &some(), APART_BYTES), Role::Follows(_)));
        assert!(matches!(choices.role(3, &some(), APART_BYTES - 1), Role::Alone));
    }

    #[test]
    fn what_is_found_is_known_to_those_that_wait() {
        let mut choices = Choices::default();
        let (first, second) = (choices.role(0, &some(), 1 << 20), choices.role(0, &some(), 1 << 20));
        let buffers = [buffer(100), buffer(300_000), buffer(100), buffer(400_000)];
        let known = second.known(&buffers, LZ4).unwrap();
        let waiting: Vec<_> = known
            .into_iter()
            .map(|known| match known {
                Known::Before(found, i) => Some(std::thread::spawn(move || found.wait(i))),
                Known::Choice(_) => panic!("it is the second"),
                Known::Nothing => None,
            })
            .collect();
        std::thread::sleep(Duration::from_millis(20));
        let found = first.known(&buffers, LZ4).unwrap();
        for (i, (found, waiting)) in found.into_iter().zip(waiting).enumerate() {
            match (found, waiting) {
                (Known::Choice(choice), Some(waiting)) => assert_eq!(waiting.join().unwrap(), Some(choice)),
                (Known::Nothing, None) => assert!([0, 2].contains(&i), "{i} is large"),
                _ => panic!("{i}"),
            }
        }
    }

    #[test]
    fn nobody_waits_for_what_is_never_found() {
        let mut choices = Choices::default();
        let (first, second) = (choices.role(0, &some(), 1 << 20), choices.role(0, &some(), 1 << 20));
        let Role::Follows(found) = second else { panic!("it is the second") };
        let waiting = std::thread::spawn(move || found.wait(1));
        std::thread::sleep(Duration::from_millis(20));
        // As when its task fails.
        drop(first);
        assert_eq!(waiting.join().unwrap(), None);
    }
}
