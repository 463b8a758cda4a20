//! The renumbering of dictionary keys.

use std::sync::Arc;

/// The position in the written dictionary of each category.
#[derive(Debug, Clone, Default)]
pub struct Remap {
    pub(super) positions: Arc<[u32]>,
    pub(super) is_identity: bool,
}

impl Remap {
    /// The position of each category; `u32::MAX` for those that the dictionary has not.
    #[must_use]
    pub fn new(positions: &[u32]) -> Self {
        let mut numbered = (0u32..).zip(positions);
        let is_identity = numbered.all(|(i, position)| *position == i || *position == u32::MAX);
        Self { positions: Arc::from(positions), is_identity }
    }
}
