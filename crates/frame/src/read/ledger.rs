//! The bytes that the batches of a file have been charged, over all reads of them. A small file may name one batch many
//! times, each of which alone stays within the limit.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use floe_array::decode::{Budget, Taken};
use floe_format::{IpcLimits, Result};
use polars_core::prelude::PlHashMap;

/// The most that each batch has taken in a read so far. To read one again counts once.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<State>);

#[derive(Default)]
struct State {
    /// By the batch's number.
    taken: PlHashMap<usize, Taken>,
    total: Taken,
}

/// The budget of one read.
pub(crate) struct Account {
    pub(crate) budget: Budget,
    batches: Range<usize>,
    others: Taken,
}

impl Ledger {
    /// An account for reading some batches out of a source of `len` bytes, less the bytes charged by other batches.
    ///
    /// # Errors
    /// When nothing is left.
    pub(crate) fn open(&self, limits: &IpcLimits, len: u64, batches: Range<usize>) -> Result<Account> {
        let budget = Budget::new(limits);
        budget.saw(len);
        let others = {
            let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let own = batches.clone().filter_map(|batch| state.taken.get(&batch));
            own.fold(state.total, |others, taken| others.without(*taken))
        };
        budget.take_up(others)?;
        Ok(Account { budget, batches, others })
    }

    /// Records the bytes that the read has charged: an equal part for each of its batches.
    pub(crate) fn close(&self, account: &Account) {
        let Account { budget, batches, others } = account;
        let taken = budget.taken(*others).part(batches.len());
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for batch in batches.clone() {
            // A batch that was not read before has taken nothing.
            let known = state.taken.get(&batch).copied().unwrap_or_default();
            if taken.bytes() > known.bytes() {
                state.taken.insert(batch, taken);
                state.total = state.total.without(known).and(taken);
            }
        }
    }
}
