//! The first page: what there is, what is lost, which goals are missed.

use super::lookup::{by_kind, median};
use super::markdown::ratio;
use super::readme::lost;
use super::{header, markdown};
use crate::results::{Cell, Results};

/// The page.
pub(super) fn page(results: &Results) -> String {
    let mut out = String::from(include_str!("text/index.md"));
    let Some(peers) = results.runs.get("peers") else { return out };
    out += &format!("\n## The last run\n\n{}\n\n", header("peers", peers));
    out += "| cells | how many | median ratio | worst ratio |\n|---|--:|--:|--:|\n";
    for (kind, cells) in by_kind(peers.cells.iter()) {
        let ratios: Vec<f64> = cells.iter().filter_map(|cell| cell.ratio()).collect();
        let worst = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        out += &format!("| {kind} | {} | {} | {} |\n", cells.len(), ratio(median(ratios)), ratio(worst));
    }
    let memory = results.runs.get("memory").map(|run| run.cells.as_slice()).unwrap_or_default();
    out += "\n## What is lost\n\n";
    out += &lost(peers.cells.iter());
    out += "\n## Goals that are missed\n\n";
    out += &missed(peers.cells.iter().chain(memory));
    out
}

/// The goals that are missed, with how far floe got.
fn missed<'a>(cells: impl Iterator<Item = &'a Cell>) -> String {
    let (mut met, mut missed) = (0usize, Vec::new());
    for cell in cells {
        for verdict in cell.verdicts() {
            if verdict.met() {
                met += 1;
            } else {
                let got = format!("{:.2} times as good", verdict.got);
                missed.push(format!("| {} | {} | {got} |\n", cell.title(), markdown::goal(&verdict)));
            }
        }
    }
    if missed.is_empty() {
        return format!("None of {met}.\n");
    }
    let all = met + missed.len();
    format!(
        "{} of {all}. A goal names what floe is compared with, and how many times as good it should be.\n\n\
         | cell | goal | floe is |\n|---|---|---|\n{}",
        missed.len(),
        missed.concat()
    )
}
