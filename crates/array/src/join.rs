//! Arrays one behind another, as one.
#![warn(clippy::wildcard_enum_match_arm)]

use arrow::array::{
    Array, BinaryArray, BinaryViewArrayGeneric, BooleanArray, FixedSizeListArray, ListArray, NullArray,
    PrimitiveArray, StructArray, Utf8Array, View, ViewType,
};
use arrow::bitmap::Bitmap;
use arrow::datatypes::PhysicalType;
use arrow::offset::OffsetsBuffer;
use arrow::types::{NativeType, PrimitiveType};
use arrow::with_match_primitive_type_full;
use floe_format::{Error, Result};
use polars_buffer::Buffer;

use crate::charge::{Charge, Uncharged};

use crate::made::{boxed, invalid, of, primitive_width, too_many_buffers};
use crate::{bitmaps, share};

/// The rows of several arrays of one type, one behind another. They go to memory that is [kept](floe_runtime::recycle) for
/// what is joined next. Not by Polars' kernel: that aborts the process where memory runs out.
///
/// # Errors
/// If there is none, their types differ, or memory runs out.
///
/// ```
/// use arrow::array::{Array, PrimitiveArray};
///
/// let arrays = [vec![1i64, 2], vec![3]].map(|values| PrimitiveArray::from_vec(values).boxed());
/// let joined = floe_array::join(&arrays)?;
/// assert_eq!(joined, PrimitiveArray::from_vec(vec![1i64, 2, 3]).boxed());
/// assert!(floe_array::join(&[]).is_err());
/// # floe_format::Result::Ok(())
/// ```
pub fn join(arrays: &[Box<dyn Array>]) -> Result<Box<dyn Array>> {
    join_charged(arrays, &Uncharged)
}

/// As [`join`]. Allocations are charged first.
pub(crate) fn join_charged(arrays: &[Box<dyn Array>], charge: &dyn Charge) -> Result<Box<dyn Array>> {
    let first = match arrays {
        [one] => return Ok(one.clone()),
        [first, ..] => first,
        [] => return Err(nothing()),
    };
    if arrays.iter().any(|array| array.dtype() != first.dtype()) {
        return Err(Error::invalid("arrays of different types cannot be joined"));
    }
    let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    join_all(&arrays, charge)
}

/// The bytes that the offsets of each array use, one array after another.
fn join_bytes<'a>(
    arrays: impl Iterator<Item = (&'a OffsetsBuffer<i64>, &'a Buffer<u8>)> + Clone,
    charge: &dyn Charge,
) -> Result<Buffer<u8>> {
    let mut out = charge.vec::<u8>(total(arrays.clone().map(|(offsets, _)| range(offsets).len()))?)?;
    for (offsets, values) in arrays {
        let used = values.get(range(offsets));
        out.extend_from_slice(used.ok_or_else(|| Error::invalid("bytes end behind their buffer"))?);
    }
    Ok(share(out))
}

/// Bytes that an array takes in a joined one, over-estimated: its values at every depth, and a bit each for validities.
pub(crate) fn cost(array: &dyn Array) -> usize {
    let own = match array.dtype().to_physical_type() {
        PhysicalType::Primitive(kind) => primitive_width(kind),
        PhysicalType::BinaryView | PhysicalType::Utf8View => size_of::<View>(),
        PhysicalType::LargeBinary | PhysicalType::LargeUtf8 | PhysicalType::LargeList => size_of::<i64>(),
        PhysicalType::Null
        | PhysicalType::Boolean
        | PhysicalType::Binary
        | PhysicalType::FixedSizeBinary
        | PhysicalType::Utf8
        | PhysicalType::List
        | PhysicalType::FixedSizeList
        | PhysicalType::Struct
        | PhysicalType::Union
        | PhysicalType::Map
        | PhysicalType::Dictionary(_) => 0,
    };
    let any = array.as_any();
    let below = if let Some(array) = any.downcast_ref::<BinaryArray<i64>>() {
        range(array.offsets()).len()
    } else if let Some(array) = any.downcast_ref::<Utf8Array<i64>>() {
        range(array.offsets()).len()
    } else if let Some(array) = any.downcast_ref::<ListArray<i64>>() {
        let used = range(array.offsets());
        cost(array.values().sliced(used.start, used.len()).as_ref())
    } else if let Some(array) = any.downcast_ref::<FixedSizeListArray>() {
        cost(array.values().as_ref())
    } else if let Some(array) = any.downcast_ref::<StructArray>() {
        array.values().iter().fold(0usize, |sum, field| sum.saturating_add(cost(field.as_ref())))
    } else {
        0
    };
    // A bit each for booleans and for validities.
    (own.saturating_mul(array.len())).saturating_add(array.len() / 4).saturating_add(below)
}

/// Arrays of one type: at least one.
fn join_all(arrays: &[&dyn Array], charge: &dyn Charge) -> Result<Box<dyn Array>> {
    let filled: Vec<&dyn Array> = arrays.iter().copied().filter(|array| !array.is_empty()).collect();
    let first = match (filled.as_slice(), arrays) {
        ([one], _) | ([], [one, ..]) => return Ok(one.to_boxed()),
        ([first, ..], _) => *first,
        ([], []) => return Err(nothing()),
    };
    let arrays = filled.as_slice();
    let (dtype, rows) = (first.dtype().clone(), total(arrays.iter().map(|array| array.len()))?);
    let validity = join_validities(arrays, rows, charge)?;
    match dtype.to_physical_type() {
        PhysicalType::Null => {
            charge.unbacked_rows(rows)?;
            Ok(Box::new(NullArray::new(dtype, rows)))
        },
        PhysicalType::Boolean => {
            let mut out = charge.bits(rows)?;
            for array in all::<BooleanArray>(arrays)? {
                out.extend_from_bitmap(array.values());
            }
            boxed(BooleanArray::try_new(dtype, out.freeze(), validity))
        },
        // The macro panics on these, which decoding does not make.
        PhysicalType::Primitive(
            kind @ (PrimitiveType::Int256
            | PrimitiveType::DaysMs
            | PrimitiveType::MonthDayNano
            | PrimitiveType::MonthDayMillis),
        ) => Err(Error::unsupported(format!("arrays of {kind:?} cannot be joined"))),
        PhysicalType::Primitive(kind) => with_match_primitive_type_full!(kind, |$T| {
            let values = join_numbers::<$T>(arrays, rows, charge)?;
            boxed(PrimitiveArray::try_new(dtype, values, validity))
        }),
        PhysicalType::BinaryView => join_views::<[u8]>(&all(arrays)?, rows, validity, charge),
        PhysicalType::Utf8View => join_views::<str>(&all(arrays)?, rows, validity, charge),
        PhysicalType::LargeBinary => {
            let arrays = all::<BinaryArray<i64>>(arrays)?;
            let offsets = join_offsets(arrays.iter().map(|array| array.offsets()), rows, charge)?;
            let parts = arrays.iter().map(|array| (array.offsets(), array.values()));
            boxed(BinaryArray::try_new(dtype, offsets, join_bytes(parts, charge)?, validity))
        },
        // The texts of dictionaries, at the oldest compat level.
        PhysicalType::LargeUtf8 => {
            let arrays = all::<Utf8Array<i64>>(arrays)?;
            let offsets = join_offsets(arrays.iter().map(|array| array.offsets()), rows, charge)?;
            let parts = arrays.iter().map(|array| (array.offsets(), array.values()));
            boxed(Utf8Array::try_new(dtype, offsets, join_bytes(parts, charge)?, validity))
        },
        PhysicalType::LargeList => join_lists(&all(arrays)?, rows, validity, charge),
        PhysicalType::FixedSizeList => {
            let parts = all::<FixedSizeListArray>(arrays)?.into_iter().map(|array| array.values().clone());
            let values = join_boxed(parts.collect(), charge)?;
            boxed(FixedSizeListArray::try_new(dtype, rows, values, validity))
        },
        PhysicalType::Struct => join_structs(&all(arrays)?, rows, validity, charge),
        other @ (PhysicalType::Binary
        | PhysicalType::FixedSizeBinary
        | PhysicalType::Utf8
        | PhysicalType::List
        | PhysicalType::Union
        | PhysicalType::Map
        | PhysicalType::Dictionary(_)) => {
            Err(Error::unsupported(format!("arrays of the layout {other:?} cannot be joined")))
        },
    }
}

fn join_lists(
    arrays: &[&ListArray<i64>],
    rows: usize,
    validity: Option<Bitmap>,
    charge: &dyn Charge,
) -> Result<Box<dyn Array>> {
    let Some(first) = arrays.first() else { return Err(nothing()) };
    let offsets = join_offsets(arrays.iter().map(|array| array.offsets()), rows, charge)?;
    let used = arrays.iter().map(|array| {
        let used = range(array.offsets());
        array.values().sliced(used.start, used.len())
    });
    let values = join_boxed(used.collect(), charge)?;
    boxed(ListArray::try_new(first.dtype().clone(), offsets, values, validity))
}

fn join_structs(
    arrays: &[&StructArray],
    rows: usize,
    validity: Option<Bitmap>,
    charge: &dyn Charge,
) -> Result<Box<dyn Array>> {
    let Some(first) = arrays.first() else { return Err(nothing()) };
    let fields = first.values().len();
    if fields == 0 {
        charge.unbacked_rows(rows)?;
    }
    let field = |i: usize| {
        // All have as many fields: they are of one type.
        let parts = arrays.iter().filter_map(|array| array.values().get(i));
        join_boxed(parts.cloned().collect(), charge)
    };
    let fields = (0..fields).map(field).collect::<Result<Vec<_>>>()?;
    boxed(StructArray::try_new(first.dtype().clone(), rows, fields, validity))
}

fn nothing() -> Error {
    Error::invalid("there is no array to be joined with others")
}

fn join_boxed(arrays: Vec<Box<dyn Array>>, charge: &dyn Charge) -> Result<Box<dyn Array>> {
    let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    join_all(&arrays, charge)
}

/// The arrays as the type that their data type stands for.
fn all<'a, A: 'static>(arrays: &[&'a dyn Array]) -> Result<Vec<&'a A>> {
    arrays.iter().map(|array| of(*array)).collect()
}

fn total(mut lens: impl Iterator<Item = usize>) -> Result<usize> {
    let sum = lens.try_fold(0usize, usize::checked_add).filter(|sum| isize::try_from(*sum).is_ok());
    sum.ok_or_else(|| Error::invalid("arrays are together longer than memory has addresses"))
}

/// The range of values that the offsets use.
fn range(offsets: &OffsetsBuffer<i64>) -> std::ops::Range<usize> {
    // Arrays are made with offsets that do not fall and are not negative.
    let at = |offset: &i64| usize::try_from(*offset).unwrap_or_default();
    at(offsets.first())..at(offsets.last())
}

fn join_validities(arrays: &[&dyn Array], rows: usize, charge: &dyn Charge) -> Result<Option<Bitmap>> {
    if arrays.iter().all(|array| array.null_count() == 0) {
        return Ok(None);
    }
    let mut out = charge.bits(rows)?;
    bitmaps::extend(&mut out, arrays.iter().map(|array| (array.validity(), array.len())));
    Ok(Some(out.freeze()))
}

fn join_numbers<T: NativeType>(arrays: &[&dyn Array], rows: usize, charge: &dyn Charge) -> Result<Buffer<T>> {
    let mut values = charge.vec::<T>(rows)?;
    for array in all::<PrimitiveArray<T>>(arrays)? {
        values.extend_from_slice(array.values());
    }
    Ok(share(values))
}

fn join_offsets<'a>(
    parts: impl Iterator<Item = &'a OffsetsBuffer<i64>>,
    rows: usize,
    charge: &dyn Charge,
) -> Result<OffsetsBuffer<i64>> {
    let overflow = || Error::invalid("lists are together longer than their offsets can tell");
    let mut out = charge.vec::<i64>(total([rows, 1].into_iter())?)?;
    out.push(0);
    for part in parts {
        // The 0 above, or the end of the part before.
        let base = out.last().copied().unwrap_or_default();
        let (first, last) = (*part.first(), *part.last());
        base.checked_add(last - first).ok_or_else(overflow)?;
        out.extend(part.iter().skip(1).map(|offset| base + (offset - first)));
    }
    OffsetsBuffer::try_from(share(out)).map_err(invalid)
}

/// The views of all arrays over the buffers of all. Neighbours that share their buffers go on sharing them.
fn join_views<T: ViewType + ?Sized>(
    arrays: &[&BinaryViewArrayGeneric<T>],
    rows: usize,
    validity: Option<Bitmap>,
    charge: &dyn Charge,
) -> Result<Box<dyn Array>> {
    // Of an array without values beyond those that views hold, buffers need not be kept.
    let has_data = |array: &BinaryViewArrayGeneric<T>| array.total_buffer_len() > 0;
    let count = total(arrays.iter().filter(|array| has_data(array)).map(|array| array.data_buffers().len()))?;
    let mut buffers = charge.vec::<Buffer<u8>>(count)?;
    let mut views = charge.vec::<View>(rows)?;
    let mut last: Option<(&Buffer<Buffer<u8>>, u32)> = None;
    for array in arrays {
        if !has_data(array) {
            views.extend_from_slice(array.views());
            continue;
        }
        let own = array.data_buffers();
        let base = match last {
            Some((known, base)) if known.is_same_buffer(own) => base,
            _ => {
                let base = u32::try_from(buffers.len()).ok();
                buffers.extend(own.iter().cloned());
                let end = u32::try_from(buffers.len()).ok();
                base.filter(|_| end.is_some()).ok_or_else(too_many_buffers)?
            },
        };
        last = Some((own, base));
        views.extend(array.views().iter().map(|view| {
            let is_inline = view.length <= View::MAX_INLINE_SIZE;
            View { buffer_idx: if is_inline { view.buffer_idx } else { view.buffer_idx + base }, ..*view }
        }));
    }
    let len = buffers.iter().map(Buffer::len).sum();
    let dtype = T::DATA_TYPE;
    // SAFETY: each view is one of an array, whose buffers stand in the same order behind `base` others.
    let joined = unsafe {
        BinaryViewArrayGeneric::<T>::new_unchecked(dtype, share(views), buffers.into(), validity, None, len)
    };
    Ok(Box::new(joined))
}

#[cfg(test)]
mod tests {
    use arrow::array::Utf8ViewArray;
    use arrow::compute::concatenate::concatenate;
    use arrow::datatypes::{ArrowDataType, TimeUnit};

    use super::*;

    #[test]
    fn joined_is_as_polars_concatenates() {
        let timestamp = ArrowDataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let numbers: Vec<Option<i64>> = (0..300_000).map(|i| (i % 7 > 0).then_some(i)).collect();
        let numbers = PrimitiveArray::from(numbers).to(timestamp).boxed();
        let texts = Utf8ViewArray::from_slice_values(vec!["a text that is not inlined"; 300_000]).boxed();
        let floats = PrimitiveArray::from_vec((0u16..60_000).map(f32::from).collect()).boxed();
        let words: Vec<String> = (0..30_000).map(|i| format!("wörd {i}")).collect();
        let offsets = Utf8Array::<i64>::from_slice(&words).boxed();
        for array in [numbers, texts, floats, offsets] {
            let end = array.len();
            let cuts = [(0, 5), (5, 8), (8, 8), (9, 1_000), (1_000, end)];
            let arrays: Vec<_> = cuts.iter().map(|(from, to)| array.sliced(*from, to - from)).collect();
            let refs: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
            let joined = join(&arrays).unwrap();
            assert_eq!(joined, concatenate(&refs).unwrap());
            assert_eq!(joined.dtype(), array.dtype());
        }
    }

    #[test]
    fn arrays_of_different_types_are_not_joined() {
        let arrays =
            [PrimitiveArray::from_vec(vec![1i64]).boxed(), PrimitiveArray::from_vec(vec![1u64]).boxed()];
        assert!(join(&arrays).is_err());
    }
}
