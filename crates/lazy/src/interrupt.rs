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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use polars_lazy::prelude::{Engine, IntoLazy, JoinArgs, JoinType, col, lit};

    use super::*;

    fn numbers(rows: i32) -> LazyFrame {
        let column = Column::new("n".into(), (0..rows).collect::<Vec<_>>());
        DataFrame::new(usize::try_from(rows).expect("few rows"), vec![column]).expect("a frame").lazy()
    }

    fn cross(rows: i32) -> LazyFrame {
        numbers(rows).join(numbers(rows), [], [], JoinArgs::new(JoinType::Cross))
    }

    /// A cross join with a condition above it is planned as a join on it.
    #[test]
    fn filters_pass_checks() {
        let filtered = |lf: LazyFrame| lf.filter(col("n").eq(col("n_right"))).select([col("n")]);
        let plain = filtered(cross(10));
        let asked = filtered(cross(10).interruptible(|| Ok(()))).interruptible(|| Ok(()));
        for lf in [&plain, &asked] {
            let plan = lf.explain(true).expect("a plan");
            assert!(plan.contains("INNER JOIN") && !plan.contains("CROSS JOIN"), "{plan}");
        }
        assert!(asked.collect().expect("rows").equals(&plain.collect().expect("rows")));
    }

    #[test]
    fn an_aggregated_join_is_asked_while_it_runs() {
        for engine in [Engine::Streaming, Engine::InMemory] {
            let asked = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&asked);
            let check = move || {
                polars_ensure!(count.fetch_add(1, Ordering::SeqCst) < 3, ComputeError: "enough");
                Ok(())
            };
            let sum =
                cross(if engine == Engine::Streaming { 3000 } else { 10 }).select([col("n").sum() + lit(0)]);
            let done = sum.interruptible(check).collect_with_engine(engine);
            match engine {
                // Millions of pairs come in many frames.
                Engine::Streaming => {
                    assert!(done.err().is_some_and(|error| error.to_string().contains("enough")));
                },
                _ => assert!(done.is_ok() && asked.load(Ordering::SeqCst) == 2),
            }
        }
    }
}
