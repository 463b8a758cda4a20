//! Polars DataFrames over Arrow Flight.
