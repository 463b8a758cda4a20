//! The plan of a scan: nodes that every engine of Polars runs.

use std::sync::Arc;

use polars_core::prelude::*;
use polars_lazy::prelude::{Expr, IntoLazy, LazyFrame, UnionArgs};
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{DslFunction, FunctionIR, HintIR, Sorted};

use super::node_name;
use super::parts::Part;
use super::read::Group;
use super::rows;
use super::scan::Scan;

impl Scan {
    /// The scan as a LazyFrame.
    pub(super) fn lazy_frame(self: &Arc<Self>) -> PolarsResult<LazyFrame> {
        let visible = self.visible();
        if visible.is_empty() {
            // Without columns there is nothing to read, and no column to count.
            return Ok(DataFrame::new(self.height(), Vec::new())?.lazy());
        }
        let mut lf = LazyFrame::from(self.plan()?);
        if self.rows.is_some() {
            lf = lf.select(self.layout.schema.iter_names_cloned().map(rows::column).collect::<Vec<_>>());
        }
        // Not `col`, for which `*` and what stands between `^` and `$` are patterns.
        let columns: Vec<Expr> = visible.into_iter().map(Expr::Column).collect();
        Ok(lf.select(columns))
    }

    /// The nodes below the selection of the visible columns.
    pub(super) fn plan(self: &Arc<Self>) -> PolarsResult<DslPlan> {
        if let Some(rows) = self.rows.as_ref().filter(|_| !self.parts.is_empty()) {
            return self.plan_of_rows(rows);
        }
        let groups = self.groups();
        let count = groups.len();
        let frames: usize = groups.iter().map(Vec::len).sum();
        let mut inputs = Vec::with_capacity(count);
        for (number, parts) in groups.into_iter().enumerate() {
            inputs.push(self.group(parts, node_name::name(self.id, number, count))?);
        }
        Ok(match inputs.len() {
            0 => {
                let names: Vec<PlSmallStr> = self.layout.schema.iter_names_cloned().collect();
                let df = Arc::new(self.no_rows(&names)?);
                DslPlan::DataFrameScan { schema: Arc::clone(df.schema()), df }
            },
            1 => inputs.remove(0),
            _ => {
                inputs.push(self.end(frames + count)?);
                counted(DslPlan::Union { inputs, args: UnionArgs::default() }, self.layout.hidden())
            },
        })
    }

    /// Frames without rows, as many as there may have been before. The streaming engine of Polars 0.55.2 drops one of
    /// the frames before a slice from the end for each frame that arrives. If any is left at the end, the slice has
    /// rows too many.
    fn end(self: &Arc<Self>, frames: usize) -> PolarsResult<DslPlan> {
        let rows = frames.saturating_mul(rows::MORSEL_ROWS);
        let none = |name: &PlSmallStr| Column::new_scalar(name.clone(), Scalar::null(DataType::Null), rows);
        let df = DataFrame::new(rows, self.layout.schema.iter_names().map(none).collect())?;
        let schema = Arc::clone(df.schema());
        let scan = Arc::clone(self);
        let function = move |df: DataFrame| scan.no_rows(&df.get_column_names_owned());
        Ok(DslPlan::MapFunction {
            input: Arc::new(DslPlan::DataFrameScan { df: Arc::new(df), schema }),
            function: DslFunction::FunctionIR(FunctionIR::Opaque {
                fmt_str: format!("END OF IPC SCAN {}", self.id).into(),
                function: Arc::new(function),
                schema: Some(self.output()),
                predicate_pd: false,
                projection_pd: true,
                streamable: true,
            }),
        })
    }

    /// No rows, all visible columns.
    pub(super) fn empty(self: &Arc<Self>) -> PolarsResult<DataFrame> {
        self.no_rows(&self.visible())
    }

    /// Not `DataFrame::empty_with_schema`, which panics for some dtypes: see `floe_frame`'s `assemble`.
    fn no_rows(self: &Arc<Self>, names: &[PlSmallStr]) -> PolarsResult<DataFrame> {
        self.part(&Part::empty(), names, false)
    }

    fn group(self: &Arc<Self>, parts: Vec<Part>, name: PlSmallStr) -> PolarsResult<DslPlan> {
        let numbers = (0u32..).take(parts.len()).collect::<Vec<u32>>();
        let numbers = UInt32Chunked::from_vec(PlSmallStr::EMPTY, numbers).into_series();
        let names = self.layout.schema.iter_names();
        let columns = names.map(|name| numbers.clone().with_name(name.clone()).into_column()).collect();
        let df = DataFrame::new(parts.len(), columns)?;
        let schema = Arc::clone(df.schema());
        Ok(DslPlan::MapFunction {
            input: Arc::new(DslPlan::DataFrameScan { df: Arc::new(df), schema }),
            function: DslFunction::FunctionIR(FunctionIR::Opaque {
                fmt_str: name.clone(),
                function: Arc::new(Group { scan: Arc::clone(self), parts, name }),
                schema: Some(self.output()),
                predicate_pd: false,
                projection_pd: true,
                streamable: true,
            }),
        })
    }
}

/// Counting the rows of a union, Polars 0.55.2 replaces its inputs by their lengths. A slice that was pushed into the
/// union then slices the lengths: `concat(..).limit(5).select(len())` is wrong. A hint about the hidden column keeps it
/// from that: nothing but counting asks for the column, in all other queries Polars drops the hint.
fn counted(union: DslPlan, hidden: &PlSmallStr) -> DslPlan {
    let hint = Sorted { column: hidden.clone(), descending: None, nulls_last: None };
    let function = DslFunction::FunctionIR(FunctionIR::Hint(HintIR::Sorted(Arc::new([hint]))));
    DslPlan::MapFunction { input: Arc::new(union), function }
}
