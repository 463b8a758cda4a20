//! The dictionaries a reader knows at one point of a stream, and how keys are looked up in them.
//!
//! Two fields may share a dictionary's id and use it differently: as an enum and as plain values. So each
//! dictionary-encoded field has a slot ([`floe_format::DictionaryEncoding::slot`]), and each slot a [`Lookup`]. Slots with
//! the same use share one.

use std::fmt;
use std::sync::Arc;

use arrow::array::Array;

use crate::category::Categories;
use crate::chunks::Chunks;

/// The replacements for the keys of one dictionary-encoded field.
#[derive(Clone)]
pub enum Lookup {
    /// The values themselves, gathered.
    Values(Arc<dyn Array>),
    /// The values themselves, in pieces, as deltas brought them.
    Chunks(Chunks),
    /// Category numbers.
    Categories(Categories),
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values(values) => {
                f.debug_struct("Values").field("len", &values.len()).finish_non_exhaustive()
            },
            Self::Chunks(chunks) => chunks.fmt(f),
            Self::Categories(categories) => categories.fmt(f),
        }
    }
}

impl Lookup {
    /// How many keys are valid.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Values(values) => values.len(),
            Self::Chunks(chunks) => chunks.len(),
            Self::Categories(categories) => categories.len(),
        }
    }

    /// Whether no key is valid.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Lookups are copied in chunks of this many when one of them changes. With 2^18 lookups there are about as many chunks
/// as lookups in a chunk.
const CHUNK_LOOKUPS: usize = 512;

/// A snapshot of all dictionaries: cheap to clone, so that a batch keeps the one it was written with while the stream
/// replaces it. Changing one lookup of a clone takes little, however many there are.
///
/// ```
/// use floe_array::{Dictionaries, Lookup, category::Categories};
///
/// // Of three slots the last two make the same of the same dictionary.
/// let mut dictionaries = Dictionaries::grouped(vec![0, 1, 1].into(), 2);
/// dictionaries.set(1, Lookup::Categories(Categories::new([Some(0)].into(), 4)?));
/// assert!(dictionaries.lookup(0).is_none());
/// assert!(dictionaries.lookup(1).is_some() && dictionaries.lookup(2).is_some());
/// # floe_format::Result::Ok(())
/// ```
#[derive(Clone, Default)]
pub struct Dictionaries {
    /// The lookup of each slot.
    groups: Arc<[usize]>,
    /// Missing until the dictionary has arrived.
    chunks: Vec<Arc<[Option<Lookup>]>>,
}

impl fmt::Debug for Dictionaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.chunks.iter().flat_map(|chunk| chunk.iter()).flatten().count();
        let mut out = f.debug_struct("Dictionaries");
        out.field("slots", &self.groups.len()).field("known", &known).finish_non_exhaustive()
    }
}

impl Dictionaries {
    /// None yet of `count` lookups. `groups` is the number of the lookup of each slot; of slots that need none it may
    /// be any number beyond.
    #[must_use]
    pub fn grouped(groups: Arc<[usize]>, count: usize) -> Self {
        let chunk = |start| vec![None; CHUNK_LOOKUPS.min(count - start)].into();
        Self { groups, chunks: (0..count).step_by(CHUNK_LOOKUPS).map(chunk).collect() }
    }

    /// The lookup of a slot.
    #[must_use]
    pub fn lookup(&self, slot: usize) -> Option<&Lookup> {
        self.group(*self.groups.get(slot)?)
    }

    /// The lookup of a number.
    #[must_use]
    pub fn group(&self, group: usize) -> Option<&Lookup> {
        self.chunks.get(group / CHUNK_LOOKUPS)?.get(group % CHUNK_LOOKUPS)?.as_ref()
    }

    /// Changes the lookup of a number, which is below the count.
    pub fn set(&mut self, group: usize, lookup: Lookup) {
        let chunk = self.chunks.get_mut(group / CHUNK_LOOKUPS).map(Arc::make_mut);
        if let Some(known) = chunk.and_then(|chunk| chunk.get_mut(group % CHUNK_LOOKUPS)) {
            *known = Some(lookup);
        }
    }
}

impl FromIterator<Lookup> for Dictionaries {
    /// One lookup for each slot.
    fn from_iter<I: IntoIterator<Item = Lookup>>(lookups: I) -> Self {
        let lookups: Vec<Lookup> = lookups.into_iter().collect();
        let mut dictionaries = Self::grouped((0..lookups.len()).collect(), lookups.len());
        for (slot, lookup) in lookups.into_iter().enumerate() {
            dictionaries.set(slot, lookup);
        }
        dictionaries
    }
}
