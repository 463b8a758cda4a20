//! Helpers of layouts that gather values: dictionaries, unions, runs, list views.

use arrow::array::{Array, PrimitiveArray};
use arrow::bitmap::Bitmap;
use arrow::datatypes::ArrowDataType;
use floe_format::{Error, Result};
use polars_utils::IdxSize;

use super::DecodeCtx;

/// `values[i]` for each index, null where `validity` says so.
///
/// The caller has checked that every valid index is below `values.len()`.
pub(super) fn gather(
    ctx: &DecodeCtx<'_>,
    values: &dyn Array,
    indices: Vec<IdxSize>,
    validity: Option<Bitmap>,
) -> Result<Box<dyn Array>> {
    ctx.charge(indices.len().saturating_mul(mean_width(values)))?;
    if indices.is_empty() {
        return Ok(values.sliced(0, 0));
    }
    debug_assert!(indices.iter().enumerate().all(
        |(i, index)| validity.as_ref().is_some_and(|v| !v.get_bit(i)) || (*index as usize) < values.len()
    ));
    let indices = PrimitiveArray::new(ArrowDataType::UInt32, indices.into(), validity);
    // SAFETY: every valid index is in bounds, as the caller checked (and debug builds do again).
    Ok(unsafe { polars_compute::gather::take_unchecked(values, &indices) })
}

/// A guess at bytes a row, for budgets: exact for fixed widths.
fn mean_width(array: &dyn Array) -> usize {
    if array.is_empty() {
        return 16;
    }
    // Strings share their bytes when gathered, so that 16 a view is right for them; a list's
    // children are copied.
    if let Some(list) = array.as_any().downcast_ref::<arrow::array::ListArray<i64>>() {
        return 8 + widest_list(list);
    }
    if let Some(fields) = array.as_any().downcast_ref::<arrow::array::StructArray>() {
        return fields.values().iter().map(|a| mean_width(a.as_ref())).sum::<usize>() + 1;
    }
    if let Some(list) = array.as_any().downcast_ref::<arrow::array::FixedSizeListArray>() {
        return list.size() * mean_width(list.values().as_ref());
    }
    16
}

fn widest_list(list: &arrow::array::ListArray<i64>) -> usize {
    let most = list.offsets().lengths().max().unwrap_or(0);
    most.saturating_mul(mean_width(list.values().as_ref()))
}

/// A count of rows as an index, which Polars has as 32 bits.
pub(super) fn index(row: usize) -> Result<IdxSize> {
    IdxSize::try_from(row)
        .map_err(|_| Error::unsupported(format!("row {row} is beyond what Polars can index")))
}
