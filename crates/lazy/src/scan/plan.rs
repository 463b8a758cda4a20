//! The plan of a scan: nodes that every engine of Polars runs.

use std::sync::Arc;

use polars_core::prelude::*;
use polars_lazy::prelude::{Expr, IntoLazy, LazyFrame, UnionArgs};
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{DataFrameUdf, DslFunction, FunctionIR, HintIR, Sorted};

use super::columns::Columns;
use super::node_name;
use super::parts::Part;
use super::read::Group;
use super::rows;
use super::scan::Scan;

impl Scan {
    /// The scan as a LazyFrame.
    pub(super) fn lazy_frame(self: &Arc<Self>) -> PolarsResult<LazyFrame> {
        let layout = &self.layout;
        if layout.schema.len() == usize::from(layout.hidden().is_some()) {
            // Without columns there is nothing to read, and no column to count.
            return Ok(DataFrame::new(self.height(), Vec::new())?.lazy());
        }
        let mut lf = LazyFrame::from(self.plan()?);
        if self.rows.is_some() {
            lf = lf.select(self.layout.schema.iter_names_cloned().map(rows::column).collect::<Vec<_>>());
        }
        if layout.hidden().is_none() {
            return Ok(lf);
        }
        // Not `col`, for which `*` and what stands between `^` and `$` are patterns.
        let columns: Vec<Expr> = self.visible().into_iter().map(Expr::Column).collect();
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
        // A copy: to hash all names once more would take longer.
        let mut columns = (*self.layout.schema).clone();
        columns.iter_values_mut().for_each(|dtype| *dtype = DataType::UInt64);
        let columns = Arc::new(columns);
        let mut inputs = Vec::with_capacity(count);
        for (number, parts) in groups.into_iter().enumerate() {
            inputs.push(self.group(parts, node_name::name(self.id, number, count), &columns)?);
        }
        Ok(match inputs.len() {
            0 => {
                let names: Vec<PlSmallStr> = self.layout.schema.iter_names_cloned().collect();
                let df = Arc::new(self.no_rows(&names)?);
                DslPlan::DataFrameScan { schema: Arc::clone(df.schema()), df }
            },
            1 => inputs.remove(0),
            _ => {
                inputs.push(self.end(frames + count, &columns)?);
                let union = DslPlan::Union { inputs, args: UnionArgs::default() };
                match self.layout.hidden() {
                    Some(hidden) => counted(union, hidden),
                    None => passed_on(union, self.id),
                }
            },
        })
    }

    /// Frames without rows, as many as there may have been before. The streaming engine of Polars 0.55.2 drops one of
    /// the frames before a slice from the end for each frame that arrives. If any is left at the end, the slice has
    /// rows too many.
    fn end(self: &Arc<Self>, frames: usize, columns: &SchemaRef) -> PolarsResult<DslPlan> {
        let rows = frames.saturating_mul(rows::MORSEL_ROWS);
        let none = Column::new_scalar(PlSmallStr::EMPTY, Scalar::null(DataType::Null), rows);
        let scan = Arc::clone(self);
        let function = move |df: DataFrame| scan.no_rows(&df.get_column_names_owned());
        let name: PlSmallStr = format!("END OF IPC SCAN {}", self.id).into();
        let input = Columns::plan(none, columns, &name)?;
        Ok(self.reading(input, Arc::new(function), name, columns))
    }

    /// No rows, all visible columns.
    pub(super) fn empty(self: &Arc<Self>) -> PolarsResult<DataFrame> {
        self.no_rows(&self.visible())
    }

    /// Not `DataFrame::empty_with_schema`, which panics for some dtypes: see `floe_frame`'s `assemble`.
    fn no_rows(self: &Arc<Self>, names: &[PlSmallStr]) -> PolarsResult<DataFrame> {
        self.part(&Part::empty(), names, false)
    }

    fn group(
        self: &Arc<Self>,
        parts: Vec<Part>,
        name: PlSmallStr,
        columns: &SchemaRef,
    ) -> PolarsResult<DslPlan> {
        let numbers = (0u32..).take(parts.len()).collect::<Vec<u32>>();
        let numbers = UInt32Chunked::from_vec(PlSmallStr::EMPTY, numbers).into_column();
        let input = Columns::plan(numbers, columns, &name)?;
        let group = Group { scan: Arc::clone(self), parts, name: name.clone() };
        Ok(self.reading(input, Arc::new(group), name, columns))
    }

    /// A node that reads the columns which its input has.
    fn reading(
        self: &Arc<Self>,
        input: DslPlan,
        function: Arc<dyn DataFrameUdf>,
        name: PlSmallStr,
        columns: &SchemaRef,
    ) -> DslPlan {
        DslPlan::MapFunction {
            input: Arc::new(input),
            function: DslFunction::FunctionIR(FunctionIR::Opaque {
                fmt_str: name,
                function,
                schema: Some(self.output(Some(Arc::clone(columns)))),
                predicate_pd: false,
                projection_pd: true,
                streamable: true,
            }),
        }
    }
}

/// Counting the rows of a union, Polars 0.55.2 replaces its inputs by their lengths. A slice that was pushed into the
/// union then slices the lengths: `concat(..).limit(5).select(len())` is wrong. A hint about the hidden column keeps it
/// from that: nothing but counting asks for the column, in all other queries Polars drops the hint.
pub(super) fn counted(union: DslPlan, hidden: &PlSmallStr) -> DslPlan {
    let hint = Sorted { column: hidden.clone(), descending: None, nulls_last: None };
    let function = DslFunction::FunctionIR(FunctionIR::Hint(HintIR::Sorted(Arc::new([hint]))));
    DslPlan::MapFunction { input: Arc::new(union), function }
}

/// The rows of a union as they are: what [`counted`] does for a scan without a hidden column.
pub(super) fn passed_on(union: DslPlan, scan: u64) -> DslPlan {
    DslPlan::MapFunction {
        input: Arc::new(union),
        function: DslFunction::FunctionIR(FunctionIR::Opaque {
            fmt_str: format!("ALL OF IPC SCAN {scan}").into(),
            function: Arc::new(|df: DataFrame| Ok(df)),
            schema: None,
            predicate_pd: true,
            projection_pd: true,
            streamable: true,
        }),
    }
}
