//! The Arrow types by which DataFusion sees Polars' dtypes.
//!
//! | Polars | Arrow |
//! |---|---|
//! | Categorical, Enum | Utf8View: dictionaries are decoded, so that any engine groups, sorts and ships them |
//! | Int128, UInt128 | Decimal128(38, 0): a value of more than 38 digits is an error that names the column |
//! | String, Binary | Utf8View, BinaryView |
//! | BinaryOffset | LargeBinary |
//! | List, Array, Struct | LargeList, FixedSizeList, Struct |
//! | Datetime, Duration, Date, Time | Timestamp, Duration, Date32, Time64(ns) |
//! | the rest | Arrow's type of that name |
//!
//! All fields may be null: the format's flag for that is no promise.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::{DataFusionError, Result};
use polars_core::prelude::{DataType as Dtype, Schema as PolarsSchema, TimeUnit as PolarsUnit};

use crate::error::in_column;

/// The digits that a Decimal128 has room for.
pub(crate) const DIGITS: u8 = 38;
/// The name of the field inside of a list.
const ITEM: &str = "item";

/// The schema of a file, without metadata: files of one table differ in it.
pub(crate) fn schema(schema: &PolarsSchema) -> Result<SchemaRef> {
    let field = |(name, dtype): (&polars_core::prelude::PlSmallStr, &Dtype)| {
        let data_type = data_type(dtype).map_err(|error| in_column(name, error))?;
        Ok(Field::new(name.as_str(), data_type, true))
    };
    Ok(Arc::new(Schema::new(schema.iter().map(field).collect::<Result<Vec<Field>>>()?)))
}

/// The Arrow type of a dtype.
pub(crate) fn data_type(dtype: &Dtype) -> Result<DataType> {
    Ok(match dtype {
        Dtype::Boolean => DataType::Boolean,
        Dtype::UInt8 => DataType::UInt8,
        Dtype::UInt16 => DataType::UInt16,
        Dtype::UInt32 => DataType::UInt32,
        Dtype::UInt64 => DataType::UInt64,
        Dtype::Int8 => DataType::Int8,
        Dtype::Int16 => DataType::Int16,
        Dtype::Int32 => DataType::Int32,
        Dtype::Int64 => DataType::Int64,
        Dtype::Int128 | Dtype::UInt128 => DataType::Decimal128(DIGITS, 0),
        Dtype::Float16 => DataType::Float16,
        Dtype::Float32 => DataType::Float32,
        Dtype::Float64 => DataType::Float64,
        Dtype::Decimal(precision, scale) => decimal(*precision, *scale)?,
        Dtype::String | Dtype::Categorical(..) | Dtype::Enum(..) => DataType::Utf8View,
        Dtype::Binary => DataType::BinaryView,
        Dtype::BinaryOffset => DataType::LargeBinary,
        Dtype::Date => DataType::Date32,
        Dtype::Datetime(unit, zone) => {
            DataType::Timestamp(time_unit(*unit), zone.as_ref().map(|zone| zone.as_str().into()))
        },
        Dtype::Duration(unit) => DataType::Duration(time_unit(*unit)),
        Dtype::Time => DataType::Time64(TimeUnit::Nanosecond),
        Dtype::List(inner) => DataType::LargeList(item(inner)?),
        Dtype::Array(inner, width) => DataType::FixedSizeList(item(inner)?, list_width(*width)?),
        Dtype::Struct(fields) => {
            let field = |field: &polars_core::prelude::Field| {
                Ok(Field::new(field.name.as_str(), data_type(&field.dtype)?, true))
            };
            DataType::Struct(fields.iter().map(field).collect::<Result<Vec<Field>>>()?.into())
        },
        Dtype::Null => DataType::Null,
        other => {
            let text =
                format!("DataFusion has no type for Polars' {other}; leave the column out when you write");
            return Err(DataFusionError::NotImplemented(text));
        },
    })
}

/// The field inside of a list.
pub(crate) fn item(inner: &Dtype) -> Result<Arc<Field>> {
    Ok(Arc::new(Field::new(ITEM, data_type(inner)?, true)))
}

/// The width of an array, which Arrow counts in 32 bits.
pub(crate) fn list_width(width: usize) -> Result<i32> {
    i32::try_from(width).map_err(|_| {
        DataFusionError::NotImplemented(format!(
            "an array of {width} values: Arrow has room for {}",
            i32::MAX
        ))
    })
}

fn decimal(precision: usize, scale: usize) -> Result<DataType> {
    match (u8::try_from(precision), i8::try_from(scale)) {
        (Ok(precision @ 1..=DIGITS), Ok(scale)) => Ok(DataType::Decimal128(precision, scale)),
        _ => {
            Err(DataFusionError::NotImplemented(format!("a decimal of {precision} digits and scale {scale}")))
        },
    }
}

fn time_unit(unit: PolarsUnit) -> TimeUnit {
    match unit {
        PolarsUnit::Nanoseconds => TimeUnit::Nanosecond,
        PolarsUnit::Microseconds => TimeUnit::Microsecond,
        PolarsUnit::Milliseconds => TimeUnit::Millisecond,
    }
}
