//! Polars' types to the format's, as Polars writes them, so that Polars reads them back.
// A new type has to be thought about here: it does not fall under the others.
#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use floe_format::{
    DataType as WireType, DictionaryEncoding, Field as WireField, FloatType, IntType, KeyValues,
    Schema as WireSchema, TimeUnit as WireUnit,
};
use polars_core::prelude::*;
#[cfg(feature = "dtype-categorical")]
use polars_core::prelude::{CategoricalMapping, CategoricalPhysical, FrozenCategories};

use crate::options::Metadata;

/// Where the categories of a dictionary-encoded field come from.
#[cfg_attr(not(feature = "dtype-categorical"), expect(dead_code))]
#[derive(Clone)]
pub(crate) enum CategorySource {
    /// Categories that may grow; those in use are written.
    #[cfg(feature = "dtype-categorical")]
    Growing(Arc<CategoricalMapping>),
    /// An enum: all of them are written, keys are kept.
    #[cfg(feature = "dtype-categorical")]
    Frozen(Arc<FrozenCategories>),
    /// Never made: keeps the type inhabited without the feature.
    #[cfg(not(feature = "dtype-categorical"))]
    None(Arc<()>),
}

/// The schema to write: for Polars and on the wire.
#[derive(Clone)]
pub(crate) struct WriteSchema {
    pub(crate) polars: SchemaRef,
    pub(crate) wire: WireSchema,
    /// By slot of the dictionary-encoded fields.
    pub(crate) categories: Vec<CategorySource>,
    /// By slot: the id of the dictionary, and the type of its values.
    pub(crate) dictionaries: Vec<(i64, WireType)>,
}

impl WriteSchema {
    /// The wire schema of `schema` at a compat level, with custom metadata.
    pub(crate) fn new(
        schema: &SchemaRef,
        level: CompatLevel,
        custom: Option<&Metadata>,
        field_metadata: &[(PlSmallStr, Metadata)],
    ) -> PolarsResult<Self> {
        let views = DataType::String.to_arrow(level) == ArrowDataType::Utf8View;
        let mut builder = Builder { views, categories: Vec::new() };
        let mut fields = Vec::with_capacity(schema.len());
        for (name, dtype) in schema.iter() {
            let field = builder.field(name, dtype).map_err(|e| {
                polars_err!(InvalidOperation: "cannot write column \"{name}\" of dtype {dtype} to Arrow IPC: {e}")
            })?;
            fields.push(field);
        }
        for (column, metadata) in field_metadata {
            let field = fields.iter_mut().find(|field| field.name == column.as_str()).ok_or_else(|| {
                polars_err!(ColumnNotFound: "field metadata was set for \"{column}\", which is not a column of the frame")
            })?;
            for (key, value) in metadata.iter() {
                field.metadata.retain(|(known, _)| known != key.as_str());
                field.metadata.push((key.as_str().into(), value.as_str().into()));
            }
        }
        // Mostly a field has none.
        let metadata = custom.map(key_values).unwrap_or_default();
        let mut wire = WireSchema { fields, metadata, ..WireSchema::default() };
        let slots = wire.assign_slots();
        debug_assert_eq!(slots, builder.categories.len());
        let dictionaries = dictionaries(&wire.fields);
        Ok(Self { polars: Arc::clone(schema), wire, categories: builder.categories, dictionaries })
    }
}

/// By slot: the id of each dictionary, and the type of its values.
pub(super) fn dictionaries(fields: &[WireField]) -> Vec<(i64, WireType)> {
    fn walk(fields: &[WireField], out: &mut Vec<(i64, WireType)>) {
        for field in fields {
            if let Some(encoding) = &field.dictionary {
                out.push((encoding.id, field.data_type.clone()));
            }
            walk(&field.children, out);
        }
    }
    let mut out = Vec::new();
    walk(fields, &mut out);
    out
}

pub(crate) fn key_values(metadata: &Metadata) -> KeyValues {
    metadata.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect()
}

struct Builder {
    views: bool,
    categories: Vec<CategorySource>,
}

impl Builder {
    fn field(&mut self, name: &str, dtype: &DataType) -> PolarsResult<WireField> {
        // A field before its children: the order in which slots are assigned.
        let dictionary = self.dictionary(dtype);
        let mut metadata: KeyValues = Vec::new();
        if let Some(known) = dtype.to_arrow_field_metadata() {
            metadata.extend(key_values(&known));
        }
        let (data_type, children) = self.data_type(dtype, &mut metadata)?;
        Ok(WireField { name: name.into(), nullable: true, data_type, children, dictionary, metadata })
    }

    fn dictionary(&mut self, dtype: &DataType) -> Option<DictionaryEncoding> {
        match dtype {
            #[cfg(feature = "dtype-categorical")]
            DataType::Categorical(_, mapping) => {
                self.categories.push(CategorySource::Growing(Arc::clone(mapping)));
                Some(self.encoding(dtype, false))
            },
            #[cfg(feature = "dtype-categorical")]
            DataType::Enum(frozen, _) => {
                self.categories.push(CategorySource::Frozen(Arc::clone(frozen)));
                Some(self.encoding(dtype, true))
            },
            #[cfg(feature = "dtype-extension")]
            DataType::Extension(_, storage) => self.dictionary(storage),
            DataType::Boolean
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64
            | DataType::UInt128
            | DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Int128
            | DataType::Float16
            | DataType::Float32
            | DataType::Float64
            | DataType::String
            | DataType::Binary
            | DataType::BinaryOffset
            | DataType::Date
            | DataType::Datetime(..)
            | DataType::Duration(_)
            | DataType::Time
            | DataType::List(_)
            | DataType::Null
            | DataType::Unknown(_) => None,
            #[cfg(feature = "dtype-decimal")]
            DataType::Decimal(..) => None,
            #[cfg(feature = "dtype-array")]
            DataType::Array(..) => None,
            #[cfg(feature = "dtype-struct")]
            DataType::Struct(_) => None,
            #[cfg(feature = "object")]
            DataType::Object(_) => None,
            #[allow(unreachable_patterns, reason = "types of features that are on in Polars only")]
            _ => None,
        }
    }

    #[cfg(feature = "dtype-categorical")]
    fn encoding(&self, dtype: &DataType, ordered: bool) -> DictionaryEncoding {
        let bits = match dtype.cat_physical() {
            Ok(CategoricalPhysical::U8) => 8,
            Ok(CategoricalPhysical::U16) => 16,
            // An error is for other types, which do not get here.
            Ok(CategoricalPhysical::U32) | Err(_) => 32,
        };
        let slot = self.categories.len() - 1;
        let id = i64::try_from(slot).expect("fewer than 2^63 dictionaries");
        DictionaryEncoding { id, index: IntType { bits, signed: false }, ordered, slot }
    }

    fn text(&self) -> WireType {
        if self.views { WireType::Utf8View } else { WireType::LargeUtf8 }
    }

    /// The type of a field, and its children.
    fn data_type(
        &mut self,
        dtype: &DataType,
        metadata: &mut KeyValues,
    ) -> PolarsResult<(WireType, Vec<WireField>)> {
        #[cfg(not(feature = "dtype-extension"))]
        let _ = metadata;
        match dtype {
            DataType::List(inner) => Ok((WireType::LargeList, vec![self.field("item", inner)?])),
            #[cfg(feature = "dtype-array")]
            DataType::Array(inner, width) => {
                Ok((WireType::FixedSizeList(*width), vec![self.field("item", inner)?]))
            },
            #[cfg(feature = "dtype-struct")]
            DataType::Struct(fields) => {
                let children = fields.iter().map(|field| self.field(field.name(), field.dtype()));
                Ok((WireType::Struct, children.collect::<PolarsResult<_>>()?))
            },
            #[cfg(feature = "dtype-extension")]
            DataType::Extension(kind, storage) => {
                metadata.push((super::EXTENSION_NAME.into(), kind.name().as_ref().into()));
                if let Some(text) = kind.serialize_metadata() {
                    metadata.push((super::EXTENSION_METADATA.into(), text.as_ref().into()));
                }
                self.data_type(storage, metadata)
            },
            #[allow(clippy::wildcard_enum_match_arm, reason = "all others have no children")]
            leaf => Ok((self.leaf(leaf)?, Vec::new())),
        }
    }

    /// The type of a field without children.
    fn leaf(&self, dtype: &DataType) -> PolarsResult<WireType> {
        let int = |bits, signed| WireType::Int(IntType { bits, signed });
        Ok(match dtype {
            DataType::Boolean => WireType::Bool,
            DataType::Int8 => int(8, true),
            DataType::Int16 => int(16, true),
            DataType::Int32 => int(32, true),
            DataType::Int64 => int(64, true),
            DataType::Int128 => int(128, true),
            DataType::UInt8 => int(8, false),
            DataType::UInt16 => int(16, false),
            DataType::UInt32 => int(32, false),
            DataType::UInt64 => int(64, false),
            DataType::UInt128 => int(128, false),
            DataType::Float16 => WireType::Float(FloatType::Half),
            DataType::Float32 => WireType::Float(FloatType::Single),
            DataType::Float64 => WireType::Float(FloatType::Double),
            #[cfg(feature = "dtype-decimal")]
            DataType::Decimal(precision, scale) => {
                let digits =
                    |n: usize| i32::try_from(n).map_err(|_| polars_err!(InvalidOperation: "too many digits"));
                WireType::Decimal { precision: digits(*precision)?, scale: digits(*scale)?, bits: 128 }
            },
            DataType::String => self.text(),
            DataType::Binary if self.views => WireType::BinaryView,
            DataType::Binary | DataType::BinaryOffset => WireType::LargeBinary,
            DataType::Date => WireType::Date32,
            DataType::Time => WireType::Time { unit: WireUnit::Nanosecond, bits: 64 },
            DataType::Datetime(unit, zone) => {
                let timezone = zone.as_deref().map(|zone| zone.as_str().into());
                WireType::Timestamp { unit: wire_unit(*unit), timezone }
            },
            DataType::Duration(unit) => WireType::Duration(wire_unit(*unit)),
            DataType::Null => WireType::Null,
            #[cfg(feature = "dtype-categorical")]
            DataType::Categorical(..) | DataType::Enum(..) => self.text(),
            #[cfg(feature = "object")]
            DataType::Object(_) => {
                polars_bail!(InvalidOperation: "objects live in this process only; cast the column or drop it")
            },
            #[allow(clippy::wildcard_enum_match_arm, reason = "an error, never a wrong type")]
            other => polars_bail!(InvalidOperation: "dtype {other} has no Arrow type"),
        })
    }
}

fn wire_unit(unit: TimeUnit) -> WireUnit {
    match unit {
        TimeUnit::Nanoseconds => WireUnit::Nanosecond,
        TimeUnit::Microseconds => WireUnit::Microsecond,
        TimeUnit::Milliseconds => WireUnit::Millisecond,
    }
}
