//! Arrow's integration JSON, decoded to [`Value`]s as floe has to read them.
//!
//! The format: `docs/source/format/Integration.rst`, `dev/archery/archery/integration/datagen.py` in apache/arrow.
//! A column holds its buffers by name (`VALIDITY`, `DATA`, ..), 64-bit integers as strings, bytes as hex.

use std::collections::HashMap;

use polars_utils::float16::pf16;
use serde_json::Value as Json;

use super::Value;

/// The most that Polars' decimal holds: 38 digits.
const MAX_DECIMAL: i128 = 10_i128.pow(38) - 1;

/// A day's nanoseconds.
const DAY: i128 = 86_400_000_000_000;

/// An integration file, taken apart.
pub(super) struct Golden<'a> {
    fields: &'a [Json],
    batches: &'a [Json],
    /// The one column of each dictionary, by id.
    dictionaries: HashMap<i128, &'a Json>,
}

impl<'a> Golden<'a> {
    pub(super) fn new(json: &'a Json) -> Result<Self, String> {
        let mut dictionaries = HashMap::new();
        for dictionary in json.get("dictionaries").and_then(Json::as_array).into_iter().flatten() {
            let column = at(array(get(dictionary, "data")?, "columns")?, 0)?;
            dictionaries.insert(int(get(dictionary, "id")?)?, column);
        }
        let fields = array(get(json, "schema")?, "fields")?;
        Ok(Self { fields, batches: array(json, "batches")?, dictionaries })
    }

    pub(super) fn fields(&self) -> &'a [Json] {
        self.fields
    }

    pub(super) fn field(&self, index: usize) -> Result<&'a Json, String> {
        at(self.fields, index)
    }

    pub(super) fn row_count(&self) -> Result<usize, String> {
        self.batches.iter().map(|batch| size(get(batch, "count")?)).sum()
    }

    /// One column's values, batch by batch.
    pub(super) fn batches(&self, index: usize) -> Result<Vec<Vec<Value>>, String> {
        let field = self.field(index)?;
        let column = |batch| self.column(field, at(array(batch, "columns")?, index)?);
        self.batches.iter().map(column).collect()
    }

    fn column(&self, field: &Json, column: &Json) -> Result<Vec<Value>, String> {
        let Some(dictionary) = field.get("dictionary") else { return self.plain(field, column) };
        let id = int(get(dictionary, "id")?)?;
        let values = self.dictionaries.get(&id).ok_or_else(|| format!("no dictionary {id}"))?;
        let values = self.plain(field, values)?;
        let keys = array(column, "DATA")?;
        rows(column, |row| Ok(at(&values, size(at(keys, row)?)?)?.clone()))
    }

    /// A column whose buffers are those of its type: no dictionary keys.
    fn plain(&self, field: &Json, column: &Json) -> Result<Vec<Value>, String> {
        let kind = get(field, "type")?;
        let children = || self.children(field, column);
        match name(kind)? {
            "null" => rows(column, |_| Ok(Value::Null)),
            "utf8view" | "binaryview" => views(kind, column),
            "list" | "largelist" | "map" => {
                let (children, offsets) = (children()?, array(column, "OFFSET")?);
                rows(column, |row| {
                    let (start, end) = (size(at(offsets, row)?)?, size(at(offsets, row + 1)?)?);
                    list(at(&children, 0)?, start, end)
                })
            },
            "listview" | "largelistview" => {
                let (children, offsets, sizes) =
                    (children()?, array(column, "OFFSET")?, array(column, "SIZE")?);
                rows(column, |row| {
                    let start = size(at(offsets, row)?)?;
                    list(at(&children, 0)?, start, start + size(at(sizes, row)?)?)
                })
            },
            "fixedsizelist" => {
                let (children, width) = (children()?, size(get(kind, "listSize")?)?);
                rows(column, |row| list(at(&children, 0)?, row * width, (row + 1) * width))
            },
            "struct" => {
                let children = children()?;
                rows(column, |row| {
                    let fields = children.iter().map(|child| at(child, row).cloned());
                    Ok(Value::Struct(fields.collect::<Result<_, _>>()?))
                })
            },
            "union" => union(kind, column, &children()?),
            "runendencoded" => {
                let children = children()?;
                let (ends, values) = (at(&children, 0)?, at(&children, 1)?);
                rows(column, |row| {
                    let past = |end: &Value| matches!(end, Value::Int(end) if *end > row as i128);
                    let run = ends.iter().position(past).ok_or("no run reaches the row")?;
                    at(values, run).cloned()
                })
            },
            _ => {
                let data = array(column, "DATA")?;
                rows(column, |row| leaf(kind, at(data, row)?))
            },
        }
    }

    fn children(&self, field: &Json, column: &Json) -> Result<Vec<Vec<Value>>, String> {
        let (fields, columns) = (array(field, "children")?, array(column, "children")?);
        if fields.len() != columns.len() {
            return Err(format!("{} children of {} fields", columns.len(), fields.len()));
        }
        fields.iter().zip(columns).map(|(field, column)| self.column(field, column)).collect()
    }
}

/// The rows of a column: null where it says so, else as `valid` makes them.
fn rows(column: &Json, valid: impl Fn(usize) -> Result<Value, String>) -> Result<Vec<Value>, String> {
    let count = size(get(column, "count")?)?;
    let validity = column.get("VALIDITY").and_then(Json::as_array);
    (0..count)
        .map(|row| match validity {
            Some(validity) if int(at(validity, row)?)? == 0 => Ok(Value::Null),
            _ => valid(row),
        })
        .collect()
}

fn list(items: &[Value], start: usize, end: usize) -> Result<Value, String> {
    let items = items.get(start..end).ok_or_else(|| format!("items {start}..{end} of {}", items.len()))?;
    Ok(Value::List(items.to_vec()))
}

/// Strings or bytes of which the short ones stand inside their views.
fn views(kind: &Json, column: &Json) -> Result<Vec<Value>, String> {
    let is_text = name(kind)? == "utf8view";
    let (views, buffers) = (array(column, "VIEWS")?, array(column, "VARIADIC_DATA_BUFFERS")?);
    let buffers = buffers.iter().map(hex).collect::<Result<Vec<_>, _>>()?;
    rows(column, |row| {
        let view = at(views, row)?;
        let bytes = match view.get("INLINED") {
            Some(inlined) if is_text => text(inlined)?.as_bytes().to_vec(),
            Some(inlined) => hex(inlined)?,
            None => {
                let (start, len) = (size(get(view, "OFFSET")?)?, size(get(view, "SIZE")?)?);
                let buffer = at(&buffers, size(get(view, "BUFFER_INDEX")?)?)?;
                buffer.get(start..start + len).ok_or("a view past its buffer")?.to_vec()
            },
        };
        if is_text {
            Ok(Value::Str(String::from_utf8(bytes).map_err(|error| error.to_string())?))
        } else {
            Ok(Value::Bin(bytes))
        }
    })
}

/// A union is a struct: the type id, then one field per child of which only the selected one is set.
fn union(kind: &Json, column: &Json, children: &[Vec<Value>]) -> Result<Vec<Value>, String> {
    let ids = array(kind, "typeIds")?.iter().map(int).collect::<Result<Vec<_>, _>>()?;
    let (selected, is_dense) = (array(column, "TYPE_ID")?, text(get(kind, "mode")?)? == "DENSE");
    rows(column, |row| {
        let id = int(at(selected, row)?)?;
        let child = ids.iter().position(|known| *known == id).ok_or_else(|| format!("type id {id}"))?;
        let offset = if is_dense { size(at(array(column, "OFFSET")?, row)?)? } else { row };
        let mut fields = vec![Value::Null; children.len() + 1];
        fields[0] = Value::Int(id);
        fields[child + 1] = at(at(children, child)?, offset)?.clone();
        Ok(Value::Struct(fields))
    })
}

/// A value that takes one entry of `DATA`.
fn leaf(kind: &Json, datum: &Json) -> Result<Value, String> {
    let unit = || text(get(kind, "unit")?);
    Ok(match name(kind)? {
        "bool" => Value::Bool(datum.as_bool().map_or_else(|| Ok(int(datum)? != 0), Ok::<_, String>)?),
        "int" | "date" => Value::Int(int(datum)?),
        "timestamp" | "duration" => in_64_bits(int(datum)? * if unit()? == "SECOND" { 1000 } else { 1 }),
        "time" => {
            let nanoseconds = match unit()? {
                "SECOND" => 1_000_000_000,
                "MILLISECOND" => 1_000_000,
                "MICROSECOND" => 1000,
                _ => 1,
            };
            // Polars makes other times null, however its `Time` is built. The golden files have 24:00:00.
            let value = int(datum)? * nanoseconds;
            if (0..DAY).contains(&value) { Value::Int(value) } else { Value::Null }
        },
        "decimal" => decimal(kind, text(datum)?)?,
        "floatingpoint" => float(kind, datum)?,
        "utf8" | "largeutf8" => Value::Str(text(datum)?.to_owned()),
        "binary" | "largebinary" | "fixedsizebinary" => Value::Bin(hex(datum)?),
        "interval" => {
            let part = |part| Ok(Value::Int(int(get(datum, part)?)?));
            let parts: &[&str] = match unit()? {
                "YEAR_MONTH" => return Ok(Value::Struct(vec![Value::Int(int(datum)?)])),
                "DAY_TIME" => &["days", "milliseconds"],
                _ => &["months", "days", "nanoseconds"],
            };
            Value::Struct(parts.iter().copied().map(part).collect::<Result<_, String>>()?)
        },
        other => return Err(format!("unknown type {other:?}")),
    })
}

fn in_64_bits(value: i128) -> Value {
    if i64::try_from(value).is_ok() { Value::Int(value) } else { Value::Unfit(value.to_string()) }
}

fn decimal(kind: &Json, text: &str) -> Result<Value, String> {
    let scale = kind.get("scale").map_or(Ok(0), int)?;
    let zeros = u32::try_from(-scale).unwrap_or(0);
    let scaled = text.parse::<i128>().ok().and_then(|int| int.checked_mul(10_i128.checked_pow(zeros)?));
    let may_be_unfit = int(kind.get("bitWidth").unwrap_or(&Json::from(128)))? > 128 || zeros > 0;
    Ok(match scaled {
        Some(value) if !may_be_unfit || value.abs() <= MAX_DECIMAL => Value::Int(value),
        Some(value) => Value::Unfit(value.to_string()),
        None => Value::Unfit(text.to_owned()),
    })
}

fn float(kind: &Json, datum: &Json) -> Result<Value, String> {
    let value = match datum {
        Json::Null => f64::NAN,
        Json::String(text) => text.parse::<f64>().map_err(|error| format!("{text:?}: {error}"))?,
        number => number.as_f64().ok_or_else(|| format!("no float: {number}"))?,
    };
    Ok(Value::Float(match text(get(kind, "precision")?)? {
        "HALF" => f64::from(pf16::from(value)),
        #[expect(clippy::cast_possible_truncation, reason = "rounds as the writer of the golden file did")]
        "SINGLE" => f64::from(value as f32),
        _ => value,
    }))
}

pub(super) fn get<'a>(object: &'a Json, key: &str) -> Result<&'a Json, String> {
    object.get(key).ok_or_else(|| format!("the JSON has no {key:?}"))
}

pub(super) fn array<'a>(object: &'a Json, key: &str) -> Result<&'a [Json], String> {
    get(object, key)?.as_array().map(Vec::as_slice).ok_or_else(|| format!("{key:?} is no array"))
}

pub(super) fn name(object: &Json) -> Result<&str, String> {
    text(get(object, "name")?)
}

pub(super) fn text(json: &Json) -> Result<&str, String> {
    json.as_str().ok_or_else(|| format!("no string: {json}"))
}

pub(super) fn int(json: &Json) -> Result<i128, String> {
    let int = match json {
        Json::String(text) => text.parse().ok(),
        number => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
    };
    int.ok_or_else(|| format!("no integer: {json}"))
}

pub(super) fn size(json: &Json) -> Result<usize, String> {
    usize::try_from(int(json)?).map_err(|_| format!("no size: {json}"))
}

fn at<T>(items: &[T], index: usize) -> Result<&T, String> {
    items.get(index).ok_or_else(|| format!("item {index} of {}", items.len()))
}

fn hex(json: &Json) -> Result<Vec<u8>, String> {
    let digits = text(json)?.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap_or_default());
    digits.map(|pair| u8::from_str_radix(pair, 16).map_err(|error| format!("{json}: {error}"))).collect()
}
