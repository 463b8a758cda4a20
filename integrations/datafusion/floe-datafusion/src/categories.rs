//! Categoricals and enums as strings.
//!
//! A category becomes a string once; the rows become views of it. So a column of few categories takes 16 bytes for each row.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::common::Result;
use polars_arrow::array as polars;
use polars_core::prelude::CategoricalMapping;

use crate::arrays::cast;
use crate::buffers::nulls;
use crate::error::failed;

/// The strings that the keys stand for.
pub(crate) fn strings(
    mapping: &Arc<CategoricalMapping>,
    chunk: &dyn polars::Array,
) -> Result<StringViewArray> {
    let keys = keys(chunk)?;
    let largest = keys.iter().flatten().max().map_or(0, |key| key as usize + 1);
    // A mapping may have categories of the whole process.
    if largest > 2 * keys.len() + 1024 {
        return one_by_one(mapping, &keys);
    }
    let mut categories = StringViewBuilder::with_capacity(largest);
    for key in 0..largest {
        // Keys that are not used need not stand for anything.
        categories.append_option(u32::try_from(key).ok().and_then(|key| mapping.cat_to_str(key)));
    }
    let categories = categories.finish();
    let strings = take(&categories, &keys, None)?;
    known(&keys, strings.as_string_view().clone())
}

/// Where keys are much larger than there are rows.
fn one_by_one(mapping: &CategoricalMapping, keys: &UInt32Array) -> Result<StringViewArray> {
    let mut strings = StringViewBuilder::with_capacity(keys.len());
    for key in keys {
        strings.append_option(key.and_then(|key| mapping.cat_to_str(key)));
    }
    known(keys, strings.finish())
}

/// The strings, if every key stands for one.
fn known(keys: &UInt32Array, strings: StringViewArray) -> Result<StringViewArray> {
    if keys.null_count() == strings.null_count() {
        return Ok(strings);
    }
    Err(failed("a key of a categorical column stands for no category"))
}

/// The keys, in 32 bits.
fn keys(chunk: &dyn polars::Array) -> Result<UInt32Array> {
    let any = chunk.as_any();
    let wide: ArrayRef = if let Some(array) = any.downcast_ref::<polars::PrimitiveArray<u8>>() {
        Arc::new(widened(array))
    } else if let Some(array) = any.downcast_ref::<polars::PrimitiveArray<u16>>() {
        Arc::new(widened(array))
    } else {
        let array: &polars::PrimitiveArray<u32> = cast(chunk)?;
        Arc::new(UInt32Array::try_new(crate::buffers::values(array.values()), nulls(array.validity()))?)
    };
    Ok(wide.as_primitive().clone())
}

fn widened<T: polars_arrow::types::NativeType + Into<u32>>(array: &polars::PrimitiveArray<T>) -> UInt32Array {
    let keys: Vec<u32> = array.values().iter().map(|key| (*key).into()).collect();
    UInt32Array::new(keys.into(), nulls(array.validity()))
}
