//! Which Polars type each Arrow type of an integration JSON file has to become.

use polars_core::prelude::{DataType, Field, TimeUnit, TimeZone};
use serde_json::Value as Json;

use super::json::{get, int, name, size, text};
use super::unique;

/// Polars' largest precision.
const MAX_PRECISION: usize = 38;

/// Checks the type that a field was read as, children included.
pub(super) fn check(field: &Json, found: &DataType) -> Result<(), String> {
    let kind = get(field, "type")?;
    let children = field.get("children").and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let child = |index: usize| children.get(index).ok_or_else(|| format!("no child {index}"));
    match (name(kind)?, found) {
        // Polars' registry decides whether an extension type is kept or read as its storage.
        (_, DataType::Extension(_, storage)) => check(field, storage),
        // A map's entries are called key and value, whatever the writer called them.
        ("map", DataType::List(inner)) => {
            let mut entries = child(0)?.clone();
            for (index, name) in ["key", "value"].into_iter().enumerate() {
                if let Some(entry) = entries.get_mut("children").and_then(|children| children.get_mut(index))
                {
                    entry["name"] = name.into();
                }
            }
            check(&entries, inner)
        },
        ("utf8" | "largeutf8" | "utf8view", found) if field.get("dictionary").is_some() => {
            matches!(found, DataType::Categorical(..))
                .then_some(())
                .ok_or_else(|| wrong("Categorical", found))
        },
        ("list" | "largelist" | "listview" | "largelistview", DataType::List(inner)) => {
            check(child(0)?, inner)
        },
        ("fixedsizelist", DataType::Array(inner, width)) if size(get(kind, "listSize")?)? == *width => {
            check(child(0)?, inner)
        },
        ("struct", DataType::Struct(found)) => fields(children, found),
        ("union", DataType::Struct(found)) => {
            let id = serde_json::json!({
                "name": "type_id", "type": {"name": "int", "bitWidth": 8, "isSigned": true}, "children": []
            });
            let with_id: Vec<_> = std::iter::once(id).chain(children.iter().cloned()).collect();
            fields(&with_id, found)
        },
        ("runendencoded", found) => check(child(1)?, found),
        _ => {
            let expected = leaf(kind)?;
            if expected == *found { Ok(()) } else { Err(wrong(&format!("{expected:?}"), found)) }
        },
    }
}

fn wrong(expected: &str, found: &DataType) -> String {
    format!("type: expected {expected}, found {found:?}")
}

fn fields(expected: &[Json], found: &[Field]) -> Result<(), String> {
    let names = unique(expected.iter().map(name))?;
    let found_names: Vec<_> = found.iter().map(|field| field.name().as_str()).collect();
    if names != found_names {
        return Err(format!("fields: expected {names:?}, found {found_names:?}"));
    }
    for (expected, found) in expected.iter().zip(found) {
        check(expected, found.dtype()).map_err(|error| format!("field {:?}: {error}", found.name()))?;
    }
    Ok(())
}

/// The type without children, or an error that names what was expected of a nested one.
fn leaf(kind: &Json) -> Result<DataType, String> {
    Ok(match name(kind)? {
        "null" => DataType::Null,
        "bool" => DataType::Boolean,
        "int" => integer(size(get(kind, "bitWidth")?)?, get(kind, "isSigned")?.as_bool().unwrap_or(true))?,
        "floatingpoint" => match text(get(kind, "precision")?)? {
            "HALF" => DataType::Float16,
            "SINGLE" => DataType::Float32,
            _ => DataType::Float64,
        },
        "decimal" => decimal(kind)?,
        "utf8" | "largeutf8" | "utf8view" => DataType::String,
        "binary" | "largebinary" | "binaryview" | "fixedsizebinary" => DataType::Binary,
        "date" if text(get(kind, "unit")?)? == "DAY" => DataType::Date,
        "date" => DataType::Datetime(TimeUnit::Milliseconds, None),
        "time" => DataType::Time,
        "timestamp" => DataType::Datetime(unit(kind)?, zone(kind)?),
        "duration" => DataType::Duration(unit(kind)?),
        "interval" => {
            let field = |name: &str, dtype| Field::new(name.into(), dtype);
            DataType::Struct(match text(get(kind, "unit")?)? {
                "YEAR_MONTH" => vec![field("months", DataType::Int32)],
                "DAY_TIME" => vec![field("days", DataType::Int32), field("milliseconds", DataType::Int32)],
                _ => vec![
                    field("months", DataType::Int32),
                    field("days", DataType::Int32),
                    field("nanoseconds", DataType::Int64),
                ],
            })
        },
        nested => return Err(format!("type: expected what an Arrow {nested} ({kind}) becomes")),
    })
}

fn integer(bits: usize, is_signed: bool) -> Result<DataType, String> {
    Ok(match (bits, is_signed) {
        (8, true) => DataType::Int8,
        (16, true) => DataType::Int16,
        (32, true) => DataType::Int32,
        (64, true) => DataType::Int64,
        (8, false) => DataType::UInt8,
        (16, false) => DataType::UInt16,
        (32, false) => DataType::UInt32,
        (64, false) => DataType::UInt64,
        _ => return Err(format!("integers of {bits} bits")),
    })
}

/// A negative scale moves into the digits: there are as many more of them.
fn decimal(kind: &Json) -> Result<DataType, String> {
    let (precision, scale) = (size(get(kind, "precision")?)?, kind.get("scale").map_or(Ok(0), int)?);
    let zeros = usize::try_from(-scale).unwrap_or(0);
    Ok(DataType::Decimal((precision + zeros).min(MAX_PRECISION), usize::try_from(scale).unwrap_or(0)))
}

/// Polars has no seconds: they become milliseconds.
fn unit(kind: &Json) -> Result<TimeUnit, String> {
    Ok(match text(get(kind, "unit")?)? {
        "NANOSECOND" => TimeUnit::Nanoseconds,
        "MICROSECOND" => TimeUnit::Microseconds,
        _ => TimeUnit::Milliseconds,
    })
}

/// Zones that Polars does not know become UTC: the instants stay.
fn zone(kind: &Json) -> Result<Option<TimeZone>, String> {
    let Some(zone) = kind.get("timezone").filter(|zone| !zone.is_null()) else { return Ok(None) };
    let zone = text(zone)?;
    if zone.is_empty() {
        return Ok(None);
    }
    Ok(TimeZone::opt_try_new(Some(zone)).unwrap_or(Some(TimeZone::UTC)))
}
