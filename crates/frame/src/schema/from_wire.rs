//! The format's types to Polars'. Every type of the format has a Polars dtype; where Polars lacks
//! it, the nearest one that loses nothing (the table is in docs/types.md).
// A new type has to be thought about here: it does not fall under the others.
#![warn(clippy::wildcard_enum_match_arm)]

use std::borrow::Cow;

use floe_array::decode::{Unrepresentable, becomes_text, distinct, maintains_offsets, union_field_names};
use floe_format::{
    DataType as WireType, Field as WireField, FloatType, IntType, IntervalUnit, KeyValues,
    TimeUnit as WireUnit,
};
use polars_core::prelude::*;

use super::category_target::{CategoryTarget, category_dtype};
use super::{EXTENSION_METADATA, EXTENSION_NAME};

type Wire<T> = Result<T, floe_format::Error>;

/// The dictionary-encoded fields of a schema, found column by column.
pub(super) struct Slots {
    /// The way to the field at hand, from child to child.
    path: Vec<u32>,
    targets: Vec<CategoryTarget>,
    paths: Vec<Box<[u32]>>,
    unrepresentable: Unrepresentable,
}

impl Slots {
    pub(super) fn new(unrepresentable: Unrepresentable) -> Self {
        Self { path: Vec::new(), targets: Vec::new(), paths: Vec::new(), unrepresentable }
    }

    /// The dtype of the next column, which has number `at`.
    pub(super) fn column(&mut self, at: u32, field: &WireField) -> Wire<DataType> {
        self.path.clear();
        self.path.push(at);
        dtype(field, self)
    }

    /// By slot: the target of the dictionary, and the way to its field.
    pub(super) fn into_parts(self) -> (Vec<CategoryTarget>, Vec<Box<[u32]>>) {
        (self.targets, self.paths)
    }
}

/// The dtype of a field. Always visits all children, so that slots stay in step on errors.
fn dtype(field: &WireField, slots: &mut Slots) -> Wire<DataType> {
    let own_slot = field.dictionary.as_ref().map(|_| {
        slots.targets.push(CategoryTarget::Values);
        slots.paths.push(slots.path.as_slice().into());
        slots.targets.len() - 1
    });
    let mut children: Vec<Wire<DataType>> = Vec::with_capacity(field.children.len());
    for (child, at) in field.children.iter().zip(0u32..) {
        slots.path.push(at);
        children.push(dtype(child, slots));
        slots.path.pop();
    }
    let mut storage = storage(field, children, slots.unrepresentable)?;
    if let Some(slot) = own_slot {
        let (target, categories) = category_dtype(field, storage)?;
        slots.targets[slot] = target;
        storage = categories;
    }
    match find(&field.metadata, EXTENSION_NAME) {
        Some(name) => extension(name, storage, find(&field.metadata, EXTENSION_METADATA)),
        None => Ok(storage),
    }
}

/// Known extension types become themselves, all others their storage. Polars' own marker for
/// Python objects holds pointers of another process: never.
fn extension(name: &str, storage: DataType, metadata: Option<&str>) -> Wire<DataType> {
    if name == "_POLARS_PYTHON_OBJECT" {
        return Err(floe_format::Error::unsupported(
            "the column holds Python objects of another process; project it away to read the rest",
        ));
    }
    #[cfg(feature = "dtype-extension")]
    {
        use polars_core::datatypes::extension::get_extension_type_or_storage;
        Ok(match get_extension_type_or_storage(name, &storage, metadata) {
            Some(kind) => DataType::Extension(kind, Box::new(storage)),
            None => storage,
        })
    }
    #[cfg(not(feature = "dtype-extension"))]
    {
        let _ = metadata;
        Ok(storage)
    }
}

/// The last value of a metadata key.
pub(super) fn find<'a>(metadata: &'a KeyValues, key: &str) -> Option<&'a str> {
    metadata.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
}

fn storage(
    field: &WireField,
    children: Vec<Wire<DataType>>,
    unrepresentable: Unrepresentable,
) -> Wire<DataType> {
    if unrepresentable == Unrepresentable::String && becomes_text(&field.data_type) {
        return Ok(DataType::String);
    }
    let mut children = children.into_iter();
    let mut child =
        || children.next().unwrap_or_else(|| Err(floe_format::Error::invalid("a child is missing")));
    Ok(match &field.data_type {
        WireType::Null => DataType::Null,
        WireType::Bool => DataType::Boolean,
        WireType::Int(int) => int_dtype(*int)?,
        WireType::Float(FloatType::Half) => DataType::Float16,
        WireType::Float(FloatType::Single) => DataType::Float32,
        WireType::Float(FloatType::Double) => DataType::Float64,
        WireType::Decimal { precision, scale, .. } => decimal(*precision, *scale, unrepresentable)?,
        WireType::Date32 => DataType::Date,
        WireType::Date64 => DataType::Datetime(TimeUnit::Milliseconds, None),
        WireType::Time { .. } => DataType::Time,
        WireType::Timestamp { unit, timezone } => {
            DataType::Datetime(polars_unit(*unit), zone(timezone.as_deref()))
        },
        WireType::Duration(unit) => DataType::Duration(polars_unit(*unit)),
        WireType::Interval(unit) => interval(*unit)?,
        WireType::LargeBinary if maintains_offsets(field) => DataType::BinaryOffset,
        WireType::Binary | WireType::LargeBinary | WireType::BinaryView | WireType::FixedSizeBinary(_) => {
            DataType::Binary
        },
        WireType::Utf8 | WireType::LargeUtf8 | WireType::Utf8View => DataType::String,
        WireType::List
        | WireType::LargeList
        | WireType::ListView
        | WireType::LargeListView
        | WireType::Map { .. } => DataType::List(Box::new(child()?)),
        WireType::FixedSizeList(width) => fixed_list(child()?, *width)?,
        WireType::Struct => {
            let names = distinct(field.children.iter().map(|child| child.name.as_str()));
            struct_dtype(names.into_iter().map(|name| Ok((name, child()?))))?
        },
        WireType::Union { .. } => {
            let mut names = union_field_names(&field.children).into_iter();
            let first = names.next().map(|name| Ok((name, DataType::Int8)));
            struct_dtype(first.into_iter().chain(names.map(|name| Ok((name, child()?)))))?
        },
        WireType::RunEndEncoded => {
            child()?;
            child()?
        },
    })
}

fn int_dtype(int: IntType) -> Wire<DataType> {
    Ok(match (int.bits, int.signed) {
        (8, true) => DataType::Int8,
        (16, true) => DataType::Int16,
        (32, true) => DataType::Int32,
        (64, true) => DataType::Int64,
        (8, false) => DataType::UInt8,
        (16, false) => DataType::UInt16,
        (32, false) => DataType::UInt32,
        (64, false) => DataType::UInt64,
        (128, true) => DataType::Int128,
        (128, false) => DataType::UInt128,
        (bits, _) => return Err(floe_format::Error::unsupported(format!("integers of {bits} bits"))),
    })
}

#[cfg(feature = "dtype-decimal")]
fn decimal(precision: i32, scale: i32, unrepresentable: Unrepresentable) -> Wire<DataType> {
    let unsupported = || {
        floe_format::Error::unsupported(format!(
            "Polars cannot hold decimal({precision}, {scale}); project the column away to read the rest, or say what \
             becomes of it with `with_unrepresentable`"
        ))
    };
    if unrepresentable == Unrepresentable::Null && scale > 38 {
        return Ok(DataType::Decimal(38, 38));
    }
    // A negative scale is multiplied into the values, which makes them longer.
    let digits = precision.saturating_sub(scale.min(0)).clamp(1, 38);
    let digits = usize::try_from(digits).map_err(|_| unsupported())?;
    let scale = usize::try_from(scale.max(0)).map_err(|_| unsupported())?;
    if precision < 1 || scale > 38 {
        return Err(unsupported());
    }
    Ok(DataType::Decimal(digits.max(scale), scale))
}

#[cfg(not(feature = "dtype-decimal"))]
fn decimal(_: i32, _: i32, _: Unrepresentable) -> Wire<DataType> {
    Err(needs_feature("dtype-decimal"))
}

#[cfg(feature = "dtype-array")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
fn fixed_list(inner: DataType, width: usize) -> Wire<DataType> {
    Ok(DataType::Array(Box::new(inner), width))
}

#[cfg(not(feature = "dtype-array"))]
fn fixed_list(_: DataType, _: usize) -> Wire<DataType> {
    Err(needs_feature("dtype-array"))
}

#[cfg(feature = "dtype-struct")]
fn struct_dtype<'a>(fields: impl Iterator<Item = Wire<(Cow<'a, str>, DataType)>>) -> Wire<DataType> {
    let fields = fields.map(|field| field.map(|(name, dtype)| Field::new(name.as_ref().into(), dtype)));
    Ok(DataType::Struct(fields.collect::<Wire<Vec<_>>>()?))
}

#[cfg(not(feature = "dtype-struct"))]
fn struct_dtype<'a>(_: impl Iterator<Item = Wire<(Cow<'a, str>, DataType)>>) -> Wire<DataType> {
    Err(needs_feature("dtype-struct"))
}

#[cfg(not(all(feature = "dtype-struct", feature = "dtype-array", feature = "dtype-decimal")))]
fn needs_feature(feature: &str) -> floe_format::Error {
    floe_format::Error::unsupported(format!("the column needs floe's feature `{feature}`"))
}

fn interval(unit: IntervalUnit) -> Wire<DataType> {
    let field = |name: &'static str, dtype| Ok((Cow::Borrowed(name), dtype));
    match unit {
        IntervalUnit::YearMonth => struct_dtype([field("months", DataType::Int32)].into_iter()),
        IntervalUnit::DayTime => {
            struct_dtype([field("days", DataType::Int32), field("milliseconds", DataType::Int32)].into_iter())
        },
        IntervalUnit::MonthDayNano => struct_dtype(
            [
                field("months", DataType::Int32),
                field("days", DataType::Int32),
                field("nanoseconds", DataType::Int64),
            ]
            .into_iter(),
        ),
    }
}

fn polars_unit(unit: WireUnit) -> TimeUnit {
    match unit {
        WireUnit::Second | WireUnit::Millisecond => TimeUnit::Milliseconds,
        WireUnit::Microsecond => TimeUnit::Microseconds,
        WireUnit::Nanosecond => TimeUnit::Nanoseconds,
    }
}

/// A zone that Polars knows: `-08:00` is `Etc/GMT+8` there, since whole hours have names. For any other UTC, which
/// keeps the instant.
fn zone(zone: Option<&str>) -> Option<TimeZone> {
    let name = zone.filter(|name| !name.is_empty())?;
    #[cfg(feature = "timezones")]
    if let Ok(Some(zone)) = TimeZone::opt_try_new(Some(name))
        && TimeZone::validate_time_zone(&zone).is_ok()
    {
        return Some(zone);
    }
    let _ = name;
    Some(TimeZone::UTC)
}
