//! Lazy Polars queries into and out of Arrow IPC streams and files.
#![forbid(unsafe_code)]

mod scan;

pub use scan::{IpcScanOptions, IpcScanSource, ScanColumns, scan_ipc_file, scan_ipc_stream};
