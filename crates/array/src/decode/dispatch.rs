//! From the type of a field to the layout that decodes it.
#![warn(clippy::wildcard_enum_match_arm)]

use arrow::array::Array;
use floe_format::{
    BatchHeader, BufferSpec, DataType, Error, Field, FieldNode, FloatType, IntType, Place, Result, TimeUnit,
    Version,
};
use floe_runtime::{Executor, Serial};
use polars_buffer::Buffer;
use polars_utils::float16::pf16;

use super::ctx::{ColumnPart, DecodeCtx};
use super::fields::{child, maintains_offsets};
use super::layout_counts::{ColumnOffsets, LayoutCounts};
use super::options::{DecodeOptions, Unrepresentable};
use super::{
    binary, boolean, fixed_size_binary, keys, list, list_view, null, primitive, run_end, struct_, temporal,
    union, view,
};
use crate::budget::Budget;
use crate::lookup::Dictionaries;

impl<'a> DecodeCtx<'a> {
    /// A context over these parts: at least one.
    #[must_use]
    pub fn new(
        parts: Vec<ColumnPart<'a>>,
        options: &'a DecodeOptions,
        budget: &'a Budget,
        executor: &'a dyn Executor,
    ) -> Self {
        Self { parts, options, budget, executor, decode_child: decode }
    }
}

/// Decodes the next column of the context: an array of all its parts' rows.
///
/// # Errors
/// When the bytes contradict the format, claim more than the limits allow, or hold what Polars
/// has no value for. The error names the column.
pub fn decode_column(ctx: &mut DecodeCtx<'_>, field: &Field) -> Result<Box<dyn Array>> {
    decode(ctx, field).map_err(|error| error.at(Place::Column(field.name.to_string())))
}

pub(super) fn decode(ctx: &mut DecodeCtx<'_>, field: &Field) -> Result<Box<dyn Array>> {
    if let Some(encoding) = &field.dictionary {
        return keys::decode(ctx, encoding);
    }
    decode_values(ctx, field)
}

/// Decodes the values of a dictionary batch: those of the field's value type, whether or not the field is dictionary
/// encoded.
///
/// # Errors
/// As [`decode_column`].
pub fn decode_values(ctx: &mut DecodeCtx<'_>, field: &Field) -> Result<Box<dyn Array>> {
    match &field.data_type {
        DataType::Null => null::decode(ctx),
        DataType::Bool => boolean::decode(ctx),
        DataType::Int(int) => decode_int(ctx, *int),
        DataType::Float(FloatType::Half) => primitive::decode::<pf16>(ctx),
        DataType::Float(FloatType::Single) => primitive::decode::<f32>(ctx),
        DataType::Float(FloatType::Double) => primitive::decode::<f64>(ctx),
        DataType::Decimal { precision, scale, bits } => {
            primitive::decode_decimal(ctx, *precision, *scale, *bits)
        },
        DataType::Date32 => primitive::decode::<i32>(ctx),
        DataType::Date64 => primitive::decode::<i64>(ctx),
        DataType::Time { unit, .. } => temporal::decode_time(ctx, *unit),
        DataType::Timestamp { unit: TimeUnit::Second, .. } | DataType::Duration(TimeUnit::Second) => {
            temporal::decode_seconds(ctx, &field.data_type)
        },
        DataType::Timestamp { .. } | DataType::Duration(_) => primitive::decode::<i64>(ctx),
        DataType::Interval(unit) => temporal::decode_interval(ctx, *unit),
        DataType::Binary => binary::decode::<i32, [u8]>(ctx),
        DataType::LargeBinary if maintains_offsets(field) => binary::decode_offsets(ctx),
        DataType::LargeBinary => binary::decode::<i64, [u8]>(ctx),
        DataType::Utf8 => binary::decode::<i32, str>(ctx),
        DataType::LargeUtf8 => binary::decode::<i64, str>(ctx),
        DataType::BinaryView => view::decode::<[u8]>(ctx),
        DataType::Utf8View => view::decode::<str>(ctx),
        DataType::FixedSizeBinary(width) => fixed_size_binary::decode(ctx, *width),
        DataType::List | DataType::Map { .. } => list::decode::<i32>(ctx, child(field, 0)?),
        DataType::LargeList => list::decode::<i64>(ctx, child(field, 0)?),
        DataType::ListView => list_view::decode::<i32>(ctx, child(field, 0)?),
        DataType::LargeListView => list_view::decode::<i64>(ctx, child(field, 0)?),
        DataType::FixedSizeList(width) => list::decode_fixed(ctx, child(field, 0)?, *width),
        DataType::Struct => struct_::decode(ctx, &field.children),
        DataType::Union { mode, type_ids } => union::decode(ctx, &field.children, *mode, type_ids),
        DataType::RunEndEncoded => run_end::decode(ctx, child(field, 0)?, child(field, 1)?),
    }
}

/// An array of no rows, of the type that `field`'s values decode to. Fields below it that are
/// dictionary encoded need their lookups in `dictionaries` already.
///
/// # Errors
/// When Polars cannot hold the type.
pub fn empty_values(
    field: &Field,
    dictionaries: &Dictionaries,
    unrepresentable: Unrepresentable,
) -> Result<Box<dyn Array>> {
    let counts = LayoutCounts::of_values(field, Version::V5);
    let header = BatchHeader {
        nodes: vec![FieldNode::default(); counts.nodes],
        buffers: vec![BufferSpec::default(); counts.buffers],
        variadic: vec![0; counts.variadic],
        ..BatchHeader::default()
    };
    let options = DecodeOptions::new(Version::V5, false);
    let options = options.with_unrepresentable(unrepresentable);
    let body = Buffer::<u8>::default();
    let parts = vec![ColumnPart::new(&header, &body, dictionaries, ColumnOffsets::default())];
    let budget = Budget::default();
    decode_values(&mut DecodeCtx::new(parts, &options, &budget, &Serial), field)
}

fn decode_int(ctx: &mut DecodeCtx<'_>, int: IntType) -> Result<Box<dyn Array>> {
    match (int.bits, int.signed) {
        (8, true) => primitive::decode::<i8>(ctx),
        (16, true) => primitive::decode::<i16>(ctx),
        (32, true) => primitive::decode::<i32>(ctx),
        (64, true) => primitive::decode::<i64>(ctx),
        (128, true) => primitive::decode::<i128>(ctx),
        (8, false) => primitive::decode::<u8>(ctx),
        (16, false) => primitive::decode::<u16>(ctx),
        (32, false) => primitive::decode::<u32>(ctx),
        (64, false) => primitive::decode::<u64>(ctx),
        (128, false) => primitive::decode::<u128>(ctx),
        (bits, _) => Err(Error::invalid(format!("integers of {bits} bits do not exist"))),
    }
}
