//! stub
#[path = "../../tests/src/equal.rs"]
pub mod equal;
#[path = "../../tests/src/arbitrary.rs"]
pub mod arbitrary;
