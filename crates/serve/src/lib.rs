//! An HTTP API for tables that Polars reads, whose answers leave as Arrow IPC streams while they are computed.
//!
//! ```text
//!   axum::Router <- routes <- guard: host, token, headers, counters
//!                     |
//!        catalog -----+----- query
//!   files, folders,          a thread each; frames -> Arrow IPC, CSV, NDJSON, Parquet
//!   LazyFrames, uploads      -> at most 1 MiB that waits for the client -> body
//! ```
//!
//! [`router`] is the whole API, to be served alone or nested in a router of one's own. [`ipc_stream_response`] is one
//! answer, for routes of one's own:
//!
//! ```
//! use axum::{Router, routing::get};
//! use floe::lazy::{IntoLazy, LazyFrame};
//! use polars_core::prelude::*;
//!
//! fn numbers() -> LazyFrame {
//!     DataFrame::new(3, vec![Column::new("n".into(), [1, 2, 3])]).unwrap().lazy()
//! }
//!
//! let app: Router =
//!     Router::new().route("/numbers", get(|| async { floe_serve::ipc_stream_response(numbers()).await }));
//! # let _ = app;
//! ```
//!
//! [docs/serve.md](https://github.com/floe-rs/floe/blob/main/docs/serve.md) has the API, the guard and the limits.
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

mod catalog;
mod error;
mod guard;
mod limits;
mod memory;
mod metrics;
mod page;
mod query;
mod respond;
mod routes;
mod server;

pub use catalog::{Catalog, CatalogBuilder};
pub use limits::Limits;
pub use respond::ipc_stream_response;
pub use routes::router;
pub use server::serve;

// The example of the page runs with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/serve.md")]
struct Page;
