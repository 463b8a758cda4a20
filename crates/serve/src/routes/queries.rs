//! The queries that run.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::catalog::Catalog;
use crate::error::{ApiError, Result};
use crate::query::Cancel;

pub(super) async fn list(State(catalog): State<Catalog>) -> Json<Value> {
    Json(json!({ "queries": catalog.registry().list() }))
}

pub(super) async fn cancel(State(catalog): State<Catalog>, Path(id): Path<String>) -> Result<StatusCode> {
    let number = id.strip_prefix('q').and_then(|number| number.parse().ok());
    match number.is_some_and(|number| catalog.registry().cancel(number, Cancel::Asked)) {
        true => Ok(StatusCode::NO_CONTENT),
        false => {
            Err(ApiError::new(StatusCode::NOT_FOUND, "query_not_found", format!("no query {id:?} runs")))
        },
    }
}
