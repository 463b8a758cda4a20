//! Memory of large buffers that nobody holds any more, kept for the next ones.
//!
//! Filling fresh memory is bound by page faults: 2 GB/s, 5.5 on huge pages. Filling memory that the
//! process has already is bound by the memory alone. Whoever reads one frame after another pays for
//! fresh memory each time, since allocators give large blocks back to the system at once. So a large
//! buffer made by [`share`] returns here when its last owner drops it, and
//! [`try_with_capacity`](crate::aligned::try_with_capacity) looks here first.
//!
//! What lies here is still the system's to take: on Linux its pages are marked with `MADV_FREE`, so that the kernel
//! drops them, without swapping, as soon as memory is short. To mark small pages takes half as long as to fill them, so
//! what has come last, up to a 32nd of the limit, waits for that: one batch after another uses the same memory
//! without it. All of it goes when an allocation fails, up to as much as is allocated where nothing here fits, and no
//! more than [`limit`] bytes are kept: the oldest go first.

use std::alloc::Layout;
use std::collections::VecDeque;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use arrow::types::NativeType;
use polars_buffer::{Buffer, SharedStorage};

use crate::aligned::PAGE_BYTES;

/// Blocks of fewer bytes are the allocator's, which keeps those for itself.
const MIN_BLOCK_BYTES: usize = 1 << 20;
/// Sizes are rounded up in steps of one part in so many, and a block may be two steps larger than asked for.
const SIZE_STEPS: usize = 8;
/// Bytes that are kept at most, unless somebody wants it otherwise, ...
const MAX_DEFAULT_LIMIT_BYTES: usize = 1 << 30;
/// ... and which part of the memory that the process may use.
const MEMORY_PER_LIMIT: usize = 8;
/// Which part of the limit may be what the system has not been told of yet.
const LIMIT_PER_WARM: usize = 32;

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
        debug_assert_eq!(block.layout.align(), align_of::<T>());
        debug_assert_eq!(block.layout.size() % size_of::<T>(), 0);
        // SAFETY: the memory is owned, from the global allocator, and `take` checked that its
        // layout is that of an array of `T`, of the capacity given; no value is claimed to be there.
        unsafe { Vec::from_raw_parts(block.start.as_ptr().cast(), 0, block.layout.size() / size_of::<T>()) }
    }

    /// The elements that were written when the memory was last used, `max_len` of them: they hold anything.
    fn into_initialised<T: NativeType>(self, max_len: usize) -> Vec<T> {
        let initialised = (self.initialised / size_of::<T>()).min(max_len);
        let mut vec = self.into_vec::<T>();
        prefault(&mut vec.spare_capacity_mut()[..initialised]);
        // SAFETY: so many elements were written. The system may have made them zeros since, but that is over with
        // `prefault`; either is a valid `T` (`Pod`).
        unsafe { vec.set_len(initialised) };
        vec
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
    LIMIT.get_or_init(|| AtomicUsize::new((memory() / MEMORY_PER_LIMIT).min(MAX_DEFAULT_LIMIT_BYTES)))
}

/// Bytes of memory that the process may use: the machine's, or what its control groups let it have. None where the system
/// could not take back what is kept.
#[cfg(target_os = "linux")]
fn memory() -> usize {
    // SAFETY: `sysconf` only reads the system's settings.
    let (pages, size) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    let machine = usize::try_from(pages).unwrap_or(0).saturating_mul(usize::try_from(size).unwrap_or(0));
    let group =
        crate::cgroup::limit().map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    machine.min(group)
}

#[cfg(not(target_os = "linux"))]
fn memory() -> usize {
    0
}

/// How many bytes are kept at most. At first an eighth of the machine's memory, or of what the process's control groups
/// let it have, and 1 GiB at most; none on other systems than Linux.
#[must_use]
pub fn limit() -> usize {
    limit_cell().load(Ordering::Relaxed)
}

/// Keeps at most so many bytes from now on; with 0 none, and buffers are plain allocations.
///
/// ```
/// use floe_array::recycle;
///
/// recycle::set_limit(64 << 20);
/// assert_eq!(recycle::limit(), 64 << 20);
/// assert!(recycle::kept() <= 64 << 20);
/// ```
pub fn set_limit(bytes: usize) {
    limit_cell().store(bytes, Ordering::Relaxed);
    let gone = free_list().trim(bytes);
    drop(gone);
    offer_all_but(bytes / LIMIT_PER_WARM);
}

/// How many bytes are kept now. All of them are the system's to take, on Linux: what it had not been told of is told now.
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
    /// Removes the block at a place among all, the oldest first.
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

    /// Takes the oldest blocks off until no more than `limit` bytes are left.
    fn trim(&mut self, limit: usize) -> Vec<Block> {
        let mut gone = Vec::new();
        while self.bytes > limit
            && let Some(block) = self.remove(0)
        {
            gone.push(block);
        }
        gone
    }

    /// Takes the oldest of the warm blocks off until no more than so many bytes of them are left.
    fn take_warm_beyond(&mut self, limit: usize) -> Vec<Block> {
        let mut cooled = Vec::new();
        while self.warm_bytes > limit
            && let Some(block) = self.remove(self.offered.len())
        {
            cooled.push(block);
        }
        cooled
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

/// Gives back up to as many bytes as are about to be allocated, since what is kept was no use: so that
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

/// So many elements or a few more, so that memory for something of about the same size is of the same.
pub(crate) fn rounded<T>(len: usize) -> usize {
    let bytes = len.saturating_mul(size_of::<T>());
    if bytes < MIN_BLOCK_BYTES {
        return len;
    }
    let step = (bytes.checked_next_power_of_two().unwrap_or(bytes) / SIZE_STEPS / size_of::<T>()).max(1);
    len.checked_next_multiple_of(step).unwrap_or(len)
}

/// An empty vector for `len` elements, or a little more, of kept memory.
pub(crate) fn take<T>(len: usize) -> Option<Vec<T>> {
    Some(take_block::<T>(len)?.into_vec())
}

/// The same with elements in it, which hold anything.
pub(crate) fn take_initialised<T: NativeType>(len: usize) -> Option<Vec<T>> {
    let mut vec = take_block::<T>(len)?.into_initialised(len);
    vec.resize(len, T::default());
    Some(vec)
}

/// As [`take_up_to`] with those elements in it that were there when it was used last: they hold anything.
pub(crate) fn take_initialised_up_to<T: NativeType>(need: usize, max_len: usize) -> Option<Vec<T>> {
    Some(take_block_up_to::<T>(need, max_len)?.into_initialised(usize::MAX))
}

/// Writes to every page, so that the system no longer takes it, contents and all.
fn prefault<T: NativeType>(values: &mut [MaybeUninit<T>]) {
    let write = |value: &mut MaybeUninit<T>| {
        // SAFETY: the place is borrowed mutably; any bytes are a valid `T` (`Pod`). Volatile, since
        // the compiler cannot see what it is for.
        unsafe { std::ptr::from_mut(value).write_volatile(MaybeUninit::new(T::default())) };
    };
    values.chunks_mut(PAGE_BYTES / size_of::<T>()).filter_map(<[_]>::first_mut).for_each(write);
    values.last_mut().into_iter().for_each(write);
}

fn take_block<T>(len: usize) -> Option<Block> {
    let bytes = len.checked_mul(size_of::<T>()).filter(|bytes| *bytes >= MIN_BLOCK_BYTES)?;
    let sizes = bytes..=bytes.saturating_add(bytes / SIZE_STEPS * 2);
    free_list().take(Layout::new::<T>(), sizes, |size, known| size < known)
}

/// The same for `need` elements and as many more as there are, up to `max_len`.
pub(crate) fn take_up_to<T>(need: usize, max_len: usize) -> Option<Vec<T>> {
    Some(take_block_up_to::<T>(need, max_len)?.into_vec())
}

fn take_block_up_to<T>(need: usize, max_len: usize) -> Option<Block> {
    let need = need.checked_mul(size_of::<T>())?;
    let max_len = max_len.checked_mul(size_of::<T>()).filter(|bytes| *bytes >= MIN_BLOCK_BYTES)?;
    free_list().take(Layout::new::<T>(), need..=max_len, |size, known| size > known)
}

/// A buffer of the vector's values, whose memory is used again when the last one to hold it goes.
///
/// ```
/// use floe_array::recycle::share;
///
/// assert_eq!(share(vec![1u32, 2, 3]).as_slice(), [1, 2, 3]);
/// ```
#[must_use]
pub fn share<T: NativeType>(mut vec: Vec<T>) -> Buffer<T> {
    let bytes = vec.capacity().saturating_mul(size_of::<T>());
    if bytes < MIN_BLOCK_BYTES || bytes > limit() {
        return vec.into();
    }
    let (Ok(layout), Some(start)) = (Layout::array::<T>(vec.capacity()), NonNull::new(vec.as_mut_ptr()))
    else {
        return vec.into();
    };
    let len = ManuallyDrop::new(vec).len();
    let block = Block { start: start.cast(), layout, initialised: len * size_of::<T>() };
    // SAFETY: the block owns the vector's memory, whose first `len` elements are values, and lives
    // in the storage that is made, which never lets it be written to.
    Buffer::from_storage(unsafe {
        SharedStorage::from_slice_with_owner(
            std::slice::from_raw_parts(start.as_ptr(), len),
            RecycledBlock(Some(block)),
        )
    })
}

/// A block that a buffer uses.
struct RecycledBlock(Option<Block>);

impl Drop for RecycledBlock {
    fn drop(&mut self) {
        let Some(block) = self.0.take() else { return };
        let limit = limit();
        if block.layout.size() > limit {
            return;
        }
        free_list().push_warm(block);
        offer_all_but(limit / LIMIT_PER_WARM);
        let gone = free_list().trim(limit);
        // Outside of the lock: giving memory back takes a while.
        drop(gone);
    }
}

/// Offers the system what has not been offered yet, the oldest first, until no more than so many bytes are left.
fn offer_all_but(warm: usize) {
    // Outside of the lock: it takes a while.
    let cooled = free_list().take_warm_beyond(warm);
    cooled.iter().for_each(offer);
    let mut free_list = free_list();
    cooled.into_iter().for_each(|block| free_list.push_offered(block));
}

/// Lets the system take the block's pages when it needs memory. Writing to them takes them back.
#[cfg(target_os = "linux")]
fn offer(block: &Block) {
    // Whatever pages they are: where a huge one is a neighbour's as well, it is broken up once.
    let (first, len) = crate::aligned::pages(block.start.addr().get(), block.layout.size());
    if len > 0 {
        // SAFETY: the range lies inside of the block's memory, which nothing uses: that it keeps its
        // contents or becomes zero at any time until it is written to is nobody's concern.
        unsafe { libc::madvise(first as *mut libc::c_void, len, libc::MADV_FREE) };
    }
}

#[cfg(not(target_os = "linux"))]
fn offer(_: &Block) {}
