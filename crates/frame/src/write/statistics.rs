//! Sortedness flags in a batch's metadata, as Polars' streaming engine writes and reads them.

use floe_format::Text;
use polars_core::prelude::DataFrame;

/// The key of the flags: a JSON list of one number a column.
pub(crate) const FLAGS_KEY: &str = "polars:statistics:v1";

/// The flags of a frame's columns.
pub(crate) fn flags_metadata(df: &DataFrame) -> (Text, Text) {
    let flags = df.columns().iter().map(|column| column.get_flags().bits().to_string());
    (FLAGS_KEY.into(), format!("[{}]", flags.collect::<Vec<_>>().join(",")).into())
}
