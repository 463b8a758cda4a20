//! The names of a scan's nodes: how they are found again in a plan.

use polars_core::prelude::*;
use polars_plan::plans::FunctionIR;

/// The name of a node: the scan's number, and the node's.
pub(super) fn name(scan: u64, node: usize, of: usize) -> PlSmallStr {
    format!("IPC SCAN {scan} [{} of {of}]", node + 1).into()
}

/// The scan and the node that have a name.
fn parse(name: &str) -> Option<(u64, usize)> {
    let (scan, node) = name.strip_prefix("IPC SCAN ")?.split_once(" [")?;
    let (node, _) = node.split_once(" of ")?;
    Some((scan.parse().ok()?, node.parse::<usize>().ok()?.checked_sub(1)?))
}

/// The scan and the number of the node, if the function is a node of a scan.
pub(super) fn node_of(function: &FunctionIR) -> Option<(u64, usize)> {
    match function {
        // Other functions may be called alike, but do not call themselves so.
        FunctionIR::Opaque { function, fmt_str, .. } if function.display_str() == *fmt_str => parse(fmt_str),
        _ => None,
    }
}
