//! Uncompressed bytes that need not be copied: in memory, or mapped.

use arrow_buffer::Buffer;
use polars_core::prelude::*;

use crate::contenders::pyarrow::Pyarrow;
use crate::contenders::{Codec, Format, arrow_rs, eager, floe, lazy};
use crate::data::{self, shapes};
use crate::measure::Contender;
use crate::results::{Cell, Goal, Role};
use crate::runner::Bench;

/// The least bytes per second at which validation should read its input.
const VALIDATED: f64 = 10e9;

/// Numbers (nothing to look at), strings and lists (everything), at two sizes: what depends on the metadata
/// alone does not grow.
pub fn run(bench: &mut Bench, pyarrow: Option<&Pyarrow>) {
    for (what, looks, make) in [
        ("numbers", false, data::numbers as fn(usize) -> DataFrame),
        ("strings", true, data::strings),
        ("nested lists", true, shapes::nested),
    ] {
        for rows in [200_000, 2_000_000] {
            let group = format!("zero-copy, {what}");
            let title = format!("{group}: ");
            if bench.wants(&title) || bench.args.only.starts_with(&group) || bench.args.only.is_empty() {
                let df = make(bench.scaled(rows));
                let size = if rows > 1_000_000 { "2M rows" } else { "200,000 rows" };
                one(bench, pyarrow, &group, size, &df, looks);
            }
        }
    }
}

fn one(bench: &mut Bench, pyarrow: Option<&Pyarrow>, group: &str, size: &str, df: &DataFrame, looks: bool) {
    let bytes = floe::to_vec(df, Format::File, Codec::Raw, Some(super::BATCH_ROWS));
    let len = bytes.len() as u64;
    let path = bench.path("mapped");
    let path = path.as_path();
    std::fs::write(path, &bytes).expect("written");
    let stream = floe::Shared::new(floe::to_vec(df, Format::Stream, Codec::Raw, Some(super::BATCH_ROWS)));
    let bytes = floe::Shared::new(bytes);
    let buffer = Buffer::from(bytes.as_ref().to_vec());
    #[expect(clippy::cast_precision_loss, reason = "a time in milliseconds")]
    let in_time = len as f64 / VALIDATED * 1e3;
    // Metadata alone: what ten batches of a few columns take, with room to spare.
    let goal = |looks: bool| if looks { Goal::at_most(in_time) } else { Goal::at_most(1.0) };
    let cell = |name: &str, goals: Vec<Goal>| Cell {
        group: group.into(),
        name: format!("{name}, {size}"),
        codec: "raw".into(),
        bytes: Some(len),
        goals,
        ..Cell::default()
    };
    bench.cell(
        cell("from_bytes, validated", vec![goal(looks), Goal::peer(1.0)]),
        vec![
            Contender::floe(|| floe::from_bytes(bytes.clone(), Format::File, true)),
            Contender::peer("arrow-rs FileDecoder, validated", || arrow_rs::from_buffer(&buffer)),
        ],
    );
    bench.cell(
        cell("stream from_bytes, validated", vec![goal(looks)]),
        vec![Contender::floe(|| floe::from_bytes(stream.clone(), Format::Stream, true))],
    );
    bench.cell(
        cell("from_bytes, skip_validation", vec![goal(false)]),
        vec![Contender::floe(|| floe::from_bytes(bytes.clone(), Format::File, false))],
    );
    let mut mapped = vec![
        Contender::floe(|| floe::map(path)),
        // The other readers do no peer's work: they check nothing.
        Contender::limit("Polars, not validated", || eager::map(path)),
        Contender::limit("Polars scan_ipc", || lazy::collect(lazy::scan(path))),
    ];
    if let Some(pyarrow) = pyarrow {
        mapped.push(Contender::new("pyarrow, not validated", Role::Limit, || {
            pyarrow.read(Format::File, path, true)
        }));
    }
    bench.cell(cell("memory-mapped, validated", vec![goal(looks)]), mapped);
    crate::limits::fresh(path);
}
