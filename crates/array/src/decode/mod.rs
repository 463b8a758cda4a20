//! Record batches to arrays. There is one file per physical layout; `dispatch` finds the one of a field.
//!
//! A column is decoded from one *or more* record batches at once ([`ColumnPart`]s). With one, its buffers may be views
//! into the source. With several, each buffer is decompressed or copied straight into its place in the one contiguous
//! allocation of the result. Lengths are known up front, at every depth, from the field nodes.
//!
//! Nothing here trusts a number: lengths are checked against the bytes that exist before memory
//! is allocated, offsets and keys before they are used.
//!
//! ```text
//!   dispatch --> one layout (list, struct_, view, ..) --> ctx.decode_child --> dispatch     nested fields
//!                  |
//!                  '--> values (buffers of all parts as values) --> fetch (one buffer's bytes) --> ctx
//! ```

mod append;
mod binary;
mod boolean;
mod column_builder;
mod ctx;
mod data_windows;
mod dispatch;
mod fetch;
mod fields;
mod fixed_size_binary;
mod growing_arrays;
mod keys;
mod layout_counts;
mod list;
mod list_view;
mod look_up;
mod make_views;
mod null;
mod offsets;
mod options;
mod plain;
mod primitive;
mod run_end;
mod struct_;
mod temporal;
mod text;
mod union;
mod values;
mod view;
mod view_builder;

pub use crate::budget::{Budget, Taken};
pub use column_builder::ColumnBuilder;
pub use ctx::{ColumnPart, DecodeCtx};
pub use dispatch::{decode_column, decode_values, empty_values};
pub use fields::{is_plain, maintains_offsets};
pub use layout_counts::{ColumnOffsets, LayoutCounts, column_offsets};
pub use options::{DecodeOptions, Unrepresentable, Validation};
pub use struct_::distinct;
pub use text::becomes_text;
pub use union::field_names as union_field_names;
