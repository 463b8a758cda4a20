//! The format's types to Polars'. Every type of the format has a Polars dtype; where Polars lacks
//! it, the nearest one that loses nothing (the table is in the README).

use std::borrow::Cow;
use std::sync::Arc;

use floe_array::decode::{Unrepresentable, becomes_text, distinct, maintains_offsets, union_field_names};
use floe_format::{
    DataType as WireType, Field as WireField, FloatType, IntType, IntervalUnit, KeyValues, Place,
    Schema as WireSchema, TimeUnit as WireUnit,
};
use polars_core::prelude::*;
#[cfg(feature = "dtype-categorical")]
use polars_core::prelude::{CategoricalPhysical, Categories, FrozenCategories};

use super::{CATEGORICAL, ENUM_VALUES, ENUM_VALUES_LEGACY, EXTENSION_METADATA, EXTENSION_NAME};
use crate::options::{Metadata, MetadataBytes};
use crate::read::{TextAsBinary, TypeOptions};

/// What the dictionary of a field becomes.
#[derive(Clone)]
pub(crate) enum CategoryTarget {
    /// Plain values.
    Values,
    /// A categorical: strings are inserted into its categories.
    #[cfg(feature = "dtype-categorical")]
    Categorical(Arc<Categories>),
    /// An enum: strings must be among its categories.
    #[cfg(feature = "dtype-categorical")]
    Enum(Arc<FrozenCategories>),
}

impl CategoryTarget {
    /// The same of two targets only if strings become the same categories of both.
    pub(crate) fn identity(&self) -> usize {
        match self {
            Self::Values => 0,
            #[cfg(feature = "dtype-categorical")]
            Self::Categorical(categories) => Arc::as_ptr(categories).addr(),
            #[cfg(feature = "dtype-categorical")]
            Self::Enum(categories) => Arc::as_ptr(categories).addr(),
        }
    }
}

/// One top-level column.
#[derive(Clone)]
pub(crate) struct ReadColumn {
    /// The name in the DataFrame, told apart from others of the same name.
    pub(crate) name: PlSmallStr,
    /// The dtype, or why Polars has none.
    pub(crate) dtype: Result<DataType, floe_format::Error>,
}

/// A schema as read.
pub(crate) struct ReadSchema {
    /// As it was written.
    pub(crate) written: Arc<WireSchema>,
    /// As it is read: the entries of maps are called `key` and `value`, whatever they were called.
    pub(crate) wire: Arc<WireSchema>,
    pub(crate) columns: Vec<ReadColumn>,
    /// By slot; `None` until a column that uses it is planned.
    pub(crate) targets: Vec<CategoryTarget>,
    /// What columns become, where there is a choice.
    pub(crate) types: TypeOptions,
    /// By slot: where the field is in `wire`, from child to child. (Not the field: they may lie in one another.)
    slots: Vec<Box<[u32]>>,
}

impl ReadSchema {
    pub(crate) fn new(wire: WireSchema, types: &TypeOptions) -> Self {
        Self::of(Arc::new(wire), types)
    }

    /// The same, of columns that become something else.
    pub(crate) fn with_types(&self, types: &TypeOptions) -> Self {
        Self::of(Arc::clone(&self.written), types)
    }

    fn of(written: Arc<WireSchema>, types: &TypeOptions) -> Self {
        let mut targets = Vec::new();
        let mut slots = Vec::new();
        let mut wire = Arc::clone(&written);
        if written.fields.iter().any(has_map) {
            Arc::make_mut(&mut wire).fields.iter_mut().for_each(name_map_entries);
        }
        if types.text_as_binary != TextAsBinary::None {
            let names = distinct(written.fields.iter().map(|field| field.name.as_str()));
            let fields = Arc::make_mut(&mut wire).fields.iter_mut().zip(names);
            let fields = fields.filter(|(_, name)| types.text_as_binary.has(name));
            fields.for_each(|(field, _)| read_as_binary(field));
        }
        let names = distinct(wire.fields.iter().map(|field| field.name.as_str()));
        let mut path = Vec::new();
        let columns = wire.fields.iter().zip(names).zip(0u32..).map(|((field, name), at)| {
            path.clear();
            path.push(at);
            let dtype = dtype(
                field,
                &mut Slots {
                    path: &mut path,
                    targets: &mut targets,
                    paths: &mut slots,
                    unrepresentable: types.unrepresentable,
                },
            );
            let dtype = dtype.map_err(|e| e.at(Place::Column(field.name.to_string())));
            ReadColumn { name: name.as_ref().into(), dtype }
        });
        let columns = columns.collect();
        Self { written, wire, columns, targets, types: types.clone(), slots }
    }

    /// How many dictionary-encoded fields there are.
    pub(crate) fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// Whether the values of a dictionary have dictionaries themselves.
    pub(crate) fn has_nested_dictionaries(&self) -> bool {
        // Slots are in the order of a walk that sees a field before its children.
        self.slots.windows(2).any(|pair| pair[1].starts_with(&pair[0]))
    }

    /// The field of a slot.
    pub(crate) fn slot(&self, slot: usize) -> Option<&WireField> {
        let (column, path) = self.slots.get(slot)?.split_first()?;
        let mut field = self.wire.fields.get(usize::try_from(*column).ok()?)?;
        for at in path {
            field = field.children.get(usize::try_from(*at).ok()?)?;
        }
        Some(field)
    }

    /// The Polars schema of the columns that Polars can hold.
    ///
    /// # Errors
    /// Names the first column that it cannot.
    pub(crate) fn polars(&self) -> Result<Schema, floe_format::Error> {
        let mut schema = Schema::with_capacity(self.columns.len());
        for column in &self.columns {
            schema.with_column(column.name.clone(), column.dtype.clone()?);
        }
        Ok(schema)
    }
}

fn has_map(field: &WireField) -> bool {
    matches!(field.data_type, WireType::Map { .. }) || field.children.iter().any(has_map)
}

/// Text becomes bytes, at every depth.
fn read_as_binary(field: &mut WireField) {
    match field.data_type {
        WireType::Utf8 => field.data_type = WireType::Binary,
        WireType::LargeUtf8 => field.data_type = WireType::LargeBinary,
        WireType::Utf8View => field.data_type = WireType::BinaryView,
        _ => {},
    }
    field.children.iter_mut().for_each(read_as_binary);
}

fn name_map_entries(field: &mut WireField) {
    if let (WireType::Map { .. }, Some(entries)) = (&field.data_type, field.children.first_mut()) {
        for (child, name) in entries.children.iter_mut().zip(["key", "value"]) {
            child.name = name.into();
        }
    }
    field.children.iter_mut().for_each(name_map_entries);
}

/// Custom metadata as Polars has it; of repeated keys the last counts.
pub(crate) fn metadata_map(metadata: &KeyValues) -> Metadata {
    metadata.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
}

/// All metadata of a field as bytes, which is found from child to child.
pub(crate) fn field_metadata(schema: &ReadSchema, path: &[usize]) -> PolarsResult<MetadataBytes> {
    let metadata = schema.written.field_metadata_bytes(path);
    metadata.ok_or_else(|| {
        let columns = schema.columns.len();
        polars_err!(OutOfBounds: "there is no field at {path:?}: positions are counted from 0, there are {columns} columns")
    })
}

fn find<'a>(metadata: &'a KeyValues, key: &str) -> Option<&'a str> {
    metadata.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
}

type Wire<T> = Result<T, floe_format::Error>;

/// The dictionary-encoded fields found so far.
struct Slots<'a> {
    /// Where the walk is.
    path: &'a mut Vec<u32>,
    targets: &'a mut Vec<CategoryTarget>,
    paths: &'a mut Vec<Box<[u32]>>,
    unrepresentable: Unrepresentable,
}

/// The dtype of a field. Always visits all children, so that slots stay in step on errors.
fn dtype(field: &WireField, slots: &mut Slots<'_>) -> Wire<DataType> {
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
        if let Some(known) = slots.targets.get_mut(slot) {
            *known = target;
        }
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

/// What a dictionary-encoded field becomes: an enum or a categorical for strings, the values
/// themselves for anything else.
#[cfg(feature = "dtype-categorical")]
fn category_dtype(field: &WireField, values: DataType) -> Wire<(CategoryTarget, DataType)> {
    if values != DataType::String || becomes_text(&field.data_type) {
        return Ok((CategoryTarget::Values, values));
    }
    let enum_values =
        find(&field.metadata, ENUM_VALUES).or_else(|| find(&field.metadata, ENUM_VALUES_LEGACY));
    if let Some(text) = enum_values {
        let categories = parse_enum(text).ok_or_else(|| bad_metadata(ENUM_VALUES))?;
        let frozen =
            FrozenCategories::new(categories.iter().copied()).map_err(|_| bad_metadata(ENUM_VALUES))?;
        return Ok((CategoryTarget::Enum(Arc::clone(&frozen)), DataType::from_frozen_categories(frozen)));
    }
    let categories = match find(&field.metadata, CATEGORICAL) {
        Some(text) => {
            let (name, namespace, physical) =
                parse_categorical(text).ok_or_else(|| bad_metadata(CATEGORICAL))?;
            Categories::new(name.into(), namespace.into(), physical)
        },
        None => Categories::global(),
    };
    Ok((CategoryTarget::Categorical(Arc::clone(&categories)), DataType::from_categories(categories)))
}

#[cfg(not(feature = "dtype-categorical"))]
fn category_dtype(_: &WireField, values: DataType) -> Wire<(CategoryTarget, DataType)> {
    Ok((CategoryTarget::Values, values))
}

fn bad_metadata(key: &str) -> floe_format::Error {
    floe_format::Error::invalid(format!("the field metadata `{key}` is malformed"))
}

/// `length;text`, and what follows.
fn take_text(text: &str) -> Option<(&str, &str)> {
    let (len, rest) = text.split_once(';')?;
    rest.split_at_checked(len.parse().ok()?)
}

#[cfg(feature = "dtype-categorical")]
fn parse_enum(mut text: &str) -> Option<Vec<&str>> {
    let mut categories = Vec::new();
    while !text.is_empty() {
        let (category, rest) = take_text(text)?;
        categories.push(category);
        text = rest;
    }
    Some(categories)
}

#[cfg(feature = "dtype-categorical")]
fn parse_categorical(text: &str) -> Option<(&str, &str, CategoricalPhysical)> {
    let (name, rest) = take_text(text)?;
    let (namespace, rest) = take_text(rest)?;
    let (physical, _) = rest.split_once(';')?;
    // Polars keeps the global categories apart by their empty name.
    Some((name, namespace, physical.parse().ok()?))
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
