//! `cargo bench -p floe-benches --features servers --bench flight`: see `floe_benches::servers`.
#![allow(missing_docs)]

fn main() {}
