//! Queries by DataFusion over files and streams in memory and in folders.

mod broken;
mod codecs;
#[path = "../../../cluster/src/counting.rs"]
mod counting;
mod dtypes;
mod folders;
mod pushdown;
mod statistics;
mod streams;
mod support;
