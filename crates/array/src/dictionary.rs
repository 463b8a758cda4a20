//! The dictionaries a reader knows at one point of a stream, and what a key becomes.
//!
//! Values are kept once per id. What a *field* makes of them is its own matter: two fields may
//! share an id, one of them an enum, the other not. So each dictionary-encoded field has a slot
//! ([`floe_format::DictionaryEncoding::slot`]) with a [`Lookup`].

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::Array;

/// What the keys of one dictionary-encoded field turn into.
#[derive(Clone)]
pub enum Lookup {
    /// The values themselves, gathered.
    Values(Arc<dyn Array>),
    /// Category numbers; `None` where the dictionary's value is null. The array becomes one of
    /// integers of the given width.
    Categories {
        /// Category of each dictionary value.
        map: Arc<[Option<u32>]>,
        /// 1, 2 or 4 bytes a category.
        width: u8,
    },
}

impl Lookup {
    /// How many keys are valid.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Values(values) => values.len(),
            Self::Categories { map, .. } => map.len(),
        }
    }

    /// Whether no key is valid.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A snapshot of all dictionaries: cheap to clone, so that a batch keeps the one it was written
/// with while the stream replaces it.
#[derive(Clone, Default)]
pub struct Dictionaries {
    /// Values by dictionary id.
    pub values: HashMap<i64, Arc<dyn Array>>,
    /// Lookups by slot; missing until the field's first dictionary has arrived.
    pub lookups: Vec<Option<Lookup>>,
}

impl Dictionaries {
    /// The lookup of a slot.
    #[must_use]
    pub fn lookup(&self, slot: usize) -> Option<&Lookup> {
        self.lookups.get(slot)?.as_ref()
    }
}
