//! From the type of a field to the layout that encodes it.
#![warn(clippy::wildcard_enum_match_arm)]

use arrow::array::{Array, Utf8Array};
use arrow::bitmap::Bitmap;
use floe_format::{DataType, Error, Field, FieldNode, FloatType, IntType, Place, Result, TimeUnit};
use polars_utils::float16::pf16;

use super::bytes::down;
use super::ctx::EncodeCtx;
use super::remap::Remap;
use super::{binary, boolean, keys, list, narrow, primitive, struct_, view, view_to_offsets};

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
    let encoded = check_nulls(field, array, None).and_then(|()| encode(ctx, field, array));
    encoded.map_err(|error| error.at(Place::Column(field.name.to_string())))
}

/// Checks that no row is null of a field that has no nulls, unless the row of its parent is.
pub(super) fn check_nulls(field: &Field, array: &dyn Array, outer: Option<&Bitmap>) -> Result<()> {
    if field.nullable || matches!(field.data_type, DataType::Null) {
        return Ok(());
    }
    let Some(own) = array.validity().filter(|own| own.unset_bits() > 0) else { return Ok(()) };
    let row = match outer {
        None => own.iter().position(|valid| !valid),
        Some(outer) => own.iter().zip(outer).position(|(valid, outer)| outer && !valid),
    };
    match row {
        None => Ok(()),
        Some(row) => Err(Error::invalid(format!(
            "row {row} is null, and field \"{}\" is not nullable in the schema that is written to",
            field.name
        ))),
    }
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
        // Polars has no seconds, and times in nanoseconds only.
        DataType::Timestamp { unit: TimeUnit::Second, .. } | DataType::Duration(TimeUnit::Second) => {
            narrow::divided::<i64>(ctx, 1_000, array)
        },
        DataType::Time { unit: TimeUnit::Microsecond, bits: 64 } => narrow::divided::<i64>(ctx, 1_000, array),
        DataType::Time { unit: TimeUnit::Millisecond, bits: 32 } => {
            narrow::divided::<i32>(ctx, 1_000_000, array)
        },
        DataType::Time { unit: TimeUnit::Second, bits: 32 } => {
            narrow::divided::<i32>(ctx, 1_000_000_000, array)
        },
        DataType::Time { unit: TimeUnit::Nanosecond, bits: 64 }
        | DataType::Timestamp { .. }
        | DataType::Duration(_) => primitive::encode::<i64>(ctx, array),
        DataType::Date64 => {
            narrow::check_whole_days(array)?;
            primitive::encode::<i64>(ctx, array)
        },
        DataType::LargeBinary => large_binary(ctx, array),
        DataType::Binary => narrow::with_narrow_offsets(ctx, |ctx| large_binary(ctx, array)),
        DataType::LargeUtf8 => large_utf8(ctx, array),
        DataType::Utf8 => narrow::with_narrow_offsets(ctx, |ctx| large_utf8(ctx, array)),
        DataType::FixedSizeBinary(width) => narrow::fixed_size_binary(ctx, *width, array),
        DataType::BinaryView => view::encode::<[u8]>(ctx, down(array)?),
        DataType::Utf8View => view::encode::<str>(ctx, down(array)?),
        DataType::LargeList => list::encode(ctx, field, down(array)?),
        DataType::List => {
            let array = down(array)?;
            narrow::with_narrow_offsets(ctx, |ctx| list::encode(ctx, field, array))
        },
        DataType::FixedSizeList(_) => list::encode_fixed(ctx, field, down(array)?),
        DataType::Struct => struct_::encode(ctx, &field.children, down(array)?),
        other @ (DataType::Decimal { .. }
        | DataType::Time { .. }
        | DataType::Interval(_)
        | DataType::ListView
        | DataType::LargeListView
        | DataType::Union { .. }
        | DataType::Map { .. }
        | DataType::RunEndEncoded) => {
            Err(Error::unsupported(format!("{other:?} is not a type that floe writes")))
        },
    }
}

fn large_binary(ctx: &mut EncodeCtx<'_>, array: &dyn Array) -> Result<()> {
    match array.as_any().downcast_ref() {
        Some(offsets) => binary::encode(ctx, offsets),
        None => view_to_offsets::encode::<[u8]>(ctx, down(array)?),
    }
}

fn large_utf8(ctx: &mut EncodeCtx<'_>, array: &dyn Array) -> Result<()> {
    match array.as_any().downcast_ref::<Utf8Array<i64>>() {
        Some(offsets) => binary::encode(ctx, &offsets.to_binary()),
        None => view_to_offsets::encode::<str>(ctx, down(array)?),
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
