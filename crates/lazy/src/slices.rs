//! Slices counted from the end, as Polars' streaming engine gets them right.
//!
//! Polars 0.55.2 keeps the last frames for `slice(-n, k)`. Of the frames before the slice it drops one for each frame
//! that arrives, and the rest at the end. Then it moves the slice's start, and not its stop. Where frames grow, the
//! result has too many rows. A slice that reaches the end has none to lose, so the others are written in terms of those
//! before a query runs:
//!
//! - Over a known number of rows, a slice from the end is one from the start.
//! - Else `slice(-n, k)` is the last `n` rows without the last `n - k` of them. A node that asks for all
//!   of its input does the second step. The engine holds these `n` rows in memory in any case.

use std::sync::Arc;

use polars_core::prelude::*;
use polars_core::utils::slice_offsets;
use polars_lazy::prelude::{Expr, LazyFrame, lit, when};
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{DslFunction, FunctionIR, NULL};

use crate::rewrite::{MAX_DEPTH, with_inputs};
use crate::scan;

/// The same query, without the slices that the streaming engine gets wrong.
pub(crate) fn safe(mut lf: LazyFrame) -> LazyFrame {
    if let Some(plan) = safe_plan(&lf.logical_plan, 0) {
        lf.logical_plan = plan;
    }
    lf
}

/// The plan with safe slices; nothing if all are.
fn safe_plan(plan: &DslPlan, depth: usize) -> Option<DslPlan> {
    if depth > MAX_DEPTH {
        return None;
    }
    let below = with_inputs(plan, &mut |input| safe_plan(input, depth + 1));
    let own = safe_node(below.as_ref().unwrap_or(plan));
    own.or(below)
}

/// The node with safe slices, its inputs as they are.
fn safe_node(plan: &DslPlan) -> Option<DslPlan> {
    let exprs = |exprs: &[Expr]| {
        let new: Vec<Option<Expr>> = exprs.iter().map(safe_expr).collect();
        let changed = new.iter().any(Option::is_some);
        changed.then(|| {
            new.into_iter().zip(exprs).map(|(new, old)| new.unwrap_or_else(|| old.clone())).collect()
        })
    };
    Some(match plan {
        DslPlan::Slice { input, offset, len } if *offset < 0 => safe_slice(input, *offset, *len)?,
        DslPlan::Select { expr, input, options } => {
            DslPlan::Select { expr: exprs(expr)?, input: Arc::clone(input), options: *options }
        },
        DslPlan::HStack { input, exprs: own, options } => {
            DslPlan::HStack { input: Arc::clone(input), exprs: exprs(own)?, options: *options }
        },
        DslPlan::Filter { input, predicate } => {
            DslPlan::Filter { input: Arc::clone(input), predicate: safe_expr(predicate)? }
        },
        DslPlan::Sort { input, by_column, slice, sort_options } => DslPlan::Sort {
            input: Arc::clone(input),
            by_column: exprs(by_column)?,
            slice: *slice,
            sort_options: sort_options.clone(),
        },
        _ => return None,
    })
}

/// `slice(-n, k)`; nothing if it is safe as it is.
fn safe_slice(input: &Arc<DslPlan>, offset: i64, len: IdxSize) -> Option<DslPlan> {
    let slice = |offset, len| DslPlan::Slice { input: Arc::clone(input), offset, len };
    let rows = usize::try_from(len).unwrap_or(usize::MAX);
    if let Some(height) = height(input, 0) {
        let (start, rows) = slice_offsets(offset, rows, height);
        return Some(slice(i64::try_from(start).ok()?, IdxSize::try_from(rows).ok()?));
    }
    if len == 0 {
        return Some(slice(0, 0));
    }
    let last = IdxSize::try_from(offset.unsigned_abs()).ok()?;
    let left_out = usize::try_from(last.checked_sub(len)?).ok()?;
    if left_out == 0 {
        return None;
    }
    let function = move |df: DataFrame| {
        let rows = df.height().saturating_sub(left_out);
        Ok(df.slice(0, rows))
    };
    Some(DslPlan::MapFunction {
        input: Arc::new(slice(offset, last)),
        function: DslFunction::FunctionIR(FunctionIR::Opaque {
            function: Arc::new(function),
            schema: None,
            predicate_pd: false,
            projection_pd: true,
            streamable: false,
            // Functions of the same name are taken for the same.
            fmt_str: format!("WITHOUT THE LAST {left_out} ROWS").into(),
        }),
    })
}

/// How many rows a plan has, where that is known before it runs.
fn height(plan: &DslPlan, depth: usize) -> Option<usize> {
    if depth > MAX_DEPTH {
        return None;
    }
    if let Some(rows) = scan::rows_of(plan) {
        return Some(rows);
    }
    let of = |input: &DslPlan| height(input, depth + 1);
    match plan {
        DslPlan::DataFrameScan { df, .. } => Some(df.height()),
        DslPlan::IR { dsl: input, .. }
        | DslPlan::HStack { input, .. }
        | DslPlan::Cache { input, .. }
        | DslPlan::Sort { input, slice: None, .. }
        | DslPlan::MapFunction {
            input,
            function: DslFunction::RowIndex { .. } | DslFunction::Rename { .. } | DslFunction::Hint(_),
        } => of(input),
        DslPlan::Select { expr, input, .. } => {
            let column = |expr: &Expr| match expr {
                Expr::Alias(expr, _) => matches!(**expr, Expr::Column(_)),
                expr => matches!(expr, Expr::Column(_)) || scan::is_column(expr),
            };
            of(input).filter(|_| !expr.is_empty() && expr.iter().all(column))
        },
        DslPlan::Slice { input, offset, len } => {
            let rows = usize::try_from(*len).unwrap_or(usize::MAX);
            Some(slice_offsets(*offset, rows, of(input)?).1)
        },
        DslPlan::Union { inputs, .. } => {
            inputs.iter().try_fold(0usize, |sum, input| sum.checked_add(of(input)?))
        },
        _ => None,
    }
}

/// The expression with safe slices; nothing if all are.
fn safe_expr(expr: &Expr) -> Option<Expr> {
    if !expr.into_iter().any(|expr| matches!(expr, Expr::Slice { .. })) {
        return None;
    }
    let mut changed = false;
    let new = expr.clone().map_expr(|expr| match &expr {
        Expr::Slice { input, offset, length } => match safe_expr_slice(input, offset, length) {
            Some(safe) => {
                changed = true;
                safe
            },
            None => expr,
        },
        _ => expr,
    });
    changed.then_some(new)
}

/// A slice of an expression; nothing if it is safe as it is.
fn safe_expr_slice(input: &Expr, offset: &Expr, length: &Expr) -> Option<Expr> {
    let from = integer(offset);
    if from.is_some_and(|from| from >= 0) || is_null(length) {
        return None;
    }
    let len = integer(length).and_then(|len| usize::try_from(len).ok());
    if let (Some(from), Some(len)) = (from, len) {
        let last = usize::try_from(from.unsigned_abs()).ok()?;
        let left_out = last.checked_sub(len).filter(|rows| *rows > 0)?;
        let reversed = input.clone().tail(Some(last)).reverse();
        return Some(
            reversed.slice(lit(u64::try_from(left_out).ok()?), lit(u64::try_from(len).ok()?)).reverse(),
        );
    }
    if from.is_some() && matches!(length, Expr::Literal(_)) {
        // More than there can be, or no length at all, which Polars says.
        return None;
    }
    // An offset that is not known yet may be negative: the slice to the end, and of it as many rows as there would be.
    let zero = || lit(0i64);
    let offset = offset.clone().cast(DataType::Int64);
    let length = length.clone().cast(DataType::Int64);
    let before = zero() - offset.clone() - input.clone().len().cast(DataType::Int64);
    let rest = length.clone() - when(before.clone().gt(zero())).then(before).otherwise(zero());
    let rest = when(rest.clone().lt(zero())).then(zero()).otherwise(rest);
    let rows = when(offset.clone().lt(zero())).then(rest).otherwise(length);
    Some(input.clone().slice(offset, lit(NULL)).slice(zero(), rows))
}

/// A literal's value. (`Expr::extract_i64` of Polars 0.55.2 panics on what is none.)
fn integer(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(value) => value.extract_i64().ok(),
        Expr::Cast { expr, .. } => integer(expr),
        _ => None,
    }
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value) => value.is_null(),
        Expr::Cast { expr, .. } => is_null(expr),
        _ => false,
    }
}
