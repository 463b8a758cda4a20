//! Finding things in results.

use crate::results::{Cell, Results};

/// The cell of that title, of the peer comparison: other runs have titles of their own that are the same.
pub(super) fn cell<'a>(results: &'a Results, title: &str) -> Option<&'a Cell> {
    results.runs.get("peers")?.cells.iter().find(|cell| cell.title() == title)
}

/// The category of a cell: the lines of the README's table.
pub(super) fn kind(cell: &Cell) -> String {
    let (group, name) = (cell.group.as_str(), cell.name.as_str());
    for (start, kind) in [
        ("small frames", "small frames (10 x 10)"),
        ("2 of 16", "2 of 16 columns"),
        ("random access", "first rows, row count, one batch"),
        ("zero-copy", "from_bytes, validated"),
        ("lazy", "lazy sinks and scans"),
    ] {
        if group.starts_with(start) {
            return kind.into();
        }
    }
    if group.contains("socket") {
        return "stream from a socket".into();
    }
    let what = name.split(' ').next().unwrap_or(name);
    match what {
        "write" | "read" => format!("{what}, {}", cell.codec),
        _ => name.into(),
    }
}

/// The kinds there are, in order, each with its cells; those without a peer are left out.
pub(super) fn by_kind<'a>(cells: impl Iterator<Item = &'a Cell>) -> Vec<(String, Vec<&'a Cell>)> {
    let mut out: Vec<(String, Vec<&Cell>)> = Vec::new();
    for cell in cells.filter(|cell| cell.ratio().is_some()) {
        let kind = kind(cell);
        match out.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, cells)) => cells.push(cell),
            None => out.push((kind, vec![cell])),
        }
    }
    out
}

/// The middle one.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
