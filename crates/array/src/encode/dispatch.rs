//! From the type of a field to the layout that encodes it.
#![warn(clippy::wildcard_enum_match_arm)]

use arrow::array::{Array, Utf8Array};
use floe_format::{DataType, Error, Field, FieldNode, FloatType, IntType, Place, Result};
use polars_utils::float16::pf16;

use super::bytes::down;
use super::ctx::EncodeCtx;
use super::remap::Remap;
use super::{binary, boolean, keys, list, primitive, struct_, view, view_to_offsets};

impl<'a> EncodeCtx<'a> {
    /// A context with nothing encoded yet. `remaps[slot]` says what the keys of a
    /// dictionary-encoded field become; without one they are written as they are.
    #[must_use]
    pub fn new(remaps: &'a [Option<Remap>]) -> Self {
        Self::with(remaps, encode)
    }
}

/// Appends an array to what the context has encoded.
///
/// `array` must be a physical array of the kind that `field` decodes to.
///
/// # Errors
/// When it is not, or holds values the wire type cannot.
pub fn encode_column(ctx: &mut EncodeCtx<'_>, field: &Field, array: &dyn Array) -> Result<()> {
    encode(ctx, field, array).map_err(|error| error.at(Place::Column(field.name.to_string())))
}

fn encode(ctx: &mut EncodeCtx<'_>, field: &Field, array: &dyn Array) -> Result<()> {
    if let Some(encoding) = &field.dictionary {
        return keys::encode(ctx, encoding, array);
    }
    match &field.data_type {
        DataType::Null => {
            ctx.out.nodes.push(FieldNode { len: array.len(), null_count: array.len() });
            Ok(())
        },
        DataType::Bool => boolean::encode(ctx, down(array)?),
        DataType::Int(int) => encode_int(ctx, *int, array),
        DataType::Float(FloatType::Half) => primitive::encode::<pf16>(ctx, array),
        DataType::Float(FloatType::Single) => primitive::encode::<f32>(ctx, array),
        DataType::Float(FloatType::Double) => primitive::encode::<f64>(ctx, array),
        DataType::Decimal { bits: 128, .. } => primitive::encode::<i128>(ctx, array),
        DataType::Date32 => primitive::encode::<i32>(ctx, array),
        DataType::Time { bits: 64, .. } | DataType::Timestamp { .. } | DataType::Duration(_) => {
            primitive::encode::<i64>(ctx, array)
        },
        DataType::LargeBinary => match array.as_any().downcast_ref() {
            Some(offsets) => binary::encode(ctx, offsets),
            None => view_to_offsets::encode::<[u8]>(ctx, down(array)?),
        },
        DataType::LargeUtf8 => match array.as_any().downcast_ref::<Utf8Array<i64>>() {
            Some(offsets) => binary::encode(ctx, &offsets.to_binary()),
            None => view_to_offsets::encode::<str>(ctx, down(array)?),
        },
        DataType::BinaryView => view::encode::<[u8]>(ctx, down(array)?),
        DataType::Utf8View => view::encode::<str>(ctx, down(array)?),
        DataType::LargeList => list::encode(ctx, field, down(array)?),
        DataType::FixedSizeList(_) => list::encode_fixed(ctx, field, down(array)?),
        DataType::Struct => struct_::encode(ctx, &field.children, down(array)?),
        other @ (DataType::Decimal { .. }
        | DataType::Date64
        | DataType::Time { .. }
        | DataType::Interval(_)
        | DataType::Binary
        | DataType::Utf8
        | DataType::FixedSizeBinary(_)
        | DataType::List
        | DataType::ListView
        | DataType::LargeListView
        | DataType::Union { .. }
        | DataType::Map { .. }
        | DataType::RunEndEncoded) => {
            Err(Error::unsupported(format!("{other:?} is not a type that floe writes")))
        },
    }
}

fn encode_int(ctx: &mut EncodeCtx<'_>, int: IntType, array: &dyn Array) -> Result<()> {
    match (int.bits, int.signed) {
        (8, true) => primitive::encode::<i8>(ctx, array),
        (16, true) => primitive::encode::<i16>(ctx, array),
        (32, true) => primitive::encode::<i32>(ctx, array),
        (64, true) => primitive::encode::<i64>(ctx, array),
        (128, true) => primitive::encode::<i128>(ctx, array),
        (8, false) => primitive::encode::<u8>(ctx, array),
        (16, false) => primitive::encode::<u16>(ctx, array),
        (32, false) => primitive::encode::<u32>(ctx, array),
        (64, false) => primitive::encode::<u64>(ctx, array),
        (128, false) => primitive::encode::<u128>(ctx, array),
        (bits, _) => Err(Error::invalid(format!("integers of {bits} bits do not exist"))),
    }
}
