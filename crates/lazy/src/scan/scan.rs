//! A scan: its layout, its parts, and the number by which it is found in a plan.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use polars_core::prelude::*;
use polars_plan::plans::UdfSchema;

use super::layout::Layout;
use super::parts::{Part, groups};
use super::row_numbers::RowNumbers;

/// Numbers scans, so that common subplans are those of the same scan, and no others.
static SCANS: AtomicU64 = AtomicU64::new(0);

/// A scan, before it is cut.
pub(super) struct Scan {
    pub(super) id: u64,
    pub(super) layout: Arc<Layout>,
    /// Of one batch each.
    pub(super) parts: Vec<Part>,
    pub(super) read_counter: Option<Arc<AtomicU64>>,
    /// The numbers of rows, if the scan is a scan of rows.
    pub(super) rows: Option<RowNumbers>,
}

/// The scans that are in some plan, by their numbers.
static LIVE: Mutex<BTreeMap<u64, Weak<Scan>>> = Mutex::new(BTreeMap::new());

pub(super) fn scans() -> MutexGuard<'static, BTreeMap<u64, Weak<Scan>>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of a new scan.
pub(super) fn next_id() -> u64 {
    SCANS.fetch_add(1, Ordering::Relaxed)
}

impl Scan {
    /// A scan of these parts, which can be found by its number as long as it is in a plan.
    pub(super) fn new(
        layout: Arc<Layout>,
        parts: Vec<Part>,
        read_counter: Option<Arc<AtomicU64>>,
    ) -> Arc<Self> {
        let id = next_id();
        let rows = RowNumbers::new(&layout, &parts);
        let scan = Arc::new(Self { id, layout, parts, read_counter, rows });
        scans().insert(id, Arc::downgrade(&scan));
        scan
    }

    /// The same scan of fewer parts.
    pub(super) fn with_parts(&self, parts: Vec<Part>) -> Arc<Self> {
        Self::new(Arc::clone(&self.layout), parts, self.read_counter.clone())
    }

    /// The rows of all parts.
    pub(super) fn height(&self) -> usize {
        self.parts.iter().map(|part| part.rows).sum()
    }

    /// The parts of each node.
    pub(super) fn groups(&self) -> Vec<Vec<Part>> {
        if self.rows.is_some() && !self.parts.is_empty() {
            return vec![self.parts.clone()];
        }
        groups(&self.layout, self.parts.clone())
    }

    /// The columns that the scan is seen to have.
    pub(super) fn visible(&self) -> Vec<PlSmallStr> {
        let layout = &self.layout;
        layout.schema.iter_names().filter(|name| Some(*name) != layout.hidden()).cloned().collect()
    }

    /// The types of the columns that are asked for: see [`output`].
    pub(super) fn output(&self, all: Option<SchemaRef>) -> Arc<dyn UdfSchema> {
        output(Arc::clone(&self.layout.schema), all)
    }
}

/// The types of the columns that are asked for. `all` is a schema of all columns, whatever their types: of wide scans,
/// Polars asks for theirs again and again.
pub(super) fn output(schema: SchemaRef, all: Option<SchemaRef>) -> Arc<dyn UdfSchema> {
    Arc::new(move |input: &Schema| {
        if all.as_deref().is_some_and(|all| std::ptr::eq(all, input)) {
            return Ok(Arc::clone(&schema));
        }
        let dtype = |name: &PlSmallStr| Ok(Field::new(name.clone(), schema.try_get(name)?.clone()));
        Ok(Arc::new(input.iter_names().map(dtype).collect::<PolarsResult<Schema>>()?))
    })
}

impl Drop for Scan {
    fn drop(&mut self) {
        scans().remove(&self.id);
    }
}
