//! Columns out of folders' names.

use std::sync::Arc;

use floe_frame::IpcIndex;
use polars_core::prelude::*;
use polars_plan::plans::hive::hive_partitions_from_paths;

use super::source::Sources;

/// The values in the folders' names: a row for each source; nothing if no folder is called `key=value`.
/// Types are inferred as Polars does (numbers, booleans, dates, text), or are those of the source's own
/// column of that name.
pub(super) fn partitions(sources: &Sources, indexes: &[Arc<IpcIndex>]) -> PolarsResult<Option<DataFrame>> {
    let Sources::Files { paths, hive_start } = sources else { return Ok(None) };
    let Some(first) = indexes.first() else { return Ok(None) };
    // Only columns that Polars can hold matter here; one that it cannot is an error elsewhere, if it
    // is wanted at all.
    let known = (0..first.column_names().len()).filter_map(|i| first.schema(Some(&[i])).ok());
    let schema: Schema = known.flat_map(IntoIterator::into_iter).collect();
    let values = hive_partitions_from_paths(paths, *hive_start, None, &schema, false)
        .map_err(|e| e.wrap_msg(|msg| format!("the folders' names do not go together: {msg}")))?;
    let Some(values) = values else { return Ok(None) };
    let columns = values.df().columns().iter().map(|column| match column.dtype() {
        DataType::String => temporal(column, schema.get(column.name())),
        _ => Ok(column.clone()),
    });
    Ok(Some(DataFrame::new(values.df().height(), columns.collect::<PolarsResult<Vec<_>>>()?)?))
}

/// Text that is all dates as dates, or as the temporal type that the sources' own column has. (Polars
/// would do so itself, but panics unless features of `polars-io` are on that nothing else needs.)
#[cfg(feature = "dtype-date")]
fn temporal(column: &Column, own: Option<&DataType>) -> PolarsResult<Column> {
    use polars_time::prelude::StringMethods;

    let wanted = own.filter(|dtype| dtype.is_temporal());
    if own.is_some() && wanted.is_none() {
        return Ok(column.clone());
    }
    let dates = column.str()?.as_date(None, false).map(IntoColumn::into_column);
    match (dates, wanted) {
        (Ok(dates), _) if dates.null_count() == column.null_count() && dates.null_count() < dates.len() => {
            let dates = dates.with_name(column.name().clone());
            wanted.map_or(Ok(dates.clone()), |dtype| dates.cast(dtype))
        },
        (_, Some(dtype)) if column.null_count() == column.len() => column.cast(dtype),
        (_, Some(dtype)) => polars_bail!(
            ComputeError: "the folders' values of \"{}\" are not of the type {dtype} that the sources have", column.name()
        ),
        _ => Ok(column.clone()),
    }
}

#[cfg(not(feature = "dtype-date"))]
fn temporal(column: &Column, _: Option<&DataType>) -> PolarsResult<Column> {
    Ok(column.clone())
}
