//! `floe diff`: how two files differ.

use std::io::Write;
use std::path::PathBuf;

use floe_format::{Field, Schema as Wire};
use floe_tools::Contents;
use polars_core::prelude::*;

use super::diff_key;
use super::diff_values::Values;
use crate::error::{Outcome, Result};
use crate::input::Input;
use crate::{rows, term};

/// Compare two files: schema, metadata, and values by row and column
///
/// Batches and codecs may differ. Exit code 1 if anything else does. Rows are compared in their order, or with `--key`
/// those of the same key: in bounded memory where the keys are sorted, else with the second file in memory.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first file
    a: PathBuf,
    /// The second file
    b: PathBuf,
    /// Columns that say which rows belong together
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    key: Option<Vec<String>>,
    /// Numbers that are so close are equal
    #[arg(long, default_value_t = 0.0, value_name = "X")]
    tolerance: f64,
    /// The most differing values to show
    #[arg(short, long, default_value_t = 20)]
    n: usize,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { a, b, key, tolerance, n } = self;
        let (a, b) = (Input::open_rows(&a)?, Input::open_rows(&b)?);
        let (in_a, in_b) = (a.scan_whole()?, b.scan_whole()?);
        let (wire_a, wire_b) = (wire(&in_a), wire(&in_b));
        let mut out = std::io::stdout().lock();
        let mut lines = schema_differences(&wire_a, &wire_b);
        let fields = wire_a.fields.iter().map(|field| field.name.to_string());
        let common: Vec<String> =
            fields.filter(|name| wire_b.fields.iter().any(|other| other.name == *name)).collect();
        if key.is_none() && in_a.rows() != in_b.rows() {
            lines.push(format!("rows: {} against {}", term::count(in_a.rows()), term::count(in_b.rows())));
        }
        for line in &lines {
            writeln!(out, "{line}")?;
        }
        let mut values = Values::new(tolerance, n, &common);
        let sides = [Side { input: &a, contents: &in_a }, Side { input: &b, contents: &in_b }];
        let only = match &key {
            Some(key) => diff_key::compare(&sides, key, &common, &mut values, &mut out)?,
            None => {
                in_order(&sides, &common, &mut values, &mut out)?;
                [0, 0]
            },
        };
        for (n, which) in only.iter().zip(["first", "second"]).filter(|(n, _)| **n > 0) {
            writeln!(out, "rows: {} only in the {which}", term::count(*n))?;
        }
        let differing: Vec<_> = values.columns.iter().filter(|(_, n)| *n > 0).collect();
        for (name, n) in &differing {
            writeln!(out, "column {name:?}: {} values differ", term::count(*n))?;
        }
        let is_same = lines.is_empty() && only == [0, 0] && differing.is_empty();
        Ok(if is_same { Outcome::Good } else { Outcome::No })
    }
}

/// One of the two.
pub(super) struct Side<'a> {
    pub(super) input: &'a Input,
    pub(super) contents: &'a Contents,
}

impl Side<'_> {
    pub(super) fn rows(&self, columns: &[String]) -> Result<Rows> {
        Ok(Rows::new(rows::frames(self.input, self.contents, Some(columns))?.1))
    }
}

fn wire(contents: &Contents) -> Wire {
    contents.streams.first().map(|stream| stream.schema.clone()).unwrap_or_default()
}

/// Compares row by row.
fn in_order(
    sides: &[Side<'_>; 2],
    columns: &[String],
    values: &mut Values,
    out: &mut impl Write,
) -> Result<()> {
    if columns.is_empty() {
        return Ok(());
    }
    let (mut left, mut right) = (sides[0].rows(columns)?, sides[1].rows(columns)?);
    let mut before = 0u64;
    while let (true, true) = (left.fill()?, right.fill()?) {
        let rows = left.held.height().min(right.held.height());
        let label = |row: usize| format!("row {}", before + row as u64);
        values.compare(&left.take(rows), &right.take(rows), &label, out)?;
        before += rows as u64;
    }
    Ok(())
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
pub(super) struct Rows {
    frames: Box<dyn Iterator<Item = Result<DataFrame>>>,
    pub(super) held: DataFrame,
}

impl Rows {
    fn new(frames: Box<dyn Iterator<Item = Result<DataFrame>>>) -> Self {
        Self { frames, held: DataFrame::default() }
    }

    /// Whether there are rows.
    pub(super) fn fill(&mut self) -> Result<bool> {
        while self.held.height() == 0 {
            match self.frames.next() {
                Some(frame) => self.held = frame?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// The rows that are held.
    pub(super) fn take_all(&mut self) -> DataFrame {
        std::mem::take(&mut self.held)
    }

    pub(super) fn take(&mut self, rows: usize) -> DataFrame {
        let taken = self.held.head(Some(rows));
        self.held = self.held.slice(i64::try_from(rows).unwrap_or(i64::MAX), self.held.height());
        taken
    }
}
