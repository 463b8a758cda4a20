//! Between Polars' types and the format's: the wire type of a dtype, and the dtype of a wire type.

mod arrow_schema;
mod category_target;
mod difference;
mod existing;
mod from_wire;
mod read_schema;
mod to_wire;

pub(crate) use arrow_schema::arrow_schema;
pub(crate) use category_target::CategoryTarget;
pub use difference::TypeDifference;
pub use read_schema::HIVE_SCHEMA_KEY;
pub(crate) use read_schema::{
    ReadColumn, ReadSchema, field_metadata, metadata_map, user_field_metadata, user_metadata,
};
pub(crate) use to_wire::{CategorySource, WriteSchema, key_values};

/// Marks extension types in field metadata.
pub(crate) const EXTENSION_NAME: &str = "ARROW:extension:name";
/// The metadata of extension types.
pub(crate) const EXTENSION_METADATA: &str = "ARROW:extension:metadata";
/// An enum's categories: repeated `length;text`.
pub(crate) const ENUM_VALUES: &str = "_PL_ENUM_VALUES2";
/// As [`ENUM_VALUES`], in files of older Polars versions.
pub(crate) const ENUM_VALUES_LEGACY: &str = "_PL_ENUM_VALUES";
/// A categorical's `length;name`, `length;namespace` and `physical;`.
pub(crate) const CATEGORICAL: &str = "_PL_CATEGORICAL2";
