//! The use of each mechanism: every cell with the mechanism on and off, in turns, in one process.
//!
//! `cargo bench -p floe-eager-benches --features switches` prints the page; `-- --page docs/benchmarks/ablation.md`
//! writes it, and `-- --quick` only shows that it runs. A mechanism that brings less than 5% of every cell is to be
//! removed.

use std::fs::File;
use std::path::PathBuf;
use std::time::Instant;

use floe::memory;
use floe::prelude::*;
use floe_runtime::ablation::{self, Mechanism};
use polars_core::prelude::*;
use polars_io::ipc::IpcCompression;

use crate::{lineitem, machine, numbers, shapes, strings, wide};

/// The mechanism that is turned off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Switch {
    One(Mechanism),
    /// Large blocks of memory are used again.
    Recycler,
}

impl Switch {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::One(Mechanism::MatchFinders), "match finders by value", "adr/0001-match-finders.md"),
        (Self::Recycler, "memory used again", "adr/0002-recycler.md"),
        (Self::One(Mechanism::ForkJoin), "fork-join whose caller works", "adr/0003-fork-join.md"),
        (Self::One(Mechanism::DeferredBuffers), "deferred buffers", "adr/0004-deferred-buffers.md"),
        (Self::One(Mechanism::SharedPlans), "plans shared by batches", "adr/0005-shared-plans.md"),
    ];

    /// The other cells cannot notice it.
    fn concerns(self, codec: &str, direction: Direction) -> bool {
        let is_write = direction == Direction::Write;
        match self {
            Self::One(Mechanism::MatchFinders) => codec != "raw",
            Self::One(Mechanism::SharedPlans) => codec != "raw" && is_write,
            Self::One(Mechanism::DeferredBuffers) => codec == "raw" && is_write,
            Self::One(Mechanism::ForkJoin) => !is_write,
            Self::Recycler => true,
        }
    }

    fn set(self, on: bool) {
        match self {
            Self::One(mechanism) => ablation::set(mechanism, on),
            Self::Recycler => {
                memory::release();
                memory::set_limit(if on { 1 << 30 } else { 0 });
            },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Write,
    Read,
}

/// One cell, with one mechanism on and off.
struct Row {
    cell: String,
    /// Milliseconds, medians.
    on: f64,
    off: f64,
    /// Median over pairs of off / on: above 1, the mechanism brings time.
    ratio: f64,
    /// Bytes without the mechanism by bytes with it.
    size: f64,
}

struct Bench {
    rounds: usize,
    folder: PathBuf,
    codecs: [(&'static str, Option<IpcCompression>); 3],
}

impl Bench {
    fn write(&self, df: &mut DataFrame, is_file: bool, codec: Option<IpcCompression>, name: &str) -> u64 {
        let path = self.folder.join(name);
        let to = File::create(&path).expect("a file");
        if is_file {
            IpcWriter::new(to).with_compression(codec).finish(df).expect("floe writes");
        } else {
            IpcStreamWriter::new(to).with_compression(codec).finish(df).expect("floe writes");
        }
        std::fs::metadata(path).expect("a file").len()
    }

    fn read(&self, is_file: bool, name: &str) -> DataFrame {
        let file = File::open(self.folder.join(name)).expect("a file");
        if is_file {
            IpcReader::new(file).set_rechunk(false).finish().expect("floe reads")
        } else {
            IpcStreamReader::new(file).set_rechunk(false).finish().expect("floe reads")
        }
    }

    /// One cell: on and off in turns, the first pair to warm up.
    fn cell(
        &self,
        switch: Switch,
        (name, df): (&str, &mut DataFrame),
        (codec, compression): (&str, Option<IpcCompression>),
        (is_file, direction): (bool, Direction),
    ) -> Row {
        let mut times: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
        let mut bytes = [0; 2];
        let names = ["on", "off"];
        for (i, name) in names.iter().enumerate() {
            switch.set(i == 0);
            bytes[i] = self.write(df, is_file, compression, name);
        }
        for round in 0..=self.rounds {
            for i in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
                switch.set(i == 0);
                // Memory that is used again is there from the second time on.
                if switch == Switch::Recycler {
                    self.run(df, is_file, compression, direction, names[i]);
                }
                let time = self.run(df, is_file, compression, direction, names[i]);
                if round > 0 {
                    times[i].push(time);
                }
            }
        }
        switch.set(true);
        let ratio = median(times[1].iter().zip(&times[0]).map(|(off, on)| off / on).collect());
        let [on, off] = times.map(median);
        let format = if is_file { "file" } else { "stream" };
        let verb = if direction == Direction::Write { "write" } else { "read" };
        #[expect(clippy::cast_precision_loss, reason = "a ratio of sizes")]
        let size = bytes[1] as f64 / bytes[0] as f64;
        Row { cell: format!("{verb} {name}, {format}, {codec}"), on, off, ratio, size }
    }

    /// Milliseconds of one write or read.
    fn run(
        &self,
        df: &mut DataFrame,
        is_file: bool,
        codec: Option<IpcCompression>,
        direction: Direction,
        name: &str,
    ) -> f64 {
        let start = Instant::now();
        let result = match direction {
            Direction::Write => {
                self.write(df, is_file, codec, name);
                None
            },
            Direction::Read => Some(self.read(is_file, name)),
        };
        let time = start.elapsed().as_secs_f64() * 1e3;
        drop(result);
        time
    }

    fn mechanism(&self, switch: Switch, frames: &mut [(&'static str, DataFrame)]) -> Vec<Row> {
        let mut rows = Vec::new();
        for (name, df) in frames {
            for (codec, compression) in self.codecs {
                for direction in [Direction::Write, Direction::Read] {
                    for is_file in [false, true] {
                        if switch.concerns(codec, direction) {
                            rows.push(self.cell(
                                switch,
                                (name, &mut *df),
                                (codec, compression),
                                (is_file, direction),
                            ));
                        }
                    }
                }
            }
        }
        rows
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Frames of the shapes that the peer comparison has, an eighth as large.
fn frames(divisor: usize) -> Vec<(&'static str, DataFrame)> {
    let scale = if divisor == 1 { 0.05 } else { 0.0001 };
    vec![
        ("numbers", numbers(500_000 / divisor)),
        ("strings", strings(250_000 / divisor)),
        ("filtered strings", shapes::filtered(125_000 / divisor)),
        ("categoricals", shapes::categoricals(500_000 / divisor)),
        ("lists of structs", shapes::nested(125_000 / divisor)),
        ("numbers in 500 chunks", shapes::chunked(500, (1_000 / divisor).max(1))),
        ("2,000 columns", wide(2_000 / divisor.min(100), 1_000 / divisor.min(100))),
        ("TPC-H lineitem", lineitem::lineitem(scale)),
    ]
}

fn page(all: &[(&'static str, &'static str, Vec<Row>)], rounds: usize) -> String {
    let mut text = format!(
        "# What each mechanism brings\n\nWritten by `cargo bench -p floe-eager-benches --features switches -- --page \
         docs/benchmarks/ablation.md` on {}: {}. Every cell runs with a mechanism on and off in turns, {rounds} pairs \
         after one to warm up; a ratio is the median over pairs of the time without it by the time with it. Only cells \
         that a mechanism can change are counted. Below 1.05 in every cell, a mechanism would be removed.\n\n\
         | mechanism | cells | median | from 1.05 on | most | least | bytes without it |\n|---|---|---|---|---|---|---|\n",
        machine::today(),
        machine::Machine::here().describe(),
    );
    for (name, link, rows) in all {
        let best = rows.iter().max_by(|a, b| a.ratio.total_cmp(&b.ratio));
        let worst = rows.iter().min_by(|a, b| a.ratio.total_cmp(&b.ratio));
        let (Some(best), Some(worst)) = (best, worst) else { continue };
        let count = rows.iter().filter(|row| row.ratio >= 1.05).count();
        text += &format!(
            "| [{name}](../{link}) | {} | {:.2}x | {count} | {:.2}x: {} | {:.2}x: {} | {:.2}x |\n",
            rows.len(),
            median(rows.iter().map(|row| row.ratio).collect()),
            best.ratio,
            best.cell,
            worst.ratio,
            worst.cell,
            median(rows.iter().map(|row| row.size).collect()),
        );
    }
    for (name, _, rows) in all {
        text += &format!(
            "\n## {name}\n\n| cell | with it, ms | without it, ms | ratio | bytes without it |\n|---|---|---|---|---|\n"
        );
        for Row { cell, on, off, ratio, size } in rows {
            text += &format!("| {cell} | {on:.2} | {off:.2} | {ratio:.2}x | {size:.2}x |\n");
        }
    }
    text
}

/// The benchmark's `main` function.
///
/// # Panics
/// If there is no folder to write to, or an option is not known.
pub fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let (mut quick, mut target) = (false, None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => quick = true,
            "--page" => target = Some(args.next().expect("--page takes a path")),
            other => panic!("unknown option {other}: --quick, --page PATH"),
        }
    }
    let root =
        if std::path::Path::new("/dev/shm").is_dir() { "/dev/shm".into() } else { std::env::temp_dir() };
    let folder = root.join(format!("floe-ablation-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let zstd = IpcCompression::ZSTD(Default::default());
    let bench = Bench {
        rounds: if quick { 1 } else { 5 },
        codecs: [("raw", None), ("LZ4", Some(IpcCompression::LZ4)), ("ZSTD", Some(zstd))],
        folder,
    };
    let mut frames = frames(if quick { 1_000 } else { 1 });
    let all = Switch::ALL.map(|(switch, name, link)| (name, link, bench.mechanism(switch, &mut frames)));
    let text = page(&all, bench.rounds);
    std::fs::remove_dir_all(&bench.folder).expect("the folder goes");
    match target {
        // The benchmark runs in its package's folder.
        Some(path) => {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
            std::fs::write(path, text).expect("the page is written");
        },
        None => print!("{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files written without a mechanism are read with it.
    #[test]
    fn every_mechanism_can_be_off() {
        let folder = std::env::temp_dir().join(format!("floe-ablation-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let codecs = [
            ("raw", None),
            ("LZ4", Some(IpcCompression::LZ4)),
            ("ZSTD", Some(IpcCompression::ZSTD(Default::default()))),
        ];
        let bench = Bench { rounds: 1, folder, codecs };
        let mut frames = vec![("numbers", numbers(100_000)), ("filtered", shapes::filtered(1_000))];
        for (switch, name, _) in Switch::ALL {
            assert!(!bench.mechanism(switch, &mut frames).is_empty(), "{name}");
            for codec in bench.codecs {
                switch.set(false);
                bench.write(&mut frames[0].1, true, codec.1, "off");
                switch.set(true);
                assert!(bench.read(true, "off").equals_missing(&frames[0].1), "{name}");
            }
        }
        std::fs::remove_dir_all(&bench.folder).expect("the folder goes");
    }
}
