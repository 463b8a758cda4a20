//! Arrays as Polars makes them, or refuses to, and as what their type says they are.

use arrow::array::Array;
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
