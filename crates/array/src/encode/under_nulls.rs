//! Values that arrays hold under nulls, and how they are left out.
//!
//! A null struct or fixed-size list has values below it all the same, and a null list may have some. No row refers to
//! them: a filter, a join or `when/then` has left them behind. So children of a struct or a fixed-size list are null where
//! their parent is, as when Polars propagates nulls, and a null list becomes empty. Numbers and booleans under nulls are
//! written as zeros, strings and bytes as empty ones.
//!
//! Code that looks at nested arrays before they are encoded, as for the categories in use, must use these functions too.

use std::borrow::Cow;
use std::ops::Range;

use arrow::array::builder::{ShareStrategy, make_builder};
use arrow::array::{Array, BinaryArray, FixedSizeListArray, ListArray, StructArray};
use arrow::bitmap::{Bitmap, BitmapBuilder, and};
use arrow::offset::OffsetsBuffer;
use floe_format::{Error, Result};
use floe_runtime::alloc::try_with_capacity;

use crate::made::invalid;
use crate::share;

fn nulls(validity: Option<&Bitmap>) -> Option<&Bitmap> {
    validity.filter(|validity| validity.unset_bits() > 0)
}

/// An array that is null wherever `outer` is.
fn below(array: &dyn Array, outer: &Bitmap) -> Box<dyn Array> {
    let both = match nulls(array.validity()) {
        None => outer.clone(),
        Some(own) => and(own, outer),
    };
    array.with_validity(Some(both))
}

/// The fields' arrays of a struct, null where the struct is.
///
/// ```
/// use arrow::array::{Array, PrimitiveArray, StructArray};
/// use arrow::datatypes::{ArrowDataType, Field};
/// use floe_array::encode::under_nulls;
///
/// let field = Field::new("a".into(), ArrowDataType::Int64, true);
/// let values = PrimitiveArray::from_vec(vec![1i64, 2, 3]).boxed();
/// let validity = Some([true, false, true].into_iter().collect());
/// let array = StructArray::new(ArrowDataType::Struct(vec![field]), 3, vec![values], validity);
/// let fields: Vec<_> = under_nulls::fields(&array).collect();
/// assert_eq!(fields[0].null_count(), 1);
/// ```
pub fn fields(array: &StructArray) -> impl Iterator<Item = Box<dyn Array>> {
    let outer = nulls(array.validity());
    array.values().iter().map(move |values| match outer {
        None => values.clone(),
        Some(outer) => below(values.as_ref(), outer),
    })
}

/// The items of fixed-size lists, null where the lists are.
///
/// ```
/// use arrow::array::{Array, FixedSizeListArray, PrimitiveArray};
/// use floe_array::encode::under_nulls;
///
/// let items = PrimitiveArray::from_vec(vec![1i64, 2, 3, 4]).boxed();
/// let dtype = FixedSizeListArray::default_datatype(items.dtype().clone(), 2);
/// let array = FixedSizeListArray::new(dtype, 2, items, Some([true, false].into_iter().collect()));
/// assert_eq!(under_nulls::items(&array).null_count(), 2);
/// ```
#[must_use]
pub fn items(array: &FixedSizeListArray) -> Box<dyn Array> {
    let items = array.values();
    item_validity(array).map_or_else(|| items.clone(), |outer| below(items.as_ref(), &outer))
}

/// Whether the list of each item is there. `None` if all are.
pub(super) fn item_validity(array: &FixedSizeListArray) -> Option<Bitmap> {
    let items = array.values();
    let outer = nulls(array.validity()).filter(|_| !items.is_empty())?;
    let mut each = BitmapBuilder::with_capacity(items.len());
    outer.iter().for_each(|valid| each.extend_constant(array.size(), valid));
    Some(each.freeze())
}

/// The lists, with null ones empty.
///
/// # Errors
/// When memory runs out, or the offsets are not in order.
///
/// ```
/// use arrow::array::{Array, ListArray, PrimitiveArray};
/// use arrow::offset::OffsetsBuffer;
/// use floe_array::encode::under_nulls;
///
/// let items = PrimitiveArray::from_vec(vec![1i64, 2, 3, 4]).boxed();
/// let dtype = ListArray::<i64>::default_datatype(items.dtype().clone());
/// let offsets = OffsetsBuffer::try_from(vec![0, 1, 3, 4]).unwrap();
/// let validity = Some([true, false, true].into_iter().collect());
/// let array = ListArray::new(dtype, offsets, items, validity);
/// let held = under_nulls::lists(&array)?;
/// assert_eq!(held.offsets().as_slice(), [0, 1, 1, 2]);
/// assert_eq!(held.values().as_ref(), PrimitiveArray::from_vec(vec![1i64, 4]).boxed().as_ref());
/// # floe_format::Result::Ok(())
/// ```
pub fn lists(array: &ListArray<i64>) -> Result<Cow<'_, ListArray<i64>>> {
    let Some(Compacted { offsets, runs }) = compacted(array.offsets().buffer(), array.validity())? else {
        return Ok(Cow::Borrowed(array));
    };
    let values = array.values().as_ref();
    let mut builder = make_builder(values.dtype());
    for run in runs {
        if run.end > values.len() {
            return Err(Error::invalid("a list ends behind its values"));
        }
        builder.subslice_extend(values, run.start, run.len(), ShareStrategy::Always);
    }
    let (values, validity) = (builder.freeze_reset(), array.validity().cloned());
    let made = ListArray::try_new(array.dtype().clone(), offsets, values, validity);
    made.map(Cow::Owned).map_err(invalid)
}

/// The bytes, with null ones empty.
pub(super) fn binaries(array: &BinaryArray<i64>) -> Result<Cow<'_, BinaryArray<i64>>> {
    let Some(Compacted { offsets, runs }) = compacted(array.offsets().buffer(), array.validity())? else {
        return Ok(Cow::Borrowed(array));
    };
    let mut values = try_with_capacity::<u8>(runs.iter().map(Range::len).sum())?;
    for run in runs {
        let run = array.values().get(run).ok_or_else(|| Error::invalid("bytes end behind their buffer"))?;
        values.extend_from_slice(run);
    }
    let made = BinaryArray::try_new(array.dtype().clone(), offsets, share(values), array.validity().cloned());
    made.map(Cow::Owned).map_err(invalid)
}

/// Offsets and values when nulls have no values.
struct Compacted {
    offsets: OffsetsBuffer<i64>,
    /// The ranges of values that stay.
    runs: Vec<Range<usize>>,
}

/// `None` if no null has any value.
fn compacted(offsets: &[i64], validity: Option<&Bitmap>) -> Result<Option<Compacted>> {
    let Some(validity) = nulls(validity) else { return Ok(None) };
    let rows = || offsets.windows(2).zip(validity);
    let holds = |(row, valid): (&[i64], bool)| !valid && row.first() != row.last();
    if !rows().any(holds) {
        return Ok(None);
    }
    let out_of_order = || Error::invalid("offsets are not in order");
    let mut runs: Vec<Range<usize>> = Vec::new();
    let (mut end, mut ends) = (0, try_with_capacity::<i64>(offsets.len())?);
    ends.push(end);
    for (row, valid) in rows() {
        if let (&[from, to], true) = (row, valid) {
            let from = usize::try_from(from).map_err(|_| out_of_order())?;
            let to = usize::try_from(to).ok().filter(|to| *to >= from).ok_or_else(out_of_order)?;
            match runs.last_mut() {
                Some(run) if run.end == from => run.end = to,
                _ if from == to => {},
                _ => runs.push(from..to),
            }
            end += i64::try_from(to - from).map_err(|_| out_of_order())?;
        }
        ends.push(end);
    }
    let offsets = OffsetsBuffer::try_from(ends).map_err(invalid)?;
    Ok(Some(Compacted { offsets, runs }))
}
