//! Indexes of all sources, made in parallel, and kept for the next scan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use floe_frame::{IpcIndex, IpcIndexOptions, IpcLimits, TypeOptions};
use polars_buffer::Buffer;
use polars_core::prelude::*;
use polars_core::runtime::THREAD_POOL;
use polars_utils::pl_path::PlRefPath;
use rayon::prelude::*;

use super::source::{Sources, place};
use crate::cloud::{self, Cloud};

/// Indexes that are kept.
static CACHE: Mutex<Cache> = Mutex::new(Cache::new());

/// The most that all kept indexes weigh, at about 50 bytes a unit: see [`weight`].
const MAX_WEIGHT: usize = 1 << 19;
/// A file changed less than this ago is not kept: a change that comes at once might not show in its
/// time of modification.
const SETTLED: Duration = Duration::from_secs(2);

/// How sources are read: the limits on their claims, and the types of their columns.
type How = (IpcLimits, TypeOptions);

/// How sources in object stores are read.
pub(super) struct Stores {
    pub(super) cloud: Cloud,
    pub(super) trusted_statistics: bool,
}

/// Indexes every source.
pub(super) fn open_all(
    sources: &Sources,
    how: How,
    cached: bool,
    read_counter: Option<&AtomicU64>,
    stores: &Stores,
) -> PolarsResult<Vec<Arc<IpcIndex>>> {
    let count = |index: &IpcIndex| {
        if let Some(counter) = read_counter {
            counter.fetch_add(index.bytes_read(), Ordering::Relaxed);
        }
    };
    let fresh = |index: PolarsResult<IpcIndex>| index.inspect(count).map(Arc::new);
    let open_objects = |paths: &[PlRefPath]| -> PolarsResult<Vec<Arc<IpcIndex>>> {
        let options = IpcIndexOptions::default().with_limits(how.0).with_types(how.1.clone());
        let options = options.with_trusted_statistics(stores.trusted_statistics);
        let opened = cloud::open_indexes(paths, options, &stores.cloud)?.into_iter().zip(paths);
        opened.map(|(index, path)| fresh(index).map_err(|e| place(e, path.as_str()))).collect()
    };
    let open_file = |path: &Path| {
        if cached && let Some(index) = known(path, &how) {
            return Ok(index);
        }
        let index = fresh(IpcIndex::open_with_types(path, how.0, how.1.clone()))?;
        if cached {
            keep(path, &how, &index);
        }
        Ok(index)
    };
    let open = |path: &PlRefPath| {
        if cloud::is_url(path) {
            return open_objects(std::slice::from_ref(path));
        }
        open_file(path.as_std_path()).map(|index| vec![index])
    };
    match sources {
        Sources::Bytes(all) => {
            let index = |bytes: &Buffer<u8>| {
                fresh(IpcIndex::from_bytes_with_types(bytes.clone(), how.0, how.1.clone()))
            };
            all.iter().enumerate().map(|(i, bytes)| index(bytes).map_err(|e| sources.place(i, e))).collect()
        },
        Sources::Files { paths, .. } => {
            // The first alone: it keeps alive the parts that the others share (the categories of categoricals).
            let mut indexes = Vec::with_capacity(paths.len());
            if let Some((first, rest)) = paths.split_first() {
                indexes.extend(open(first)?);
                if rest.iter().all(cloud::is_url) {
                    indexes.extend(open_objects(rest)?);
                } else {
                    let open_rest = || rest.par_iter().map(open).collect::<PolarsResult<Vec<_>>>();
                    indexes.extend(THREAD_POOL.install(open_rest)?.into_iter().flatten());
                }
            }
            Ok(indexes)
        },
    }
}

fn lock() -> MutexGuard<'static, Cache> {
    CACHE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The index kept for a path, if the file is still the same.
fn known(path: &Path, how: &How) -> Option<Arc<IpcIndex>> {
    let path = std::path::absolute(path).ok()?;
    let index = lock().get(&path, how)?;
    // The lock is free meanwhile: other threads ask for other files.
    if index.is_current() {
        return Some(index);
    }
    lock().remove(&path);
    None
}

fn keep(path: &Path, how: &How, index: &Arc<IpcIndex>) {
    let settled = index.modified().and_then(|at| at.elapsed().ok()).is_some_and(|age| age >= SETTLED);
    if let (true, Ok(path)) = (settled, std::path::absolute(path)) {
        lock().put(path, how.clone(), Arc::clone(index));
    }
}

/// The weight of an index: its batches, its schema, itself.
fn weight(index: &IpcIndex) -> usize {
    index.num_record_batches() + 8 * index.column_names().len() + 16
}

/// Indexes by path, and the order in which they were last used.
struct Cache {
    by_path: BTreeMap<PathBuf, Cached>,
    by_use: BTreeMap<u64, PathBuf>,
    uses: u64,
    weight: usize,
}

struct Cached {
    used: u64,
    how: How,
    index: Arc<IpcIndex>,
}

impl Cache {
    const fn new() -> Self {
        Self { by_path: BTreeMap::new(), by_use: BTreeMap::new(), uses: 0, weight: 0 }
    }

    fn get(&mut self, path: &Path, how: &How) -> Option<Arc<IpcIndex>> {
        let cached = self.by_path.get_mut(path).filter(|cached| cached.how == *how)?;
        self.uses += 1;
        let before = std::mem::replace(&mut cached.used, self.uses);
        if let Some(path) = self.by_use.remove(&before) {
            self.by_use.insert(self.uses, path);
        }
        Some(Arc::clone(&cached.index))
    }

    fn remove(&mut self, path: &Path) {
        if let Some(cached) = self.by_path.remove(path) {
            self.by_use.remove(&cached.used);
            self.weight -= weight(&cached.index);
        }
    }

    /// Keeps an index, at the price of those that were not used for the longest time.
    fn put(&mut self, path: PathBuf, how: How, index: Arc<IpcIndex>) {
        self.remove(&path);
        let own = weight(&index);
        if own > MAX_WEIGHT {
            return;
        }
        while self.weight + own > MAX_WEIGHT {
            let Some((_, oldest)) = self.by_use.pop_first() else { break };
            self.remove(&oldest);
        }
        self.uses += 1;
        self.weight += own;
        self.by_use.insert(self.uses, path.clone());
        self.by_path.insert(path, Cached { used: self.uses, how, index });
    }
}

#[cfg(test)]
mod tests {
    use floe_frame::prelude::{IpcStreamWriter, SerWriter};

    use super::*;

    fn index(batches: usize) -> Arc<IpcIndex> {
        let values = vec![1i8; batches];
        let mut df = DataFrame::new(batches, vec![Column::new("a".into(), values)]).expect("a frame");
        let mut bytes = Vec::new();
        IpcStreamWriter::new(&mut bytes).with_record_batch_size(Some(1)).finish(&mut df).expect("a stream");
        Arc::new(IpcIndex::from_bytes(bytes, IpcLimits::default()).expect("an index"))
    }

    #[test]
    fn the_least_used_go_first() {
        let mut cache = Cache::new();
        let large = index(1000);
        let count = MAX_WEIGHT / weight(&large);
        let path = |i: usize| PathBuf::from(i.to_string());
        for i in 0..count {
            cache.put(path(i), How::default(), Arc::clone(&large));
        }
        assert!(cache.get(&path(0), &How::default()).is_some());
        let other = (IpcLimits { max_buffers: 1, ..IpcLimits::default() }, TypeOptions::default());
        assert!(cache.get(&path(1), &other).is_none());
        let other = (IpcLimits::default(), TypeOptions::default().with_text_as_binary(true));
        assert!(cache.get(&path(1), &other).is_none());
        cache.put(path(count), How::default(), Arc::clone(&large));
        cache.put(path(count), How::default(), Arc::clone(&large));
        assert!(cache.get(&path(0), &How::default()).is_some(), "used lately");
        assert!(cache.get(&path(1), &How::default()).is_none(), "not used for the longest time");
        assert_eq!(cache.by_path.len(), cache.by_use.len());
        assert_eq!(cache.weight, cache.by_path.len() * weight(&large));
        for i in 0..=count {
            cache.remove(&path(i));
        }
        assert_eq!((cache.weight, cache.by_use.len()), (0, 0));
    }
}
