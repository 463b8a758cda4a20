//! Which categories of a categorical column are in use.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow::array::{Array, FixedSizeListArray, ListArray, PrimitiveArray, StructArray};
use arrow::types::NativeType;
use floe_array::encode::under_nulls;
use floe_format::Field;
use polars_core::prelude::*;

use super::dictionary_builder::has_dictionary;
use crate::error::format_error;

/// Rows whose keys one job looks at, unless there are more categories.
pub(super) const ROWS_PER_JOB: usize = 64 << 10;
/// After this many rows it is checked whether all categories are in use, if there are no more of them than that.
const ROWS_PER_CHECK: usize = 4 << 10;

/// The set of categories that are in use.
pub(super) struct UsedCategories {
    /// How many categories there are.
    categories: usize,
    /// Whether each is in use. Empty before the first job has ended.
    used: Mutex<Vec<bool>>,
    /// All categories are in use: nothing is left to be looked for.
    complete: AtomicBool,
}

impl UsedCategories {
    #[cfg(feature = "dtype-categorical")]
    pub(super) fn new(categories: usize, positions: &[u32]) -> Self {
        let known = positions.iter().filter(|position| **position != u32::MAX).count();
        Self { categories, used: Mutex::default(), complete: AtomicBool::new(known == categories) }
    }

    /// How many categories there are.
    pub(super) fn categories(&self) -> usize {
        self.categories
    }

    /// Rows whose keys one job looks at. After that it adds its set to the common one, which takes time for every category.
    pub(super) fn rows_per_job(&self) -> usize {
        self.categories.max(ROWS_PER_JOB)
    }

    /// Adds the categories of keys. They are marked in a set of the job's own first: in a shared one, threads would wait
    /// for each other's cache lines.
    pub(super) fn mark(&self, keys: &dyn Array) {
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
        } else {
            debug_assert!(false, "keys of categories are 8, 16 or 32 bits wide, not {:?}", keys.dtype());
        }
        let mut all = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().zip(&mut set).for_each(|(before, used)| *used |= before);
        self.complete.fetch_or(!set.contains(&false), Ordering::Relaxed);
        *all = set;
    }

    /// The categories in use, in ascending order.
    pub(super) fn into_categories(self) -> impl Iterator<Item = u32> {
        let used = self.used.into_inner().unwrap_or_else(PoisonError::into_inner);
        (0u32..).zip(used).filter_map(|(category, used)| used.then_some(category))
    }
}

/// Marks the categories of valid keys. A null's key may be anything, so one that is no category is passed over.
fn mark_keys<K: NativeType + Into<u32>>(set: &mut [bool], keys: &PrimitiveArray<K>) {
    let few = set.len() <= ROWS_PER_CHECK;
    for start in (0..keys.len()).step_by(ROWS_PER_CHECK) {
        let end = keys.len().min(start + ROWS_PER_CHECK);
        let values = &keys.values()[start..end];
        match keys.validity() {
            // Without branches on the keys, which a processor cannot predict.
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

/// The key arrays within an array, with their slots: only keys that rows refer to, as they will be encoded.
pub(super) fn collect_keys(
    field: &Field,
    array: &dyn Array,
    keys: &mut Vec<(usize, ArrayRef)>,
) -> PolarsResult<()> {
    if let Some(encoding) = &field.dictionary {
        keys.push((encoding.slot, array.to_boxed()));
        return Ok(());
    }
    if !has_dictionary(field) {
        return Ok(());
    }
    let any = array.as_any();
    if let Some(list) = any.downcast_ref::<ListArray<i64>>() {
        let list = under_nulls::lists(list).map_err(format_error)?;
        let start = usize::try_from(*list.offsets().first()).expect("offsets of an array are not negative");
        let len = usize::try_from(list.offsets().range()).expect("offsets of an array ascend");
        let values = list.values().sliced(start, len);
        for child in &field.children {
            collect_keys(child, values.as_ref(), keys)?;
        }
    } else if let Some(list) = any.downcast_ref::<FixedSizeListArray>() {
        for child in &field.children {
            collect_keys(child, under_nulls::items(list).as_ref(), keys)?;
        }
    } else if let Some(fields) = any.downcast_ref::<StructArray>() {
        for (child, values) in field.children.iter().zip(under_nulls::fields(fields)) {
            collect_keys(child, values.as_ref(), keys)?;
        }
    }
    Ok(())
}
