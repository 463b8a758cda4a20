//! Vectors whose allocation fails with an error instead of aborting the process. They are taken from recycled memory
//! where a block fits.

use std::mem::MaybeUninit;

use bytemuck::Pod;

use crate::free_list;
use crate::pages::{advise_huge, drop_backing, is_address_space_limited, release};
use crate::{Error, Result};

/// An empty vector with room for at least `len` elements: a recycled block may be a little larger.
///
/// # Errors
/// When the allocator refuses.
///
/// ```
/// use floe_runtime::alloc::try_with_capacity;
///
/// assert!(try_with_capacity::<u64>(1_000)?.capacity() >= 1_000);
/// assert!(try_with_capacity::<u64>(usize::MAX / 16).is_err());
/// # floe_runtime::Result::Ok(())
/// ```
pub fn try_with_capacity<T>(len: usize) -> Result<Vec<T>> {
    match free_list::take(len) {
        Some(vec) => Ok(vec),
        None => {
            free_list::make_room(len.saturating_mul(size_of::<T>()));
            fresh(len)
        },
    }
}

fn fresh<T>(len: usize) -> Result<Vec<T>> {
    let mut vec = Vec::new();
    if vec.try_reserve_exact(len).is_err() {
        // The free list gives its memory back before the allocation is tried once more.
        free_list::trim(0);
        vec.try_reserve_exact(len).map_err(|_| out_of_memory::<T>(len))?;
    }
    drop_backing(vec.spare_capacity_mut());
    advise_huge(&mut vec);
    Ok(vec)
}

/// Room for `additional` more elements, and no more than that.
///
/// # Errors
/// When the allocator refuses.
///
/// ```
/// let mut bytes = vec![1u8];
/// floe_runtime::alloc::try_grow(&mut bytes, 9)?;
/// assert!(bytes.capacity() >= 10);
/// # floe_runtime::Result::Ok(())
/// ```
pub fn try_grow<T>(vec: &mut Vec<T>, additional: usize) -> Result<()> {
    let len = vec.len().saturating_add(additional);
    vec.try_reserve_exact(additional).map_err(|_| out_of_memory::<T>(len))?;
    advise_huge(vec);
    Ok(())
}

/// A vector that has to grow gets room for this many times the elements it needs.
const GROWTH_FACTOR: usize = 4;
/// The factor while the result is below [`MAX_FIRST_GROWTH_BYTES`]: most columns then never grow again.
const FIRST_GROWTH_FACTOR: usize = 64;
/// The most bytes that [`FIRST_GROWTH_FACTOR`] may lead to.
const MAX_FIRST_GROWTH_BYTES: usize = 256 << 20;
/// Growing copies elements in chunks of this many bytes and frees each old chunk at once, so that memory peaks one
/// chunk higher.
const COPY_CHUNK_BYTES: usize = 4 << 20;

/// Room for `additional` more elements. If the vector has too little, it grows to several times that length: address
/// space, which takes no memory until it is written to.
///
/// # Errors
/// When the allocator refuses even what is needed now.
///
/// ```
/// let mut values = vec![1u64, 2];
/// floe_runtime::alloc::reserve_more(&mut values, 10)?;
/// assert!(values.capacity() > 12 && values == [1, 2]);
/// # floe_runtime::Result::Ok(())
/// ```
pub fn reserve_more<T: Pod>(vec: &mut Vec<T>, additional: usize) -> Result<()> {
    if vec.capacity() - vec.len() >= additional {
        return Ok(());
    }
    let need = vec.len().saturating_add(additional);
    let wanted = capacity_to_grow::<T>(need);
    let mut larger = match free_list::take_up_to(need, wanted) {
        Some(recycled) => recycled,
        None => {
            free_list::make_room(need.saturating_mul(size_of::<T>()));
            fresh(wanted).or_else(|_| fresh(need))?
        },
    };
    // Not by `realloc`: the system moves huge pages by breaking them up, which takes longer than a copy.
    for chunk in vec.chunks_mut((COPY_CHUNK_BYTES / size_of::<T>().max(1)).max(1)) {
        larger.extend_from_slice(chunk);
        release(chunk);
    }
    *vec = larger;
    Ok(())
}

/// From this size on, allocators get zeroed memory from the system, which takes nothing until it is used; less than
/// that they may have to zero.
const MIN_LAZILY_ZEROED_BYTES: usize = 32 << 20;

/// Makes `bytes` at least `known + additional` long, as [`reserve_more`] does. The first `known` bytes stay; the
/// contents of the others are arbitrary.
///
/// # Errors
/// When the allocator refuses even what is needed now.
///
/// # Panics
/// If `known` is beyond the end of `bytes`.
///
/// ```
/// let mut bytes = vec![1, 2, 3];
/// floe_runtime::alloc::grow_initialised(&mut bytes, 2, 100)?;
/// assert!(bytes.len() >= 102 && bytes[..2] == [1, 2]);
/// # floe_runtime::Result::Ok(())
/// ```
pub fn grow_initialised(bytes: &mut Vec<u8>, known: usize, additional: usize) -> Result<()> {
    let need = known.saturating_add(additional);
    if bytes.len() >= need {
        return Ok(());
    }
    if bytes.capacity() >= need {
        bytes.resize(need, 0);
        return Ok(());
    }
    let wanted = capacity_to_grow::<u8>(need);
    let mut larger = match free_list::take_initialised_up_to(need, wanted) {
        Some(recycled) => recycled,
        None if wanted >= MIN_LAZILY_ZEROED_BYTES => {
            try_initialised(wanted).or_else(|_| try_initialised(need))?
        },
        None => {
            free_list::make_room(need);
            fresh(wanted).or_else(|_| fresh(need))?
        },
    };
    larger.resize(need.max(larger.len()), 0);
    let chunks = larger.chunks_mut(COPY_CHUNK_BYTES).zip(bytes[..known].chunks_mut(COPY_CHUNK_BYTES));
    for (into, chunk) in chunks {
        into[..chunk.len()].copy_from_slice(chunk);
        release(chunk);
    }
    *bytes = larger;
    Ok(())
}

/// How many elements to take room for when `need` are needed and more may come. Where address space is limited, 1.5
/// times `need`, to leave addresses to others.
fn capacity_to_grow<T>(need: usize) -> usize {
    if is_address_space_limited() {
        return need.saturating_add(need / 2);
    }
    let first = need.saturating_mul(FIRST_GROWTH_FACTOR).min(MAX_FIRST_GROWTH_BYTES / size_of::<T>().max(1));
    need.saturating_mul(GROWTH_FACTOR).max(first)
}

/// `len` elements for readers that want initialised memory. Their contents are arbitrary: zeros, which are free where
/// the system hands out zeroed pages, or the old contents of recycled memory.
///
/// # Errors
/// When the allocator refuses.
///
/// ```
/// assert_eq!(floe_runtime::alloc::try_initialised::<u32>(7)?.len(), 7);
/// # floe_runtime::Result::Ok(())
/// ```
pub fn try_initialised<T: Pod>(len: usize) -> Result<Vec<T>> {
    let bytes = byte_len::<T>(len)?;
    if bytes == 0 {
        return Ok(Vec::new());
    }
    if let Some(vec) = free_list::take_initialised(len) {
        return Ok(vec);
    }
    free_list::make_room(bytes);
    let capacity = free_list::rounded::<T>(len);
    let layout = std::alloc::Layout::array::<T>(capacity).map_err(|_| out_of_memory::<T>(len))?;
    // SAFETY: the layout has a size, `bytes` or more, which is not zero.
    let allocate = || unsafe { std::alloc::alloc_zeroed(layout) }.cast::<T>();
    let mut start = allocate();
    if start.is_null() {
        free_list::trim(0);
        start = allocate();
    }
    if start.is_null() {
        return Err(out_of_memory::<T>(len));
    }
    debug_assert!(start.is_aligned());
    // SAFETY: the allocation has room for `capacity` elements; as elements that may be uninitialised they are
    // all valid, and nothing else refers to them yet.
    drop_backing(unsafe { std::slice::from_raw_parts_mut(start.cast::<MaybeUninit<T>>(), capacity) });
    // SAFETY: `start` was allocated by the global allocator with the layout of `capacity` elements of
    // `T`, which a vector of that capacity frees it with; all of them are zero, which is a valid `T`
    // (`Pod`), and there are at least `len`.
    let mut vec = unsafe { Vec::from_raw_parts(start, len, capacity) };
    advise_huge(&mut vec);
    Ok(vec)
}

/// Sizes below this are not probed: an allocator always has that much.
const MIN_PROBED_BYTES: usize = 1 << 20;

/// Fails when `bytes` could not be allocated now. For kernels that allocate infallibly.
///
/// # Errors
/// When the allocator refuses.
///
/// ```
/// assert!(floe_runtime::alloc::probe(1 << 30).is_ok());
/// assert!(floe_runtime::alloc::probe(usize::MAX / 2).is_err());
/// ```
pub fn probe(bytes: usize) -> Result<()> {
    if bytes > MIN_PROBED_BYTES { fresh::<u8>(bytes).map(drop) } else { Ok(()) }
}

/// The bytes of `len` elements.
///
/// # Errors
/// When they are more than there are addresses.
///
/// ```
/// assert_eq!(floe_runtime::alloc::byte_len::<u64>(3)?, 24);
/// # floe_runtime::Result::Ok(())
/// ```
pub fn byte_len<T>(len: usize) -> Result<usize> {
    len.checked_mul(size_of::<T>())
        .filter(|bytes| isize::try_from(*bytes).is_ok())
        .ok_or(Error::Overflow { values: len })
}

fn out_of_memory<T>(len: usize) -> Error {
    Error::OutOfMemory { bytes: len.saturating_mul(size_of::<T>()) }
}
