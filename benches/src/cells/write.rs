//! A frame in memory to a new file on tmpfs.

use polars_lazy::prelude::*;

use super::Subject;
use crate::contenders::pyarrow::Pyarrow;
use crate::contenders::{Codec, Format, arrow_rs, eager, floe, lazy};
use crate::limits::{Buffers, fresh, write_bare};
use crate::measure::Contender;
use crate::results::{Goal, Role};
use crate::runner::Bench;

/// The names of the cells.
pub const NAMES: [&str; 2] = ["write file", "write stream"];

fn goals(codec: Codec) -> Vec<Goal> {
    match codec {
        Codec::Raw => vec![Goal::peer(1.0), Goal::than("write(2)", 1.0 / 1.10)],
        Codec::Lz4 => compressed(1.5),
        Codec::Zstd => compressed(1.4),
    }
}

fn compressed(peers: f64) -> Vec<Goal> {
    vec![
        Goal::peer(peers),
        Goal::than("Polars", 2.5),
        Goal::than("codec x cores", 0.85),
        Goal::than("(codec + write(2)) x cores", 0.85),
    ]
}

/// One format, one codec.
pub fn run(subject: &Subject, bench: &mut Bench, pyarrow: Option<&Pyarrow>, format: Format, codec: Codec) {
    let cell = subject.cell(&format!("write {}", format.name()), codec, goals(codec));
    if !bench.wants(&cell.title()) {
        return;
    }
    let df = &subject.df;
    let path = bench.path("written");
    let path = path.as_path();
    let clean = || fresh(path);
    let (mut one, mut two) = (df.clone(), df.clone());
    let batches = arrow_rs::batches(df, format);
    let buffers = Buffers::of(df, format);
    let mut all = vec![
        Contender::prepared("floe", Role::Floe, clean, |()| floe::write(&mut one, format, codec, path)),
        Contender::prepared("Polars", Role::Peer, clean, |()| eager::write(&mut two, format, codec, path)),
        Contender::prepared("arrow-rs", Role::Peer, clean, |()| {
            arrow_rs::write(&batches, format, codec, path)
        }),
    ];
    if format == Format::File {
        let query = || df.clone().lazy();
        all.push(Contender::prepared("Polars sink_ipc", Role::Peer, clean, move |()| {
            lazy::sink(query(), codec, path);
        }));
    }
    if let Some(pyarrow) = pyarrow {
        all.push(Contender::new("pyarrow", Role::Peer, move || {
            pyarrow.write("subject", format, codec, path)
        }));
    }
    let buffers = &buffers;
    match codec.floe() {
        None => all.push(Contender::prepared("write(2)", Role::Limit, clean, |()| {
            write_bare(buffers.bytes(), path);
        })),
        Some(compression) => {
            all.push(Contender::new("codec x cores", Role::Limit, move || buffers.compress(compression)));
            all.push(Contender::new("(codec + write(2)) x cores", Role::Limit, move || {
                clean();
                buffers.compress_and_write(compression, path)
            }));
        },
    }
    bench.cell(cell, all);
    clean();
}
