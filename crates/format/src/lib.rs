//! The Arrow IPC format as bytes. No arrays, no I/O, no threads, no unsafe.
//!
//! # The bytes
//!
//! A *stream* is a row of messages:
//!
//! ```text
//! +--------+--------------+-----+--------------+-----+-------------------------+
//! | schema | dictionaries | ... | record batch | ... | FF FF FF FF 00 00 00 00 |
//! +--------+--------------+-----+--------------+-----+-------------------------+
//! ```
//!
//! and every message is a head and a body:
//!
//! ```text
//! +-------------+------------+--------------------+-------+-----------------------------+
//! | FF FF FF FF | i32 length | flatbuffer Message | zeros | buffer | zeros | buffer ... |
//! +-------------+------------+--------------------+-------+-----------------------------+
//! |                          |<-------- length ---------->|<-------- body_len --------->|
//! ```
//!
//! Before Arrow 0.15 there was no marker. A *file* is a stream between magics, with an index:
//!
//! ```text
//! +--------+----+--------+-------------------+------------+--------+
//! | ARROW1 | 00 | stream | flatbuffer Footer | i32 length | ARROW1 |
//! +--------+----+--------+-------------------+------------+--------+
//! 0        6    8                            |<---- 10 bytes ----->|
//! ```
//!
//! # The modules
//!
//! | | reads | writes |
//! |---|---|---|
//! | head of a message | [`decoder`] | [`framing`] |
//! | flatbuffer of a message, schema included | [`message`] | [`encode`] |
//! | footer | [`footer`] | [`encode`] |
//! | places of buffers | [`message`] | [`body`] |
//!
//! [`types`] is the schema in memory, [`inspect`] describes bytes to people, [`sniff`](mod@sniff) tells formats
//! apart. Everything read is untrusted: lengths are checked against [`IpcLimits`] and against the bytes that exist before
//! anything is allocated, and every failure is an [`Error`] that says where.
//!
//! Above this crate, `floe-array` turns bodies into arrays and `floe-frame` does the I/O.
//! Specification: Arrow `docs/source/format/Columnar.rst`, "Serialization and Interprocess
//! Communication", and `format/{Schema,Message,File}.fbs`.
#![forbid(unsafe_code)]
#![warn(missing_debug_implementations)]

pub mod body;
pub mod constants;
pub mod decoder;
pub mod encode;
pub mod error;
pub mod footer;
pub mod framing;
pub mod inspect;
pub mod limits;
pub mod message;
mod schema;
pub mod sniff;
pub mod types;

pub use body::BodyLayout;
pub use decoder::{Decoder, Next, Step, next_message};
pub use encode::MessageEncoder;
pub use error::{Error, ErrorDetails, ErrorKind, IoError, Place, Result, ResultExt};
pub use floe_codec::Codec;
pub use footer::{Block, Footer, decode_footer, footer_len};
pub use framing::write_head;
pub use inspect::{Description, describe};
pub use limits::IpcLimits;
pub use message::{
    BatchHeader, BufferSpec, DictionaryHeader, FieldNode, Header, Message, Version, decode_message,
    message_body_len,
};
pub use sniff::{SourceFormat, sniff};
pub use types::*;

#[cfg(test)]
mod testing;
