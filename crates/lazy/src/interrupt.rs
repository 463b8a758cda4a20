//! Queries that are asked, while they run, whether they should go on.

use std::sync::Arc;

use polars_core::prelude::*;
use polars_lazy::prelude::LazyFrame;
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{DslFunction, FunctionIR};

use crate::rewrite::{MAX_DEPTH, with_inputs};

/// Queries that end early on request. See [`interruptible`](Self::interruptible) for an example.
pub trait LazyInterrupt {
    /// The same query, which asks `check` for each of its frames, and for each frame of a join in it. The first error
    /// ends the query, and is its error.
    ///
    /// A query's own frames are its result; a join's may be many more than either of its inputs has. Filters, slices and
    /// projections are pushed down as without this. An operation that makes no frame for long is not interrupted.
    ///
    /// ```
    /// use floe_lazy::*;
    /// use polars_core::prelude::*;
    ///
    /// let df = DataFrame::new(3, vec![Column::new("n".into(), [1, 2, 3])])?;
    /// assert!(df.clone().lazy().interruptible(|| Ok(())).collect()?.equals(&df));
    /// let stopped = df.lazy().interruptible(|| polars_bail!(ComputeError: "stopped")).collect();
    /// assert!(stopped.unwrap_err().to_string().contains("stopped"));
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    fn interruptible(self, check: impl Fn() -> PolarsResult<()> + Send + Sync + 'static) -> Self;
}

impl LazyInterrupt for LazyFrame {
    fn interruptible(mut self, check: impl Fn() -> PolarsResult<()> + Send + Sync + 'static) -> Self {
        let check: Check = Arc::new(check);
        let plan = match &self.logical_plan {
            join @ DslPlan::Join { .. } => with_checks(join, &check, 0),
            other => with_checks(other, &check, 0).map(|plan| checked(plan, &check)),
        };
        self.logical_plan = plan.unwrap_or_else(|| checked(self.logical_plan.clone(), &check));
        self
    }
}

type Check = Arc<dyn Fn() -> PolarsResult<()> + Send + Sync>;

/// The plan with a check above each join; nothing if it has none.
fn with_checks(plan: &DslPlan, check: &Check, depth: usize) -> Option<DslPlan> {
    if depth > MAX_DEPTH {
        return None;
    }
    let below = with_inputs(plan, &mut |input| with_checks(input, check, depth + 1));
    match plan {
        DslPlan::Join { .. } => Some(checked(below.unwrap_or_else(|| plan.clone()), check)),
        _ => below,
    }
}

/// A node that passes its frames on, and asks for each.
fn checked(plan: DslPlan, check: &Check) -> DslPlan {
    let check = Arc::clone(check);
    let function = move |frame: DataFrame| check().map(|()| frame);
    DslPlan::MapFunction {
        input: Arc::new(plan),
        function: DslFunction::FunctionIR(FunctionIR::Opaque {
            function: Arc::new(function),
            schema: None,
            predicate_pd: true,
            projection_pd: true,
            streamable: true,
            fmt_str: "CHECK".into(),
        }),
    }
}
