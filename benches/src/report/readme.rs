//! The table in the repository's README: a line for each kind of cell.

use super::lookup::{by_kind, median};
use super::markdown::{number, ratio};
use crate::results::{Cell, Results, Role};

const START: &str = "<!-- bench:start -->";
const END: &str = "<!-- bench:end -->";

/// Puts the table between the marks.
pub(super) fn replace(text: &str, table: &str) -> Result<String, String> {
    let (before, rest) = text.split_once(START).ok_or_else(|| format!("README.md has no {START}"))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| format!("README.md has no {END}"))?;
    Ok(format!("{before}{START}\n{table}{END}{after}"))
}

/// The table, and how many cells are lost.
pub(super) fn table(results: &Results) -> String {
    let run = |name: &str| results.runs.get(name);
    let Some(peers) = run("peers") else { return "Nothing has been measured yet.\n".into() };
    let memory = run("memory").map(|run| run.cells.as_slice()).unwrap_or_default();
    let mut out = format!(
        "[docs/benchmarks](docs/benchmarks/README.md) has every cell, the method and the plots. The machine: {}, \
         {}. Peers are Polars' eager readers and writers, its streaming `sink_ipc` and `scan_ipc`, arrow-rs and \
         pyarrow, on the same data, codec and level. A ratio is the best peer's time over floe's.\n\n",
        peers.machine.describe(),
        peers.date
    );
    out += "| cells | how many | median ratio | worst ratio | for example | floe | best peer |\n";
    out += "|---|--:|--:|--:|---|--:|--:|\n";
    for (kind, cells) in by_kind(peers.cells.iter()) {
        out += &line(&kind, &cells);
    }
    out.push('\n');
    out += &memory_line(memory);
    let lost = lost(peers.cells.iter());
    out += &match lost.split_once(":\n\n") {
        Some((how_many, _)) => {
            format!(
                "{how_many}: the [list](docs/benchmarks/README.md#what-is-lost) names each, and by how much.\n"
            )
        },
        None => lost,
    };
    out
}

fn line(kind: &str, cells: &[&Cell]) -> String {
    let ratios: Vec<f64> = cells.iter().filter_map(|cell| cell.ratio()).collect();
    let worst = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let Some(example) = cells.first() else { return String::new() };
    let (Some(floe), Some(peer)) = (example.floe(), example.best_peer()) else { return String::new() };
    let unit = example.unit.name();
    format!(
        "| {kind} | {} | {} | {} | {}: {} | {} {unit} | {} {unit} ({}) |\n",
        cells.len(),
        ratio(median(ratios)),
        ratio(worst),
        example.group,
        example.name,
        number(floe.value),
        number(peer.value),
        peer.who
    )
}

/// How much memory is taken, at most.
fn memory_line(cells: &[Cell]) -> String {
    let most = |what: &str, role: Role| {
        let cells = cells.iter().filter(|cell| cell.name.starts_with(what));
        let entries = cells.flat_map(|cell| &cell.entries).filter(|entry| entry.role == role);
        entries.map(|entry| entry.value).fold(0.0, f64::max)
    };
    if cells.is_empty() {
        return String::new();
    }
    format!(
        "Peak memory beyond the frame, when writing 256 MB: {} MB at most (of the peers: {} MB); beyond the result, \
         when reading: {} MB ({} MB).\n\n",
        number(most("write", Role::Floe)),
        number(most("write", Role::Peer)),
        number(most("read", Role::Floe)),
        number(most("read", Role::Peer))
    )
}

/// Which cells are lost.
pub(super) fn lost<'a>(cells: impl Iterator<Item = &'a Cell>) -> String {
    let cells: Vec<&Cell> = cells.filter(|cell| cell.ratio().is_some()).collect();
    let lost: Vec<String> = cells
        .iter()
        .filter(|cell| cell.is_lost())
        .map(|cell| {
            let who = cell.best_peer().map_or("", |peer| peer.who.as_str());
            format!("{} ({:.2}x, {who})", cell.title(), cell.ratio().unwrap_or(0.0))
        })
        .collect();
    match lost.len() {
        0 => format!("No cell of {} is lost to a peer.\n", cells.len()),
        n => {
            let verb = if n == 1 { "is" } else { "are" };
            format!("{n} of {} cells {verb} lost:\n\n- {}\n", cells.len(), lost.join("\n- "))
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let text = format!("a\n{START}\nold\n{END}\nb\n");
        let new = replace(&text, "new\n").expect("marks");
        assert_eq!(new, format!("a\n{START}\nnew\n{END}\nb\n"));
        assert_eq!(replace(&new, "new\n"), Ok(new.clone()));
        assert!(replace("no marks", "new").is_err());
    }
}
