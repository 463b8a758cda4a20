//! How many bytes frames take, told without writing them.
//!
//! Strings are views of shared buffers: five rows of a filtered frame may keep megabytes alive. So the size of the rows
//! and the size of the memory that they hold are two numbers.

// A new type has to be thought about here: it may consist of several arrays.
#![warn(clippy::wildcard_enum_match_arm)]

use arrow::array::builder::ShareStrategy;
use floe_frame::row_size::held;
pub(crate) use floe_frame::row_size::{bits, row_bits};
use polars_core::frame::builder::DataFrameBuilder;
use polars_core::prelude::*;

/// Bytes held below which a frame is not worth a copy.
const MIN_COMPACTED_BYTES: usize = 64 << 10;
/// Padding, validity's rounding and the header's entries of a buffer, at most.
const BUFFER_OVERHEAD: u64 = 64 + 8 + 8 + 16 + 16;

/// Bytes of the buffers below the views of a column.
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

/// A row's number as Polars' slices take it.
pub(crate) fn row(number: usize) -> i64 {
    i64::try_from(number).expect("a frame has fewer than 2^63 rows")
}

/// Bytes of the rows' values, whatever chunks and buffers they lie in.
pub(crate) fn content(df: &DataFrame) -> u64 {
    df.columns().iter().map(bits).sum::<u64>().div_ceil(8)
}

/// An upper bound on the bytes of an uncompressed record batch of these rows, without the dictionaries of categoricals.
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
        DataType::Boolean
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64
        | DataType::UInt128
        | DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::Int128
        | DataType::Float16
        | DataType::Float32
        | DataType::Float64
        | DataType::String
        | DataType::Binary
        | DataType::BinaryOffset
        | DataType::Date
        | DataType::Datetime(..)
        | DataType::Duration(_)
        | DataType::Time
        | DataType::Null
        | DataType::Unknown(_) => 1,
        #[cfg(feature = "dtype-decimal")]
        DataType::Decimal(..) => 1,
        #[cfg(feature = "dtype-categorical")]
        DataType::Categorical(..) | DataType::Enum(..) => 1,
        #[cfg(feature = "dtype-extension")]
        DataType::Extension(_, storage) => arrays(&storage),
        #[cfg(feature = "object")]
        DataType::Object(_) => 1,
        #[allow(unreachable_patterns, reason = "types of features that are on in Polars only")]
        _ => 1,
    }
}

/// The same rows, copied if that frees much memory.
pub(crate) fn compact(df: DataFrame) -> DataFrame {
    let held: usize = df.columns().iter().map(held_by).sum();
    if held < MIN_COMPACTED_BYTES || held / 2 < bytes(&df) {
        return df;
    }
    let mut builder = DataFrameBuilder::new(df.schema().clone());
    builder.extend(&df, ShareStrategy::Never);
    builder.freeze()
}
