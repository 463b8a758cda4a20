//! `cargo bench -p floe-benches --features servers --bench flight`: see `floe_benches::flight`.
#![allow(missing_docs)]

fn main() {
    floe_benches::main("flight", floe_benches::flight::run);
}
