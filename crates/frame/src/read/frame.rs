//! Arrays to the columns of a DataFrame, and the last steps of every read.

use arrow::array::Array;
use polars_core::prelude::*;

use super::options::{Projection, ReadOptions};

/// A series of chunks whose physical type is the dtype's.
pub(super) fn series(
    name: &PlSmallStr,
    chunks: Vec<Box<dyn Array>>,
    dtype: &DataType,
) -> PolarsResult<Series> {
    let is_physical =
        dtype.is_primitive_numeric() || dtype.is_bool() || dtype.is_string() || dtype.is_binary();
    if is_physical && !chunks.is_empty() {
        return Series::try_from((name.clone(), chunks));
    }
    let mut chunks = chunks.into_iter();
    let Some(first) = chunks.next() else {
        // Not `Series::new_empty`: Polars 0.55.2 panics in it for a `BinaryOffset` in a list in a struct.
        let physical = dtype.to_physical().to_arrow(CompatLevel::newest());
        return one_chunk(name, arrow::array::new_empty_array(physical), dtype);
    };
    let mut series = one_chunk(name, first, dtype)?;
    for chunk in chunks {
        series.append_owned(one_chunk(name, chunk, dtype)?)?;
    }
    Ok(series)
}

fn one_chunk(name: &PlSmallStr, chunk: Box<dyn Array>, dtype: &DataType) -> PolarsResult<Series> {
    #[cfg(feature = "dtype-extension")]
    if let DataType::Extension(kind, storage) = dtype {
        return Ok(one_chunk(name, chunk, storage)?.into_extension(kind.clone()));
    }
    Series::from_chunk_and_dtype(name.clone(), chunk, dtype)
}

/// No rows of some columns.
pub(super) fn empty_frame(projection: &Projection) -> PolarsResult<DataFrame> {
    let columns = projection.names.iter().zip(&projection.dtypes);
    let columns = columns.map(|(name, dtype)| Ok(series(name, Vec::new(), dtype)?.into_column()));
    DataFrame::new(0, columns.collect::<PolarsResult<Vec<Column>>>()?)
}

/// The first rows. Not `DataFrame::head`, which makes a frame without rows anew, by
/// `Series::new_empty`.
fn head(df: &DataFrame, rows: usize) -> PolarsResult<DataFrame> {
    DataFrame::new(rows, df.columns().iter().map(|column| column.slice(0, rows)).collect())
}

/// The last steps of every read on a frame: the rows asked for, the row index.
pub(crate) fn finish_frame(df: DataFrame, options: &ReadOptions, before: usize) -> PolarsResult<DataFrame> {
    let df = match options.n_rows {
        Some(n) if before + df.height() > n => head(&df, n.saturating_sub(before))?,
        _ => df,
    };
    match &options.row_index {
        None => Ok(df),
        Some(index) => {
            let offset = IdxSize::try_from(before).ok().and_then(|before| index.offset.checked_add(before));
            let offset = offset.ok_or_else(|| polars_err!(ComputeError: "the row index overflows"))?;
            df.with_row_index(index.name.clone(), Some(offset))
        },
    }
}
