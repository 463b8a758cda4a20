//! Indexes of all sources, made in parallel, and kept for the next scan.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use floe_frame::{IpcIndex, IpcLimits};
use polars_core::prelude::*;
use polars_core::runtime::THREAD_POOL;
use rayon::prelude::*;

use super::source::Sources;

/// Indexes that are kept, the last used last.
static CACHE: Mutex<VecDeque<Cached>> = Mutex::new(VecDeque::new());

struct Cached {
    path: PathBuf,
    limits: IpcLimits,
    index: Arc<IpcIndex>,
}

/// Record batches of all indexes that are kept, at about 50 bytes each.
const BATCHES_MOST: usize = 1 << 18;
/// Indexes that are kept, whatever their size.
const INDEXES_MOST: usize = 1024;
/// A file changed less than this ago is not kept: a change that comes at once might not show in its
/// time of modification.
const SETTLED: Duration = Duration::from_secs(2);

/// Indexes every source.
pub(super) fn open_all(
    sources: &Sources,
    limits: IpcLimits,
    cached: bool,
    read_counter: Option<&AtomicU64>,
) -> PolarsResult<Vec<Arc<IpcIndex>>> {
    let count = |index: &IpcIndex| {
        if let Some(counter) = read_counter {
            counter.fetch_add(index.bytes_read(), Ordering::Relaxed);
        }
    };
    let fresh = |index: PolarsResult<IpcIndex>| index.inspect(count).map(Arc::new);
    let open = |path: &Path| match known(path, limits).filter(|_| cached) {
        Some(index) => Ok(index),
        None => {
            let index = fresh(IpcIndex::open(path, limits))?;
            if cached {
                keep(path, limits, &index);
            }
            Ok(index)
        },
    };
    match sources {
        Sources::Bytes(all) => {
            all.iter().map(|bytes| fresh(IpcIndex::from_bytes(bytes.clone(), limits))).collect()
        },
        Sources::Files { paths, .. } => {
            // The first alone: it keeps alive what the others share (the categories of categoricals).
            let mut indexes = Vec::with_capacity(paths.len());
            if let Some((first, rest)) = paths.split_first() {
                indexes.push(open(first.as_std_path())?);
                let open_rest = || rest.par_iter().map(|path| open(path.as_std_path()));
                indexes.extend(THREAD_POOL.install(|| open_rest().collect::<PolarsResult<Vec<_>>>())?);
            }
            Ok(indexes)
        },
    }
}

fn lock() -> MutexGuard<'static, VecDeque<Cached>> {
    CACHE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The index kept for a path, if the file is still the same.
fn known(path: &Path, limits: IpcLimits) -> Option<Arc<IpcIndex>> {
    let path = path.canonicalize().ok()?;
    let mut cache = lock();
    let at = cache.iter().position(|cached| cached.path == path && cached.limits == limits)?;
    let cached = cache.remove(at)?;
    let index = Arc::clone(&cached.index);
    if !index.is_current() {
        return None;
    }
    cache.push_back(cached);
    Some(index)
}

fn keep(path: &Path, limits: IpcLimits, index: &Arc<IpcIndex>) {
    let modified = path.metadata().and_then(|metadata| metadata.modified()).ok();
    let settled = modified.and_then(|at| at.elapsed().ok()).is_some_and(|age| age >= SETTLED);
    let Ok(path) = path.canonicalize() else { return };
    if !settled || index.num_batches() > BATCHES_MOST {
        return;
    }
    let mut cache = lock();
    cache.push_back(Cached { path, limits, index: Arc::clone(index) });
    let mut batches: usize = cache.iter().map(|cached| cached.index.num_batches()).sum();
    while batches > BATCHES_MOST || cache.len() > INDEXES_MOST {
        let Some(oldest) = cache.pop_front() else { break };
        batches -= oldest.index.num_batches();
    }
}
