//! Memory for large results, and loops that several threads share: the lowest crate of the workspace.
//!
//! Nothing here knows of arrays, of Arrow or of Polars. `unsafe` is allowed in this crate, so that crates above can do
//! without.
//!
//! ```text
//!   alloc      vectors whose allocation may fail, with room to grow     region     one on a boundary of huge pages
//!     |                                                                   |
//!   free_list  blocks of memory that are used again  <--------------------'     recycle    how they get there
//!     |                                                                           (and how many are kept)
//!   pages      what the system is told about pages (Linux; elsewhere nothing)
//!
//!   executor   jobs to results, on whatever threads    fork_join   a loop that the threads of a pool join
//!   as_file    the file behind a generic reader
//! ```
#![warn(missing_debug_implementations)]

#[doc(hidden)]
pub mod ablation;
pub mod alloc;
pub mod as_file;
#[cfg(target_os = "linux")]
mod cgroup;
mod error;
mod executor;
pub mod fork_join;
mod free_list;
mod pages;
pub mod recycle;
mod region;

pub use error::{Error, Result};
pub use executor::{Executor, Serial};
pub use region::Region;
