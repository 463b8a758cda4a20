//! `cargo bench -p floe-benches --features servers --bench servers`: see `floe_benches::servers`.
#![allow(missing_docs)]

fn main() {
    floe_benches::main("servers", floe_benches::servers::run);
}
