//! Hints to the system about the pages behind memory. On Linux only; elsewhere each function does nothing.
//!
//! Filling fresh memory is bound by page faults: about 2 GB/s on pages of 4 KiB, 5.5 on pages of 2 MiB. All calls are
//! hints. If the system refuses one, memory is slower but still correct, so results are ignored.

use std::mem::MaybeUninit;

use bytemuck::Pod;

/// Bytes of a page, or fewer.
pub(crate) const PAGE_BYTES: usize = 4096;
/// Bytes of a huge page, whose address is a multiple of this.
pub(crate) const HUGE_PAGE_BYTES: usize = 2 << 20;

/// The whole pages among `bytes` bytes from an address on: where they start, and their length in bytes.
#[cfg(target_os = "linux")]
fn whole_pages(start: usize, bytes: usize) -> (usize, usize) {
    let first = start.next_multiple_of(PAGE_BYTES);
    (first, (start + bytes).saturating_sub(first) & !(PAGE_BYTES - 1))
}

/// Asks for huge pages behind a vector of at least two of them.
#[cfg(target_os = "linux")]
pub(crate) fn advise_huge<T>(vec: &mut Vec<T>) {
    let bytes = vec.capacity().saturating_mul(size_of::<T>());
    if bytes < 2 * HUGE_PAGE_BYTES {
        return;
    }
    let (first, len) = whole_pages(vec.as_mut_ptr().addr(), bytes);
    // SAFETY: the range lies inside the allocation that `vec` owns, rounded inwards to pages;
    // MADV_HUGEPAGE changes how the range is backed, never its contents.
    unsafe { libc::madvise(first as *mut libc::c_void, len, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn advise_huge<T>(_: &mut Vec<T>) {}

/// Drops the small pages behind memory that the allocator had in use before, as those of a heap are, so that huge ones
/// come when it is written to. Once, that costs as much as fresh memory; `recycle` keeps the memory, and later uses are
/// faster. Zeros stay zeros.
///
/// Two pages are a sample of all: one near the start and one in the middle. To look at each would take longer.
#[cfg(target_os = "linux")]
pub(crate) fn drop_backing<T>(memory: &mut [MaybeUninit<T>]) {
    if size_of_val(memory) < 2 * HUGE_PAGE_BYTES {
        return;
    }
    let (first, len) = whole_pages(memory.as_mut_ptr().addr(), size_of_val(memory));
    let is_backed = |page: usize| {
        let mut resident = 0u8;
        // SAFETY: the page lies inside of `memory`, and there is room for the byte that tells of it.
        unsafe {
            libc::mincore(page as *mut libc::c_void, PAGE_BYTES, &raw mut resident) == 0 && resident & 1 == 1
        }
    };
    // The allocator may use a part of the first page itself.
    if is_backed(first + PAGE_BYTES) || is_backed(first + ((len / 2) & !(PAGE_BYTES - 1))) {
        // SAFETY: the range lies inside of `memory`, which is borrowed mutably and need not hold anything;
        // private memory that MADV_DONTNEED takes away reads as zeros.
        unsafe { libc::madvise(first as *mut libc::c_void, len, libc::MADV_DONTNEED) };
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn drop_backing<T>(_: &mut [MaybeUninit<T>]) {}

/// Makes the pages behind `bytes` at once, instead of one fault each. Where the system cannot, they
/// come when they are written to.
#[cfg(target_os = "linux")]
pub(crate) fn populate(bytes: &mut [u8]) {
    let (first, len) = whole_pages(bytes.as_mut_ptr().addr(), bytes.len());
    // SAFETY: the range lies inside of `bytes`, which is borrowed mutably; MADV_POPULATE_WRITE backs
    // it with pages and leaves its contents as they are.
    unsafe { libc::madvise(first as *mut libc::c_void, len, libc::MADV_POPULATE_WRITE) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn populate(_: &mut [u8]) {}

/// Lets the system have the memory of values that are not needed any more, before its owner goes.
#[cfg(target_os = "linux")]
pub(crate) fn release<T: Pod>(values: &mut [T]) {
    let (first, len) = whole_pages(values.as_mut_ptr().addr(), size_of_val(values));
    if len >= HUGE_PAGE_BYTES {
        // SAFETY: the range lies inside of `values`, which is borrowed mutably; private memory that
        // MADV_DONTNEED takes away reads as zeros or as before, either of which is a valid `T` (`Pod`).
        unsafe { libc::madvise(first as *mut libc::c_void, len, libc::MADV_DONTNEED) };
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn release<T: Pod>(_: &mut [T]) {}

/// Lets the system take pages when it needs memory, contents and all. Writing to them takes them back.
///
/// # Safety
/// Nothing uses the `bytes` bytes from `start` on, and nobody relies on what they hold: they keep their contents or
/// become zero, at any time until they are written to.
#[cfg(target_os = "linux")]
pub(crate) unsafe fn offer(start: *mut u8, bytes: usize) {
    // Huge pages are included: one that is shared with a neighbour is broken up once.
    let (first, len) = whole_pages(start.addr(), bytes);
    if len > 0 {
        // SAFETY: the range lies inside of memory that nothing uses (the caller's promise).
        unsafe { libc::madvise(first as *mut libc::c_void, len, libc::MADV_FREE) };
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) unsafe fn offer(_: *mut u8, _: usize) {}

/// Writes to every page, so that the system no longer takes one that it was [offered](offer).
pub(crate) fn prefault<T: Pod>(values: &mut [MaybeUninit<T>]) {
    let write = |value: &mut MaybeUninit<T>| {
        // SAFETY: the place is borrowed mutably; zeros are a valid `T` (`Pod`). Volatile, so that the compiler does not
        // remove a write whose value is not read.
        unsafe { std::ptr::from_mut(value).write_volatile(MaybeUninit::new(T::zeroed())) };
    };
    let per_page = (PAGE_BYTES / size_of::<T>().max(1)).max(1);
    values.chunks_mut(per_page).filter_map(<[_]>::first_mut).for_each(write);
    values.last_mut().into_iter().for_each(write);
}

/// Whether the system limits the addresses of this process (`ulimit -v`).
#[cfg(target_os = "linux")]
pub(crate) fn is_address_space_limited() -> bool {
    static LIMITED: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *LIMITED.get_or_init(|| {
        let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: the call writes one `rlimit`, for which there is room.
        unsafe {
            libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) == 0 && limit.rlim_cur != libc::RLIM_INFINITY
        }
    })
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_address_space_limited() -> bool {
    false
}

/// Bytes of memory that the process may use: the machine's, or the limit of its control groups. None where the system
/// could not take kept memory back.
#[cfg(target_os = "linux")]
pub(crate) fn usable_memory() -> usize {
    // SAFETY: `sysconf` only reads the system's settings.
    let (pages, size) = unsafe { (libc::sysconf(libc::_SC_PHYS_PAGES), libc::sysconf(libc::_SC_PAGESIZE)) };
    // Where the system does not say (-1), nothing is kept.
    let machine = usize::try_from(pages).unwrap_or(0).saturating_mul(usize::try_from(size).unwrap_or(0));
    // A limit beyond all addresses is none.
    let group =
        crate::cgroup::limit().map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    machine.min(group)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn usable_memory() -> usize {
    0
}
