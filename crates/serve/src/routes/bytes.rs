//! A table's file as it lies, for tools that read it remotely.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::SeekFrom;
use std::ops::Range;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::try_unfold;
use prometheus_client::metrics::counter::Counter;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::apart;
use super::range::{Wanted, wanted};
use crate::catalog::{Catalog, FileEntry};
use crate::error::{ApiError, Result};

/// Bytes that are read at a time.
const PIECE: u64 = 256 << 10;

pub(super) async fn file(
    State(catalog): State<Catalog>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let sent = catalog.metrics().bytes.clone();
    let (file, entry) = apart(move || {
        let table = catalog.table(&name)?;
        let [entry] = table.files.as_slice() else {
            return Err(ApiError::bad_request("no_file", format!("table {name:?} is not one file")));
        };
        let file = std::fs::File::open(&entry.path)?;
        // The file that is open now: another may have taken the name.
        let stamp = crate::catalog::stamp(&file)?;
        Ok((file, FileEntry { stamp, ..entry.clone() }))
    })
    .await?;
    let len = entry.stamp.len;
    let tag = tag(&entry);
    if names_tag(&headers, header::IF_NONE_MATCH, &tag, true) {
        return Ok(with_headers(StatusCode::NOT_MODIFIED, &tag, &entry, Body::empty()));
    }
    // Without a match of `If-Range` the parts that a client has are of another file: it gets all of this one.
    let is_same =
        !headers.contains_key(header::IF_RANGE) || names_tag(&headers, header::IF_RANGE, &tag, false);
    let range = headers.get(header::RANGE).and_then(|value| value.to_str().ok()).filter(|_| is_same);
    let (status, part) = match wanted(range, len) {
        Wanted::All => (StatusCode::OK, 0..len),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Unsatisfiable => {
            let mut response = with_headers(StatusCode::RANGE_NOT_SATISFIABLE, &tag, &entry, Body::empty());
            insert(&mut response, header::CONTENT_RANGE, format!("bytes */{len}"));
            return Ok(response);
        },
    };
    let body = body(File::from_std(file), part.clone(), sent).await?;
    let mut response = with_headers(status, &tag, &entry, body);
    insert(&mut response, header::CONTENT_LENGTH, (part.end - part.start).to_string());
    if status == StatusCode::PARTIAL_CONTENT {
        insert(&mut response, header::CONTENT_RANGE, format!("bytes {}-{}/{len}", part.start, part.end - 1));
    }
    Ok(response)
}

/// Changes whenever the file does, as far as the system tells.
fn tag(entry: &FileEntry) -> String {
    let mut hasher = DefaultHasher::new();
    entry.stamp.hash(&mut hasher);
    format!("\"{:x}-{:016x}\"", entry.stamp.len, hasher.finish())
}

/// Whether a header names the tag, or any.
fn names_tag(headers: &HeaderMap, name: HeaderName, tag: &str, is_weak: bool) -> bool {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).any(|known| {
        let known = if is_weak { known.strip_prefix("W/").unwrap_or(known) } else { known };
        known == tag || (is_weak && known == "*")
    })
}

fn with_headers(status: StatusCode, tag: &str, entry: &FileEntry, body: Body) -> Response {
    use floe_format::SourceFormat as Is;
    let media_type = match entry.format {
        Is::IpcFile => "application/vnd.apache.arrow.file",
        Is::IpcStream => "application/vnd.apache.arrow.stream",
        Is::Parquet => "application/vnd.apache.parquet",
        Is::Csv => "text/csv",
        Is::NdJson => "application/x-ndjson",
        _ => "application/octet-stream",
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    insert(&mut response, header::ETAG, tag.to_owned());
    insert(&mut response, header::ACCEPT_RANGES, "bytes".into());
    insert(&mut response, header::CONTENT_TYPE, media_type.into());
    insert(&mut response, header::CACHE_CONTROL, "no-cache".into());
    response
}

fn insert(response: &mut Response, name: HeaderName, value: String) {
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(name, value);
    }
}

/// A part of a file, piece by piece as the client takes them.
async fn body(mut file: File, part: Range<u64>, sent: Counter) -> Result<Body> {
    file.seek(SeekFrom::Start(part.start)).await?;
    let left = part.end.saturating_sub(part.start);
    let pieces = try_unfold((file, left), move |(mut file, left)| {
        let sent = sent.clone();
        async move {
            if left == 0 {
                return std::io::Result::Ok(None);
            }
            let len = usize::try_from(left.min(PIECE)).unwrap_or(usize::MAX);
            let mut piece = vec![0; len];
            // A file that has become shorter breaks the answer off.
            file.read_exact(&mut piece).await?;
            let taken = left.min(PIECE);
            sent.inc_by(taken);
            Ok(Some((Bytes::from(piece), (file, left - taken))))
        }
    });
    Ok(Body::from_stream(pieces))
}
