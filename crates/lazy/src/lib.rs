//! Lazy Polars queries into and out of Arrow IPC streams and files.
#![forbid(unsafe_code)]
