//! The frames that floe writes for the others: every dtype, and the shapes that readers trip over.
//!
//! Types that some readers do not know (128-bit integers, half floats, lists of width 0, ... has a frame of its own, so
//! that the rest is read.

mod flat;
mod nested;
mod shapes;

use floe::prelude::*;
use polars_core::prelude::*;

/// A frame, and how to write it.
pub(super) struct Frame {
    /// Starts the file names.
    pub(super) name: &'static str,
    pub(super) df: DataFrame,
    /// Rows per record batch.
    pub(super) batch_size: Option<usize>,
    pub(super) how: How,
    pub(super) schema_metadata: Metadata,
    pub(super) field_metadata: Vec<(&'static str, Metadata)>,
    /// Metadata of every record batch.
    pub(super) batch_metadata: Metadata,
}

/// Who cuts the batches.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum How {
    /// The writer, given the whole frame.
    Whole,
    /// The caller, who hands in one batch after the other; categories grow.
    Batched,
    /// As before, as a stream whose dictionaries grow by deltas.
    Deltas,
}

impl Frame {
    fn new(name: &'static str, columns: Vec<Series>) -> Self {
        let height = columns.first().map_or(0, |column| column.len());
        let columns = columns.into_iter().map(Column::from).collect();
        Self::of(name, DataFrame::new(height, columns).expect("columns of one height"))
    }

    fn of(name: &'static str, df: DataFrame) -> Self {
        Self {
            name,
            df,
            batch_size: None,
            how: How::Whole,
            schema_metadata: Metadata::new(),
            field_metadata: Vec::new(),
            batch_metadata: Metadata::new(),
        }
    }

    fn batches(self, rows: usize, how: How) -> Self {
        Self { batch_size: Some(rows), how, ..self }
    }
}

/// All of them.
pub(super) fn frames() -> Vec<Frame> {
    let mut frames = flat::frames();
    frames.extend(nested::frames());
    frames.extend(shapes::frames());
    frames
}

/// A column of numbers, strings, bytes or booleans.
fn plain<T>(name: &str, values: Vec<T>) -> Series
where
    Series: NamedFrom<Vec<T>, [T]>,
{
    Series::new(name.into(), values)
}

fn int(row: usize) -> i64 {
    i64::try_from(row).expect("frames are small")
}

fn metadata(entries: &[(&str, &str)]) -> Metadata {
    entries.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
}

fn cast(series: &Series, dtype: &DataType) -> Series {
    series.cast(dtype).expect("a cast that Polars can do")
}

/// A list column of the items; `None`: a null.
fn lists(name: &str, inner: &DataType, items: &[Option<Series>]) -> Series {
    let dtype = DataType::List(Box::new(inner.clone()));
    let mut column = Series::new_empty(name.into(), &dtype);
    for item in items {
        let row = match item {
            Some(item) => item.implode().expect("a list").into_series(),
            None => Series::full_null(name.into(), 1, &dtype),
        };
        column.append(&row).expect("the same dtype");
    }
    column.rechunk()
}

/// A struct column; rows where `valid` is false are null.
fn structs(name: &str, fields: &[Series], valid: Option<Vec<bool>>) -> Series {
    let len = fields.first().map_or(0, |column| column.len());
    let column = StructChunked::from_series(name.into(), len, fields.iter()).expect("fields of one length");
    column.with_outer_validity(valid.map(arrow::bitmap::Bitmap::from_iter)).into_series()
}

fn categorical() -> DataType {
    DataType::from_categories(Categories::global())
}

fn enumeration(categories: &[&str]) -> DataType {
    DataType::from_frozen_categories(FrozenCategories::new(categories.iter().copied()).expect("distinct"))
}
