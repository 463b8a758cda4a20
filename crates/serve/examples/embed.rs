//! An axum app of one's own: a LazyFrame whose rows leave as an Arrow IPC stream, and the whole API beside it.

use axum::extract::Query;
use axum::{Router, response::Response, routing::get};
use floe::lazy::{IntoLazy, LazyFrame, col, lit};
use polars_core::prelude::*;
use std::collections::HashMap;

fn flights() -> PolarsResult<LazyFrame> {
    let flight = Column::new("flight".into(), (0..100_000i64).collect::<Vec<_>>());
    let delay = Column::new("delay".into(), (0..100_000i64).map(|i| i * 7 % 180 - 20).collect::<Vec<_>>());
    Ok(DataFrame::new(100_000, vec![flight, delay])?.lazy())
}

pub(crate) fn app() -> PolarsResult<Router> {
    let table = flights()?;
    let late = move |Query(options): Query<HashMap<String, i64>>| async move {
        let minutes = options.get("minutes").copied().unwrap_or(15);
        let answer: Response =
            floe_serve::ipc_stream_response(table.filter(col("delay").gt(lit(minutes)))).await;
        answer
    };
    let catalog = floe_serve::Catalog::builder().build()?.with_table("flights", flights()?);
    Ok(Router::new().route("/late", get(late)).nest("/data", floe_serve::router(catalog)))
}

#[allow(dead_code, reason = "a test runs the app, too")]
#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    println!("http://{}/late?minutes=60", listener.local_addr()?);
    floe_serve::serve(listener, app().map_err(std::io::Error::other)?, async {
        drop(tokio::signal::ctrl_c().await)
    })
    .await
}
