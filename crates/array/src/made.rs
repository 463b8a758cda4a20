//! Arrays as Polars makes them, or refuses to, and as what their type says they are.

use arrow::array::Array;
use arrow::types::PrimitiveType;
use floe_format::{Error, Result};

/// The error of more data buffers than views can number.
pub(crate) fn too_many_buffers() -> Error {
    Error::unsupported("more than 2^32 data buffers")
}

/// The number of a data buffer, or an offset in one, as views have it.
pub(crate) fn view_number(number: usize) -> Result<u32> {
    u32::try_from(number).map_err(|_| too_many_buffers())
}

/// An error of Polars as one of the format.
pub(crate) fn invalid(error: impl std::fmt::Display) -> Error {
    Error::invalid(error.to_string())
}

/// The array that Polars made, boxed.
pub(crate) fn boxed<A: Array>(
    array: std::result::Result<A, impl std::fmt::Display>,
) -> Result<Box<dyn Array>> {
    array.map(|array| Box::new(array) as Box<dyn Array>).map_err(invalid)
}

/// The array as the type that its data type stands for.
pub(crate) fn of<A: 'static>(array: &dyn Array) -> Result<&A> {
    array.as_any().downcast_ref::<A>().ok_or_else(|| Error::invalid("an array is not what its type says"))
}

/// Bytes of a value.
///
/// ```
/// use arrow::types::PrimitiveType;
///
/// assert_eq!(floe_array::primitive_width(PrimitiveType::Int256), 32);
/// ```
#[must_use]
pub fn primitive_width(kind: PrimitiveType) -> usize {
    match kind {
        PrimitiveType::Int8 | PrimitiveType::UInt8 => 1,
        PrimitiveType::Int16 | PrimitiveType::UInt16 | PrimitiveType::Float16 => 2,
        PrimitiveType::Int32 | PrimitiveType::UInt32 | PrimitiveType::Float32 => 4,
        PrimitiveType::Int64 | PrimitiveType::UInt64 | PrimitiveType::Float64 | PrimitiveType::DaysMs => 8,
        PrimitiveType::Int128
        | PrimitiveType::UInt128
        | PrimitiveType::MonthDayNano
        | PrimitiveType::MonthDayMillis => 16,
        PrimitiveType::Int256 => 32,
    }
}
