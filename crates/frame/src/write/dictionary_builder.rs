//! The dictionaries to write: their categories, and the renumbering of their keys.
//!
//! Each round of [`DictionaryBuilders::note`] adds the categories that have come into use, in ascending order of their
//! own numbers. So positions never depend on threads.

use arrow::array::Array;
#[cfg(feature = "dtype-categorical")]
use arrow::array::{Utf8Array, Utf8ViewArray};
use floe_array::encode::Remap;
use floe_format::{DataType as WireType, Field, KeyValues};
use floe_runtime::{Executor, Serial};
use polars_core::prelude::*;
use std::ops::Range;

use super::used_categories::{ROWS_PER_JOB, UsedCategories, collect_keys};
use crate::error::format_error;
use crate::schema::{CategorySource, WriteSchema};

/// One dictionary-encoded field's dictionary in the making.
pub(crate) struct DictionaryBuilder {
    source: CategorySource,
    /// Position of each category, `u32::MAX` if it is not in the dictionary.
    remap: Vec<u32>,
    shared: Option<Remap>,
    /// The category at each position; `u32::MAX` for a null, which other writers may have there.
    categories: Vec<u32>,
    /// How many of them have been written, if any.
    written: Option<usize>,
}

/// Categories whose texts one job looks up.
#[cfg(feature = "dtype-categorical")]
const TEXTS_PER_JOB: usize = 8 << 10;

/// The part of a dictionary that has to be written before the next batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PendingDictionary {
    Nothing,
    /// All of it: for the first time, or as a replacement.
    All,
    /// The values from this position on, as a delta.
    From(usize),
}

impl DictionaryBuilder {
    fn new(source: CategorySource) -> Self {
        Self { source, remap: Vec::new(), shared: None, categories: Vec::new(), written: None }
    }

    /// Goes on with a dictionary that has been written by somebody else: the category at each of its positions.
    fn resume(&mut self, positions: &[Option<u32>]) -> PolarsResult<()> {
        self.written = Some(positions.len());
        #[cfg(feature = "dtype-categorical")]
        if let CategorySource::Frozen(frozen) = &self.source {
            let in_order = (0u32..).zip(positions).all(|(i, category)| *category == Some(i));
            polars_ensure!(
                in_order && positions.len() <= frozen.categories().len(),
                InvalidOperation: "the dictionary that is there has the categories of the enum in another order, or nulls: keys of \
                new rows would mean other categories"
            );
            return Ok(());
        }
        for (position, category) in (0u32..).zip(positions) {
            self.categories.push(category.unwrap_or(u32::MAX));
            let Some(category) = category.and_then(|category| usize::try_from(category).ok()) else {
                continue;
            };
            self.remap.resize(self.remap.len().max(category + 1), u32::MAX);
            // A value may be there twice: the first position serves.
            if let Some(first) = self.remap.get_mut(category).filter(|first| **first == u32::MAX) {
                *first = position;
            }
        }
        self.shared = Some(Remap::new(&self.remap));
        Ok(())
    }

    /// A set for the categories there are, unless the dictionary is known from the start.
    fn used_categories(&self) -> Option<UsedCategories> {
        #[cfg(feature = "dtype-categorical")]
        if let CategorySource::Growing(mapping) = &self.source {
            return Some(UsedCategories::new(mapping.num_cats_upper_bound(), &self.remap));
        }
        None
    }

    /// Adds the categories of the set.
    fn add(&mut self, used: UsedCategories) -> PolarsResult<()> {
        self.remap.resize(used.categories().max(self.remap.len()), u32::MAX);
        let before = self.categories.len();
        for category in used.into_categories() {
            let position = &mut self.remap[category as usize];
            if *position == u32::MAX {
                let next = u32::try_from(self.categories.len()).ok().filter(|next| *next != u32::MAX);
                *position = next.ok_or_else(
                    || polars_err!(ComputeError: "more than {} categories in one dictionary", u32::MAX),
                )?;
                self.categories.push(category);
            }
        }
        if self.categories.len() != before || self.shared.is_none() {
            self.shared = Some(Remap::new(&self.remap));
        }
        Ok(())
    }

    /// Whether the dictionary is known from the start.
    pub(crate) fn is_fixed(&self) -> bool {
        #[cfg(feature = "dtype-categorical")]
        return matches!(self.source, CategorySource::Frozen(_));
        #[cfg(not(feature = "dtype-categorical"))]
        true
    }

    fn len(&self) -> usize {
        match &self.source {
            #[cfg(feature = "dtype-categorical")]
            CategorySource::Frozen(frozen) => frozen.categories().len(),
            _ => self.categories.len(),
        }
    }

    /// The dictionaries to write before the next batch. `deltas` prefers additions over replacements.
    pub(crate) fn pending(&self, deltas: bool) -> PendingDictionary {
        match self.written {
            None => PendingDictionary::All,
            Some(written) if written == self.len() => PendingDictionary::Nothing,
            Some(written) if deltas => PendingDictionary::From(written),
            Some(_) => PendingDictionary::All,
        }
    }

    /// The values from position `from` on, as an array for `field`. From now on they count as written.
    pub(crate) fn take(
        &mut self,
        from: usize,
        field: &Field,
        executor: &dyn Executor,
    ) -> PolarsResult<ArrayRef> {
        self.written = Some(self.len());
        match &self.source {
            #[cfg(feature = "dtype-categorical")]
            CategorySource::Frozen(frozen) => {
                let all = frozen.categories();
                Ok(all.clone().sliced(from, all.len().saturating_sub(from)).boxed())
            },
            #[cfg(feature = "dtype-categorical")]
            CategorySource::Growing(mapping) => texts(mapping, &self.categories[from..], field, executor),
            #[cfg(not(feature = "dtype-categorical"))]
            CategorySource::None(_) => {
                let _ = (from, field, executor);
                polars_bail!(ComputeError: "categoricals need floe's feature `dtype-categorical`")
            },
        }
    }
}

/// The texts of categories.
#[cfg(feature = "dtype-categorical")]
fn texts(
    mapping: &CategoricalMapping,
    categories: &[u32],
    field: &Field,
    executor: &dyn Executor,
) -> PolarsResult<ArrayRef> {
    let text = |category: &u32| {
        mapping
            .cat_to_str(*category)
            .ok_or_else(|| polars_err!(ComputeError: "category {category} of a column has no text"))
    };
    if categories.contains(&u32::MAX) {
        let text = |category: &u32| (*category != u32::MAX).then(|| text(category)).transpose();
        let texts = categories.iter().map(text).collect::<PolarsResult<Vec<Option<&str>>>>()?;
        return Ok(Utf8ViewArray::from_slice(texts).boxed());
    }
    let array = |texts: Vec<&str>| match field.data_type {
        WireType::Utf8View => Utf8ViewArray::from_slice_values(texts).boxed(),
        _ => Utf8Array::<i64>::from_slice(texts).boxed(),
    };
    // The texts lie anywhere in memory, so that cache misses take most of the time.
    let jobs: Vec<&[u32]> = categories.chunks(TEXTS_PER_JOB).collect();
    let job = |i: usize| Ok(array(jobs[i].iter().map(text).collect::<PolarsResult<_>>()?));
    let arrays = executor.map(jobs.len(), job).into_iter().collect::<PolarsResult<Vec<_>>>()?;
    if arrays.is_empty() {
        return Ok(array(Vec::new()));
    }
    floe_array::join(&arrays).map_err(format_error)
}

/// The dictionaries of a schema, by slot.
pub(crate) struct DictionaryBuilders(Vec<DictionaryBuilder>);

impl DictionaryBuilders {
    pub(crate) fn new(schema: &WriteSchema) -> Self {
        Self(schema.categories.iter().cloned().map(DictionaryBuilder::new).collect())
    }

    /// Goes on with dictionaries that have been written by somebody else: by slot, the category at each position.
    ///
    /// # Errors
    /// When rows of the enum would get other categories.
    pub(crate) fn resume(&mut self, known: &[Option<Vec<Option<u32>>>]) -> PolarsResult<()> {
        let known = known.iter().zip(&mut self.0);
        known
            .filter_map(|(known, dictionary)| Some((known.as_ref()?, dictionary)))
            .try_for_each(|(known, dictionary)| dictionary.resume(known))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get_mut(&mut self, slot: usize) -> PolarsResult<&mut DictionaryBuilder> {
        self.0.get_mut(slot).ok_or_else(|| polars_err!(ComputeError: "the schema has no dictionary {slot}"))
    }

    /// Takes note of the categories that columns' arrays use, at any depth.
    pub(crate) fn note(
        &mut self,
        columns: &[(&Field, Vec<ArrayRef>)],
        executor: &dyn Executor,
    ) -> PolarsResult<()> {
        let mut keys: Vec<(usize, ArrayRef)> = Vec::new();
        for (field, arrays) in columns {
            for array in arrays {
                collect_keys(field, array.as_ref(), &mut keys)?;
            }
        }
        let mut is_used = vec![false; self.0.len()];
        for (slot, _) in &keys {
            if let Some(used) = is_used.get_mut(*slot) {
                *used = true;
            }
        }
        let sets = self.0.iter().zip(is_used);
        let sets: Vec<Option<UsedCategories>> =
            sets.map(|(dictionary, used)| used.then(|| dictionary.used_categories()).flatten()).collect();
        let mut jobs: Vec<(&UsedCategories, &dyn Array, Range<usize>)> = Vec::new();
        for (slot, keys) in &keys {
            if let Some(Some(set)) = sets.get(*slot) {
                let rows = set.rows_per_job();
                let starts = (0..keys.len()).step_by(rows);
                jobs.extend(starts.map(|start| (set, keys.as_ref(), start..keys.len().min(start + rows))));
            }
        }
        let mark = |i: usize| {
            let (set, keys, rows) = &jobs[i];
            set.mark(keys.sliced(rows.start, rows.len()).as_ref());
        };
        let rows: usize = jobs.iter().map(|(_, _, rows)| rows.len()).sum();
        if rows < ROWS_PER_JOB {
            Serial.for_each(jobs.len(), &mark)
        } else {
            executor.for_each(jobs.len(), &mark)
        }
        drop(jobs);
        for (dictionary, set) in self.0.iter_mut().zip(sets) {
            if let Some(set) = set {
                dictionary.add(set)?;
            }
        }
        Ok(())
    }

    /// The renumbering of the keys of each slot.
    pub(crate) fn remaps(&self) -> Vec<Option<Remap>> {
        let remap = |dictionary: &DictionaryBuilder| {
            // Before the first batch nothing is renumbered: no key has a position yet.
            if dictionary.is_fixed() { None } else { Some(dictionary.shared.clone().unwrap_or_default()) }
        };
        self.0.iter().map(remap).collect()
    }
}

/// Whether a field or one below it is dictionary encoded.
pub(crate) fn has_dictionary(field: &Field) -> bool {
    field.dictionary.is_some() || field.children.iter().any(has_dictionary)
}

/// The values of a categorical's dictionary.
pub(crate) fn dictionary_field(data_type: WireType) -> Field {
    Field {
        name: "categories".into(),
        nullable: true,
        data_type,
        children: Vec::new(),
        dictionary: None,
        metadata: KeyValues::new(),
    }
}
