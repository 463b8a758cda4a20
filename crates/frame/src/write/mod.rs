//! DataFrames to bytes.
//!
//! One engine serves the file, the stream and any other sink. [`engine::Engine`] cuts frames into record batches, has
//! them encoded on the pool and emits them in order. [`emit::Emitter`] knows which messages stand before and behind
//! them, a [`message_sink::MessageSink`] where they go.

mod append;
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
mod faults;
mod format;
mod group;
mod in_flight;
mod interop;
mod message;
mod message_encoder;
mod message_queue;
mod message_sink;
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

pub use append::AppendFile;
pub use batched::{BatchWriter, BatchedStreamWriter, BatchedWriter};
pub use format::{FileFormat, StreamFormat, WriteFormat};
pub use message::{IpcMessage, IpcMessageKind};
pub use message_encoder::IpcMessageEncoder;
pub use sink::AtomicFile;
pub use writer::{FrameWriter, IpcStreamWriter, IpcWriter};

/// The metadata key of sortedness flags.
pub(crate) fn flags_key() -> &'static str {
    statistics::FLAGS_KEY
}
