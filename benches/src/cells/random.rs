//! Reads that should not depend on the size of the file: the first rows, the number of rows, one batch.

use std::fs::File;
use std::path::Path;

use ::floe::prelude::{IpcReader, SerReader};
use polars_core::prelude::*;
use polars_lazy::prelude::*;

use crate::contenders::pyarrow::Pyarrow;
use crate::contenders::{Codec, Format, arrow_rs, eager, floe, lazy};
use crate::data;
use crate::measure::Contender;
use crate::results::{Cell, Goal, Role};
use crate::runner::Bench;

const GROUP: &str = "random access";
/// Rows of a batch: the large file has ten times as many batches.
const ROWS: usize = 20_000;
/// How often in a row, as once takes less than a millisecond.
const TIMES: usize = 20;

fn repeat<T>(mut work: impl FnMut() -> T) {
    (0..TIMES).for_each(|_| drop(std::hint::black_box(work())));
}

fn reader(path: &Path) -> IpcReader<File> {
    IpcReader::new(File::open(path).expect("a file"))
}

fn first_rows(path: &Path) -> DataFrame {
    reader(path).with_n_rows(Some(5)).finish().expect("floe reads")
}

/// LZ4 files of 20 and of 200 batches.
pub fn run(bench: &mut Bench, pyarrow: Option<&Pyarrow>) {
    let names = ["with_n_rows(5)", "num_rows", "get_batch(7)"];
    if !names.iter().any(|name| bench.wants(&format!("{GROUP}: {name} x 20"))) {
        return;
    }
    let (small, large) = (bench.path("small"), bench.path("large"));
    // Enough to be compressed.
    let rows = bench.scaled(ROWS).max(200);
    for (path, batches) in [(&small, 20), (&large, 200)] {
        // Values that all compress: Polars' readers fail to take the first rows of buffers that are stored raw in a
        // compressed file (columns of unequal length).
        let df = data::wide(8, batches * rows);
        std::fs::write(path, floe::to_vec(&df, Format::File, Codec::Lz4, Some(rows))).expect("written");
    }
    let (small, large) = (small.as_path(), large.as_path());
    let ask = |command: &'static [&'static str]| {
        let path = large.to_string_lossy().into_owned();
        move |pyarrow: &Pyarrow| {
            let line: Vec<&str> =
                command.iter().map(|word| if *word == "PATH" { &path } else { *word }).collect();
            (0..TIMES).map(|_| pyarrow.time(&line)).sum()
        }
    };
    let (batch_0, rows, batch_7) =
        (ask(&["batch", "PATH", "0"]), ask(&["rows", "PATH"]), ask(&["batch", "PATH", "7"]));
    let mut first = vec![
        Contender::floe(|| repeat(|| first_rows(large))),
        Contender::limit(TENTH, || repeat(|| first_rows(small))),
        Contender::peer("Polars", || repeat(|| eager::first_rows(large, 5))),
        Contender::peer("Polars scan_ipc", || repeat(|| lazy::collect(lazy::scan(large).limit(5)))),
        Contender::peer("arrow-rs, batch 0", || repeat(|| arrow_rs::batch_at(large, 0))),
    ];
    let mut count = vec![
        Contender::floe(|| repeat(|| reader(large).num_rows().expect("floe reads"))),
        Contender::limit(TENTH, || repeat(|| reader(small).num_rows().expect("floe reads"))),
        Contender::peer("Polars scan_ipc", || repeat(|| lazy::collect(lazy::scan(large).select([len()])))),
    ];
    let mut one = vec![
        Contender::floe(|| repeat(|| reader(large).get_batch(7).expect("floe reads"))),
        Contender::limit(TENTH, || repeat(|| reader(small).get_batch(7).expect("floe reads"))),
        Contender::peer("arrow-rs", || repeat(|| arrow_rs::batch_at(large, 7))),
    ];
    if let Some(pyarrow) = pyarrow {
        first.push(Contender::new("pyarrow, batch 0", Role::Peer, move || batch_0(pyarrow)));
        count.push(Contender::new("pyarrow", Role::Peer, move || rows(pyarrow)));
        one.push(Contender::new("pyarrow", Role::Peer, move || batch_7(pyarrow)));
    }
    for (name, contenders) in names.into_iter().zip([first, count, one]) {
        let goals = vec![Goal::peer(1.0), Goal::than(TENTH, 0.8)];
        let name = format!("{name} x {TIMES}, 200 batches");
        let codec = Codec::Lz4.name().into();
        bench.cell(Cell { group: GROUP.into(), name, codec, goals, ..Cell::default() }, contenders);
    }
    crate::limits::fresh(small);
    crate::limits::fresh(large);
}

const TENTH: &str = "floe, a tenth of the file";
