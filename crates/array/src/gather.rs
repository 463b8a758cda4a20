//! Rows of an array, picked in any order and as often as one likes: what dictionaries, unions, run ends and list views
//! become.
//!
//! Polars has such a kernel. It allocates what the result needs without asking, which a few bytes can make terabytes,
//! and it does not keep the type of nested values. Here each allocation is charged before it is made, at every depth,
//! and the result has the type of the values.
//!
//! ```text
//!   values   [[a b] [c] [d e f]]         rows 2, 2, 0 of them
//!   below     a b  c  d e f              runs 3..6, 3..6, 0..2 of those
//! ```

use arrow::array::{
    Array, BinaryArray, BinaryViewArrayGeneric, BooleanArray, FixedSizeListArray, ListArray, NullArray,
    PrimitiveArray, StructArray, View, ViewType,
};
use arrow::bitmap::Bitmap;
use arrow::datatypes::PhysicalType;
use arrow::offset::OffsetsBuffer;
use arrow::with_match_primitive_type_full;
use floe_format::{Error, Result};
use polars_utils::IdxSize;

use crate::charge::Charge;
use crate::recycle::share;

/// Rows that follow one another, or so many nulls.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowRun {
    start: usize,
    len: usize,
}

/// Where a run starts that is of nulls.
const NULLS: usize = usize::MAX;

impl RowRun {
    /// `len` rows from `start` on.
    pub(crate) fn new(start: usize, len: usize) -> Self {
        Self { start, len }
    }

    fn nulls(len: usize) -> Self {
        Self { start: NULLS, len }
    }

    /// Adds a run to others, as a part of the last one if it goes on where that ends.
    pub(crate) fn push(self, all: &mut Vec<Self>) {
        match all.last_mut() {
            _ if self.len == 0 => {},
            Some(last) if self.start == NULLS && last.start == NULLS => last.len += self.len,
            Some(last) if last.start != NULLS && last.start + last.len == self.start => {
                last.len += self.len;
            },
            _ => all.push(self),
        }
    }
}

/// Which rows.
#[derive(Clone, Copy)]
enum Rows<'a> {
    /// One by one; where `validity` says so, a null.
    Each {
        indices: &'a [IdxSize],
        validity: Option<&'a Bitmap>,
    },
    Runs(&'a [RowRun]),
}

/// Which rows are selected, in which order.
#[derive(Clone, Copy)]
pub(crate) struct Selection<'a> {
    rows: Rows<'a>,
    len: usize,
    has_nulls: bool,
}

impl<'a> Selection<'a> {
    /// Rows one by one; where `validity` says so, a null, whatever the index.
    pub(crate) fn each(indices: &'a [IdxSize], validity: Option<&'a Bitmap>) -> Self {
        let has_nulls = validity.is_some_and(|validity| validity.unset_bits() > 0);
        let validity = validity.filter(|_| has_nulls);
        Self { rows: Rows::Each { indices, validity }, len: indices.len(), has_nulls }
    }

    /// Runs of rows.
    ///
    /// # Errors
    /// When they are more rows than can be counted.
    pub(crate) fn runs(runs: &'a [RowRun]) -> Result<Self> {
        let len = runs.iter().try_fold(0usize, |sum, run| sum.checked_add(run.len));
        let len = len.filter(|len| isize::try_from(*len).is_ok()).ok_or_else(too_many)?;
        let has_nulls = runs.iter().any(|run| run.start == NULLS);
        Ok(Self { rows: Rows::Runs(runs), len, has_nulls })
    }

    /// Calls `visit` with each run of rows, or how many nulls there are.
    #[inline]
    fn visit(&self, mut visit: impl FnMut(std::result::Result<std::ops::Range<usize>, usize>)) {
        match self.rows {
            Rows::Each { indices, validity: None } => {
                indices.iter().for_each(|index| visit(Ok(*index as usize..*index as usize + 1)));
            },
            Rows::Each { indices, validity: Some(validity) } => {
                indices.iter().zip(validity).for_each(|(index, valid)| {
                    visit(if valid { Ok(*index as usize..*index as usize + 1) } else { Err(1) });
                });
            },
            Rows::Runs(runs) => runs.iter().for_each(|run| {
                visit(match run.start {
                    NULLS => Err(run.len),
                    start => Ok(start..start + run.len),
                });
            }),
        }
    }

    /// The one run that all is, if it is one of rows.
    fn one(&self) -> Option<RowRun> {
        match self.rows {
            Rows::Runs([one]) if one.start != NULLS => Some(*one),
            _ => None,
        }
    }
}

fn too_many() -> Error {
    Error::invalid("values that are referred to several times are more than memory has addresses")
}

fn outside() -> Error {
    Error::invalid("a row is picked that there is not")
}

fn invalid(error: impl std::fmt::Display) -> Error {
    Error::invalid(error.to_string())
}

/// What Polars made, of whatever type.
pub(crate) fn boxed<A: Array>(
    array: std::result::Result<A, impl std::fmt::Display>,
) -> Result<Box<dyn Array>> {
    array.map(|array| Box::new(array) as Box<dyn Array>).map_err(invalid)
}

/// The array itself.
fn of<A: 'static>(array: &dyn Array) -> Result<&A> {
    array.as_any().downcast_ref::<A>().ok_or_else(|| Error::invalid("an array is not what its type says"))
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
    if let Some(RowRun { start, len }) = selection.one() {
        let is_inside = start.checked_add(len).is_some_and(|end| end <= values.len());
        return if is_inside { Ok(values.sliced(start, len)) } else { Err(outside()) };
    }
    let mut end = 0;
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
        PhysicalType::Struct => {
            let array = of::<StructArray>(values)?;
            let fields = array.values().iter().map(|field| gather(field.as_ref(), selection, charge));
            let fields = fields.collect::<Result<Vec<_>>>()?;
            if fields.is_empty() {
                charge.unbacked_rows(selection.len)?;
            }
            let dtype = array.dtype().clone();
            boxed(StructArray::try_new(dtype, selection.len, fields, validity))
        },
        other => Err(Error::unsupported(format!("rows of arrays of the layout {other:?} cannot be picked"))),
    }
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
        bytes.extend_from_slice(array.values().get(start..start + len).unwrap_or_default());
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
    // What null lists hold is of no interest, and may be much.
    let places = GatheredLists::of(array.offsets(), selection, array.validity(), charge)?;
    let values = gather(array.values().as_ref(), Selection::runs(&places.runs)?, charge)?;
    let array = ListArray::try_new(array.dtype().clone(), places.offsets, values, validity);
    boxed(array)
}

/// Where the values of selected rows are, and where they come to lie.
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
mod tests {
    use std::cell::Cell;

    use arrow::array::Utf8ViewArray;
    use arrow::datatypes::{ArrowDataType, Field};

    use super::*;
    use crate::charge::Uncharged;

    struct Purse(Cell<usize>);

    impl Charge for Purse {
        fn charge(&self, bytes: usize) -> Result<()> {
            let left = self.0.get().checked_sub(bytes).ok_or_else(|| Error::invalid("no more"))?;
            self.0.set(left);
            Ok(())
        }

        fn unbacked_rows(&self, rows: usize) -> Result<()> {
            if rows > 1_000 { Err(Error::invalid("too many")) } else { Ok(()) }
        }
    }

    fn list(values: Box<dyn Array>, ends: Vec<i64>, validity: Option<Bitmap>) -> Box<dyn Array> {
        let dtype = ListArray::<i64>::default_datatype(values.dtype().clone());
        ListArray::<i64>::new(dtype, OffsetsBuffer::try_from(ends).unwrap(), values, validity).boxed()
    }

    fn fixed(values: Box<dyn Array>, width: usize) -> Box<dyn Array> {
        let dtype = FixedSizeListArray::default_datatype(values.dtype().clone(), width);
        let rows = values.len().checked_div(width).unwrap_or(0);
        FixedSizeListArray::new(dtype, rows, values, None).boxed()
    }

    /// Arrays of four rows.
    fn arrays() -> Vec<Box<dyn Array>> {
        let numbers: PrimitiveArray<i32> = [Some(1), None, Some(3), Some(4)].into_iter().collect();
        let texts = [Some("a text that is not inlined"), None, Some("short"), Some("")];
        let texts = Utf8ViewArray::from_slice(texts).boxed();
        let bits = BooleanArray::from_slice([true, false, true, true]).boxed();
        let six = PrimitiveArray::from_vec(vec![0i64, 1, 2, 3, 4, 5]).boxed();
        let validity = Some(Bitmap::from([true, true, false, true]));
        let lists = list(six.clone(), vec![0, 2, 2, 5, 6], validity.clone());
        let fields = [("a", texts.clone()), ("b", lists.clone())];
        let dtype =
            fields.iter().map(|(name, array)| Field::new((*name).into(), array.dtype().clone(), true));
        let dtype = ArrowDataType::Struct(dtype.collect());
        let structs = StructArray::new(dtype, 4, fields.map(|(_, array)| array).into(), validity).boxed();
        let nested = list(structs.clone(), vec![0, 1, 1, 3, 4], None);
        let eight = PrimitiveArray::from_vec((0..8i64).collect()).boxed();
        vec![numbers.boxed(), texts, bits, lists, structs, nested, fixed(eight, 2)]
    }

    #[test]
    fn picked_rows_are_those_that_polars_takes() {
        let validity = Bitmap::from([true, true, false, true, true, false]);
        let rows = [3, 0, 9, 2, 0, 1];
        for array in arrays() {
            for validity in [Some(&validity), None] {
                let rows: Vec<IdxSize> =
                    rows.iter().map(|row| if validity.is_some() { *row } else { row % 4 }).collect();
                let selection = gather(array.as_ref(), Selection::each(&rows, validity), &Uncharged).unwrap();
                assert_eq!(selection.dtype(), array.dtype());
                assert_eq!(selection.len(), rows.len());
                for (at, row) in rows.iter().enumerate() {
                    let is_null = validity.is_some_and(|validity| !validity.get_bit(at));
                    let one = selection.sliced(at, 1);
                    if is_null {
                        assert!(one.is_null(0), "{array:?}");
                    } else {
                        assert_eq!(one, array.sliced(*row as usize, 1), "{array:?}");
                    }
                }
            }
            let runs = [RowRun::new(2, 2), RowRun::new(0, 3), RowRun::new(3, 1)];
            let selection = gather(array.as_ref(), Selection::runs(&runs).unwrap(), &Uncharged).unwrap();
            let parts = runs.map(|run| array.sliced(run.start, run.len));
            assert_eq!(selection, crate::join(&parts).unwrap(), "{array:?}");
            let outside = [RowRun::new(3, 2), RowRun::new(0, 1)];
            assert!(gather(array.as_ref(), Selection::runs(&outside).unwrap(), &Uncharged).is_err());
            assert!(gather(array.as_ref(), Selection::each(&[4], None), &Uncharged).is_err());
        }
    }

    #[test]
    fn what_is_picked_is_charged_before_there_is_any() {
        let wide = fixed(PrimitiveArray::from_vec(vec![0i64; 1 << 10]).boxed(), 1 << 10);
        let rows = vec![0; 1_000];
        let purse = Purse(Cell::new(8_000_000));
        assert!(gather(wide.as_ref(), Selection::each(&rows, None), &purse).is_err());
        let purse = Purse(Cell::new(10 << 20));
        assert!(gather(wide.as_ref(), Selection::each(&rows, None), &purse).is_ok());
        // Nulls of a list that has 2^40 values: more than may be, or than there are addresses.
        let dtype = FixedSizeListArray::default_datatype(ArrowDataType::Int64, 1 << 40);
        let none = FixedSizeListArray::new_empty(dtype).boxed();
        let nulls = Bitmap::new_zeroed(1_000);
        assert!(gather(none.as_ref(), Selection::each(&rows, Some(&nulls)), &purse).is_err());
        let dtype = FixedSizeListArray::default_datatype(ArrowDataType::Null, 1 << 60);
        let none = FixedSizeListArray::new_empty(dtype).boxed();
        for rows in [&rows[..], &rows[..1]] {
            let nulls = Bitmap::new_zeroed(rows.len());
            assert!(gather(none.as_ref(), Selection::each(rows, Some(&nulls)), &purse).is_err());
        }
    }
}
