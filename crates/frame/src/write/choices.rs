//! How the buffers of a column are compressed: found out for its first large batch, kept for those that are like it.
//!
//! ```text
//!   batch 0   column a: Finds    sample, choose ──┐ compress
//!   batch 1   column a: Follows                   └▶ still like that? compress
//!   batch 2   column a: Follows                   └▶ still like that? compress
//! ```
//!
//! Which batch finds is settled when batches are cut, by rows and types alone, and those that follow wait for it: what
//! is written depends on the data, never on which thread comes first, nor on how the data lies in memory. They wait
//! for a task that has begun, since those of a batch before are taken from the queue first. It is a task of one column
//! that does nothing but compute until it has found something, so that no thread waits for itself.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use floe_array::encode::EncodedBuffer;
use floe_codec::{Compression, CompressionPlan};
use floe_format::{DataType, Field, FloatType, Result};

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
    choices: Vec<Option<CompressionPlan>>,
    /// There will be no others.
    is_all: bool,
}

impl Found {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the choice for a buffer; `None` if there is none.
    pub(crate) fn wait(&self, buffer: usize) -> Option<CompressionPlan> {
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
    /// The role of so many rows of a column.
    pub(crate) fn role(&mut self, column: usize, field: &Field, rows: usize) -> Role {
        if rows.saturating_mul(bits(field)) / 8 < APART_BYTES {
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

/// Bits that a row takes at least, whatever it holds.
fn bits(field: &Field) -> usize {
    if let Some(dictionary) = &field.dictionary {
        return usize::from(dictionary.index.bits);
    }
    let children = || field.children.iter().map(bits).sum::<usize>();
    match &field.data_type {
        DataType::Bool => 1,
        DataType::Int(int) => usize::from(int.bits),
        DataType::Float(FloatType::Half) => 16,
        DataType::Float(FloatType::Single) | DataType::Date32 => 32,
        DataType::Decimal { bits, .. } => usize::from(*bits),
        DataType::Time { bits, .. } => usize::from(*bits),
        DataType::Float(FloatType::Double) | DataType::Timestamp { .. } | DataType::Duration(_) => 64,
        DataType::LargeUtf8 | DataType::LargeBinary | DataType::LargeList => 64,
        DataType::Utf8View | DataType::BinaryView => 128,
        DataType::Struct => children(),
        DataType::FixedSizeList(width) => children().saturating_mul(*width),
        _ => 0,
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
    fn found(&self, buffer: usize, choice: CompressionPlan) {
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
    Choice(CompressionPlan),
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
                let choice =
                    CompressionPlan::new(compression, &buffer.clone().join()?).map_err(codec_error)?;
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

    use super::*;

    const LZ4: Compression = Compression::Lz4;

    /// Rows of eight bytes.
    const ROWS: usize = APART_BYTES / 8;

    fn field(data_type: DataType, children: Vec<Field>) -> Field {
        Field {
            name: "a".into(),
            nullable: true,
            data_type,
            children,
            dictionary: None,
            metadata: Vec::new(),
        }
    }

    fn strings() -> Field {
        field(DataType::LargeUtf8, Vec::new())
    }

    fn buffer(bytes: usize) -> EncodedBuffer {
        polars_buffer::Buffer::from(vec![7; bytes]).into()
    }

    #[test]
    fn the_first_large_batch_of_a_column_finds_and_the_others_follow() {
        let mut choices = Choices::default();
        assert!(matches!(choices.role(3, &strings(), ROWS - 1), Role::Alone));
        let first = choices.role(3, &strings(), ROWS);
        assert!(matches!(first, Role::Finds(_)));
        assert!(matches!(choices.role(1, &strings(), ROWS), Role::Finds(_)), "another column");
        assert!(matches!(choices.role(3, &strings(), ROWS), Role::Follows(_)));
        assert!(matches!(choices.role(3, &strings(), ROWS - 1), Role::Alone));
    }

    #[test]
    fn what_rows_take_at_least_is_known_from_their_type() {
        let floats = field(DataType::Float(FloatType::Single), Vec::new());
        let row = field(DataType::Struct, vec![strings(), floats, field(DataType::Bool, Vec::new())]);
        assert_eq!(bits(&row), 64 + 32 + 1);
        assert_eq!(bits(&field(DataType::FixedSizeList(3), vec![row.clone()])), 3 * 97);
        assert_eq!(bits(&field(DataType::LargeList, vec![row])), 64, "it may be empty");
        assert_eq!(bits(&field(DataType::Null, Vec::new())), 0);
    }

    #[test]
    fn what_is_found_is_known_to_those_that_wait() {
        let mut choices = Choices::default();
        let (first, second) = (choices.role(0, &strings(), ROWS), choices.role(0, &strings(), ROWS));
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
        let (first, second) = (choices.role(0, &strings(), ROWS), choices.role(0, &strings(), ROWS));
        let Role::Follows(found) = second else { panic!("it is the second") };
        let waiting = std::thread::spawn(move || found.wait(1));
        std::thread::sleep(Duration::from_millis(20));
        // As when its task fails.
        drop(first);
        assert_eq!(waiting.join().unwrap(), None);
    }
}
