//! Arrow arrays to and from the field nodes and buffers of an IPC record batch.
//!
//! CPU only. There is no I/O: bytes come through [`Body`]. There are no threads: work is handed to an
//! [`Executor`](floe_runtime::Executor). Arrays on this side are Polars' *physical* arrays: string and binary
//! views, 64-bit list offsets, `i128` decimals, dictionary keys as plain integers. The other side
//! is whatever the format allows; [`decode`] maps every type of the format to a physical array,
//! [`encode`] goes back to the types Polars writes.
//!
//! ```text
//!   format::BatchHeader + Body --decode--> Box<dyn Array>      (decode/, one file a layout)
//!   Box<dyn Array> --encode--> field nodes + buffers           (encode/, mirrored)
//! ```

#![warn(missing_debug_implementations)]

mod append_only;
pub mod bitmaps;
mod body;
mod budget;
pub mod category;
mod charge;
pub mod chunks;
pub mod decode;
pub mod encode;
mod gather;
mod join;
mod lookup;
mod made;
mod selection;
mod share;
mod typed;
pub mod validate;

pub use body::{Body, Segments};
pub use decode::{ColumnPart, DecodeCtx, DecodeOptions, decode_column};
pub use encode::{EncodeCtx, Encoded, encode_column};
pub use join::join;
pub use lookup::{Dictionaries, Lookup};
pub use made::primitive_width;
pub use share::{share, share_region};
