//! The JSON beside a file: what it holds, in a form that no language rounds.
//!
//! ```text
//! {"height": 2,
//!  "columns": [{"name": "a", "dtype": "list[i64]", "values": [["1", null], null]}],
//!  "batches": [1, 1],                      rows of each record batch, if that is promised
//!  "schema_metadata": {"key": "value"},    entries that have to be there; more may be
//!  "field_metadata": {"a": {"key": "value"}},
//!  "unreadable": ["b"]}                    columns that are an error, which names them
//! ```
//!
//! Values: integers, decimals (unscaled) and everything temporal (in the dtype's unit) as decimal text; floats as the
//! hex of their bits, or `nan`. Strings and categories as they are; binary as hex; booleans as such. Lists and arrays
//! as arrays; structs as objects. Dtypes: see [`dtype`].

use std::collections::BTreeMap;
use std::path::Path;

use polars_core::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::report::{Check, equal, text};

/// The expected contents of a file.
pub(super) struct Sidecar(Json);

impl Sidecar {
    /// Of a frame: names, dtypes, values.
    pub(super) fn of(df: &DataFrame) -> Result<Self, String> {
        let columns = df.columns().iter().map(|column| column_json(column.as_materialized_series()));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        Ok(Self(json!({"height": df.height(), "columns": columns})))
    }

    /// Adds one of the optional entries.
    pub(super) fn with(mut self, key: &str, value: Json) -> Self {
        self.0[key] = value;
        self
    }

    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(text)?;
        serde_json::from_slice(&bytes).map(Self).map_err(text)
    }

    pub(super) fn write(&self, path: &Path) -> Check {
        std::fs::write(path, self.0.to_string()).map_err(text)
    }

    pub(super) fn height(&self) -> Result<usize, String> {
        self.0["height"].as_u64().and_then(|height| height.try_into().ok()).ok_or("no height".to_owned())
    }

    /// Rows of each record batch, if that is promised.
    pub(super) fn batches(&self) -> Option<Vec<usize>> {
        let rows = self.0["batches"].as_array()?.iter().map(|rows| rows.as_u64()?.try_into().ok());
        rows.collect()
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.columns().iter().filter_map(|column| column["name"].as_str()).collect()
    }

    /// Columns that a reader has to refuse.
    pub(super) fn unreadable(&self) -> Vec<&str> {
        self.0["unreadable"].as_array().into_iter().flatten().filter_map(Json::as_str).collect()
    }

    pub(super) fn schema_metadata(&self) -> BTreeMap<String, String> {
        entries(&self.0["schema_metadata"])
    }

    /// By column.
    pub(super) fn field_metadata(&self) -> Vec<(&str, BTreeMap<String, String>)> {
        let fields = self.0["field_metadata"].as_object().into_iter().flatten();
        fields.map(|(column, metadata)| (column.as_str(), entries(metadata))).collect()
    }

    /// Compares the columns of these names, in this order, with a frame; of its rows those from `offset`.
    pub(super) fn compare(&self, names: &[&str], offset: usize, df: &DataFrame) -> Check {
        let found: Vec<_> = df.get_column_names().iter().map(|name| name.as_str()).collect();
        equal("columns", &found.as_slice(), &names)?;
        for (name, column) in names.iter().zip(df.columns()) {
            let expected = self.columns().iter().find(|column| column["name"] == *name);
            let expected = expected.ok_or_else(|| format!("no column {name:?} in the JSON"))?;
            compare_column(expected, offset, column.as_materialized_series())
                .map_err(|error| format!("column {name:?}: {error}"))?;
        }
        Ok(())
    }

    fn columns(&self) -> &[Json] {
        self.0["columns"].as_array().map_or(&[], Vec::as_slice)
    }
}

fn entries(json: &Json) -> BTreeMap<String, String> {
    let entries = json.as_object().into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn column_json(series: &Series) -> Result<Json, String> {
    Ok(json!({"name": series.name().as_str(), "dtype": dtype(series.dtype())?, "values": values(series)?}))
}

fn compare_column(expected: &Json, offset: usize, series: &Series) -> Check {
    equal("dtype", &dtype(series.dtype())?.as_str(), &expected["dtype"].as_str().unwrap_or_default())?;
    let found = values(series)?;
    let expected = expected["values"].as_array().map_or(&[][..], Vec::as_slice);
    let expected = expected.get(offset..offset + found.len()).ok_or("too many rows")?;
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        if found != expected {
            return Err(format!("row {}: found {found}, expected {expected}", row + offset));
        }
    }
    Ok(())
}

/// The name of a dtype. Extension types go by their storage, as most readers show them.
fn dtype(dtype: &DataType) -> Result<String, String> {
    Ok(match dtype {
        DataType::Boolean => "bool".to_owned(),
        DataType::String => "str".to_owned(),
        DataType::Binary => "bin".to_owned(),
        DataType::BinaryOffset => "bin_offset".to_owned(),
        DataType::Null => "null".to_owned(),
        DataType::Date => "date".to_owned(),
        DataType::Time => "time".to_owned(),
        DataType::Datetime(unit, None) => format!("datetime[{}]", unit.to_ascii()),
        DataType::Datetime(unit, Some(zone)) => format!("datetime[{},{zone}]", unit.to_ascii()),
        DataType::Duration(unit) => format!("duration[{}]", unit.to_ascii()),
        DataType::Decimal(precision, scale) => format!("decimal[{precision},{scale}]"),
        DataType::List(inner) => format!("list[{}]", self::dtype(inner)?),
        DataType::Array(inner, width) => format!("array[{},{width}]", self::dtype(inner)?),
        DataType::Struct(fields) => {
            let field = |field: &Field| Ok(format!("{}:{}", field.name(), self::dtype(field.dtype())?));
            format!("struct{{{}}}", fields.iter().map(field).collect::<Result<Vec<_>, String>>()?.join(","))
        },
        DataType::Categorical(..) => "cat".to_owned(),
        DataType::Enum(categories, _) => {
            format!("enum{}", json!(categories.categories().values_iter().collect::<Vec<_>>()))
        },
        DataType::Extension(_, storage) => self::dtype(storage)?,
        number if number.is_primitive_numeric() => number.to_string(),
        other => return Err(format!("the JSON has no name for {other:?}")),
    })
}

/// All rows of a column. A null struct is null: its fields are not looked at.
fn values(series: &Series) -> Result<Vec<Json>, String> {
    let series = series.to_storage();
    if !matches!(series.dtype(), DataType::Struct(_)) {
        return (0..series.len()).map(|row| value(series.get(row).map_err(text)?)).collect();
    }
    let fields = series.struct_().map_err(text)?.fields_as_series();
    let names: Vec<_> = fields.iter().map(|field| field.name().to_string()).collect();
    let mut fields =
        fields.iter().map(|field| Ok(values(field)?.into_iter())).collect::<Result<Vec<_>, String>>()?;
    let is_null = series.is_null();
    let row = |row: usize| {
        let values = fields.iter_mut().map(|field| field.next().unwrap_or_default());
        let object: Map<_, _> = names.iter().cloned().zip(values).collect();
        if is_null.get(row) == Some(true) { Json::Null } else { Json::Object(object) }
    };
    Ok((0..series.len()).map(row).collect())
}

fn value(value: AnyValue<'_>) -> Result<Json, String> {
    Ok(match value {
        AnyValue::Null => Json::Null,
        AnyValue::Boolean(value) => json!(value),
        AnyValue::Float16(value) => float(value.is_nan(), format!("{:04x}", value.to_bits())),
        AnyValue::Float32(value) => float(value.is_nan(), format!("{:08x}", value.to_bits())),
        AnyValue::Float64(value) => float(value.is_nan(), format!("{:016x}", value.to_bits())),
        AnyValue::Binary(value) => json!(hex(value)),
        AnyValue::BinaryOwned(value) => json!(hex(&value)),
        AnyValue::List(items) | AnyValue::Array(items, _) => Json::Array(values(&items)?),
        AnyValue::Int8(value) => json!(value.to_string()),
        AnyValue::Int16(value) => json!(value.to_string()),
        AnyValue::Int32(value) | AnyValue::Date(value) => json!(value.to_string()),
        AnyValue::Int64(value)
        | AnyValue::Time(value)
        | AnyValue::Duration(value, _)
        | AnyValue::Datetime(value, ..)
        | AnyValue::DatetimeOwned(value, ..) => json!(value.to_string()),
        AnyValue::Int128(value) | AnyValue::Decimal(value, ..) => json!(value.to_string()),
        AnyValue::UInt8(value) => json!(value.to_string()),
        AnyValue::UInt16(value) => json!(value.to_string()),
        AnyValue::UInt32(value) => json!(value.to_string()),
        AnyValue::UInt64(value) => json!(value.to_string()),
        AnyValue::UInt128(value) => json!(value.to_string()),
        // Strings and categories.
        other => match other.get_str() {
            Some(text) => json!(text),
            None => return Err(format!("the JSON has no form for a {:?}", other.dtype())),
        },
    })
}

fn float(is_nan: bool, bits: String) -> Json {
    Json::String(if is_nan { "nan".to_owned() } else { bits })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
