//! Growth: time and memory over three decades of rows, of columns and of batches. Where both are linear, the
//! fitted exponent is at most one; below one is what a run costs whatever its size.

use polars_core::prelude::*;

use crate::contenders::{Codec, Format, arrow_rs, eager, floe};
use crate::data;
use crate::limits::fresh;
use crate::measure::Contender;
use crate::memory::{self, Job};
use crate::results::{Cell, Entry, Role, Unit};
use crate::runner::Bench;

/// One axis of growth.
struct Axis {
    name: &'static str,
    data: &'static str,
    sizes: [usize; 4],
    make: fn(usize) -> DataFrame,
    batch_rows: Option<usize>,
}

const AXES: [Axis; 3] = [
    Axis {
        name: "rows",
        data: "numbers",
        sizes: [8_000, 80_000, 800_000, 8_000_000],
        make: data::numbers,
        batch_rows: None,
    },
    Axis {
        name: "columns",
        data: "wide",
        sizes: [10, 100, 1_000, 10_000],
        make: |columns| data::wide(columns, 500),
        batch_rows: None,
    },
    Axis {
        name: "batches",
        data: "batches",
        sizes: [10, 100, 1_000, 10_000],
        make: |batches| data::numbers(batches * 200),
        batch_rows: Some(200),
    },
];

/// Every axis, raw and LZ4: files written and read.
pub fn run(bench: &mut Bench) {
    if memory::was_child(bench) {
        return;
    }
    for axis in &AXES {
        for size in axis.sizes {
            let size = bench.scaled(size);
            let df = (axis.make)(size);
            for codec in [Codec::Raw, Codec::Lz4] {
                times(bench, axis, size, &df, codec);
            }
            drop(df);
            peaks(bench, axis, size);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a place on an axis")]
fn cell(axis: &Axis, name: &str, size: usize, codec: Codec, unit: Unit) -> Cell {
    Cell {
        group: format!("growth in {}", axis.name),
        name: format!("{name}, {size} {}", axis.name),
        codec: codec.name().into(),
        x: Some(size as f64),
        unit,
        ..Cell::default()
    }
}

fn times(bench: &mut Bench, axis: &Axis, size: usize, df: &DataFrame, codec: Codec) {
    let path = bench.path("growth");
    let path = path.as_path();
    let (mut one, mut two) = (df.clone(), df.clone());
    let rows = axis.batch_rows;
    let batches = arrow_rs_batches(df, rows);
    let clean = || fresh(path);
    let to = || std::fs::File::create(path).expect("a file");
    let mut all = vec![
        Contender::prepared("floe", Role::Floe, clean, |()| {
            floe::write_to(&mut one, Format::File, codec, rows, to());
        }),
        Contender::prepared("arrow-rs", Role::Peer, clean, |()| {
            arrow_rs::write(&batches, Format::File, codec, path);
        }),
    ];
    if rows.is_none() {
        // Polars' writer makes one batch, with any option.
        all.push(Contender::prepared("Polars", Role::Peer, clean, |()| {
            eager::write(&mut two, Format::File, codec, path);
        }));
    }
    bench.cell(cell(axis, "write", size, codec, Unit::Ms), all);
    std::fs::write(path, floe::to_vec(df, Format::File, codec, rows)).expect("written");
    bench.cell(
        cell(axis, "read", size, codec, Unit::Ms),
        vec![
            Contender::floe(|| floe::read(Format::File, path, true, None)),
            Contender::peer("arrow-rs", || arrow_rs::read(Format::File, path, None)),
            Contender::peer("Polars", || eager::read(Format::File, path, true, None)),
        ],
    );
    clean();
}

fn arrow_rs_batches(df: &DataFrame, rows: Option<usize>) -> Vec<arrow_array::RecordBatch> {
    let bytes = floe::to_vec(df, Format::File, Codec::Raw, rows);
    arrow_rs::read_file(std::io::Cursor::new(bytes), None)
}

fn peaks(bench: &mut Bench, axis: &Axis, size: usize) {
    for (what, name) in [("write", "peak memory, write"), ("read", "peak memory, read")] {
        let cell = cell(axis, name, size, Codec::Lz4, Unit::Mb);
        if !bench.wants(&cell.title()) {
            continue;
        }
        let job = Job {
            what: what.into(),
            who: "floe".into(),
            data: axis.data.into(),
            size,
            format: Format::File,
            codec: Codec::Lz4,
            path: bench.path("growth"),
        };
        if what == "read" {
            job.prepare();
        }
        let value = memory::measure(bench, &job);
        fresh(&job.path);
        bench.push(Cell { entries: vec![Entry::single("floe", Role::Floe, value)], ..cell });
    }
}
