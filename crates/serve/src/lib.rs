//! An HTTP API for Polars tables that answers in Arrow IPC streams.
