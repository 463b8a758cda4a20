//! The one place where errors of the layers below become `PolarsError`s, and how they are found again.
//!
//! ```text
//!   floe_format::Error --format_error--> PolarsError::IO { error: io::Error(kind, Carrier(Error)), msg }
//!                      <---error_kind---
//! ```
//!
//! `PolarsError` has no variant for errors of others, but `IO` holds an [`io::Error`], which holds any error. So
//! the kind and the place travel as data, and [`std::error::Error::source`] leads to them.

use std::fmt;
use std::io;
use std::sync::{Arc, LazyLock};

use floe_format::{Error, ErrorKind, IoError, Place};
use polars_error::PolarsError;

/// A format error, with its place in the message.
pub(crate) fn format_error(error: Error) -> PolarsError {
    let msg = Some(error.to_string().into());
    let kind = match &error.kind {
        // An error of the system keeps its code, so that `raw_os_error` is there.
        ErrorKind::Io(io) => return PolarsError::IO { error: Arc::clone(&io.0), msg },
        ErrorKind::Truncated { .. } => io::ErrorKind::UnexpectedEof,
        ErrorKind::UnsupportedType(_) => io::ErrorKind::Unsupported,
        ErrorKind::OutOfMemory(_) => io::ErrorKind::OutOfMemory,
        _ => io::ErrorKind::InvalidData,
    };
    PolarsError::IO { error: Arc::new(io::Error::new(kind, Carrier(error))), msg }
}

/// An error of a codec while compressing.
pub(crate) fn codec_error(error: floe_codec::Error) -> Error {
    Error::new(ErrorKind::Codec(format!("compression failed: {error}")))
}

/// An I/O error, kept as the source, with the action that failed.
pub(crate) fn io_error(error: io::Error, doing: &str) -> PolarsError {
    let msg = format!("{doing}: {error}");
    PolarsError::IO { error: Arc::new(error), msg: Some(msg.into()) }
}

/// Makes the format error the source of the [`io::Error`] that holds it: that one's own `source` is the source of
/// what it holds.
#[derive(Debug)]
struct Carrier(Error);

impl fmt::Display for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Carrier {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// The format error that a `PolarsError` carries, below any contexts that were put around it.
fn carried(error: &PolarsError) -> Option<&Error> {
    match error {
        PolarsError::IO { error, .. } => {
            error.get_ref().and_then(|inner| inner.downcast_ref::<Carrier>()).map(|carrier| &carrier.0)
        },
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => carried(error),
        _ => None,
    }
}

/// The answer of [`error_kind`] to an I/O error, which the `PolarsError` itself holds.
static IO: LazyLock<ErrorKind> = LazyLock::new(|| {
    ErrorKind::Io(IoError(Arc::new(io::Error::other("see the io::Error of the PolarsError"))))
});

/// The kind of an error about the bytes read or written, as data to match on.
///
/// `None` for errors about the call (an option that names a column which is not there, say): those are told by
/// the variant of [`PolarsError`] alone. For [`ErrorKind::Io`] the `PolarsError::IO` has the [`io::Error`] itself.
///
/// The same data is reached through [`std::error::Error::source`]: the source of the source of the error is a
/// [`floe_format::Error`].
///
/// ```
/// use floe_frame::{ErrorKind, IpcStreamReader, error_kind};
/// use polars_io::SerReader;
/// use std::error::Error;
///
/// // The marker and the length of a message that is not there.
/// let error = IpcStreamReader::new([0xFF, 0xFF, 0xFF, 0xFF, 16, 0, 0, 0].as_slice()).finish().unwrap_err();
/// assert!(matches!(error_kind(&error), Some(ErrorKind::Truncated { need: 16, have: 0 })));
///
/// let source = error.source().and_then(|io| io.source()).and_then(|e| e.downcast_ref::<floe_format::Error>());
/// assert!(matches!(source.unwrap().kind, ErrorKind::Truncated { .. }));
/// ```
#[must_use]
pub fn error_kind(error: &PolarsError) -> Option<&ErrorKind> {
    if let Some(error) = carried(error) {
        return Some(&error.kind);
    }
    match error {
        PolarsError::IO { .. } => Some(&IO),
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => error_kind(error),
        _ => None,
    }
}

/// Whether reading or writing itself failed, rather than the bytes read or written.
pub(crate) fn is_io(error: &PolarsError) -> bool {
    matches!(error_kind(error), Some(ErrorKind::Io(_)))
}

/// Where in a file or stream an error happened, as far as that is known. See [`error_place`] for an example.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ErrorPlace {
    /// The message: [`Place::Footer`], [`Place::Schema`], [`Place::RecordBatch`] or [`Place::DictionaryBatch`].
    pub message: Option<Place>,
    /// The name of the column.
    pub column: Option<String>,
    /// The names of the fields below the column, outermost first.
    pub fields: Vec<String>,
    /// The number of the buffer within its message.
    pub buffer: Option<usize>,
    /// All steps of the way, outermost first, including those that the fields above leave out.
    pub steps: Vec<Place>,
}

/// Where the error happened: message, column and buffer.
///
/// `None` if the error carries no place: see [`error_kind`] for which errors do.
///
/// ```
/// use floe_frame::{ErrorPlace, IpcReader, IpcWriter, Place, error_place};
/// use polars_core::prelude::*;
/// use polars_io::{SerReader, SerWriter};
/// use std::io::Cursor;
///
/// let mut df = DataFrame::new(1, vec![Column::new("name".into(), ["Nuuk, the largest city of Greenland"])])?;
/// let mut bytes = Vec::new();
/// IpcWriter::new(&mut bytes).finish(&mut df)?;
/// let at = bytes.windows(5).position(|five| five == b"Nuuk,").unwrap();
/// bytes[at] = 0xFF; // no UTF-8 any more
/// let error = IpcReader::new(Cursor::new(bytes)).finish().unwrap_err();
/// let place = error_place(&error).unwrap();
/// assert_eq!(place.column.as_deref(), Some("name"));
/// # PolarsResult::Ok(())
/// ```
#[must_use]
pub fn error_place(error: &PolarsError) -> Option<ErrorPlace> {
    let error = carried(error)?;
    let mut place = ErrorPlace { steps: error.place.clone(), ..ErrorPlace::default() };
    for step in &error.place {
        match step {
            Place::Footer | Place::Schema | Place::RecordBatch(_) | Place::DictionaryBatch(_) => {
                place.message.get_or_insert_with(|| step.clone());
            },
            Place::Column(name) => {
                place.column.get_or_insert_with(|| name.clone());
            },
            Place::Field(name) => place.fields.push(name.clone()),
            Place::Buffer(number) => place.buffer = Some(*number),
            _ => {},
        }
    }
    if let ErrorKind::BufferOutOfBounds { buffer, .. } = &error.kind {
        place.buffer.get_or_insert(*buffer);
    }
    (place != ErrorPlace::default()).then_some(place)
}
