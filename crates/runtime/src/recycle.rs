//! Memory of large buffers that nobody holds any more, kept for the next ones.
//!
//! Filling fresh memory is bound by page faults: 2 GB/s, 5.5 on huge pages. Filling memory that the process has already
//! is bound by the memory alone. A process that reads one frame after another pays for fresh memory each time, since
//! allocators give large blocks back to the system at once. So the memory of a [`Recycled`] returns to a free list here
//! when it is dropped, and [`alloc`](crate::alloc) looks here first.
//!
//! ```text
//!   Recycled --drop--> warm (newest, a 32nd of the limit) --MADV_FREE--> offered (oldest first out)
//!                        |                                                 |
//!                        '------------- alloc takes the best fit ----------'
//! ```
//!
//! The system may take what lies here. On Linux pages are marked with `MADV_FREE`: the kernel drops them without
//! swapping as soon as memory is short. To mark small pages takes half as long as to fill them. So what has come last
//! stays warm: one batch after another uses the same memory without a call.
//!
//! Blocks leave the list in three ways. All go when an allocation fails. Where no block fits, as many bytes go as are
//! about to be allocated. And no more than [`limit`] bytes are kept: the oldest go first.
//!
//! What to watch when changing this: the free list is one lock for the process, and allocating, offering and freeing
//! are system calls. None of them happens while the lock is held.

use std::alloc::Layout;
use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use bytemuck::Pod;

use crate::pages;

/// Smaller blocks are the allocator's, which keeps those for itself.
const MIN_BLOCK_BYTES: usize = 1 << 20;
/// Sizes are rounded up in steps of 1 / `STEPS_PER_DOUBLING` of the next power of two. A block may be two such steps
/// larger than asked for.
const STEPS_PER_DOUBLING: usize = 8;
/// The limit is at most this, unless somebody sets it, ...
const MAX_DEFAULT_LIMIT_BYTES: usize = 1 << 30;
/// ... and at most 1 / `MEMORY_TO_LIMIT_RATIO` of the memory that the process may use.
const MEMORY_TO_LIMIT_RATIO: usize = 8;
/// 1 / `LIMIT_TO_WARM_RATIO` of the limit may be memory that has not been offered to the system yet.
const LIMIT_TO_WARM_RATIO: usize = 32;

/// An allocation that nothing uses.
struct Block {
    start: NonNull<u8>,
    /// As it was allocated: not empty.
    layout: Layout,
    /// How many of its bytes have been written to, from the start.
    initialised: usize,
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
    /// An empty vector of the memory, whose layout fits.
    fn into_vec<T>(self) -> Vec<T> {
        let block = ManuallyDrop::new(self);
        debug_assert_eq!(block.layout.align(), align_of::<T>(), "the free list checks the alignment");
        debug_assert_eq!(block.layout.size() % size_of::<T>(), 0, "the free list checks the size");
        // SAFETY: the memory is owned, from the global allocator, and `FreeList::take` checked that its
        // layout is that of an array of `T`, of the capacity given; no value is claimed to be there.
        unsafe { Vec::from_raw_parts(block.start.as_ptr().cast(), 0, block.layout.size() / size_of::<T>()) }
    }

    /// The elements that were written when the memory was last used, at most `max_len` of them: they hold anything.
    fn into_initialised<T: Pod>(self, max_len: usize) -> Vec<T> {
        let initialised = (self.initialised / size_of::<T>()).min(max_len);
        let mut vec = self.into_vec::<T>();
        pages::prefault(&mut vec.spare_capacity_mut()[..initialised]);
        // SAFETY: so many elements were written. The system may have made them zeros since, but that is over with
        // `prefault`; either is a valid `T` (`Pod`).
        unsafe { vec.set_len(initialised) };
        vec
    }

    /// Lets the system take the pages when it needs memory.
    fn offer(&self) {
        // SAFETY: nothing uses the memory, and what it holds is nobody's concern.
        unsafe { pages::offer(self.start.as_ptr(), self.layout.size()) };
    }
}

/// What is kept: the oldest first.
struct FreeList {
    /// What the system may take.
    offered: VecDeque<Block>,
    /// What has come last, and is likely to be used again at once.
    warm: VecDeque<Block>,
    warm_bytes: usize,
    /// Of both.
    bytes: usize,
}

static FREE_LIST: Mutex<FreeList> =
    Mutex::new(FreeList { offered: VecDeque::new(), warm: VecDeque::new(), warm_bytes: 0, bytes: 0 });

fn free_list() -> MutexGuard<'static, FreeList> {
    FREE_LIST.lock().unwrap_or_else(PoisonError::into_inner)
}

fn limit_cell() -> &'static AtomicUsize {
    static LIMIT: OnceLock<AtomicUsize> = OnceLock::new();
    LIMIT.get_or_init(|| {
        let share = pages::usable_memory() / MEMORY_TO_LIMIT_RATIO;
        AtomicUsize::new(share.min(MAX_DEFAULT_LIMIT_BYTES))
    })
}

/// How many bytes are kept at most. At first an eighth of the machine's memory, or of what the process's control groups
/// let it have, and 1 GiB at most; none on other systems than Linux.
#[must_use]
pub fn limit() -> usize {
    limit_cell().load(Ordering::Relaxed)
}

/// Keeps at most `bytes` bytes from now on. With 0 none, and buffers are plain allocations.
///
/// ```
/// use floe_runtime::recycle;
///
/// recycle::set_limit(64 << 20);
/// assert_eq!(recycle::limit(), 64 << 20);
/// assert!(recycle::kept() <= 64 << 20);
/// ```
pub fn set_limit(bytes: usize) {
    limit_cell().store(bytes, Ordering::Relaxed);
    let gone = free_list().trim(bytes);
    drop(gone);
    offer_all_but(bytes / LIMIT_TO_WARM_RATIO);
}

/// How many bytes are kept now. On Linux all of them are the system's to take: memory that was still warm is offered.
#[must_use]
pub fn kept() -> usize {
    offer_all_but(0);
    free_list().bytes
}

/// Gives all that is kept back to the allocator.
pub fn release() {
    let gone = free_list().trim(0);
    drop(gone);
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

/// Gives back up to as many bytes as are about to be allocated, since no block fitted: so that
/// memory that nothing fits into does not add up. Blocks that are larger than that stay.
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

/// `len`, or a few more, so that memory for something of about the same size is of the same size.
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

/// An empty vector for `len` elements, or a little more, of kept memory.
pub(crate) fn take<T>(len: usize) -> Option<Vec<T>> {
    Some(take_block::<T>(len)?.into_vec())
}

/// The same with elements in it, which hold anything.
pub(crate) fn take_initialised<T: Pod>(len: usize) -> Option<Vec<T>> {
    let mut vec = take_block::<T>(len)?.into_initialised(len);
    vec.resize(len, T::zeroed());
    Some(vec)
}

/// As [`take_up_to`] with those elements in it that were there when it was used last: they hold anything.
pub(crate) fn take_initialised_up_to<T: Pod>(need: usize, max_len: usize) -> Option<Vec<T>> {
    Some(take_block_up_to::<T>(need, max_len)?.into_initialised(usize::MAX))
}

/// An empty vector of kept memory for `need` elements and as many more as there are, up to `max_len`.
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

/// The values of a vector, whose memory is used again when this is dropped.
///
/// ```
/// use floe_runtime::recycle::Recycled;
///
/// // Too small to be worth keeping: the vector comes back.
/// assert_eq!(Recycled::new(vec![1u32, 2, 3]).unwrap_err(), [1, 2, 3]);
/// # if floe_runtime::recycle::limit() >= 8 << 20 {
/// let recycled = Recycled::new(vec![7u64; 1 << 20]).expect("8 MiB are");
/// assert_eq!(recycled.as_slice()[99], 7);
/// # }
/// ```
pub struct Recycled<T> {
    /// There until it is dropped.
    block: Option<Block>,
    len: usize,
    values: PhantomData<T>,
}

impl<T: Pod> Recycled<T> {
    /// Takes the vector over.
    ///
    /// # Errors
    /// The vector itself, if it is of less than 1 MiB or of more than the [`limit`].
    pub fn new(mut vec: Vec<T>) -> std::result::Result<Self, Vec<T>> {
        let bytes = vec.capacity().saturating_mul(size_of::<T>());
        if bytes < MIN_BLOCK_BYTES || bytes > limit() {
            return Err(vec);
        }
        let (Ok(layout), Some(start)) =
            (Layout::array::<T>(vec.capacity()), NonNull::new(vec.as_mut_ptr().cast()))
        else {
            return Err(vec);
        };
        let len = ManuallyDrop::new(vec).len();
        let block = Block { start, layout, initialised: len * size_of::<T>() };
        Ok(Self { block: Some(block), len, values: PhantomData })
    }

    /// The values. They stay where they are when this is moved.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        let Some(block) = &self.block else { return &[] };
        // SAFETY: the block owns the vector's memory, whose first `len` elements are values, and never
        // lets them be written to while it is here.
        unsafe { std::slice::from_raw_parts(block.start.as_ptr().cast(), self.len) }
    }
}

impl<T> Drop for Recycled<T> {
    fn drop(&mut self) {
        let Some(block) = self.block.take() else { return };
        let limit = limit();
        if block.layout.size() > limit {
            return;
        }
        free_list().push_warm(block);
        offer_all_but(limit / LIMIT_TO_WARM_RATIO);
        let gone = free_list().trim(limit);
        // Outside of the lock: giving memory back takes a while.
        drop(gone);
    }
}

impl<T> fmt::Debug for Recycled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recycled").field("len", &self.len).finish_non_exhaustive()
    }
}

/// Offers the system warm blocks, the oldest first, until at most `warm` bytes of them are left.
fn offer_all_but(warm: usize) {
    // Outside of the lock: it takes a while.
    let taken = free_list().take_warm_beyond(warm);
    taken.iter().for_each(Block::offer);
    let mut free_list = free_list();
    taken.into_iter().for_each(|block| free_list.push_offered(block));
}
