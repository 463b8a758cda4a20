//! Values that differ.

use std::io::Write;

use polars_core::prelude::*;

use crate::error::Result;
use crate::{rows, term};

/// The differences so far.
pub(super) struct Values {
    tolerance: f64,
    /// The number of differences that may still be shown one by one.
    shown: usize,
    pub(super) columns: Vec<(String, u64)>,
}

impl Values {
    pub(super) fn new(tolerance: f64, shown: usize, columns: &[String]) -> Self {
        Self { tolerance, shown, columns: columns.iter().map(|name| (name.clone(), 0)).collect() }
    }

    /// Compares frames whose rows belong together; `label` says of which row a line is.
    pub(super) fn compare(
        &mut self,
        a: &DataFrame,
        b: &DataFrame,
        label: &dyn Fn(usize) -> String,
        out: &mut impl Write,
    ) -> Result<()> {
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
                let line = format!(
                    "{}, column {name:?}: {} against {}",
                    label(row),
                    term::cut(&shown(&x), 60),
                    term::cut(&shown(&y), 60)
                );
                self.show(&line, out)?;
            }
        }
        Ok(())
    }

    /// A line of its own for a difference, unless there have been enough.
    pub(super) fn show(&mut self, line: &str, out: &mut impl Write) -> Result<()> {
        if self.shown > 0 {
            self.shown -= 1;
            writeln!(out, "{line}")?;
        }
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
pub(super) fn shown(value: &AnyValue<'_>) -> String {
    let mut text = String::new();
    match value.is_float() && value.extract::<f64>().is_some_and(|number| !number.is_finite()) {
        true => rows::plain(value, &mut text),
        false => rows::json(value, &mut text),
    }
    text
}
