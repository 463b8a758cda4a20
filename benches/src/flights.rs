//! Three million real flights.

use std::path::PathBuf;

use polars_core::prelude::*;
use polars_lazy::prelude::*;

use crate::args::root;

/// Where three million real flights are, if they are: not in this repository, but beside it.
#[must_use]
pub fn flights_path() -> Option<PathBuf> {
    let path = root().join("../shared/data/flights-3m.parquet");
    path.is_file().then_some(path)
}

/// The flights, or the first `rows` of them.
///
/// # Errors
/// When they cannot be read.
pub fn flights(path: &std::path::Path, rows: usize) -> PolarsResult<DataFrame> {
    let path = path.to_string_lossy().into_owned();
    let scan = LazyFrame::scan_parquet(path.as_str().into(), ScanArgsParquet::default())?;
    let rows = IdxSize::try_from(rows).unwrap_or(IdxSize::MAX);
    let mut df = scan.limit(rows).collect()?;
    df.rechunk_mut_par();
    Ok(df)
}
