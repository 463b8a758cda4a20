//! The pages made of the results: `docs/benchmarks`, its plots, and the README's table.
//!
//! `cargo bench -p floe-benches --bench report` reads `docs/benchmarks/results.json` and writes all of them anew. With
//! `--json FILE` it reads another file. With neither `--bench` nor `--json` (in tests) nothing is written.

mod growth;
mod index;
mod lookup;
mod markdown;
mod pipeline;
mod plot;
mod readme;

use std::path::Path;

use crate::args::{Scale, root};
use crate::results::{Results, Run};
use crate::runner::Bench;

/// A file of `docs/benchmarks`.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its name.
    pub name: String,
    /// Its contents: Markdown, or SVG.
    pub text: String,
}

impl Page {
    fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// Writes all pages, and the table of the README.
pub fn run(bench: &mut Bench) {
    if bench.args.scale == Scale::Tiny {
        return;
    }
    let docs = root().join("docs/benchmarks");
    // Not where the results of this benchmark go: it has none.
    let path = bench.args.json.take().unwrap_or_else(|| docs.join("results.json"));
    if let Err(error) = write(&path, &docs) {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn write(results: &Path, docs: &Path) -> Result<(), String> {
    let results = Results::load(results)?;
    for page in pages(&results) {
        let path = docs.join(&page.name);
        std::fs::write(&path, page.text).map_err(|e| format!("{}: {e}", path.display()))?;
        println!("{}", path.display());
    }
    let path = root().join("README.md");
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let text = readme::replace(&text, &readme::table(&results))?;
    std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The benchmarks that have a page of tables, and what the page says first.
const PAGES: [(&str, &str, &str); 6] = [
    ("peers", "floe beside its peers", include_str!("text/peers.md")),
    ("memory", "Peak memory", include_str!("text/memory.md")),
    ("replicas", "Workloads of arrow-rs' and Arrow C++'s benchmarks", include_str!("text/replicas.md")),
    ("stages", "Stages by themselves", include_str!("text/stages.md")),
    ("servers", "Answers over HTTP", include_str!("text/servers.md")),
    ("flight", "Arrow Flight", include_str!("text/flight.md")),
];

/// Every page and plot.
#[must_use]
pub fn pages(results: &Results) -> Vec<Page> {
    let mut out = vec![Page::new("README.md", index::page(results))];
    for (name, title, intro) in PAGES {
        let Some(run) = results.runs.get(name) else { continue };
        let plots = plot::of_run(name, run);
        let mut text = format!("# {title}\n\n{}\n\n{intro}\n", header(name, run));
        for plot in &plots {
            text += &format!("![{}]({})\n\n", plot.name.trim_end_matches(".svg"), plot.name);
        }
        text += &markdown::tables(&run.cells);
        out.push(Page::new(format!("{name}.md"), text));
        out.extend(plots);
    }
    if let Some(run) = results.runs.get("growth") {
        out.extend(growth::pages(run));
    }
    if let Some(run) = results.runs.get("pipeline") {
        out.extend(pipeline::pages(run, results));
    }
    out
}

/// When, where, how.
fn header(name: &str, run: &Run) -> String {
    let features = if matches!(name, "servers" | "flight") { "--features servers " } else { "" };
    let mut text = format!(
        "Made by `cargo bench -p floe-benches {features}--bench {name}` on {} in {:.0} s: {}. Generated from \
         [results.json](results.json); `benches/run.sh` runs everything anew.",
        run.date,
        run.seconds,
        run.machine.describe()
    );
    for note in &run.notes {
        text += &format!("\n\n**{note}**");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Cell, Entry, Goal, Role, Span, Timeline};

    fn results() -> Results {
        let cell = |group: &str, name: &str, floe: f64, peer: f64, x: Option<f64>| Cell {
            group: group.into(),
            name: name.into(),
            codec: "LZ4".into(),
            entries: vec![
                Entry::single("floe", Role::Floe, floe),
                Entry::single("Polars", Role::Peer, peer),
                Entry::single("codec x cores", Role::Limit, floe / 2.0),
            ],
            goals: vec![Goal::peer(1.5)],
            x,
            ..Cell::default()
        };
        let mut results = Results::default();
        let won = cell("4M x 8 numbers", "write file", 10.0, 30.0, None);
        let lost = cell("4M x 8 numbers", "read stream", 10.0, 5.0, None);
        results.runs.insert("peers".into(), Run { cells: vec![won, lost], ..Run::default() });
        let points =
            [1.0, 10.0, 100.0].map(|x| cell("growth in rows", "write, n rows", x * 2.0, x * 3.0, Some(x)));
        results.runs.insert("growth".into(), Run { cells: points.to_vec(), ..Run::default() });
        let span = Span { thread: 0, what: "write".into(), start: 0.0, end: 100.0 };
        let timeline = Timeline { title: "a write".into(), threads: vec!["one".into()], spans: vec![span] };
        results.runs.insert("pipeline".into(), Run { timelines: vec![timeline], ..Run::default() });
        results
    }

    #[test]
    fn every_page_says_what_was_measured() {
        let pages = pages(&results());
        let page =
            |name: &str| pages.iter().find(|page| page.name == name).unwrap_or_else(|| panic!("{name}"));
        assert!(page("peers.md").text.contains("| write file, LZ4 | 10.0 |"), "{}", page("peers.md").text);
        assert!(page("peers.md").text.contains("**0.50x**"));
        assert!(page("README.md").text.contains("4M x 8 numbers: read stream, LZ4"));
        assert!(page("growth.md").text.contains("1.00"), "linear growth has the exponent 1");
        assert!(
            pages.iter().filter(|page| page.name.ends_with(".svg")).all(|page| page.text.contains("<svg"))
        );
        assert!(pages.iter().filter(|page| page.name.ends_with(".svg")).count() >= 3);
    }

    #[test]
    fn the_readme_says_what_is_lost() {
        let table = readme::table(&results());
        assert!(table.contains("1 of 2 cells is lost"), "{table}");
        assert!(table.contains("#what-is-lost") && !table.contains("read stream, LZ4"), "{table}");
        // The test above covers that page.
    }
}
