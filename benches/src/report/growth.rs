//! Growth: tables with a fitted exponent, and curves.

use super::{Page, header, markdown, plot};
use crate::results::{Cell, Role, Run, Unit};

/// One contender's values along an axis.
pub(super) struct Curve {
    /// The measure, and its contender.
    pub(super) name: String,
    /// Who.
    pub(super) role: Role,
    /// Milliseconds or megabytes.
    pub(super) unit: Unit,
    /// (size, value), by size.
    pub(super) points: Vec<(f64, f64)>,
}

/// The page and a plot for each axis.
pub(super) fn pages(run: &Run) -> Vec<Page> {
    let mut groups: Vec<&str> = Vec::new();
    for cell in &run.cells {
        if !groups.contains(&cell.group.as_str()) {
            groups.push(&cell.group);
        }
    }
    let mut text = format!("# Growth\n\n{}\n\n{}\n", header("growth", run), include_str!("text/growth.md"));
    let mut plots = Vec::new();
    for group in groups {
        let cells: Vec<&Cell> = run.cells.iter().filter(|cell| cell.group == group).collect();
        let curves = curves(&cells);
        let name = format!("{}.svg", group.replace(' ', "-"));
        text += &format!("## {group}\n\n![{group}]({name})\n\n{}\n", table(&curves));
        plots.push(Page::new(name, plot::growth(group, &curves)));
    }
    plots.insert(0, Page::new("growth.md", text));
    plots
}

fn curves(cells: &[&Cell]) -> Vec<Curve> {
    let mut out: Vec<Curve> = Vec::new();
    for cell in cells {
        let Some(x) = cell.x else { continue };
        // The size is at the end of the cell's name.
        let what = cell.name.rsplit_once(", ").map_or(cell.name.as_str(), |(what, _)| what);
        for entry in &cell.entries {
            let name = format!("{what}, {}: {}", cell.codec, entry.who);
            match out.iter_mut().find(|curve| curve.name == name) {
                Some(curve) => curve.points.push((x, entry.value)),
                None => {
                    let points = vec![(x, entry.value)];
                    out.push(Curve { name, role: entry.role, unit: cell.unit, points });
                },
            }
        }
    }
    out.retain(|curve| curve.role != Role::Limit);
    out
}

fn table(curves: &[Curve]) -> String {
    let Some(first) = curves.first() else { return String::new() };
    let sizes: Vec<String> = first.points.iter().map(|(x, _)| format!("{x}")).collect();
    let mut out = format!("| | {} | exponent | last decade |\n", sizes.join(" | "));
    out += &format!("|---|{}\n", "--:|".repeat(sizes.len() + 2));
    for curve in curves {
        let unit = curve.unit.name();
        let values: Vec<String> =
            curve.points.iter().map(|(_, y)| format!("{} {unit}", markdown::number(*y))).collect();
        let last = curve.points.get(curve.points.len().saturating_sub(2)..).unwrap_or_default();
        let show = |points| exponent(points).map_or_else(String::new, |e| format!("{e:.2}"));
        let (all, last) = (show(&curve.points), show(last));
        out += &format!("| {} | {} | {all} | {last} |\n", curve.name, values.join(" | "));
    }
    out
}

/// The slope of the line that fits best where both axes are logarithmic: 1 is linear growth.
fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<(f64, f64)> =
        points.iter().filter(|(x, y)| *x > 0.0 && *y > 0.0).map(|(x, y)| (x.ln(), y.ln())).collect();
    let n = f64::from(u32::try_from(logs.len()).ok()?);
    let (sum_x, sum_y) = logs.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let over: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let under: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (logs.len() >= 2 && under > 0.0).then(|| over / under)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents() {
        let close = |points: &[(f64, f64)], e: f64| (exponent(points).expect("fits") - e).abs() < 1e-9;
        assert!(close(&[(1.0, 5.0), (10.0, 50.0), (1000.0, 5000.0)], 1.0));
        assert!(close(&[(1.0, 2.0), (10.0, 200.0)], 2.0));
        assert!(close(&[(1.0, 2.0), (10.0, 2.0)], 0.0));
        assert_eq!(exponent(&[(1.0, 2.0)]), None);
    }
}
