//! Arrays to field nodes and buffers. There is one file per physical layout, mirrored by `decode`.
//!
//! Only the rows of an array are written: slices are compacted at every depth, so that five rows of a large array take
//! the space of five rows. Values that no row refers to are not written, such as strings that were filtered out and
//! values under nulls ([`under_nulls`]). Where the bytes are right as they lie, the array's own buffer is shared, not
//! copied.
//!
//! ```text
//!   dispatch --> one layout (list, struct_, view, ..) --> ctx.encode --> dispatch     nested fields
//!                  |
//!                  '--> ctx (nodes, buffers, now or deferred)
//! ```
//!
//! The wire type decides: a string view array becomes views or offsets by the type of `field`.

mod binary;
mod boolean;
mod buffer;
mod bytes;
mod copy_values;
mod ctx;
mod deferred;
mod dispatch;
mod gathered;
mod joined;
mod keys;
mod list;
mod narrow;
mod primitive;
mod remap;
mod struct_;
pub mod under_nulls;
mod usage;
mod view;
mod view_to_offsets;

pub use buffer::EncodedBuffer;
pub use ctx::{EncodeCtx, Encoded};
pub use deferred::DeferredBuffers;
pub use dispatch::encode_column;
pub use joined::encode_joined;
pub use remap::Remap;
