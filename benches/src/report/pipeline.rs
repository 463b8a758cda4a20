//! The page on how floe gets there: text with numbers of the last run put in, and pictures of the pipeline.

use super::{Page, header, lookup, plot};
use crate::results::{Results, Run};

/// The page and a picture for each timeline.
pub(super) fn pages(run: &Run, results: &Results) -> Vec<Page> {
    let mut plots = Vec::new();
    let mut pictures = String::new();
    for timeline in &run.timelines {
        let what = timeline.title.rsplit_once(": ").map_or(timeline.title.as_str(), |(_, what)| what);
        let slug: String = what.chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect();
        let name = format!("pipeline-{}.svg", slug.replace(' ', "-"));
        pictures += &format!("![{}]({name})\n\n", timeline.title);
        plots.push(Page::new(name, plot::timeline(timeline)));
    }
    let text = fill(include_str!("text/pipeline.md"), results)
        .replace("{{header}}", &header("pipeline --features trace", run))
        .replace("{{pictures}}", pictures.trim_end());
    plots.insert(0, Page::new("pipeline.md", text));
    plots
}

/// Puts ratios of the last run in the place of `{{cell title}}` (the best peer over floe) and of
/// `{{cell title|contender}}` (that contender over floe).
fn fill(text: &str, results: &Results) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        out += before;
        let Some((what, behind)) = after.split_once("}}") else { break };
        rest = behind;
        match value(what, results) {
            Some(value) => out += &value,
            None if what.contains(':') => out += "(not measured)",
            None => out += &format!("{{{{{what}}}}}"),
        }
    }
    out + rest
}

fn value(what: &str, results: &Results) -> Option<String> {
    let (title, who) = what.split_once('|').map_or((what, None), |(title, who)| (title, Some(who)));
    let cell = lookup::cell(results, title)?;
    let other = match who {
        None => cell.best_peer()?,
        Some(who) => cell.entries.iter().find(|entry| entry.who == who)?,
    };
    Some(format!("{:.2}x", other.value / cell.floe()?.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Cell, Entry, Role};

    #[test]
    fn numbers_are_put_in() {
        let cell = Cell {
            group: "a".into(),
            name: "b".into(),
            entries: vec![Entry::single("floe", Role::Floe, 2.0), Entry::single("p", Role::Peer, 5.0)],
            ..Cell::default()
        };
        let mut results = Results::default();
        results.runs.insert("peers".into(), Run { cells: vec![cell], ..Run::default() });
        assert_eq!(fill("is {{a: b}} and {{a: b|p}}.", &results), "is 2.50x and 2.50x.");
        assert_eq!(fill("is {{a: c}}; {{header}}", &results), "is (not measured); {{header}}");
    }
}
