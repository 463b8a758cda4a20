//! How many bytes rows take, told without writing them.
//!
//! Strings are views of shared buffers: five rows of a filtered frame may keep megabytes alive. So
//! what rows *are* and what they *hold* are two numbers.

use arrow::array::builder::ShareStrategy;
use arrow::array::{Array, BinaryViewArray, FixedSizeListArray, ListArray, StructArray, Utf8ViewArray};
use polars_core::frame::builder::DataFrameBuilder;
use polars_core::prelude::*;

/// Below this, what a frame holds is not worth a copy.
const WORTH_COMPACTING: usize = 64 << 10;
/// Padding, validity's rounding and the header's entries of a buffer, at most.
const BUFFER_OVERHEAD: u64 = 64 + 8 + 8 + 16 + 16;

/// The views of a frame's columns, at any depth.
#[derive(Default)]
struct Views {
    count: usize,
    /// Bytes of the buffers below, whether anything refers to them or not.
    held: usize,
    /// Arrays at any depth.
    arrays: u64,
}

impl Views {
    fn of(df: &DataFrame) -> Self {
        let mut views = Self::default();
        for column in df.columns() {
            match column {
                Column::Series(series) => {
                    series.chunks().iter().for_each(|array| views.add(array.as_ref()));
                },
                Column::Scalar(scalar) => {
                    views.count += df.height();
                    views.arrays += 4;
                    // A row that was cut out of a series still has it.
                    if let Some(series) = scalar.lazy_as_materialized_series() {
                        views.held += series.chunks().iter().map(|array| held(array.as_ref())).sum::<usize>();
                    }
                },
            }
        }
        views
    }

    fn add(&mut self, array: &dyn Array) {
        let any = array.as_any();
        self.arrays += 1;
        if let Some(strings) = any.downcast_ref::<Utf8ViewArray>() {
            self.count += strings.len();
            self.held += strings.total_buffer_len();
        } else if let Some(bytes) = any.downcast_ref::<BinaryViewArray>() {
            self.count += bytes.len();
            self.held += bytes.total_buffer_len();
        } else if let Some(list) = any.downcast_ref::<ListArray<i64>>() {
            self.add(list.values().as_ref());
        } else if let Some(list) = any.downcast_ref::<FixedSizeListArray>() {
            self.add(list.values().as_ref());
        } else if let Some(fields) = any.downcast_ref::<StructArray>() {
            fields.values().iter().for_each(|array| self.add(array.as_ref()));
        }
    }
}

/// Bytes that an array's views hold, at any depth.
fn held(array: &dyn Array) -> usize {
    let mut views = Views::default();
    views.add(array);
    views.held
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

/// Bytes of a record batch of these rows that are certainly enough, uncompressed, but for the
/// dictionaries of categoricals.
pub(crate) fn batch_bound(df: &DataFrame) -> u64 {
    let views = Views::of(df);
    // A view is 16 bytes; an offset is less. Each array has at most three buffers of its own.
    let bytes = bytes(df).saturating_add(views.count.saturating_mul(16));
    let overhead = views.arrays.saturating_mul(3 * BUFFER_OVERHEAD);
    u64::try_from(bytes).unwrap_or(u64::MAX).saturating_add(overhead).saturating_add(1024)
}

/// The same rows, holding no more than they are: copied if that frees much.
pub(crate) fn compact(df: DataFrame) -> DataFrame {
    let held = Views::of(&df).held;
    if held < WORTH_COMPACTING || held / 2 < bytes(&df) {
        return df;
    }
    let mut builder = DataFrameBuilder::new(df.schema().clone());
    builder.extend(&df, ShareStrategy::Never);
    builder.freeze()
}
