//! Functions that the fuzz targets share.
//!
//! | target | input | claim |
//! |---|---|---|
//! | `stream` | bytes of a stream | every way to read it gives an error or a sound frame, and all give the same one |
//! | `file` | bytes of a file | the same, and each batch at random, and what can be recovered |
//! | `hostile` | choices: layouts that overlap, share, nest and repeat | as `stream` and `file` |
//! | `roundtrip` | choices: a frame and how to write it | what is read is what was written |
//! | `differential` | bytes of either | where arrow-rs reads them too, both read the same values |
//!
//! `run.sh` builds them, fills the corpus (`src/bin/seed.rs`) and runs each for a while.

#[path = "../../tests/src/arbitrary/mod.rs"]
pub mod arbitrary;
#[path = "../../tests/src/equal.rs"]
pub mod equal;
#[path = "../../tests/src/hostile/mod.rs"]
pub mod hostile;

pub mod choices;
pub mod frame;
pub mod peer;
pub mod read;
pub mod value;
