//! Arrays as Polars makes them, or refuses to, and as what their type says they are.

use arrow::array::Array;
use arrow::types::PrimitiveType;
use arrow::with_match_primitive_type_full;
use floe_format::{Error, Result};

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
    with_match_primitive_type_full!(kind, |$T| size_of::<$T>())
}
