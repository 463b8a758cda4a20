//! DataFrames to bytes.
//!
//! One engine serves the file, the stream and whatever comes next: [`engine::Engine`] cuts frames
//! into record batches, has them encoded on the pool and emits them in order; [`emit::Emitter`]
//! knows where the bytes go and what stands before and behind them.

mod batched;
mod choices;
mod chunk;
mod convert;
mod dictionaries;
mod emit;
mod encode;
mod engine;
mod file;
mod group;
mod in_flight;
mod methods;
mod options;
mod sink;
mod statistics;
mod stream;

pub use batched::{BatchedStreamWriter, BatchedWriter};
pub use file::IpcWriter;
pub use sink::AtomicFile;
pub use stream::IpcStreamWriter;

/// The metadata key of sortedness flags.
pub(crate) fn flags_key() -> &'static str {
    statistics::FLAGS_KEY
}
