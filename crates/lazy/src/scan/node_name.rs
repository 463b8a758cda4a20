//! The names of a scan's nodes: how they are found again in a plan.

use polars_core::prelude::*;
use polars_plan::plans::FunctionIR;

/// The name of a node: the scan's number, and the node's.
pub(super) fn name(scan: u64, node: usize, of: usize) -> PlSmallStr {
    format!("IPC SCAN {scan} [{} of {of}]", node + 1).into()
}

/// A node of a scan.
pub(super) struct NodeOf {
    pub(super) scan: u64,
    /// Its number, from 0 on.
    pub(super) number: usize,
    /// How many nodes the scan has.
    pub(super) of: usize,
}

/// The node that has a name.
fn parse(name: &str) -> Option<NodeOf> {
    let (scan, node) = name.strip_prefix("IPC SCAN ")?.split_once(" [")?;
    let (number, of) = node.strip_suffix(']')?.split_once(" of ")?;
    let number = number.parse::<usize>().ok()?.checked_sub(1)?;
    Some(NodeOf { scan: scan.parse().ok()?, number, of: of.parse().ok()? })
}

/// The node of a scan that a function is, if it is one.
pub(super) fn node_of(function: &FunctionIR) -> Option<NodeOf> {
    match function {
        // Other functions may be called alike, but do not call themselves so.
        FunctionIR::Opaque { function, fmt_str, .. } if function.display_str() == *fmt_str => parse(fmt_str),
        _ => None,
    }
}
