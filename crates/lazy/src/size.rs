//! How many bytes rows take, told without writing them.
//!
//! Strings are views of shared buffers: five rows of a filtered frame may keep megabytes alive. So
//! what rows *are* and what they *hold* are two numbers.

use arrow::array::builder::ShareStrategy;
use arrow::array::{
    Array, BinaryArray, BinaryViewArray, BinaryViewArrayGeneric, FixedSizeListArray, ListArray, StructArray,
    Utf8ViewArray, ViewType,
};
use arrow::compute::aggregate::estimated_bytes_size;
use polars_core::frame::builder::DataFrameBuilder;
use polars_core::prelude::*;

/// Below this, what a frame holds is not worth a copy.
const MIN_COMPACTED_BYTES: usize = 64 << 10;
/// Elements that a list is taken to have before one was seen.
const ASSUMED_ELEMENTS: u64 = 4;
/// Padding, validity's rounding and the header's entries of a buffer, at most.
const BUFFER_OVERHEAD: u64 = 64 + 8 + 8 + 16 + 16;

/// Bytes of the buffers below an array's views, at any depth, whether anything refers to them or not.
fn held(array: &dyn Array) -> usize {
    let any = array.as_any();
    if let Some(strings) = any.downcast_ref::<Utf8ViewArray>() {
        strings.total_buffer_len()
    } else if let Some(bytes) = any.downcast_ref::<BinaryViewArray>() {
        bytes.total_buffer_len()
    } else if let Some(list) = any.downcast_ref::<ListArray<i64>>() {
        held(list.values().as_ref())
    } else if let Some(list) = any.downcast_ref::<FixedSizeListArray>() {
        held(list.values().as_ref())
    } else if let Some(fields) = any.downcast_ref::<StructArray>() {
        fields.values().iter().map(|array| held(array.as_ref())).sum()
    } else {
        0
    }
}

/// The same of a column.
fn held_by(column: &Column) -> usize {
    let chunks = |series: &Series| series.chunks().iter().map(|array| held(array.as_ref())).sum();
    match column {
        Column::Series(series) => chunks(series),
        // A row that was cut out of a series still has it.
        Column::Scalar(scalar) => scalar.lazy_as_materialized_series().map_or(0, chunks),
    }
}

/// Bytes of the rows themselves.
pub(crate) fn bytes(df: &DataFrame) -> usize {
    let column = |column: &Column| match column {
        Column::Series(series) => series.estimated_size(),
        Column::Scalar(scalar) => {
            scalar.as_single_value_series().estimated_size().saturating_mul(scalar.len())
        },
    };
    df.columns().iter().map(column).fold(0, usize::saturating_add)
}

/// Bits of the rows' values, whatever chunks and buffers they lie in: those of rows together are the
/// sum of those of each. Validity counts whether it is there or not.
pub(crate) fn bits(column: &Column) -> u64 {
    match column {
        Column::Series(series) => series.chunks().iter().map(|array| array_bits(array.as_ref())).sum(),
        Column::Scalar(scalar) => {
            let one = scalar.as_single_value_series();
            let one: u64 = one.chunks().iter().map(|array| array_bits(array.as_ref())).sum();
            one.saturating_mul(wide(scalar.len()))
        },
    }
}

fn array_bits(array: &dyn Array) -> u64 {
    let any = array.as_any();
    let rows = wide(array.len());
    if let Some(strings) = any.downcast_ref::<Utf8ViewArray>() {
        view_bits(strings)
    } else if let Some(bytes) = any.downcast_ref::<BinaryViewArray>() {
        view_bits(bytes)
    } else if let Some(bytes) = any.downcast_ref::<BinaryArray<i64>>() {
        let len = usize::try_from(bytes.offsets().range()).expect("offsets of an array ascend");
        rows * (64 + 1) + wide(len) * 8
    } else if let Some(list) = any.downcast_ref::<ListArray<i64>>() {
        let first = usize::try_from(*list.offsets().first()).expect("offsets of an array are not negative");
        let len = usize::try_from(list.offsets().range()).expect("offsets of an array ascend");
        rows * (64 + 1) + array_bits(list.values().sliced(first, len).as_ref())
    } else if let Some(list) = any.downcast_ref::<FixedSizeListArray>() {
        rows + array_bits(list.values().as_ref())
    } else if let Some(fields) = any.downcast_ref::<StructArray>() {
        rows + fields.values().iter().map(|array| array_bits(array.as_ref())).sum::<u64>()
    } else if array.dtype() == &ArrowDataType::Null || rows == 0 {
        rows
    } else if array.dtype() == &ArrowDataType::Boolean {
        rows * (1 + 1)
    } else {
        // Of a fixed width: a value's is that of the first.
        rows * (wide(estimated_bytes_size(array.sliced(0, 1).with_validity(None).as_ref())) * 8 + 1)
    }
}

fn view_bits<T: ViewType + ?Sized>(array: &BinaryViewArrayGeneric<T>) -> u64 {
    let lengths = array.views().iter().map(|view| u64::from(view.length));
    let bytes: u64 = match array.validity() {
        Some(validity) => lengths.zip(validity.iter()).filter(|(_, valid)| *valid).map(|(len, _)| len).sum(),
        None => lengths.sum(),
    };
    wide(array.len()) * (128 + 1) + bytes * 8
}

/// Bits of a row's value as far as the type alone says; `Err` is an estimate, of a type whose values
/// are of any length.
pub(crate) fn row_bits(dtype: &DataType) -> Result<u64, u64> {
    let add = |a: Result<u64, u64>, b: Result<u64, u64>| match (a, b) {
        (Ok(a), Ok(b)) => Ok(a.saturating_add(b)),
        (Ok(a) | Err(a), Ok(b) | Err(b)) => Err(a.saturating_add(b)),
    };
    match dtype.to_physical() {
        DataType::List(inner) => {
            let (Ok(inner) | Err(inner)) = row_bits(&inner);
            Err((64 + 1) + inner.saturating_mul(ASSUMED_ELEMENTS))
        },
        #[cfg(feature = "dtype-array")]
        DataType::Array(inner, width) => {
            let width = wide(width);
            let inner = row_bits(&inner).map(|bits| bits.saturating_mul(width));
            add(inner.map_err(|bits| bits.saturating_mul(width)), Ok(1))
        },
        DataType::Struct(fields) => fields.iter().map(|field| row_bits(field.dtype())).fold(Ok(1), add),
        physical if physical.is_primitive_numeric() || physical.is_bool() || physical.is_null() => {
            Ok(bits(&Column::full_null(PlSmallStr::EMPTY, 1, &physical)))
        },
        // Strings and bytes, and what cannot be written, which the writer says.
        _ => Err(8 * 32),
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).expect("no address space has more than 64 bits")
}

/// A row's number as Polars' slices take it.
pub(crate) fn row(number: usize) -> i64 {
    i64::try_from(number).expect("a frame has fewer than 2^63 rows")
}

/// Bytes of the rows' values, whatever chunks and buffers they lie in.
pub(crate) fn content(df: &DataFrame) -> u64 {
    df.columns().iter().map(bits).sum::<u64>().div_ceil(8)
}

/// Bytes of a record batch of these rows that are certainly enough, uncompressed, but for the
/// dictionaries of categoricals.
pub(crate) fn batch_bound(df: &DataFrame) -> u64 {
    let arrays: u64 = df.columns().iter().map(|column| arrays(column.dtype())).sum();
    // Each array has at most three buffers of its own.
    content(df).saturating_add(arrays.saturating_mul(3 * BUFFER_OVERHEAD)).saturating_add(1024)
}

/// Arrays that a column consists of.
fn arrays(dtype: &DataType) -> u64 {
    match dtype.to_physical() {
        DataType::List(inner) => 1 + arrays(&inner),
        #[cfg(feature = "dtype-array")]
        DataType::Array(inner, _) => 1 + arrays(&inner),
        DataType::Struct(fields) => 1 + fields.iter().map(|field| arrays(field.dtype())).sum::<u64>(),
        _ => 1,
    }
}

/// The same rows, holding no more than they are: copied if that frees much.
pub(crate) fn compact(df: DataFrame) -> DataFrame {
    let held: usize = df.columns().iter().map(held_by).sum();
    if held < MIN_COMPACTED_BYTES || held / 2 < bytes(&df) {
        return df;
    }
    let mut builder = DataFrameBuilder::new(df.schema().clone());
    builder.extend(&df, ShareStrategy::Never);
    builder.freeze()
}
