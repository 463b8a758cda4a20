//! One answer, for routes of one's own.

use std::sync::OnceLock;

use axum::response::{IntoResponse, Response};
use floe::lazy::LazyFrame;

use crate::catalog::Catalog;
use crate::error::ApiError;
use crate::query::{Encoding, Format, Source, respond};

/// Runs a query, whose result is the body of the response: an Arrow IPC stream, sent while it is computed.
///
/// The query runs on a thread of its own, and ends when its client goes. It waits while the client does not keep up: at
/// most 1 MiB of encoded pieces and the few frames behind them are in memory then. Errors before the first batch are
/// a response of JSON with a status of 400 or more; later ones cut the body off without an end marker. All responses of
/// a process share the default [`Limits`](crate::Limits).
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
/// use floe::lazy::IntoLazy;
/// use polars_core::prelude::*;
///
/// let df = DataFrame::new(3, vec![Column::new("n".into(), [1, 2, 3])]).map_err(std::io::Error::other)?;
/// let response = floe_serve::ipc_stream_response(df.lazy()).await;
/// assert_eq!(response.status(), 200);
/// # std::io::Result::Ok(())
/// # })
/// # }
/// ```
pub async fn ipc_stream_response(lf: LazyFrame) -> Response {
    let catalog = match shared() {
        Ok(catalog) => catalog,
        Err(error) => return error.into_response(),
    };
    let encoding = Encoding { format: Format::Arrows, codec: None, compat: None };
    respond(catalog, Source::Frame(Box::new(lf)), encoding).await.into_response()
}

/// The slots and limits of all responses that belong to no router.
fn shared() -> Result<Catalog, ApiError> {
    static SHARED: OnceLock<Catalog> = OnceLock::new();
    if let Some(catalog) = SHARED.get() {
        return Ok(catalog.clone());
    }
    let made = Catalog::builder().build().map_err(ApiError::internal)?;
    Ok(SHARED.get_or_init(|| made).clone())
}
