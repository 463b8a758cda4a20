//! The peer comparison: floe and the peers take turns on the same data, codec and level, in one process.
//!
//! Peers are Polars' eager readers and writers, Polars' streaming `sink_ipc` and `scan_ipc`, arrow-rs 60, and
//! pyarrow 26 (in a process of its own, told when it is its turn). Files are on tmpfs.

use polars_core::prelude::*;

use crate::args::Scale;
use crate::cells::{Subject, lazy, random, select, small, socket, zero_copy};
use crate::contenders::pyarrow::Pyarrow;
use crate::data::{self, real, shapes};
use crate::limits;
use crate::runner::Bench;

/// Every cell.
pub fn run(bench: &mut Bench) {
    let pyarrow = bench.pyarrow();
    let pyarrow = pyarrow.as_ref();
    limits::run(bench);
    large(bench, pyarrow);
    shaped(bench, pyarrow);
    reality(bench, pyarrow);
    small::run(bench, pyarrow);
    select::run(bench, pyarrow);
    random::run(bench, pyarrow);
    zero_copy::run(bench, pyarrow);
    socket::run(bench);
    lazy::run(bench);
}

/// Makes the subject and runs it, if one of its cells is asked for.
fn subject(
    bench: &mut Bench,
    pyarrow: Option<&Pyarrow>,
    group: &str,
    make: impl FnOnce(&Bench) -> DataFrame,
    how: impl FnOnce(Subject) -> Subject,
) {
    if Subject::is_wanted(group, bench) {
        let df = make(bench);
        how(Subject::new(group, df)).run(bench, pyarrow);
    }
}

/// The three frames on which everything is measured.
fn large(bench: &mut Bench, pyarrow: Option<&Pyarrow>) {
    let both = Subject::both_rechunks;
    subject(bench, pyarrow, "4M x 8 numbers", |b| data::numbers(b.scaled(4_000_000)), both);
    subject(bench, pyarrow, "2M x 3 strings", |b| data::strings(b.scaled(2_000_000)), both);
    let wide = |b: &Bench| data::wide(if b.args.scale == Scale::Tiny { 20 } else { 2_000 }, b.scaled(5_000));
    subject(bench, pyarrow, "5,000 x 2,000", wide, both);
}

/// Frames of other shapes.
fn shaped(bench: &mut Bench, pyarrow: Option<&Pyarrow>) {
    let as_it_is = |subject| subject;
    let chunked = |b: &Bench| shapes::chunked(b.scaled(2_000), 1_000);
    let in_chunks = |subject: Subject| subject.in_batches_of(1_000);
    subject(bench, pyarrow, "2,000 chunks of 1,000 x 8 numbers", chunked, in_chunks);
    let filtered = |b: &Bench| shapes::filtered(b.scaled(1_000_000));
    subject(bench, pyarrow, "1M x 3 strings, filtered from 4M", filtered, as_it_is);
    let categoricals = |b: &Bench| shapes::categoricals(b.scaled(2_000_000));
    subject(bench, pyarrow, "2M x 3 categoricals", categoricals, as_it_is);
    let nested = |b: &Bench| shapes::nested(b.scaled(500_000));
    subject(bench, pyarrow, "500,000 lists of structs", nested, as_it_is);
    let rows = bench.scaled(8_000_000);
    let one_batch = move |subject: Subject| subject.in_batches_of(rows);
    subject(bench, pyarrow, "one column of 8M, read from one batch", |_| shapes::one_column(rows), one_batch);
}

/// Real flights and TPC-H.
fn reality(bench: &mut Bench, pyarrow: Option<&Pyarrow>) {
    match real::flights_path() {
        Some(path) => {
            let flights = |b: &Bench| {
                real::flights(&path, b.scaled(3_000_000)).expect("flights-3m.parquet can be read")
            };
            subject(bench, pyarrow, "flights-3m.parquet", flights, |subject| subject);
        },
        None => bench.note("flights-3m.parquet is not measured: it is not at ../shared/data".into()),
    }
    let scale = match bench.args.scale {
        Scale::Full => 0.1,
        Scale::Quick => 0.001,
        Scale::Tiny => 0.0001,
    };
    subject(bench, pyarrow, "TPC-H lineitem, 0.1", |_| real::lineitem(scale), |subject| subject);
}
