//! Arrow's golden files: does a `DataFrame` hold what an integration JSON file says?
//!
//! Arrow's integration data keeps, beside each `.stream` and `.arrow_file`, the same batches as JSON.
//! [`compare`] decodes that JSON (`json.rs`) and the frame (`frame.rs`) into one shape, and reports the first
//! row in which they differ. `dtype.rs` says which Polars type each Arrow type has to become.

mod dtype;
mod frame;
mod json;

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use flate2::read::GzDecoder;
use polars_core::prelude::{Column, DataFrame};
use serde_json::Value as Json;

use self::json::Golden;

/// One value of one row, whatever array or JSON it comes from.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// Integers, decimals (unscaled) and everything temporal, in the unit of its Polars type.
    Int(i128),
    /// An integer that the Polars type has no room for. A reader may refuse it, and must not change it.
    Unfit(String),
    /// Narrower floats, widened: that is exact.
    Float(f64),
    Str(String),
    Bin(Vec<u8>),
    List(Vec<Value>),
    Struct(Vec<Value>),
}

impl Value {
    /// Whether this is, or contains, an [`Value::Unfit`].
    fn is_unfit(&self) -> bool {
        match self {
            Self::Unfit(_) => true,
            Self::List(items) | Self::Struct(items) => items.iter().any(Self::is_unfit),
            _ => false,
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            // A reader that finds room for it after all is right.
            (Self::Unfit(text), Self::Int(int)) | (Self::Int(int), Self::Unfit(text)) => {
                *text == int.to_string()
            },
            (Self::Unfit(a), Self::Unfit(b)) | (Self::Str(a), Self::Str(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (Self::Bin(a), Self::Bin(b)) => a == b,
            (Self::List(a), Self::List(b)) | (Self::Struct(a), Self::Struct(b)) => a == b,
            _ => false,
        }
    }
}

/// Reads a gzipped integration JSON file.
///
/// # Panics
/// When the file cannot be read or is no gzipped JSON.
pub fn load(path: impl AsRef<Path>) -> Json {
    let path = path.as_ref();
    let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_reader(std::io::BufReader::new(GzDecoder::new(file)))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Compares all batches of a golden file with the frame read from them: names, types, height and every value.
///
/// # Errors
/// The first difference: its column, batch, row, and the two values.
pub fn compare(json: &Json, df: &DataFrame) -> Result<(), String> {
    let names = column_names(json)?;
    let found: Vec<_> = df.get_column_names().iter().map(|name| name.as_str()).collect();
    if names != found {
        return Err(format!("columns: expected {names:?}, found {found:?}"));
    }
    let height = row_count(json)?;
    if df.height() != height {
        return Err(format!("rows: expected {height}, found {}", df.height()));
    }
    df.columns().iter().enumerate().try_for_each(|(index, column)| compare_column(json, index, column))
}

/// Compares one column of a golden file, counted from 0, with what was read of it.
///
/// # Errors
/// As [`compare`].
pub fn compare_column(json: &Json, index: usize, column: &Column) -> Result<(), String> {
    let golden = Golden::new(json)?;
    let field = golden.field(index)?;
    let name = column.name();
    let place = |error: String| format!("column {name:?} (number {index}): {error}");
    dtype::check(field, column.dtype()).map_err(place)?;

    let found = frame::values(column.as_materialized_series()).map_err(place)?;
    let mut row = 0;
    for (batch, expected) in golden.batches(index)?.iter().enumerate() {
        for (row_in_batch, expected) in expected.iter().enumerate() {
            let place = |rest| place(format!("batch {batch}, row {row_in_batch}: {rest}"));
            let found =
                found.get(row).ok_or_else(|| place(format!("expected {expected:?}, found no more rows")))?;
            if expected != found {
                return Err(place(format!("expected {expected:?}, found {found:?}")));
            }
            row += 1;
        }
    }
    if row != found.len() {
        return Err(place(format!("expected {row} rows, found {}", found.len())));
    }
    Ok(())
}

/// The names the columns have in a `DataFrame`, where no two may be the same.
///
/// # Errors
/// When `json` is no integration file.
pub fn column_names(json: &Json) -> Result<Vec<String>, String> {
    unique(Golden::new(json)?.fields().iter().map(json::name))
}

/// The number of rows in all batches.
///
/// # Errors
/// When `json` is no integration file.
pub fn row_count(json: &Json) -> Result<usize, String> {
    Golden::new(json)?.row_count()
}

/// Whether a column, counted from 0, has a value that Polars cannot hold: an error to read it is right.
///
/// That is a 256-bit decimal of more than 38 digits, or an instant or duration in seconds that overflows as
/// milliseconds.
///
/// # Errors
/// When `json` is no integration file.
pub fn is_unreadable(json: &Json, index: usize) -> Result<bool, String> {
    Ok(Golden::new(json)?.batches(index)?.iter().flatten().any(Value::is_unfit))
}

/// Names made unique as Polars does it: `a`, `a_duplicated_0`, `a_duplicated_1`.
fn unique<'a>(names: impl IntoIterator<Item = Result<&'a str, String>>) -> Result<Vec<String>, String> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    names
        .into_iter()
        .map(|name| {
            let name = name?;
            let count = seen.entry(name).or_default();
            *count += 1;
            Ok(if *count == 1 { name.to_owned() } else { format!("{name}_duplicated_{}", *count - 2) })
        })
        .collect()
}

#[cfg(test)]
mod tests;
