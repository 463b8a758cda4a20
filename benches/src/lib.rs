//! floe beside its peers: the cells, their measurement, and the pages made of them.
//!
//! | module | what it is |
//! |---|---|
//! | [`peers`] | the peer comparison: every cell, floe and the peers taking turns |
//! | [`memory`] | peak memory, in child processes |
//! | [`growth`] | time and memory over three decades of rows, columns and batches |
//! | [`replicas`] | the workloads of arrow-rs' and Arrow C++'s own benchmarks |
//! | [`stages`] | encode, compress, decode, validate, each by itself |
//! | [`pipeline`] | which thread did what, when, in one run (feature `trace`) |
//! | `servers` | answers over HTTP (feature `servers`) |
//! | `flight` | Arrow Flight (feature `servers`) |
//! | [`mod@report`] | the pages, plots and the README's table, from `docs/benchmarks/results.json` |
//!
//! Each is a benchmark of cargo's by the same name: `cargo bench -p floe-benches --bench peers -- --quick`.
//! `benches/run.sh` runs them all.
#![deny(unsafe_code)]

pub mod args;
pub mod cells;
pub mod contenders;
#[cfg(feature = "servers")]
pub mod flight;
pub mod flights;
pub mod growth;
pub mod limits;
pub mod measure;
pub mod memory;
pub mod peers;
pub mod pipeline;
pub mod replicas;
pub mod report;
pub mod results;
pub mod runner;
#[cfg(feature = "servers")]
pub mod servers;
pub mod stages;

pub use floe_eager_benches::machine;

/// The frames that are written and read.
pub mod data {
    pub use floe_eager_benches::*;

    /// Flights, and what stands beside them.
    pub mod real {
        pub use floe_eager_benches::lineitem::lineitem;

        pub use crate::flights::{flights, flights_path};
    }
}

use args::Args;
use runner::Bench;

/// The `main` functions of the benchmarks: options, the run, the results.
pub fn main(name: &'static str, run: fn(&mut Bench)) {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(2);
        },
    };
    let mut bench = Bench::new(name, args);
    run(&mut bench);
    if let Err(error) = bench.finish() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They compile and run in tests too, without a benchmark.
    #[test]
    fn every_benchmark_runs_once() {
        type Run = fn(&mut Bench);
        let all: &[(&'static str, Run)] = &[
            ("peers", peers::run),
            ("memory", memory::run),
            ("growth", growth::run),
            ("replicas", replicas::run),
            ("stages", stages::run),
            ("pipeline", pipeline::run),
            #[cfg(feature = "servers")]
            ("servers", servers::run),
            #[cfg(feature = "servers")]
            ("flight", flight::run),
        ];
        let mut results = results::Results::default();
        for &(name, run) in all {
            let mut bench = Bench::new(name, Args::tiny());
            run(&mut bench);
            results.runs.insert(name.into(), bench.into_run());
        }
        for (name, run) in &results.runs {
            assert!(!run.cells.is_empty() || !run.notes.is_empty(), "{name} measured nothing");
        }
        let pages = report::pages(&results);
        assert!(pages.iter().all(|page| !page.text.is_empty()));
    }
}
