//! Polars DataFrames over [Arrow Flight](https://arrow.apache.org/docs/format/Flight.html): gRPC that moves record batches.
//!
//! ```text
//!   FrameService -> FrameStream -> FlightEncoder -> FlightData ... gRPC ... FlightData -> FlightDecoder -> FlightStream
//!   (yours)         frames         2 MiB messages                                        frames         (or pyarrow, ADBC)
//! ```
//!
//! | to | use |
//! |---|---|
//! | serve frames | [`FrameService`], which is yours, in a [`FlightServer`] |
//! | serve the result of a query while it is computed | `frames_of` (feature `lazy`) |
//! | answer SQL over tables | `SqlService` (feature `sql`) |
//! | read from a server, or write to it | [`FlightClient`] |
//! | make or read messages without this crate's server and client | [`FlightEncoder`], [`FlightDecoder`] |
//!
//! ```
//! use floe_flight::{FlightClient, FlightResult, FlightServer, FrameService, FrameStream, Ticket};
//! use polars_core::prelude::*;
//!
//! struct Numbers;
//!
//! impl FrameService for Numbers {
//!     async fn get(&self, _ticket: Ticket) -> FlightResult<FrameStream> {
//!         let numbers = Column::new("n".into(), [1i64, 2, 3]);
//!         Ok(DataFrame::new(3, vec![numbers])?.into())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! tokio::spawn(FlightServer::new(Numbers).serve(listener));
//!
//! let client = FlightClient::connect(format!("http://{address}")).await?;
//! let df = client.get(Ticket::new("all")).await?.collect().await?;
//! assert_eq!(df.height(), 3);
//! # FlightResult::Ok(())
//! # })?;
//! # FlightResult::Ok(())
//! ```
//!
//! docs/flight.md of the repository says what is copied where, which limits there are, and what of Flight SQL is answered.
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

mod auth;
mod client;
mod codec;
mod connect;
mod decode;
mod encode;
mod ending;
mod error;
mod frames;
mod handler;
mod incoming;
mod info;
mod message;
mod options;
mod outgoing;
pub mod protocol;
#[cfg(feature = "lazy")]
mod query;
mod server;
mod service;
mod split;
#[cfg(feature = "sql")]
mod sql;
mod upload;

// The examples of the page run with the tests.
#[cfg(all(doctest, feature = "sql"))]
#[doc = include_str!("../../../docs/flight.md")]
struct FlightPage;

pub use client::FlightClient;
pub use connect::FlightConnector;
pub use decode::FlightDecoder;
pub use encode::FlightEncoder;
pub use ending::FlightGrpc;
pub use error::{FlightError, FlightResult};
pub use frames::{FlightFrame, FrameStream};
pub use incoming::FlightStream;
pub use info::FrameInfo;
pub use message::{FlightBody, FlightData};
pub use options::FlightOptions;
pub use protocol::{Action, FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
#[cfg(feature = "lazy")]
pub use query::frames_of;
pub use server::FlightServer;
pub use service::{FrameService, PutResults, put_results};
#[cfg(feature = "sql")]
pub use sql::SqlService;
