//! Queries.

use axum::body::{Body, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use crate::catalog::Catalog;
use crate::error::{ApiError, Result};
use crate::query::request::{Parameters, RequestBody};
use crate::query::respond;

type FromUrl = std::result::Result<Query<Parameters>, QueryRejection>;

pub(super) async fn get(
    State(catalog): State<Catalog>,
    url: FromUrl,
    headers: HeaderMap,
) -> Result<Response> {
    let (source, encoding) = parameters(url)?.into_query(&headers)?;
    respond(catalog, source, encoding).await
}

pub(super) async fn post(
    State(catalog): State<Catalog>,
    url: FromUrl,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    let url = parameters(url)?;
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // Pages elsewhere can send other types without asking first.
    if media_type.split(';').next().map(str::trim) != Some("application/json") {
        let text = "the body is JSON, with `Content-Type: application/json`";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", text));
    }
    let most = catalog.limits().request_bytes;
    let bytes = to_bytes(body, most).await.map_err(|_| {
        let text = format!("the body is larger than {most} bytes, or broke off");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "request_too_large", text)
    })?;
    let body: RequestBody = serde_json::from_slice(&bytes).map_err(|error| {
        ApiError::bad_request("json", format!("the body is not what is expected: {error}"))
    })?;
    let (source, encoding) = body.into_query(url, &headers)?;
    respond(catalog, source, encoding).await
}

fn parameters(url: FromUrl) -> Result<Parameters> {
    match url {
        Ok(Query(parameters)) => Ok(parameters),
        Err(error) => Err(ApiError::bad_request("option", error.body_text())),
    }
}
