//! Conversions that every layout needs: arrays to their type, and values to bytes.

use arrow::array::Array;
use floe_format::{Error, Result};
use polars_buffer::Buffer;

/// Any buffer of plain values, as bytes.
pub(super) fn as_bytes<T: arrow::types::NativeType>(buffer: Buffer<T>) -> Buffer<u8> {
    match buffer.try_transmute::<u8>() {
        Ok(bytes) => bytes,
        // Alignment of bytes is always right; a copy is still better than a panic.
        Err(buffer) => bytemuck::cast_slice::<T, u8>(&buffer).to_vec().into(),
    }
}

/// The array as the type that the wire type asks for.
pub(super) fn down<A: 'static>(array: &dyn Array) -> Result<&A> {
    array.as_any().downcast_ref::<A>().ok_or_else(|| {
        Error::invalid(format!("an array of type {:?} does not match the schema", array.dtype()))
    })
}
