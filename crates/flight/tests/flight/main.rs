//! Flight over loopback: this crate's server and client, and messages that nobody vouches for.

mod access;
mod current;
mod edges;
mod encoder;
mod examples;
mod generate;
mod malformed;
mod pressure;
mod round_trip;
mod sql;
mod store;
