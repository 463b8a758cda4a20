//! The builder methods that [`FollowReader`] has in common with the readers.

use floe_array::decode::Validation;
use floe_format::IpcLimits;
use polars_io::RowIndex;

use super::follow::FollowReader;
use super::types::{TextAsBinary, Unrepresentable};

impl FollowReader {
    /// Stop reading when `n` rows are read. The rest is not waited for.
    ///
    /// See [`IpcStreamReader::with_n_rows`](crate::IpcStreamReader::with_n_rows) for an example.
    pub fn with_n_rows(mut self, num_rows: impl Into<Option<usize>>) -> Self {
        self.options.n_rows = num_rows.into();
        self
    }

    /// Columns to select.
    ///
    /// See [`IpcStreamReader::with_columns`](crate::IpcStreamReader::with_columns) for an example.
    pub fn with_columns(mut self, columns: Option<Vec<String>>) -> Self {
        self.options.columns = columns;
        self
    }

    /// Add a row index column.
    ///
    /// See [`IpcStreamReader::with_row_index`](crate::IpcStreamReader::with_row_index) for an example.
    pub fn with_row_index(mut self, row_index: impl Into<Option<RowIndex>>) -> Self {
        self.options.row_index = row_index.into();
        self
    }

    /// Columns to select by position, counted from 0.
    ///
    /// See [`IpcStreamReader::with_projection`](crate::IpcStreamReader::with_projection) for an example.
    pub fn with_projection(mut self, projection: Option<Vec<usize>>) -> Self {
        self.options.projection = projection;
        self
    }

    /// Caps on what the source may claim.
    ///
    /// See [`IpcStreamReader::with_limits`](crate::IpcStreamReader::with_limits) for an example.
    pub fn with_limits(mut self, limits: IpcLimits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Decode on Polars' thread pool. Defaults to true.
    ///
    /// See [`IpcStreamReader::with_parallel`](crate::IpcStreamReader::with_parallel) for an example.
    pub fn with_parallel(mut self, parallel: bool) -> Self {
        self.options.parallel = parallel;
        self
    }

    /// Read the text of these columns as Binary: names, or `true` for all. Text that is not UTF-8 is an error
    /// otherwise. Say so before any batch is read.
    ///
    /// See [`IpcStreamReader::with_text_as_binary`](crate::IpcStreamReader::with_text_as_binary) for an example.
    pub fn with_text_as_binary(mut self, columns: impl Into<TextAsBinary>) -> Self {
        self.options.types = self.options.types.with_text_as_binary(columns);
        self
    }

    /// How values are read that Polars has no place for: decimals of more than 38 digits, seconds that overflow its
    /// milliseconds. Defaults to an error. Say so before any batch is read.
    ///
    /// See [`IpcStreamReader::with_unrepresentable`](crate::IpcStreamReader::with_unrepresentable) for an example.
    pub fn with_unrepresentable(mut self, unrepresentable: Unrepresentable) -> Self {
        self.options.types = self.options.types.with_unrepresentable(unrepresentable);
        self
    }

    /// Does not check offsets, UTF-8 and views.
    ///
    /// See [`IpcStreamReader::skip_validation`](crate::IpcStreamReader::skip_validation) for an example.
    ///
    /// # Safety
    /// The source must be valid Arrow data. If it is not, using the DataFrame reads memory out of
    /// bounds.
    #[expect(unsafe_code, reason = "unchecked reading is the caller's promise")]
    pub unsafe fn skip_validation(mut self) -> Self {
        // SAFETY: the caller promises valid data.
        self.options.validation = unsafe { Validation::skip() };
        self
    }
}
