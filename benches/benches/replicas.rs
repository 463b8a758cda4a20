//! `cargo bench -p floe-benches --bench replicas`: see `floe_benches::replicas`.
#![allow(missing_docs)]

fn main() {
    floe_benches::main("replicas", floe_benches::replicas::run);
}
