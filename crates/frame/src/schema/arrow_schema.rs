//! The schema as polars-arrow has it, for `arrow_schema()`: nearer to the written schema than Polars', metadata and
//! all.
// A new type has to be thought about here: it does not fall under the others.
#![warn(clippy::wildcard_enum_match_arm)]

use arrow::datatypes::{
    ArrowDataType, ArrowSchema, Field as ArrowField, IntegerType, IntervalUnit as ArrowInterval,
    TimeUnit as ArrowUnit, UnionMode as ArrowUnionMode, UnionType,
};
use floe_array::decode::distinct;
use floe_format::{
    DataType as WireType, Field as WireField, FloatType, IntType, IntervalUnit, Schema as WireSchema,
    TimeUnit, UnionMode,
};

use super::metadata_map;

/// Types that polars-arrow lacks appear as the types that floe reads them as: runs as their values, list views as
/// lists.
pub(crate) fn arrow_schema(schema: &WireSchema) -> ArrowSchema {
    let names = distinct(schema.fields.iter().map(|field| field.name.as_str()));
    let fields = schema.fields.iter().zip(names);
    fields
        .map(|(field, name)| {
            let field = arrow_field(field, &name);
            (field.name.clone(), field)
        })
        .collect()
}

fn arrow_field(field: &WireField, name: &str) -> ArrowField {
    let mut dtype = arrow_type(field);
    if let Some(encoding) = &field.dictionary {
        dtype = ArrowDataType::Dictionary(key_type(encoding.index), Box::new(dtype), encoding.ordered);
    }
    let out = ArrowField::new(name.into(), dtype, field.nullable);
    if field.metadata.is_empty() { out } else { out.with_metadata(metadata_map(&field.metadata)) }
}

fn child(field: &WireField, index: usize) -> Box<ArrowField> {
    Box::new(match field.children.get(index) {
        Some(child) => arrow_field(child, &child.name),
        None => ArrowField::new("item".into(), ArrowDataType::Null, true),
    })
}

fn children(field: &WireField) -> Vec<ArrowField> {
    let names = distinct(field.children.iter().map(|child| child.name.as_str()));
    field.children.iter().zip(names).map(|(child, name)| arrow_field(child, &name)).collect()
}

fn arrow_type(field: &WireField) -> ArrowDataType {
    match &field.data_type {
        WireType::Null => ArrowDataType::Null,
        WireType::Bool => ArrowDataType::Boolean,
        WireType::Int(int) => int_type(*int),
        WireType::Float(FloatType::Half) => ArrowDataType::Float16,
        WireType::Float(FloatType::Single) => ArrowDataType::Float32,
        WireType::Float(FloatType::Double) => ArrowDataType::Float64,
        WireType::Decimal { precision, scale, bits } => {
            // polars-arrow has no negative scales; the values are read with a scale of zero then. A negative precision,
            // which some file may claim, is shown as none.
            let digits = usize::try_from(precision.saturating_sub((*scale).min(0))).unwrap_or(0);
            let scale = usize::try_from(*scale).unwrap_or(0);
            match bits {
                32 => ArrowDataType::Decimal32(digits, scale),
                64 => ArrowDataType::Decimal64(digits, scale),
                256 => ArrowDataType::Decimal256(digits, scale),
                _ => ArrowDataType::Decimal(digits, scale),
            }
        },
        WireType::Date32 => ArrowDataType::Date32,
        WireType::Date64 => ArrowDataType::Date64,
        WireType::Time { unit, bits: 32 } => ArrowDataType::Time32(arrow_unit(*unit)),
        WireType::Time { unit, .. } => ArrowDataType::Time64(arrow_unit(*unit)),
        WireType::Timestamp { unit, timezone } => {
            ArrowDataType::Timestamp(arrow_unit(*unit), timezone.as_ref().map(|zone| zone.as_str().into()))
        },
        WireType::Duration(unit) => ArrowDataType::Duration(arrow_unit(*unit)),
        WireType::Interval(unit) => ArrowDataType::Interval(match unit {
            IntervalUnit::YearMonth => ArrowInterval::YearMonth,
            IntervalUnit::DayTime => ArrowInterval::DayTime,
            IntervalUnit::MonthDayNano => ArrowInterval::MonthDayNano,
        }),
        WireType::Binary => ArrowDataType::Binary,
        WireType::LargeBinary => ArrowDataType::LargeBinary,
        WireType::BinaryView => ArrowDataType::BinaryView,
        WireType::Utf8 => ArrowDataType::Utf8,
        WireType::LargeUtf8 => ArrowDataType::LargeUtf8,
        WireType::Utf8View => ArrowDataType::Utf8View,
        WireType::FixedSizeBinary(width) => ArrowDataType::FixedSizeBinary(*width),
        WireType::List | WireType::ListView => ArrowDataType::List(child(field, 0)),
        WireType::LargeList | WireType::LargeListView => ArrowDataType::LargeList(child(field, 0)),
        WireType::FixedSizeList(width) => ArrowDataType::FixedSizeList(child(field, 0), *width),
        WireType::Struct => ArrowDataType::Struct(children(field)),
        WireType::Union { mode, type_ids } => ArrowDataType::Union(Box::new(UnionType {
            fields: children(field),
            ids: Some(type_ids.iter().map(|id| i32::from(*id)).collect()),
            mode: match mode {
                UnionMode::Dense => ArrowUnionMode::Dense,
                UnionMode::Sparse => ArrowUnionMode::Sparse,
            },
        })),
        WireType::Map { keys_sorted } => ArrowDataType::Map(child(field, 0), *keys_sorted),
        WireType::RunEndEncoded => child(field, 1).dtype,
    }
}

fn int_type(int: IntType) -> ArrowDataType {
    match (int.bits, int.signed) {
        (8, true) => ArrowDataType::Int8,
        (16, true) => ArrowDataType::Int16,
        (32, true) => ArrowDataType::Int32,
        (64, true) => ArrowDataType::Int64,
        (_, true) => ArrowDataType::Int128,
        (8, false) => ArrowDataType::UInt8,
        (16, false) => ArrowDataType::UInt16,
        (32, false) => ArrowDataType::UInt32,
        (64, false) => ArrowDataType::UInt64,
        (_, false) => ArrowDataType::UInt128,
    }
}

fn key_type(int: IntType) -> IntegerType {
    match (int.bits, int.signed) {
        (8, true) => IntegerType::Int8,
        (16, true) => IntegerType::Int16,
        (32, true) => IntegerType::Int32,
        (_, true) => IntegerType::Int64,
        (8, false) => IntegerType::UInt8,
        (16, false) => IntegerType::UInt16,
        (32, false) => IntegerType::UInt32,
        (_, false) => IntegerType::UInt64,
    }
}

fn arrow_unit(unit: TimeUnit) -> ArrowUnit {
    match unit {
        TimeUnit::Second => ArrowUnit::Second,
        TimeUnit::Millisecond => ArrowUnit::Millisecond,
        TimeUnit::Microsecond => ArrowUnit::Microsecond,
        TimeUnit::Nanosecond => ArrowUnit::Nanosecond,
    }
}
