//! Errors as clients see them: a status, and JSON with the kind, a message, and the place in the SQL.

use std::fmt;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use floe::ErrorKind;
use floe_query::{SqlError, SqlErrorKind};
use polars_core::prelude::PolarsError;
use serde_json::json;

/// The error of a request.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    /// Line and column of the SQL, from 1 on.
    pub(crate) place: Option<(u64, u64)>,
    pub(crate) retry_after: Option<u32>,
}

pub(crate) type Result<T> = std::result::Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into(), place: None, retry_after: None }
    }

    pub(crate) fn bad_request(kind: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, kind, message)
    }

    /// A table that the catalog does not have.
    pub(crate) fn no_table(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "table_not_found", format!("there is no table {name:?}"))
    }

    /// Too many requests for now.
    pub(crate) fn busy(message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_queries", message);
        Self { retry_after: Some(1), ..error }
    }

    pub(crate) fn unavailable(kind: &'static str, message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, kind, message);
        Self { retry_after: Some(5), ..error }
    }

    /// A fault of the server.
    pub(crate) fn internal(message: impl fmt::Display) -> Self {
        tracing::error!("{message}");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server failed at this request; its log has more",
        )
    }

    /// The same with the place where the SQL names what the error is about.
    pub(crate) fn placed(mut self, sql: &str) -> Self {
        if self.place.is_none() && matches!(self.kind, "column_not_found" | "table_not_found" | "sql") {
            let quoted = self.message.split(['"', '\'', '`']).nth(1).unwrap_or_default();
            self.place = floe_query::position(sql, quoted);
        }
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut error = json!({ "kind": self.kind, "message": self.message });
        if let (Some((line, column)), Some(object)) = (self.place, error.as_object_mut()) {
            object.insert("line".into(), line.into());
            object.insert("column".into(), column.into());
        }
        let mut response = (self.status, Json(json!({ "error": error }))).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<SqlError> for ApiError {
    fn from(error: SqlError) -> Self {
        let kind = match &error.kind {
            SqlErrorKind::NotAQuery(_) | SqlErrorKind::Into => "read_only",
            SqlErrorKind::TableFunction(_) => "table_function",
            SqlErrorKind::TooLarge => "sql_too_large",
            _ => "sql",
        };
        Self { place: error.place, ..Self::bad_request(kind, error.message) }
    }
}

/// Errors of queries: the input's, or the data's. Paths of this machine are not for clients.
impl From<PolarsError> for ApiError {
    fn from(error: PolarsError) -> Self {
        let message = one_line(&error.to_string());
        match floe::error_kind(&error) {
            Some(ErrorKind::Io(_)) | None => {},
            Some(kind) => return Self::bad_request(format_kind(kind), message),
        }
        match polars_kind(&error) {
            "io" => {
                tracing::debug!("{message}");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "io", "a table's file cannot be read")
            },
            kind => Self::bad_request(kind, message),
        }
    }
}

/// Errors of files, and of writers whose client has gone.
impl From<std::io::Error> for ApiError {
    fn from(error: std::io::Error) -> Self {
        tracing::debug!("{error}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "io", "reading or writing failed")
    }
}

/// Without the advice that is about Rust, and without line breaks.
fn one_line(text: &str) -> String {
    text.split("; if the source is trusted").next().unwrap_or(text).replace('\n', " ").trim().to_owned()
}

/// The name of an error of Arrow IPC.
pub(crate) fn format_kind(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Truncated { .. } => "truncated",
        ErrorKind::BadMagic { .. } => "bad_magic",
        ErrorKind::WrongFormat { .. } => "wrong_format",
        ErrorKind::Flatbuffer(_) => "flatbuffer",
        ErrorKind::LimitExceeded { .. } => "limit_exceeded",
        ErrorKind::Amplified { .. } => "amplified",
        ErrorKind::BufferOutOfBounds { .. } => "buffer_out_of_bounds",
        ErrorKind::InvalidUtf8 => "invalid_utf8",
        ErrorKind::DictionaryMissing(_) => "dictionary_missing",
        ErrorKind::Codec(_) => "codec",
        ErrorKind::OutOfMemory(_) => "out_of_memory",
        ErrorKind::Io(_) => "io",
        ErrorKind::Invalid(_) => "invalid",
        ErrorKind::UnsupportedType(_) => "unsupported_type",
        // There may be more kinds one day.
        _ => "format",
    }
}

/// The name of an error of Polars.
fn polars_kind(error: &PolarsError) -> &'static str {
    match error {
        PolarsError::AssertionError(_) => "assertion",
        PolarsError::ColumnNotFound(_) => "column_not_found",
        PolarsError::ComputeError(_) => "compute",
        PolarsError::Duplicate(_) => "duplicate",
        PolarsError::InvalidOperation(_) => "invalid_operation",
        PolarsError::IO { .. } => "io",
        PolarsError::NoData(_) => "no_data",
        PolarsError::OutOfBounds(_) => "out_of_bounds",
        PolarsError::SchemaFieldNotFound(_) => "schema_field_not_found",
        PolarsError::SchemaMismatch(_) => "schema_mismatch",
        PolarsError::ShapeMismatch(_) => "shape_mismatch",
        PolarsError::SQLInterface(_) | PolarsError::SQLSyntax(_) => "sql",
        PolarsError::StringCacheMismatch(_) => "string_cache_mismatch",
        PolarsError::StructFieldNotFound(_) => "struct_field_not_found",
        PolarsError::Context { error, .. } | PolarsError::ExprContext { error, .. } => polars_kind(error),
    }
}
