//! Compression plans that batches share: a column's first large batch makes one for each buffer, later batches reuse it.
//!
//! ```text
//!   batch 0   column a: leader     sample, choose --+ compress
//!   batch 1   column a: follower                    '-> still good? compress
//!   batch 2   column a: follower                    '-> still good? compress
//! ```
//!
//! The leader is fixed when batches are cut, by rows and types alone, and its followers wait for it. So the bytes
//! depend on the data, never on which thread comes first, nor on how the data lies in memory.
//!
//! Waiting cannot deadlock. A follower's leader belongs to an earlier batch, whose tasks are taken from the queue
//! first, so it has begun already. It is a task of one column, and only computes until it has published its plans: no
//! thread waits for itself. A change of the queue's order, or other work in a leader's task, must keep that true.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use floe_array::encode::EncodedBuffer;
use floe_codec::{Compression, CompressionPlan};
use floe_format::{Field, Result};
use floe_runtime::ablation::{self, Mechanism};

use crate::error::codec_error;
use crate::row_size::min_bits_per_row;

/// Buffers of at least this many bytes share plans, and are compressed as tasks of their own.
pub(crate) const MIN_SPLIT_BYTES: usize = if cfg!(fuzzing) { 256 } else { 256 << 10 };

/// The plans of one column's buffers, as they become known.
#[derive(Default)]
pub(crate) struct SharedPlans {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// By the number of the buffer. Small buffers have none.
    plans: Vec<Option<CompressionPlan>>,
    /// The leader has ended: no plan will be added.
    is_complete: bool,
}

impl SharedPlans {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the plan of a buffer. `None` if the leader has ended without one.
    pub(crate) fn wait(&self, buffer: usize) -> Option<CompressionPlan> {
        let plan = |state: &State| state.plans.get(buffer).cloned().flatten();
        let waits = |state: &mut State| !state.is_complete && plan(state).is_none();
        let state = self.changed.wait_while(self.state(), waits);
        plan(&state.unwrap_or_else(PoisonError::into_inner))
    }
}

/// The shared plans of each column that has had a large batch.
#[derive(Default)]
pub(crate) struct ColumnPlans(Vec<Option<Arc<SharedPlans>>>);

impl ColumnPlans {
    /// The role of the next batch of a column, which has that many rows.
    pub(crate) fn role(&mut self, column: usize, field: &Field, rows: usize) -> PlanRole {
        let is_large = rows.saturating_mul(min_bits_per_row(field)) / 8 >= MIN_SPLIT_BYTES;
        if !is_large || !ablation::is_on(Mechanism::SharedPlans) {
            return PlanRole::Independent;
        }
        if self.0.len() <= column {
            self.0.resize(column + 1, None);
        }
        match self.0.get_mut(column) {
            Some(Some(plans)) => PlanRole::Follower(Arc::clone(plans)),
            Some(slot) => PlanRole::Leader(PlanPublisher(Arc::clone(slot.insert(Arc::default())))),
            None => PlanRole::Independent,
        }
    }
}

/// How a batch's column relates to the same column of other batches.
pub(crate) enum PlanRole {
    /// Not at all: the batch is too small for a sample to say much, or it is not compressed.
    Independent,
    /// It is the column's first large batch, and makes the plans.
    Leader(PlanPublisher),
    /// It comes after the leader, and waits for the leader's plans.
    Follower(Arc<SharedPlans>),
}

/// Publishes a leader's plans. Dropping it wakes all followers: a column without a plan by then gets none.
pub(crate) struct PlanPublisher(Arc<SharedPlans>);

impl PlanPublisher {
    fn publish(&self, buffer: usize, plan: CompressionPlan) {
        let mut state = self.0.state();
        if state.plans.len() <= buffer {
            state.plans.resize(buffer + 1, None);
        }
        if let Some(slot) = state.plans.get_mut(buffer) {
            *slot = Some(plan);
        }
        drop(state);
        self.0.changed.notify_all();
    }
}

impl Drop for PlanPublisher {
    fn drop(&mut self) {
        self.0.state().is_complete = true;
        self.0.changed.notify_all();
    }
}

/// Where the plan of a buffer comes from.
pub(crate) enum PlanSource {
    /// A sample of the buffer, taken when it is compressed.
    OwnSample,
    /// It is there: this batch is the leader.
    Made(CompressionPlan),
    /// The leader's plan for the buffer of this number, to be waited for.
    Shared(Arc<SharedPlans>, usize),
}

impl PlanRole {
    /// Where the plan of each buffer comes from. A leader makes all of its plans here, and is dropped at the end.
    ///
    /// The last large buffer comes first. It is the only one that the column's own task compresses; all before it
    /// become tasks, which start once their plans are there (see [`compress_all`](super::compress::compress_all)).
    pub(crate) fn plan_sources(
        self,
        buffers: &[EncodedBuffer],
        compression: Compression,
    ) -> Result<Vec<PlanSource>> {
        let source = |(i, buffer): (usize, &EncodedBuffer)| match &self {
            _ if buffer.len() < MIN_SPLIT_BYTES => Ok(PlanSource::OwnSample),
            Self::Independent => Ok(PlanSource::OwnSample),
            Self::Follower(plans) => Ok(PlanSource::Shared(Arc::clone(plans), i)),
            Self::Leader(publisher) => {
                let plan = CompressionPlan::new(compression, &buffer.clone().join()?).map_err(codec_error)?;
                publisher.publish(i, plan.clone());
                Ok(PlanSource::Made(plan))
            },
        };
        let mut all = buffers.iter().enumerate().rev().map(source).collect::<Result<Vec<PlanSource>>>()?;
        all.reverse();
        Ok(all)
    }
}

#[cfg(all(test, feature = "lz4"))]
mod tests {
    use std::time::Duration;

    use floe_format::DataType;

    use super::*;

    const LZ4: Compression = Compression::Lz4;

    /// Rows of eight bytes.
    const ROWS: usize = MIN_SPLIT_BYTES / 8;

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
    fn the_first_large_batch_of_a_column_leads_and_the_others_follow() {
        let mut plans = ColumnPlans::default();
        assert!(matches!(plans.role(3, &strings(), ROWS - 1), PlanRole::Independent));
        let first = plans.role(3, &strings(), ROWS);
        assert!(matches!(first, PlanRole::Leader(_)));
        assert!(matches!(plans.role(1, &strings(), ROWS), PlanRole::Leader(_)), "another column");
        assert!(matches!(plans.role(3, &strings(), ROWS), PlanRole::Follower(_)));
        assert!(matches!(plans.role(3, &strings(), ROWS - 1), PlanRole::Independent));
    }

    #[test]
    fn followers_get_the_plans_of_their_leader() {
        let mut plans = ColumnPlans::default();
        let (first, second) = (plans.role(0, &strings(), ROWS), plans.role(0, &strings(), ROWS));
        let buffers = [buffer(100), buffer(300_000), buffer(100), buffer(400_000)];
        let known = second.plan_sources(&buffers, LZ4).unwrap();
        let waiting: Vec<_> = known
            .into_iter()
            .map(|known| match known {
                PlanSource::Shared(plans, i) => Some(std::thread::spawn(move || plans.wait(i))),
                PlanSource::Made(_) => panic!("it is the second"),
                PlanSource::OwnSample => None,
            })
            .collect();
        std::thread::sleep(Duration::from_millis(20));
        let found = first.plan_sources(&buffers, LZ4).unwrap();
        for (i, (found, waiting)) in found.into_iter().zip(waiting).enumerate() {
            match (found, waiting) {
                (PlanSource::Made(choice), Some(waiting)) => {
                    assert_eq!(waiting.join().unwrap(), Some(choice))
                },
                (PlanSource::OwnSample, None) => assert!([0, 2].contains(&i), "{i} is large"),
                _ => panic!("{i}"),
            }
        }
    }

    #[test]
    fn a_leader_that_ends_without_plans_wakes_its_followers() {
        let mut plans = ColumnPlans::default();
        let (first, second) = (plans.role(0, &strings(), ROWS), plans.role(0, &strings(), ROWS));
        let PlanRole::Follower(plans) = second else { panic!("it is the second") };
        let waiting = std::thread::spawn(move || plans.wait(1));
        std::thread::sleep(Duration::from_millis(20));
        // As when its task fails.
        drop(first);
        assert_eq!(waiting.join().unwrap(), None);
    }
}
