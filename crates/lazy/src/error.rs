//! Errors with the path they belong to.

use std::io;
use std::path::Path;
use std::sync::Arc;

use polars_error::PolarsError;

/// An I/O error, kept as the source, with the path in front of its text.
pub(crate) fn io_error(error: io::Error, path: &Path) -> PolarsError {
    at_path(PolarsError::IO { error: Arc::new(error), msg: None }, path)
}

/// Any error of the same kind, with the path in front of its text.
#[expect(clippy::needless_pass_by_value, reason = "used in map_err")]
pub(crate) fn at_path(error: PolarsError, path: &Path) -> PolarsError {
    error.wrap_msg(|text| format!("{}: {text}", path.display()))
}
