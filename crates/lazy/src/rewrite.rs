//! Queries as they were written, with some of their nodes replaced.

use std::sync::Arc;

use polars_plan::dsl::DslPlan;

/// Nodes one above the other that are looked through.
pub(crate) const MAX_DEPTH: usize = 256;

/// A node over other inputs: those for which there is another, the rest as they are. Nothing if there
/// is none, and for nodes that are not looked through.
pub(crate) fn with_inputs(
    plan: &DslPlan,
    other: &mut dyn FnMut(&DslPlan) -> Option<DslPlan>,
) -> Option<DslPlan> {
    use DslPlan as P;
    /// A node with one input, and all else as it is.
    macro_rules! over {
        ($kind:ident { $($field:ident),* }, $input:ident) => {
            P::$kind { input: Arc::new(other($input)?), $($field: $field.clone()),* }
        };
    }
    Some(match plan {
        // Converted before, for the schema: its source is still there.
        P::IR { dsl, .. } => other(dsl)?,
        P::Filter { input, predicate } => over!(Filter { predicate }, input),
        P::Cache { input, id } => over!(Cache { id }, input),
        P::Select { expr, input, options } => over!(Select { expr, options }, input),
        P::GroupBy { input, keys, predicates, aggs, maintain_order, options, apply } => {
            over!(GroupBy { keys, predicates, aggs, maintain_order, options, apply }, input)
        },
        P::HStack { input, exprs, options } => over!(HStack { exprs, options }, input),
        P::Distinct { input, options } => over!(Distinct { options }, input),
        P::Sort { input, by_column, slice, sort_options } => {
            over!(Sort { by_column, slice, sort_options }, input)
        },
        P::Slice { input, offset, len } => over!(Slice { offset, len }, input),
        P::MapFunction { input, function } => over!(MapFunction { function }, input),
        P::Sink { input, payload } => over!(Sink { payload }, input),
        P::MatchToSchema { input, match_schema, per_column, extra_columns } => {
            over!(MatchToSchema { match_schema, per_column, extra_columns }, input)
        },
        P::Join { input_left, input_right, left_on, right_on, predicates, options } => {
            let (input_left, input_right) = two(input_left, input_right, other)?;
            let (left_on, right_on) = (left_on.clone(), right_on.clone());
            let (predicates, options) = (predicates.clone(), Arc::clone(options));
            P::Join { input_left, input_right, left_on, right_on, predicates, options }
        },
        P::Gather { input, idxs, null_on_oob } => {
            let (input, idxs) = two(input, idxs, other)?;
            P::Gather { input, idxs, null_on_oob: *null_on_oob }
        },
        P::PipeWithSchema { input, callback } => {
            P::PipeWithSchema { input: all(input, other)?.into(), callback: callback.clone() }
        },
        P::Union { inputs, args } => P::Union { inputs: all(inputs, other)?, args: *args },
        P::HConcat { inputs, options } => P::HConcat { inputs: all(inputs, other)?, options: *options },
        P::SinkMultiple { inputs } => P::SinkMultiple { inputs: all(inputs, other)? },
        _ => return None,
    })
}

/// Two inputs, if either has another.
fn two(
    left: &Arc<DslPlan>,
    right: &Arc<DslPlan>,
    other: &mut dyn FnMut(&DslPlan) -> Option<DslPlan>,
) -> Option<(Arc<DslPlan>, Arc<DslPlan>)> {
    let new = (other(left), other(right));
    if new.0.is_none() && new.1.is_none() {
        return None;
    }
    let or_old = |new: Option<DslPlan>, old: &Arc<DslPlan>| new.map_or_else(|| Arc::clone(old), Arc::new);
    Some((or_old(new.0, left), or_old(new.1, right)))
}

/// Inputs, those that have another replaced; nothing if none has.
fn all(inputs: &[DslPlan], other: &mut dyn FnMut(&DslPlan) -> Option<DslPlan>) -> Option<Vec<DslPlan>> {
    let new: Vec<Option<DslPlan>> = inputs.iter().map(other).collect();
    new.iter()
        .any(Option::is_some)
        .then(|| new.into_iter().zip(inputs).map(|(new, old)| new.unwrap_or_else(|| old.clone())).collect())
}
