//! Errors, as DataFusion has them.

use datafusion::common::DataFusionError;
use object_store::path::Path;
use polars_core::prelude::PolarsError;

/// An error of floe's or Polars', about an object.
pub(crate) fn at(location: &Path, error: PolarsError) -> DataFusionError {
    DataFusionError::Context(location.to_string(), Box::new(DataFusionError::External(Box::new(error))))
}

/// An error about a column of an object.
pub(crate) fn in_column(column: &str, error: DataFusionError) -> DataFusionError {
    DataFusionError::Context(format!("column `{column}`"), Box::new(error))
}

/// An error of execution.
pub(crate) fn failed(text: impl Into<String>) -> DataFusionError {
    DataFusionError::Execution(text.into())
}
