//! Data and measuring for the benchmarks.
#![forbid(unsafe_code)]

pub mod data;
pub mod measure;
pub mod peers;
