//! The flatbuffer `Schema` and the [`Schema`](crate::Schema) of this crate, both ways.
//!
//! * `decode` walks the tree of fields and checks that the children of a field fit its type;
//! * `budget` counts down the [`IpcLimits`](crate::IpcLimits) on the way;
//! * `data_type` reads the union `Type`;
//! * `raw` reads the bytes of metadata that is not UTF-8;
//! * `encode` writes all of it.
//!
//! A flatbuffer is a graph of offsets, and nothing keeps two parents from sharing a child. Thirty levels of two
//! references each are a billion fields in a few hundred bytes. Hence the budget of *visited* nodes and of *copied*
//! text besides the limit on depth.
//!
//! Specification: `format/Schema.fbs`. Neighbours: [`message`](crate::message) and
//! [`footer`](crate::footer), which both embed a schema.

mod budget;
mod data_type;
mod decode;
mod encode;
mod raw;

pub(crate) use budget::Budget;
pub(crate) use decode::{decode_schema, key_values};
pub(crate) use encode::{encode_key_values, encode_schema, key_values_size};
pub(crate) use raw::Raw;
