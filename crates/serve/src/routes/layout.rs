//! Where a file's bytes are: a picture, or JSON.

use std::fs::File;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use floe_format::IpcLimits;
use floe_query::is_ipc;
use floe_tools::{Description, FileSource, MessageId, describe, layout_svg};
use serde_json::{Value, json};

use super::computed;
use crate::catalog::Catalog;
use crate::error::{ApiError, Result};
use crate::query::accept;

const SVG: &str = "image/svg+xml";
const JSON: &str = "application/json";

pub(super) async fn layout(
    State(catalog): State<Catalog>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let is_svg = accept::accepts(&headers, SVG);
    if !is_svg && !accept::accepts(&headers, JSON) {
        return Err(ApiError::new(
            StatusCode::NOT_ACCEPTABLE,
            "not_acceptable",
            format!("a layout is {SVG} or {JSON}"),
        ));
    }
    let own = catalog.clone();
    let drawn = computed(&catalog, move || {
        let table = own.table(&name)?;
        let [file] = table.files.as_slice() else { return Err(not_drawn(&name)) };
        if !is_ipc(file.format) {
            return Err(not_drawn(&name));
        }
        let source = FileSource::new(File::open(&file.path)?)?;
        let found = describe(&source, &IpcLimits::default(), is_svg)
            .map_err(|fault| ApiError::new(StatusCode::CONFLICT, "table_unreadable", fault.to_string()))?;
        Ok(match is_svg {
            true => Ok(layout_svg(&name, &found)),
            false => Err(as_json(&name, &found)),
        })
    });
    Ok(match drawn.await? {
        Ok(svg) => ([(header::CONTENT_TYPE, SVG), (header::VARY, "accept")], svg).into_response(),
        Err(json) => ([(header::VARY, "accept")], Json(json)).into_response(),
    })
}

fn not_drawn(name: &str) -> ApiError {
    let text = format!("table {name:?} is not one file of Arrow IPC, of which alone there is a layout");
    ApiError::bad_request("no_layout", text)
}

fn as_json(name: &str, found: &Description) -> Value {
    let columns: Vec<Value> = found
        .column_names()
        .iter()
        .zip(&found.columns)
        .map(|(name, bytes)| json!({ "name": name, "stored": bytes.stored, "raw": bytes.raw, "nulls": bytes.nulls }))
        .collect();
    let message = |message: &floe_tools::MessageBytes| {
        let info = &message.info;
        let kind = if matches!(info.id, MessageId::Batch(_)) { "batch" } else { "dictionary" };
        json!({
            "kind": kind,
            "offset": info.offset,
            "head": info.head_len,
            "body": info.body_len,
            "padding": message.padding,
            "rows": info.rows,
            "codec": info.codec.map(|codec| codec.to_string()),
            "stored": message.columns.iter().map(|column| column.stored).collect::<Vec<_>>(),
        })
    };
    let messages: Vec<Value> = found.messages.iter().map(message).collect();
    json!({
        "name": name,
        "bytes": found.contents.len,
        "heads": found.heads,
        "padding": found.padding,
        "footer": found.footer,
        "other": found.other,
        "dictionaries": found.dictionaries.stored,
        "columns": columns,
        "messages": messages,
    })
}
