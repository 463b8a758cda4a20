//! The routes. `openapi.json` describes them, and a test holds the two together.

mod bytes;
mod health;
mod layout;
mod queries;
mod query;
mod range;
mod summary;
mod tables;
mod upload;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get};

use crate::catalog::Catalog;
use crate::error::{ApiError, Result};
use crate::{guard, page};

/// The API over a catalog, and the page: to be served, or nested in a router of one's own.
///
/// ```
/// let catalog = floe_serve::Catalog::builder().build()?;
/// let app: axum::Router = axum::Router::new().nest("/data", floe_serve::router(catalog));
/// # let _ = app;
/// # polars_core::error::PolarsResult::Ok(())
/// ```
pub fn router(catalog: Catalog) -> Router {
    let mut router = Router::new();
    for (path, _, methods) in routes() {
        router = router.route(path, methods);
    }
    router.fallback(page::asset).layer(from_fn_with_state(catalog.clone(), guard::guard)).with_state(catalog)
}

type Route = (&'static str, &'static [&'static str], MethodRouter<Catalog>);

/// Paths, their methods, and what answers them.
fn routes() -> Vec<Route> {
    vec![
        ("/healthz", &["get"], get(health::healthz)),
        ("/metrics", &["get"], get(health::metrics)),
        ("/api/openapi.json", &["get"], get(health::openapi)),
        ("/api/tables", &["get"], get(tables::list)),
        ("/api/tables/{name}", &["put", "delete"], delete(upload::remove).put(upload::put)),
        ("/api/tables/{name}/schema", &["get"], get(tables::schema)),
        ("/api/tables/{name}/summary", &["get"], get(summary::summary)),
        ("/api/tables/{name}/layout", &["get"], get(layout::layout)),
        ("/api/tables/{name}/file", &["get"], get(bytes::file)),
        ("/api/query", &["get", "post"], get(query::get).post(query::post)),
        ("/api/queries", &["get"], get(queries::list)),
        ("/api/queries/{id}", &["delete"], delete(queries::cancel)),
    ]
}

/// Does work of Polars or of the file system on a thread that may wait. Its panics are errors of the request.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(ApiError::internal(format!("a request has panicked: {error}"))),
    }
}

/// As [`apart`], for work that computes: it takes a slot as queries do.
async fn computed<T: Send + 'static>(
    catalog: &Catalog,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let Some(mut ticket) = catalog.slots().enter() else {
        return Err(ApiError::busy("too many queries wait already: ask again later"));
    };
    let own = catalog.clone();
    apart(move || {
        ticket.acquire(|| true);
        work().map_err(|error| own.without_paths(error))
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_route_is_described_and_every_description_is_a_route() {
        let described: serde_json::Value = serde_json::from_str(super::health::OPENAPI).expect("JSON");
        let paths = described["paths"].as_object().expect("paths");
        let described: BTreeSet<String> = paths
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().expect("methods").keys();
                let methods = methods.filter(|method| *method != "parameters" && *method != "summary");
                methods.map(move |method| format!("{method} {path}")).collect::<Vec<_>>()
            })
            .collect();
        let routes: BTreeSet<String> = super::routes()
            .iter()
            .flat_map(|(path, methods, _)| methods.iter().map(move |method| format!("{method} {path}")))
            .collect();
        assert_eq!(described, routes);
    }
}
