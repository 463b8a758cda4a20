//! Scans of a source that can be read once.
//!
//! ```text
//!   Select [the columns, not the hidden one]
//!     Select [each column as it is]            limits pass, filters do not
//!       Union                                  limits pass, slices from the end do not
//!         Map: reads what a ticket is worth
//!           Map: to all columns
//!             Slice: as many rows as there are tickets at most
//!               Map: rows -> tickets
//!                 DataFrameScan: a bit for each row, all of them zero
//!         ..
//!         DataFrameScan without rows
//! ```
//!
//! How much will come is not known, and Polars has no source of unknown length that one could bring along. So there are
//! more tickets than anybody needs. When all has been read, as many rows come at once as the slice lets through,
//! which makes the streaming engine stop. [`Once`] says what its threads do with tickets. The in-memory engine asks
//! once for all rows, or for as many as a limit has left of them.

use std::io::Read;
use std::sync::Arc;

use arrow::array::BooleanArray;
use floe_frame::IpcStreamReader;
use polars_core::prelude::*;
use polars_io::SerReader;
use polars_lazy::prelude::{Expr, LazyFrame, UnionArgs};
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{DataFrameUdf, DslFunction, FunctionIR, UdfSchema};

use super::agree::Evolution;
use super::columns::Columns;
use super::once::{Counted, Once, Origin, Source};
use super::options::IpcScanOptions;
use super::plan::{counted, passed_on};
use super::row_numbers::MAX_COLUMNS;
use super::rows;
use super::scan::{next_id, output};
use super::tickets::{ALL_ROWS, NUMBERS, ROWS, Redeem, TICKETS, Tickets};

/// Nodes, one behind the other, and of readers with many columns, where each has its price.
const NODES: u64 = 64;
const WIDE_NODES: u64 = 4;

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
/// `head`, `limit` and `with_n_rows` stop reading behind the batch in which the last row lies. Under the in-memory engine
/// a limit does so right above the scan, also with selections in between, of a reader with less than 1,024 columns.
/// Behind filters and the like, it reads all. Columns that no result needs are not decoded. No batch is left out
/// for its statistics, since all have to come by.
///
/// Waiting for the source takes a thread of those that the streaming engine has. Who writes into a pipe from the same
/// process should not do so from another query of the streaming engine.
///
/// ```
/// use floe_lazy::{IpcScanOptions, LazyIpcExt, IpcSinkOptions, col, lit, scan_ipc_reader};
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
/// errors: `with_hive`, `with_schema`, `with_missing_columns`, `with_extra_columns`, `with_cast_options`,
/// `with_cloud_options`, `with_trusted_statistics`. Faults behind the schema are found when the query runs.
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
    } = options;
    polars_ensure!(
        cloud.is_none() && !trusted_statistics,
        InvalidOperation: "a reader is no object in a store, and has no footer: leave out `with_cloud_options` and \
        `with_trusted_statistics`"
    );
    polars_ensure!(!hive, InvalidOperation: "a reader has no path, and so no hive keys: leave out `with_hive`");
    polars_ensure!(
        evolution == Evolution::default(),
        InvalidOperation: "a reader is a single source, whose schema is known: leave out `with_schema`, \
        `with_missing_columns`, `with_extra_columns` and `with_cast_options`, and cast in the query"
    );
    let source = Counted { source: reader, counter: read_counter };
    let mut reader = IpcStreamReader::new(source).with_limits(limits).with_types(types);
    let stored = reader.schema()?;
    let mut all = AllColumns::default();
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
    let lf = all.scan(Source { reader, n_rows })?;
    Ok(match predicate {
        Some(predicate) => lf.filter(predicate),
        None => lf,
    })
}

/// The columns of the scan.
#[derive(Default)]
struct AllColumns {
    schema: Schema,
    origins: Vec<Origin>,
}

impl AllColumns {
    fn push(&mut self, name: PlSmallStr, dtype: DataType, origin: Origin) -> PolarsResult<()> {
        polars_ensure!(
            !self.schema.contains(&name),
            Duplicate: "the scan would have two columns \"{name}\"; rename the row index or the path's, \
            or leave one out with `with_columns`"
        );
        self.schema.with_column(name, dtype);
        self.origins.push(origin);
        Ok(())
    }

    /// The nodes.
    fn scan(mut self, source: Source) -> PolarsResult<LazyFrame> {
        let visible: Vec<PlSmallStr> = self.schema.iter_names_cloned().collect();
        let hidden = (visible.len() < MAX_COLUMNS).then(|| {
            let mut name = "__floe_rows".to_owned();
            while self.schema.contains(&name) {
                name.push('_');
            }
            PlSmallStr::from(name)
        });
        if let Some(hidden) = &hidden {
            self.push(hidden.clone(), DataType::Null, Origin::Hidden)?;
        }
        let once = Arc::new(Once::new(source, Arc::new(self.schema), self.origins));
        let names: Vec<PlSmallStr> = once.schema.iter_names_cloned().collect();
        let empty = Arc::new(once.empty(&names)?);
        let empty = DslPlan::DataFrameScan { schema: Arc::clone(empty.schema()), df: empty };
        let mut numbers = (*once.schema).clone();
        numbers.iter_values_mut().for_each(|dtype| *dtype = DataType::UInt64);
        let nodes = if hidden.is_some() { NODES } else { WIDE_NODES };
        let plan = Nodes { once, numbers: Arc::new(numbers), nodes, limits_pass: hidden.is_some() };
        let mut inputs = (0..nodes).map(|node| plan.reading(node)).collect::<PolarsResult<Vec<DslPlan>>>()?;
        inputs.push(empty);
        let union = DslPlan::Union { inputs, args: UnionArgs::default() };
        let Some(hidden) = hidden else { return Ok(LazyFrame::from(passed_on(union, next_id()))) };
        let lf = LazyFrame::from(counted(union, &hidden));
        let lf = lf.select(names.into_iter().map(rows::column).collect::<Vec<_>>());
        Ok(lf.select(visible.into_iter().map(Expr::Column).collect::<Vec<_>>()))
    }
}

/// The nodes that read.
struct Nodes {
    once: Arc<Once>,
    /// All columns, of numbers.
    numbers: SchemaRef,
    nodes: u64,
    /// Whether limits pass them, which they may if filters do not get there.
    limits_pass: bool,
}

impl Nodes {
    /// The nodes that read by some of the tickets.
    fn reading(&self, node: u64) -> PolarsResult<DslPlan> {
        let once = || Arc::clone(&self.once);
        let name: PlSmallStr = format!("IPC READER {}", next_id()).into();
        let zeros = BooleanArray::from_data_default(NUMBERS.zeros.clone(), None);
        let zeros = BooleanChunked::with_chunk(PlSmallStr::EMPTY, zeros).into_column();
        let df = DataFrame::new(ROWS, vec![zeros])?;
        let schema = Arc::clone(df.schema());
        let tickets = Tickets { once: once(), node, name: format!("TICKETS OF {name}").into() };
        let ticket = Arc::new(Schema::from_iter([Field::new(PlSmallStr::EMPTY, DataType::UInt64)]));
        let input = DslPlan::MapFunction {
            input: Arc::new(DslPlan::DataFrameScan { df: Arc::new(df), schema }),
            function: opaque(tickets, false, false, Arc::new(move |_: &Schema| Ok(Arc::clone(&ticket)))),
        };
        let input = DslPlan::Slice { input: Arc::new(input), offset: 0, len: ALL_ROWS };
        let input = Columns::copies(input, &self.numbers, &name, self.limits_pass);
        let redeem = Redeem { once: once(), node, last: self.nodes * TICKETS - 1, name };
        Ok(DslPlan::MapFunction {
            input: Arc::new(input),
            function: opaque(
                redeem,
                self.limits_pass,
                true,
                output(Arc::clone(&self.once.schema), Some(Arc::clone(&self.numbers))),
            ),
        })
    }
}

fn opaque(
    function: impl DataFrameUdf + 'static,
    predicate_pd: bool,
    projection_pd: bool,
    schema: Arc<dyn UdfSchema>,
) -> DslFunction {
    DslFunction::FunctionIR(FunctionIR::Opaque {
        fmt_str: function.display_str(),
        function: Arc::new(function),
        schema: Some(schema),
        predicate_pd,
        projection_pd,
        streamable: true,
    })
}
