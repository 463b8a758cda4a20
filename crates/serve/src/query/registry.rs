//! The queries that are open, by their numbers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::state::{Cancel, Query};
use crate::metrics::Metrics;

pub(crate) struct Registry {
    next: AtomicU64,
    queries: Mutex<BTreeMap<u64, Arc<Query>>>,
    metrics: Arc<Metrics>,
}

/// Takes a query out of the registry when its thread ends.
pub(crate) struct Registered {
    registry: Arc<Registry>,
    pub(crate) query: Arc<Query>,
}

impl Registry {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { next: AtomicU64::new(1), queries: Mutex::default(), metrics }
    }

    pub(crate) fn add(self: &Arc<Self>, text: String) -> Registered {
        let query = Arc::new(Query::new(self.next.fetch_add(1, Ordering::Relaxed), text));
        self.lock().insert(query.id, Arc::clone(&query));
        Registered { registry: Arc::clone(self), query }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Query>>> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cancels a query; false if it is not there.
    pub(crate) fn cancel(&self, id: u64, why: Cancel) -> bool {
        let query = self.lock().get(&id).cloned();
        query.inspect(|query| query.cancel(why)).is_some()
    }

    pub(crate) fn cancel_all(&self, why: Cancel) {
        let queries: Vec<_> = self.lock().values().cloned().collect();
        queries.iter().for_each(|query| query.cancel(why));
    }

    /// Whether none has begun after this one: it is the first to go when memory is short.
    pub(crate) fn is_newest(&self, id: u64) -> bool {
        self.lock().last_key_value().is_some_and(|(newest, _)| *newest == id)
    }

    /// Waits until all have ended, at most so long.
    pub(crate) fn wait_until_empty(&self, most: Duration) {
        let until = std::time::Instant::now() + most;
        while !self.lock().is_empty() && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn list(&self) -> Vec<Value> {
        let queries: Vec<_> = self.lock().values().cloned().collect();
        let about = |query: Arc<Query>| {
            json!({
                "id": format!("q{}", query.id),
                "query": query.text,
                "state": if query.is_paused() { "waiting_for_client" } else { "running" },
                "seconds": query.started.elapsed().as_secs_f64(),
                "rows": query.rows.load(Ordering::Relaxed),
                "bytes": query.bytes.load(Ordering::Relaxed),
            })
        };
        queries.into_iter().map(about).collect()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.registry.metrics.seconds.observe(self.query.started.elapsed().as_secs_f64());
        self.registry.lock().remove(&self.query.id);
    }
}
