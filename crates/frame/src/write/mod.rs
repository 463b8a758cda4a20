//! DataFrames to bytes.
//!
//! One engine serves the file, the stream and any other sink. [`engine::Engine`] cuts frames into record batches, has
//! them encoded on the pool and emits them in order. [`emit::Emitter`] knows where the bytes go and which messages
//! stand before and behind them.

mod batch;
mod batched;
mod body_buffer;
mod chunk;
mod compress;
mod convert;
mod dictionary_builder;
mod dictionary_writer;
mod emit;
mod encode;
mod engine;
mod format;
mod group;
mod in_flight;
mod options;
mod output;
mod plans;
mod sink;
mod small;
mod split;
mod statistics;
mod submit;
mod used_categories;
mod writer;

pub use batched::{BatchWriter, BatchedStreamWriter, BatchedWriter};
pub use format::{FileFormat, StreamFormat, WriteFormat};
pub use sink::AtomicFile;
pub use writer::{FrameWriter, IpcStreamWriter, IpcWriter};

/// The metadata key of sortedness flags.
pub(crate) fn flags_key() -> &'static str {
    statistics::FLAGS_KEY
}
