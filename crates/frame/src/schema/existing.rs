//! The schema of a file or stream that is gone on with: the frame's columns in the types that are there.
//!
//! Values can mostly be written in the type that they were read from: strings as `utf8`, categoricals with `int8` keys.
//! [`check_field`] knows the exceptions.
#![warn(clippy::wildcard_enum_match_arm)]

use std::sync::Arc;

use floe_format::{DataType as WireType, Field as WireField, TimeUnit as WireUnit};
use polars_core::prelude::*;

use super::to_wire::dictionaries;
use super::{ReadSchema, TypeDifference, WriteSchema};
use crate::error::format_error;

/// Differences that are told at most.
const MAX_TOLD: usize = 5;

impl WriteSchema {
    /// The schema of frames that are added to what is there.
    ///
    /// # Errors
    /// When their columns are not those that are there: says where they differ. When a type is one that floe does not
    /// write.
    pub(crate) fn of_existing(schema: &SchemaRef, existing: &ReadSchema) -> PolarsResult<Self> {
        let there = existing.polars().map_err(format_error)?;
        let differences = differences(&there, schema);
        polars_ensure!(differences.is_empty(), SchemaMismatch: "{}", differences.join("; "));
        for (field, (name, dtype)) in existing.written.fields.iter().zip(there.iter()) {
            check_field(field, dtype).map_err(|why| {
                polars_err!(InvalidOperation: "column \"{name}\" is of Arrow type {}: {why}", field.data_type)
            })?;
        }
        let own = Self::new(schema, CompatLevel::newest(), None, &[])?;
        let dictionaries = dictionaries(&existing.written.fields);
        let mut ids: Vec<i64> = dictionaries.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        if let Some([id, _]) = ids.array_windows::<2>().find(|[a, b]| a == b) {
            polars_bail!(InvalidOperation: "several columns share the dictionary of id {id}, which floe does not write");
        }
        polars_ensure!(
            dictionaries.len() == own.categories.len(),
            InvalidOperation: "it has {} dictionaries, and the columns have {} categoricals", dictionaries.len(), own.categories.len()
        );
        let wire = (*existing.written).clone();
        Ok(Self { polars: Arc::clone(schema), wire, categories: own.categories, dictionaries })
    }
}

/// Where the columns of a frame are not those that are there.
fn differences(there: &Schema, frame: &Schema) -> Vec<String> {
    let mut told = Vec::new();
    for (name, dtype) in there.iter() {
        match frame.get(name) {
            None => told.push(format!("column \"{name}\" is {dtype} there, and missing in the frame")),
            Some(other) if other == dtype => {},
            Some(other) => {
                let what = format!("column \"{name}\"");
                told.push(match TypeDifference::between(dtype, other) {
                    Some(difference) => difference.told(&what, "what is there", "the frame"),
                    None => format!("{what} has its fields in another order"),
                });
            },
        }
    }
    let more = frame.iter().filter(|(name, _)| !there.contains(name));
    told.extend(
        more.map(|(name, dtype)| format!("column \"{name}\" is {dtype} in the frame, and missing there")),
    );
    if told.is_empty() && !there.iter_names().eq(frame.iter_names()) {
        let names =
            |schema: &Schema| schema.iter_names().map(PlSmallStr::as_str).collect::<Vec<_>>().join(", ");
        told.push(format!(
            "the columns are in another order: {} there, {} in the frame",
            names(there),
            names(frame)
        ));
    }
    let more = told.len().saturating_sub(MAX_TOLD);
    told.truncate(MAX_TOLD);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told
}

/// Checks that values of a dtype can be written as a field.
fn check_field(field: &WireField, dtype: &DataType) -> Result<(), String> {
    #[cfg(feature = "dtype-extension")]
    if let DataType::Extension(_, storage) = dtype {
        return check_field(field, storage);
    }
    if field.dictionary.is_some() {
        return match (&field.data_type, dtype) {
            #[cfg(feature = "dtype-categorical")]
            (
                WireType::Utf8 | WireType::LargeUtf8 | WireType::Utf8View,
                DataType::Categorical(..) | DataType::Enum(..),
            ) => Ok(()),
            _ => Err("it is dictionary-encoded, and floe writes dictionaries of strings only".to_owned()),
        };
    }
    match &field.data_type {
        WireType::Null
        | WireType::Bool
        | WireType::Int(_)
        | WireType::Float(_)
        | WireType::Decimal { bits: 128, scale: 0.., .. }
        | WireType::Date32
        | WireType::Date64
        | WireType::Time { unit: WireUnit::Second | WireUnit::Millisecond, bits: 32 }
        | WireType::Time { unit: WireUnit::Microsecond | WireUnit::Nanosecond, bits: 64 }
        | WireType::Timestamp { .. }
        | WireType::Duration(_)
        | WireType::Binary
        | WireType::LargeBinary
        | WireType::BinaryView
        | WireType::Utf8
        | WireType::LargeUtf8
        | WireType::Utf8View
        | WireType::FixedSizeBinary(_) => Ok(()),
        WireType::List | WireType::LargeList | WireType::FixedSizeList(_) => {
            match (field.children.first(), inner(dtype)) {
                (Some(child), Some(inner)) => check_field(child, inner),
                _ => Err("its items do not match".to_owned()),
            }
        },
        #[cfg(feature = "dtype-struct")]
        WireType::Struct => {
            let DataType::Struct(fields) = dtype else { return Err("its fields do not match".to_owned()) };
            let mut pairs = field.children.iter().zip(fields);
            pairs.try_for_each(|(child, field)| {
                let checked = check_field(child, field.dtype());
                checked.map_err(|why| format!("field \"{}\": {why}", field.name()))
            })
        },
        #[cfg(not(feature = "dtype-struct"))]
        WireType::Struct => Err("structs need floe's feature `dtype-struct`".to_owned()),
        other @ (WireType::Decimal { .. }
        | WireType::Time { .. }
        | WireType::Interval(_)
        | WireType::ListView
        | WireType::LargeListView
        | WireType::Union { .. }
        | WireType::Map { .. }
        | WireType::RunEndEncoded) => Err(format!("{other} is not a type that floe writes")),
    }
}

/// The items of a list.
fn inner(dtype: &DataType) -> Option<&DataType> {
    match dtype {
        DataType::List(inner) => Some(inner),
        #[cfg(feature = "dtype-array")]
        DataType::Array(inner, _) => Some(inner),
        #[allow(clippy::wildcard_enum_match_arm, reason = "no other type has items")]
        _ => None,
    }
}
