//! Options of the sinks.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use floe_frame::{BatchWriter, FrameWriter, IpcStreamWriter, IpcWriter, Metadata, WriteFormat, WriteSummary};
use polars_core::prelude::*;
use polars_io::SerWriter;
use polars_io::ipc::IpcCompression;

use crate::cloud::Cloud;
use crate::partition::ExistingFiles;
use crate::scan::IpcMetadata;
use crate::writer::{Format, Writer};

/// How far a sink has come.
///
/// ```
/// use floe_lazy::{IpcSinkOptions, Progress};
///
/// let report = |progress: Progress| eprintln!("{} rows in {} batches", progress.rows, progress.batches);
/// let options = IpcSinkOptions::default().with_progress(report);
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Progress {
    /// Rows written.
    pub rows: u64,
    /// Record batches written.
    pub batches: u64,
    /// Bytes handed to the target; of a partitioned sink, to all files together.
    pub bytes: u64,
}

impl From<&WriteSummary> for Progress {
    fn from(summary: &WriteSummary) -> Self {
        Self { rows: summary.rows, batches: summary.batches, bytes: summary.written_bytes }
    }
}

/// The callback for a sink's progress.
type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Options of the sinks.
///
/// ```
/// use floe_lazy::{IpcCompression, IpcSinkOptions};
///
/// let options = IpcSinkOptions::default()
///     .with_compression(Some(IpcCompression::LZ4))
///     .with_record_batch_size(50_000)
///     .with_progress(|progress| eprintln!("{} rows", progress.rows));
/// ```
#[derive(Clone)]
#[must_use]
pub struct IpcSinkOptions {
    compression: Option<IpcCompression>,
    compat_level: Option<CompatLevel>,
    interop: bool,
    record_batch_size: Option<usize>,
    maintain_order: bool,
    statistics: bool,
    unreferenced_data: bool,
    record_batch_statistics: bool,
    schema_metadata: Option<Arc<Metadata>>,
    field_metadata: Vec<FieldMetadata>,
    include_keys: bool,
    existing: ExistingFiles,
    commit_marker: bool,
    progress: Option<OnProgress>,
    cloud: Cloud,
}

impl Default for IpcSinkOptions {
    fn default() -> Self {
        Self {
            compression: None,
            compat_level: None,
            interop: false,
            record_batch_size: None,
            maintain_order: true,
            statistics: false,
            unreferenced_data: false,
            record_batch_statistics: false,
            schema_metadata: None,
            field_metadata: Vec::new(),
            include_keys: false,
            existing: ExistingFiles::Error,
            commit_marker: false,
            progress: None,
            cloud: None,
        }
    }
}

impl IpcSinkOptions {
    /// Compression of the buffers. Defaults to none.
    ///
    /// ```
    /// use floe_lazy::{IpcCompression, IpcSinkOptions};
    ///
    /// let options = IpcSinkOptions::default().with_compression(Some(IpcCompression::LZ4));
    /// # let _ = options;
    /// ```
    pub fn with_compression(mut self, compression: Option<IpcCompression>) -> Self {
        self.compression = compression;
        self
    }

    /// Which Arrow types to use: the oldest level writes strings with offsets, the newest as views.
    /// Defaults to the newest for files, the oldest for streams, as the eager writers do.
    ///
    /// ```
    /// use floe_lazy::{CompatLevel, IpcSinkOptions};
    ///
    /// let options = IpcSinkOptions::default().with_compat_level(CompatLevel::newest());
    /// # let _ = options;
    /// ```
    pub fn with_compat_level(mut self, compat_level: CompatLevel) -> Self {
        self.compat_level = Some(compat_level);
        self
    }

    /// Write only what every Arrow engine can query, as
    /// [`IpcWriter::with_interop`](floe_frame::FrameWriter::with_interop) does: the oldest compat level, categoricals and
    /// enums as strings, and an error for 128-bit integers. Defaults to false.
    ///
    /// ```
    /// use floe_lazy::IpcSinkOptions;
    ///
    /// let options = IpcSinkOptions::default().with_interop(true);
    /// # let _ = options;
    /// ```
    pub fn with_interop(mut self, interop: bool) -> Self {
        self.interop = interop;
        self
    }

    /// Rows per record batch: every batch has exactly that many, but for the last. Without it, batches have 100,000
    /// rows, or fewer so that they take at most about 32 MiB. If the columns' types say so, that is an equal part of
    /// 100,000; otherwise batches end where strings, bytes or lists turn out to be large. Either way the bytes depend
    /// on the rows and their order, not on the number of threads.
    ///
    /// ```
    /// use floe_lazy::IpcSinkOptions;
    ///
    /// let options = IpcSinkOptions::default().with_record_batch_size(50_000);
    /// # let _ = options;
    /// ```
    pub fn with_record_batch_size(mut self, rows: impl Into<Option<usize>>) -> Self {
        self.record_batch_size = rows.into();
        self
    }

    /// Write the rows in the query's order. Defaults to true; without it, the query may be faster.
    ///
    /// ```
    /// use floe_lazy::IpcSinkOptions;
    /// let options = IpcSinkOptions::default().with_maintain_order(false);
    /// # let _ = options;
    /// ```
    pub fn with_maintain_order(mut self, maintain_order: bool) -> Self {
        self.maintain_order = maintain_order;
        self
    }

    /// Write each column's minimum, maximum and null count with each batch, so that floe's scans can skip
    /// batches. Defaults to false. Other readers ignore them.
    ///
    /// ```
    /// use floe_lazy::IpcSinkOptions;
    /// let options = IpcSinkOptions::default().with_statistics(true);
    /// # let _ = options;
    /// ```
    pub fn with_statistics(mut self, statistics: bool) -> Self {
        self.statistics = statistics;
        self
    }

    /// Write numbers and booleans that are null as they lie in memory, which saves a copy where nulls were something
    /// else once. So values that no row of the result holds may get into the file. Strings and binaries are always
    /// copied together, and only the bytes that rows hold. Defaults to false: no such value is written.
    ///
    /// ```
    /// use floe_lazy::IpcSinkOptions;
    /// let options = IpcSinkOptions::default().with_unreferenced_data(true);
    /// # let _ = options;
    /// ```
    pub fn with_unreferenced_data(mut self, unreferenced_data: bool) -> Self {
        self.unreferenced_data = unreferenced_data;
        self
    }

    /// Write each column's sortedness flags into every record batch's metadata, where Polars' streaming
    /// engine looks for them, as [`IpcWriter`](floe_frame::IpcWriter::with_record_batch_statistics) does.
    /// Defaults to false.
    ///
    /// ```
    /// use floe_lazy::IpcSinkOptions;
    /// let options = IpcSinkOptions::default().with_record_batch_statistics(true);
    /// # let _ = options;
    /// ```
    pub fn with_record_batch_statistics(mut self, record_batch_statistics: bool) -> Self {
        self.record_batch_statistics = record_batch_statistics;
        self
    }

    /// Custom metadata of the schema.
    ///
    /// ```
    /// use floe_lazy::{IpcSinkOptions, Metadata};
    /// use std::sync::Arc;
    ///
    /// let metadata = Metadata::from([("made by".into(), "me".into())]);
    /// let options = IpcSinkOptions::default().with_custom_schema_metadata(Arc::new(metadata));
    /// # let _ = options;
    /// ```
    pub fn with_custom_schema_metadata(mut self, metadata: Arc<Metadata>) -> Self {
        self.schema_metadata = Some(metadata);
        self
    }

    /// Custom metadata of a column, in place of earlier metadata. The sink fails if its files have no such column: the keys
    /// of a partitioned sink are in none.
    ///
    /// ```
    /// use floe_lazy::{IpcSinkOptions, Metadata};
    ///
    /// let unit = Metadata::from([("unit".into(), "m/s".into())]);
    /// let options = IpcSinkOptions::default().with_custom_field_metadata("speed", unit);
    /// # let _ = options;
    /// ```
    pub fn with_custom_field_metadata(mut self, column: &str, metadata: Metadata) -> Self {
        self.set_field_metadata(column, metadata, false);
        self
    }

    /// The custom metadata of the sources that a query scans, see [`scan_ipc_metadata`](crate::scan_ipc_metadata): of
    /// the schema, and of the columns that the result still has by the same name.
    ///
    /// ```
    /// use floe_frame::{IpcLimits, IpcIndex, IpcWriter};
    /// use floe_lazy::*;
    /// use polars_core::prelude::*;
    /// use polars_io::SerWriter;
    ///
    /// let mut df = DataFrame::new(2, vec![Column::new("speed".into(), [1, 2])])?;
    /// let mut bytes = Vec::new();
    /// let mut writer = IpcWriter::new(&mut bytes);
    /// writer.set_custom_field_metadata("speed", Metadata::from([("unit".into(), "m/s".into())]));
    /// writer.finish(&mut df)?;
    ///
    /// let metadata = scan_ipc_metadata(bytes.clone(), IpcScanOptions::default())?;
    /// let path = std::env::temp_dir().join(format!("floe-metadata-doc-{}.arrow", std::process::id()));
    /// let lf = scan_ipc_file(bytes, IpcScanOptions::default())?.filter(col("speed").gt(lit(1)));
    /// lf.sink_ipc_file(&*path, IpcSinkOptions::default().with_metadata(metadata))?;
    /// let index = IpcIndex::open(&path, IpcLimits::default())?;
    /// assert_eq!(index.custom_field_metadata(0)["unit"], "m/s");
    /// # std::fs::remove_file(&path)?;
    /// # PolarsResult::Ok(())
    /// ```
    pub fn with_metadata(mut self, metadata: IpcMetadata) -> Self {
        let IpcMetadata { schema, fields } = metadata;
        self.schema_metadata = (!schema.is_empty()).then(|| Arc::new(schema));
        for (column, metadata) in fields {
            self.set_field_metadata(&column, metadata, true);
        }
        self
    }

    fn set_field_metadata(&mut self, column: &str, metadata: Metadata, if_there: bool) {
        self.field_metadata.retain(|known| known.column != column);
        self.field_metadata.push(FieldMetadata { column: column.into(), metadata, if_there });
    }

    /// Keep the key columns in the files of a sink that is partitioned by keys. Defaults to false:
    /// the folders' names hold them. Other sinks have no keys, and keep every column anyway.
    ///
    /// ```
    /// use floe_lazy::IpcSinkOptions;
    /// let options = IpcSinkOptions::default().with_include_keys(true);
    /// # let _ = options;
    /// ```
    pub fn with_include_keys(mut self, include_keys: bool) -> Self {
        self.include_keys = include_keys;
        self
    }

    /// How a partitioned sink treats a folder that is not empty. Defaults to an error. The other sinks replace the file
    /// that they write to.
    ///
    /// ```
    /// use floe_lazy::{ExistingFiles, IpcSinkOptions};
    ///
    /// let options = IpcSinkOptions::default().with_existing(ExistingFiles::Add);
    /// # let _ = options;
    /// ```
    pub fn with_existing(mut self, existing: ExistingFiles) -> Self {
        self.existing = existing;
        self
    }

    /// When all files of a partitioned sink are in place, write a marker that names them: `.committed-<id>.json` in the
    /// folder. Scans with [`with_committed_only`](crate::IpcScanOptions::with_committed_only) take the files that markers
    /// name. So they see all files of a call or none, also while other processes write, and after one that was killed.
    /// Defaults to false. Other sinks write one file, which appears as a whole anyway.
    ///
    /// All files are called `part-<id>-0.arrow`, as those of [`ExistingFiles::Add`] are. A call that replaces files removes
    /// earlier markers when the new files are in place, and then writes its own: for a moment there is none.
    ///
    /// ```
    /// use floe_lazy::{ExistingFiles, IpcSinkOptions};
    ///
    /// let options = IpcSinkOptions::default().with_existing(ExistingFiles::Add).with_commit_marker(true);
    /// # let _ = options;
    /// ```
    pub fn with_commit_marker(mut self, commit_marker: bool) -> Self {
        self.commit_marker = commit_marker;
        self
    }

    /// Called after every write of record batches, by the thread that writes: its time is added to the sink's.
    ///
    /// ```
    /// use floe_lazy::IpcSinkOptions;
    /// let options = IpcSinkOptions::default().with_progress(|progress| eprintln!("{} rows", progress.rows));
    /// # let _ = options;
    /// ```
    pub fn with_progress(mut self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// How the object store of a target is reached, if that is a URL: credentials, endpoint, retries. Without, the
    /// environment says.
    ///
    /// ```
    /// use floe_lazy::{CloudOptions, IpcSinkOptions};
    ///
    /// let options = IpcSinkOptions::default().with_cloud_options(CloudOptions::default());
    /// # let _ = options;
    /// ```
    #[cfg(feature = "cloud")]
    pub fn with_cloud_options(mut self, cloud: impl Into<Option<polars_io::cloud::CloudOptions>>) -> Self {
        self.cloud = cloud.into();
        self
    }
}

/// Options of a sink to a store.
#[cfg(feature = "cloud")]
impl IpcSinkOptions {
    pub(crate) fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    pub(crate) fn commit_marker(&self) -> bool {
        self.commit_marker
    }

    pub(crate) fn existing(&self) -> ExistingFiles {
        self.existing
    }

    /// The same for a folder on this machine, which is empty: files get names as there would be others, if there are.
    pub(crate) fn for_local_files(mut self) -> Self {
        self.cloud = None;
        // Files that a marker names have an id in their own names.
        let has_ids = self.existing == ExistingFiles::Add || self.commit_marker;
        self.existing = if has_ids { ExistingFiles::Add } else { ExistingFiles::Error };
        self.commit_marker = false;
        self
    }
}

impl fmt::Debug for IpcSinkOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            compression,
            compat_level,
            interop,
            record_batch_size,
            maintain_order,
            statistics,
            unreferenced_data,
            record_batch_statistics,
            schema_metadata,
            field_metadata,
            include_keys,
            existing,
            commit_marker,
            progress,
            // It has credentials.
            cloud: _,
        } = self;
        f.debug_struct("IpcSinkOptions")
            .field("compression", compression)
            .field("compat_level", compat_level)
            .field("interop", interop)
            .field("record_batch_size", record_batch_size)
            .field("maintain_order", maintain_order)
            .field("statistics", statistics)
            .field("unreferenced_data", unreferenced_data)
            .field("record_batch_statistics", record_batch_statistics)
            .field("schema_metadata", schema_metadata)
            .field("field_metadata", field_metadata)
            .field("include_keys", include_keys)
            .field("existing", existing)
            .field("commit_marker", commit_marker)
            .field("progress", &progress.is_some())
            .finish()
    }
}

/// The options, sorted by the code that needs them.
pub(crate) struct Parts {
    pub(crate) encoding: Encoding,
    pub(crate) maintain_order: bool,
    pub(crate) include_keys: bool,
    pub(crate) existing: ExistingFiles,
    pub(crate) commit_marker: bool,
    pub(crate) progress: Reporter,
    pub(crate) cloud: Cloud,
}

/// The options that shape the bytes.
#[derive(Clone)]
pub(crate) struct Encoding {
    compression: Option<IpcCompression>,
    compat_level: Option<CompatLevel>,
    interop: bool,
    pub(crate) record_batch_size: Option<usize>,
    statistics: bool,
    unreferenced_data: bool,
    record_batch_statistics: bool,
    schema_metadata: Option<Arc<Metadata>>,
    field_metadata: Vec<FieldMetadata>,
}

/// Custom metadata of a column.
#[derive(Debug, Clone)]
struct FieldMetadata {
    column: PlSmallStr,
    metadata: Metadata,
    /// Whether the column may be missing.
    if_there: bool,
}

impl IpcSinkOptions {
    pub(crate) fn into_parts(self) -> Parts {
        let Self {
            compression,
            compat_level,
            interop,
            record_batch_size,
            maintain_order,
            statistics,
            unreferenced_data,
            record_batch_statistics,
            schema_metadata,
            field_metadata,
            include_keys,
            existing,
            commit_marker,
            progress,
            cloud,
        } = self;
        let record_batch_size = record_batch_size.map(|rows| rows.max(1));
        let encoding = Encoding {
            compression,
            compat_level,
            interop,
            record_batch_size,
            statistics,
            unreferenced_data,
            record_batch_statistics,
            schema_metadata,
            field_metadata,
        };
        let progress = Reporter { report: progress, last: 0 };
        Parts { encoding, maintain_order, include_keys, existing, commit_marker, progress, cloud }
    }
}

impl Encoding {
    /// One more entry of the schema's custom metadata.
    pub(crate) fn add_metadata(&mut self, key: &str, value: &str) {
        let metadata = self.schema_metadata.get_or_insert_default();
        Arc::make_mut(metadata).insert(key.into(), value.into());
    }

    /// A writer of that format, which has written the schema.
    pub(crate) fn start<W: Write>(
        &self,
        format: Format,
        output: W,
        schema: &Schema,
    ) -> PolarsResult<Writer<W>> {
        match format {
            Format::Stream => self.begin(IpcStreamWriter::new(output), schema).map(Writer::Stream),
            Format::File => self.begin(IpcWriter::new(output), schema).map(Writer::File),
        }
    }

    /// A writer with these options.
    fn begin<W: Write, F: WriteFormat>(
        &self,
        writer: FrameWriter<W, F>,
        schema: &Schema,
    ) -> PolarsResult<BatchWriter<W, F>> {
        let mut writer = writer
            .with_compression(self.compression)
            .with_interop(self.interop)
            .with_record_batch_size(Some(self.record_batch_size.unwrap_or(usize::MAX)))
            // Which buffers a query puts strings in depends on its threads.
            .with_canonical_views(true)
            .with_statistics(self.statistics)
            .with_unreferenced_data(self.unreferenced_data)
            .with_record_batch_statistics(self.record_batch_statistics);
        if let Some(level) = self.compat_level {
            writer = writer.with_compat_level(level);
        }
        if let Some(metadata) = &self.schema_metadata {
            writer.set_custom_schema_metadata(Arc::clone(metadata));
        }
        for FieldMetadata { column, metadata, if_there } in &self.field_metadata {
            // The writer names a column that is missing.
            if !if_there || schema.contains(column) {
                writer.set_custom_field_metadata(column, metadata.clone());
            }
        }
        writer.batched(schema)
    }
}

/// Tells the caller how far the sink has come, when there is something to tell.
pub(crate) struct Reporter {
    report: Option<OnProgress>,
    /// Batches last time.
    last: u64,
}

impl Reporter {
    pub(crate) fn report(&mut self, progress: Progress) {
        if let Some(report) = &self.report
            && progress.batches > self.last
        {
            self.last = progress.batches;
            report(progress);
        }
    }
}
