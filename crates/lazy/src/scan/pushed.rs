//! Predicates that a query has beside those that a scan was given.
//!
//! Polars shows an opaque node nothing of the filters above it. But a plan can be optimised without being run: then the
//! filters stand right above the scan's nodes, pushed down through joins, sorts and what else. The parts that they
//! leave of each node go into a scan of fewer parts, which takes the place of the old one in the query as it was
//! written. The filters stay where they are.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use polars_lazy::prelude::{Expr, LazyFrame};
use polars_plan::dsl::DslPlan;
use polars_plan::plans::{
    DslFunction, IR, IRPlan, is_elementwise_rec, is_inherently_nondeterministic, node_to_expr,
};
use polars_utils::arena::Node;

use super::node_name::{NodeOf, node_of};
use super::parts::Part;
use super::prune;
use super::scan::{Scan, scans};
use crate::rewrite::{MAX_DEPTH, with_inputs};

/// Skipping batches by the filters of a query. See [`prune_ipc`](Self::prune_ipc) for an example.
pub trait LazyIpcPrune {
    /// Leaves out of all scans of [`scan_ipc_file`](crate::scan_ipc_file) and
    /// [`scan_ipc_stream`](crate::scan_ipc_stream) in this query the batches that none of its filters lets through.
    /// Statistics and folders' names tell which those are, as for
    /// [`with_predicate`](crate::IpcScanOptions::with_predicate), but by the filters that Polars pushes down to the
    /// scans. The result is the same; floe's own sinks do this by themselves.
    ///
    /// A query that cannot be pruned is returned as it is: an invalid one has its errors when it runs.
    ///
    /// ```
    /// use floe_frame::IpcWriter;
    /// use floe_lazy::{IpcScanOptions, LazyIpcPrune, scan_ipc_file};
    /// use polars_core::prelude::*;
    /// use polars_io::SerWriter;
    /// use polars_lazy::prelude::{col, lit};
    ///
    /// let mut df = DataFrame::new(4, vec![Column::new("a".into(), [0, 1, 2, 3])])?;
    /// let mut bytes = Vec::new();
    /// IpcWriter::new(&mut bytes).with_statistics(true).with_record_batch_size(Some(2)).finish(&mut df)?;
    ///
    /// let query = scan_ipc_file(bytes, IpcScanOptions::default())?.filter(col("a").gt(lit(2)));
    /// // Reads the second batch only.
    /// assert_eq!(query.prune_ipc().collect()?, df.slice(3, 1));
    /// # PolarsResult::Ok(())
    /// ```
    #[must_use]
    fn prune_ipc(self) -> Self;
}

impl LazyIpcPrune for LazyFrame {
    fn prune_ipc(mut self) -> Self {
        if let Some(plan) = pruned(&self) {
            self.logical_plan = plan;
        }
        self
    }
}

/// The plan with smaller scans, if there is anything to leave out.
fn pruned(lf: &LazyFrame) -> Option<DslPlan> {
    let mut found: HashMap<u64, Arc<Scan>> = HashMap::new();
    let mut look = |id: u64| {
        found.extend(scans().get(&id).and_then(Weak::upgrade).map(|scan| (id, scan)));
        None
    };
    replace(&lf.logical_plan, &mut look, 0);
    if found.is_empty() {
        return None;
    }
    let nodes = Filtered::of(lf.clone().to_alp_optimized().ok()?);
    let mut smaller: HashMap<u64, DslPlan> = HashMap::new();
    for (id, scan) in found {
        let parts = kept(&scan, nodes.get(&id)?)?;
        if parts.len() < scan.parts.len() {
            smaller.insert(id, scan.with_parts(parts).plan().ok()?);
        }
    }
    replace(&lf.logical_plan, &mut |id| smaller.get(&id).cloned(), 0)
}

/// The parts that the filters above a scan's nodes leave of it.
fn kept(scan: &Arc<Scan>, nodes: &HashMap<usize, Vec<Option<Expr>>>) -> Option<Vec<Part>> {
    let mut singles = scan.parts.iter();
    let mut out = Vec::new();
    // A predicate is usually above all nodes: it is evaluated once.
    let mut known: Vec<(Expr, Vec<Part>)> = Vec::new();
    for (number, group) in scan.groups().iter().enumerate() {
        let count = group.iter().map(|part| part.batches.len()).sum();
        let own: Vec<Part> = singles.by_ref().take(count).cloned().collect();
        let Some(filters) = nodes.get(&number) else {
            out.extend(own);
            continue;
        };
        let mut keep = vec![false; own.len()];
        for filter in filters {
            let Some(filter) = filter else {
                keep.fill(true);
                break;
            };
            if !known.iter().any(|(known, _)| known == filter) {
                let counter = scan.read_counter.as_deref();
                let left = prune::keep(&scan.layout, scan.parts.clone(), filter, scan.empty().ok()?, counter)
                    .ok()?;
                known.push((filter.clone(), left));
            }
            let left = known.iter().find(|(known, _)| known == filter).map(|(_, left)| left.as_slice());
            for (keep, part) in keep.iter_mut().zip(&own) {
                let at = left.unwrap_or_default().binary_search_by_key(&part.before, |left| left.before);
                *keep |= at.is_ok();
            }
        }
        out.extend(own.into_iter().zip(keep).filter(|(_, keep)| *keep).map(|(part, _)| part));
    }
    Some(out)
}

/// Filters right above the nodes of scans in an optimised plan.
struct Filtered {
    plan: IRPlan,
    /// By scan and node: the filter of each place at which the node stands, if it has one there.
    nodes: HashMap<u64, HashMap<usize, Vec<Option<Expr>>>>,
}

impl Filtered {
    fn of(plan: IRPlan) -> HashMap<u64, HashMap<usize, Vec<Option<Expr>>>> {
        let mut filtered = Self { nodes: HashMap::new(), plan };
        let mut open = vec![(filtered.plan.lp_top, None)];
        while let Some((node, filter)) = open.pop() {
            filtered.visit(node, filter, &mut open);
        }
        filtered.nodes
    }

    fn visit(&mut self, node: Node, filter: Option<Expr>, open: &mut Vec<(Node, Option<Expr>)>) {
        match self.plan.lp_arena.get(node) {
            IR::Filter { input, predicate } => {
                let arena = &self.plan.expr_arena;
                let predicate = predicate.node();
                let usable =
                    is_elementwise_rec(predicate, arena) && !is_inherently_nondeterministic(predicate, arena);
                let predicate = usable.then(|| node_to_expr(predicate, arena));
                let both = match (filter, predicate) {
                    (Some(above), Some(predicate)) => Some(above.and(predicate)),
                    (above, predicate) => above.or(predicate),
                };
                open.push((*input, both));
            },
            IR::SimpleProjection { input, .. } => open.push((*input, filter)),
            IR::MapFunction { input, function } => match node_of(function) {
                Some(NodeOf { scan, number, .. }) => {
                    // The filter is on the rows that slices have left.
                    let sliced = self.height(*input).is_some_and(|height| {
                        let scan = scans().get(&scan).and_then(Weak::upgrade);
                        scan.is_none_or(|scan| scan.rows.is_some() && scan.height() != height)
                    });
                    let filter = filter.filter(|_| !sliced);
                    self.nodes.entry(scan).or_default().entry(number).or_default().push(filter);
                },
                None => open.push((*input, None)),
            },
            // The columns of a scan, as they are.
            IR::Select { input, .. } if self.is_scan(*input) => open.push((*input, filter)),
            other => open.extend(other.inputs().map(|input| (input, None))),
        }
    }

    fn is_scan(&self, node: Node) -> bool {
        match self.plan.lp_arena.get(node) {
            IR::SimpleProjection { input, .. } => self.is_scan(*input),
            IR::MapFunction { function, .. } => node_of(function).is_some(),
            _ => false,
        }
    }

    /// The rows of the frame that is a node's input at last.
    fn height(&self, node: Node) -> Option<usize> {
        match self.plan.lp_arena.get(node) {
            IR::DataFrameScan { df, .. } => Some(df.height()),
            IR::SimpleProjection { input, .. } | IR::MapFunction { input, .. } | IR::Filter { input, .. } => {
                self.height(*input)
            },
            _ => None,
        }
    }
}

/// The plan with the scans replaced for which there is another; nothing if there is none.
fn replace(plan: &DslPlan, other: &mut dyn FnMut(u64) -> Option<DslPlan>, depth: usize) -> Option<DslPlan> {
    if let Some(scan) = scan_of(plan) {
        return other(scan);
    }
    if depth > MAX_DEPTH {
        return None;
    }
    with_inputs(plan, &mut |input| replace(input, other, depth + 1))
}

/// The rows of the scan whose nodes begin here.
pub(crate) fn rows_of(plan: &DslPlan) -> Option<usize> {
    let scan = scans().get(&scan_of(plan)?).and_then(Weak::upgrade)?;
    Some(scan.height())
}

/// The scan whose nodes begin here.
fn scan_of(plan: &DslPlan) -> Option<u64> {
    match plan {
        // The node above the union of a scan's nodes.
        DslPlan::MapFunction { input, function: DslFunction::FunctionIR(function) } => match &**input {
            DslPlan::Union { inputs, .. } => match inputs.first()? {
                DslPlan::MapFunction { function: DslFunction::FunctionIR(function), .. } => {
                    // A union of several scans may have one as its first that is a single node.
                    node_of(function).filter(|node| node.of > 1).map(|node| node.scan)
                },
                _ => None,
            },
            _ => node_of(function).map(|node| node.scan),
        },
        _ => None,
    }
}
