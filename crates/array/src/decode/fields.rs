//! Questions to a field of the schema that several layouts ask.
#![warn(clippy::wildcard_enum_match_arm)]

use arrow::array::Array;
use floe_format::{DataType, Error, Field, Result, TimeUnit};

/// The child of a field at an index, which its type promises.
pub(super) fn child(field: &Field, index: usize) -> Result<&Field> {
    field
        .children
        .get(index)
        .ok_or_else(|| Error::invalid(format!("field \"{}\" lacks child {index}", field.name)))
}

/// A child of a nested array, as Polars' own conversion makes it.
pub(super) fn nested_field(name: &str, field: &Field, array: &dyn Array) -> arrow::datatypes::Field {
    let out = arrow::datatypes::Field::new(name.into(), array.dtype().clone(), true);
    if keeps_offsets(field) {
        return out.with_metadata([("pl".into(), "maintain_type".into())].into());
    }
    out
}

/// Whether a field's values, or those of its runs, are bytes that keep their offsets.
fn keeps_offsets(field: &Field) -> bool {
    if let (DataType::RunEndEncoded, [_, values]) = (&field.data_type, field.children.as_slice()) {
        return keeps_offsets(values);
    }
    field.data_type == DataType::LargeBinary && maintains_offsets(field)
}

/// Whether Polars marked the column as one that keeps offsets in memory (its `BinaryOffset`).
#[must_use]
pub fn maintains_offsets(field: &Field) -> bool {
    field.metadata.iter().any(|(key, value)| key == "pl" && value == "maintain_type")
}

/// Whether the field's values lie in their buffer as they do in the array, and need no check.
#[must_use]
pub fn is_plain(field: &Field) -> bool {
    let plain = match &field.data_type {
        DataType::Int(_) | DataType::Float(_) | DataType::Date32 | DataType::Date64 => true,
        DataType::Timestamp { unit, .. } | DataType::Duration(unit) => *unit != TimeUnit::Second,
        DataType::Null
        | DataType::Bool
        | DataType::Decimal { .. }
        | DataType::Time { .. }
        | DataType::Interval(_)
        | DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::Utf8
        | DataType::LargeUtf8
        | DataType::Utf8View
        | DataType::FixedSizeBinary(_)
        | DataType::List
        | DataType::LargeList
        | DataType::ListView
        | DataType::LargeListView
        | DataType::FixedSizeList(_)
        | DataType::Struct
        | DataType::Union { .. }
        | DataType::Map { .. }
        | DataType::RunEndEncoded => false,
    };
    plain && field.dictionary.is_none()
}
