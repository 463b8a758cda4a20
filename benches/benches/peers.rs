//! `cargo bench -p floe-benches --bench peers`: see `floe_benches::peers`.
#![allow(missing_docs)]

fn main() {
    floe_benches::main("peers", floe_benches::peers::run);
}
