//! The tables, and their schemas.

use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::apart;
use crate::catalog::{Catalog, Table};
use crate::error::Result;

pub(super) async fn list(State(catalog): State<Catalog>) -> Result<Json<Value>> {
    apart(move || {
        let tables: Vec<Value> = catalog.tables().iter().map(|table| about(&catalog, table)).collect();
        Ok(Json(json!({ "tables": tables })))
    })
    .await
}

fn about(catalog: &Catalog, table: &Table) -> Value {
    let mut error = table.error.clone();
    let mut columns = None;
    let mut rows = Some(0u64);
    for file in &table.files {
        let facts = catalog.facts(file);
        rows = rows.zip(facts.rows).map(|(all, rows)| all.saturating_add(rows));
        columns = columns.or(facts.columns);
        error = error.or_else(|| facts.error.clone());
    }
    // Text has to be read for its schema, once.
    if error.is_none() && (columns.is_none() || table.is_hive) {
        match catalog.frame_of(table) {
            Ok((_, schema)) => columns = Some(schema.len()),
            Err(failed) => error = Some(failed.message),
        }
    }
    json!({
        "name": table.name,
        "format": table.format(),
        "files": table.files.len(),
        "bytes": table.bytes(),
        "rows": rows.filter(|_| !table.is_own && error.is_none()),
        "columns": columns,
        "error": error,
        "upload": table.is_upload,
    })
}

/// Rows of a table, where its files' heads say so.
pub(super) fn rows(catalog: &Catalog, table: &Table) -> Option<u64> {
    let files = table.files.iter().map(|file| catalog.facts(file).rows);
    files.sum::<Option<u64>>().filter(|_| !table.is_own)
}

pub(super) async fn schema(State(catalog): State<Catalog>, Path(name): Path<String>) -> Result<Json<Value>> {
    apart(move || {
        let table = catalog.table(&name)?;
        let (_, schema) = catalog.frame_of(&table)?;
        // Every column of Polars may have nulls.
        let field = |(name, dtype): (&polars_core::prelude::PlSmallStr, &polars_core::prelude::DataType)| {
            json!({ "name": name.as_str(), "type": dtype.to_string(), "nullable": true })
        };
        let fields: Vec<Value> = schema.iter().map(field).collect();
        Ok(Json(json!({ "name": table.name, "rows": rows(&catalog, &table), "fields": fields })))
    })
    .await
}
