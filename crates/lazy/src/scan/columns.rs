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
}

impl Columns {
    /// The node, over a column of numbers. The node that will stand above it gives it its name.
    pub(super) fn plan(numbers: Column, columns: &SchemaRef, above: &PlSmallStr) -> PolarsResult<DslPlan> {
        let df = DataFrame::new(numbers.len(), vec![numbers])?;
        let schema = Arc::clone(df.schema());
        let name: PlSmallStr = format!("COLUMNS OF {above}").into();
        let output = Arc::clone(columns);
        Ok(DslPlan::MapFunction {
            input: Arc::new(DslPlan::DataFrameScan { df: Arc::new(df), schema }),
            function: DslFunction::FunctionIR(FunctionIR::Opaque {
                fmt_str: name.clone(),
                function: Arc::new(Self { columns: Arc::clone(columns), name }),
                schema: Some(Arc::new(move |_: &Schema| Ok(Arc::clone(&output)))),
                predicate_pd: false,
                projection_pd: false,
                streamable: true,
            }),
        })
    }
}

impl DataFrameUdf for Columns {
    /// The engine hands out consecutive numbers: their range is one value, which all columns have.
    fn call_udf(&self, numbers: DataFrame) -> PolarsResult<DataFrame> {
        let start = match numbers.columns().first().map(|numbers| numbers.get(0)) {
            Some(Ok(AnyValue::UInt32(start))) => usize::try_from(start).unwrap_or(usize::MAX),
            _ => 0,
        };
        let range = Scalar::new(DataType::UInt64, AnyValue::UInt64(pack(start, numbers.height())?));
        let names = self.columns.iter_names_cloned();
        DataFrame::new(1, names.map(|name| Column::new_scalar(name, range.clone(), 1)).collect())
    }

    fn display_str(&self) -> PlSmallStr {
        self.name.clone()
    }
}

/// The ranges of part numbers in the columns that were asked for.
pub(super) fn ranges(numbers: &DataFrame) -> PolarsResult<Vec<Range<usize>>> {
    let Some(first) = numbers.columns().first() else {
        polars_bail!(ComputeError: "a scan was asked for no column at all");
    };
    first.u64()?.iter().flatten().map(unpack).collect()
}
