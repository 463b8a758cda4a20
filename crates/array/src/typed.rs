//! Bytes as typed buffers: a view into the source where its alignment allows, one copy where not.

use std::mem::MaybeUninit;

use arrow::types::NativeType;
use floe_format::{Error, Result};
use floe_runtime::alloc::{byte_len, try_with_capacity};
use polars_buffer::{Buffer, SharedStorage};

use crate::share::share;

/// The first `len` elements of `bytes`, without a copy if `bytes` is aligned for `T`.
///
/// # Errors
/// When `bytes` is too short.
pub(crate) fn typed<T: NativeType>(bytes: Buffer<u8>, len: usize) -> Result<Buffer<T>> {
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

/// As [`typed`], but a slice of the storage of `bytes`, so that nothing is allocated. For values without a bitmap only:
/// the C data interface has one offset for values and bitmap, and copies a bitmap that has another one.
pub(crate) fn typed_slice<T: NativeType>(bytes: Buffer<u8>, len: usize) -> Result<Buffer<T>> {
    let start = bytes.storage_ptr().cast::<T>();
    let offset = bytes.offset();
    if !start.is_aligned() || !offset.is_multiple_of(size_of::<T>()) || bytes.len() < byte_len::<T>(len)? {
        return typed(bytes, len);
    }
    let first = offset / size_of::<T>();
    // SAFETY: the storage is aligned (checked above), every bit pattern is a `T` (`Pod`), and as many values as fit into
    // it are fewer bytes than it has. The storage keeps how its memory is given back, whatever its type.
    let storage = unsafe { bytes.into_storage().transmute_unchecked::<T>() };
    Ok(Buffer::from_storage(storage).sliced(first..first + len))
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
        // The memory outlives the buffer it was a part of, and is freed with the last of its slices.
        let slice = typed_slice::<u64>(storage.sliced(8..800), 99).unwrap();
        assert_eq!(slice.as_slice(), &values[1..]);
    }
}
