//! Bytes to typed buffers: a view into the source where its alignment allows, one copy where not.

use std::mem::MaybeUninit;
#[cfg(target_os = "linux")]
use std::sync::OnceLock;

use arrow::types::NativeType;
use floe_format::{Error, Result};
use polars_buffer::{Buffer, SharedStorage};

use crate::recycle::{self, share};

/// An allocation of `len` elements (or a few more, where memory is used again) that fails with an
/// error instead of aborting the process.
///
/// # Errors
/// When the allocator refuses.
pub fn try_with_capacity<T>(len: usize) -> Result<Vec<T>> {
    match recycle::take(len) {
        Some(vec) => Ok(vec),
        None => {
            recycle::make_room(len.saturating_mul(size_of::<T>()));
            fresh(len)
        },
    }
}

fn fresh<T>(len: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    if vec.try_reserve_exact(len).is_err() {
        // What is kept for later is wanted now.
        recycle::release();
        vec.try_reserve_exact(len).map_err(|_| out_of_memory(len.saturating_mul(size_of::<T>())))?;
    }
    drop_backing(vec.spare_capacity_mut());
    advise_huge_pages(&mut vec);
    Ok(vec)
}

/// Room for `additional` more elements, with the same care.
///
/// # Errors
/// When the allocator refuses.
pub fn try_grow<T>(vec: &mut Vec<T>, additional: usize) -> Result<()> {
    let bytes = vec.len().saturating_add(additional).saturating_mul(size_of::<T>());
    vec.try_reserve_exact(additional).map_err(|_| out_of_memory(bytes))?;
    advise_huge_pages(vec);
    Ok(())
}

/// How many times what is needed is taken when something has to grow again and again.
const GROWTH_FACTOR: usize = 4;
/// How many times while that is little: most columns never grow again then.
const FIRST_GROWTH_FACTOR: usize = 64;
/// Bytes that are taken at most for the sake of [`FIRST_GROWTH_FACTOR`].
const MAX_FIRST_GROWTH_BYTES: usize = 256 << 20;
/// Elements are moved by so many bytes at a time.
const COPY_CHUNK_BYTES: usize = 4 << 20;

/// Room for `additional` more elements and, if there was none, for several times as many as there
/// are then: address space that takes no memory until it is written to.
///
/// # Errors
/// When the allocator refuses even what is needed now.
pub(crate) fn reserve_more<T: NativeType>(vec: &mut Vec<T>, additional: usize) -> Result<()> {
    if vec.capacity() - vec.len() >= additional {
        return Ok(());
    }
    let need = vec.len().saturating_add(additional);
    let max_len = capacity_to_grow::<T>(need);
    let mut larger = match recycle::take_up_to(need, max_len) {
        Some(kept) => kept,
        None => {
            recycle::make_room(need.saturating_mul(size_of::<T>()));
            fresh(max_len).or_else(|_| fresh(need))?
        },
    };
    // Not by `realloc`: the system moves huge pages by breaking them up, which takes longer than a copy.
    for chunk in vec.chunks_mut((COPY_CHUNK_BYTES / size_of::<T>().max(1)).max(1)) {
        larger.extend_from_slice(chunk);
        release_pages(chunk);
    }
    *vec = larger;
    Ok(())
}

/// From this size on, allocators get zeroed memory from the system, which takes nothing until it is used; less than
/// that they may have to zero.
const MIN_LAZILY_ZEROED_BYTES: usize = 32 << 20;

/// As [`reserve_more`] for bytes that are initialised, of which the first `known` are kept: `additional` more.
///
/// # Errors
/// When the allocator refuses even what is needed now.
pub(crate) fn grow_initialised(bytes: &mut Vec<u8>, known: usize, additional: usize) -> Result<()> {
    let need = known.saturating_add(additional);
    if bytes.len() >= need {
        return Ok(());
    }
    if bytes.capacity() >= need {
        bytes.resize(need, 0);
        return Ok(());
    }
    let max_len = capacity_to_grow::<u8>(need);
    let mut larger = match recycle::take_initialised_up_to(need, max_len) {
        Some(kept) => kept,
        None if max_len >= MIN_LAZILY_ZEROED_BYTES => {
            try_initialised(max_len).or_else(|_| try_initialised(need))?
        },
        None => {
            recycle::make_room(need);
            fresh(max_len).or_else(|_| fresh(need))?
        },
    };
    larger.resize(need.max(larger.len()), 0);
    let chunks = larger.chunks_mut(COPY_CHUNK_BYTES).zip(bytes[..known].chunks_mut(COPY_CHUNK_BYTES));
    for (into, chunk) in chunks {
        into[..chunk.len()].copy_from_slice(chunk);
        release_pages(chunk);
    }
    *bytes = larger;
    Ok(())
}

/// How much memory is taken for so many elements and those that may come. It is address space at first: where that is
/// limited, none is taken that others may need.
fn capacity_to_grow<T>(need: usize) -> usize {
    if is_address_space_limited() {
        return need.saturating_add(need / 2);
    }
    let first = need.saturating_mul(FIRST_GROWTH_FACTOR).min(MAX_FIRST_GROWTH_BYTES / size_of::<T>().max(1));
    need.saturating_mul(GROWTH_FACTOR).max(first)
}

/// Whether the system limits the addresses of this process (`ulimit -v`).
#[cfg(target_os = "linux")]
fn is_address_space_limited() -> bool {
    static LIMITED: OnceLock<bool> = OnceLock::new();
    *LIMITED.get_or_init(|| {
        let mut limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
        // SAFETY: the call writes one `rlimit`, for which there is room.
        unsafe {
            libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) == 0 && limit.rlim_cur != libc::RLIM_INFINITY
        }
    })
}

#[cfg(not(target_os = "linux"))]
fn is_address_space_limited() -> bool {
    false
}

/// Lets the system have the memory of values that are not needed any more, before its owner goes.
#[cfg(target_os = "linux")]
fn release_pages<T: NativeType>(values: &mut [T]) {
    let (first, len) = pages(values.as_mut_ptr().addr(), size_of_val(values));
    if len >= HUGE_PAGE_BYTES {
        // SAFETY: the range lies inside of `values`, which is borrowed mutably; private memory that
        // MADV_DONTNEED takes away reads as zeros or as before, either of which is a valid `T` (`Pod`).
        unsafe { libc::madvise(first as *mut libc::c_void, len, libc::MADV_DONTNEED) };
    }
}

#[cfg(not(target_os = "linux"))]
fn release_pages<T: NativeType>(_: &mut [T]) {}

/// `len` elements that are initialised, for readers that want such memory: zeros, which are free
/// where the system hands out zeroed pages, or what was left in memory that is used again.
///
/// # Errors
/// When the allocator refuses.
pub fn try_initialised<T: NativeType>(len: usize) -> Result<Vec<T>> {
    let bytes = byte_len::<T>(len)?;
    if bytes == 0 {
        return Ok(Vec::new());
    }
    if let Some(vec) = recycle::take_initialised(len) {
        return Ok(vec);
    }
    recycle::make_room(bytes);
    let capacity = recycle::rounded::<T>(len);
    let layout = std::alloc::Layout::array::<T>(capacity).map_err(|_| out_of_memory(bytes))?;
    // SAFETY: the layout has a size, `bytes` or more, which is not zero.
    let allocate = || unsafe { std::alloc::alloc_zeroed(layout) }.cast::<T>();
    let mut start = allocate();
    if start.is_null() {
        recycle::release();
        start = allocate();
    }
    if start.is_null() {
        return Err(out_of_memory(bytes));
    }
    debug_assert!(start.is_aligned());
    // SAFETY: the allocation has room for `capacity` elements; as elements that may be uninitialised they are
    // all valid, and nothing else refers to them yet.
    drop_backing(unsafe { std::slice::from_raw_parts_mut(start.cast::<MaybeUninit<T>>(), capacity) });
    // SAFETY: `start` was allocated by the global allocator with the layout of `capacity` elements of
    // `T`, which a vector of that capacity frees it with; all of them are zero, which is a valid `T`
    // (`Pod`), and there are at least `len`.
    let mut vec = unsafe { Vec::from_raw_parts(start, len, capacity) };
    advise_huge_pages(&mut vec);
    Ok(vec)
}

/// Fails when `bytes` could not be allocated now. For kernels that allocate infallibly.
///
/// # Errors
/// When the allocator refuses.
pub fn probe(bytes: usize) -> Result<()> {
    if bytes > 1 << 20 { fresh::<u8>(bytes).map(drop) } else { Ok(()) }
}

fn out_of_memory(bytes: usize) -> Error {
    Error::invalid(format!("the data needs an allocation of {bytes} bytes, which the system refused"))
}

/// The size of a page, or less.
pub(crate) const PAGE_BYTES: usize = 4096;
/// The size of a huge page, and what one begins at a multiple of.
pub(crate) const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Asks for huge pages on large fresh allocations: filling them is bound by page faults otherwise.
#[cfg(target_os = "linux")]
fn advise_huge_pages<T>(vec: &mut Vec<T>) {
    let bytes = vec.capacity().saturating_mul(size_of::<T>());
    if bytes < 2 * HUGE_PAGE_BYTES {
        return;
    }
    let (first, len) = pages(vec.as_mut_ptr().addr(), bytes);
    // SAFETY: the range lies inside the allocation that `vec` owns, rounded inwards to pages;
    // MADV_HUGEPAGE changes how the range is backed, never its contents.
    unsafe { libc::madvise(first as *mut libc::c_void, len, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn advise_huge_pages<T>(_: &mut Vec<T>) {}

/// Takes the pages from memory that the allocator has handed out before, which are small ones (as those of a heap
/// are): they come anew as huge ones then. That takes as long as fresh memory does, once: [`recycle`] keeps it, and
/// every later use is faster. What is zero stays zero.
#[cfg(target_os = "linux")]
fn drop_backing<T>(memory: &mut [MaybeUninit<T>]) {
    if size_of_val(memory) < 2 * HUGE_PAGE_BYTES {
        return;
    }
    let (first, len) = pages(memory.as_mut_ptr().addr(), size_of_val(memory));
    let is_backed = |page: usize| {
        let mut resident = 0u8;
        // SAFETY: the page lies inside of `memory`, and there is room for the byte that tells of it.
        unsafe {
            libc::mincore(page as *mut libc::c_void, PAGE_BYTES, &raw mut resident) == 0 && resident & 1 == 1
        }
    };
    // Of the first page the allocator may have used a part itself.
    if is_backed(first + PAGE_BYTES) || is_backed(first + ((len / 2) & !(PAGE_BYTES - 1))) {
        // SAFETY: the range lies inside of `memory`, which is borrowed mutably and need not hold anything;
        // private memory that MADV_DONTNEED takes away reads as zeros.
        unsafe { libc::madvise(first as *mut libc::c_void, len, libc::MADV_DONTNEED) };
    }
}

#[cfg(not(target_os = "linux"))]
fn drop_backing<T>(_: &mut [MaybeUninit<T>]) {}

/// Makes the pages behind `bytes` at once, instead of one fault each. Where the system cannot, they
/// come when they are written to.
#[cfg(target_os = "linux")]
pub(crate) fn populate(bytes: &mut [u8]) {
    let (first, len) = pages(bytes.as_mut_ptr().addr(), bytes.len());
    // SAFETY: the range lies inside of `bytes`, which is borrowed mutably; MADV_POPULATE_WRITE backs
    // it with pages and leaves its contents as they are.
    unsafe { libc::madvise(first as *mut libc::c_void, len, libc::MADV_POPULATE_WRITE) };
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn populate(_: &mut [u8]) {}

/// The whole pages among `bytes` bytes from an address on: where they start, and their length.
#[cfg(target_os = "linux")]
pub(crate) fn pages(start: usize, bytes: usize) -> (usize, usize) {
    let first = start.next_multiple_of(PAGE_BYTES);
    (first, (start + bytes).saturating_sub(first) & !(PAGE_BYTES - 1))
}

/// The first `len` elements of `bytes`, without a copy if `bytes` is aligned for `T`.
///
/// # Errors
/// When `bytes` is too short.
pub fn typed<T: NativeType>(bytes: Buffer<u8>, len: usize) -> Result<Buffer<T>> {
    let need = byte_len::<T>(len)?;
    if bytes.len() < need {
        return Err(too_short(need as u64, bytes.len() as u64));
    }
    if len == 0 {
        return Ok(Buffer::default());
    }
    let slice = &bytes.as_slice()[..need];
    if slice.as_ptr().cast::<T>().is_aligned() {
        debug_assert_eq!(slice.len(), len * size_of::<T>());
        // SAFETY: the pointer is aligned (checked above), `len * size_of::<T>()` bytes are behind
        // it (`need` was checked against `bytes.len()`), every bit pattern is a `T` (`Pod`), and
        // the owner handed over keeps the memory alive and unchanged.
        let storage = unsafe {
            let slice = std::slice::from_raw_parts(slice.as_ptr().cast::<T>(), len);
            SharedStorage::from_slice_with_owner(slice, bytes)
        };
        return Ok(Buffer::from_storage(storage));
    }
    let mut out = try_with_capacity::<T>(len)?;
    copy_to_uninit(slice, as_uninit_bytes(&mut out.spare_capacity_mut()[..len]));
    // SAFETY: the line above wrote all `len` elements' bytes.
    unsafe { out.set_len(len) };
    Ok(share(out))
}

/// As [`typed`], as a slice of the storage of `bytes`, for which nothing is allocated. Where values have a bitmap they are
/// better off with a storage of their own: the C data interface has one offset for both, and copies bitmaps that
/// have another.
pub(crate) fn typed_slice<T: NativeType>(bytes: Buffer<u8>, len: usize) -> Result<Buffer<T>> {
    let start = bytes.storage_ptr().cast::<T>();
    let offset = bytes.offset();
    if !start.is_aligned() || !offset.is_multiple_of(size_of::<T>()) || bytes.len() < byte_len::<T>(len)? {
        return typed(bytes, len);
    }
    let first = offset / size_of::<T>();
    // SAFETY: the storage is aligned (checked above), every bit pattern is a `T` (`Pod`), and as many values as fit into
    // it are fewer bytes than it has. What its memory is given back with is kept in it, whatever its type.
    let storage = unsafe { bytes.into_storage().transmute_unchecked::<T>() };
    Ok(Buffer::from_storage(storage).sliced(first..first + len))
}

/// `len` elements of `T` in bytes.
///
/// # Errors
/// When that overflows.
pub fn byte_len<T>(len: usize) -> Result<usize> {
    len.checked_mul(size_of::<T>())
        .filter(|n| isize::try_from(*n).is_ok())
        .ok_or_else(|| Error::invalid(format!("{len} values overflow the address space")))
}

pub(crate) fn too_short(need: u64, have: u64) -> Error {
    Error::invalid(format!("a buffer of {have} bytes is too short, {need} are needed"))
}

/// The same memory, as bytes yet to be written.
pub(crate) fn as_uninit_bytes<T: NativeType>(slice: &mut [MaybeUninit<T>]) -> &mut [MaybeUninit<u8>] {
    let len = size_of_val(slice);
    // SAFETY: same memory, same length in bytes; `MaybeUninit<u8>` has no validity or alignment
    // requirement, and any bytes written through it are a valid `T` (`Pod`).
    unsafe { std::slice::from_raw_parts_mut(slice.as_mut_ptr().cast(), len) }
}

/// Copies `src` over `dst`, which has its length.
pub(crate) fn copy_to_uninit(src: &[u8], dst: &mut [MaybeUninit<u8>]) {
    assert_eq!(src.len(), dst.len());
    // SAFETY: both are valid for `src.len()` bytes (asserted) and do not overlap: `dst` is
    // borrowed mutably.
    unsafe { std::ptr::copy_nonoverlapping(src.as_ptr(), dst.as_mut_ptr().cast(), src.len()) };
}

/// Memory whose bytes are known to be initialised, as such.
///
/// # Safety
/// Every byte of `dst` must have been written.
pub(crate) unsafe fn assume_init(dst: &mut [MaybeUninit<u8>]) -> &mut [u8] {
    // SAFETY: same memory and length; initialised by the caller's promise.
    unsafe { std::slice::from_raw_parts_mut(dst.as_mut_ptr().cast(), dst.len()) }
}

/// Reverses the bytes of each element in place: big-endian data to the machine's order.
pub(crate) fn swap_bytes(bytes: &mut [u8], width: usize) {
    match width {
        0 | 1 => {},
        2 => bytes.chunks_exact_mut(2).for_each(|c| c.reverse()),
        4 => bytes.chunks_exact_mut(4).for_each(|c| c.reverse()),
        8 => bytes.chunks_exact_mut(8).for_each(|c| c.reverse()),
        _ => bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_of_the_storage_is_the_same_memory() {
        let values: Vec<u64> = (0..100).map(|i| i * 0x0102_0304_0506_0708).collect();
        let storage = Buffer::from(bytemuck::cast_slice::<u64, u8>(&values).to_vec());
        // Behind 8 bytes or 12 the values are not where their type wants them in every storage.
        for (start, len) in [(0, 100), (8, 99), (16, 3), (12, 98), (1, 0), (800, 0)] {
            let bytes = storage.clone().sliced(start..800);
            let found = typed_slice::<u64>(bytes.clone(), len).unwrap();
            assert_eq!(bytemuck::cast_slice::<u64, u8>(&found), &bytes[..8 * len], "{start}, {len}");
            let (old, new) = (bytes.as_slice().as_ptr(), found.as_slice().as_ptr().cast::<u8>());
            assert!(len == 0 || (old == new) == old.cast::<u64>().is_aligned(), "{start}, {len}");
        }
        let few = storage.clone().sliced(0..15);
        assert!(typed_slice::<u64>(few, 2).is_err(), "15 bytes are not two values");
        // The memory outlives what it was a part of, and goes with the last of its slices.
        let slice = typed_slice::<u64>(storage.sliced(8..800), 99).unwrap();
        assert_eq!(slice.as_slice(), &values[1..]);
    }
}
