//! x
use crate::results::Results;
use crate::runner::Bench;
/// A page
pub struct Page {
    /// text
    pub text: String,
}
/// pages
pub fn pages(_r: &Results) -> Vec<Page> {
    Vec::new()
}
/// run
pub fn run(_b: &mut Bench) {}
