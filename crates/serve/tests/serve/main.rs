//! The server as its clients see it: over HTTP on loopback.
#![cfg(unix)]

mod attacks;
mod embed;
mod files;
mod formats;
mod guard;
mod limits;
mod load;
mod queries;
mod streaming;
mod support;
mod tables;
mod uploads;
