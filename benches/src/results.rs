//! The results, as they are kept in `docs/benchmarks/results.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// Everything that was measured, by benchmark.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Results {
    /// The last run of each benchmark.
    pub runs: BTreeMap<String, Run>,
}

/// One run of one benchmark.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Run {
    /// The day.
    pub date: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Where.
    pub machine: Machine,
    /// The omissions, and other notes about this run.
    pub notes: Vec<String>,
    /// The cells, in order.
    pub cells: Vec<Cell>,
    /// Who did what, when; of the pipeline only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub timelines: Vec<Timeline>,
}

/// One thing that was measured, of several contenders.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Cell {
    /// The data, or what the cell belongs to.
    pub group: String,
    /// The operation.
    pub name: String,
    /// `raw`, `LZ4`, `ZSTD 3`, or nothing where there is no choice.
    #[serde(default)]
    pub codec: String,
    /// The kind of the values.
    pub unit: Unit,
    /// Bytes that were moved, where gigabytes a second say more than milliseconds.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Where on the axis it is, in cells that show growth.
    #[serde(default)]
    pub x: Option<f64>,
    /// The contenders.
    pub entries: Vec<Entry>,
    /// The goals.
    #[serde(default)]
    pub goals: Vec<Goal>,
}

/// The kind of a value. Less is better, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Unit {
    /// Milliseconds.
    #[default]
    Ms,
    /// Megabytes (10^6 bytes).
    Mb,
}

/// Bytes in [`Unit::Mb`], to the kilobyte.
#[must_use]
pub fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1000).unwrap_or(u32::MAX)) / 1e3
}

impl Unit {
    /// As it is printed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ms => "ms",
            Self::Mb => "MB",
        }
    }
}

/// The kind of a contender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Role {
    /// floe.
    #[default]
    Floe,
    /// Another implementation.
    Peer,
    /// A limit of the machine, or another measure that is no peer.
    Limit,
}

/// The cost of one contender: medians, or single values (then all three are the same).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Entry {
    /// Who.
    pub who: String,
    /// Its kind.
    pub role: Role,
    /// The median.
    pub value: f64,
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
}

impl Entry {
    /// A value measured once.
    #[must_use]
    pub fn single(who: &str, role: Role, value: f64) -> Self {
        Self { who: who.into(), role, value, low: value, high: value }
    }

    /// The same, under another name.
    #[must_use]
    pub fn named(&self, who: &str) -> Self {
        Self { who: who.into(), ..self.clone() }
    }
}

/// The contender to compare floe with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Against {
    /// The fastest of the peers.
    BestPeer,
    /// The contender of this name.
    Contender(String),
    /// A value, in the cell's unit.
    Value(f64),
}

/// A goal: `against` needs at least this many times floe's time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// Compared with what.
    pub against: Against,
    /// How many times floe should be better.
    pub ratio: f64,
}

impl Goal {
    /// This many times faster than the best peer.
    #[must_use]
    pub fn peer(ratio: f64) -> Self {
        Self { against: Against::BestPeer, ratio }
    }

    /// This many times faster than that contender.
    #[must_use]
    pub fn than(who: &str, ratio: f64) -> Self {
        Self { against: Against::Contender(who.into()), ratio }
    }

    /// At most that much.
    #[must_use]
    pub fn at_most(value: f64) -> Self {
        Self { against: Against::Value(value), ratio: 1.0 }
    }
}

/// A goal, and how far floe got.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The contender that floe was compared with.
    pub against: Against,
    /// How many times floe should be better.
    pub wanted: f64,
    /// How many times it is.
    pub got: f64,
}

impl Verdict {
    /// Whether the goal is reached.
    #[must_use]
    pub fn met(&self) -> bool {
        self.got >= self.wanted
    }
}

impl Cell {
    /// Its full name, which `--only` looks at.
    #[must_use]
    pub fn title(&self) -> String {
        let mut title = format!("{}: {}", self.group, self.name);
        if !self.codec.is_empty() {
            title += ", ";
            title += &self.codec;
        }
        title
    }

    /// The cost of floe.
    #[must_use]
    pub fn floe(&self) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.role == Role::Floe)
    }

    /// The peer that needed the least.
    #[must_use]
    pub fn best_peer(&self) -> Option<&Entry> {
        let peers = self.entries.iter().filter(|entry| entry.role == Role::Peer);
        peers.min_by(|a, b| a.value.total_cmp(&b.value))
    }

    /// How many times floe's time the best peer needed. Of times only: memory has a limit to stay under, and who
    /// works on one thing at a time needs less of it.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        (self.unit == Unit::Ms).then_some(self.best_peer()?.value / self.floe()?.value)
    }

    /// Whether a peer is faster.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.ratio().is_some_and(|ratio| ratio < 1.0)
    }

    /// The goals that can be judged from what was measured.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        let Some(floe) = self.floe() else { return Vec::new() };
        let value = |against: &Against| match against {
            Against::BestPeer => self.best_peer().map(|peer| peer.value),
            Against::Contender(who) => self.entries.iter().find(|e| e.who == *who).map(|e| e.value),
            Against::Value(value) => Some(*value),
        };
        let verdict = |goal: &Goal| {
            let got = value(&goal.against)? / floe.value.max(1e-9);
            Some(Verdict { against: goal.against.clone(), wanted: goal.ratio, got })
        };
        self.goals.iter().filter_map(verdict).collect()
    }
}

/// Who did what, when, in one run of the pipeline.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Timeline {
    /// The tasks.
    pub title: String,
    /// The threads, by name.
    pub threads: Vec<String>,
    /// Their work.
    pub spans: Vec<Span>,
}

/// One thing that one thread did.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Span {
    /// Which thread, an index of [`Timeline::threads`].
    pub thread: usize,
    /// What.
    pub what: String,
    /// From, in microseconds since the start.
    pub start: f64,
    /// To.
    pub end: f64,
}

impl Results {
    /// Reads a results file; nothing if there is none.
    ///
    /// # Errors
    /// When there is one, and it cannot be read.
    pub fn load(path: &Path) -> Result<Self, String> {
        match std::fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text).map_err(|e| format!("{}: {e}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Writes a results file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), String> {
        let mut text = serde_json::to_string_pretty(self).map_err(|e| e.to_string())?;
        text.push('\n');
        std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell() -> Cell {
        Cell {
            group: "numbers".into(),
            name: "write file".into(),
            codec: "LZ4".into(),
            entries: vec![
                Entry::single("floe", Role::Floe, 10.0),
                Entry::single("Polars", Role::Peer, 40.0),
                Entry::single("arrow-rs", Role::Peer, 15.0),
                Entry::single("write(2)", Role::Limit, 9.0),
            ],
            goals: vec![
                Goal::peer(1.4),
                Goal::than("write(2)", 0.95),
                Goal::at_most(8.0),
                Goal::than("x", 1.0),
            ],
            ..Cell::default()
        }
    }

    #[test]
    fn limits_are_no_peers() {
        let cell = cell();
        assert_eq!(cell.title(), "numbers: write file, LZ4");
        assert_eq!(cell.best_peer().map(|peer| peer.who.as_str()), Some("arrow-rs"));
        assert_eq!(cell.ratio(), Some(1.5));
        assert!(!cell.is_lost());
    }

    #[test]
    fn goals_are_judged_unless_the_contender_is_missing() {
        let verdicts = cell().verdicts();
        let met: Vec<bool> = verdicts.iter().map(Verdict::met).collect();
        assert_eq!(met, [true, false, false]);
    }

    #[test]
    fn results_survive_the_file() {
        let path = std::env::temp_dir().join(format!("floe-results-{}.json", std::process::id()));
        let mut results = Results::default();
        results.runs.insert("peers".into(), Run { cells: vec![cell()], ..Run::default() });
        results.save(&path).expect("saved");
        let back = Results::load(&path).expect("loaded");
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(format!("{back:?}"), format!("{results:?}"));
        assert!(Results::load(&path).expect("nothing there").runs.is_empty());
    }
}
