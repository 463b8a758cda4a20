//! A table's columns in numbers: nulls, smallest, largest, a small histogram.

use std::collections::HashMap;
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State};
use floe::lazy::LazyInterrupt;
use polars_core::prelude::*;
use polars_lazy::prelude::*;
use serde_json::{Value, json};

use super::{computed, tables};
use crate::catalog::Catalog;
use crate::error::Result;
use crate::query::Cancel;

/// Rows that are looked through.
const SAMPLED: IdxSize = 1_000_000;
/// Columns that are read at a time.
const AT_A_TIME: usize = 8;
/// Bins of a histogram.
const BINS: usize = 20;
/// Values that are listed of a column of text.
const TOP: usize = 10;
/// Characters of a value.
const MOST_CHARACTERS: usize = 100;

pub(super) async fn summary(State(catalog): State<Catalog>, Path(name): Path<String>) -> Result<Json<Value>> {
    let own = catalog.clone();
    computed(&catalog, move || summarized(&own, &name)).await
}

fn summarized(catalog: &Catalog, name: &str) -> Result<Json<Value>> {
    let table = catalog.table(name)?;
    let (lf, schema) = catalog.frame_of(&table)?;
    // As long as a query may take.
    let (begun, most) = (Instant::now(), catalog.limits().query_time);
    let is_late = move || begun.elapsed() >= most;
    let lf = lf.limit(SAMPLED).interruptible(move || {
        polars_ensure!(!is_late(), ComputeError: "the summary took longer than it may");
        Ok(())
    });
    let names: Vec<&PlSmallStr> = schema.iter_names().collect();
    let mut columns = Vec::new();
    let mut sampled = 0;
    for names in names.chunks(AT_A_TIME) {
        let wanted: Vec<Expr> = names.iter().map(|name| Expr::Column((*name).clone())).collect();
        let found = lf.clone().select(wanted).collect_with_engine(Engine::Streaming);
        if is_late() {
            return Err(Cancel::Timeout.error());
        }
        let frame = found?.unwrap_single();
        sampled = frame.height();
        columns.extend(frame.columns().iter().map(column));
    }
    Ok(Json(json!({
        "name": table.name,
        "rows": tables::rows(catalog, &table),
        "sampled_rows": sampled,
        "columns": columns,
    })))
}

fn column(column: &Column) -> Value {
    let series = column.as_materialized_series();
    let dtype = series.dtype();
    let mut about = json!({
        "name": series.name().as_str(),
        "type": dtype.to_string(),
        "nulls": series.null_count(),
        "min": null,
        "max": null,
        "histogram": null,
        "edges": [],
    });
    let Some(object) = about.as_object_mut() else { return about };
    if is_ordered(dtype) {
        object.insert("min".into(), text(series.min_reduce()));
        object.insert("max".into(), text(series.max_reduce()));
    }
    if dtype.is_string() || dtype.is_bool() || dtype.is_categorical() || dtype.is_enum() {
        object.insert("top".into(), top(series));
    } else if let Some((counts, edges)) = histogram(series) {
        object.insert("histogram".into(), counts.into());
        object.insert("edges".into(), edges);
    }
    about
}

/// Whether a smallest value means something.
fn is_ordered(dtype: &DataType) -> bool {
    dtype.is_primitive_numeric()
        || dtype.is_decimal()
        || dtype.is_temporal()
        || dtype.is_string()
        || dtype.is_bool()
}

fn text(value: PolarsResult<Scalar>) -> Value {
    match value {
        Ok(value) if !value.is_null() => cut(&plain(value.value())).into(),
        _ => Value::Null,
    }
}

/// A value without quotes.
fn plain(value: &AnyValue<'_>) -> String {
    match value.get_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The most frequent values.
fn top(series: &Series) -> Value {
    let Ok(texts) = series.cast(&DataType::String) else { return Value::Null };
    let Ok(texts) = texts.str() else { return Value::Null };
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for value in texts.iter().flatten() {
        *counts.entry(value).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let top = counts.iter().take(TOP).map(|(value, count)| json!({ "value": cut(value), "count": count }));
    top.collect::<Vec<_>>().into()
}

/// Counts in bins of one width, and the edges of the bins: numbers, or times as text.
fn histogram(series: &Series) -> Option<(Vec<usize>, Value)> {
    let dtype = series.dtype();
    let is_time = dtype.is_temporal();
    if !is_time && !dtype.is_primitive_numeric() && !dtype.is_decimal() {
        return None;
    }
    let physical = if is_time { series.to_physical_repr().into_owned() } else { series.clone() };
    let numbers = physical.cast(&DataType::Float64).ok()?;
    let numbers = numbers.f64().ok()?;
    let finite = || numbers.iter().flatten().filter(|value| value.is_finite());
    let (low, high) = finite()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    if !(low.is_finite() && high.is_finite()) {
        return None;
    }
    let bins = if low < high { BINS } else { 1 };
    let of_bins = f64::from(u32::try_from(bins).ok()?);
    // Halves, so that the difference of the largest numbers is one.
    let width = high / of_bins - low / of_bins;
    let mut counts = vec![0; bins];
    for value in finite() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it saturates, and the last bin takes the rest"
        )]
        let bin = if width > 0.0 { ((value / width) - (low / width)) as usize } else { 0 };
        if let Some(count) = counts.get_mut(bin.min(bins - 1)) {
            *count += 1;
        }
    }
    let edges = (0..=bins).map(|edge| match edge == bins {
        true => high,
        false => low + width * f64::from(u32::try_from(edge).unwrap_or(u32::MAX)),
    });
    let edges: Vec<Value> = match is_time {
        true => edges.map(|edge| time(edge, dtype)).collect(),
        false => edges.map(Value::from).collect(),
    };
    Some((counts, edges.into()))
}

/// A time that lies so far from the type's zero.
fn time(ticks: f64, dtype: &DataType) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "it was an integer of the type, or lies between two")]
    let ticks = Series::new(PlSmallStr::EMPTY, [ticks.round() as i64]);
    let physical = ticks.cast(&dtype.to_physical()).and_then(|ticks| ticks.cast(dtype));
    match physical.and_then(|time| time.get(0).map(|value| plain(&value))) {
        Ok(text) => text.into(),
        Err(_) => Value::Null,
    }
}
