//! The builder methods that [`IpcReader`] has in common with the readers of streams.

use floe_array::decode::Validation;
use floe_format::IpcLimits;
use polars_io::RowIndex;
use polars_io::mmap::MmapBytesReader;

use super::file::IpcReader;
use super::types::{TextAsBinary, Unrepresentable};

impl<R: MmapBytesReader> IpcReader<R> {
    /// Stop reading when `n` rows are read. The rest of a stream is left in the source.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let df = IpcReader::from_bytes(bytes).with_n_rows(Some(2)).finish()?;
    /// assert_eq!(df.height(), 2);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_n_rows(mut self, num_rows: impl Into<Option<usize>>) -> Self {
        self.options.n_rows = num_rows.into();
        self
    }

    /// Columns to select.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let df = IpcReader::from_bytes(bytes).with_columns(Some(vec!["b".to_owned()])).finish()?;
    /// assert_eq!(df.get_column_names(), ["b"]);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_columns(mut self, columns: Option<Vec<String>>) -> Self {
        self.options.columns = columns;
        self
    }

    /// Add a row index column.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// use polars_io::RowIndex;
    ///
    /// let index = RowIndex { name: "row".into(), offset: 10 };
    /// let df = IpcReader::from_bytes(bytes).with_row_index(Some(index)).finish()?;
    /// assert_eq!(df.get_column_names(), ["row", "a", "b"]);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_row_index(mut self, row_index: impl Into<Option<RowIndex>>) -> Self {
        self.options.row_index = row_index.into();
        self
    }

    /// Columns to select by position, counted from 0.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let df = IpcReader::from_bytes(bytes).with_projection(Some(vec![1])).finish()?;
    /// assert_eq!(df.get_column_names(), ["b"]);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_projection(mut self, projection: Option<Vec<usize>>) -> Self {
        self.options.projection = projection;
        self
    }

    /// Caps on what the source may claim.
    ///
    /// ```
    /// # use floe_frame::{IpcLimits, IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let limits = IpcLimits { max_total_bytes: 8, ..IpcLimits::default() };
    /// assert!(IpcReader::from_bytes(bytes).with_limits(limits).finish().is_err());
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_limits(mut self, limits: IpcLimits) -> Self {
        self.options.limits = limits;
        self
    }

    /// Decode on Polars' thread pool. Defaults to true.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let df = IpcReader::from_bytes(bytes).with_parallel(false).finish()?;
    /// assert_eq!(df.height(), 3);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_parallel(mut self, parallel: bool) -> Self {
        self.options.parallel = parallel;
        self
    }

    /// Read the text of these columns as Binary: names, or `true` for all. Text that is not UTF-8 is an error
    /// otherwise. Say so before any batch is read.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let df = IpcReader::from_bytes(bytes).with_text_as_binary(["b"]).finish()?;
    /// assert_eq!(df.column("b")?.dtype(), &DataType::Binary);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_text_as_binary(mut self, columns: impl Into<TextAsBinary>) -> Self {
        self.options.types = self.options.types.with_text_as_binary(columns);
        self
    }

    /// How values are read that Polars has no place for: decimals of more than 38 digits, seconds that overflow its
    /// milliseconds. Defaults to an error. Say so before any batch is read.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter, Unrepresentable};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// let df = IpcReader::from_bytes(bytes).with_unrepresentable(Unrepresentable::Null).finish()?;
    /// assert_eq!(df.height(), 3);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_unrepresentable(mut self, unrepresentable: Unrepresentable) -> Self {
        self.options.types = self.options.types.with_unrepresentable(unrepresentable);
        self
    }

    /// Does not check offsets, UTF-8 and views.
    ///
    /// ```
    /// # use floe_frame::{IpcReader, IpcWriter};
    /// # use polars_core::prelude::*;
    /// # use polars_io::{SerReader, SerWriter};
    /// # let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), ["x", "y", "z"])])?;
    /// # let mut bytes = Vec::new();
    /// # IpcWriter::new(&mut bytes).with_record_batch_size(2).finish(&mut df)?;
    /// // SAFETY: the bytes were written above.
    /// let df = unsafe { IpcReader::from_bytes(bytes).skip_validation() }.finish()?;
    /// assert_eq!(df.height(), 3);
    /// # PolarsResult::Ok(())
    /// ```
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
