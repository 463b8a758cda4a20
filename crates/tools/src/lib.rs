//! Arrow IPC inspected, checked, copied and compressed anew, message by message. No arrays are decoded, so every type
//! of Arrow is kept.
//!
//! ```text
//!   ReadAt --> scan ---> Contents          where messages are, from their heads
//!                 |
//!                 +----> describe          bytes by column, buffer and kind, as data; picture.rs: drawn to scale
//!                 +----> verify            what is wrong, and where, as data
//!                 '----> Copier            into a file or a stream; recompress.rs: with another codec
//! ```
//!
//! It stands on `floe-format` and `floe-codec` alone. The command `floe` uses it.
#![forbid(unsafe_code)]

mod agree;
mod arrays;
mod batch_check;
mod body;
mod copy;
mod copy_error;
mod describe;
mod fault;
mod picture;
mod recompress;
mod scan;
mod source;
pub mod text;
mod verify;

pub use agree::{check_copy, differs};
pub use arrays::{ArrayInfo, BufferKind, BufferOf, Length, batch_arrays, dictionary_arrays, map_buffers};
pub use body::{batch_of, raw_len};
pub use copy::{Copied, Copier, Sink, Target};
pub use copy_error::CopyError;
pub use describe::{BufferBytes, ColumnBytes, Description, MessageBytes, describe};
pub use fault::{Fault, MessageId, Result};
pub use floe_codec::Compression;
pub use picture::{layout_html, layout_svg};
pub use recompress::Recompression;
pub use scan::{Contents, Kind, MessageInfo, StreamInfo, Visit, scan};
pub use source::{FileSource, ReadAt};
pub use verify::{Verified, VerifyOptions, verify};
