//! Polars DataFrames to and from the Arrow IPC format: the stream and the file.
//!
//! ```text
//!   DataFrame -> write::chunk -> write::convert -> floe_array::encode -> floe_codec -> format -> W: Write
//!   R: Read | file | bytes -> format -> read::plan -> floe_array::decode (decompressing) -> DataFrame
//! ```
//!
//! The types carry the names and the builder methods of Polars' own; see the crate `floe`, which
//! re-exports them, for a tour.
#![forbid(unsafe_code)]

mod error;
mod options;
mod pool;
mod read;
mod schema;
mod summary;
mod write;

pub use floe_format::IpcLimits;
pub use options::{IpcStreamWriterOption, IpcWriterOptions, Metadata};
pub use read::{Batches, IpcReader, IpcStreamReader, OwnedBytes, Recovered};
pub use summary::WriteSummary;
pub use write::{AtomicFile, BatchedStreamWriter, BatchedWriter, IpcStreamWriter, IpcWriter};

/// Examines the physical layout of IPC bytes, for people: see [`inspect::describe`].
pub mod inspect {
    pub use floe_format::inspect::*;
}
