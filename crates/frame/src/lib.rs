//! Polars DataFrames to and from the Arrow IPC format: the stream and the file.
//!
//! ```text
//!   DataFrame -> write::chunk -> write::convert -> floe_array::encode -> floe_codec -> format -> W: Write
//!   R: Read | file | bytes -> format -> read::fetch -> floe_array::decode (decompressing) -> DataFrame
//! ```
//!
//! The types carry the names and the builder methods of Polars' own; see the crate `floe`, which
//! re-exports them, for a tour.
#![deny(unsafe_code)]
#![warn(missing_debug_implementations)]
#![cfg_attr(
    not(feature = "dtype-categorical"),
    allow(dead_code, unused_imports, unused_variables, reason = "what only categories need")
)]

mod cumulative;
mod error;
mod layout;
mod options;
mod pool;
mod read;
#[doc(hidden)]
pub mod row_size;
mod schema;
mod statistics;
mod summary;
#[cfg(not(feature = "trace"))]
mod trace;
#[cfg(feature = "trace")]
pub mod trace;
mod write;

pub use error::{ErrorPlace, error_kind, error_place};
pub use floe_format::{ErrorKind, IpcLimits, Place, SourceFormat, sniff};
pub use options::{IpcStreamWriterOption, IpcWriterOptions, Metadata, MetadataBytes};
pub use polars_buffer::Buffer;
pub use read::{
    Batches, FileSource, Follow, FollowReader, FollowedBytes, IpcIndex, IpcIndexBuilder, IpcIndexOptions,
    IpcKind, IpcReader, IpcStreamReader, OwnedBytes, RangedSource, ReadCost, ReadPlan, Recovered, SeekSource,
    StreamBatches, StreamDecoder, TextAsBinary, TypeOptions, Unrepresentable, join_ranges, read_ipc,
};
#[doc(hidden)]
pub use schema::HIVE_SCHEMA_KEY;
pub use schema::TypeDifference;
pub use summary::WriteSummary;
pub use write::{
    AppendFile, AtomicFile, BatchWriter, BatchedStreamWriter, BatchedWriter, FileFormat, FrameWriter,
    IpcMessage, IpcMessageEncoder, IpcMessageKind, IpcStreamWriter, IpcWriter, StreamFormat, WriteFormat,
};

pub(crate) use write::flags_key as write_flags_key;

/// Everything for `use floe::prelude::*`.
pub mod prelude {
    pub use polars_core::prelude::CompatLevel;
    pub use polars_io::ipc::IpcCompression;
    pub use polars_io::{RowIndex, SerReader, SerWriter};
    pub use polars_utils::compression::ZstdLevel;

    pub use crate::{
        AtomicFile, BatchedStreamWriter, BatchedWriter, Batches, IpcIndex, IpcKind, IpcLimits, IpcReader,
        IpcStreamReader, IpcStreamWriter, IpcStreamWriterOption, IpcWriter, IpcWriterOptions, Metadata,
        MetadataBytes, OwnedBytes, Recovered, SourceFormat, StreamBatches, TextAsBinary, TypeOptions,
        Unrepresentable, WriteSummary, read_ipc,
    };
}

/// Memory of large buffers (1 MiB and more), kept for the next ones after they have been dropped.
///
/// Filling fresh memory takes longer than anything else that reading does. So reading frame after frame is much faster
/// with memory that is used again.
///
/// On Linux the system may take kept memory whenever memory is short, except for the blocks that were dropped last: a
/// thirty-second of the limit, until [`kept`](memory::kept) is called. On other systems nothing is kept unless a limit is
/// set. The limit starts as an eighth of the memory of the machine or of the container (its control groups), whichever is
/// less, and is at most 1 GiB.
///
/// ```
/// use floe_frame::memory;
///
/// memory::set_limit(256 << 20); // at most 256 MiB; 0 turns it off
/// assert!(memory::kept() <= memory::limit());
/// memory::release(); // gives all of it back now
/// # assert_eq!(memory::kept(), 0);
/// ```
pub mod memory {
    pub use floe_runtime::recycle::{kept, limit, release, set_limit};
}

/// Examines the physical layout of IPC bytes, for people: see [`inspect::describe`].
pub mod inspect {
    pub use floe_format::inspect::*;
}
