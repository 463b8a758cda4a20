//! The statistics of a file's batches, out of its footer.
//!
//! Bounds are of stored values. DataFusion is told that three kinds are estimates: bounds of text that was cut, zeros of
//! floats, whose sign is not kept, and bounds that the table casts.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float16Array, Float32Array, Float64Array, UInt64Array,
};
use datafusion::arrow::datatypes::{DataType, Field, Float16Type, Float32Type, Float64Type, Schema};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics};
use floe::{IpcIndex, IpcKind};
use half::f16;
use polars_core::prelude::{Column, DataType as Dtype};

use crate::arrays;
use crate::batches::keeps_order;
use crate::types::data_type;

/// A minimum of text that has fewer bytes is not cut: floe keeps 64, and cuts between characters.
const WHOLE_TEXT_BYTES: usize = 61;

/// The statistics of a column: an element for each batch, null where nothing is known.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) min: ArrayRef,
    pub(crate) max: ArrayRef,
    pub(crate) nulls: UInt64Array,
}

/// The statistics of a column, if its values are kept in a type with an order that DataFusion shares.
pub(crate) fn known(index: &IpcIndex, column: usize) -> Option<Known> {
    if index.kind() != IpcKind::File || !index.has_statistics() {
        return None;
    }
    // An error is that the footer has none.
    let frame = index.statistics(0..index.num_record_batches(), &[column]).ok()?;
    let [_, min, max, nulls] = frame.columns() else { return None };
    let nulls: Vec<Option<u64>> = nulls.u32().ok()?.iter().map(|nulls| nulls.map(u64::from)).collect();
    Some(Known { min: bound(min, true)?, max: bound(max, false)?, nulls: nulls.into() })
}

/// Bounds as an array. Integers of 128 bits that have too many digits have none.
fn bound(column: &Column, is_min: bool) -> Option<ArrayRef> {
    let array = match (arrays::column(column), column.dtype()) {
        (Ok(array), _) => array,
        (Err(_), Dtype::Int128 | Dtype::UInt128) => {
            datafusion::arrow::array::new_null_array(&data_type(column.dtype()).ok()?, column.len())
        },
        (Err(_), _) => return None,
    };
    Some(signed_zeros(array, is_min))
}

/// Bounds that hold for both zeros: DataFusion has -0.0 below 0.0, and the statistics do not tell them apart.
fn signed_zeros(array: ArrayRef, is_min: bool) -> ArrayRef {
    let zero = if is_min { -0.0 } else { 0.0 };
    match array.data_type() {
        DataType::Float16 => {
            let zero = f16::from_f64(zero);
            let array = array.as_primitive::<Float16Type>();
            let fixed: Float16Array = array.unary(|value| if value == f16::ZERO { zero } else { value });
            Arc::new(fixed)
        },
        DataType::Float32 => {
            let zero = if is_min { -0.0f32 } else { 0.0 };
            let array = array.as_primitive::<Float32Type>();
            let fixed: Float32Array = array.unary(|value| if value == 0.0 { zero } else { value });
            Arc::new(fixed)
        },
        DataType::Float64 => {
            let array = array.as_primitive::<Float64Type>();
            let fixed: Float64Array = array.unary(|value| if value == 0.0 { zero } else { value });
            Arc::new(fixed)
        },
        _ => array,
    }
}

/// The statistics of a file, for a table of this schema.
pub(crate) fn of_file(index: &IpcIndex, table: &Schema) -> Result<Statistics> {
    let rows = index.num_rows();
    let file = index.schema(None).map_err(|e| datafusion::common::DataFusionError::External(Box::new(e)))?;
    let column = |field: &Arc<Field>| match file.get_full(field.name()) {
        None => ColumnStatistics::new_unknown().with_null_count(Precision::Exact(rows)),
        Some((place, _, dtype)) => of_column(index, place, dtype, field),
    };
    let bytes =
        (0..index.num_record_batches()).filter_map(|batch| index.batch_size(batch)).map(|(_, bytes)| bytes);
    Ok(Statistics {
        num_rows: Precision::Exact(rows),
        total_byte_size: usize::try_from(bytes.sum::<u64>()).map_or(Precision::Absent, Precision::Inexact),
        column_statistics: table.fields().iter().map(column).collect(),
    })
}

fn of_column(index: &IpcIndex, place: usize, dtype: &Dtype, field: &Field) -> ColumnStatistics {
    let unknown = ColumnStatistics::new_unknown();
    let Ok(in_file) = data_type(dtype) else { return unknown };
    let Some(known) = known(index, place) else { return unknown };
    let nulls =
        known.nulls.iter().try_fold(0usize, |sum, nulls| sum.checked_add(usize::try_from(nulls?).ok()?));
    let unknown = unknown.with_null_count(nulls.map_or(Precision::Absent, Precision::Exact));
    if !keeps_order(&in_file, field.data_type()) {
        return unknown;
    }
    let extreme = |bounds: &ArrayRef, is_min: bool| {
        let value = extreme(index, bounds, &known.nulls, is_min)?;
        precise(value, is_min, field.data_type())
    };
    let (min, max) = (extreme(&known.min, true), extreme(&known.max, false));
    unknown.with_min_value(min.unwrap_or(Precision::Absent)).with_max_value(max.unwrap_or(Precision::Absent))
}

/// The smallest or largest of bounds, if there is one of every batch that has values.
fn extreme(index: &IpcIndex, bounds: &ArrayRef, nulls: &UInt64Array, is_min: bool) -> Option<ScalarValue> {
    let mut found: Option<ScalarValue> = None;
    for batch in 0..bounds.len() {
        let (rows, _) = index.batch_size(batch)?;
        if bounds.is_null(batch) {
            let all_null = nulls.is_valid(batch) && nulls.value(batch) == rows as u64;
            if all_null || rows == 0 {
                continue;
            }
            return None;
        }
        let value = ScalarValue::try_from_array(bounds, batch).ok()?;
        found = Some(match found {
            None => value,
            Some(found) => {
                let order = value.partial_cmp(&found)?;
                if order.is_lt() == is_min { value } else { found }
            },
        });
    }
    found
}

/// A bound in the table's type, and whether a value is equal to it.
fn precise(value: ScalarValue, is_min: bool, table: &DataType) -> Option<Precision<ScalarValue>> {
    let is_exact = match &value {
        ScalarValue::Float16(Some(zero)) => *zero != f16::ZERO,
        ScalarValue::Float32(Some(zero)) => *zero != 0.0,
        ScalarValue::Float64(Some(zero)) => *zero != 0.0,
        // The largest text may be one above that is shorter.
        ScalarValue::Utf8View(Some(text)) => is_min && text.len() < WHOLE_TEXT_BYTES,
        _ => true,
    };
    let value = if value.data_type() == *table {
        value
    } else {
        value.cast_to(table).ok().filter(|v| !v.is_null())?
    };
    Some(if is_exact { Precision::Exact(value) } else { Precision::Inexact(value) })
}
