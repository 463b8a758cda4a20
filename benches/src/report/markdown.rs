//! Tables, one for each group of cells.

use crate::results::{Against, Cell, Entry, Role, Verdict};
use crate::runner::digits;

/// A table for each group, in the order of the run.
pub(super) fn tables(cells: &[Cell]) -> String {
    let mut groups: Vec<&str> = Vec::new();
    for cell in cells {
        if !groups.contains(&cell.group.as_str()) {
            groups.push(&cell.group);
        }
    }
    let of = |group: &str| cells.iter().filter(|cell| cell.group == group).collect::<Vec<_>>();
    groups.into_iter().map(|group| format!("## {group}\n\n{}\n", table(&of(group)))).collect()
}

/// A value, with as many digits as mean something.
pub(super) fn number(value: f64) -> String {
    match digits(value) {
        4 if value == 0.0 => "0".into(),
        4 => format!("{value:.3}"),
        digits => format!("{value:.digits$}"),
    }
}

/// How many times better; in bold where that is worse.
pub(super) fn ratio(value: f64) -> String {
    if value < 1.0 { format!("**{value:.2}x**") } else { format!("{value:.2}x") }
}

fn table(cells: &[&Cell]) -> String {
    let mut names: Vec<&Entry> = Vec::new();
    for role in [Role::Peer, Role::Limit] {
        for entry in cells.iter().flat_map(|cell| &cell.entries).filter(|entry| entry.role == role) {
            if !names.iter().any(|known| known.who == entry.who) {
                names.push(entry);
            }
        }
    }
    let with_floe = cells.iter().any(|cell| cell.floe().is_some());
    let with_peers = cells.iter().any(|cell| cell.ratio().is_some());
    let with_goals = cells.iter().any(|cell| !cell.verdicts().is_empty());
    let with_bytes = cells.iter().any(|cell| cell.bytes.is_some());
    let unit = cells.first().map_or("", |cell| cell.unit.name());
    let mut head = vec![unit.to_string()];
    head.extend(with_floe.then(|| "floe".into()));
    head.extend(names.iter().map(|entry| match entry.role {
        Role::Limit => format!("({})", entry.who),
        _ => entry.who.clone(),
    }));
    head.extend(with_peers.then(|| "best peer / floe".into()));
    head.extend(with_bytes.then(|| "GB/s".into()));
    head.extend(with_goals.then(|| "goals".into()));
    let rule = format!("|---|{}", "--:|".repeat(head.len() - 1));
    let rows = cells.iter().map(|cell| {
        let mut row = vec![label(cell)];
        row.extend(with_floe.then(|| cell.floe().map_or_else(String::new, |floe| number(floe.value))));
        row.extend(names.iter().map(|name| {
            let entry = cell.entries.iter().find(|entry| entry.who == name.who);
            entry.map_or_else(String::new, |entry| number(entry.value))
        }));
        row.extend(with_peers.then(|| cell.ratio().map_or_else(String::new, ratio)));
        row.extend(with_bytes.then(|| speed(cell).map_or_else(String::new, number)));
        row.extend(with_goals.then(|| cell.verdicts().iter().map(goal).collect::<Vec<_>>().join(", ")));
        format!("| {} |", row.join(" | "))
    });
    let rows: Vec<String> = rows.collect();
    format!("| {} |\n{rule}\n{}\n", head.join(" | "), rows.join("\n"))
}

fn label(cell: &Cell) -> String {
    if cell.codec.is_empty() { cell.name.clone() } else { format!("{}, {}", cell.name, cell.codec) }
}

/// Gigabytes a second, of floe or of the only one there is.
#[expect(clippy::cast_precision_loss, reason = "a rate, to be read")]
fn speed(cell: &Cell) -> Option<f64> {
    let entry = cell.floe().or_else(|| cell.entries.first())?;
    Some(cell.bytes? as f64 / 1e6 / entry.value.max(1e-9))
}

/// A goal, and whether it is met.
pub(super) fn goal(verdict: &Verdict) -> String {
    let Verdict { against, wanted, got } = verdict;
    let met = if verdict.met() { "yes" } else { "no" };
    match against {
        Against::BestPeer => format!("peers {wanted:.2}: {met}"),
        Against::Contender(who) => format!("{who} {wanted:.2}: {met} ({got:.2})"),
        Against::Value(value) => format!("at most {}: {met}", number(*value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::Goal;

    #[test]
    fn a_table_has_a_column_for_each_contender() {
        let cell = |name: &str, entries| Cell {
            group: "g".into(),
            name: name.into(),
            entries,
            goals: vec![Goal::at_most(64.0)],
            ..Cell::default()
        };
        let all = [
            cell("a", vec![Entry::single("floe", Role::Floe, 20.0), Entry::single("p", Role::Peer, 10.0)]),
            cell("b", vec![Entry::single("floe", Role::Floe, 200.0), Entry::single("q", Role::Limit, 0.5)]),
        ];
        let expected = "## g\n\n\
            | ms | floe | p | (q) | best peer / floe | goals |\n\
            |---|--:|--:|--:|--:|--:|\n\
            | a | 20.0 | 10.0 |  | **0.50x** | at most 64.0: yes |\n\
            | b | 200 |  | 0.500 |  | at most 64.0: no |\n\n";
        assert_eq!(tables(&all), expected);
    }
}
