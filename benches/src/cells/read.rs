//! A file on tmpfs to a frame in memory, by copy.

use super::Subject;
use crate::contenders::pyarrow::Pyarrow;
use crate::contenders::{Codec, Format, arrow_rs, eager, floe, lazy};
use crate::limits::{Buffers, decompress, fresh, read_and_decompress, read_bare, write_frames};
use crate::measure::{Contender, alternate};
use crate::results::{Cell, Entry, Goal, Role};
use crate::runner::Bench;

/// The names of the cells.
pub const NAMES: [&str; 4] = ["read file", "read stream", "read file, in chunks", "read stream, in chunks"];

fn goals(codec: Codec) -> Vec<Goal> {
    match codec {
        Codec::Raw => vec![Goal::peer(1.3)],
        Codec::Lz4 | Codec::Zstd => {
            vec![Goal::peer(1.5), Goal::than("Polars", 3.0), Goal::than("(read(2) + codec) x cores", 0.85)]
        },
    }
}

/// One format, one codec; contiguous columns, and chunks as they come if the subject wants both.
///
/// Readers without the choice (arrow-rs, pyarrow and Polars' scan give chunks as they come) run once and stand in both
/// cells. Beside contiguous columns they have the easier job.
pub fn run(subject: &Subject, bench: &mut Bench, pyarrow: Option<&Pyarrow>, format: Format, codec: Codec) {
    let name = format!("read {}", format.name());
    let joined = subject.cell(&name, codec, goals(codec));
    let chunks = subject.cell(&format!("{name}, in chunks"), codec, goals(codec));
    let with_chunks = subject.both_rechunks && bench.wants(&chunks.title());
    if !bench.wants(&joined.title()) && !with_chunks {
        return;
    }
    let (path, bare) = (bench.path("read"), bench.path("frames"));
    let path = path.as_path();
    let bytes = floe::to_vec(&subject.df, format, codec, Some(subject.batch_rows));
    std::fs::write(path, bytes).expect("written");
    let frames = codec
        .floe()
        .map(|compression| (Buffers::of(&subject.df, format).compressed(compression), compression.codec()));
    let (mut warm, mut out, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    let mut all = vec![
        Contender::floe(|| floe::read(format, path, true, None)),
        Contender::peer("Polars", || eager::read(format, path, true, None)),
        Contender::peer("arrow-rs", || arrow_rs::read(format, path, None)),
    ];
    if format == Format::File {
        all.push(Contender::peer("Polars scan_ipc", || lazy::collect(lazy::scan(path))));
    }
    if let Some(pyarrow) = pyarrow {
        all.push(Contender::new("pyarrow", Role::Peer, || pyarrow.read(format, path, false)));
    }
    all.push(match &frames {
        None => Contender::limit("read(2)", || read_bare(path, &mut warm)),
        Some((frames, codec)) => {
            Contender::new("codec x cores", Role::Limit, || decompress(frames, *codec, &mut out))
        },
    });
    if let Some((frames, codec)) = &frames {
        write_frames(frames, &bare);
        all.push(Contender::new("(read(2) + codec) x cores", Role::Limit, || {
            read_and_decompress(&bare, frames, *codec, &mut whole)
        }));
    }
    if with_chunks {
        all.push(Contender::floe(|| floe::read(format, path, false, None)));
        all.push(Contender::peer("Polars", || eager::read(format, path, false, None)));
    }
    let entries = alternate(&mut all, bench.args.rounds);
    drop(all);
    split(bench, joined, chunks, &entries, with_chunks);
    fresh(path);
    fresh(&bare);
}

/// The last two entries, if there are chunks, take the place of the first two.
fn split(bench: &mut Bench, joined: Cell, chunks: Cell, entries: &[Entry], with_chunks: bool) {
    let (first, last) = entries.split_at(entries.len() - if with_chunks { 2 } else { 0 });
    if bench.wants(&joined.title()) {
        bench.push(Cell { entries: first.to_vec(), ..joined });
    }
    if with_chunks {
        let entries = last.iter().chain(first.iter().skip(2)).cloned().collect();
        bench.push(Cell { entries, ..chunks });
    }
}
