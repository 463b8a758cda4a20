//! Peak memory beyond what has to be there: beyond the frame while it is written, beyond the result while it is
//! read. Each run is a process of its own, so that nothing is left over from another.
//!
//! A child makes its data, resets the kernel's high-water mark (`/proc/self/clear_refs`) and does one thing. It prints
//! how far the mark rose above the memory resident before, less the size of the result. Freed memory goes back to the
//! system at once (`MALLOC_*_THRESHOLD_` are fixed), so that reused memory is not hidden.

use std::path::{Path, PathBuf};
use std::process::Command;

use arrow::array::{Array, Utf8ViewArray};
use polars_core::prelude::*;
use polars_lazy::prelude::*;

use crate::args::Scale;
use crate::cells::lazy::{floe_scan, floe_sink};
use crate::contenders::{Codec, Format, arrow_rs, eager, floe, lazy};
use crate::data;
use crate::machine::field;
use crate::results::{Cell, Entry, Goal, Role, Unit};
use crate::runner::Bench;

/// The work of one child.
#[derive(Debug, Clone)]
pub struct Job {
    /// `write`, `read`, `sink` or `scan`.
    pub what: String,
    /// Who does it.
    pub who: String,
    /// `numbers`, `strings`, `wide`, `batches`.
    pub data: String,
    /// How much of it: rows, columns, batches.
    pub size: usize,
    /// To or from which format.
    pub format: Format,
    /// How compressed.
    pub codec: Codec,
    /// The file.
    pub path: PathBuf,
}

impl Job {
    fn to_args(&self) -> Vec<String> {
        let Self { what, who, data, size, format, codec, path } = self;
        let size = size.to_string();
        let path = path.to_string_lossy().into_owned();
        [what, who, data, &size, format.name(), codec.name(), &path].map(ToString::to_string).to_vec()
    }

    fn from_args(args: &[String]) -> Option<Self> {
        let [what, who, data, size, format, codec, path] = args else { return None };
        Some(Self {
            what: what.clone(),
            who: who.clone(),
            data: data.clone(),
            size: size.parse().ok()?,
            format: Format::BOTH.into_iter().find(|known| known.name() == format)?,
            codec: crate::contenders::CODECS.into_iter().find(|known| known.name() == codec)?,
            path: path.into(),
        })
    }

    fn frame(&self) -> DataFrame {
        match self.data.as_str() {
            "strings" => data::strings(self.size),
            "wide" => data::wide(self.size, 500),
            "batches" => data::numbers(self.size * 200),
            _ => data::numbers(self.size),
        }
    }

    fn batch_rows(&self) -> Option<usize> {
        (self.data == "batches").then_some(200)
    }

    /// Writes the file that is to be read.
    pub fn prepare(&self) {
        let bytes = floe::to_vec(&self.frame(), self.format, self.codec, self.batch_rows());
        std::fs::write(&self.path, bytes).expect("written");
    }

    /// Does it here, in a child of its own or not. Megabytes.
    #[must_use]
    pub fn run(&self) -> f64 {
        match self.what.as_str() {
            "read" => self.read(),
            "sink" => self.sink(),
            "scan" => self.scan(),
            _ => self.write(),
        }
    }

    fn write(&self) -> f64 {
        let mut df = self.frame();
        let Self { format, codec, path, .. } = self;
        match self.who.as_str() {
            "Polars" => peak(|| eager::write(&mut df, *format, *codec, path)),
            "Polars sink_ipc" => peak(|| lazy::sink(df.lazy(), *codec, path)),
            "arrow-rs" => {
                let batches = arrow_rs::batches(&df, *format);
                drop(df);
                peak(|| arrow_rs::write(&batches, *format, *codec, path))
            },
            _ => {
                let rows = self.batch_rows();
                let to = || std::fs::File::create(path).expect("a file");
                peak(|| floe::write_to(&mut df, *format, *codec, rows, to()))
            },
        }
    }

    fn read(&self) -> f64 {
        let Self { format, path, .. } = self;
        match self.who.as_str() {
            "Polars" => beyond(|| eager::read(*format, path, true, None), size_of_frame),
            "Polars scan_ipc" => beyond(|| lazy::collect(lazy::scan(path)), size_of_frame),
            "arrow-rs" => beyond(
                || arrow_rs::read(*format, path, None),
                |batches| batches.iter().map(|batch| mb(batch.get_array_memory_size() as u64)).sum(),
            ),
            _ => beyond(|| floe::read(*format, path, true, None), size_of_frame),
        }
    }

    /// A query whose result is two hundred times what it starts from.
    fn large_query(&self) -> LazyFrame {
        let more = concat(vec![self.frame().lazy(); 200], UnionArgs::default()).expect("one schema");
        more.with_columns([col("small") + col("medium")])
    }

    fn sink(&self) -> f64 {
        let query = self.large_query();
        match self.who.as_str() {
            "floe" => peak(|| floe_sink(query, self.format, self.codec, &self.path)),
            _ => peak(|| lazy::sink(query, self.codec, &self.path)),
        }
    }

    /// The sums of what such a query gave: nothing of it has to be kept.
    fn scan(&self) -> f64 {
        let scan = match self.who.as_str() {
            "floe" => floe_scan(self.format, &self.path),
            _ => lazy::scan(&self.path),
        };
        peak(|| lazy::collect(scan.select([all().as_expr().sum()])))
    }
}

fn mb(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1000).unwrap_or(u32::MAX)) / 1e3
}

/// A size of `/proc/self/status`, in megabytes.
fn status(name: &str) -> f64 {
    let text = field("/proc/self/status", name).unwrap_or_default();
    mb(text.split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1024)
}

/// The memory that a frame holds on to. `estimated_size` counts of a string its bytes alone, not the view of 16 bytes.
fn size_of_frame(df: &DataFrame) -> f64 {
    let of_views = |chunk: &ArrayRef| {
        let strings = chunk.as_any().downcast_ref::<Utf8ViewArray>()?;
        let validity = strings.validity().map_or(0, |validity| validity.len().div_ceil(8));
        Some(size_of_val(strings.views().as_slice()) + strings.total_buffer_len() + validity)
    };
    let of_column = |column: &Column| {
        let series = column.as_materialized_series();
        let views = series.chunks().iter().map(of_views).sum::<Option<usize>>();
        views.unwrap_or_else(|| series.estimated_size())
    };
    mb(df.columns().iter().map(of_column).sum::<usize>() as u64)
}

/// How far the resident set rises above its present size.
fn peak<T>(work: impl FnOnce() -> T) -> f64 {
    beyond(work, |_| 0.0)
}

/// The same, less the size of what comes of it.
fn beyond<T>(work: impl FnOnce() -> T, size: impl FnOnce(&T) -> f64) -> f64 {
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux resets the high-water mark");
    let before = status("VmRSS");
    let result = std::hint::black_box(work());
    (status("VmHWM") - before - size(&result)).max(0.0)
}

/// Runs a job in a child; with hardly any data, here.
#[must_use]
pub fn measure(bench: &Bench, job: &Job) -> f64 {
    if bench.args.scale == Scale::Tiny {
        return job.run();
    }
    let output = Command::new(std::env::current_exe().expect("this program"))
        .arg("--child")
        .args(job.to_args())
        .env("MALLOC_MMAP_THRESHOLD_", "131072")
        .env("MALLOC_TRIM_THRESHOLD_", "131072")
        .output()
        .expect("a child");
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rev().find_map(|line| line.parse().ok());
    last.unwrap_or_else(|| panic!("{job:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// If this process is a child: its job, and nothing else.
#[must_use]
pub fn was_child(bench: &Bench) -> bool {
    let job = Job::from_args(&bench.args.child);
    if let Some(job) = &job {
        println!("{}", job.run());
    }
    job.is_some()
}

/// Every cell.
pub fn run(bench: &mut Bench) {
    if was_child(bench) {
        return;
    }
    let pyarrow = bench.pyarrow();
    for (group, data, rows) in
        [("4M x 8 numbers", "numbers", 4_000_000), ("2M x 3 strings", "strings", 2_000_000)]
    {
        for what in ["write", "read"] {
            for format in Format::BOTH {
                for codec in [Codec::Raw, Codec::Lz4] {
                    let size = bench.scaled(rows);
                    let job = Job {
                        what: what.into(),
                        who: "floe".into(),
                        data: data.into(),
                        size,
                        format,
                        codec,
                        path: bench.path("memory"),
                    };
                    one(bench, group, &job, pyarrow.as_ref());
                }
            }
        }
    }
    drop(pyarrow);
    sinks(bench);
    scans(bench);
}

/// Megabytes that writing and reading may take beyond the frame.
const BEYOND: f64 = 64.0;

fn one(bench: &mut Bench, group: &str, job: &Job, pyarrow: Option<&crate::contenders::pyarrow::Pyarrow>) {
    let (reads, is_file) = (job.what == "read", job.format == Format::File);
    let mut who = vec!["floe", "Polars", "arrow-rs"];
    if is_file {
        who.push(if reads { "Polars scan_ipc" } else { "Polars sink_ipc" });
    }
    let cell = Cell {
        group: group.into(),
        name: format!("{} {}", job.what, job.format.name()),
        codec: job.codec.name().into(),
        unit: Unit::Mb,
        goals: vec![Goal::at_most(BEYOND)],
        ..Cell::default()
    };
    if !bench.wants(&cell.title()) {
        return;
    }
    if reads {
        job.prepare();
    }
    let mut entries: Vec<Entry> = Vec::new();
    for who in who {
        let role = if who == "floe" { Role::Floe } else { Role::Peer };
        let value = measure(bench, &Job { who: who.into(), ..job.clone() });
        entries.push(Entry::single(who, role, value));
    }
    if let Some(pyarrow) = pyarrow {
        entries.extend(beside(pyarrow, bench.args.scale, job));
    }
    crate::limits::fresh(&job.path);
    bench.push(Cell { entries, ..cell });
}

/// The memory that pyarrow takes, in a process of its own.
fn beside(shared: &crate::contenders::pyarrow::Pyarrow, scale: Scale, job: &Job) -> Option<Entry> {
    use crate::contenders::pyarrow::{Pyarrow, codec_name};
    // A fresh one has nothing in its pool; the shared one says whether there is any.
    let pyarrow = Pyarrow::start(scale).unwrap_or_else(|_| shared.clone());
    let path = job.path.to_string_lossy().into_owned();
    let format = job.format.name();
    let value = if job.what == "read" {
        pyarrow.ask(&["peak_read", format, &path]).ok()?
    } else {
        Job { codec: Codec::Raw, ..job.clone() }.prepare();
        pyarrow.load("memory", job.format, Path::new(&path)).ok()?;
        pyarrow.ask(&["peak_write", "memory", format, codec_name(job.codec), &path]).ok()?
    };
    Some(Entry::single("pyarrow", Role::Peer, value))
}

/// Lazy sinks of a result of two gigabytes.
fn sinks(bench: &mut Bench) {
    lazily(bench, "sink", "2 GB from a lazy query", "sink to a", "Polars sink_ipc");
}

/// Sums over a file of such a result.
fn scans(bench: &mut Bench) {
    lazily(bench, "scan", "2 GB scanned by a lazy query", "sums of a", "Polars scan_ipc");
}

fn lazily(bench: &mut Bench, what: &str, group: &str, name: &str, peer: &str) {
    for format in Format::BOTH {
        let cell = Cell {
            group: group.into(),
            name: format!("{name} {}", format.name()),
            codec: Codec::Lz4.name().into(),
            unit: Unit::Mb,
            goals: vec![Goal::at_most(400.0)],
            ..Cell::default()
        };
        if !bench.wants(&cell.title()) {
            continue;
        }
        let job = |who: &str| Job {
            what: what.into(),
            who: who.into(),
            data: "numbers".into(),
            size: bench.scaled(160_000),
            format,
            codec: Codec::Lz4,
            path: bench.path(what),
        };
        let floe = job("floe");
        if what == "scan" {
            floe_sink(floe.large_query(), format, floe.codec, &floe.path);
        }
        let mut entries = vec![Entry::single("floe", Role::Floe, measure(bench, &floe))];
        if format == Format::File {
            entries.push(Entry::single(peer, Role::Peer, measure(bench, &job(peer))));
        }
        crate::limits::fresh(&floe.path);
        bench.push(Cell { entries, ..cell });
    }
}
