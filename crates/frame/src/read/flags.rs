//! Sortedness flags that Polars stores with batches. They come from outside, so a column is marked
//! only after a look at its values: wrong flags would make wrong results.

use floe_format::KeyValues;
use polars_core::prelude::*;
use polars_core::series::IsSorted;

use super::options::Projection;
use crate::write_flags_key;

/// The flags of a batch by column of the schema, if it has any.
fn parse(metadata: &KeyValues) -> Option<Vec<u32>> {
    let (_, value) = metadata.iter().find(|(key, _)| key == write_flags_key())?;
    serde_json::from_str(value).ok()
}

/// Marks the columns that every batch says are sorted, and that are.
pub(crate) fn restore<'a>(
    df: &mut DataFrame,
    projection: &Projection,
    batches: impl Iterator<Item = &'a KeyValues>,
) -> PolarsResult<()> {
    let mut common: Option<Vec<u32>> = None;
    for metadata in batches {
        let Some(flags) = parse(metadata) else { return Ok(()) };
        common = Some(match common {
            None => flags,
            Some(known) => known.iter().zip(&flags).map(|(a, b)| a & b).collect(),
        });
    }
    let Some(flags) = common else { return Ok(()) };
    for (name, index) in projection.names.iter().zip(&projection.indices) {
        let order = match flags.get(*index).map(|bits| bits & 3) {
            Some(1) => IsSorted::Ascending,
            Some(2) => IsSorted::Descending,
            _ => continue,
        };
        let series = df.column(name)?.as_materialized_series().clone();
        if is_sorted(&series, order) {
            let mut series = series;
            series.set_sorted_flag(order);
            df.replace(name, series.into_column())?;
        }
    }
    Ok(())
}

/// Whether the values are in order. Says no where that is not cheap to see.
fn is_sorted(series: &Series, order: IsSorted) -> bool {
    if series.null_count() > 0 || series.dtype().is_nested() || series.dtype().is_categorical() {
        return false;
    }
    let n = series.len();
    if n < 2 {
        return true;
    }
    let (left, right) = (series.slice(0, n - 1), series.slice(1, n - 1));
    let ordered = match order {
        IsSorted::Ascending => left.lt_eq(&right),
        IsSorted::Descending => left.gt_eq(&right),
        IsSorted::Not => return false,
    };
    ordered.is_ok_and(|mask| mask.all())
}
