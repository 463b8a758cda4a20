//! LazyFrames out of Arrow IPC.
//!
//! ```text
//!   paths, bytes --expand, hive--> IpcIndex each --parts--> groups of parts
//!
//!   Select [the columns, not the hidden one]        pushed through: projection, slice
//!     Select, Map, Map <- DataFrameScan: a row a row              a scan of a moderate size, see [`rows`]
//!
//!   Select                                          pushed through: projection, filter, slice
//!     Union, in order                                                       a larger one
//!       Map (reads the parts it is given) <- Map: to all columns <- DataFrameScan: a row a part   (group 0)
//!       Map                               <- Map                 <- DataFrameScan                 (group 1)
//!       ..
//! ```
//!
//! Polars has no door for a reader of one's own that every engine takes: its streaming engine panics on an anonymous
//! scan. So a scan is put together from nodes that all engines run. In a large one, a group's input is a tiny frame of
//! *part numbers*. It has a row for every part: the streaming engine deals out rows to its threads, which then decode
//! parts at the same time. [`columns`] makes a column of it for every column of the scan: those that Polars' projection
//! pushdown leaves over say which to decode. (The in-memory engine hands over all of a group at once: it is decoded on Polars' pool.)
//! Nothing is read before the engine asks, and `head(5)` stops it from asking.
//!
//! A column that is in no result, of dtype Null, is there for `select(len())`: Polars then asks for the
//! cheapest column, which is that one, and no body is read. Scans of more than [`MAX_COLUMNS`](row_numbers::MAX_COLUMNS)
//! go without it, since to leave it out takes an expression for every other column: there a count reads one column.
//!
//! Neighbours: [`source`] finds files, [`cache`] and `floe_frame::IpcIndex` index them, [`agree`] makes one schema of
//! theirs, [`layout`] says which column comes from where, [`parts`] and [`row_numbers`] cut. [`scan`] holds all that,
//! [`plan`] and [`rows`] put the nodes together, and [`read`] is their work. [`reader`] is a scan of another kind. [`prune`] leaves out batches that a
//! predicate cannot match, [`pushed`] finds the predicates of queries.

mod agree;
mod cache;
mod columns;
mod hive;
mod layout;
mod node_name;
mod once;
mod option_values;
mod options;
mod parts;
mod plan;
mod prune;
mod pushed;
mod read;
mod reader;
mod reader_source;
mod row_numbers;
mod rows;
#[expect(clippy::module_inception, reason = "the scan itself")]
mod scan;
mod source;
mod tickets;

use std::sync::Arc;

use floe_frame::{IpcIndex, IpcKind, Metadata};
pub use option_values::{HiveSchema, PathColumn, ScanColumns, ScanSchema};
pub use options::IpcScanOptions;
use polars_core::prelude::*;
use polars_lazy::prelude::LazyFrame;
pub use pushed::LazyIpcPrune;
pub(crate) use pushed::rows_of;
pub use reader::scan_ipc_reader;
pub(crate) use rows::is_column;
pub use source::IpcScanSource;

use self::layout::Layout;
use self::scan::Scan;
use self::source::{Expansion, Sources};

/// Scans Arrow IPC files and streams alike, each source by its own format: a path, a glob, a folder, a list of paths,
/// or bytes in memory. As [`scan_ipc_stream`] and [`scan_ipc_file`], for sources of which one does not know, or which
/// are of both formats.
///
/// ```
/// use floe_frame::{IpcStreamWriter, IpcWriter};
/// use floe_lazy::{IpcScanOptions, scan_ipc};
/// use polars_buffer::Buffer;
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2])])?;
/// let (mut file, mut stream) = (Vec::new(), Vec::new());
/// IpcWriter::new(&mut file).finish(&mut df)?;
/// IpcStreamWriter::new(&mut stream).finish(&mut df)?;
///
/// let both = vec![Buffer::from(file), Buffer::from(stream)];
/// assert_eq!(scan_ipc(both, IpcScanOptions::default())?.collect()?, df.vstack(&df)?);
/// # PolarsResult::Ok(())
/// ```
///
/// # Errors
/// As [`scan_ipc_stream`], but that a source may be either.
pub fn scan_ipc(source: impl Into<IpcScanSource>, options: IpcScanOptions) -> PolarsResult<LazyFrame> {
    scan(source.into(), options, None)
}

/// Scans Arrow IPC streams: a path, a glob, a folder, a list of paths, or bytes in memory.
///
/// Their headers are read now, their bodies when the query runs: of the columns and batches that it
/// needs. The LazyFrame works under every engine, in joins, and before every sink.
///
/// Several streams may lie one behind another in a source: all are scanned. Columns of several sources
/// go together by their names, fields of structs as well. A column (or a list's items, or a field) that
/// has the dtype Null in one source and another in the rest is null there. Other differences are errors, unless
/// [`with_missing_columns`](IpcScanOptions::with_missing_columns),
/// [`with_extra_columns`](IpcScanOptions::with_extra_columns) or
/// [`with_cast_options`](IpcScanOptions::with_cast_options) allow them.
///
/// ```
/// use floe_frame::IpcStreamWriter;
/// use floe_lazy::{IpcScanOptions, scan_ipc_stream};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
/// use polars_lazy::prelude::{col, lit};
///
/// let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2]), Column::new("b".into(), [3, 4, 5])])?;
/// let mut bytes = Vec::new();
/// IpcStreamWriter::new(&mut bytes).finish(&mut df)?;
///
/// let lf = scan_ipc_stream(bytes, IpcScanOptions::default())?;
/// let b = lf.filter(col("a").gt(lit(0))).select([col("b")]).collect()?;
/// assert_eq!(b, df.select(["b"])?.slice(1, 2));
/// # PolarsResult::Ok(())
/// ```
///
/// # Errors
/// When a source is missing ([`PolarsError::IO`], of the kind `NotFound`), is a file rather than a stream, is cut off
/// or malformed. Also when the schemas of several differ, or an option names a column that is not there. Errors name
/// the path, or the number of the bytes among those given, from 0 on. Errors inside of a body are found when the query
/// runs.
pub fn scan_ipc_stream(source: impl Into<IpcScanSource>, options: IpcScanOptions) -> PolarsResult<LazyFrame> {
    scan(source.into(), options, Some(IpcKind::Stream))
}

/// Scans Arrow IPC files: a path, a glob, a folder, a list of paths, or bytes in memory. As
/// [`scan_ipc_stream`], for the format with a footer.
///
/// ```
/// use floe_frame::IpcWriter;
/// use floe_lazy::{IpcScanOptions, scan_ipc_file};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// let mut df = DataFrame::new(3, vec![Column::new("a".into(), [0, 1, 2])])?;
/// let mut bytes = Vec::new();
/// IpcWriter::new(&mut bytes).finish(&mut df)?;
/// assert_eq!(scan_ipc_file(bytes, IpcScanOptions::default())?.tail(1).collect()?, df.tail(Some(1)));
/// # PolarsResult::Ok(())
/// ```
///
/// # Errors
/// As [`scan_ipc_stream`].
pub fn scan_ipc_file(source: impl Into<IpcScanSource>, options: IpcScanOptions) -> PolarsResult<LazyFrame> {
    scan(source.into(), options, Some(IpcKind::File))
}

/// The custom metadata of a scan's schema and columns, which a LazyFrame has no place for.
///
/// ```
/// use floe_lazy::{IpcMetadata, Metadata};
///
/// let metadata = IpcMetadata {
///     schema: Metadata::from([("made by".into(), "me".into())]),
///     fields: vec![("speed".into(), Metadata::from([("unit".into(), "m/s".into())]))],
/// };
/// # let _ = metadata;
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IpcMetadata {
    /// Of the schema, without the keys of floe and Polars.
    pub schema: Metadata,
    /// Of columns that have some, by their names, without the keys by which Polars and Arrow keep types.
    pub fields: Vec<(PlSmallStr, Metadata)>,
}

/// The custom metadata of the first source of a scan, as pyarrow's datasets take that of their first file. Sinks write it
/// [on request](crate::IpcSinkOptions::with_metadata).
///
/// ```
/// use floe_frame::{IpcWriter, Metadata};
/// use floe_lazy::{IpcScanOptions, scan_ipc_metadata};
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
///
/// let mut bytes = Vec::new();
/// let mut writer = IpcWriter::new(&mut bytes);
/// writer.set_custom_field_metadata("speed", Metadata::from([("unit".into(), "m/s".into())]));
/// writer.finish(&mut DataFrame::new(2, vec![Column::new("speed".into(), [1, 2])])?)?;
/// let metadata = scan_ipc_metadata(bytes, IpcScanOptions::default())?;
/// assert_eq!(metadata.fields[0].1["unit"], "m/s");
/// # PolarsResult::Ok(())
/// ```
///
/// # Errors
/// When the sources cannot be found, or the first cannot be opened.
pub fn scan_ipc_metadata(
    source: impl Into<IpcScanSource>,
    options: IpcScanOptions,
) -> PolarsResult<IpcMetadata> {
    let IpcScanOptions {
        glob,
        committed_only,
        index_cache,
        limits,
        types,
        read_counter,
        mut cloud,
        trusted_statistics,
        // Options about rows and columns: they do not change the metadata of a source.
        n_rows: _,
        row_index: _,
        columns: _,
        predicate: _,
        include_file_paths: _,
        hive: _,
        hive_schema: _,
        evolution: _,
    } = options;
    let sources = Sources::find(source.into(), Expansion { glob, mixed: true, committed_only }, &mut cloud)?;
    let stores = cache::Stores { cloud, trusted_statistics };
    let first = sources.first();
    let indexes = cache::open_all(&first, (limits, types), index_cache, read_counter.as_deref(), &stores)?;
    let Some(index) = indexes.first() else { return Ok(IpcMetadata::default()) };
    let schema = index.custom_metadata();
    let names = index.column_names().enumerate();
    let fields = names.map(|(i, name)| (name.clone(), index.custom_field_metadata(i)));
    Ok(IpcMetadata { schema, fields: fields.filter(|(_, metadata)| !metadata.is_empty()).collect() })
}

/// Scans sources of one format, or of whichever they are.
fn scan(source: IpcScanSource, options: IpcScanOptions, kind: Option<IpcKind>) -> PolarsResult<LazyFrame> {
    let IpcScanOptions {
        n_rows,
        row_index,
        columns,
        predicate,
        include_file_paths,
        hive,
        glob,
        hive_schema,
        index_cache,
        limits,
        types,
        evolution,
        read_counter,
        mut cloud,
        trusted_statistics,
        committed_only,
    } = options;
    let how = Expansion { glob, mixed: kind.is_none(), committed_only };
    let sources = Sources::find(source, how, &mut cloud)?;
    let stores = cache::Stores { cloud, trusted_statistics };
    let indexes = cache::open_all(&sources, (limits, types), index_cache, read_counter.as_deref(), &stores)?;
    if let Some(kind) = kind {
        for (i, index) in indexes.iter().enumerate() {
            check_kind(index, kind).map_err(|e| sources.place(i, e))?;
        }
    }
    let partitions = if hive { hive::partitions(&sources, &indexes, hive_schema.as_deref())? } else { None };
    let wanted = layout::Request { columns, row_index, include_file_paths, evolution };
    let layout = Layout::new(indexes, &sources, partitions, wanted)?;
    let parts = parts::parts(&layout, n_rows);
    let mut scan = Scan::new(Arc::new(layout), parts, read_counter);
    let Some(predicate) = predicate else { return scan.lazy_frame() };
    let counter = scan.read_counter.as_deref();
    let parts = prune::keep(&scan.layout, scan.parts.clone(), &predicate, scan.empty()?, counter)?;
    if parts.len() < scan.parts.len() {
        scan = scan.with_parts(parts);
    }
    Ok(scan.lazy_frame()?.filter(predicate))
}

fn check_kind(index: &IpcIndex, kind: IpcKind) -> PolarsResult<()> {
    match (index.kind(), kind) {
        (IpcKind::File, IpcKind::Stream) => polars_bail!(
            ComputeError: "this is an Arrow IPC file, not a stream: use scan_ipc_file, or scan_ipc for both"
        ),
        (IpcKind::Stream, IpcKind::File) => polars_bail!(
            ComputeError: "this is an Arrow IPC stream, not a file: use scan_ipc_stream, or scan_ipc for both"
        ),
        (IpcKind::File, IpcKind::File) | (IpcKind::Stream, IpcKind::Stream) => Ok(()),
    }
}
