//! Bytes to DataFrames.
//!
//! ```text
//!   source  (file, memory, memory map)  --footer-->  index  --\
//!                                                              >-- plan --> decode --> assemble
//!   stream  (anything that reads)  --decoder, one by one-->  --/
//! ```
//!
//! A source that is in memory or on disk as a whole is indexed by its headers first, whichever format it has. A stream
//! from anywhere else is decoded while it is read. [`random`] keeps such an index, for callers that read parts of a
//! source again and again.

mod assemble;
mod begin;
mod body_reader;
mod bytes;
mod decoder_options;
mod decoding;
mod dictionary_store;
mod enclosed;
mod existing;
mod fetch;
mod file;
mod file_batches;
mod file_options;
mod flags;
mod follow;
mod follow_options;
mod followed;
mod footer;
mod frame;
mod frame_builder;
mod growing_file;
mod heads;
mod health;
mod in_memory;
mod in_place;
mod incoming;
mod input;
mod ledger;
mod message_source;
mod on_disk;
mod open;
mod open_file;
mod options;
mod pending;
mod plan;
mod prepared;
mod pushed;
mod random;
mod ranged;
mod read_ahead;
mod recover;
mod segments;
mod several;
mod stream;
mod stream_batches;
mod stream_decoder;
mod stream_messages;
mod stream_options;
mod stream_source;
mod stream_state;
mod types;
mod watch;
mod windows;

pub use bytes::OwnedBytes;
pub(crate) use existing::Existing;
pub use file::IpcReader;
pub use file_batches::Batches;
pub use follow::{Follow, FollowReader};
pub use followed::FollowedBytes;
pub(crate) use growing_file::{check_regular, is_same};
pub use open::read_ipc;
pub use random::{IpcIndex, IpcIndexBuilder, IpcIndexOptions, IpcKind, ReadPlan};
pub use ranged::{FileSource, RangedSource, ReadCost, SeekSource, join_ranges};
pub use recover::Recovered;
pub use stream::IpcStreamReader;
pub use stream_batches::StreamBatches;
pub use stream_decoder::StreamDecoder;
pub use types::{TextAsBinary, TypeOptions, Unrepresentable};
