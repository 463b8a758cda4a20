//! Vectors as shared buffers, whose memory is used again when the last one that holds it goes.

use arrow::types::NativeType;
use floe_runtime::Region;
use floe_runtime::recycle::Recycled;
use polars_buffer::{Buffer, SharedStorage};

/// A buffer of the vector's values. Large ones return their memory to [`recycle`](floe_runtime::recycle).
///
/// ```
/// use floe_array::share;
///
/// assert_eq!(share(vec![1u32, 2, 3]).as_slice(), [1, 2, 3]);
/// ```
#[must_use]
pub fn share<T: NativeType>(vec: Vec<T>) -> Buffer<T> {
    let recycled = match Recycled::new(vec) {
        Ok(recycled) => recycled,
        Err(vec) => return vec.into(),
    };
    let (start, len) = (recycled.as_slice().as_ptr(), recycled.as_slice().len());
    // SAFETY: the values stay where they are as long as `recycled` lives, which the storage owns, and it lets nobody
    // write to them.
    Buffer::from_storage(unsafe {
        SharedStorage::from_slice_with_owner(std::slice::from_raw_parts(start, len), recycled)
    })
}

/// The first `len` bytes of a region (all, if there are fewer), without a copy.
///
/// ```
/// use floe_array::share_region;
/// use floe_runtime::Region;
///
/// let mut region = Region::new(5 << 20)?;
/// region.as_mut_slice()[..2].copy_from_slice(b"ab");
/// assert_eq!(share_region(region, 2).as_slice(), b"ab");
/// # floe_runtime::Result::Ok(())
/// ```
#[must_use]
pub fn share_region(region: Region, len: usize) -> Buffer<u8> {
    let (memory, range) = region.into_parts(len);
    share(memory).sliced(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_where_they_are_until_the_last_buffer_goes() {
        for len in [3, 1 << 20] {
            let vec: Vec<u64> = (0..len).collect();
            let start = vec.as_ptr();
            let buffer = share(vec);
            assert_eq!((buffer.as_slice().as_ptr(), buffer.len() as u64), (start, len));
            let slice = buffer.clone().sliced(1..3);
            drop(buffer);
            assert_eq!(slice.as_slice(), [1, 2]);
        }
    }
}
