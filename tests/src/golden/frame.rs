//! A Polars column as [`Value`]s.

use polars_core::prelude::{AnyValue, DataType, Series};

use super::Value;

/// All rows of a column. A null struct is null: its fields are not looked at.
pub(super) fn values(series: &Series) -> Result<Vec<Value>, String> {
    if matches!(series.dtype(), DataType::Extension(..)) {
        return values(series.to_storage());
    }
    if !matches!(series.dtype(), DataType::Struct(_)) {
        return (0..series.len()).map(|row| value(series.get(row).map_err(|e| e.to_string())?)).collect();
    }
    let fields = series.struct_().map_err(|error| error.to_string())?.fields_as_series();
    let fields = fields.iter().map(values).collect::<Result<Vec<_>, _>>()?;
    let is_null = series.is_null();
    let row = |row: usize| {
        if is_null.get(row) == Some(true) {
            return Ok(Value::Null);
        }
        let field = |field: &Vec<Value>| field.get(row).cloned().ok_or("a struct's field is too short");
        Ok(Value::Struct(fields.iter().map(field).collect::<Result<_, _>>()?))
    };
    (0..series.len()).map(row).collect()
}

fn value(value: AnyValue<'_>) -> Result<Value, String> {
    Ok(match value {
        AnyValue::Null => Value::Null,
        AnyValue::Boolean(value) => Value::Bool(value),
        AnyValue::Int8(value) => Value::Int(value.into()),
        AnyValue::Int16(value) => Value::Int(value.into()),
        AnyValue::Int32(value) | AnyValue::Date(value) => Value::Int(value.into()),
        AnyValue::Int64(value)
        | AnyValue::Time(value)
        | AnyValue::Duration(value, _)
        | AnyValue::Datetime(value, ..)
        | AnyValue::DatetimeOwned(value, ..) => Value::Int(value.into()),
        AnyValue::Int128(value) | AnyValue::Decimal(value, ..) => Value::Int(value),
        AnyValue::UInt8(value) => Value::Int(value.into()),
        AnyValue::UInt16(value) => Value::Int(value.into()),
        AnyValue::UInt32(value) => Value::Int(value.into()),
        AnyValue::UInt64(value) => Value::Int(value.into()),
        AnyValue::Float16(value) => Value::Float(value.into()),
        AnyValue::Float32(value) => Value::Float(value.into()),
        AnyValue::Float64(value) => Value::Float(value),
        AnyValue::Binary(value) => Value::Bin(value.to_vec()),
        AnyValue::BinaryOwned(value) => Value::Bin(value),
        AnyValue::List(items) | AnyValue::Array(items, _) => Value::List(values(&items)?),
        // Strings and categories.
        other => match other.get_str() {
            Some(text) => Value::Str(text.to_owned()),
            None => return Err(format!("no golden file has a {:?}", other.dtype())),
        },
    })
}
