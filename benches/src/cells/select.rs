//! Two columns of sixteen: the time of those two, and the bytes of those two.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::floe::prelude::{IpcReader, SerReader};
use polars_core::prelude::*;
use polars_io::mmap::MmapBytesReader;
use polars_lazy::prelude::*;

use crate::contenders::pyarrow::Pyarrow;
use crate::contenders::{Codec, Format, arrow_rs, eager, floe, lazy};
use crate::data::shapes;
use crate::measure::Contender;
use crate::results::{Cell, Entry, Goal, Role, Unit, megabytes};
use crate::runner::Bench;

const GROUP: &str = "2 of 16 columns (1M rows)";
const WANTED: [usize; 2] = [3, 12];

/// All codecs, files; and a raw stream in memory-like order.
pub fn run(bench: &mut Bench, pyarrow: Option<&Pyarrow>) {
    for codec in crate::contenders::CODECS {
        let titles = ["read file", "bytes read"].map(|name| format!("{GROUP}: {name}, {}", codec.name()));
        if titles.iter().any(|title| bench.wants(title)) {
            let df = shapes::sixteen(bench.scaled(1_000_000));
            one(bench, pyarrow, &df, codec);
        }
    }
}

fn one(bench: &mut Bench, pyarrow: Option<&Pyarrow>, df: &DataFrame, codec: Codec) {
    let names: Vec<PlSmallStr> = WANTED.iter().map(|i| df.get_column_names()[*i].clone()).collect();
    let two = df.select(names.iter().cloned()).expect("columns of the frame");
    let (path, alone) = (bench.path("sixteen"), bench.path("two"));
    let rows = Some(bench.scaled(100_000));
    std::fs::write(&path, floe::to_vec(df, Format::File, codec, rows)).expect("written");
    let bytes_alone = floe::to_vec(&two, Format::File, codec, rows);
    std::fs::write(&alone, &bytes_alone).expect("written");
    let wanted = || Some(WANTED.to_vec());
    let columns: Vec<Expr> = names.iter().map(|name| col(name.clone())).collect();
    let mut all = vec![
        Contender::floe(|| floe::read(Format::File, &path, true, wanted())),
        Contender::limit("floe, those two alone", || floe::read(Format::File, &alone, true, None)),
        Contender::peer("Polars", || eager::read(Format::File, &path, true, wanted())),
        Contender::peer("Polars scan_ipc", || lazy::collect(lazy::scan(&path).select(columns.clone()))),
        Contender::peer("arrow-rs", || arrow_rs::read(Format::File, &path, wanted())),
    ];
    if let Some(pyarrow) = pyarrow {
        let (path, numbers) = (path.to_string_lossy().into_owned(), WANTED.map(|i| i.to_string()).join(","));
        all.push(Contender::new("pyarrow", Role::Peer, move || {
            pyarrow.time(&["read", "file", &path, &numbers, "copy"])
        }));
    }
    let cell = |name: &str, goals| Cell {
        group: GROUP.into(),
        name: name.into(),
        codec: codec.name().into(),
        goals,
        ..Cell::default()
    };
    bench.cell(cell("read file", vec![Goal::peer(1.0), Goal::than("floe, those two alone", 1.0 / 1.3)]), all);
    let cell = cell("bytes read", vec![Goal::than("a file of those two alone", 1.0 / 1.1)]);
    if bench.wants(&cell.title()) {
        let counted = count(&path, &wanted());
        let entries = vec![
            Entry::single("floe", Role::Floe, megabytes(counted)),
            Entry::single("a file of those two alone", Role::Limit, megabytes(bytes_alone.len() as u64)),
            Entry::single(
                "the whole file",
                Role::Limit,
                megabytes(std::fs::metadata(&path).expect("a file").len()),
            ),
        ];
        bench.push(Cell { unit: Unit::Mb, entries, ..cell });
    }
    crate::limits::fresh(&path);
    crate::limits::fresh(&alone);
}

/// How many bytes floe reads of a file.
fn count(path: &std::path::Path, columns: &Option<Vec<usize>>) -> u64 {
    let bytes = Arc::new(AtomicU64::new(0));
    let counting = Counting { file: File::open(path).expect("a file"), bytes: Arc::clone(&bytes) };
    IpcReader::new(counting).with_projection(columns.clone()).finish().expect("floe reads");
    bytes.load(Ordering::Relaxed)
}

/// A file that counts what is read of it.
struct Counting {
    file: File,
    bytes: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read(out)?;
        self.bytes.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl Seek for Counting {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(to)
    }
}

impl MmapBytesReader for Counting {}
