//! Tables that clients bring.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::{apart, computed};
use crate::catalog::{Catalog, Uploaded, is_upload_name};
use crate::error::{ApiError, Result};

pub(super) async fn put(
    State(catalog): State<Catalog>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Value>)> {
    check_name(&name)?;
    let most = catalog.limits().upload_bytes;
    let too_large = || {
        let text = format!("an upload has at most {most} bytes");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "upload_too_large", text)
    };
    let claimed =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if claimed.is_some_and(|claimed| claimed > most) {
        return Err(too_large());
    }
    let (own, wanted) = (catalog.clone(), name.clone());
    let (file, path) = apart(move || {
        check_free(&own, &wanted)?;
        own.uploads().begin()
    })
    .await?;
    let mut file = tokio::fs::File::from_std(file);
    let mut body = body.into_data_stream();
    let mut taken = 0u64;
    while let Some(piece) = body.next().await {
        let piece = piece.map_err(|_| ApiError::bad_request("upload", "the upload broke off"))?;
        taken = taken.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if taken > most {
            return Err(too_large());
        }
        file.write_all(&piece).await?;
    }
    file.flush().await?;
    drop(file);
    let own = catalog.clone();
    let done = computed(&catalog, move || {
        // A file of this name may have come meanwhile.
        check_free(&own, &name)?;
        let uploaded = own.uploads().finish(&name, path)?;
        Ok((name, uploaded))
    });
    let (name, Uploaded { rows, recovered, leftover_bytes }) = done.await?;
    tracing::info!(name, ?rows, recovered, "upload");
    let about =
        json!({ "name": name, "rows": rows, "recovered": recovered, "leftover_bytes": leftover_bytes });
    Ok((StatusCode::CREATED, Json(about)))
}

pub(super) async fn remove(State(catalog): State<Catalog>, Path(name): Path<String>) -> Result<StatusCode> {
    check_name(&name)?;
    apart(move || {
        check_free(&catalog, &name)?;
        match catalog.uploads().remove(&name)? {
            true => Ok(StatusCode::NO_CONTENT),
            false => Err(ApiError::no_table(&name)),
        }
    })
    .await
}

fn check_name(name: &str) -> Result<()> {
    match is_upload_name(name) {
        true => Ok(()),
        false => Err(ApiError::bad_request(
            "name",
            "the name of an upload has letters, digits, `_`, `-`, `.` and spaces, begins with a letter or digit, and \
             has at most 100 characters and 240 bytes",
        )),
    }
}

/// A table that is no upload stays as it is.
fn check_free(catalog: &Catalog, name: &str) -> Result<()> {
    let taken = catalog.tables().into_iter().any(|table| table.name == name && !table.is_upload);
    match taken {
        false => Ok(()),
        true => {
            let text = format!("table {name:?} is no upload, and is not changed: choose another name");
            Err(ApiError::new(StatusCode::CONFLICT, "not_an_upload", text))
        },
    }
}
