//! Lazy Polars queries into and out of Arrow IPC streams and files.
//!
//! ```text
//!            query thread(s)                  |        sink thread                | Polars' pool
//!   LazyFrame -> streaming engine -> regroup -> channel of 1 -> submit, write oldest <-> encode, compress
//!                      ^                      |                     |
//!                      '---- back-pressure ---'                     v
//!                                                     SinkTarget: AtomicFile | Write
//!   LazyFrame <- scan_ipc_file | scan_ipc_stream <- IpcScanOptions <- paths, bytes
//! ```
//!
//! A sink runs its query on Polars' streaming engine. Its frames are put together into batches of a sensible size (see
//! `regroup.rs`), encoded on Polars' pool and written by a thread that belongs to the sink. So the query, the encoding
//! and the writing overlap, and the slowest of them holds up the others. Memory is bounded by the batches on their way:
//! a window of about 48 MiB.
//!
//! ```
//! use floe_lazy::*;
//! use polars_core::prelude::*;
//!
//! let folder = std::env::temp_dir().join(format!("floe-lazy-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! let numbers: Vec<i64> = (0..1000).collect();
//! let df = DataFrame::new(1000, vec![Column::new("n".into(), numbers)])?;
//! let even = df.lazy().filter((col("n") % lit(2)).eq(lit(0)));
//!
//! let options = IpcSinkOptions::default().with_record_batch_size(200);
//! let summary = even.sink_ipc_file(folder.join("even.arrow"), options)?;
//! assert_eq!((summary.rows, summary.batches), (500, 3));
//! # std::fs::remove_dir_all(&folder)?;
//! # PolarsResult::Ok(())
//! ```
//!
//! [`LazyIpcExt`] has the sinks, as methods of [`LazyFrame`]; [`scan_ipc_file`], [`scan_ipc_stream`] and
//! [`scan_ipc`], which takes both, are the scans; [`scan_ipc_reader`] is one of a pipe or socket, which is read once.
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

mod batch_sizing;
mod batches;
mod cloud;
mod committed;
mod error;
mod hive;
mod interrupt;
mod options;
mod partition;
mod query;
mod regroup;
mod rewrite;
mod scan;
mod sink;
mod size;
mod slices;
mod target;
mod writer;

pub use batches::IpcBatches;
pub use floe_frame::prelude::{CompatLevel, IpcCompression, Metadata, WriteSummary, ZstdLevel};
pub use interrupt::LazyInterrupt;
pub use options::{IpcSinkOptions, Progress};
pub use partition::{ExistingFiles, PartitionBy, PartitionSummary};
#[cfg(feature = "cloud")]
pub use polars_io::cloud::CloudOptions;
pub use polars_lazy::prelude::{Engine, Expr, IntoLazy, LazyFrame, col, lit};
pub use polars_plan::dsl::{CastColumnsPolicy, ExtraColumnsPolicy, MissingColumnsPolicy};
pub use scan::{
    HiveSchema, IpcMetadata, IpcScanOptions, IpcScanSource, LazyIpcPrune, PathColumn, ScanColumns,
    ScanSchema, scan_ipc, scan_ipc_file, scan_ipc_metadata, scan_ipc_reader, scan_ipc_stream,
};
pub use sink::LazyIpcExt;
pub use target::{CommitWrite, SinkTarget};
