//! The binary `floe`, run as a user would.
#![cfg(all(unix, feature = "frame"))]

mod broken;
mod copies;
#[cfg(feature = "formats")]
mod formats;
mod goldens;
mod manners;
mod reports;
mod rows;
mod support;
