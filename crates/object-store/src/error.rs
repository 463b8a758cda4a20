//! Errors of stores as `PolarsError`s and `io::Error`s, which keep them as their source.

use std::io;
use std::sync::Arc;

use object_store::Error as StoreError;
use object_store::path::Path;
use polars_core::prelude::*;

/// The kind of I/O error.
fn kind(error: &StoreError) -> io::ErrorKind {
    match error {
        StoreError::NotFound { .. } => io::ErrorKind::NotFound,
        StoreError::AlreadyExists { .. } => io::ErrorKind::AlreadyExists,
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            io::ErrorKind::PermissionDenied
        },
        StoreError::NotSupported { .. } | StoreError::NotImplemented { .. } => io::ErrorKind::Unsupported,
        StoreError::InvalidPath { .. } => io::ErrorKind::InvalidInput,
        _ => io::ErrorKind::Other,
    }
}

/// An error of a store.
pub(crate) fn store_error(error: StoreError) -> io::Error {
    io::Error::new(kind(&error), error)
}

/// An error while an object was read or written.
pub(crate) fn at(path: &Path, doing: &str, error: io::Error) -> PolarsError {
    // An object behind an HTTP URL has no path of its own.
    let msg = match path.as_ref() {
        "" => format!("{doing}: {error}"),
        path => format!("{path}: {doing}: {error}"),
    };
    PolarsError::IO { error: Arc::new(error), msg: Some(msg.into()) }
}

/// An error of a stream's reader or writer.
pub(crate) fn io_error(error: io::Error, doing: &str) -> PolarsError {
    let msg = format!("{doing}: {error}");
    PolarsError::IO { error: Arc::new(error), msg: Some(msg.into()) }
}

/// An error with the object that it is about.
pub(crate) fn placed(path: &Path, error: PolarsError) -> PolarsError {
    let place = path.to_string();
    if place.is_empty() {
        return error;
    }
    error.wrap_msg(|msg| if msg.starts_with(&place) { msg.to_owned() } else { format!("{place}: {msg}") })
}
