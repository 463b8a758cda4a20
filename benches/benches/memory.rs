//! `cargo bench -p floe-benches --bench memory`: see `floe_benches::memory`.
#![allow(missing_docs)]

fn main() {
    floe_benches::main("memory", floe_benches::memory::run);
}
