//! Runs cells, prints them as they come, keeps them.

use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::args::Args;
use crate::contenders::pyarrow::Pyarrow;
use crate::machine::{Machine, today};
use crate::measure::{Contender, alternate};
use crate::results::{Cell, Entry, Results, Role, Run};

/// One benchmark while it runs.
pub struct Bench {
    /// The options.
    pub args: Args,
    /// The cells measured so far.
    pub run: Run,
    name: &'static str,
    folder: PathBuf,
    started: Instant,
}

impl Bench {
    /// Makes a folder for its files, in memory where there is such a place.
    #[must_use]
    pub fn new(name: &'static str, args: Args) -> Self {
        let base = Path::new("/dev/shm");
        let base = if base.is_dir() { base.to_path_buf() } else { std::env::temp_dir() };
        let folder = base.join(format!("floe-bench-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the files");
        Self { args, run: Run::default(), name, folder, started: Instant::now() }
    }

    /// A file of this run.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The part of the full amount that the scale takes.
    #[must_use]
    pub fn scaled(&self, full: usize) -> usize {
        self.args.scale.of(full)
    }

    /// Whether a cell of this title is asked for.
    #[must_use]
    pub fn wants(&self, title: &str) -> bool {
        title.contains(&self.args.only)
    }

    /// pyarrow, or a note that says why not.
    pub fn pyarrow(&mut self) -> Option<Pyarrow> {
        match Pyarrow::start(self.args.scale) {
            Ok(pyarrow) => Some(pyarrow),
            Err(why) => {
                self.note(format!("pyarrow is not measured: {why}"));
                None
            },
        }
    }

    /// A note for readers of the results.
    pub fn note(&mut self, note: String) {
        eprintln!("\n!!!!!!!! {note} !!!!!!!!\n");
        self.run.notes.push(note);
    }

    /// Measures the contenders, if the cell is asked for.
    pub fn cell(&mut self, cell: Cell, mut contenders: Vec<Contender<'_>>) {
        if self.wants(&cell.title()) {
            let entries = alternate(&mut contenders, self.args.rounds);
            self.push(Cell { entries, ..cell });
        }
    }

    /// Keeps a cell that has been measured.
    pub fn push(&mut self, cell: Cell) {
        if self.run.cells.is_empty() {
            println!("| cell | floe | others | best peer / floe |\n|---|---|---|---|");
        }
        println!("{}", line(&cell));
        self.run.cells.push(cell);
    }

    /// The results; the files are gone.
    #[must_use]
    pub fn into_run(mut self) -> Run {
        let mut run = std::mem::take(&mut self.run);
        run.date = today();
        run.machine = Machine::here();
        run.seconds = self.started.elapsed().as_secs_f64().round();
        run
    }

    /// Puts the results into the file, if one was named.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn finish(self) -> Result<(), String> {
        let (name, path) = (self.name, self.args.json.clone());
        let run = self.into_run();
        if run.cells.is_empty() && run.timelines.is_empty() {
            return Ok(());
        }
        println!("\n{name}: {:.0} s", run.seconds);
        let Some(path) = path else { return Ok(()) };
        let mut results = Results::load(&path)?;
        results.runs.insert(name.into(), run);
        results.save(&path)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Left behind it would be memory: a failure to remove it is worth knowing, and nothing more.
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            eprintln!("{}: {error}", self.folder.display());
        }
    }
}

fn line(cell: &Cell) -> String {
    let show = |entry: &Entry| format!("{:.*}", digits(entry.value), entry.value);
    let floe = cell.floe().map(show).unwrap_or_default();
    let others = cell.entries.iter().filter(|entry| entry.role != Role::Floe);
    let others: Vec<String> = others.map(|entry| format!("{} {}", entry.who, show(entry))).collect();
    let ratio = cell.ratio().map(|ratio| format!("{ratio:.2}x")).unwrap_or_default();
    format!("| {} | {floe} {} | {} | {ratio} |", cell.title(), cell.unit.name(), others.join(", "))
}

/// Digits behind the point, so that three or so count.
pub(crate) fn digits(value: f64) -> usize {
    match value {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 4,
    }
}
