//! Memory of large buffers that nobody holds any more, kept for the next ones.
//!
//! Filling fresh memory is bound by page faults: 2 GB/s, 5.5 on huge pages. Filling memory that the process has already
//! is bound by the memory alone. A process that reads one frame after another pays for fresh memory each time, since
//! allocators give large blocks back to the system at once. So the memory of a [`Recycled`] returns to a free list here
//! when it is dropped, and `alloc` looks here first.
//!
//! ```text
//!   Recycled --drop--> warm (newest, a 32nd of the limit) --MADV_FREE--> offered (oldest first out)
//!                        |                                                 |
//!                        '------------- alloc takes the best fit ----------'
//! ```
//!
//! The system may take the memory of listed blocks. On Linux pages are marked with `MADV_FREE`: the kernel drops them
//! without swapping as soon as memory is short. Marking small pages takes half as long as filling them. The newest
//! blocks therefore stay warm: one batch after another uses the same memory without a system call.
//!
//! Blocks leave the list in three ways. All go when an allocation fails. If no block fits a request, blocks of as many
//! bytes as it allocates go. And at most [`limit`] bytes are kept: the oldest go first.

use std::alloc::Layout;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytemuck::Pod;

use crate::free_list::{self, Block, MIN_BLOCK_BYTES};
use crate::pages;

/// The default limit is at most this many bytes, ...
const MAX_DEFAULT_LIMIT_BYTES: usize = 1 << 30;
/// ... and at most 1 / `MEMORY_TO_LIMIT_RATIO` of the memory that the process may use.
const MEMORY_TO_LIMIT_RATIO: usize = 8;
/// 1 / `LIMIT_TO_WARM_RATIO` of the limit may be memory that has not been offered to the system yet.
const LIMIT_TO_WARM_RATIO: usize = 32;

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

/// Keeps at most `bytes` bytes from now on. With 0, buffers are plain allocations.
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
    free_list::trim(bytes);
    free_list::offer_all_but(bytes / LIMIT_TO_WARM_RATIO);
}

/// How many bytes are kept now. On Linux all of them are the system's to take: memory that was still warm is offered.
#[must_use]
pub fn kept() -> usize {
    free_list::offer_all_but(0);
    free_list::bytes()
}

/// Gives all kept memory back to the allocator.
pub fn release() {
    free_list::trim(0);
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
    /// `Some` until the drop, which moves it to the free list.
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
        free_list::keep(block, limit / LIMIT_TO_WARM_RATIO, limit);
    }
}

impl<T> fmt::Debug for Recycled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recycled").field("len", &self.len).finish_non_exhaustive()
    }
}
