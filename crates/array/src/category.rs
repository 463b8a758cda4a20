//! The category of each value of a dictionary, by which keys are translated.

use std::fmt;
use std::sync::Arc;

use arrow::types::NativeType;
use floe_format::{Error, Result};

use crate::append_only::AppendOnly;

/// The category of each value of a dictionary, or none where the value is null.
///
/// A clone shares its memory; values [added](Self::extend) to one are not seen by the other.
///
/// ```
/// use floe_array::category::Categories;
///
/// let before = Categories::new([Some(7), Some(3)].into(), 4)?;
/// let mut after = before.clone();
/// after.extend(&[None])?;
/// assert_eq!((before.len(), after.len()), (2, 3));
/// # floe_format::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Categories {
    list: List,
    width: u8,
    is_identity: bool,
}

impl fmt::Debug for Categories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { list: _, width, is_identity } = self;
        let mut out = f.debug_struct("Categories");
        out.field("len", &self.len()).field("width", width).field("is_identity", is_identity).finish()
    }
}

/// The categories, as wide as they are in an array, as long as no value is null.
#[derive(Clone)]
enum List {
    U8(AppendOnly<u8>),
    U16(AppendOnly<u16>),
    U32(AppendOnly<u32>),
    Nullable(AppendOnly<Option<u32>>),
}

impl Categories {
    /// The categories of a dictionary's values, which become integers of `width` (1, 2 or 4) bytes.
    ///
    /// # Errors
    /// When a category does not fit into that width, or the allocator refuses.
    #[expect(clippy::needless_pass_by_value, reason = "callers have it as an Arc")]
    pub fn new(map: Arc<[Option<u32>]>, width: u8) -> Result<Self> {
        let list = match width {
            1 => List::U8(AppendOnly::default()),
            2 => List::U16(AppendOnly::default()),
            _ => List::U32(AppendOnly::default()),
        };
        let mut categories = Self { list, width, is_identity: true };
        categories.extend(&map)?;
        Ok(categories)
    }

    /// Adds the categories of further values. Takes time for the new values only.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn extend(&mut self, more: &[Option<u32>]) -> Result<()> {
        let known = self.len();
        self.is_identity = self.is_identity
            && (known..).zip(more).all(|(i, category)| category.is_some_and(|c| usize::try_from(c) == Ok(i)));
        let all: Option<Vec<u32>> = more.iter().copied().collect();
        match (&mut self.list, all) {
            (List::U8(list), Some(all)) => list.extend(&narrow(&all)?),
            (List::U16(list), Some(all)) => list.extend(&narrow(&all)?),
            (List::U32(list), Some(all)) => list.extend(&all),
            (List::Nullable(list), _) => list.extend(more),
            (_, None) => {
                let mut list = AppendOnly::default();
                list.extend(&self.nullable())?;
                list.extend(more)?;
                self.list = List::Nullable(list);
                Ok(())
            },
        }
    }

    /// All categories, in the form that has room for nulls.
    #[must_use]
    pub fn nullable(&self) -> Vec<Option<u32>> {
        match &self.list {
            List::U8(list) => list.as_slice().iter().map(|category| Some((*category).into())).collect(),
            List::U16(list) => list.as_slice().iter().map(|category| Some((*category).into())).collect(),
            List::U32(list) => list.as_slice().iter().copied().map(Some).collect(),
            List::Nullable(list) => list.as_slice().to_vec(),
        }
    }

    /// The number of values, null ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.list {
            List::U8(list) => list.as_slice().len(),
            List::U16(list) => list.as_slice().len(),
            List::U32(list) => list.as_slice().len(),
            List::Nullable(list) => list.as_slice().len(),
        }
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The category of the last value, if it has one.
    #[must_use]
    pub fn last(&self) -> Option<u32> {
        match &self.list {
            List::U8(list) => list.as_slice().last().map(|category| (*category).into()),
            List::U16(list) => list.as_slice().last().map(|category| (*category).into()),
            List::U32(list) => list.as_slice().last().copied(),
            List::Nullable(list) => list.as_slice().last().copied().flatten(),
        }
    }

    /// The category of each value, if a value is null.
    pub(crate) fn with_nulls(&self) -> Option<&[Option<u32>]> {
        if let List::Nullable(list) = &self.list { Some(list.as_slice()) } else { None }
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

fn narrow<C: TryFrom<u32>>(categories: &[u32]) -> Result<Vec<C>> {
    let narrow = categories.iter().map(|category| C::try_from(*category).ok());
    narrow.collect::<Option<_>>().ok_or_else(|| Error::invalid("a category overflows its type"))
}

/// A type of category numbers, as arrays have them.
pub(crate) trait Category: NativeType + Ord + TryInto<usize> {
    /// The category of each value, if categories are of this type and no value is null.
    fn table(categories: &Categories) -> Option<&[Self]>;
}

macro_rules! category {
    ($type:ty, $kind:ident) => {
        impl Category for $type {
            fn table(categories: &Categories) -> Option<&[Self]> {
                if let List::$kind(table) = &categories.list { Some(table.as_slice()) } else { None }
            }
        }
    };
}

category!(u8, U8);
category!(u16, U16);
category!(u32, U32);
