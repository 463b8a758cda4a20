//! The binary `floe`, run as a user would.
#![cfg(all(unix, feature = "frame"))]

mod broken;
mod copies;
#[cfg(feature = "query")]
mod formats;
mod goldens;
mod manners;
#[cfg(feature = "query")]
mod query;
#[cfg(feature = "query")]
mod readme;
mod reports;
mod rows;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "query")]
mod sql;
mod support;
