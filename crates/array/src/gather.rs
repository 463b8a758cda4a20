//! Gathers rows of an array, in any order and any number of times: dictionaries, unions, run ends and list views become
//! arrays so.
//!
//! Polars has such a kernel. It allocates what the result needs without asking, which a few bytes can make terabytes,
//! and it does not keep the type of nested values. Here each allocation is charged before it is made, at every depth,
//! and the result has the type of the values.
//!
//! ```text
//!   values   [[a b] [c] [d e f]]         rows 2, 2, 0 of them
//!   below     a b  c  d e f              runs 3..6, 3..6, 0..2 of those
//! ```
#![warn(clippy::wildcard_enum_match_arm)]

use arrow::array::{
    Array, BinaryArray, BinaryViewArrayGeneric, BooleanArray, FixedSizeListArray, ListArray, NullArray,
    PrimitiveArray, StructArray, View, ViewType,
};
use arrow::bitmap::Bitmap;
use arrow::datatypes::PhysicalType;
use arrow::offset::OffsetsBuffer;
use arrow::with_match_primitive_type_full;
use floe_format::{Error, Result};

use crate::charge::Charge;
use crate::made::{boxed, invalid, of};
use crate::selection::{RowRun, Rows, Selection, too_many};
use crate::share;

fn outside() -> Error {
    Error::invalid("a row is picked that there is not")
}

/// The selected rows of an array, as an array of the same type.
///
/// # Errors
/// When a row is beyond the array's, when the result is more than may be charged or allocated, when its type is none
/// that decoding makes.
pub(crate) fn gather(
    values: &dyn Array,
    selection: Selection<'_>,
    charge: &dyn Charge,
) -> Result<Box<dyn Array>> {
    if selection.len == 0 {
        return Ok(values.sliced(0, 0));
    }
    if let Some(RowRun { start, len }) = selection.single_run() {
        let is_inside = start.checked_add(len).is_some_and(|end| end <= values.len());
        return if is_inside { Ok(values.sliced(start, len)) } else { Err(outside()) };
    }
    let mut end = 0;
    // Nulls need no row.
    selection.visit(|rows| end = end.max(rows.map_or(0, |rows| rows.end)));
    if end > values.len() {
        return Err(outside());
    }
    let validity = validity(values.validity(), selection, charge)?;
    match values.dtype().to_physical_type() {
        PhysicalType::Null => {
            charge.unbacked_rows(selection.len)?;
            Ok(Box::new(NullArray::new(values.dtype().clone(), selection.len)))
        },
        PhysicalType::Boolean => {
            let array = of::<BooleanArray>(values)?;
            let values = bits(array.values(), selection, charge)?;
            boxed(BooleanArray::try_new(array.dtype().clone(), values, validity))
        },
        PhysicalType::Primitive(kind) => with_match_primitive_type_full!(kind, |$T| {
            let array = of::<PrimitiveArray<$T>>(values)?;
            let values = share(numbers::<$T>(array.values(), selection, charge)?);
            boxed(PrimitiveArray::try_new(array.dtype().clone(), values, validity))
        }),
        PhysicalType::BinaryView => {
            views(of::<BinaryViewArrayGeneric<[u8]>>(values)?, selection, validity, charge)
        },
        PhysicalType::Utf8View => {
            views(of::<BinaryViewArrayGeneric<str>>(values)?, selection, validity, charge)
        },
        PhysicalType::LargeBinary => binary(of(values)?, selection, validity, charge),
        PhysicalType::LargeList => list(of(values)?, selection, validity, charge),
        PhysicalType::FixedSizeList => fixed_list(of(values)?, selection, validity, charge),
        PhysicalType::Struct => structs(of(values)?, selection, validity, charge),
        other @ (PhysicalType::Binary
        | PhysicalType::FixedSizeBinary
        | PhysicalType::Utf8
        | PhysicalType::LargeUtf8
        | PhysicalType::List
        | PhysicalType::Union
        | PhysicalType::Map
        | PhysicalType::Dictionary(_)) => {
            Err(Error::unsupported(format!("rows of arrays of the layout {other:?} cannot be picked")))
        },
    }
}

fn structs(
    array: &StructArray,
    selection: Selection<'_>,
    validity: Option<Bitmap>,
    charge: &dyn Charge,
) -> Result<Box<dyn Array>> {
    let fields = array.values().iter().map(|field| gather(field.as_ref(), selection, charge));
    let fields = fields.collect::<Result<Vec<_>>>()?;
    if fields.is_empty() {
        charge.unbacked_rows(selection.len)?;
    }
    boxed(StructArray::try_new(array.dtype().clone(), selection.len, fields, validity))
}

fn bits(values: &Bitmap, selection: Selection<'_>, charge: &dyn Charge) -> Result<Bitmap> {
    let mut out = charge.bits(selection.len)?;
    let (bytes, offset, _) = values.as_slice();
    selection.visit(|rows| match rows {
        Ok(rows) if rows.len() == 1 => out.push(values.get(rows.start) == Some(true)),
        Ok(rows) => out.extend_from_slice(bytes, offset + rows.start, rows.len()),
        Err(nulls) => out.extend_constant(nulls, false),
    });
    Ok(out.freeze())
}

/// The validity of the selected rows of an array that has this one; `None` if none is null.
fn validity(known: Option<&Bitmap>, selection: Selection<'_>, charge: &dyn Charge) -> Result<Option<Bitmap>> {
    if let Some(known) = known.filter(|known| known.unset_bits() > 0) {
        let selected = bits(known, selection, charge)?;
        return Ok((selected.unset_bits() > 0).then_some(selected));
    }
    if !selection.has_nulls {
        return Ok(None);
    }
    if let Rows::Each { validity: Some(validity), .. } = selection.rows {
        return Ok(Some(validity.clone()));
    }
    let mut out = charge.bits(selection.len)?;
    selection.visit(|rows| match rows {
        Ok(rows) => out.extend_constant(rows.len(), true),
        Err(nulls) => out.extend_constant(nulls, false),
    });
    Ok(Some(out.freeze()))
}

fn numbers<T: Copy + Default>(values: &[T], selection: Selection<'_>, charge: &dyn Charge) -> Result<Vec<T>> {
    let mut out = charge.vec::<T>(selection.len)?;
    // `gather` has checked that all rows are there: a default is never taken.
    if let Rows::Each { indices, validity: None } = selection.rows {
        out.extend(indices.iter().map(|index| values.get(*index as usize).copied().unwrap_or_default()));
        return Ok(out);
    }
    selection.visit(|rows| match rows {
        Ok(rows) if rows.len() == 1 => out.push(values.get(rows.start).copied().unwrap_or_default()),
        Ok(rows) => out.extend_from_slice(values.get(rows).unwrap_or_default()),
        Err(nulls) => out.resize(out.len() + nulls, T::default()),
    });
    Ok(out)
}

fn views<T: ViewType + ?Sized>(
    array: &BinaryViewArrayGeneric<T>,
    selection: Selection<'_>,
    validity: Option<Bitmap>,
    charge: &dyn Charge,
) -> Result<Box<dyn Array>> {
    let views: Vec<View> = numbers(array.views(), selection, charge)?;
    // SAFETY: the views are some of the array's, over its buffers, or of empty values, which are in the view.
    let array = unsafe {
        BinaryViewArrayGeneric::<T>::new_unchecked(
            array.dtype().clone(),
            share(views),
            array.data_buffers().clone(),
            validity,
            None,
            array.total_buffer_len(),
        )
    };
    Ok(Box::new(array))
}

fn binary(
    array: &BinaryArray<i64>,
    selection: Selection<'_>,
    validity: Option<Bitmap>,
    charge: &dyn Charge,
) -> Result<Box<dyn Array>> {
    let places = GatheredLists::of(array.offsets(), selection, None, charge)?;
    let mut bytes = charge.vec::<u8>(places.total)?;
    for RowRun { start, len } in places.runs {
        let run = array.values().get(start..start + len);
        bytes.extend_from_slice(run.ok_or_else(|| Error::invalid("bytes end behind their buffer"))?);
    }
    let array = BinaryArray::try_new(array.dtype().clone(), places.offsets, share(bytes), validity);
    boxed(array)
}

fn list(
    array: &ListArray<i64>,
    selection: Selection<'_>,
    validity: Option<Bitmap>,
    charge: &dyn Charge,
) -> Result<Box<dyn Array>> {
    // Null lists may hold many values, which no row refers to: they become empty.
    let places = GatheredLists::of(array.offsets(), selection, array.validity(), charge)?;
    let values = gather(array.values().as_ref(), Selection::runs(&places.runs)?, charge)?;
    let array = ListArray::try_new(array.dtype().clone(), places.offsets, values, validity);
    boxed(array)
}

/// The lists of selected rows: where their values are, and the offsets of what they become.
struct GatheredLists {
    offsets: OffsetsBuffer<i64>,
    runs: Vec<RowRun>,
    total: usize,
}

impl GatheredLists {
    fn of(
        known: &OffsetsBuffer<i64>,
        selection: Selection<'_>,
        validity: Option<&Bitmap>,
        charge: &dyn Charge,
    ) -> Result<Self> {
        let mut offsets = charge.vec::<i64>(selection.len.checked_add(1).ok_or_else(too_many)?)?;
        let mut runs = charge.vec::<RowRun>(selection.len)?;
        offsets.push(0);
        let mut total = Some(0usize);
        let mut end = |run: RowRun| {
            total = total.and_then(|total| total.checked_add(run.len));
            run.push(&mut runs);
            // An overflow is an error below.
            offsets.push(total.and_then(|total| i64::try_from(total).ok()).unwrap_or(i64::MAX));
        };
        selection.visit(|rows| match rows {
            Ok(rows) => rows.for_each(|row| {
                let (start, stop) = known.start_end(row);
                let is_null = validity.is_some_and(|validity| validity.get(row) == Some(false));
                end(RowRun::new(start, if is_null { 0 } else { stop - start }));
            }),
            Err(nulls) => (0..nulls).for_each(|_| end(RowRun::nulls(0))),
        });
        let total = total.filter(|total| i64::try_from(*total).is_ok()).ok_or_else(too_many)?;
        let offsets = OffsetsBuffer::try_from(share(offsets)).map_err(invalid)?;
        Ok(Self { offsets, runs, total })
    }
}

fn fixed_list(
    array: &FixedSizeListArray,
    selection: Selection<'_>,
    validity: Option<Bitmap>,
    charge: &dyn Charge,
) -> Result<Box<dyn Array>> {
    let width = array.size();
    selection.len.checked_mul(width).ok_or_else(too_many)?;
    if width == 0 {
        charge.unbacked_rows(selection.len)?;
    }
    let mut runs = charge.vec::<RowRun>(selection.len)?;
    selection.visit(|rows| {
        let run = match rows {
            Ok(rows) => RowRun::new(rows.start * width, rows.len() * width),
            Err(nulls) => RowRun::nulls(nulls * width),
        };
        run.push(&mut runs);
    });
    let values = gather(array.values().as_ref(), Selection::runs(&runs)?, charge)?;
    let array = FixedSizeListArray::try_new(array.dtype().clone(), selection.len, values, validity);
    boxed(array)
}

#[cfg(test)]
#[path = "gather_tests.rs"]
mod tests;
