//! `floe stats`: each column in numbers.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::path::PathBuf;

use floe_format::IpcLimits;
use floe_tools::describe;
use polars_core::prelude::*;

use crate::error::{Failure, Outcome, Result};
use crate::input::Input;
use crate::{rows, term};

/// Each column in numbers: nulls, smallest, largest, distinct values, bytes
///
/// Where floe wrote statistics, bounds and nulls come from those at once, and that is told; `--full` reads all values,
/// and counts distinct ones.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; `-` is standard input
    file: PathBuf,
    /// Read all values, also where there are statistics
    #[arg(long)]
    full: bool,
    /// These columns only, in this order
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    columns: Option<Vec<String>>,
}

/// The numbers of a column.
struct Known {
    nulls: u64,
    min: Option<AnyValue<'static>>,
    max: Option<AnyValue<'static>>,
    distinct: Option<Distinct>,
    stated: bool,
}

impl Args {
    pub(crate) fn run(self) -> Result<Outcome> {
        let Self { file, full, columns } = self;
        let input = Input::open_rows(&file)?;
        let bytes = describe(&input.source, &IpcLimits::default(), false);
        let bytes = bytes.map_err(|fault| Failure::fault(&input.name, &fault))?;
        let index = rows::index(&input)?;
        let positions = match &columns {
            Some(columns) => index.column_indices(columns)?,
            None => (0..index.column_names().len()).collect(),
        };
        let schema = index.schema(Some(&positions))?;
        let head = ["column", "type", "nulls", "min", "max", "distinct", "stored", "raw", "from"];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        for (position, (name, dtype)) in positions.iter().zip(schema.iter()) {
            let stated = if full { None } else { stated(&index, *position, name)? };
            let known = match stated {
                Some(known) => known,
                None => read(&index, *position)?,
            };
            let column = bytes.columns.get(*position).copied().unwrap_or_default();
            let bound = |value: &Option<AnyValue<'static>>| {
                let mut text = String::new();
                if let Some(value) = value {
                    rows::plain(value, &mut text);
                }
                term::cut(&term::printable(&text), 28)
            };
            lines.push(vec![
                term::printable(name),
                term::cut(&dtype.to_string(), 28),
                term::count(known.nulls),
                bound(&known.min),
                bound(&known.max),
                known.distinct.map_or_else(|| "-".to_owned(), |distinct| distinct.text()),
                term::bytes(column.stored),
                term::bytes(column.raw),
                if known.stated { "statistics" } else { "values" }.into(),
            ]);
        }
        std::io::stdout().lock().write_all(term::aligned(&lines, &[2, 5, 6, 7]).as_bytes())?;
        Ok(Outcome::Good)
    }
}

/// The statistics that the batches state, if all of them do.
fn stated(index: &floe::IpcIndex, position: usize, name: &str) -> Result<Option<Known>> {
    if !index.has_statistics() {
        return Ok(None);
    }
    let frame = index.statistics(0..index.num_record_batches(), &[position])?;
    let nulls = frame.column(&format!("{name}_nc"))?;
    if nulls.null_count() > 0 {
        return Ok(None);
    }
    let nulls: u64 = (0..nulls.len()).filter_map(|i| nulls.get(i).ok()?.extract::<u64>()).sum();
    let (min, max) = (frame.column(&format!("{name}_min"))?, frame.column(&format!("{name}_max"))?);
    let rows = index.num_rows() as u64;
    if (min.null_count() > 0 || max.null_count() > 0) && nulls < rows {
        return Ok(None);
    }
    let mut known = Known { nulls, min: None, max: None, distinct: None, stated: true };
    for i in 0..frame.height() {
        bounds(&mut known, &min.get(i)?);
        bounds(&mut known, &max.get(i)?);
    }
    Ok(Some(known))
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
fn read(index: &floe::IpcIndex, position: usize) -> Result<Known> {
    let mut known =
        Known { nulls: 0, min: None, max: None, distinct: Some(Distinct::default()), stated: false };
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
                bounds(&mut known, &value);
            }
        }
    }
    Ok(known)
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
