//! Rows of every layout, gathered beside Polars' result.

use std::cell::Cell;

use arrow::array::Utf8ViewArray;
use arrow::datatypes::{ArrowDataType, Field};

use polars_utils::IdxSize;

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
    let dtype = fields.iter().map(|(name, array)| Field::new((*name).into(), array.dtype().clone(), true));
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
