//! Values of a plain field as the bytes that they are, to read them where they stay.

use arrow::array::{Array, PrimitiveArray};
use arrow::bitmap::Bitmap;
use arrow::datatypes::{PhysicalType, PrimitiveType};
use arrow::with_match_primitive_type_full;
use floe_format::Result;
use floe_runtime::alloc::{byte_len, grow_initialised};

use super::append::{not_that_layout, own};
use super::primitive;
use crate::share;
use crate::typed::typed;

/// An array's values as bytes, with room for more behind them, and its validity.
pub(super) fn to_bytes(array: Box<dyn Array>) -> Result<(PrimitiveType, Vec<u8>, Option<Bitmap>)> {
    let PhysicalType::Primitive(kind) = array.dtype().to_physical_type() else {
        return Err(not_that_layout());
    };
    with_match_primitive_type_full!(kind, |$T| {
        let array: PrimitiveArray<$T> = own(array).map_err(|_| not_that_layout())?;
        let (_, values, validity) = array.into_inner();
        let values: &[u8] = bytemuck::cast_slice(values.as_slice());
        let mut bytes = Vec::new();
        grow_initialised(&mut bytes, 0, values.len())?;
        bytes[..values.len()].copy_from_slice(values);
        Ok((kind, bytes, validity))
    })
}

/// Values out of their bytes: the same memory, if it is aligned for them.
pub(super) fn of_bytes(
    kind: PrimitiveType,
    mut bytes: Vec<u8>,
    rows: usize,
    validity: Option<Bitmap>,
) -> Result<Box<dyn Array>> {
    bytes.truncate(byte_len_of(kind, rows)?);
    bytes.shrink_to_fit();
    with_match_primitive_type_full!(kind, |$T| primitive::array(typed::<$T>(share(bytes), rows)?, validity))
}

pub(super) fn byte_len_of(kind: PrimitiveType, rows: usize) -> Result<usize> {
    with_match_primitive_type_full!(kind, |$T| Ok(byte_len::<$T>(rows)?))
}
