//! `cargo bench -p floe-benches --bench report`: see `floe_benches::report`.
#![allow(missing_docs)]

fn main() {
    floe_benches::main("report", floe_benches::report::run);
}
