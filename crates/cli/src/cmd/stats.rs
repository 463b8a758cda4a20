//! `floe stats`: each column in numbers.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::PathBuf;

use floe_format::IpcLimits;
use floe_tools::{Description, describe};
use polars_core::prelude::*;

use crate::error::{Failure, Outcome, Result};
use crate::input::{Input, expand};
use crate::{rows, term};

/// Each column in numbers: nulls, smallest, largest, distinct values, bytes
///
/// Where floe wrote statistics, bounds and nulls come from those at once, and that is told; `--full` reads all values,
/// and counts distinct ones.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files, folders and patterns, as one table; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Read all values, also where there are statistics
    #[arg(long)]
    full: bool,
    /// These columns only, in this order
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    columns: Option<Vec<String>>,
}

/// The numbers of a column.
#[derive(Default)]
struct Known {
    nulls: u64,
    min: Option<AnyValue<'static>>,
    max: Option<AnyValue<'static>>,
    /// Only values tell.
    distinct: Option<Distinct>,
    stored: u64,
    raw: u64,
    /// Whether some of it comes from statistics, and some from values.
    from: (bool, bool),
}

/// A file of several.
struct Part {
    input: Input,
    index: floe::IpcIndex,
    bytes: Description,
    positions: Vec<usize>,
    schema: Schema,
}

impl Part {
    fn open(input: Input, columns: Option<&[String]>) -> Result<Self> {
        let bytes = describe(&input.source, &IpcLimits::default(), false);
        let bytes = bytes.map_err(|fault| Failure::fault(&input.name, &fault))?;
        let index = rows::index(&input)?;
        let positions = match columns {
            Some(columns) => index.column_indices(columns),
            None => Ok((0..index.column_names().len()).collect()),
        };
        let positions = rows::of(&input, positions)?;
        let schema = rows::of(&input, index.schema(Some(&positions)))?;
        Ok(Self { input, index, bytes, positions, schema })
    }

    /// Adds what this file says of its `i`th column.
    fn add(&self, i: usize, name: &str, full: bool, known: &mut Known) -> Result<()> {
        let Some(position) = self.positions.get(i).copied() else { return Ok(()) };
        let bytes = self.bytes.columns.get(position).copied().unwrap_or_default();
        known.stored += bytes.stored;
        known.raw += bytes.raw;
        if !full && rows::of(&self.input, stated(&self.index, position, name, known))? {
            known.from.0 = true;
            return Ok(());
        }
        known.from.1 = true;
        rows::of(&self.input, read(&self.index, position, known))
    }
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { files, full, columns } = self;
        let mut parts: Vec<Part> = Vec::new();
        for input in inputs(&files)? {
            let part = Part::open(input?, columns.as_deref())?;
            match parts.first() {
                Some(first) if first.schema != part.schema => {
                    return Err(Failure::of(
                        &part.input.name,
                        format!("its columns are not those of {}", first.input.name),
                    ));
                },
                _ => parts.push(part),
            }
        }
        let schema = parts.first().map(|part| part.schema.clone()).unwrap_or_default();
        let head = ["column", "type", "nulls", "min", "max", "distinct", "stored", "raw", "from"];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        for (i, (name, dtype)) in schema.iter().enumerate() {
            let mut known = Known::default();
            for part in &parts {
                part.add(i, name, full, &mut known)?;
            }
            lines.push(line(name, dtype, &known));
        }
        std::io::stdout().lock().write_all(term::aligned(&lines, &[2, 5, 6, 7]).as_bytes())?;
        Ok(Outcome::Good)
    }
}

/// The inputs, opened one after another: a folder or pattern of other formats is one.
fn inputs(files: &[PathBuf]) -> Result<Box<dyn Iterator<Item = Result<Input>>>> {
    #[cfg(feature = "query")]
    if files.iter().any(|file| crate::input::is_many(file) && crate::input::is_other(file)) {
        return Ok(Box::new(std::iter::once(Input::open_all_rows(files))));
    }
    Ok(Box::new(expand(files)?.into_iter().map(|file| Input::open_rows(&file))))
}

fn line(name: &str, dtype: &DataType, known: &Known) -> Vec<String> {
    let bound = |value: &Option<AnyValue<'static>>| {
        let mut text = String::new();
        if let Some(value) = value {
            rows::plain(value, &mut text);
        }
        term::cut(&term::printable(&text), 28)
    };
    // Of values that were not looked at nobody knows whether they are among the others.
    let distinct = known.distinct.as_ref().filter(|_| !known.from.0);
    let from = match known.from {
        (true, true) => "both",
        (true, false) => "statistics",
        _ => "values",
    };
    vec![
        term::printable(name),
        term::cut(&dtype.to_string(), 28),
        term::count(known.nulls),
        bound(&known.min),
        bound(&known.max),
        distinct.map_or_else(|| "-".to_owned(), Distinct::text),
        term::bytes(known.stored),
        term::bytes(known.raw),
        from.into(),
    ]
}

/// Adds the statistics that the batches state, if all of them do; whether they do.
fn stated(index: &floe::IpcIndex, position: usize, name: &str, known: &mut Known) -> PolarsResult<bool> {
    if !index.has_statistics() {
        return Ok(false);
    }
    let frame = index.statistics(0..index.num_record_batches(), &[position])?;
    let nulls = frame.column(&format!("{name}_nc"))?;
    if nulls.null_count() > 0 {
        return Ok(false);
    }
    let nulls: u64 = (0..nulls.len()).filter_map(|i| nulls.get(i).ok()?.extract::<u64>()).sum();
    let (min, max) = (frame.column(&format!("{name}_min"))?, frame.column(&format!("{name}_max"))?);
    let rows = index.num_rows() as u64;
    if (min.null_count() > 0 || max.null_count() > 0) && nulls < rows {
        return Ok(false);
    }
    known.nulls += nulls;
    for i in 0..frame.height() {
        bounds(known, &min.get(i)?);
        bounds(known, &max.get(i)?);
    }
    Ok(true)
}

/// Widens the bounds.
fn bounds(known: &mut Known, value: &AnyValue<'_>) {
    if value.is_null() || value.is_nested_null() {
        return;
    }
    if known.min.as_ref().is_none_or(|min| value < min) {
        known.min = Some(value.clone().into_static());
    }
    if known.max.as_ref().is_none_or(|max| value > max) {
        known.max = Some(value.clone().into_static());
    }
}

/// Reads the values, a batch in memory at a time.
fn read(index: &floe::IpcIndex, position: usize, known: &mut Known) -> PolarsResult<()> {
    known.distinct.get_or_insert_default();
    let mut text = String::new();
    for batch in 0..index.num_record_batches() {
        let frame = index.read(batch..batch + 1, &[position], true)?;
        let Some(column) = frame.columns().first() else { continue };
        known.nulls += column.null_count() as u64;
        let ordered = !column.dtype().is_nested();
        for row in 0..column.len() {
            let value = column.get(row)?;
            if value.is_null() {
                continue;
            }
            text.clear();
            rows::plain(&value, &mut text);
            if let Some(distinct) = &mut known.distinct {
                distinct.add(&text);
            }
            if ordered {
                bounds(known, &value);
            }
        }
    }
    Ok(())
}

/// How many different values there are: exactly up to a limit, beyond it by how close the smallest hashes lie.
struct Distinct {
    state: RandomState,
    seen: HashSet<u64>,
    /// Hashes above it are not kept.
    limit: u64,
}

/// Hashes that are kept: the error is about one part in 128.
const KEPT: usize = 1 << 14;

impl Default for Distinct {
    fn default() -> Self {
        Self { state: RandomState::new(), seen: HashSet::new(), limit: u64::MAX }
    }
}

impl Distinct {
    fn add(&mut self, text: &str) {
        let mut hasher = self.state.build_hasher();
        hasher.write(text.as_bytes());
        let hash = hasher.finish();
        if hash > self.limit || !self.seen.insert(hash) || self.seen.len() <= 2 * KEPT {
            return;
        }
        // Half of the range goes, and with it about half of the hashes.
        self.limit /= 2;
        self.seen.retain(|hash| *hash <= self.limit);
    }

    fn text(&self) -> String {
        let seen = self.seen.len() as u128;
        let parts = u128::from(u64::MAX) / u128::from(self.limit.max(1));
        let estimate = u64::try_from(seen * parts).unwrap_or(u64::MAX);
        if parts == 1 { term::count(estimate) } else { format!("~{}", term::count(estimate)) }
    }
}
