//! The page: files in the binary, with the feature `page`; of a folder, for those who work on it; else how to get it.

use std::path::{Component, Path, PathBuf};

use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::catalog::Catalog;
use crate::error::ApiError;

// The compiler shows the line of the macro when the folder is not there.
#[cfg(feature = "page")]
static DIST: include_dir::Dir<'_> = include_dir::include_dir!("$CARGO_MANIFEST_DIR/web/dist"); // by scripts/web.sh

/// In place of the page.
#[cfg(not(feature = "page"))]
const WITHOUT: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>floe serve</title></head>\n\
     <body><h1>floe serve</h1>\n<p>The API is here: <a href=\"api/tables\">api/tables</a>, \
     <a href=\"api/openapi.json\">api/openapi.json</a>.</p>\n\
     <p>This build is without the page. In a checkout of floe: <code>bash scripts/web.sh</code>, then \
     <code>cargo build --features page</code>.</p>\n</body></html>\n";

/// A file of the page, `index.html` at its root.
pub(crate) async fn asset(
    State(catalog): State<Catalog>,
    OriginalUri(original): OriginalUri,
    method: Method,
    uri: Uri,
) -> Response {
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
    let not_found =
        || ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path").into_response();
    let Some(path) = relative(&path) else { return not_found() };
    if path.starts_with("api") {
        return not_found();
    }
    if method != Method::GET && method != Method::HEAD {
        return ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method", "pages are read only")
            .into_response();
    }
    let is_root = uri.path().len() <= 1;
    if let Some(location) = below(&original).filter(|_| is_root) {
        return (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response();
    }
    let bytes = match catalog.page_folder() {
        Some(folder) => of_folder(folder.to_path_buf(), path.clone()).await,
        None => built_in(&path),
    };
    match bytes {
        Some(bytes) => {
            let headers = [(header::CONTENT_TYPE, media_type(&path)), (header::CACHE_CONTROL, "no-cache")];
            (headers, Body::from(bytes)).into_response()
        },
        None => not_found(),
    }
}

/// Where the page of a router that is nested at `/data` is. The page's links are relative, so at `/data` itself they would
/// lead beside it; and axum has no route for `/data/`. Nothing for a router that is not nested.
fn below(original: &Uri) -> Option<String> {
    let last = original.path().rsplit('/').next().filter(|last| !last.is_empty())?;
    let query = original.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("./{last}/index.html{query}"))
}

/// A path below the page's root; nothing if it is none.
fn relative(path: &str) -> Option<PathBuf> {
    if path.contains(['\0', '\\']) {
        return None;
    }
    let path = Path::new(path.trim_start_matches('/'));
    let is_plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    match path.as_os_str().is_empty() {
        true => Some("index.html".into()),
        false => is_plain.then(|| path.to_path_buf()),
    }
}

#[cfg(feature = "page")]
fn built_in(path: &Path) -> Option<Bytes> {
    DIST.get_file(path).map(|file| Bytes::from_static(file.contents()))
}

#[cfg(not(feature = "page"))]
fn built_in(path: &Path) -> Option<Bytes> {
    (path == Path::new("index.html")).then(|| Bytes::from_static(WITHOUT.as_bytes()))
}

async fn of_folder(folder: PathBuf, path: PathBuf) -> Option<Bytes> {
    let read = move || {
        let root = folder.canonicalize().ok()?;
        let file = root.join(path).canonicalize().ok().filter(|file| file.starts_with(&root))?;
        std::fs::read(file).ok()
    };
    tokio::task::spawn_blocking(read).await.ok().flatten().map(Bytes::from)
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(std::ffi::OsStr::to_str) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("json" | "map" | "webmanifest") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::{below, relative};

    #[test]
    fn a_nested_page_is_below_its_prefix() {
        let nested = |uri: &str| below(&uri.parse().unwrap());
        assert_eq!(nested("/data?token=a%20b"), Some("./data/index.html?token=a%20b".into()));
        assert_eq!(nested("/a/b"), Some("./b/index.html".into()));
        assert_eq!(nested("/data/"), None);
        assert_eq!(nested("/"), None);
    }

    #[test]
    fn no_path_leads_out() {
        assert_eq!(relative("/"), Some("index.html".into()));
        assert_eq!(relative("/assets/a.js"), Some("assets/a.js".into()));
        for path in ["/../x", "/a/../../x", "/a\0", "/..\\x", "//../x"] {
            assert_eq!(relative(path), None, "{path:?}");
        }
        assert_eq!(relative("//etc/passwd"), Some("etc/passwd".into()));
    }
}
