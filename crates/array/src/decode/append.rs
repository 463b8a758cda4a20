//! Arrays of simple layout, one behind another in the memory of the first.

use arrow::Either;
use arrow::array::{Array, BooleanArray, PrimitiveArray};
use arrow::bitmap::{Bitmap, MutableBitmap};
use arrow::datatypes::PhysicalType;
use arrow::types::NativeType;
use arrow::with_match_primitive_type_full;
use floe_format::{Error, Result};
use floe_runtime::alloc::reserve_more;
use polars_buffer::Buffer;

use crate::made::invalid;
use crate::{bitmaps, share};

pub(super) fn not_that_layout() -> Error {
    Error::invalid("the layout of a column changed from batch to batch")
}

/// The array by value. `Err` with the array if it is of another type.
pub(super) fn own<A: Array + Clone>(array: Box<dyn Array>) -> std::result::Result<A, Box<dyn Array>> {
    array.as_any().downcast_ref::<A>().cloned().ok_or(array)
}

/// Adds an array behind another if their layout is simple; else there are two.
pub(super) fn append(known: Box<dyn Array>, more: Box<dyn Array>) -> Result<Vec<Box<dyn Array>>> {
    if known.dtype() != more.dtype() {
        return Ok(vec![known, more]);
    }
    if let PhysicalType::Primitive(kind) = known.dtype().to_physical_type() {
        return with_match_primitive_type_full!(kind, |$T| join::<PrimitiveArray<$T>>(known, more, primitives));
    }
    if known.as_any().is::<BooleanArray>() {
        return join::<BooleanArray>(known, more, booleans);
    }
    Ok(vec![known, more])
}

fn join<A: Array + Clone>(
    known: Box<dyn Array>,
    more: Box<dyn Array>,
    join: impl FnOnce(A, A) -> Result<A>,
) -> Result<Vec<Box<dyn Array>>> {
    match (own::<A>(known), own::<A>(more)) {
        (Ok(known), Ok(more)) => Ok(vec![Box::new(join(known, more)?)]),
        _ => Err(not_that_layout()),
    }
}

fn primitives<T: NativeType>(known: PrimitiveArray<T>, more: PrimitiveArray<T>) -> Result<PrimitiveArray<T>> {
    let (dtype, values, known) = known.into_inner();
    let (_, more, added) = more.into_inner();
    let validity = join_validity((known, values.len()), (added, more.len()));
    let mut values = growable(values)?;
    reserve_more(&mut values, more.len())?;
    values.extend_from_slice(&more);
    PrimitiveArray::try_new(dtype, values.into(), validity).map_err(invalid)
}

fn booleans(known: BooleanArray, more: BooleanArray) -> Result<BooleanArray> {
    let (dtype, values, known) = known.into_inner();
    let (_, more, added) = more.into_inner();
    let validity = join_validity((known, values.len()), (added, more.len()));
    let mut values = values.make_mut();
    values.extend_from_bitmap(&more);
    BooleanArray::try_new(dtype, values.freeze(), validity).map_err(invalid)
}

/// Values that can be added to: a copy if they are not this buffer's alone.
pub(super) fn growable<T: NativeType>(values: Buffer<T>) -> Result<Vec<T>> {
    match values.into_mut() {
        Either::Right(values) => Ok(values),
        Either::Left(shared) => {
            let mut values = Vec::new();
            reserve_more(&mut values, shared.len())?;
            values.extend_from_slice(&shared);
            Ok(values)
        },
    }
}

/// Two validity bitmaps and their lengths, one behind the other.
pub(super) fn join_validity(
    (known, before): (Option<Bitmap>, usize),
    (more, added): (Option<Bitmap>, usize),
) -> Option<Bitmap> {
    if known.is_none() && more.is_none() {
        return None;
    }
    let mut out = match known {
        Some(known) => known.make_mut(),
        None => MutableBitmap::from_len_set(before),
    };
    bitmaps::extend(&mut out, [(more.as_ref(), added)]);
    Some(out.freeze())
}

/// Gives back memory that was taken for rows that never came.
pub(super) fn shrink(array: Box<dyn Array>) -> Box<dyn Array> {
    fn fit<T: NativeType>(values: Buffer<T>) -> Buffer<T> {
        match values.into_mut() {
            Either::Left(shared) => shared,
            Either::Right(mut vec) => {
                vec.shrink_to_fit();
                share(vec)
            },
        }
    }
    let PhysicalType::Primitive(kind) = array.dtype().to_physical_type() else { return array };
    with_match_primitive_type_full!(kind, |$T| {
        own::<PrimitiveArray<$T>>(array).map_or_else(|array| array, |array| {
            let (dtype, values, validity) = array.into_inner();
            Box::new(PrimitiveArray::new(dtype, fit(values), validity))
        })
    })
}
