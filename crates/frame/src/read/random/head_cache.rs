//! Heads of messages that have been read, kept for the reads to come: of a store each would be a request again.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use floe_format::Block;
use polars_buffer::Buffer;

use crate::read::heads::head_range;
use crate::read::ranged::SparseSource;

/// Bytes of heads that are kept at most. Those that come later are read again.
const MAX_KEPT_BYTES: usize = 32 << 20;

/// Heads by where they start.
#[derive(Default)]
pub(super) struct HeadCache(Mutex<Heads>);

#[derive(Default)]
struct Heads {
    by_offset: BTreeMap<u64, Buffer<u8>>,
    bytes: usize,
}

impl HeadCache {
    fn lock(&self) -> MutexGuard<'_, Heads> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the known ones of some heads into a source.
    pub(super) fn fill(&self, blocks: &[Block], source: &mut SparseSource) {
        let heads = self.lock();
        for block in blocks {
            if let Some(head) = heads.by_offset.get(&block.offset) {
                source.put(block.offset, head.clone());
            }
        }
    }

    /// Keeps heads that are in a source: copies, which do not hold on to the bytes read along with them.
    pub(super) fn keep(&self, blocks: &[Block], source: &SparseSource) {
        let mut heads = self.lock();
        for block in blocks {
            if heads.bytes > MAX_KEPT_BYTES {
                return;
            }
            if heads.by_offset.contains_key(&block.offset) {
                continue;
            }
            if let Some(head) = source.get(head_range(*block)) {
                heads.bytes += head.len();
                heads.by_offset.insert(block.offset, head.as_slice().to_vec().into());
            }
        }
    }
}
