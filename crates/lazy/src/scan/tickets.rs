//! The nodes below a scan of a reader: who may read next, and how much.
//!
//! How many batches will come is not known, and Polars has no source of unknown length that one could bring along. So a
//! frame of [`ROWS`] rows, which take no memory, stands for what comes. The streaming engine hands it out in frames, one
//! behind the other: each is a *ticket*, worth the next rows. When all has been read, [`Deal`] lets as many rows go as the
//! slice above it takes, and the engine asks for no more of them. The in-memory engine has all rows of the frame at
//! once. That is how a node knows which engine runs it.

use std::sync::Arc;

use polars_core::prelude::*;
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{DataFrameUdf, DslFunction, FunctionIR, UdfSchema};

use super::once::{Once, Ticket};
use super::rows::{pack, unpack};

/// Rows of a frame in the plan.
pub(super) const ROWS: usize = 4_000_000_000;
const ALL_ROWS: IdxSize = 4_000_000_000;

/// A frame of that many rows.
pub(super) fn rows() -> PolarsResult<DslPlan> {
    let none = Column::new_scalar(PlSmallStr::EMPTY, Scalar::null(DataType::Null), ROWS);
    let df = DataFrame::new(ROWS, vec![none])?;
    let schema = Arc::clone(df.schema());
    Ok(DslPlan::DataFrameScan { df: Arc::new(df), schema })
}

/// As many rows of a node as that, at most.
pub(super) fn all_of(input: DslPlan) -> DslPlan {
    DslPlan::Slice { input: Arc::new(input), offset: 0, len: ALL_ROWS }
}

/// A node.
pub(super) fn node(
    input: DslPlan,
    function: impl DataFrameUdf + 'static,
    (limits_pass, projections_pass): (bool, bool),
    schema: Arc<dyn UdfSchema>,
) -> DslPlan {
    DslPlan::MapFunction {
        input: Arc::new(input),
        function: DslFunction::FunctionIR(FunctionIR::Opaque {
            fmt_str: function.display_str(),
            function: Arc::new(function),
            schema: Some(schema),
            predicate_pd: limits_pass,
            projection_pd: projections_pass,
            streamable: true,
        }),
    }
}

/// Says which engine runs the query: true, in as many rows as it is given, is the in-memory engine.
pub(super) struct Engine(pub(super) PlSmallStr);

impl DataFrameUdf for Engine {
    fn call_udf(&self, rows: DataFrame) -> PolarsResult<DataFrame> {
        let is_whole = Scalar::new(DataType::Boolean, AnyValue::Boolean(rows.height() == ROWS));
        // Also for the streaming engine, which then does not hand out the others.
        DataFrame::new(ROWS, vec![Column::new_scalar(PlSmallStr::EMPTY, is_whole, ROWS)])
    }

    fn display_str(&self) -> PlSmallStr {
        self.0.clone()
    }
}

/// Reads all rows at once, or as many as a limit has left: for the in-memory engine. For the other one it says that a
/// query begins, and its limit.
pub(super) struct ReadAll {
    pub(super) once: Arc<Once>,
    pub(super) name: PlSmallStr,
}

impl DataFrameUdf for ReadAll {
    fn call_udf(&self, rows: DataFrame) -> PolarsResult<DataFrame> {
        let names = rows.get_column_names_owned();
        let limit = if rows.height() == ROWS { usize::MAX } else { rows.height() };
        let Some(first) = rows.columns().first().filter(|_| limit > 0) else {
            return self.once.empty(&names);
        };
        if first.get(0)? == AnyValue::Boolean(true) {
            return self.once.read_all(limit, &names);
        }
        self.once.begin(limit)?;
        self.once.empty(&names)
    }

    fn display_str(&self) -> PlSmallStr {
        self.name.clone()
    }
}

/// A row for each frame that the streaming engine hands out: its height. No row for the in-memory engine.
pub(super) struct Deal {
    pub(super) once: Arc<Once>,
    pub(super) name: PlSmallStr,
}

impl DataFrameUdf for Deal {
    fn call_udf(&self, rows: DataFrame) -> PolarsResult<DataFrame> {
        let count = match rows.height() {
            0 | ROWS => 0,
            _ if self.once.wants_no_tickets() => ROWS,
            _ => 1,
        };
        let height = Scalar::new(DataType::UInt64, AnyValue::UInt64(rows.height() as u64));
        DataFrame::new(count, vec![Column::new_scalar(PlSmallStr::EMPTY, height, count)])
    }

    fn display_str(&self) -> PlSmallStr {
        self.name.clone()
    }
}

/// One row of many: those with which [`Deal`] has ended the dealing. (It stays a ticket, which finds out whether the reader
/// has been read by another query.)
pub(super) struct Shrink(pub(super) PlSmallStr);

impl DataFrameUdf for Shrink {
    fn call_udf(&self, heights: DataFrame) -> PolarsResult<DataFrame> {
        Ok(heights.head(Some(1)))
    }

    fn display_str(&self) -> PlSmallStr {
        self.0.clone()
    }
}

/// The same for every column of the scan: which of them are left tells what to decode.
pub(super) struct ToColumns {
    pub(super) columns: SchemaRef,
    pub(super) name: PlSmallStr,
}

impl DataFrameUdf for ToColumns {
    /// Of a column, that one; of the number of a ticket and its height, both in one number.
    fn call_udf(&self, df: DataFrame) -> PolarsResult<DataFrame> {
        let copied = match df.columns() {
            [one] => one.clone(),
            [number, height] => {
                let mut tickets = Vec::with_capacity(df.height());
                for row in 0..df.height() {
                    let number: usize = number.get(row)?.try_extract()?;
                    let height: usize = height.get(row)?.try_extract()?;
                    tickets.push(pack(number, ROWS.div_ceil(height.max(1)))?);
                }
                UInt64Chunked::from_vec(PlSmallStr::EMPTY, tickets).into_column()
            },
            other => polars_bail!(ComputeError: "a scan was asked for {} columns of tickets", other.len()),
        };
        let names = self.columns.iter_names_cloned();
        DataFrame::new(df.height(), names.map(|name| copied.clone().with_name(name)).collect())
    }

    fn display_str(&self) -> PlSmallStr {
        self.name.clone()
    }
}

/// Reads what tickets are worth.
pub(super) struct Redeem {
    pub(super) once: Arc<Once>,
    pub(super) name: PlSmallStr,
}

impl DataFrameUdf for Redeem {
    fn call_udf(&self, tickets: DataFrame) -> PolarsResult<DataFrame> {
        let names = tickets.get_column_names_owned();
        let Some(first) = tickets.columns().first() else {
            polars_bail!(ComputeError: "a scan was asked for no column at all");
        };
        let mut all: Option<DataFrame> = None;
        for ticket in first.u64()?.iter().flatten() {
            let std::ops::Range { start: number, end } = unpack(ticket)?;
            let rows = self.once.redeem(Ticket { number, of: end - number }, &names)?;
            match &mut all {
                Some(all) => {
                    all.vstack_mut_owned(rows)?;
                },
                None => all = Some(rows),
            }
        }
        all.map_or_else(|| self.once.empty(&names), Ok)
    }

    fn display_str(&self) -> PlSmallStr {
        self.name.clone()
    }
}
