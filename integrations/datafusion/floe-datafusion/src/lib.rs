//! Arrow IPC files and streams as tables of [DataFusion](https://datafusion.apache.org), decoded by floe.
//!
//! | | DataFusion's own Arrow source | this one |
//! |---|---|---|
//! | `count(*)` | reads all bytes | reads footers |
//! | `min`, `max`, null counts | reads all bytes | footers, of files that floe wrote `with_statistics(true)` |
//! | one column of many | reads all bytes | reads that column's buffers |
//! | a filter | reads all batches | leaves out batches by their statistics |
//! | streams in a Ballista cluster | fail | work |
//! | categoricals in a Ballista cluster | fail | work, as strings |
//!
//! ```
//! use std::sync::Arc;
//!
//! use datafusion::prelude::SessionContext;
//! use floe::prelude::*;
//! use floe_datafusion::{FloeOptions, FloeTable};
//! use polars_core::prelude::*;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("days.arrow");
//! let days = Column::new("day".into(), [1i64, 2, 3]);
//! let mut df = DataFrame::new(3, vec![days])?;
//! IpcWriter::new(std::fs::File::create(&path)?).with_statistics(true).finish(&mut df)?;
//!
//! let ctx = SessionContext::new();
//! let url = path.to_str().ok_or("a path that is not text")?;
//! let table = FloeTable::open(&ctx.state(), url, FloeOptions::default()).await?;
//! ctx.register_table("days", Arc::new(table))?;
//! let batches = ctx.sql("select sum(day) from days where day > 1").await?.collect().await?;
//! assert_eq!(batches[0].column(0).as_ref(), &datafusion::arrow::array::Int64Array::from(vec![5]));
//! # Ok(())
//! # }
//! ```
//!
//! # Ballista
//!
//! [`FloeLogicalCodec`] and [`FloePhysicalCodec`] send tables and scans to other processes. The README has an example.
//!
//! # Errors
//!
//! Input is checked as floe checks it: bytes that contradict the format are an error that names the object and the column.
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations, unreachable_pub)]

mod arrays;
mod batches;
mod buffers;
mod categories;
mod codec;
mod error;
mod fetch;
mod format;
mod hive;
mod messages;
mod open;
mod opener;
mod options;
mod pruning;
mod source;
mod statistics;
mod table;
mod types;

pub use codec::{FloeLogicalCodec, FloePhysicalCodec};
pub use format::{FloeFormat, FloeFormatFactory};
pub use options::FloeOptions;
pub use source::FloeSource;
pub use table::{FloeTable, FloeTableFactory};

// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
