//! How much room rows take, measured without writing them. There is one place for that, and four questions:
//!
//! | question | answer | from | who asks |
//! |---|---|---|---|
//! | the least that a row of a type takes | `min_bits_per_row` | the type | `write::plans`: may a column be split into tasks |
//! | the room of a row of a type, or a guess | [`row_bits`] | the type | lazy sinks and partitions, before rows are seen |
//! | about the room of written rows | [`estimate`] | lengths of buffers | `write`: where a frame is cut into batches, and what is in flight |
//! | the room of the rows' own values | [`bits`] | the values | lazy sinks: where batches of a byte size end |
//!
//! They stay apart since each gives up something that another needs. [`estimate`] takes time for the buffers only, and
//! counts all of a buffer of which a filtered frame uses little; [`bits`] reads the length of every value. [`bits`] is
//! additive over rows, so batches do not depend on how the engine cuts its frames. [`estimate`] leaves validity out and
//! is not additive. `min_bits_per_row` must never be too large, and [`row_bits`] counts validity and guesses lengths.
//! Where two answers have to agree they share code: [`row_bits`] asks [`bits`].
//!
//! [`held`] is about memory: five rows of a filtered frame may keep megabytes of strings alive.
//!
//! What to watch when changing this: the place where batches are cut, and so which bytes are written, depends on
//! [`estimate`], [`bits`] and [`row_bits`]. A change of their results is a change of the output.

// A new type has to be thought about here: it does not fall under the others.
#![warn(clippy::wildcard_enum_match_arm)]

use arrow::array::{
    Array, BinaryArray, BinaryViewArray, BinaryViewArrayGeneric, BooleanArray, FixedSizeListArray, ListArray,
    StructArray, Utf8ViewArray, ViewType,
};
use arrow::compute::aggregate::estimated_bytes_size;
use floe_format::{DataType as WireType, Field as WireField, FloatType};
use polars_core::prelude::*;

/// Elements that a list is taken to have before one was seen.
const ASSUMED_ELEMENTS: u64 = 4;

/// The least bits that a row of a field takes, whatever it holds.
pub(crate) fn min_bits_per_row(field: &WireField) -> usize {
    if let Some(dictionary) = &field.dictionary {
        return usize::from(dictionary.index.bits);
    }
    let children = || field.children.iter().map(min_bits_per_row).sum::<usize>();
    match &field.data_type {
        WireType::Bool => 1,
        WireType::Int(int) => usize::from(int.bits),
        WireType::Float(FloatType::Half) => 16,
        WireType::Float(FloatType::Single) | WireType::Date32 => 32,
        WireType::Decimal { bits, .. } => usize::from(*bits),
        WireType::Time { bits, .. } => usize::from(*bits),
        WireType::Float(FloatType::Double) | WireType::Timestamp { .. } | WireType::Duration(_) => 64,
        WireType::LargeUtf8 | WireType::LargeBinary | WireType::LargeList => 64,
        WireType::Utf8View | WireType::BinaryView => 128,
        WireType::Struct => children(),
        WireType::FixedSizeList(width) => children().saturating_mul(*width),
        // Types whose rows may take nothing, and those that floe does not write.
        WireType::Null
        | WireType::Date64
        | WireType::Interval(_)
        | WireType::Utf8
        | WireType::Binary
        | WireType::FixedSizeBinary(_)
        | WireType::List
        | WireType::ListView
        | WireType::LargeListView
        | WireType::Map { .. }
        | WireType::Union { .. }
        | WireType::RunEndEncoded => 0,
    }
}

/// Bits of the rows' values, whatever chunks and buffers they lie in: the bits of several rows are the sum of the bits of
/// each. Validity counts whether it is there or not.
pub fn bits(column: &Column) -> u64 {
    match column {
        Column::Series(series) => series.chunks().iter().map(|array| array_bits(array.as_ref())).sum(),
        Column::Scalar(scalar) => {
            let one = scalar.as_single_value_series();
            let one: u64 = one.chunks().iter().map(|array| array_bits(array.as_ref())).sum();
            one.saturating_mul(wide(scalar.len()))
        },
    }
}

fn array_bits(array: &dyn Array) -> u64 {
    let any = array.as_any();
    let rows = wide(array.len());
    if let Some(strings) = any.downcast_ref::<Utf8ViewArray>() {
        view_bits(strings)
    } else if let Some(bytes) = any.downcast_ref::<BinaryViewArray>() {
        view_bits(bytes)
    } else if let Some(bytes) = any.downcast_ref::<BinaryArray<i64>>() {
        let len = usize::try_from(bytes.offsets().range()).expect("offsets of an array ascend");
        rows * (64 + 1) + wide(len) * 8
    } else if let Some(list) = any.downcast_ref::<ListArray<i64>>() {
        let first = usize::try_from(*list.offsets().first()).expect("offsets of an array are not negative");
        let len = usize::try_from(list.offsets().range()).expect("offsets of an array ascend");
        rows * (64 + 1) + array_bits(list.values().sliced(first, len).as_ref())
    } else if let Some(list) = any.downcast_ref::<FixedSizeListArray>() {
        rows + array_bits(list.values().as_ref())
    } else if let Some(fields) = any.downcast_ref::<StructArray>() {
        rows + fields.values().iter().map(|array| array_bits(array.as_ref())).sum::<u64>()
    } else if array.dtype() == &ArrowDataType::Null || rows == 0 {
        rows
    } else if array.dtype() == &ArrowDataType::Boolean {
        rows * (1 + 1)
    } else {
        // All values have the width of the first.
        rows * (wide(estimated_bytes_size(array.sliced(0, 1).with_validity(None).as_ref())) * 8 + 1)
    }
}

fn view_bits<T: ViewType + ?Sized>(array: &BinaryViewArrayGeneric<T>) -> u64 {
    let lengths = array.views().iter().map(|view| u64::from(view.length));
    let bytes: u64 = match array.validity() {
        Some(validity) => lengths.zip(validity.iter()).filter(|(_, valid)| *valid).map(|(len, _)| len).sum(),
        None => lengths.sum(),
    };
    wide(array.len()) * (128 + 1) + bytes * 8
}

/// The sum of two answers, which is an estimate if one of them is.
#[cfg(any(feature = "dtype-array", feature = "dtype-struct"))]
fn sum(a: Result<u64, u64>, b: Result<u64, u64>) -> Result<u64, u64> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok(a.saturating_add(b)),
        (Ok(a) | Err(a), Ok(b) | Err(b)) => Err(a.saturating_add(b)),
    }
}

/// Bits per row as far as the type alone says. `Err` is an estimate, for a type whose values are of any length.
pub fn row_bits(dtype: &DataType) -> Result<u64, u64> {
    match dtype.to_physical() {
        DataType::List(inner) => {
            let (Ok(inner) | Err(inner)) = row_bits(&inner);
            Err((64 + 1) + inner.saturating_mul(ASSUMED_ELEMENTS))
        },
        #[cfg(feature = "dtype-array")]
        DataType::Array(inner, width) => {
            let width = wide(width);
            let inner = row_bits(&inner).map(|bits| bits.saturating_mul(width));
            sum(inner.map_err(|bits| bits.saturating_mul(width)), Ok(1))
        },
        #[cfg(feature = "dtype-struct")]
        DataType::Struct(fields) => fields.iter().map(|field| row_bits(field.dtype())).fold(Ok(1), sum),
        physical if physical.is_primitive_numeric() || physical.is_bool() || physical.is_null() => {
            Ok(bits(&Column::full_null(PlSmallStr::EMPTY, 1, &physical)))
        },
        // Strings and bytes, and types that the writer refuses.
        #[allow(clippy::wildcard_enum_match_arm, reason = "an estimate for any type")]
        _ => Err(8 * 32),
    }
}

/// Bytes of the buffers below an array's views, at any depth, whether anything refers to them or not.
pub fn held(array: &dyn Array) -> usize {
    let any = array.as_any();
    if let Some(strings) = any.downcast_ref::<Utf8ViewArray>() {
        strings.total_buffer_len()
    } else if let Some(bytes) = any.downcast_ref::<BinaryViewArray>() {
        bytes.total_buffer_len()
    } else if let Some(list) = any.downcast_ref::<ListArray<i64>>() {
        held(list.values().as_ref())
    } else if let Some(list) = any.downcast_ref::<FixedSizeListArray>() {
        held(list.values().as_ref())
    } else if let Some(fields) = any.downcast_ref::<StructArray>() {
        fields.values().iter().map(|array| held(array.as_ref())).sum()
    } else {
        0
    }
}

/// Bytes that an array's rows take when written, from its buffers' lengths alone.
pub fn estimate(array: &dyn Array) -> usize {
    use arrow::datatypes::PhysicalType;
    let any = array.as_any();
    if let Some(strings) = any.downcast_ref::<Utf8ViewArray>() {
        return strings.len() * 16 + strings.total_buffer_len();
    }
    if let Some(bytes) = any.downcast_ref::<BinaryViewArray>() {
        return bytes.len() * 16 + bytes.total_buffer_len();
    }
    if let Some(bytes) = any.downcast_ref::<BinaryArray<i64>>() {
        let used = usize::try_from(bytes.offsets().range()).expect("offsets of an array ascend");
        return bytes.len() * 8 + used;
    }
    if let Some(list) = any.downcast_ref::<ListArray<i64>>() {
        let offsets = list.offsets();
        let used = usize::try_from(offsets.range()).expect("offsets of an array ascend");
        let all = list.values().len().max(1);
        return list.len() * 8 + scale(estimate(list.values().as_ref()), used, all);
    }
    if let Some(list) = any.downcast_ref::<FixedSizeListArray>() {
        return estimate(list.values().as_ref());
    }
    if let Some(fields) = any.downcast_ref::<StructArray>() {
        return fields.values().iter().map(|array| estimate(array.as_ref())).sum();
    }
    if any.is::<BooleanArray>() {
        return array.len() / 8;
    }
    match array.dtype().to_physical_type() {
        PhysicalType::Null => 0,
        PhysicalType::Primitive(kind) => array.len() * floe_array::primitive_width(kind),
        // Handled above, or nothing that a column of a DataFrame consists of.
        PhysicalType::Boolean
        | PhysicalType::Binary
        | PhysicalType::FixedSizeBinary
        | PhysicalType::LargeBinary
        | PhysicalType::Utf8
        | PhysicalType::LargeUtf8
        | PhysicalType::List
        | PhysicalType::FixedSizeList
        | PhysicalType::LargeList
        | PhysicalType::Struct
        | PhysicalType::Union
        | PhysicalType::Map
        | PhysicalType::Dictionary(_)
        | PhysicalType::BinaryView
        | PhysicalType::Utf8View => array.len() * 16,
    }
}

/// The share of `bytes` that `used` is of `all`; as much as there can be if it is more than an address space.
pub(crate) fn scale(bytes: usize, used: usize, all: usize) -> usize {
    // An estimate: saturation is enough.
    usize::try_from(bytes as u128 * used as u128 / all as u128).unwrap_or(usize::MAX)
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).expect("no address space has more than 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(data_type: WireType, children: Vec<WireField>) -> WireField {
        WireField {
            name: "a".into(),
            nullable: true,
            data_type,
            children,
            dictionary: None,
            metadata: Vec::new(),
        }
    }

    #[test]
    fn the_least_bits_of_a_row_are_known_from_its_type() {
        let floats = field(WireType::Float(FloatType::Single), Vec::new());
        let row = field(
            WireType::Struct,
            vec![field(WireType::LargeUtf8, Vec::new()), floats, field(WireType::Bool, Vec::new())],
        );
        assert_eq!(min_bits_per_row(&row), 64 + 32 + 1);
        assert_eq!(min_bits_per_row(&field(WireType::FixedSizeList(3), vec![row.clone()])), 3 * 97);
        assert_eq!(min_bits_per_row(&field(WireType::LargeList, vec![row])), 64, "it may be empty");
        assert_eq!(min_bits_per_row(&field(WireType::Null, Vec::new())), 0);
    }
}
