//! The dictionaries a reader knows at one point of a stream, and what a key becomes.
//!
//! Values are kept once per id. What a *field* makes of them is its own matter: two fields may
//! share an id, one of them an enum, the other not. So each dictionary-encoded field has a slot
//! ([`floe_format::DictionaryEncoding::slot`]) with a [`Lookup`].

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::Array;
use arrow::types::NativeType;
use floe_format::{Error, Result};

/// What the keys of one dictionary-encoded field turn into.
#[derive(Clone)]
pub enum Lookup {
    /// The values themselves, gathered.
    Values(Arc<dyn Array>),
    /// Category numbers.
    Categories(Categories),
}

/// The category of each value of a dictionary: none where that is null.
#[derive(Clone)]
pub struct Categories {
    map: Arc<[Option<u32>]>,
    width: u8,
    table: Option<Table>,
    is_identity: bool,
}

/// The categories by themselves, as wide as they are in an array.
#[derive(Clone)]
enum Table {
    U8(Arc<[u8]>),
    U16(Arc<[u16]>),
    U32(Arc<[u32]>),
}

impl Categories {
    /// The categories of a dictionary's values, which become integers of `width` (1, 2 or 4) bytes.
    ///
    /// # Errors
    /// When a category does not fit into that width.
    pub fn new(map: Arc<[Option<u32>]>, width: u8) -> Result<Self> {
        fn narrow<C: TryFrom<u32>>(map: &[u32]) -> Result<Arc<[C]>> {
            let narrow = map.iter().map(|category| C::try_from(*category).ok());
            narrow.collect::<Option<_>>().ok_or_else(|| Error::invalid("a category overflows its type"))
        }
        let all = map.iter().copied().collect::<Option<Vec<u32>>>();
        let is_identity = (0u32..).zip(map.iter()).all(|(i, category)| *category == Some(i));
        let table = match (&all, width) {
            (None, _) => None,
            (Some(all), 1) => Some(Table::U8(narrow(all)?)),
            (Some(all), 2) => Some(Table::U16(narrow(all)?)),
            (Some(all), _) => Some(Table::U32(narrow(all)?)),
        };
        Ok(Self { map, width, table, is_identity })
    }

    /// The category of each value.
    #[must_use]
    pub fn map(&self) -> &[Option<u32>] {
        &self.map
    }

    /// Bytes of a category.
    #[must_use]
    pub fn width(&self) -> u8 {
        self.width
    }

    /// Whether each value's category is its own number.
    pub(crate) fn is_identity(&self) -> bool {
        self.is_identity
    }
}

/// What a category is in an array.
pub(crate) trait Category: NativeType + Ord + TryInto<usize> {
    /// The categories of values, if they are such and no value is null.
    fn table(categories: &Categories) -> Option<&[Self]>;
}

macro_rules! category {
    ($type:ty, $kind:ident) => {
        impl Category for $type {
            fn table(categories: &Categories) -> Option<&[Self]> {
                if let Some(Table::$kind(table)) = &categories.table { Some(table) } else { None }
            }
        }
    };
}

category!(u8, U8);
category!(u16, U16);
category!(u32, U32);

impl Lookup {
    /// How many keys are valid.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Values(values) => values.len(),
            Self::Categories(categories) => categories.map.len(),
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
