//! The dictionaries of what is written: which categories are in use, and what their keys become.
//!
//! Positions are given by the categories' own numbers, in ascending order of each round of
//! [`Tracker::note`], so they never depend on threads.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow::array::{
    Array, FixedSizeListArray, ListArray, PrimitiveArray, StructArray, Utf8Array, Utf8ViewArray,
};
use arrow::types::NativeType;
use floe_array::encode::{Remap, held};
use floe_array::{Executor, Serial};
use floe_format::{DataType as WireType, Field, KeyValues};
use polars_core::prelude::*;

use crate::error::format_error;
use crate::schema::{CategorySource, WriteSchema};

/// One dictionary-encoded field's dictionary in the making.
pub(crate) struct Tracker {
    source: CategorySource,
    /// Position of each category, `u32::MAX` if it is not in the dictionary.
    remap: Vec<u32>,
    shared: Option<Remap>,
    /// The category at each position.
    categories: Vec<u32>,
    /// How many of them have been written, if any.
    written: Option<usize>,
}

/// Rows that are looked at at once, unless there are more categories.
const AT_ONCE: usize = 64 << 10;

/// Texts of categories that are looked up at once.
#[cfg(feature = "dtype-categorical")]
const TEXTS: usize = 8 << 10;

/// What of a dictionary has to be written before the next batch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// All of it: for the first time, or as a replacement.
    All,
    /// The values from this position on, as a delta.
    From(usize),
}

impl Tracker {
    fn new(source: CategorySource) -> Self {
        Self { source, remap: Vec::new(), shared: None, categories: Vec::new(), written: None }
    }

    /// Marks for the categories there are, unless the dictionary is known from the start.
    fn marks(&self) -> Option<Marks> {
        #[cfg(feature = "dtype-categorical")]
        if let CategorySource::Growing(mapping) = &self.source {
            return Some(Marks::new(mapping.num_cats_upper_bound(), &self.remap));
        }
        None
    }

    /// Adds the categories that have been marked.
    fn add(&mut self, marks: Marks) {
        self.remap.resize(marks.categories.max(self.remap.len()), u32::MAX);
        let before = self.categories.len();
        for category in marks.used() {
            if let Some(position) = self.remap.get_mut(category as usize)
                && *position == u32::MAX
            {
                *position = u32::try_from(self.categories.len()).unwrap_or(u32::MAX);
                self.categories.push(category);
            }
        }
        if self.categories.len() != before || self.shared.is_none() {
            self.shared = Some(Remap::new(&self.remap));
        }
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

    /// What is due; `deltas` prefers additions over replacements.
    pub(crate) fn due(&self, deltas: bool) -> Due {
        match self.written {
            None => Due::All,
            Some(written) if written == self.len() => Due::Nothing,
            Some(written) if deltas => Due::From(written),
            Some(_) => Due::All,
        }
    }

    /// The values from position `from` on, as what becomes `field`, and the note that they are written.
    pub(crate) fn take(
        &mut self,
        from: usize,
        field: &Field,
        executor: &dyn Executor,
    ) -> PolarsResult<ArrayRef> {
        self.written = Some(self.len());
        match &self.source {
            #[cfg(feature = "dtype-categorical")]
            CategorySource::Frozen(frozen) => Ok(frozen.categories().clone().boxed()),
            #[cfg(feature = "dtype-categorical")]
            CategorySource::Growing(mapping) => {
                let text = |category: &u32| {
                    mapping.cat_to_str(*category).ok_or_else(
                        || polars_err!(ComputeError: "category {category} of a column has no text"),
                    )
                };
                let array = |texts: Vec<&str>| match field.data_type {
                    WireType::Utf8View => Utf8ViewArray::from_slice_values(texts).boxed(),
                    _ => Utf8Array::<i64>::from_slice(texts).boxed(),
                };
                // The texts lie anywhere in memory: finding them is what takes long.
                let parts: Vec<&[u32]> =
                    self.categories.get(from..).unwrap_or_default().chunks(TEXTS).collect();
                let part = |i: usize| {
                    let texts = parts.get(i).copied().unwrap_or_default().iter().map(text);
                    Ok(array(texts.collect::<PolarsResult<_>>()?))
                };
                let arrays = executor.map(parts.len(), part).into_iter().collect::<PolarsResult<Vec<_>>>()?;
                if arrays.is_empty() {
                    return Ok(array(Vec::new()));
                }
                floe_array::join(&arrays).map_err(format_error)
            },
            #[cfg(not(feature = "dtype-categorical"))]
            CategorySource::None(_) => {
                let _ = (from, field, executor);
                polars_bail!(ComputeError: "categoricals need floe's feature `dtype-categorical`")
            },
        }
    }
}

/// Which categories are in use.
struct Marks {
    /// How many categories there are.
    categories: usize,
    /// Those that have been found, once any have.
    found: Mutex<Vec<bool>>,
    /// Nothing is left to be found.
    complete: AtomicBool,
}

/// Rows after which it is seen whether all of a few categories are in use.
const STRETCH: usize = 4 << 10;

impl Marks {
    #[cfg(feature = "dtype-categorical")]
    fn new(categories: usize, positions: &[u32]) -> Self {
        let known = positions.iter().filter(|position| **position != u32::MAX).count();
        Self { categories, found: Mutex::default(), complete: AtomicBool::new(known == categories) }
    }

    /// Rows that are looked at at once. Then what has been found is put together, which takes as long as there are
    /// categories.
    fn at_once(&self) -> usize {
        self.categories.max(AT_ONCE)
    }

    /// Adds what keys use. They are marked in a set of their own first: in one that is shared, threads would wait for
    /// each other's cache lines.
    fn mark(&self, keys: &dyn Array) {
        if self.complete.load(Ordering::Relaxed) {
            return;
        }
        let mut set = vec![false; self.categories];
        let any = keys.as_any();
        if let Some(keys) = any.downcast_ref::<PrimitiveArray<u32>>() {
            mark_keys(&mut set, keys);
        } else if let Some(keys) = any.downcast_ref::<PrimitiveArray<u16>>() {
            mark_keys(&mut set, keys);
        } else if let Some(keys) = any.downcast_ref::<PrimitiveArray<u8>>() {
            mark_keys(&mut set, keys);
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.iter().zip(&mut set).for_each(|(found, used)| *used |= found);
        self.complete.fetch_or(!set.contains(&false), Ordering::Relaxed);
        *found = set;
    }

    /// The categories in use, in ascending order.
    fn used(self) -> impl Iterator<Item = u32> {
        let found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        (0u32..).zip(found).filter_map(|(category, used)| used.then_some(category))
    }
}

fn mark_keys<K: NativeType + Into<u32>>(set: &mut [bool], keys: &PrimitiveArray<K>) {
    let few = set.len() <= STRETCH;
    for start in (0..keys.len()).step_by(STRETCH) {
        let end = keys.len().min(start + STRETCH);
        let values = keys.values().get(start..end).unwrap_or_default();
        match keys.validity() {
            // Without branches that depend on what has been found: it is not foreseeable.
            None => values.iter().for_each(|key| {
                if let Some(used) = set.get_mut((*key).into() as usize) {
                    *used = true;
                }
            }),
            Some(validity) => {
                let valid = validity.clone().sliced(start, values.len());
                values.iter().zip(&valid).for_each(|(key, valid)| {
                    if let Some(used) = set.get_mut((*key).into() as usize) {
                        *used |= valid;
                    }
                });
            },
        }
        if few && !set.contains(&false) {
            return;
        }
    }
}

/// The dictionaries of a schema, by slot.
pub(crate) struct Trackers(Vec<Tracker>);

impl Trackers {
    pub(crate) fn new(schema: &WriteSchema) -> Self {
        Self(schema.categories.iter().cloned().map(Tracker::new).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn slots(&self) -> std::ops::Range<usize> {
        0..self.0.len()
    }

    pub(crate) fn get_mut(&mut self, slot: usize) -> Option<&mut Tracker> {
        self.0.get_mut(slot)
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
        let noted = |slot: usize| keys.iter().any(|(of, _)| *of == slot);
        let marks = self.0.iter().enumerate();
        let marks: Vec<Option<Marks>> =
            marks.map(|(slot, tracker)| noted(slot).then(|| tracker.marks()).flatten()).collect();
        let mut jobs: Vec<(&Marks, &dyn Array, Range<usize>)> = Vec::new();
        for (slot, keys) in &keys {
            if let Some(Some(marks)) = marks.get(*slot) {
                let at_once = marks.at_once();
                let starts = (0..keys.len()).step_by(at_once);
                jobs.extend(
                    starts.map(|start| (marks, keys.as_ref(), start..keys.len().min(start + at_once))),
                );
            }
        }
        let mark = |i: usize| {
            if let Some((marks, keys, rows)) = jobs.get(i) {
                marks.mark(keys.sliced(rows.start, rows.len()).as_ref());
            }
        };
        let rows: usize = jobs.iter().map(|(_, _, rows)| rows.len()).sum();
        if rows < AT_ONCE {
            Serial.for_each(jobs.len(), &mark)
        } else {
            executor.for_each(jobs.len(), &mark)
        }
        for (tracker, marks) in self.0.iter_mut().zip(marks) {
            if let Some(marks) = marks {
                tracker.add(marks);
            }
        }
        Ok(())
    }

    /// What the keys of each slot become.
    pub(crate) fn remaps(&self) -> Vec<Option<Remap>> {
        let remap = |tracker: &Tracker| {
            if tracker.is_fixed() { None } else { Some(tracker.shared.clone().unwrap_or_default()) }
        };
        self.0.iter().map(remap).collect()
    }
}

/// The key arrays within an array, with their slots: only what rows refer to, as they will be encoded.
fn collect_keys(field: &Field, array: &dyn Array, keys: &mut Vec<(usize, ArrayRef)>) -> PolarsResult<()> {
    if let Some(encoding) = &field.dictionary {
        keys.push((encoding.slot, array.to_boxed()));
        return Ok(());
    }
    if !has_dictionary(field) {
        return Ok(());
    }
    let any = array.as_any();
    if let Some(list) = any.downcast_ref::<ListArray<i64>>() {
        let list = held::lists(list).map_err(format_error)?;
        let first = usize::try_from(*list.offsets().first()).unwrap_or(0);
        let last = usize::try_from(*list.offsets().last()).unwrap_or(0);
        let values = list.values().sliced(first, last.saturating_sub(first));
        for child in &field.children {
            collect_keys(child, values.as_ref(), keys)?;
        }
    } else if let Some(list) = any.downcast_ref::<FixedSizeListArray>() {
        for child in &field.children {
            collect_keys(child, held::items(list).as_ref(), keys)?;
        }
    } else if let Some(fields) = any.downcast_ref::<StructArray>() {
        for (child, values) in field.children.iter().zip(held::fields(fields)) {
            collect_keys(child, values.as_ref(), keys)?;
        }
    }
    Ok(())
}

/// Whether a field or one below it is dictionary encoded.
pub(crate) fn has_dictionary(field: &Field) -> bool {
    field.dictionary.is_some() || field.children.iter().any(has_dictionary)
}

/// The values of a categorical's dictionary.
pub(crate) fn dictionary_field(views: bool) -> Field {
    Field {
        name: "categories".into(),
        nullable: true,
        data_type: if views { WireType::Utf8View } else { WireType::LargeUtf8 },
        children: Vec::new(),
        dictionary: None,
        metadata: KeyValues::new(),
    }
}
