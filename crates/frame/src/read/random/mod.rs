//! Files and streams indexed by their headers, readable at random from any thread.
//!
//! ```text
//!   file    tail -> footer -> blocks -- heads, if needed, at once --\
//!                                                                   >-- Index: rows, places, dictionaries
//!   stream  heads, one by one, bodies skipped ---------------------/   (streams behind it alike)
//!   IpcIndex::read(batches, columns) -- heads again, bytes of those columns --> DataFrame
//! ```
//!
//! An index is small: it keeps where messages are, not their contents, and no file is held open. Neighbours:
//! [`builder`] makes it, without I/O; [`ipc_index`] opens sources for it. [`index`] reads by it, [`plan`] does so
//! without I/O, and [`origin`] is where bytes come from. [`dictionary_index`] keeps state that batches share;
//! [`statistics`] rules batches out.

mod builder;
mod dictionary_index;
mod found;
mod head_cache;
mod index;
mod ipc_index;
mod options;
mod origin;
mod plan;
mod request;
mod statistics;
mod streams;
mod sweep;

pub use self::builder::IpcIndexBuilder;
pub use self::found::IpcKind;
pub use self::index::IpcIndex;
pub use self::options::IpcIndexOptions;
pub use self::plan::ReadPlan;
