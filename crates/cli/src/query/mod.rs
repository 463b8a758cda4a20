//! Polars' lazy engine over files: tables out of paths, SQL, and the frames of a query.
//!
//! ```text
//!   table.rs      paths -> LazyFrame, each file by its content
//!   statement.rs  SQL, whose tables are files; floe-query checks it before Polars sees it
//!   run.rs        LazyFrame -> frames, rows of an end, a temporary Arrow IPC file
//!   parquet.rs    frames -> Parquet
//! ```

mod parquet;
mod run;
mod statement;
mod table;

pub(crate) use parquet::write as write_parquet;
pub(crate) use run::{first, frames, last, narrowed, of_frame, spool, with_names};
pub(crate) use statement::Query;
pub(crate) use table::{is_readable, scan_one, table};

use polars_core::error::{PolarsWarning, set_warning_function};

/// Polars' warnings of its own API are not for who types SQL; the others are.
pub(crate) fn quiet_warnings() {
    set_warning_function(|text, warning| {
        if !matches!(warning, PolarsWarning::Deprecation) {
            crate::term::tell(&format!("floe: {}", crate::term::printable(text)));
        }
    });
}
