//! `cargo bench -p floe-benches --bench stages`: see `floe_benches::stages`.
#![allow(missing_docs)]

fn main() {
    floe_benches::main("stages", floe_benches::stages::run);
}
