//! `cargo bench -p floe-benches --bench growth`: see `floe_benches::growth`.
#![allow(missing_docs)]

fn main() {
    floe_benches::main("growth", floe_benches::growth::run);
}
