//! Equality that knows no tolerance: dtypes, nulls, every bit of every float.
//!
//! `DataFrame::equals_missing` takes `-0.0` for `0.0` and any NaN for any other. Here a value is its bits or its bytes.
//! Memory under a null is no value, at any depth.

use std::ops::Range;

use arrow::array::{
    Array, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeListArray, ListArray, PrimitiveArray,
    StructArray, Utf8ViewArray,
};
use arrow::types::NativeType;
use polars_core::prelude::*;
use polars_utils::float16::pf16;

/// Asserts that two frames hold the same columns, of the same dtypes, with the same values.
///
/// # Panics
/// With the column and row of the first difference.
#[track_caller]
pub fn assert_frames_equal(left: &DataFrame, right: &DataFrame) {
    if let Err(difference) = frames_differ(left, right) {
        panic!("{difference}\n left: {:?}\nright: {:?}", left.schema(), right.schema());
    }
}

/// The same, as a result.
///
/// # Errors
/// The first difference.
pub fn frames_differ(left: &DataFrame, right: &DataFrame) -> Result<(), String> {
    let (left_names, right_names) = (left.get_column_names(), right.get_column_names());
    if left_names != right_names {
        return Err(format!("columns: {left_names:?} and {right_names:?}"));
    }
    if left.height() != right.height() {
        return Err(format!("height: {} and {}", left.height(), right.height()));
    }
    for (left, right) in left.columns().iter().zip(right.columns()) {
        columns_differ(left, right)
            .map_err(|difference| format!("column {:?}: {difference}", left.name()))?;
    }
    Ok(())
}

/// Two columns; the names are not looked at.
///
/// # Errors
/// The first difference.
pub fn columns_differ(left: &Column, right: &Column) -> Result<(), String> {
    if left.dtype() != right.dtype() {
        return Err(format!("dtype: {:?} and {:?}", left.dtype(), right.dtype()));
    }
    if left.len() != right.len() {
        return Err(format!("length: {} and {}", left.len(), right.len()));
    }
    let (left, right) = (left.as_materialized_series().rechunk(), right.as_materialized_series().rechunk());
    let sides = Sides { left: left.chunks()[0].as_ref(), right: right.chunks()[0].as_ref() };
    let rows: Vec<usize> = (0..left.len()).collect();
    sides.differ(left.dtype(), right.dtype(), &rows, &rows)
}

/// Two physical arrays.
#[derive(Clone, Copy)]
struct Sides<'a> {
    left: &'a dyn Array,
    right: &'a dyn Array,
}

impl Sides<'_> {
    /// Compares `left[left_rows[i]]` with `right[right_rows[i]]`. The dtypes are equal, but each categorical has
    /// its own mapping.
    fn differ(
        self,
        left_dtype: &DataType,
        right_dtype: &DataType,
        left_rows: &[usize],
        right_rows: &[usize],
    ) -> Result<(), String> {
        let mut valid = Vec::new();
        for (row, (&l, &r)) in left_rows.iter().zip(right_rows).enumerate() {
            match (self.left.is_valid(l), self.right.is_valid(r)) {
                (true, true) => valid.push((row, l, r)),
                (false, false) => {},
                (left, right) => return Err(format!("row {row}: valid {left} and {right}")),
            }
        }
        let (lefts, rights): (Vec<_>, Vec<_>) = valid.iter().map(|&(_, l, r)| (l, r)).unzip();
        match (left_dtype, right_dtype) {
            (DataType::Null, _) => Ok(()),
            (DataType::Extension(_, left), DataType::Extension(_, right)) => {
                self.differ(left, right, left_rows, right_rows)
            },
            (DataType::Struct(left_fields), DataType::Struct(right_fields)) => {
                let (left, right) = (cast::<StructArray>(self.left), cast::<StructArray>(self.right));
                for (index, (l, r)) in left_fields.iter().zip(right_fields).enumerate() {
                    let fields =
                        Sides { left: left.values()[index].as_ref(), right: right.values()[index].as_ref() };
                    fields
                        .differ(l.dtype(), r.dtype(), &lefts, &rights)
                        .map_err(|difference| format!("field {:?}: {difference}", l.name()))?;
                }
                Ok(())
            },
            (DataType::List(left_inner), DataType::List(right_inner)) => {
                let (left, right) = (cast::<ListArray<i64>>(self.left), cast::<ListArray<i64>>(self.right));
                let (mut left_items, mut right_items) = (Vec::new(), Vec::new());
                for &(row, l, r) in &valid {
                    let (l, r) = (list_range(left, l), list_range(right, r));
                    if l.len() != r.len() {
                        return Err(format!("row {row}: lists of {} and {}", l.len(), r.len()));
                    }
                    left_items.extend(l);
                    right_items.extend(r);
                }
                Sides { left: left.values().as_ref(), right: right.values().as_ref() }
                    .differ(left_inner, right_inner, &left_items, &right_items)
                    .map_err(|difference| format!("item {difference}"))
            },
            (DataType::Array(left_inner, width), DataType::Array(right_inner, _)) => {
                let left = cast::<FixedSizeListArray>(self.left).values();
                let right = cast::<FixedSizeListArray>(self.right).values();
                let items = |rows: &[usize]| -> Vec<usize> {
                    rows.iter().flat_map(|row| row * width..(row + 1) * width).collect()
                };
                Sides { left: left.as_ref(), right: right.as_ref() }
                    .differ(left_inner, right_inner, &items(&lefts), &items(&rights))
                    .map_err(|difference| format!("item {difference}"))
            },
            _ => {
                for &(row, l, r) in &valid {
                    let (l, r) = (cell(left_dtype, self.left, l), cell(right_dtype, self.right, r));
                    if l != r {
                        return Err(format!("row {row}: {l:?} and {r:?}"));
                    }
                }
                Ok(())
            },
        }
    }
}

fn list_range(array: &ListArray<i64>, row: usize) -> Range<usize> {
    let (start, end) = array.offsets().start_end(row);
    start..end
}

/// A value that has no parts.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Cell<'a> {
    Bits(u128),
    Text(&'a str),
    Bytes(&'a [u8]),
}

/// One value of a leaf, also if it is null.
fn cell<'a>(dtype: &'a DataType, array: &'a dyn Array, row: usize) -> Cell<'a> {
    match dtype {
        DataType::Boolean => Cell::Bits(u128::from(cast::<BooleanArray>(array).value(row))),
        DataType::Int8 => bits::<i8>(array, row),
        DataType::Int16 => bits::<i16>(array, row),
        DataType::Int32 | DataType::Date => bits::<i32>(array, row),
        DataType::Int64 | DataType::Datetime(..) | DataType::Duration(_) | DataType::Time => {
            bits::<i64>(array, row)
        },
        DataType::Int128 | DataType::Decimal(..) => bits::<i128>(array, row),
        DataType::UInt8 => bits::<u8>(array, row),
        DataType::UInt16 => bits::<u16>(array, row),
        DataType::UInt32 => bits::<u32>(array, row),
        DataType::UInt64 => bits::<u64>(array, row),
        DataType::UInt128 => bits::<u128>(array, row),
        DataType::Float16 => bits::<pf16>(array, row),
        DataType::Float32 => bits::<f32>(array, row),
        DataType::Float64 => bits::<f64>(array, row),
        DataType::String => Cell::Text(cast::<Utf8ViewArray>(array).value(row)),
        DataType::Binary => Cell::Bytes(cast::<BinaryViewArray>(array).value(row)),
        DataType::BinaryOffset => Cell::Bytes(cast::<BinaryArray<i64>>(array).value(row)),
        DataType::Categorical(_, mapping) => {
            let key = key(dtype, array, row);
            Cell::Text(mapping.cat_to_str(key).expect("a key has a category"))
        },
        // Equal enums have equal categories: their keys have to be equal.
        DataType::Enum(_, mapping) => {
            let key = key(dtype, array, row);
            mapping.cat_to_str(key).expect("a key has a category");
            Cell::Bits(u128::from(key))
        },
        dtype => unreachable!("{dtype:?} is no leaf"),
    }
}

fn key(dtype: &DataType, array: &dyn Array, row: usize) -> u32 {
    match dtype.cat_physical().expect("a categorical or enum") {
        CategoricalPhysical::U8 => cast::<PrimitiveArray<u8>>(array).value(row).into(),
        CategoricalPhysical::U16 => cast::<PrimitiveArray<u16>>(array).value(row).into(),
        CategoricalPhysical::U32 => cast::<PrimitiveArray<u32>>(array).value(row),
    }
}

fn bits<T: NativeType>(array: &dyn Array, row: usize) -> Cell<'_> {
    let mut bytes = [0; 16];
    let value = cast::<PrimitiveArray<T>>(array).value(row).to_le_bytes();
    bytes[..value.as_ref().len()].copy_from_slice(value.as_ref());
    Cell::Bits(u128::from_le_bytes(bytes))
}

fn cast<T: 'static>(array: &dyn Array) -> &T {
    array.as_any().downcast_ref().unwrap_or_else(|| {
        panic!("the chunk is a {:?}, not the {} its dtype has", array.dtype(), std::any::type_name::<T>())
    })
}

/// Reads every value of a frame, those under nulls included, and checks what Polars relies on without looking:
/// offsets, lengths, UTF-8, category keys. For frames that come out of bytes which nobody vouches for.
///
/// # Panics
/// When the frame is not sound.
pub fn touch(df: &DataFrame) -> u64 {
    use std::hash::{Hash as _, Hasher as _};
    let mut hasher = std::hash::DefaultHasher::new();
    for column in df.columns() {
        assert_eq!(column.len(), df.height(), "column {:?} has a length of its own", column.name());
        let series = column.as_materialized_series();
        let rows: usize = series.chunks().iter().map(|chunk| chunk.len()).sum();
        assert_eq!(rows, df.height(), "column {:?}: its chunks have another length", column.name());
        for chunk in series.chunks() {
            touch_array(series.dtype(), chunk.as_ref(), &mut |cell| cell.hash(&mut hasher));
        }
    }
    hasher.finish()
}

fn touch_array(dtype: &DataType, array: &dyn Array, touch: &mut dyn FnMut(Cell<'_>)) {
    // As many nulls as a header likes to claim: there is nothing to look at.
    if let Some(validity) = array.validity().filter(|_| *dtype != DataType::Null) {
        assert_eq!(validity.len(), array.len(), "a validity of another length");
        assert_eq!(
            validity.unset_bits(),
            validity.iter().filter(|valid| !valid).count(),
            "a wrong null count"
        );
    }
    match dtype {
        DataType::Null => {},
        DataType::Extension(_, storage) => touch_array(storage, array, touch),
        DataType::Struct(fields) => {
            let values = cast::<StructArray>(array).values();
            assert_eq!(values.len(), fields.len(), "fields");
            for (field, values) in fields.iter().zip(values) {
                assert_eq!(values.len(), array.len(), "field {:?} has a length of its own", field.name());
                touch_array(field.dtype(), values.as_ref(), touch);
            }
        },
        DataType::List(inner) => {
            let list = cast::<ListArray<i64>>(array);
            let offsets = list.offsets().as_slice();
            assert!(offsets.is_sorted() && offsets[0] >= 0, "offsets go back");
            let end = usize::try_from(offsets[offsets.len() - 1]).expect("no negative offset");
            assert!(end <= list.values().len(), "offsets beyond the values");
            touch_array(inner, list.values().as_ref(), touch);
        },
        DataType::Array(inner, width) => {
            let values = cast::<FixedSizeListArray>(array).values();
            assert_eq!(values.len(), array.len() * width, "items of an array");
            touch_array(inner, values.as_ref(), touch);
        },
        // A null has no category; its key may be anything.
        DataType::Categorical(..) | DataType::Enum(..) => {
            (0..array.len())
                .filter(|&row| array.is_valid(row))
                .for_each(|row| touch(cell(dtype, array, row)));
        },
        DataType::String => {
            let text = cast::<Utf8ViewArray>(array);
            for row in 0..text.len() {
                let bytes = text.value(row).as_bytes();
                assert!(std::str::from_utf8(bytes).is_ok(), "row {row} is no UTF-8");
                touch(Cell::Bytes(bytes));
            }
        },
        _ => (0..array.len()).for_each(|row| touch(cell(dtype, array, row))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(values: &[f64]) -> DataFrame {
        let column = Column::new("x".into(), values);
        DataFrame::new(values.len(), vec![column]).expect("a frame")
    }

    #[test]
    fn floats_differ_by_their_bits() {
        assert!(frames_differ(&floats(&[0.0]), &floats(&[-0.0])).is_err());
        assert!(frames_differ(&floats(&[f64::NAN]), &floats(&[-f64::NAN])).is_err());
        assert!(frames_differ(&floats(&[f64::NAN, 1.0]), &floats(&[f64::NAN, 1.0])).is_ok());
    }

    #[test]
    fn a_null_list_is_not_an_empty_one() {
        let lists = |first: Option<Series>| {
            let lists: ListChunked = [first, Some(Series::new("".into(), [1i32]))].into_iter().collect();
            DataFrame::new(2, vec![lists.into_series().with_name("x".into()).into_column()]).expect("a frame")
        };
        let (null, empty) = (lists(None), lists(Some(Series::new_empty("".into(), &DataType::Int32))));
        assert!(frames_differ(&null, &empty).is_err());
        assert!(frames_differ(&null, &null).is_ok());
    }

    #[test]
    fn every_nested_value_counts() {
        let frame = |last: Option<&str>| {
            let fields = [Series::new("a".into(), [1, 2]), Series::new("b".into(), [Some("x"), last])];
            let column = StructChunked::from_series("s".into(), 2, fields.iter()).expect("a struct");
            DataFrame::new(2, vec![column.into_series().into_column()]).expect("a frame")
        };
        assert!(frames_differ(&frame(Some("y")), &frame(None)).is_err());
        assert!(frames_differ(&frame(Some("y")), &frame(Some("z"))).is_err());
        assert!(frames_differ(&frame(None), &frame(None)).is_ok());
    }
}
