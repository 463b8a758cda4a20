//! The node that makes a column of part numbers for each column of a scan.
//!
//! Which of its columns the node above asks for is how Polars' projection pushdown tells a scan what to decode. They
//! are made when the query runs. Of a frame in the plan, the optimizer of Polars 0.55.2 replaces every column that is not
//! asked for. With 60,000 columns that takes longer than to read one.

use std::ops::Range;
use std::sync::Arc;

use polars_core::prelude::*;
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{DataFrameUdf, DslFunction, FunctionIR};

use super::rows::{pack, unpack};

/// Makes the columns.
pub(super) struct Columns {
    columns: SchemaRef,
    name: PlSmallStr,
    /// Whether numbers become their range.
    ranges: bool,
}

impl Columns {
    /// The node, over a column of consecutive numbers. The node that will stand above it gives it its name.
    pub(super) fn plan(numbers: Column, columns: &SchemaRef, above: &PlSmallStr) -> PolarsResult<DslPlan> {
        let df = DataFrame::new(numbers.len(), vec![numbers])?;
        let schema = Arc::clone(df.schema());
        let input = DslPlan::DataFrameScan { df: Arc::new(df), schema };
        Ok(Self::node(input, columns, above, true, false))
    }

    /// The node, over a column of which all are to be copies.
    pub(super) fn copies(
        input: DslPlan,
        columns: &SchemaRef,
        above: &PlSmallStr,
        limits_pass: bool,
    ) -> DslPlan {
        Self::node(input, columns, above, false, limits_pass)
    }

    fn node(
        input: DslPlan,
        columns: &SchemaRef,
        above: &PlSmallStr,
        ranges: bool,
        limits_pass: bool,
    ) -> DslPlan {
        let name: PlSmallStr = format!("COLUMNS OF {above}").into();
        let output = Arc::clone(columns);
        DslPlan::MapFunction {
            input: Arc::new(input),
            function: DslFunction::FunctionIR(FunctionIR::Opaque {
                fmt_str: name.clone(),
                function: Arc::new(Self { columns: Arc::clone(columns), name, ranges }),
                schema: Some(Arc::new(move |_: &Schema| Ok(Arc::clone(&output)))),
                predicate_pd: limits_pass,
                projection_pd: false,
                streamable: true,
            }),
        }
    }
}

impl DataFrameUdf for Columns {
    fn call_udf(&self, numbers: DataFrame) -> PolarsResult<DataFrame> {
        let Some(first) = numbers.columns().first() else {
            polars_bail!(ComputeError: "a scan was asked for no column at all");
        };
        let copied = if self.ranges { range(first)? } else { first.clone() };
        let names = self.columns.iter_names_cloned();
        DataFrame::new(copied.len(), names.map(|name| copied.clone().with_name(name)).collect())
    }

    fn display_str(&self) -> PlSmallStr {
        self.name.clone()
    }
}

/// The range of consecutive numbers, which is all that an engine hands out at a time.
fn range(numbers: &Column) -> PolarsResult<Column> {
    let start = match numbers.get(0) {
        Ok(AnyValue::UInt32(start)) => usize::try_from(start).unwrap_or(usize::MAX),
        _ => 0,
    };
    let range = AnyValue::UInt64(pack(start, numbers.len())?);
    Ok(Column::new_scalar(PlSmallStr::EMPTY, Scalar::new(DataType::UInt64, range), 1))
}

/// The ranges of part numbers in the columns that were asked for.
pub(super) fn ranges(numbers: &DataFrame) -> PolarsResult<Vec<Range<usize>>> {
    let Some(first) = numbers.columns().first() else {
        polars_bail!(ComputeError: "a scan was asked for no column at all");
    };
    first.u64()?.iter().flatten().map(unpack).collect()
}
