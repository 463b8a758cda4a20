//! Errors, and how they travel.

use std::fmt;
use std::io;

use polars_core::prelude::PolarsError;
use tonic::{Code, Status};

/// The result of this crate's functions.
///
/// ```
/// use floe_flight::{FlightError, FlightResult};
///
/// let result: FlightResult<()> = Err(FlightError::not_found("no such table"));
/// assert!(result.is_err());
/// ```
pub type FlightResult<T> = Result<T, FlightError>;

/// An error of Polars or of floe, or a status of gRPC. Services return either with `?`.
///
/// ```
/// use floe_flight::FlightError;
/// use tonic::{Code, Status};
///
/// let error = FlightError::not_found("no such table");
/// assert_eq!(Status::from(error).code(), Code::NotFound);
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum FlightError {
    /// Data that is not valid, or a query that failed.
    Polars(PolarsError),
    /// The answer of the other side, or the answer to it.
    Status(Box<Status>),
    /// The connection, its settings, or the listener.
    Transport(Box<dyn std::error::Error + Send + Sync>),
}

impl FlightError {
    /// The status that something is not there.
    ///
    /// See [`FlightError`] for an example.
    pub fn not_found(text: impl Into<String>) -> Self {
        Status::not_found(text).into()
    }

    /// The status that a request makes no sense.
    ///
    /// ```
    /// use floe_flight::FlightError;
    ///
    /// assert_eq!(FlightError::invalid("no rows").code(), tonic::Code::InvalidArgument);
    /// ```
    pub fn invalid(text: impl Into<String>) -> Self {
        Status::invalid_argument(text).into()
    }

    /// The status that a request is not answered by this server.
    ///
    /// ```
    /// use floe_flight::FlightError;
    ///
    /// assert_eq!(FlightError::unimplemented("writing").code(), tonic::Code::Unimplemented);
    /// ```
    pub fn unimplemented(text: impl Into<String>) -> Self {
        Status::unimplemented(text).into()
    }

    /// The code that it has as a status.
    ///
    /// See [`invalid`](Self::invalid) for an example.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Polars(error) => polars_code(error),
            Self::Status(status) => status.code(),
            Self::Transport(_) => Code::Unavailable,
        }
    }
}

/// Whose fault it is: that of the request, or of the server.
fn polars_code(error: &PolarsError) -> Code {
    match error {
        PolarsError::ColumnNotFound(_)
        | PolarsError::Duplicate(_)
        | PolarsError::InvalidOperation(_)
        | PolarsError::OutOfBounds(_)
        | PolarsError::SchemaFieldNotFound(_)
        | PolarsError::SchemaMismatch(_)
        | PolarsError::ShapeMismatch(_)
        | PolarsError::SQLInterface(_)
        | PolarsError::SQLSyntax(_)
        | PolarsError::StructFieldNotFound(_) => Code::InvalidArgument,
        PolarsError::IO { error, .. } => match error.kind() {
            io::ErrorKind::NotFound => Code::NotFound,
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::Unsupported => {
                Code::InvalidArgument
            },
            io::ErrorKind::OutOfMemory => Code::ResourceExhausted,
            _ => Code::Internal,
        },
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => polars_code(error),
        _ => Code::Internal,
    }
}

impl fmt::Display for FlightError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Polars(error) => error.fmt(f),
            Self::Status(status) => write!(f, "{:?}: {}", status.code(), status.message()),
            Self::Transport(error) => {
                // tonic's own text says "transport error" and no more.
                write!(f, "Flight: {error}")?;
                let mut source = error.source();
                while let Some(error) = source {
                    write!(f, ": {error}")?;
                    source = error.source();
                }
                Ok(())
            },
        }
    }
}

impl std::error::Error for FlightError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Polars(error) => Some(error),
            Self::Status(status) => Some(status.as_ref()),
            Self::Transport(error) => Some(error.as_ref()),
        }
    }
}

impl From<PolarsError> for FlightError {
    fn from(error: PolarsError) -> Self {
        Self::Polars(error)
    }
}

impl From<Status> for FlightError {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl From<io::Error> for FlightError {
    fn from(error: io::Error) -> Self {
        Self::Transport(Box::new(error))
    }
}

impl From<tonic::transport::Error> for FlightError {
    fn from(error: tonic::transport::Error) -> Self {
        Self::Transport(Box::new(error))
    }
}

impl From<FlightError> for Status {
    fn from(error: FlightError) -> Self {
        match error {
            FlightError::Status(status) => *status,
            error => Self::new(error.code(), error.to_string()),
        }
    }
}
