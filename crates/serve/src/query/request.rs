//! A request: SQL, or columns of a table, and how the answer is to be.

use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::accept;
use super::encode::{Codec, Compat, Encoding, Format};
use super::run::Source;
use crate::error::{ApiError, Result};

/// The rows that are asked for.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Sql(String),
    Table(Selection),
}

impl Asked {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Sql(sql) => sql.clone(),
            Self::Table(selection) => selection.table.clone(),
        }
    }
}

/// Columns and rows of one table.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    pub(crate) table: String,
    pub(crate) columns: Option<Vec<String>>,
    /// An expression in SQL.
    pub(crate) filter: Option<String>,
    /// Names, and whether from large to small.
    pub(crate) sort: Vec<(String, bool)>,
}

/// The parameters of a URL. Unknown ones are errors: a typing mistake must not change an answer silently.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    sql: Option<String>,
    format: Option<String>,
    codec: Option<String>,
    compat: Option<String>,
    limit: Option<u64>,
    /// Looked at before.
    #[serde(rename = "token")]
    _token: Option<String>,
}

/// The body of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestBody {
    sql: Option<String>,
    table: Option<String>,
    columns: Option<Vec<String>>,
    filter: Option<String>,
    sort: Option<Sort>,
    limit: Option<u64>,
    format: Option<String>,
    codec: Option<String>,
    compat: Option<String>,
}

/// One column or more, from large to small with a `-` in front.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Sort {
    One(String),
    Many(Vec<String>),
}

impl Sort {
    fn columns(self) -> Vec<(String, bool)> {
        let names = match self {
            Self::One(name) => vec![name],
            Self::Many(names) => names,
        };
        let direction = |name: String| match name.strip_prefix('-') {
            Some(rest) => (rest.to_owned(), true),
            None => (name, false),
        };
        names.into_iter().map(direction).collect()
    }
}

/// Options as they were written.
#[derive(Debug, Default)]
struct Written {
    format: Option<String>,
    codec: Option<String>,
    compat: Option<String>,
}

impl Parameters {
    /// Of `GET /api/query`.
    pub(crate) fn into_query(self, headers: &HeaderMap) -> Result<(Source, Encoding)> {
        let Self { sql, format, codec, compat, limit, _token } = self;
        let Some(sql) = sql else {
            return Err(ApiError::bad_request("option", "the parameter `sql` is missing"));
        };
        let encoding = encoding(Written { format, codec, compat }, headers)?;
        Ok((Source::Asked { asked: Asked::Sql(sql), limit }, encoding))
    }
}

impl RequestBody {
    /// Of `POST /api/query`. Options of the body come before those of the URL.
    pub(crate) fn into_query(self, url: Parameters, headers: &HeaderMap) -> Result<(Source, Encoding)> {
        let Self { sql, table, columns, filter, sort, limit, format, codec, compat } = self;
        if url.sql.is_some() {
            return Err(ApiError::bad_request("option", "`sql` is in the body of a POST, not in its URL"));
        }
        let asked = match (sql, table) {
            (Some(sql), None) if columns.is_none() && filter.is_none() && sort.is_none() => Asked::Sql(sql),
            (Some(_), None) => {
                let text = "`columns`, `filter` and `sort` go with `table`; SQL has words for them";
                return Err(ApiError::bad_request("option", text));
            },
            (None, Some(table)) => {
                let sort = sort.map(Sort::columns).unwrap_or_default();
                Asked::Table(Selection { table, columns, filter, sort })
            },
            _ => return Err(ApiError::bad_request("option", "a body has either `sql` or `table`")),
        };
        let written = Written {
            format: format.or(url.format),
            codec: codec.or(url.codec),
            compat: compat.or(url.compat),
        };
        Ok((Source::Asked { asked, limit: limit.or(url.limit) }, encoding(written, headers)?))
    }
}

/// The encoding that options and the header `Accept` ask for; options come first.
fn encoding(written: Written, headers: &HeaderMap) -> Result<Encoding> {
    let Written { format, codec, compat } = written;
    let unknown = |what: &str, found: &str, known: &str| {
        Err(ApiError::bad_request("option", format!("`{what}` is one of {known}, not {found:?}")))
    };
    let (format, accepted_codec) = match format {
        Some(name) => match Format::ALL.into_iter().find(|format| format.name() == name) {
            Some(format) => (format, None),
            None => return unknown("format", &name, "arrows, arrow, csv, ndjson, parquet"),
        },
        None => accept::negotiate(headers).ok_or_else(not_acceptable)?,
    };
    let codec = match codec.as_deref() {
        None => accepted_codec,
        Some("none") => Some(Codec::None),
        Some("lz4") => Some(Codec::Lz4),
        Some("zstd") => Some(Codec::Zstd),
        Some(other) => return unknown("codec", other, "none, lz4, zstd"),
    };
    let compat = match compat.as_deref() {
        None => None,
        Some("oldest") => Some(Compat::Oldest),
        Some("newest") => Some(Compat::Newest),
        Some(other) => return unknown("compat", other, "oldest, newest"),
    };
    Ok(Encoding { format, codec, compat })
}

fn not_acceptable() -> ApiError {
    let known = Format::ALL.map(Format::media_type).join(", ");
    ApiError::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", format!("answers are one of {known}"))
}
