//! `floe diff`: how two files differ.

use std::io::Write;
use std::path::PathBuf;

use floe_format::{Field, Schema as Wire};
use polars_core::prelude::*;

use crate::error::{Outcome, Result};
use crate::input::Input;
use crate::{rows, term};

/// Compare two files: schema, metadata, and values by row and column
///
/// Batches and codecs may differ. Exit code 1 if anything else does.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first file
    a: PathBuf,
    /// The second file
    b: PathBuf,
    /// Numbers that are so close are equal
    #[arg(long, default_value_t = 0.0, value_name = "X")]
    tolerance: f64,
    /// The most differing values to show
    #[arg(short, long, default_value_t = 20)]
    n: usize,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { a, b, tolerance, n } = self;
        let (a, b) = (Input::open_rows(&a)?, Input::open_rows(&b)?);
        let (in_a, in_b) = (a.scan_whole()?, b.scan_whole()?);
        let wire = |contents: &floe_tools::Contents| {
            contents.streams.first().map(|stream| stream.schema.clone()).unwrap_or_default()
        };
        let (wire_a, wire_b) = (wire(&in_a), wire(&in_b));
        let mut out = std::io::stdout().lock();
        let mut lines = schema_differences(&wire_a, &wire_b);
        let common: Vec<String> = wire_a
            .fields
            .iter()
            .filter(|field| wire_b.fields.iter().any(|other| other.name == field.name))
            .map(|field| field.name.to_string())
            .collect();
        if in_a.rows() != in_b.rows() {
            lines.push(format!("rows: {} against {}", term::count(in_a.rows()), term::count(in_b.rows())));
        }
        for line in &lines {
            writeln!(out, "{line}")?;
        }
        let mut values = Values {
            tolerance,
            shown: n,
            columns: common.iter().map(|name| (name.clone(), 0)).collect(),
            row: 0,
        };
        if !common.is_empty() {
            let mut left = Rows::new(rows::frames(&a, &in_a, Some(&common))?.1);
            let mut right = Rows::new(rows::frames(&b, &in_b, Some(&common))?.1);
            while let (true, true) = (left.fill()?, right.fill()?) {
                let rows = left.len().min(right.len());
                values.compare(&left.take(rows), &right.take(rows), &mut out)?;
            }
        }
        let differing: Vec<_> = values.columns.iter().filter(|(_, n)| *n > 0).collect();
        for (name, n) in &differing {
            writeln!(out, "column {name:?}: {} values differ", term::count(*n))?;
        }
        Ok(if lines.is_empty() && differing.is_empty() { Outcome::Good } else { Outcome::No })
    }
}

fn schema_differences(a: &Wire, b: &Wire) -> Vec<String> {
    let mut lines = Vec::new();
    let find = |schema: &Wire, name: &str| schema.fields.iter().find(|field| field.name == name).cloned();
    for field in &a.fields {
        match find(b, &field.name) {
            None => lines.push(format!("column {:?}: only in the first", field.name)),
            Some(other) => field_differences(field, &other, field.name.to_string(), &mut lines),
        }
    }
    let only = b.fields.iter().filter(|field| find(a, &field.name).is_none());
    lines.extend(only.map(|field| format!("column {:?}: only in the second", field.name)));
    let names = |schema: &Wire, other: &Wire| {
        let both = schema.fields.iter().filter(|field| find(other, &field.name).is_some());
        both.map(|field| field.name.clone()).collect::<Vec<_>>()
    };
    if names(a, b) != names(b, a) {
        lines.push("columns: in another order".into());
    }
    if a.metadata != b.metadata {
        let only = a.metadata.iter().filter(|pair| !b.metadata.contains(pair)).map(|(key, _)| key);
        let other = b.metadata.iter().filter(|pair| !a.metadata.contains(pair)).map(|(key, _)| key);
        let mut keys: Vec<String> = only.chain(other).map(|key| format!("{key:?}")).collect();
        keys.dedup();
        lines.push(format!("schema metadata differs: {}", keys.join(", ")));
    }
    lines
}

fn field_differences(a: &Field, b: &Field, path: String, lines: &mut Vec<String>) {
    if a.data_type != b.data_type {
        lines.push(format!("column {path:?}: {} against {}", a.data_type, b.data_type));
        return;
    }
    if a.nullable != b.nullable {
        lines.push(format!("column {path:?}: nullable {} against {}", a.nullable, b.nullable));
    }
    if a.dictionary.is_some() != b.dictionary.is_some() {
        lines.push(format!("column {path:?}: a dictionary in one of them only"));
    }
    if a.metadata != b.metadata {
        lines.push(format!("column {path:?}: metadata differs"));
    }
    if a.children.len() != b.children.len() {
        lines.push(format!("column {path:?}: {} fields against {}", a.children.len(), b.children.len()));
    }
    for (a, b) in a.children.iter().zip(&b.children) {
        field_differences(a, b, format!("{path}.{}", a.name), lines);
    }
}

/// Rows that are taken in pieces of any size.
struct Rows {
    frames: Box<dyn Iterator<Item = Result<DataFrame>>>,
    held: DataFrame,
}

impl Rows {
    fn new(frames: Box<dyn Iterator<Item = Result<DataFrame>>>) -> Self {
        Self { frames, held: DataFrame::default() }
    }

    /// Whether there are rows.
    fn fill(&mut self) -> Result<bool> {
        while self.held.height() == 0 {
            match self.frames.next() {
                Some(frame) => self.held = frame?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn len(&self) -> usize {
        self.held.height()
    }

    fn take(&mut self, rows: usize) -> DataFrame {
        let taken = self.held.head(Some(rows));
        self.held = self.held.slice(i64::try_from(rows).unwrap_or(i64::MAX), self.held.height());
        taken
    }
}

/// The differences so far.
struct Values {
    tolerance: f64,
    shown: usize,
    columns: Vec<(String, u64)>,
    row: u64,
}

impl Values {
    fn compare(&mut self, a: &DataFrame, b: &DataFrame, out: &mut impl Write) -> Result<()> {
        for (i, (left, right)) in a.columns().iter().zip(b.columns()).enumerate() {
            // Mostly nothing differs, which is told without looking at values one by one.
            if left.dtype() == right.dtype() && left.equals_missing(right) {
                continue;
            }
            for row in 0..left.len() {
                let (x, y) = (left.get(row)?, right.get(row)?);
                if self.is_equal(&x, &y) {
                    continue;
                }
                let Some((name, n)) = self.columns.get_mut(i) else { continue };
                *n += 1;
                if self.shown > 0 {
                    self.shown -= 1;
                    let (left, right) = (shown(&x), shown(&y));
                    let row = self.row + row as u64;
                    writeln!(
                        out,
                        "row {row}, column {name:?}: {} against {}",
                        term::cut(&left, 60),
                        term::cut(&right, 60)
                    )?;
                }
            }
        }
        self.row += a.height() as u64;
        Ok(())
    }

    fn is_equal(&self, x: &AnyValue<'_>, y: &AnyValue<'_>) -> bool {
        if x.is_null() || y.is_null() {
            return x.is_null() && y.is_null();
        }
        if let (Some(x), Some(y)) = (x.get_str(), y.get_str()) {
            return x == y;
        }
        match (x, y) {
            (AnyValue::List(x) | AnyValue::Array(x, _), AnyValue::List(y) | AnyValue::Array(y, _)) => {
                return x.len() == y.len() && x.iter().zip(y.iter()).all(|(x, y)| self.is_equal(&x, &y));
            },
            (
                AnyValue::Struct(..) | AnyValue::StructOwned(_),
                AnyValue::Struct(..) | AnyValue::StructOwned(_),
            ) => {
                let (x, y) = (fields(x), fields(y));
                return x.len() == y.len() && x.iter().zip(&y).all(|(x, y)| self.is_equal(x, y));
            },
            _ => {},
        }
        if x.dtype().is_numeric() && y.dtype().is_numeric() {
            if x == y {
                return true;
            }
            return match (x.extract::<f64>(), y.extract::<f64>()) {
                (Some(x), Some(y)) if x.is_nan() || y.is_nan() => x.is_nan() && y.is_nan(),
                (Some(x), Some(y)) => self.tolerance > 0.0 && (x - y).abs() <= self.tolerance,
                _ => false,
            };
        }
        let (mut left, mut right) = (String::new(), String::new());
        rows::plain(x, &mut left);
        rows::plain(y, &mut right);
        left == right
    }
}

/// The values of a struct's fields.
fn fields<'a>(value: &'a AnyValue<'a>) -> Vec<AnyValue<'a>> {
    match value {
        AnyValue::StructOwned(parts) => parts.0.clone(),
        value => {
            let mut values = Vec::new();
            value._materialize_struct_av(&mut values);
            values
        },
    }
}

/// A value as it is told: JSON, but for numbers that JSON does not have.
fn shown(value: &AnyValue<'_>) -> String {
    let mut text = String::new();
    match value.is_float() && value.extract::<f64>().is_some_and(|number| !number.is_finite()) {
        true => rows::plain(value, &mut text),
        false => rows::json(value, &mut text),
    }
    text
}
