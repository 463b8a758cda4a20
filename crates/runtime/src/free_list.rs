//! Blocks of unused memory, and the choice of one that fits a request.
//!
//! One list for the process, under one lock. Allocating, offering and freeing are system calls: none of them happens while
//! the lock is held.
//!
//! What to watch when changing this: the system may replace the pages of an offered block by zeros until they are written
//! to. So elements of such a block count as initialised only after [`prefault`](crate::pages::prefault).

use std::alloc::Layout;
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytemuck::Pod;

use crate::pages;

/// Smaller blocks are the allocator's, which keeps those for itself.
pub(crate) const MIN_BLOCK_BYTES: usize = 1 << 20;
/// Sizes are rounded up in steps of 1 / `STEPS_PER_DOUBLING` of the next power of two. A block may be two such steps
/// larger than asked for.
const STEPS_PER_DOUBLING: usize = 8;
/// An allocation that nothing uses.
pub(crate) struct Block {
    pub(crate) start: NonNull<u8>,
    /// As it was allocated: not empty.
    pub(crate) layout: Layout,
    /// How many of its bytes have been written to, from the start.
    pub(crate) initialised: usize,
}

// SAFETY: a block is the only owner of its memory, in which nothing lives.
unsafe impl Send for Block {}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: the memory came from a vector of this layout, that is from the global allocator,
        // and the block owns it.
        unsafe { std::alloc::dealloc(self.start.as_ptr(), self.layout) };
    }
}

impl Block {
    /// An empty vector that owns this memory, whose layout must be that of the vector.
    fn into_vec<T>(self) -> Vec<T> {
        let block = ManuallyDrop::new(self);
        debug_assert_eq!(block.layout.align(), align_of::<T>(), "the free list checks the alignment");
        debug_assert_eq!(block.layout.size() % size_of::<T>(), 0, "the free list checks the size");
        // SAFETY: the memory is owned, from the global allocator, and `FreeList::take` checked that its
        // layout is that of an array of `T`, of the capacity given; no value is claimed to be there.
        unsafe { Vec::from_raw_parts(block.start.as_ptr().cast(), 0, block.layout.size() / size_of::<T>()) }
    }

    /// The elements that were written when the memory was last used, at most `max_len` of them. Their values are
    /// arbitrary.
    fn into_initialised<T: Pod>(self, max_len: usize) -> Vec<T> {
        let initialised = (self.initialised / size_of::<T>()).min(max_len);
        let mut vec = self.into_vec::<T>();
        pages::prefault(&mut vec.spare_capacity_mut()[..initialised]);
        // SAFETY: `initialised` elements were written. The system may have made them zeros since, but not after
        // `prefault`; either is a valid `T` (`Pod`).
        unsafe { vec.set_len(initialised) };
        vec
    }

    /// Lets the system take the pages when it needs memory.
    fn offer(&self) {
        // SAFETY: the block owns the memory, and its contents need not survive.
        unsafe { pages::offer(self.start.as_ptr(), self.layout.size()) };
    }
}

/// The blocks kept, the oldest first.
struct FreeList {
    /// Blocks whose pages the system may take.
    offered: VecDeque<Block>,
    /// The newest blocks, which are likely to be used again at once.
    warm: VecDeque<Block>,
    warm_bytes: usize,
    /// Bytes of all blocks in both lists.
    bytes: usize,
}

static FREE_LIST: Mutex<FreeList> =
    Mutex::new(FreeList { offered: VecDeque::new(), warm: VecDeque::new(), warm_bytes: 0, bytes: 0 });

fn free_list() -> MutexGuard<'static, FreeList> {
    FREE_LIST.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FreeList {
    /// Removes the block at a position among all, the oldest first.
    fn remove(&mut self, at: usize) -> Option<Block> {
        let block = match at.checked_sub(self.offered.len()) {
            None => self.offered.remove(at)?,
            Some(at) => {
                let block = self.warm.remove(at)?;
                self.warm_bytes -= block.layout.size();
                block
            },
        };
        self.bytes -= block.layout.size();
        Some(block)
    }

    /// Takes the oldest blocks off until at most `limit` bytes are left.
    fn trim(&mut self, limit: usize) -> Vec<Block> {
        let mut gone = Vec::new();
        while self.bytes > limit
            && let Some(block) = self.remove(0)
        {
            gone.push(block);
        }
        gone
    }

    /// Takes the oldest of the warm blocks off until at most `limit` bytes of them are left.
    fn take_warm_beyond(&mut self, limit: usize) -> Vec<Block> {
        let mut taken = Vec::new();
        while self.warm_bytes > limit
            && let Some(block) = self.remove(self.offered.len())
        {
            taken.push(block);
        }
        taken
    }

    fn push_warm(&mut self, block: Block) {
        self.bytes += block.layout.size();
        self.warm_bytes += block.layout.size();
        self.warm.push_back(block);
    }

    fn push_offered(&mut self, block: Block) {
        self.bytes += block.layout.size();
        self.offered.push_back(block);
    }

    /// The block that `better(its size, the best one's)` prefers, of those of an alignment that are
    /// arrays of elements of a size and within `sizes`; of equals the newest.
    fn take(
        &mut self,
        element: Layout,
        sizes: std::ops::RangeInclusive<usize>,
        better: impl Fn(usize, usize) -> bool,
    ) -> Option<Block> {
        let mut best: Option<(usize, usize)> = None;
        for (at, block) in self.offered.iter().chain(&self.warm).enumerate() {
            let size = block.layout.size();
            let fits = sizes.contains(&size)
                && block.layout.align() == element.align()
                && size.is_multiple_of(element.size());
            if fits && best.is_none_or(|(_, known)| !better(known, size)) {
                best = Some((at, size));
            }
        }
        self.remove(best?.0)
    }
}

/// Keeps a block. Blocks beyond `warm` bytes are offered to the system, those beyond `limit` bytes freed, the oldest first.
pub(crate) fn keep(block: Block, warm: usize, limit: usize) {
    free_list().push_warm(block);
    offer_all_but(warm);
    trim(limit);
}

/// Frees the oldest blocks until at most `limit` bytes are left.
pub(crate) fn trim(limit: usize) {
    let gone = free_list().trim(limit);
    // Outside of the lock: giving memory back takes a while.
    drop(gone);
}

/// Bytes of all blocks.
pub(crate) fn bytes() -> usize {
    free_list().bytes
}

/// Offers the system warm blocks, the oldest first, until at most `warm` bytes of them are left.
pub(crate) fn offer_all_but(warm: usize) {
    // Outside of the lock: it takes a while.
    let taken = free_list().take_warm_beyond(warm);
    taken.iter().for_each(Block::offer);
    let mut free_list = free_list();
    taken.into_iter().for_each(|block| free_list.push_offered(block));
}

/// Frees up to `bytes` bytes before that many are allocated, since no block fitted: blocks that fit no request must not
/// add up. Blocks that are larger than that stay.
pub(crate) fn make_room(bytes: usize) {
    if bytes < MIN_BLOCK_BYTES {
        return;
    }
    let mut left = bytes;
    let mut gone = Vec::new();
    let mut free_list = free_list();
    let mut at = 0;
    while let Some(block) = free_list.offered.iter().chain(&free_list.warm).nth(at) {
        let size = block.layout.size();
        if size > left {
            at += 1;
            continue;
        }
        left -= size;
        gone.extend(free_list.remove(at));
    }
    drop(free_list);
    drop(gone);
}

/// `len`, rounded up a little, so that requests of about the same size share blocks.
pub(crate) fn rounded<T>(len: usize) -> usize {
    let bytes = len.saturating_mul(size_of::<T>());
    if bytes < MIN_BLOCK_BYTES {
        return len;
    }
    // Lengths that round up to more than there are addresses stay: the allocator refuses them.
    let power = bytes.checked_next_power_of_two().unwrap_or(bytes);
    let step = (power / STEPS_PER_DOUBLING / size_of::<T>()).max(1);
    len.checked_next_multiple_of(step).unwrap_or(len)
}

/// An empty vector of recycled memory for `len` elements, or a few more.
pub(crate) fn take<T>(len: usize) -> Option<Vec<T>> {
    Some(take_block::<T>(len)?.into_vec())
}

/// As [`take`], with elements in it whose values are arbitrary.
pub(crate) fn take_initialised<T: Pod>(len: usize) -> Option<Vec<T>> {
    let mut vec = take_block::<T>(len)?.into_initialised(len);
    vec.resize(len, T::zeroed());
    Some(vec)
}

/// As [`take_up_to`], with the elements that were written when the memory was last used. Their values are arbitrary.
pub(crate) fn take_initialised_up_to<T: Pod>(need: usize, max_len: usize) -> Option<Vec<T>> {
    Some(take_block_up_to::<T>(need, max_len)?.into_initialised(usize::MAX))
}

/// An empty vector of recycled memory for `need` elements, with more room if the block has it, up to `max_len`.
pub(crate) fn take_up_to<T>(need: usize, max_len: usize) -> Option<Vec<T>> {
    Some(take_block_up_to::<T>(need, max_len)?.into_vec())
}

fn take_block<T>(len: usize) -> Option<Block> {
    let bytes = len.checked_mul(size_of::<T>()).filter(|bytes| *bytes >= MIN_BLOCK_BYTES)?;
    let sizes = bytes..=bytes.saturating_add(bytes / STEPS_PER_DOUBLING * 2);
    free_list().take(Layout::new::<T>(), sizes, |size, known| size < known)
}

fn take_block_up_to<T>(need: usize, max_len: usize) -> Option<Block> {
    let need = need.checked_mul(size_of::<T>())?;
    let max_bytes = max_len.checked_mul(size_of::<T>()).filter(|bytes| *bytes >= MIN_BLOCK_BYTES)?;
    free_list().take(Layout::new::<T>(), need..=max_bytes, |size, known| size > known)
}
