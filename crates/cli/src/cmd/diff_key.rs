//! Rows that belong together by a key.
//!
//! Keys that ascend in both files are merged as they are read, a batch of each in memory. Others are looked up: the
//! second file is in memory then, with the text of its keys.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::io::Write;

use polars_core::prelude::*;

use super::diff::Side;
use super::diff_values::{Values, shown};
use crate::error::{Failure, Result};
use crate::{rows, term};

/// Compares the rows of each key; returns how many have a key that only the first file has, and only the second.
pub(super) fn compare(
    sides: &[Side<'_>; 2],
    key: &[String],
    columns: &[String],
    values: &mut Values,
    out: &mut impl Write,
) -> Result<[u64; 2]> {
    for name in key {
        if !columns.contains(name) {
            return Err(Failure::new(format!("--key: column {name:?} is not in both")));
        }
    }
    let mut matched = Matched { key, values, out, only: [0, 0] };
    if ascends(&sides[0], key)? && ascends(&sides[1], key)? {
        term::tell("floe: the keys are sorted: rows are matched as they are read");
        merge(sides, columns, &mut matched)?;
    } else {
        let second = &sides[1].input.name;
        term::tell(&format!(
            "floe: the keys are not sorted: rows are matched by a join, with {second} in memory"
        ));
        join(sides, columns, &mut matched)?;
    }
    Ok(matched.only)
}

/// The differences found, and where they are written.
struct Matched<'a, W: Write> {
    key: &'a [String],
    values: &'a mut Values,
    out: &'a mut W,
    only: [u64; 2],
}

impl<W: Write> Matched<'_, W> {
    /// Rows of both, of the same keys.
    fn both(&mut self, left: (&DataFrame, Vec<IdxSize>), right: (&DataFrame, Vec<IdxSize>)) -> Result<()> {
        if left.1.is_empty() {
            return Ok(());
        }
        let left = left.0.take(&IdxCa::from_vec("".into(), left.1))?;
        let right = right.0.take(&IdxCa::from_vec("".into(), right.1))?;
        let keys = columns_of(&left, self.key)?;
        let label = |row: usize| format!("key {}", told(&keys, row));
        self.values.compare(&left, &right, &label, self.out)
    }

    /// A row of one of them, the first or the second.
    fn one(&mut self, side: usize, keys: &[Column], row: usize) -> Result<()> {
        if let Some(n) = self.only.get_mut(side) {
            *n += 1;
        }
        let which = if side == 0 { "first" } else { "second" };
        self.values.show(&format!("key {}: only in the {which}", told(keys, row)), self.out)
    }
}

fn columns_of(frame: &DataFrame, names: &[String]) -> Result<Vec<Column>> {
    Ok(names.iter().map(|name| frame.column(name).cloned()).collect::<PolarsResult<_>>()?)
}

/// A key for people: `7`, or `7, "a"`.
fn told(keys: &[Column], row: usize) -> String {
    let parts = keys.iter().map(|column| shown(&column.get(row).unwrap_or(AnyValue::Null)));
    parts.collect::<Vec<_>>().join(", ")
}

/// How two keys stand to each other, if their values have an order. Null comes first.
fn order(a: (&[Column], usize), b: (&[Column], usize)) -> Option<Ordering> {
    for (left, right) in a.0.iter().zip(b.0) {
        let (x, y) = (left.get(a.1).ok()?, right.get(b.1).ok()?);
        let order = match (x.is_null(), y.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            _ => match (x.get_str(), y.get_str()) {
                (Some(x), Some(y)) => x.cmp(y),
                _ if x.dtype().is_nested() || y.dtype().is_nested() => return None,
                _ => x.partial_cmp(&y)?,
            },
        };
        if order != Ordering::Equal {
            return Some(order);
        }
    }
    Some(Ordering::Equal)
}

/// Whether each key is greater than the one before it. Reads the columns of the key alone.
fn ascends(side: &Side<'_>, key: &[String]) -> Result<bool> {
    let mut rows = side.rows(key)?;
    let mut last: Option<Vec<Column>> = None;
    while rows.fill()? {
        let frame = rows.take_all();
        let keys = columns_of(&frame, key)?;
        for row in 0..frame.height() {
            let order = match (row, &last) {
                (0, None) => continue,
                (0, Some(last)) => order((last, 0), (&keys, 0)),
                _ => order((&keys, row - 1), (&keys, row)),
            };
            if order != Some(Ordering::Less) {
                return Ok(false);
            }
        }
        last = Some(columns_of(&frame.tail(Some(1)), key)?);
    }
    Ok(true)
}

fn index(row: usize) -> IdxSize {
    IdxSize::try_from(row).unwrap_or(IdxSize::MAX)
}

/// Goes through both, whose keys ascend.
fn merge(sides: &[Side<'_>; 2], columns: &[String], matched: &mut Matched<'_, impl Write>) -> Result<()> {
    let (mut left, mut right) = (sides[0].rows(columns)?, sides[1].rows(columns)?);
    loop {
        let (has_left, has_right) = (left.fill()?, right.fill()?);
        if !has_left && !has_right {
            return Ok(());
        }
        // A file without a batch has no frame, and so no columns.
        let a = if has_left { columns_of(&left.held, matched.key)? } else { Vec::new() };
        let b = if has_right { columns_of(&right.held, matched.key)? } else { Vec::new() };
        let (mut i, mut j) = (0, 0);
        let mut pairs = (Vec::new(), Vec::new());
        let (rows_a, rows_b) = (left.held.height(), right.held.height());
        while (i < rows_a || !has_left) && (j < rows_b || !has_right) && (i < rows_a || j < rows_b) {
            let order = match (has_left, has_right) {
                (true, true) => order((&a, i), (&b, j)).unwrap_or(Ordering::Less),
                (true, false) => Ordering::Less,
                _ => Ordering::Greater,
            };
            match order {
                Ordering::Less => matched.one(0, &a, i)?,
                Ordering::Greater => matched.one(1, &b, j)?,
                Ordering::Equal => {
                    pairs.0.push(index(i));
                    pairs.1.push(index(j));
                },
            }
            i += usize::from(order != Ordering::Greater);
            j += usize::from(order != Ordering::Less);
        }
        matched.both((&left.held, pairs.0), (&right.held, pairs.1))?;
        left.take(i);
        right.take(j);
    }
}

/// The key of a row as text, the same for the same values of any width.
fn text(keys: &[Column], row: usize) -> Result<String> {
    let mut text = String::new();
    for column in keys {
        rows::key(&column.get(row)?, &mut text);
        text.push(',');
    }
    Ok(text)
}

fn twice(side: &Side<'_>, keys: &[Column], row: usize) -> Failure {
    Failure::of(
        &side.input.name,
        format!("key {} is there more than once: name more columns with --key", told(keys, row)),
    )
}

/// Looks each key of the first file up among those of the second.
fn join(sides: &[Side<'_>; 2], columns: &[String], matched: &mut Matched<'_, impl Write>) -> Result<()> {
    let mut right = sides[1].rows(columns)?;
    let mut held: Option<DataFrame> = None;
    while right.fill()? {
        let frame = right.take_all();
        match &mut held {
            None => held = Some(frame),
            Some(held) => drop(held.vstack_mut(&frame)?),
        }
    }
    let held = held.map_or_else(DataFrame::default, |mut held| held.rechunk_mut().clone());
    let in_second = if held.width() == 0 { Vec::new() } else { columns_of(&held, matched.key)? };
    let mut known = HashMap::with_capacity(held.height());
    for row in 0..held.height() {
        if known.insert(text(&in_second, row)?, row).is_some() {
            return Err(twice(&sides[1], &in_second, row));
        }
    }
    let mut seen = vec![false; held.height()];
    let mut unknown = HashSet::new();
    let mut left = sides[0].rows(columns)?;
    while left.fill()? {
        let frame = left.take_all();
        let keys = columns_of(&frame, matched.key)?;
        let mut pairs = (Vec::new(), Vec::new());
        for row in 0..frame.height() {
            let text = text(&keys, row)?;
            let is_new = match known.get(&text).and_then(|found| Some((found, seen.get_mut(*found)?))) {
                Some((found, seen)) => {
                    pairs.0.push(index(row));
                    pairs.1.push(index(*found));
                    !std::mem::replace(seen, true)
                },
                None => {
                    matched.one(0, &keys, row)?;
                    unknown.insert(text)
                },
            };
            if !is_new {
                return Err(twice(&sides[0], &keys, row));
            }
        }
        matched.both((&frame, pairs.0), (&held, pairs.1))?;
    }
    for (row, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
        matched.one(1, &in_second, row)?;
    }
    Ok(())
}
