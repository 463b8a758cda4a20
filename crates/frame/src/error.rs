//! The one place where errors of the layers below become `PolarsError`s.

use std::io;
use std::sync::Arc;

use polars_error::PolarsError;

/// A format error, with its place in the message.
#[expect(clippy::needless_pass_by_value, reason = "used in map_err")]
pub(crate) fn format_error(error: floe_format::Error) -> PolarsError {
    match &error.kind {
        floe_format::ErrorKind::Io(io) => {
            PolarsError::IO { error: Arc::clone(&io.0), msg: Some(error.to_string().into()) }
        },
        floe_format::ErrorKind::Unsupported(_) => PolarsError::InvalidOperation(error.to_string().into()),
        _ => PolarsError::ComputeError(error.to_string().into()),
    }
}

/// An I/O error, kept as the source, with what was being done.
pub(crate) fn io_error(error: io::Error, doing: &str) -> PolarsError {
    let msg = format!("{doing}: {error}");
    PolarsError::IO { error: Arc::new(error), msg: Some(msg.into()) }
}
