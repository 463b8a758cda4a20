//! A schema as it is read: columns, their dtypes, and the dictionaries below them.
// A new type has to be thought about here: it does not fall under the others.
#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use floe_array::decode::distinct;
use floe_format::{DataType as WireType, Field as WireField, KeyValues, Place, Schema as WireSchema};
use polars_core::prelude::*;

use super::category_target::CategoryTarget;
use super::from_wire::Slots;
use crate::options::{Metadata, MetadataBytes};
use crate::read::{TextAsBinary, TypeOptions};

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
    /// By slot: the target of the dictionary.
    pub(crate) targets: Vec<CategoryTarget>,
    /// The types of columns, where there is a choice.
    pub(crate) types: TypeOptions,
    /// By slot: the way to the field in `wire`, from child to child. A path rather than the field, since dictionary-encoded
    /// fields may contain each other.
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
        let wire = as_read(&written, types);
        let names = distinct(wire.fields.iter().map(|field| field.name.as_str()));
        let mut slots = Slots::new(types.unrepresentable);
        let columns = wire.fields.iter().zip(names).zip(0u32..).map(|((field, name), at)| {
            let dtype = slots.column(at, field);
            let dtype = dtype.map_err(|e| e.at(Place::Column(field.name.to_string())));
            ReadColumn { name: name.as_ref().into(), dtype }
        });
        let columns = columns.collect();
        let (targets, slots) = slots.into_parts();
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

/// The schema as it is read: the entries of maps have one name each, and text becomes bytes where that was asked for.
fn as_read(written: &Arc<WireSchema>, types: &TypeOptions) -> Arc<WireSchema> {
    let mut wire = Arc::clone(written);
    if written.fields.iter().any(has_map) {
        Arc::make_mut(&mut wire).fields.iter_mut().for_each(name_map_entries);
    }
    if types.text_as_binary != TextAsBinary::None {
        let names = distinct(written.fields.iter().map(|field| field.name.as_str()));
        let fields = Arc::make_mut(&mut wire).fields.iter_mut().zip(names);
        let fields = fields.filter(|(_, name)| types.text_as_binary.has(name));
        fields.for_each(|(field, _)| read_as_binary(field));
    }
    wire
}

fn has_map(field: &WireField) -> bool {
    matches!(field.data_type, WireType::Map { .. }) || field.children.iter().any(has_map)
}

/// Makes text bytes, at every depth.
fn read_as_binary(field: &mut WireField) {
    match field.data_type {
        WireType::Utf8 => field.data_type = WireType::Binary,
        WireType::LargeUtf8 => field.data_type = WireType::LargeBinary,
        WireType::Utf8View => field.data_type = WireType::BinaryView,
        WireType::Null
        | WireType::Bool
        | WireType::Int(_)
        | WireType::Float(_)
        | WireType::Decimal { .. }
        | WireType::Date32
        | WireType::Date64
        | WireType::Time { .. }
        | WireType::Timestamp { .. }
        | WireType::Duration(_)
        | WireType::Interval(_)
        | WireType::Binary
        | WireType::LargeBinary
        | WireType::BinaryView
        | WireType::FixedSizeBinary(_)
        | WireType::List
        | WireType::LargeList
        | WireType::ListView
        | WireType::LargeListView
        | WireType::FixedSizeList(_)
        | WireType::Struct
        | WireType::Union { .. }
        | WireType::Map { .. }
        | WireType::RunEndEncoded => {},
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

/// The key of a schema's metadata under which a partitioned sink keeps the types of its folders' keys.
#[doc(hidden)]
pub const HIVE_SCHEMA_KEY: &str = "floe.hive_schema";

/// Keys under which floe and Polars keep metadata about the bytes, not about the data. Of schemas and footers users
/// find them in [`MetadataBytes`], not among their own metadata.
const OWN_KEYS: [&str; 4] =
    [crate::statistics::KEY, crate::cumulative::KEY, crate::layout::KEY, HIVE_SCHEMA_KEY];

/// Custom metadata as Polars has it. Of repeated keys the last counts.
pub(crate) fn metadata_map(metadata: &KeyValues) -> Metadata {
    metadata.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
}

/// Custom metadata of a schema or footer as its user has set it: as [`metadata_map`], without floe's own keys.
pub(crate) fn user_metadata(metadata: &KeyValues) -> Metadata {
    let mut out = metadata_map(metadata);
    out.retain(|key, _| !OWN_KEYS.contains(&key.as_str()));
    out
}

/// Custom metadata of a field as its user has set it: without the keys by which Polars and Arrow keep types.
pub(crate) fn user_field_metadata(metadata: &KeyValues) -> Metadata {
    let mut out = metadata_map(metadata);
    out.retain(|key, value| {
        let keeps_type = key.starts_with("_PL_") || key.starts_with("ARROW:");
        !keeps_type && (key.as_str(), value.as_str()) != ("pl", "maintain_type")
    });
    out
}

/// All metadata of a field as bytes, which is found from child to child.
pub(crate) fn field_metadata(schema: &ReadSchema, path: &[usize]) -> PolarsResult<MetadataBytes> {
    let metadata = schema.written.field_metadata_bytes(path);
    metadata.ok_or_else(|| {
        let columns = schema.columns.len();
        polars_err!(OutOfBounds: "there is no field at {path:?}: positions are counted from 0, there are {columns} columns")
    })
}
