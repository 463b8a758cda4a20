//! SQL that is looked through before Polars sees it, and files of other formats than Arrow IPC as LazyFrames.
//!
//! ```text
//!   text -> Statement: one query, its tables by name     what is not a query, and functions as tables, are refused
//!   path -> scan_file: CSV, NDJSON, Parquet              with types, also compressed
//! ```
//!
//! The command `floe` and the server `floe serve` both ask here, so that a query means the same to both.
//!
//! ```
//! let statement = floe_query::Statement::parse("SELECT a, count(*) FROM t GROUP BY a").unwrap();
//! assert_eq!(statement.tables()[0].name, "t");
//! ```
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

mod csv;
mod files;
mod names;
mod sql;

pub use files::{ScanError, is_ipc, is_readable, scan_file};
pub use sql::{SqlError, SqlErrorKind, Statement, TableName, check_operators, check_predicate, position};
