//! `cargo bench -p floe-benches --bench pipeline`: see `floe_benches::pipeline`.
#![allow(missing_docs)]

fn main() {
    floe_benches::main("pipeline", floe_benches::pipeline::run);
}
