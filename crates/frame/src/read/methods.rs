//! What the readers of both formats have in common: their options.

/// The options of a reader type with the field `options`, inside of its `impl`.
macro_rules! reader_options {
    () => {
        /// Stop reading when `n` rows are read. The rest of a stream is left in the source.
        pub fn with_n_rows(mut self, num_rows: Option<usize>) -> Self {
            self.options.n_rows = num_rows;
            self
        }

        /// Columns to select.
        pub fn with_columns(mut self, columns: Option<Vec<String>>) -> Self {
            self.options.columns = columns;
            self
        }

        /// Add a row index column.
        pub fn with_row_index(mut self, row_index: Option<RowIndex>) -> Self {
            self.options.row_index = row_index;
            self
        }

        /// Columns to select by position, counted from 0.
        pub fn with_projection(mut self, projection: Option<Vec<usize>>) -> Self {
            self.options.projection = projection;
            self
        }

        /// Caps on what the source may claim.
        pub fn with_limits(mut self, limits: IpcLimits) -> Self {
            self.options.limits = limits;
            self
        }

        /// Decode on Polars' thread pool. Defaults to true.
        pub fn with_parallel(mut self, parallel: bool) -> Self {
            self.options.parallel = parallel;
            self
        }

        /// Read the text of these columns as Binary: names, or `true` for all. Text that is not UTF-8 is an error
        /// otherwise. Say so before any batch is read.
        pub fn with_text_as_binary(mut self, columns: impl Into<TextAsBinary>) -> Self {
            self.options.types = self.options.types.with_text_as_binary(columns);
            self
        }

        /// What becomes of values that Polars has no place for: decimals of more than 38 digits, seconds that
        /// overflow its milliseconds. Defaults to an error. Say so before any batch is read.
        pub fn with_unrepresentable(mut self, unrepresentable: Unrepresentable) -> Self {
            self.options.types = self.options.types.with_unrepresentable(unrepresentable);
            self
        }

        /// Does not check offsets, UTF-8 and views.
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
    };
}

pub(crate) use reader_options;
