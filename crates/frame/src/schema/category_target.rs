//! The target of a field's dictionary: values, a categorical or an enum.

#[cfg(feature = "dtype-categorical")]
use std::sync::Arc;

#[cfg(feature = "dtype-categorical")]
use floe_array::decode::becomes_text;
use floe_format::{Field as WireField, Result};
use polars_core::prelude::*;
#[cfg(feature = "dtype-categorical")]
use polars_core::prelude::{CategoricalPhysical, Categories, FrozenCategories};

#[cfg(feature = "dtype-categorical")]
use super::from_wire::find;
#[cfg(feature = "dtype-categorical")]
use super::{CATEGORICAL, ENUM_VALUES, ENUM_VALUES_LEGACY};

/// The target of a field's dictionary.
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
    /// A number that two targets share only if strings become the same categories of both.
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

/// The target of a dictionary-encoded field: an enum or a categorical for strings, the values themselves for anything
/// else.
#[cfg(feature = "dtype-categorical")]
pub(super) fn category_dtype(field: &WireField, values: DataType) -> Result<(CategoryTarget, DataType)> {
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
pub(super) fn category_dtype(_: &WireField, values: DataType) -> Result<(CategoryTarget, DataType)> {
    Ok((CategoryTarget::Values, values))
}

#[cfg(feature = "dtype-categorical")]
fn bad_metadata(key: &str) -> floe_format::Error {
    floe_format::Error::invalid(format!("the field metadata `{key}` is malformed"))
}

/// The text of `length;text`, and the rest behind it.
#[cfg(feature = "dtype-categorical")]
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
    // The global categories are those with an empty name.
    Some((name, namespace, physical.parse().ok()?))
}
