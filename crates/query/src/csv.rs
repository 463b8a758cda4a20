//! CSV as a table: every value says what type its column has, dates included.

use std::sync::Arc;

use polars_core::prelude::*;
use polars_lazy::dsl::col;
use polars_lazy::prelude::*;
use polars_utils::pl_path::PlRefPath;

/// Rows in which dates are recognized. Trying each text for every format of dates takes long.
const DATED_ROWS: usize = 100;

/// Numbers and booleans are told by all values; columns of text are dates or times if the first rows are, and if the
/// reader then understands all of them.
pub(crate) fn scan(path: &PlRefPath, separator: u8) -> PolarsResult<LazyFrame> {
    let reader = || LazyCsvReader::new(path.clone()).with_glob(false).with_separator(separator);
    let schema = reader().with_infer_schema_length(None).finish()?.collect_schema()?;
    let dated = reader().with_infer_schema_length(Some(DATED_ROWS)).with_try_parse_dates(true);
    let dated = dated.finish()?.collect_schema()?;
    let of_schema = |schema: &Schema| reader().with_schema(Some(Arc::new(schema.clone())));
    let candidates: Vec<(PlSmallStr, DataType)> = schema
        .iter()
        .filter(|(_, dtype)| dtype.is_string())
        .filter_map(|(name, _)| Some((name.clone(), dated.get(name)?.clone())))
        .filter(|(_, dtype)| dtype.is_temporal())
        .collect();
    let mut typed = schema.as_ref().clone();
    if candidates.is_empty() {
        return of_schema(&typed).finish();
    }
    for (name, dtype) in &candidates {
        typed.set_dtype(name, dtype.clone());
    }
    // Texts that are no dates become null here, and are counted.
    let columns: Vec<Expr> = candidates.iter().map(|(name, _)| col(name.clone()).null_count()).collect();
    let nulls = |lf: LazyFrame| lf.select(columns.clone()).collect_with_engine(Engine::Streaming);
    let as_text = nulls(of_schema(&schema).finish()?)?.unwrap_single();
    let as_dates = nulls(of_schema(&typed).with_ignore_errors(true).finish()?)?.unwrap_single();
    for (name, _) in &candidates {
        if as_text.column(name)?.get(0)? != as_dates.column(name)?.get(0)? {
            typed.set_dtype(name, DataType::String);
        }
    }
    of_schema(&typed).finish()
}
