//! The options of a scan.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use floe_frame::{IpcLimits, TextAsBinary, TypeOptions, Unrepresentable};
use polars_core::prelude::*;
use polars_io::RowIndex;
use polars_lazy::prelude::Expr;
use polars_plan::dsl::{CastColumnsPolicy, ExtraColumnsPolicy, MissingColumnsPolicy};

use super::agree::Evolution;
use super::option_values::{PathColumn, ScanColumns, ScanSchema};

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
    pub(super) evolution: Evolution,
    pub(super) read_counter: Option<Arc<AtomicU64>>,
    pub(super) cloud: Cloud,
    pub(super) trusted_statistics: bool,
    pub(super) committed_only: bool,
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
            evolution: Evolution::default(),
            read_counter: None,
            cloud: None,
            trusted_statistics: false,
            committed_only: false,
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

    /// Scan only the files of a folder that markers name, which sinks write
    /// [on request](crate::IpcSinkOptions::with_commit_marker): all files of a call or none. A file that a marker names
    /// must be there. Every path must be a folder, or a URL that ends with a slash. Defaults to false.
    ///
    /// ```
    /// use floe_lazy::*;
    /// use polars_core::prelude::*;
    ///
    /// let folder = std::env::temp_dir().join(format!("floe-committed-doc-{}", std::process::id()));
    /// let df = DataFrame::new(3, vec![Column::new("n".into(), [1, 2, 3])])?;
    /// let sink = IpcSinkOptions::default().with_existing(ExistingFiles::Add);
    /// let by = || PartitionBy::MaxRows(2);
    /// df.clone().lazy().sink_ipc_partitioned(&folder, by(), sink.clone().with_commit_marker(true))?;
    /// df.lazy().sink_ipc_partitioned(&folder, by(), sink)?;
    /// let committed = IpcScanOptions::default().with_committed_only(true);
    /// assert_eq!(scan_ipc_file(&*folder, committed)?.collect()?.height(), 3);
    /// assert_eq!(scan_ipc_file(&*folder, IpcScanOptions::default())?.collect()?.height(), 6);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_committed_only(mut self, committed_only: bool) -> Self {
        self.committed_only = committed_only;
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
    pub fn with_hive_schema(mut self, schema: impl Into<ScanSchema>) -> Self {
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

    /// The columns of the sources and their types, in this order; without, those of the first source. Columns of folders'
    /// names, a row index and paths are added as well. Any other difference of a source is an error, unless
    /// [`with_missing_columns`](Self::with_missing_columns), [`with_extra_columns`](Self::with_extra_columns) or
    /// [`with_cast_options`](Self::with_cast_options) allow it; as with Polars' `scan_parquet`.
    ///
    /// ```
    /// use floe_frame::IpcWriter;
    /// use floe_lazy::{IpcScanOptions, MissingColumnsPolicy, scan_ipc_file};
    /// use polars_core::prelude::*;
    /// use polars_io::SerWriter;
    ///
    /// let mut df = DataFrame::new(2, vec![Column::new("day".into(), [1i64, 2])])?;
    /// let mut bytes = Vec::new();
    /// IpcWriter::new(&mut bytes).finish(&mut df)?;
    ///
    /// let schema = Schema::from_iter([
    ///     Field::new("day".into(), DataType::Int64),
    ///     Field::new("delay".into(), DataType::Float64),
    /// ]);
    /// let options = IpcScanOptions::default()
    ///     .with_schema(schema)
    ///     .with_missing_columns(MissingColumnsPolicy::Insert);
    /// let found = scan_ipc_file(bytes, options)?.collect()?;
    /// assert_eq!(found.column("delay")?.null_count(), 2);
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_schema(mut self, schema: impl Into<ScanSchema>) -> Self {
        self.evolution.schema = schema.into().0;
        self
    }

    /// Whether a column that a source lacks is an error, which is the default, or nulls.
    ///
    /// ```
    /// use floe_lazy::{IpcScanOptions, MissingColumnsPolicy};
    ///
    /// let options = IpcScanOptions::default().with_missing_columns(MissingColumnsPolicy::Insert);
    /// # let _ = options;
    /// ```
    pub fn with_missing_columns(mut self, missing: MissingColumnsPolicy) -> Self {
        self.evolution.missing = missing;
        self
    }

    /// Whether a column that a source has and the scan lacks is an error, which is the default, or left out. With
    /// [`with_columns`](Self::with_columns) it is left out in any case.
    ///
    /// ```
    /// use floe_lazy::{ExtraColumnsPolicy, IpcScanOptions};
    ///
    /// let options = IpcScanOptions::default().with_extra_columns(ExtraColumnsPolicy::Ignore);
    /// # let _ = options;
    /// ```
    pub fn with_extra_columns(mut self, extra: ExtraColumnsPolicy) -> Self {
        self.evolution.extra = extra;
        self
    }

    /// Which other types a source's column may have than the scan's, whose type it is cast to: smaller integers, finer
    /// times, structs with other fields. Defaults to none, but for columns of type Null.
    ///
    /// ```
    /// use floe_lazy::{CastColumnsPolicy, IpcScanOptions};
    ///
    /// let casts = CastColumnsPolicy { integer_upcast: true, ..CastColumnsPolicy::default() };
    /// let options = IpcScanOptions::default().with_cast_options(casts);
    /// # let _ = options;
    /// ```
    pub fn with_cast_options(mut self, casts: CastColumnsPolicy) -> Self {
        self.evolution.casts = casts;
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
            .field("committed_only", &self.committed_only)
            .field("evolution", &self.evolution)
            .finish_non_exhaustive()
    }
}
