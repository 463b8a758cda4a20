//! The options of a scan.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use floe_frame::{IpcLimits, TextAsBinary, TypeOptions, Unrepresentable};
use polars_core::prelude::*;
use polars_io::RowIndex;
use polars_lazy::prelude::Expr;

use crate::cloud::Cloud;

/// Options of [`scan_ipc`](crate::scan_ipc), [`scan_ipc_stream`](crate::scan_ipc_stream) and
/// [`scan_ipc_file`](crate::scan_ipc_file).
///
/// ```
/// use floe_lazy::IpcScanOptions;
/// use polars_lazy::prelude::{col, lit};
///
/// let options = IpcScanOptions::default()
///     .with_columns(["month", "delay"])
///     .with_n_rows(1000)
///     .with_predicate(col("month").eq(lit(2)))
///     .with_include_file_paths("path");
/// let options = options.with_hive(true);
/// # let _ = options;
/// ```
#[derive(Clone)]
#[must_use]
pub struct IpcScanOptions {
    pub(super) n_rows: Option<usize>,
    pub(super) row_index: Option<RowIndex>,
    pub(super) columns: Option<Vec<PlSmallStr>>,
    pub(super) predicate: Option<Expr>,
    pub(super) include_file_paths: Option<PlSmallStr>,
    pub(super) hive: bool,
    pub(super) glob: bool,
    pub(super) hive_schema: Option<SchemaRef>,
    pub(super) index_cache: bool,
    pub(super) limits: IpcLimits,
    pub(super) types: TypeOptions,
    pub(super) read_counter: Option<Arc<AtomicU64>>,
    pub(super) cloud: Cloud,
    pub(super) trusted_statistics: bool,
}

impl Default for IpcScanOptions {
    fn default() -> Self {
        Self {
            n_rows: None,
            row_index: None,
            columns: None,
            predicate: None,
            include_file_paths: None,
            hive: false,
            glob: true,
            hive_schema: None,
            index_cache: true,
            limits: IpcLimits::default(),
            types: TypeOptions::default(),
            read_counter: None,
            cloud: None,
            trusted_statistics: false,
        }
    }
}

impl IpcScanOptions {
    /// Scan the first rows only, counted over all sources in their order, before any predicate.
    ///
    /// ```
    /// use floe_lazy::IpcScanOptions;
    /// let options = IpcScanOptions::default().with_n_rows(1000);
    /// # let _ = options;
    /// ```
    pub fn with_n_rows(mut self, n_rows: impl Into<Option<usize>>) -> Self {
        self.n_rows = n_rows.into();
        self
    }

    /// Add a row index as the first column, counted over all sources in their order.
    ///
    /// ```
    /// use floe_lazy::IpcScanOptions;
    /// use polars_io::RowIndex;
    ///
    /// let options = IpcScanOptions::default().with_row_index(RowIndex { name: "row".into(), offset: 0 });
    /// # let _ = options;
    /// ```
    pub fn with_row_index(mut self, row_index: impl Into<Option<RowIndex>>) -> Self {
        self.row_index = row_index.into();
        self
    }

    /// Scan these columns only (of the sources, or of their folders' names), in this order: names, a
    /// list of them, or an option of one. A row index and paths are added as well.
    ///
    /// ```
    /// use floe_lazy::IpcScanOptions;
    /// let options = IpcScanOptions::default().with_columns(["month", "delay"]);
    /// # let _ = options;
    /// ```
    pub fn with_columns(mut self, columns: impl Into<ScanColumns>) -> Self {
        self.columns = columns.into().0;
        self
    }

    /// Keep the rows for which this holds. As `filter` on the LazyFrame, which works as well. This one also skips
    /// batches whose [statistics](floe_frame::IpcWriter::with_statistics) rule all rows out, and sources whose folder's
    /// name does.
    ///
    /// ```
    /// use floe_lazy::{IpcScanOptions, col, lit};
    ///
    /// let options = IpcScanOptions::default().with_predicate(col("month").eq(lit(2)));
    /// # let _ = options;
    /// ```
    pub fn with_predicate(mut self, predicate: impl Into<Option<Expr>>) -> Self {
        self.predicate = predicate.into();
        self
    }

    /// Add the path of each row's source as the last column, of this name. Bytes in memory have
    /// `in-memory` in its place.
    ///
    /// ```
    /// use floe_lazy::IpcScanOptions;
    /// let options = IpcScanOptions::default().with_include_file_paths("path");
    /// # let _ = options;
    /// ```
    pub fn with_include_file_paths(mut self, name: impl Into<PathColumn>) -> Self {
        self.include_file_paths = name.into().0;
        self
    }

    /// Add columns for the keys in folders' names: `year=2013/month=1/part.arrow` has the columns `year` and `month`.
    /// They stand behind the sources' own; one that a source has as well replaces it. Names and values are
    /// percent-decoded; the value `__HIVE_DEFAULT_PARTITION__` is null. Defaults to false.
    ///
    /// Folders that floe has written are read with their types: the files say which types the keys have. Those of
    /// others get the type of the sources' own column of that name, or else are inferred from all values as Polars
    /// does: integers, floats, booleans, dates, strings. But numbers that would not come back as they are written, such
    /// as `01`, are strings, since `01` and `1` are two folders. [`with_hive_schema`](Self::with_hive_schema) says
    /// otherwise.
    ///
    /// ```
    /// use floe_lazy::IpcScanOptions;
    /// let options = IpcScanOptions::default().with_hive(true);
    /// # let _ = options;
    /// ```
    pub fn with_hive(mut self, hive: bool) -> Self {
        self.hive = hive;
        self
    }

    /// Whether `*`, `?` and `[..]` in paths are patterns. Without, a file called `a[1].arrow` is scanned
    /// by its name. Folders stand for the files in them either way. Defaults to true.
    ///
    /// ```
    /// use floe_lazy::IpcScanOptions;
    /// let options = IpcScanOptions::default().with_glob(false);
    /// # let _ = options;
    /// ```
    pub fn with_glob(mut self, glob: bool) -> Self {
        self.glob = glob;
        self
    }

    /// As [`with_hive`](Self::with_hive), with these types for the keys: all that the folders' names have.
    /// A value that is none of its type is an error that names the path.
    ///
    /// ```
    /// use floe_lazy::IpcScanOptions;
    /// use polars_core::prelude::*;
    ///
    /// let keys = Schema::from_iter([Field::new("month".into(), DataType::UInt8)]);
    /// let options = IpcScanOptions::default().with_hive_schema(keys);
    /// # let _ = options;
    /// ```
    pub fn with_hive_schema(mut self, schema: impl Into<HiveSchema>) -> Self {
        self.hive_schema = schema.into().0;
        self.hive |= self.hive_schema.is_some();
        self
    }

    /// Keep the indexes of files for the next scan in this process, which uses one if path, length,
    /// time of modification and inode are the same. Defaults to true.
    ///
    /// ```
    /// use floe_lazy::IpcScanOptions;
    /// let options = IpcScanOptions::default().with_index_cache(false);
    /// # let _ = options;
    /// ```
    pub fn with_index_cache(mut self, index_cache: bool) -> Self {
        self.index_cache = index_cache;
        self
    }

    /// Caps on what the sources may claim.
    ///
    /// ```
    /// use floe_frame::IpcLimits;
    /// use floe_lazy::IpcScanOptions;
    ///
    /// let options = IpcScanOptions::default().with_limits(IpcLimits::default());
    /// # let _ = options;
    /// ```
    pub fn with_limits(mut self, limits: IpcLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Read the text of these columns as Binary: names, or `true` for all. Text that is not UTF-8 is an error
    /// otherwise. Every source has to have columns of these names.
    ///
    /// ```
    /// use floe_lazy::IpcScanOptions;
    /// let options = IpcScanOptions::default().with_text_as_binary(["name"]);
    /// # let _ = options;
    /// ```
    pub fn with_text_as_binary(mut self, columns: impl Into<TextAsBinary>) -> Self {
        self.types = self.types.with_text_as_binary(columns);
        self
    }

    /// How values are read that Polars has no place for: decimals of more than 38 digits, seconds that overflow its
    /// milliseconds. Defaults to an error.
    ///
    /// ```
    /// use floe_frame::Unrepresentable;
    /// use floe_lazy::IpcScanOptions;
    ///
    /// let options = IpcScanOptions::default().with_unrepresentable(Unrepresentable::Null);
    /// # let _ = options;
    /// ```
    pub fn with_unrepresentable(mut self, unrepresentable: Unrepresentable) -> Self {
        self.types = self.types.with_unrepresentable(unrepresentable);
        self
    }

    /// Adds the bytes that this scan reads, now and when queries run, to a counter.
    ///
    /// ```
    /// use floe_lazy::IpcScanOptions;
    /// use std::sync::Arc;
    /// use std::sync::atomic::AtomicU64;
    ///
    /// let read = Arc::new(AtomicU64::new(0));
    /// let options = IpcScanOptions::default().with_read_counter(Arc::clone(&read));
    /// # let _ = options;
    /// ```
    pub fn with_read_counter(mut self, read_counter: impl Into<Option<Arc<AtomicU64>>>) -> Self {
        self.read_counter = read_counter.into();
        self
    }

    /// How the object stores of URLs are reached: credentials, endpoints, retries. Without, the environment says.
    ///
    /// ```
    /// use floe_lazy::{CloudOptions, IpcScanOptions};
    ///
    /// let options = IpcScanOptions::default().with_cloud_options(CloudOptions::default());
    /// # let _ = options;
    /// ```
    #[cfg(feature = "cloud")]
    pub fn with_cloud_options(mut self, cloud: impl Into<Option<polars_io::cloud::CloudOptions>>) -> Self {
        self.cloud = cloud.into();
        self
    }

    /// Whether the statistics in the footers of files in object stores are taken by their word, as
    /// [`IpcIndexOptions::with_trusted_statistics`](floe_frame::IpcIndexOptions::with_trusted_statistics) says. Otherwise
    /// a predicate costs two requests for each object. Defaults to false.
    ///
    /// ```
    /// use floe_lazy::IpcScanOptions;
    /// let options = IpcScanOptions::default().with_trusted_statistics(true);
    /// # let _ = options;
    /// ```
    #[cfg(feature = "cloud")]
    pub fn with_trusted_statistics(mut self, trusted: bool) -> Self {
        self.trusted_statistics = trusted;
        self
    }
}

impl std::fmt::Debug for IpcScanOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IpcScanOptions")
            .field("n_rows", &self.n_rows)
            .field("columns", &self.columns)
            .field("hive", &self.hive)
            .field("glob", &self.glob)
            .field("hive_schema", &self.hive_schema)
            .finish_non_exhaustive()
    }
}

/// The name of the column with paths, or none: what
/// [`with_include_file_paths`](IpcScanOptions::with_include_file_paths) takes.
///
/// ```
/// use floe_lazy::PathColumn;
///
/// let columns = [PathColumn::from("path"), PathColumn::default()];
/// # let _ = columns;
/// ```
#[derive(Debug, Clone, Default)]
pub struct PathColumn(Option<PlSmallStr>);

impl From<&str> for PathColumn {
    fn from(name: &str) -> Self {
        Self(Some(name.into()))
    }
}

impl From<String> for PathColumn {
    fn from(name: String) -> Self {
        Self(Some(name.into()))
    }
}

impl From<PlSmallStr> for PathColumn {
    fn from(name: PlSmallStr) -> Self {
        Self(Some(name))
    }
}

impl From<Option<PlSmallStr>> for PathColumn {
    fn from(name: Option<PlSmallStr>) -> Self {
        Self(name)
    }
}

/// The types of keys, or none: what [`with_hive_schema`](IpcScanOptions::with_hive_schema) takes.
///
/// ```
/// use floe_lazy::HiveSchema;
/// use polars_core::prelude::*;
///
/// let schema = HiveSchema::from(Schema::from_iter([Field::new("month".into(), DataType::UInt8)]));
/// # let _ = schema;
/// ```
#[derive(Debug, Clone, Default)]
pub struct HiveSchema(Option<SchemaRef>);

impl From<SchemaRef> for HiveSchema {
    fn from(schema: SchemaRef) -> Self {
        Self(Some(schema))
    }
}

impl From<&SchemaRef> for HiveSchema {
    fn from(schema: &SchemaRef) -> Self {
        Self(Some(Arc::clone(schema)))
    }
}

impl From<Schema> for HiveSchema {
    fn from(schema: Schema) -> Self {
        Self(Some(Arc::new(schema)))
    }
}

impl From<&Schema> for HiveSchema {
    fn from(schema: &Schema) -> Self {
        Self(Some(Arc::new(schema.clone())))
    }
}

impl From<Option<SchemaRef>> for HiveSchema {
    fn from(schema: Option<SchemaRef>) -> Self {
        Self(schema)
    }
}

/// Names of columns, or none for all: what
/// [`with_columns`](IpcScanOptions::with_columns) takes.
///
/// ```
/// use floe_lazy::ScanColumns;
///
/// let columns = [ScanColumns::from(["month", "delay"]), ScanColumns::default()];
/// # let _ = columns;
/// ```
#[derive(Debug, Clone, Default)]
pub struct ScanColumns(Option<Vec<PlSmallStr>>);

impl<T: Into<PlSmallStr>> From<Vec<T>> for ScanColumns {
    fn from(names: Vec<T>) -> Self {
        Self(Some(names.into_iter().map(Into::into).collect()))
    }
}

impl<T: Into<PlSmallStr>, const N: usize> From<[T; N]> for ScanColumns {
    fn from(names: [T; N]) -> Self {
        Self(Some(names.into_iter().map(Into::into).collect()))
    }
}

impl<T: Into<PlSmallStr> + Clone> From<&[T]> for ScanColumns {
    fn from(names: &[T]) -> Self {
        Self(Some(names.iter().cloned().map(Into::into).collect()))
    }
}

impl<T: Into<Self>> From<Option<T>> for ScanColumns {
    fn from(names: Option<T>) -> Self {
        names.map(Into::into).unwrap_or_default()
    }
}
