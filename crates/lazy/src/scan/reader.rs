//! Scans of a source that can be read once.
//!
//! ```text
//!   Select [the columns, not the hidden one]
//!     Select [each column as it is]                  limits pass, filters do not
//!       Union                                        limits pass, slices from the end do not
//!         ReadAll <- ToColumns <- Slice <- Engine    for the in-memory engine; limits pass, as far as the slice
//!         Redeem <- ToColumns <- numbers of rows <- Shrink <- Slice <- Deal       for the streaming engine
//! ```
//!
//! Below `Engine` and `Deal` stands a frame of very many rows, which take no memory. [`tickets`](super::tickets) says what
//! those nodes do with it, [`once`](super::once) how the reader is read, [`reader_source`](super::reader_source) what is
//! read of it.
//!
//! The in-memory engine runs all nodes, and the second input of the union has no rows then. The streaming engine runs them,
//! too, and the first input has none. Limits cut the rows of the first one only: it tells the second how many rows are
//! wanted. They never cut tickets, of which some are given back without rows.

use std::io::Read;
use std::sync::Arc;

use floe_frame::IpcStreamReader;
use polars_core::prelude::*;
use polars_io::SerReader;
use polars_lazy::prelude::{Expr, LazyFrame, UnionArgs};
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{DslFunction, UdfSchema};

use super::agree::Evolution;
use super::once::Once;
use super::options::IpcScanOptions;
use super::plan::{counted, passed_on};
use super::reader_source::{Columns, Counted, Origin, Source};
use super::row_numbers::MAX_COLUMNS;
use super::rows;
use super::scan::{next_id, output};
use super::tickets::{self, Deal, Engine, ReadAll, Redeem, Shrink, ToColumns};

/// Scans an Arrow IPC stream that comes from a reader: standard input, a pipe, a socket, the body of an HTTP response. Not
/// more is read than the query needs, and no batch is kept that has been handed on. Under the streaming engine,
/// a source that is faster than the query waits for it.
///
/// The schema is read now: this waits until it has come. All else is read when the query runs, **once**. A LazyFrame of
/// it can be collected once; a second time is an error. So is a query in which it stands twice, unless Polars finds
/// out that both are one.
///
/// The source is read to its end: streams that lie one behind another, of the same columns, are one scan. So a peer
/// that keeps its connection open behind the end marker is waited for, unless a limit has been reached. An Arrow IPC
/// *file* is read as the stream that lies in it.
///
/// `head`, `limit` and `with_n_rows` stop reading behind the batch that has the last row. Right above the scan, also with
/// selections in between, they do so under every engine. (Of a reader with 1,024 columns or more, `with_n_rows` alone does.)
/// Behind filters and the like the in-memory engine reads all before it looks at limits. Columns that no result needs are
/// not decoded. No batch is left out for its statistics, since all have to come by.
///
/// A thread of the scan's own reads. When a query ends before its source does, that thread may still wait for
/// bytes. Then it keeps the reader until some come, or the peer goes away.
///
/// A stream that is still being written is scanned up to its end marker through the bytes of a follower:
/// `scan_ipc_reader(Box::new(FollowReader::open(path)?.into_bytes()?), options)`. Set its `with_idle_timeout` if the writer
/// may die: a scan that has waited that long is an error.
///
/// ```
/// use floe_lazy::{IpcScanOptions, col, lit, scan_ipc_reader};
/// use floe_frame::IpcStreamWriter;
/// use polars_core::prelude::*;
/// use polars_io::SerWriter;
/// use std::io::{self, Write};
/// use std::thread;
///
/// let (source, mut sink) = io::pipe()?;
/// let writer = thread::spawn(move || {
///     let mut df = DataFrame::new(3, vec![Column::new("n".into(), [1i64, 2, 3])])?;
///     IpcStreamWriter::new(&mut sink).finish(&mut df)
/// });
///
/// let lf = scan_ipc_reader(Box::new(source), IpcScanOptions::default())?;
/// let large = lf.filter(col("n").gt(lit(1))).collect()?;
/// assert_eq!(large.height(), 2);
/// # writer.join().expect("no panic")?;
/// # PolarsResult::Ok(())
/// ```
///
/// # Errors
/// When the reader fails, has no valid schema, or an option names a column that is not there. Options about files are
/// errors: `with_hive`, `with_committed_only`, `with_schema`, `with_missing_columns`, `with_extra_columns`,
/// `with_cast_options`, `with_cloud_options`, `with_trusted_statistics`. Faults behind the schema are found when the query runs.
pub fn scan_ipc_reader(reader: Box<dyn Read + Send>, options: IpcScanOptions) -> PolarsResult<LazyFrame> {
    let IpcScanOptions {
        n_rows,
        row_index,
        columns,
        predicate,
        include_file_paths,
        hive,
        glob: _,
        hive_schema: _,
        index_cache: _,
        limits,
        types,
        evolution,
        read_counter,
        cloud,
        trusted_statistics,
        committed_only,
    } = options;
    polars_ensure!(
        cloud.is_none() && !trusted_statistics,
        InvalidOperation: "a reader is no object in a store, and has no footer: leave out `with_cloud_options` and \
        `with_trusted_statistics`"
    );
    polars_ensure!(
        !hive && !committed_only,
        InvalidOperation: "a reader has no path, and so no hive keys and no set of files: leave out `with_hive` and \
        `with_committed_only`"
    );
    polars_ensure!(
        evolution == Evolution::default(),
        InvalidOperation: "a reader is a single source, whose schema is known: leave out `with_schema`, \
        `with_missing_columns`, `with_extra_columns` and `with_cast_options`, and cast in the query"
    );
    let source = Counted { reader, counter: read_counter };
    let mut reader = IpcStreamReader::new(source).with_limits(limits).with_types(types);
    let stored = reader.schema()?;
    let mut all = Columns::default();
    if let Some(index) = row_index {
        all.push(index.name, IDX_DTYPE, Origin::RowIndex(index.offset))?;
    }
    let names = columns.unwrap_or_else(|| stored.iter_names_cloned().collect());
    for name in names {
        let dtype = stored.try_get(&name)?.clone();
        all.push(name, dtype, Origin::Stored)?;
    }
    if let Some(name) = include_file_paths {
        all.push(name, DataType::String, Origin::Path)?;
    }
    let lf = lazy_frame(Source { reader, n_rows: n_rows.unwrap_or(usize::MAX) }, all)?;
    Ok(match predicate {
        Some(predicate) => lf.filter(predicate),
        None => lf,
    })
}

/// The nodes.
fn lazy_frame(source: Source, mut columns: Columns) -> PolarsResult<LazyFrame> {
    let visible: Vec<PlSmallStr> = columns.schema().iter_names_cloned().collect();
    let hidden = (visible.len() < MAX_COLUMNS).then(|| {
        let mut name = "__floe_rows".to_owned();
        while columns.schema().contains(&name) {
            name.push('_');
        }
        PlSmallStr::from(name)
    });
    if let Some(hidden) = &hidden {
        columns.push(hidden.clone(), DataType::Null, Origin::Hidden)?;
    }
    let names: Vec<PlSmallStr> = columns.schema().iter_names_cloned().collect();
    let once = Arc::new(Once::new(source, columns));
    let inputs = vec![at_once(&once, hidden.is_some())?, by_tickets(&once)?];
    let union = DslPlan::Union { inputs, args: UnionArgs::default() };
    // As in `plan`.
    let Some(hidden) = hidden else { return Ok(LazyFrame::from(passed_on(union, next_id()))) };
    let lf = LazyFrame::from(counted(union, &hidden));
    let lf = lf.select(names.into_iter().map(rows::column).collect::<Vec<_>>());
    Ok(lf.select(visible.into_iter().map(Expr::Column).collect::<Vec<_>>()))
}

/// The columns of the scan, of another type.
fn columns_of(once: &Once, dtype: &DataType) -> SchemaRef {
    let mut columns = (**once.schema()).clone();
    columns.iter_values_mut().for_each(|of_column| *of_column = dtype.clone());
    Arc::new(columns)
}

/// The node that reads all at once, and those below it. Limits pass if filters do not get there.
fn at_once(once: &Arc<Once>, limits_pass: bool) -> PolarsResult<DslPlan> {
    let name: PlSmallStr = format!("IPC READER {}", next_id()).into();
    let below = |what: &str| -> PlSmallStr { format!("{what} OF {name}").into() };
    let engine = Arc::new(Schema::from_iter([Field::new(PlSmallStr::EMPTY, DataType::Boolean)]));
    let engine = tickets::node(tickets::rows()?, Engine(below("ENGINE")), (false, false), fixed(engine));
    let columns = columns_of(once, &DataType::Boolean);
    let to_columns = ToColumns { columns: Arc::clone(&columns), name: below("COLUMNS") };
    let input =
        tickets::node(tickets::all_of(engine), to_columns, (limits_pass, false), fixed(Arc::clone(&columns)));
    let schema = output(Arc::clone(once.schema()), Some(columns));
    Ok(tickets::node(input, ReadAll { once: Arc::clone(once), name }, (limits_pass, true), schema))
}

/// The node that reads by tickets, and those below it.
fn by_tickets(once: &Arc<Once>) -> PolarsResult<DslPlan> {
    let name: PlSmallStr = format!("TICKETS OF IPC READER {}", next_id()).into();
    let below = |what: &str| -> PlSmallStr { format!("{what} OF {name}").into() };
    let heights = Arc::new(Schema::from_iter([Field::new(PlSmallStr::EMPTY, DataType::UInt64)]));
    let deal = Deal { once: Arc::clone(once), name: below("DEALING") };
    let dealt = tickets::node(tickets::rows()?, deal, (false, false), fixed(Arc::clone(&heights)));
    let shrunk = tickets::node(tickets::all_of(dealt), Shrink(below("END")), (false, false), fixed(heights));
    let numbered = DslPlan::MapFunction {
        input: Arc::new(shrunk),
        function: DslFunction::RowIndex { name: "number".into(), offset: None },
    };
    let columns = columns_of(once, &DataType::UInt64);
    let to_columns = ToColumns { columns: Arc::clone(&columns), name: below("COLUMNS") };
    let input = tickets::node(numbered, to_columns, (false, false), fixed(Arc::clone(&columns)));
    let schema = output(Arc::clone(once.schema()), Some(columns));
    Ok(tickets::node(input, Redeem { once: Arc::clone(once), name }, (false, true), schema))
}

fn fixed(schema: SchemaRef) -> Arc<dyn UdfSchema> {
    Arc::new(move |_: &Schema| Ok(Arc::clone(&schema)))
}
