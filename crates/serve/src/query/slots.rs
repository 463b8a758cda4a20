//! How many queries compute at a time, and how many wait for that.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::metrics::Metrics;

/// Slots for queries that compute.
pub(crate) struct Slots {
    state: Mutex<State>,
    freed: Condvar,
    most_waiting: usize,
    most_open: usize,
    metrics: Arc<Metrics>,
}

struct State {
    free: usize,
    /// Tickets that have not had a slot yet.
    waiting: usize,
    open: usize,
}

/// A query's claim to a slot. It goes with the value.
pub(crate) struct Ticket {
    slots: Arc<Slots>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Waiting,
    Held,
    /// It has had a slot and has given it away.
    Paused,
}

/// How long a thread sleeps before it asks again whether it is still wanted.
const NAP: Duration = Duration::from_millis(50);

impl Slots {
    pub(crate) fn new(slots: usize, most_waiting: usize, most_open: usize, metrics: Arc<Metrics>) -> Self {
        let state = State { free: slots.max(1), waiting: 0, open: 0 };
        Self { state: Mutex::new(state), freed: Condvar::new(), most_waiting, most_open, metrics }
    }

    /// A place in the queue; none if it is full.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Ticket> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.open >= self.most_open.max(1) {
            return None;
        }
        let stage = if state.free > 0 && state.waiting == 0 {
            state.free -= 1;
            self.metrics.running.inc();
            Stage::Held
        } else if state.waiting < self.most_waiting {
            state.waiting += 1;
            self.metrics.queued.inc();
            Stage::Waiting
        } else {
            return None;
        };
        state.open += 1;
        self.metrics.open.inc();
        Some(Ticket { slots: Arc::clone(self), stage })
    }
}

impl Ticket {
    /// Waits for a slot as long as it is wanted; false if it is not any more.
    pub(crate) fn acquire(&mut self, is_wanted: impl Fn() -> bool) -> bool {
        if self.stage == Stage::Held {
            return true;
        }
        let mut state = self.slots.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if !is_wanted() {
                return false;
            }
            if state.free > 0 {
                break;
            }
            state = match self.slots.freed.wait_timeout(state, NAP) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        state.free -= 1;
        self.slots.metrics.running.inc();
        if self.stage == Stage::Waiting {
            state.waiting -= 1;
            self.slots.metrics.queued.dec();
        }
        self.stage = Stage::Held;
        true
    }

    /// Gives the slot to another query.
    pub(crate) fn pause(&mut self) {
        if self.stage == Stage::Held {
            let mut state = self.slots.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.free += 1;
            self.slots.metrics.running.dec();
            self.slots.freed.notify_one();
            self.stage = Stage::Paused;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.pause();
        let mut state = self.slots.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stage == Stage::Waiting {
            state.waiting -= 1;
            self.slots.metrics.queued.dec();
        }
        state.open -= 1;
        self.slots.metrics.open.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_bounded_and_paused_queries_let_others_in() {
        let slots = Arc::new(Slots::new(1, 1, 3, Arc::default()));
        let mut first = slots.enter().expect("a slot");
        let mut second = slots.enter().expect("a place in the queue");
        assert!(slots.enter().is_none(), "the queue is full");
        assert!(!second.acquire(|| false));
        first.pause();
        assert!(second.acquire(|| true));
        let third = slots.enter().expect("the place of the second");
        assert!(slots.enter().is_none(), "three are open");
        drop((third, second));
        assert!(first.acquire(|| true));
        drop(first);
        assert_eq!(slots.metrics.running.get() + slots.metrics.queued.get() + slots.metrics.open.get(), 0);
    }
}
