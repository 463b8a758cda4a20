//! Whether it is there, its counters, and its description.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::catalog::Catalog;

pub(super) const OPENAPI: &str = include_str!("../../openapi.json");

pub(super) async fn healthz() -> &'static str {
    "ok"
}

pub(super) async fn metrics(State(catalog): State<Catalog>) -> impl IntoResponse {
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, media_type)], catalog.metrics().text())
}

pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}
