//! A query on its thread, and the response that it makes.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use floe::lazy::{IpcBatches, LazyFrame, LazyIpcExt};
use tokio::sync::oneshot;

use super::encode::{Encoder, Encoding};
use super::output::Output;
use super::plan;
use super::registry::Registered;
use super::request::Asked;
use super::state::{Cancel, Query, Reader};
use crate::catalog::Catalog;
use crate::error::{ApiError, Result};
use crate::memory;

/// The rows of a response.
pub(crate) enum Source {
    /// Of a request.
    Asked { asked: Asked, limit: Option<u64> },
    /// Of the program itself.
    Frame(Box<LazyFrame>),
}

impl Source {
    fn text(&self) -> String {
        match self {
            Self::Asked { asked, .. } => asked.text(),
            Self::Frame(_) => "a LazyFrame of the program".into(),
        }
    }
}

/// The header with a query's id.
const QUERY_ID: &str = "x-floe-query-id";

/// Starts a query, and waits until its answer begins.
pub(crate) async fn respond(catalog: Catalog, source: Source, encoding: Encoding) -> Result<Response> {
    encoding.check().map_err(|text| ApiError::bad_request("option", text))?;
    if let Some(most) = catalog.limits().memory
        && memory::resident() > most
        && memory::resident_at_least() > most
    {
        return Err(Cancel::Memory.error());
    }
    let ticket = catalog
        .slots()
        .enter()
        .ok_or_else(|| ApiError::busy("too many queries wait already: ask again later"))?;
    let registered = catalog.registry().add(source.text());
    let query = Arc::clone(&registered.query);
    let (start, started) = oneshot::channel();
    let output = Output::new(Arc::clone(&query), ticket, catalog.limits().stall_time, start);
    let sent = catalog.metrics().bytes.clone();
    // From here on the query is cancelled when this future, or the body, is dropped.
    let reader = Reader::new(Arc::clone(&query), sent);
    let limit = catalog.limits().query_time;
    let work = move || work(&catalog, source, encoding, &output, &registered);
    std::thread::Builder::new()
        .name("floe-serve-query".into())
        // Planning walks expressions, which may be deep.
        .stack_size(PLANNING_STACK)
        .spawn(work)
        .map_err(|error| ApiError::unavailable("threads", format!("no thread for the query: {error}")))?;
    tokio::spawn(end_in_time(Arc::downgrade(&query), limit));
    let started = tokio::select! {
        started = started => started,
        why = query.wait_cancelled() => return Err(why.error()),
    };
    started.unwrap_or_else(|_| Err(ApiError::internal("a query's thread ended without a word")))?;
    let mut response = Response::new(Body::from_stream(reader));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(encoding.format.media_type()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    if let Ok(id) = HeaderValue::from_str(&format!("q{}", query.id)) {
        headers.insert(QUERY_ID, id);
    }
    Ok(response)
}

const PLANNING_STACK: usize = 64 << 20;

/// Cancels a query that takes too long.
async fn end_in_time(query: std::sync::Weak<Query>, limit: Duration) {
    loop {
        let left = {
            let Some(query) = query.upgrade().filter(|query| !query.has_ended() && !query.is_cancelled())
            else {
                return;
            };
            match limit.checked_sub(query.busy()) {
                Some(left) if !left.is_zero() => left,
                _ => return query.cancel(Cancel::Timeout),
            }
        };
        // An ended query is let go within a second.
        tokio::time::sleep(left.clamp(Duration::from_millis(5), Duration::from_secs(1))).await;
    }
}

/// The whole life of a query's thread.
fn work(catalog: &Catalog, source: Source, encoding: Encoding, output: &Output, registered: &Registered) {
    let query = &registered.query;
    let done = catch_unwind(AssertUnwindSafe(|| run(catalog, source, encoding, output, query)));
    let error = match done {
        Ok(Ok(())) => return tracing::debug!(id = query.id, "query done"),
        Ok(Err(error)) => error,
        Err(_) => ApiError::internal(format!("query q{} has panicked: {}", query.id, query.text)),
    };
    // An error of a cancelled query is that it is cancelled.
    output.fail(query.why().map_or_else(|| catalog.without_paths(error), Cancel::error));
}

fn run(
    catalog: &Catalog,
    source: Source,
    encoding: Encoding,
    output: &Output,
    query: &Arc<Query>,
) -> Result<()> {
    if !output.acquire() {
        return Err(query.why().unwrap_or(Cancel::Gone).error());
    }
    let lf = match source {
        Source::Asked { asked, limit } => plan::plan(catalog, &asked, limit, query)?,
        Source::Frame(lf) => plan::interruptible(*lf, query),
    };
    let mut batches = lf.collect_ipc_batches(None)?;
    if let Err(error) = send(catalog, &mut batches, encoding, output, query) {
        output.fail(query.why().map_or_else(|| catalog.without_paths(error), Cancel::error));
        // The engine's thread ends at the next frame of any of its tables. It is waited for: then the slot is free.
        for _ in batches {}
    }
    Ok(())
}

fn send(
    catalog: &Catalog,
    batches: &mut IpcBatches,
    encoding: Encoding,
    output: &Output,
    query: &Query,
) -> Result<()> {
    let schema = batches.schema().clone();
    // Errors up to the first frame are found before anything is sent.
    let first = batches.next().transpose()?;
    let mut encoder = Encoder::new(encoding, output.clone(), &schema)?;
    for frame in first.into_iter().map(Ok).chain(batches) {
        let frame = frame?;
        check_memory(catalog, query);
        query.check()?;
        let added = u64::try_from(frame.height()).unwrap_or(u64::MAX);
        let rows = query.rows.fetch_add(added, Ordering::Relaxed).saturating_add(added);
        if catalog.limits().rows.is_some_and(|most| rows > most) {
            let most = catalog.limits().rows.unwrap_or_default();
            return Err(ApiError::bad_request(
                "too_many_rows",
                format!("the answer has more than {most} rows, which is the limit: ask for fewer with LIMIT"),
            ));
        }
        encoder.write(frame)?;
        output.clone().flush()?;
    }
    encoder.finish()?;
    Ok(output.finish()?)
}

/// When the process holds more than it may, the newest query goes.
fn check_memory(catalog: &Catalog, query: &Query) {
    if let Some(most) = catalog.limits().memory
        && memory::resident() > most
        && catalog.registry().is_newest(query.id)
        && memory::resident_at_least() > most
    {
        query.cancel(Cancel::Memory);
    }
}
