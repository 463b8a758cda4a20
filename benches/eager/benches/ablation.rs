//! `cargo bench -p floe-eager-benches --features switches`: see `floe_eager_benches::ablation`.
#![allow(missing_docs)]

fn main() {
    floe_eager_benches::ablation::main();
}
