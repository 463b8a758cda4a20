//! Bytes to DataFrames.
//!
//! ```text
//!   source  (file, memory, memory map)  --footer-->  index  --\
//!                                                              >-- plan --> decode --> assemble
//!   stream  (anything that reads)  --decoder, one by one-->  --/
//! ```
//!
//! A source that is in memory or on disk as a whole is indexed by its headers first, whichever format it has;
//! a stream from anywhere else is decoded while it is read. [`random`] keeps such an index, for whoever reads
//! parts of a source again and again.

mod assemble;
mod begin;
mod bytes;
mod decoding;
mod dictionaries;
mod enclosed;
mod fetch;
mod file;
mod flags;
mod heads;
mod health;
mod in_place;
mod incoming;
mod index;
mod input;
mod ledger;
mod methods;
mod on_disk;
mod open;
mod open_file;
mod options;
mod plan;
mod random;
mod recover;
mod segments;
mod several;
mod source;
mod stream;
mod stream_source;
mod types;
mod windows;

pub use bytes::OwnedBytes;
pub use file::{Batches, IpcReader};
pub use open::read_ipc;
pub use random::{IpcIndex, IpcKind};
pub use recover::Recovered;
pub use stream::{IpcStreamReader, StreamBatches};
pub use types::{TextAsBinary, TypeOptions, Unrepresentable};
