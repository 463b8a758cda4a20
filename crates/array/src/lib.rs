//! Arrow arrays to and from the field nodes and buffers of an IPC record batch.
//!
//! CPU only: no I/O (bytes come through [`Body`]) and no threads of its own (work is spread
//! through [`Executor`]; [`fork_join`] is how one shares it out to threads that somebody else has). Arrays on this side are Polars' *physical* arrays: string and binary
//! views, 64-bit list offsets, `i128` decimals, dictionary keys as plain integers. The other side
//! is whatever the format allows; [`decode`] maps every type of the format to a physical array,
//! [`encode`] goes back to the types Polars writes.
//!
//! ```text
//!   format::BatchHeader + Body --decode--> Box<dyn Array>      (decode/, one file a layout)
//!   Box<dyn Array> --encode--> field nodes + buffers           (encode/, mirrored)
//! ```

pub mod aligned;
mod append_only;
pub mod as_file;
pub mod body;
pub mod category;
#[cfg(target_os = "linux")]
mod cgroup;
mod charge;
pub mod chunks;
pub mod decode;
pub mod encode;
pub mod fork_join;
mod gather;
mod join;
mod lookup;
pub mod recycle;
pub mod region;
pub mod validate;

pub use body::{Body, Executor, Segments, Serial};
pub use decode::{ColumnPart, DecodeCtx, DecodeOptions, decode_column};
pub use encode::{EncodeCtx, Encoded, encode_column};
pub use join::join;
pub use lookup::{Dictionaries, Lookup};
pub use region::Region;
