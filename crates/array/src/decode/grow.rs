//! A column of which one part after another is decoded, nobody knows how many: onto the end of one
//! contiguous array where its layout is simple (values of one width, booleans, views), else as
//! arrays that are joined at the end.

use arrow::Either;
use arrow::array::{
    Array, BinaryViewArray, BinaryViewArrayGeneric, BooleanArray, PrimitiveArray, Utf8ViewArray, View,
    ViewType,
};
use arrow::bitmap::{Bitmap, MutableBitmap};
use arrow::compute::concatenate::concatenate;
use arrow::datatypes::PhysicalType;
use arrow::types::NativeType;
use arrow::with_match_primitive_type_full;
use floe_format::{DataType, Error, Field, Result, TimeUnit};
use polars_buffer::Buffer;

use super::ctx::lens;
use super::{DecodeCtx, decode_column, primitive};
use crate::aligned::{reserve_more, try_with_capacity};

/// What has been decoded of a column.
///
/// Memory is taken for several times of what is there when it runs out: address space, which costs
/// nothing until it is written to. [`Growing::finish`] gives the rest back.
#[derive(Default)]
pub struct Growing {
    /// The last one grows, unless its layout cannot.
    arrays: Vec<Box<dyn Array>>,
}

impl Growing {
    /// Decodes the next column of the context and adds its rows; returns how many.
    ///
    /// # Errors
    /// As [`decode_column`].
    pub fn decode(&mut self, ctx: &mut DecodeCtx<'_>, field: &Field) -> Result<usize> {
        let rows = |arrays: &[Box<dyn Array>]| arrays.iter().map(|array| array.len()).sum::<usize>();
        let before = rows(&self.arrays);
        match self.arrays.pop() {
            Some(array) if is_plain(field, array.as_ref()) => {
                let array = onto(ctx, array).map_err(|e| e.at(format!("column \"{}\"", field.name)))?;
                self.arrays.push(array);
            },
            known => {
                let more = decode_column(ctx, field)?;
                match known {
                    Some(known) => self.arrays.extend(append(known, more)?),
                    None => self.arrays.push(more),
                }
            },
        }
        Ok(rows(&self.arrays) - before)
    }

    /// All rows as one array. `None` if nothing has been decoded.
    ///
    /// # Errors
    /// When the arrays cannot be joined.
    pub fn finish(mut self) -> Result<Option<Box<dyn Array>>> {
        if self.arrays.len() > 1 {
            let arrays: Vec<&dyn Array> = self.arrays.iter().map(AsRef::as_ref).collect();
            let joined = concatenate(&arrays).map_err(|e| Error::invalid(e.to_string()))?;
            return Ok(Some(joined));
        }
        Ok(self.arrays.pop().map(shrink))
    }
}

/// Whether the field's values lie in their buffer as they do in the array.
fn is_plain(field: &Field, array: &dyn Array) -> bool {
    let plain = match &field.data_type {
        DataType::Int(_) | DataType::Float(_) | DataType::Date32 | DataType::Date64 => true,
        DataType::Timestamp { unit, .. } | DataType::Duration(unit) => *unit != TimeUnit::Second,
        _ => false,
    };
    let primitive = matches!(array.dtype().to_physical_type(), PhysicalType::Primitive(_));
    plain && primitive && field.dictionary.is_none()
}

/// Decodes values of one width behind those there are.
fn onto(ctx: &mut DecodeCtx<'_>, array: Box<dyn Array>) -> Result<Box<dyn Array>> {
    match array.dtype().to_physical_type() {
        PhysicalType::Primitive(kind) => with_match_primitive_type_full!(kind, |$T| {
            primitive_onto::<$T>(ctx, array)
        }),
        _ => Err(not_that_layout()),
    }
}

fn primitive_onto<T: NativeType>(ctx: &mut DecodeCtx<'_>, array: Box<dyn Array>) -> Result<Box<dyn Array>> {
    let array: PrimitiveArray<T> = own(array).map_err(|_| not_that_layout())?;
    let (_, values, known) = array.into_inner();
    let before = values.len();
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let values = ctx.fixed_onto(growable(values)?, &lens(&nodes))?;
    let more = validity.read(ctx, &nodes)?;
    let validity = join_validity((known, before), (more, values.len() - before));
    primitive::array(values, validity)
}

fn not_that_layout() -> Error {
    Error::invalid("the layout of a column changed from batch to batch")
}

/// The array itself, of which no other clone is left.
fn own<A: Array + Clone>(array: Box<dyn Array>) -> std::result::Result<A, Box<dyn Array>> {
    array.as_any().downcast_ref::<A>().cloned().ok_or(array)
}

/// Adds an array behind another if their layout is simple; else there are two.
fn append(known: Box<dyn Array>, more: Box<dyn Array>) -> Result<Vec<Box<dyn Array>>> {
    if known.dtype() != more.dtype() {
        return Ok(vec![known, more]);
    }
    match known.dtype().to_physical_type() {
        PhysicalType::Boolean => join::<BooleanArray>(known, more, booleans),
        PhysicalType::Utf8View => join::<Utf8ViewArray>(known, more, views),
        PhysicalType::BinaryView => join::<BinaryViewArray>(known, more, views),
        PhysicalType::Primitive(kind) => with_match_primitive_type_full!(kind, |$T| {
            join::<PrimitiveArray<$T>>(known, more, primitives)
        }),
        _ => Ok(vec![known, more]),
    }
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
    PrimitiveArray::try_new(dtype, values.into(), validity).map_err(|e| Error::invalid(e.to_string()))
}

fn booleans(known: BooleanArray, more: BooleanArray) -> Result<BooleanArray> {
    let (dtype, values, known) = known.into_inner();
    let (_, more, added) = more.into_inner();
    let validity = join_validity((known, values.len()), (added, more.len()));
    let mut values = values.make_mut();
    values.extend_from_bitmap(&more);
    BooleanArray::try_new(dtype, values.freeze(), validity).map_err(|e| Error::invalid(e.to_string()))
}

fn views<T: ViewType + ?Sized>(
    known: BinaryViewArrayGeneric<T>,
    more: BinaryViewArrayGeneric<T>,
) -> Result<BinaryViewArrayGeneric<T>> {
    let (values, buffers, known, _, _) = known.into_inner();
    let (added, added_buffers, added_validity, _, _) = more.into_inner();
    let validity = join_validity((known, values.len()), (added_validity, added.len()));
    let too_many = |_| Error::unsupported("more than 2^32 data buffers");
    let base = u32::try_from(buffers.len()).map_err(too_many)?;
    u32::try_from(buffers.len() + added_buffers.len()).map_err(too_many)?;
    let mut values = growable(values)?;
    reserve_more(&mut values, added.len())?;
    values.extend(added.iter().map(|view| match view {
        long if long.length > View::MAX_INLINE_SIZE => View { buffer_idx: long.buffer_idx + base, ..*long },
        short => *short,
    }));
    let mut buffers = buffers.to_vec();
    for buffer in added_buffers.iter() {
        buffers.push(without_neighbours(buffer)?);
    }
    let total = buffers.iter().map(Buffer::len).sum();
    // SAFETY: the views of both arrays are sound. Those of the second point at the same bytes as
    // before: its buffers come behind the `base` buffers of the first, and their indices were below
    // the number of its buffers, so that the sum does not overflow (checked above). Short views
    // point at nothing.
    let array = unsafe {
        BinaryViewArrayGeneric::new_unchecked(
            T::DATA_TYPE,
            values.into(),
            buffers.into(),
            validity,
            None,
            total,
        )
    };
    Ok(array)
}

/// A buffer that does not keep much more memory than its own alive.
fn without_neighbours(buffer: &Buffer<u8>) -> Result<Buffer<u8>> {
    let kept = buffer.offset() + buffer.clone().expand_end_to_storage().len();
    if buffer.len() >= kept / 2 {
        return Ok(buffer.clone());
    }
    let mut out = try_with_capacity(buffer.len())?;
    out.extend_from_slice(buffer);
    Ok(out.into())
}

/// Values that can be added to: a copy if they are not this buffer's alone.
fn growable<T: NativeType>(values: Buffer<T>) -> Result<Vec<T>> {
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
fn join_validity(
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
    match more {
        Some(more) => out.extend_from_bitmap(&more),
        None => out.extend_constant(added, true),
    }
    Some(out.freeze())
}

/// Gives back what was taken for rows that never came.
fn shrink(array: Box<dyn Array>) -> Box<dyn Array> {
    fn fit<T: Copy>(values: Buffer<T>) -> Buffer<T> {
        match values.into_mut() {
            Either::Left(shared) => shared,
            Either::Right(mut vec) => {
                vec.shrink_to_fit();
                vec.into()
            },
        }
    }
    fn fit_views<T: ViewType + ?Sized>(array: BinaryViewArrayGeneric<T>) -> Box<dyn Array> {
        let (views, buffers, validity, bytes, total) = array.into_inner();
        // SAFETY: the same views, buffers and validity.
        let array = unsafe {
            BinaryViewArrayGeneric::<T>::new_unchecked(
                T::DATA_TYPE,
                fit(views),
                buffers,
                validity,
                bytes,
                total,
            )
        };
        Box::new(array)
    }
    match array.dtype().to_physical_type() {
        PhysicalType::Utf8View => own::<Utf8ViewArray>(array).map_or_else(|array| array, fit_views),
        PhysicalType::BinaryView => own::<BinaryViewArray>(array).map_or_else(|array| array, fit_views),
        PhysicalType::Primitive(kind) => with_match_primitive_type_full!(kind, |$T| {
            own::<PrimitiveArray<$T>>(array).map_or_else(|array| array, |array| {
                let (dtype, values, validity) = array.into_inner();
                Box::new(PrimitiveArray::new(dtype, fit(values), validity))
            })
        }),
        _ => array,
    }
}
