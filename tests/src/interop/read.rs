//! Reads what the others wrote, in every way that floe reads, and compares it with the JSON beside it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::ArrowSchema;
use floe::prelude::*;
use polars_core::prelude::*;

use super::report::{Check, Report, equal, text};
use super::sidecar::Sidecar;

/// Every `.arrows` and `.arrow` of the folder.
pub(super) fn all(folder: &Path, report: &mut Report) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).collect())
        .unwrap_or_default();
    paths.sort();
    report.check("the folder", || if paths.is_empty() { Err("is empty".to_owned()) } else { Ok(()) });
    for path in paths {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("arrows") => stream(&path, report),
            Some("arrow") => file(&path, report),
            _ => {},
        }
    }
}

/// `<folder>/<frame>.json`, of `<folder>/<frame>.<variant>.<ending>`.
fn sidecar(path: &Path) -> Result<Sidecar, String> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let frame = name.split('.').next().unwrap_or_default();
    Sidecar::read(&path.with_file_name(format!("{frame}.json")))
}

fn stream(path: &Path, report: &mut Report) {
    let mut check = |what: &str, check: &dyn Fn(&Sidecar) -> Check| {
        report.check(&format!("{}: {what}", path.display()), || check(&sidecar(path)?));
    };
    let bytes = || std::fs::read(path).map_err(text);
    check("IpcStreamReader::new", &|sidecar| {
        whole(sidecar, |columns| IpcStreamReader::new(File::open(path)?).with_columns(columns).finish())
    });
    check("IpcStreamReader::from_bytes", &|sidecar| {
        let bytes = bytes()?;
        whole(sidecar, |columns| IpcStreamReader::from_bytes(bytes.clone()).with_columns(columns).finish())
    });
    check("IpcStreamReader::batches", &|sidecar| {
        let reader = IpcStreamReader::new(File::open(path).map_err(text)?).with_columns(readable(sidecar));
        batches(sidecar, reader.batches().map_err(text)?)
    });
    check("IpcStreamReader's schema", &|sidecar| {
        let mut reader = IpcStreamReader::new(File::open(path).map_err(text)?);
        let metadata = reader.custom_metadata().map_err(text)?;
        metadata_holds(sidecar, metadata.as_deref(), &reader.arrow_schema().map_err(text)?)
    });
}

fn file(path: &Path, report: &mut Report) {
    let mut check = |what: &str, check: &dyn Fn(&Sidecar) -> Check| {
        report.check(&format!("{}: {what}", path.display()), || check(&sidecar(path)?));
    };
    let open = || File::open(path).map_err(text);
    check("IpcReader::new", &|sidecar| {
        whole(sidecar, |columns| IpcReader::new(File::open(path)?).with_columns(columns).finish())
    });
    check("IpcReader::from_bytes", &|sidecar| {
        let bytes = std::fs::read(path).map_err(text)?;
        whole(sidecar, |columns| IpcReader::from_bytes(bytes.clone()).with_columns(columns).finish())
    });
    check("IpcReader::batches", &|sidecar| {
        let reader = IpcReader::new(open()?).with_columns(readable(sidecar));
        batches(sidecar, reader.batches().map_err(text)?)
    });
    check("IpcReader::get_batch", &|sidecar| {
        let reader = IpcReader::new(open()?).with_columns(readable(sidecar));
        let count = reader.num_record_batches().map_err(text)?;
        equal("num_rows", &reader.num_rows().map_err(text)?, &sidecar.height()?)?;
        // Backwards: what a batch needs of those before it must not come from having read them.
        let mut found: Vec<_> = (0..count).rev().map(|index| reader.get_batch(index)).collect();
        found.reverse();
        batches(sidecar, found.into_iter())?;
        let beyond = reader.get_batch(count).map(|_| ());
        beyond.map_or(Ok(()), |()| Err(format!("there is no batch {count}, and no error")))
    });
    check("IpcReader's schema", &|sidecar| {
        let mut reader = IpcReader::new(open()?);
        let metadata = reader.custom_metadata().map_err(text)?;
        metadata_holds(sidecar, metadata.as_deref(), &*reader.schema().map_err(text)?)
    });
}

/// The columns to ask for: all, or those that Polars can hold.
fn readable(sidecar: &Sidecar) -> Option<Vec<String>> {
    let unreadable = sidecar.unreadable();
    let names = sidecar.names().into_iter().filter(|name| !unreadable.contains(name));
    (!unreadable.is_empty()).then(|| names.map(str::to_owned).collect())
}

fn compare(sidecar: &Sidecar, offset: usize, df: &DataFrame) -> Check {
    let unreadable = sidecar.unreadable();
    let names: Vec<_> = sidecar.names().into_iter().filter(|name| !unreadable.contains(name)).collect();
    sidecar.compare(&names, offset, df)
}

/// All at once. Where a column cannot be held: an error that names it, and the rest without it.
fn whole(sidecar: &Sidecar, read: impl Fn(Option<Vec<String>>) -> PolarsResult<DataFrame>) -> Check {
    let unreadable = sidecar.unreadable();
    if !unreadable.is_empty() {
        let Err(error) = read(None) else { return Err(format!("no error for {unreadable:?}")) };
        if !unreadable.iter().any(|name| error.to_string().contains(name)) {
            return Err(format!("names none of {unreadable:?}: {error}"));
        }
    }
    let df = read(readable(sidecar)).map_err(text)?;
    equal("rows", &df.height(), &sidecar.height()?)?;
    compare(sidecar, 0, &df)
}

/// Batch by batch.
fn batches(sidecar: &Sidecar, batches: impl Iterator<Item = PolarsResult<DataFrame>>) -> Check {
    let mut rows = Vec::new();
    for batch in batches {
        let batch = batch.map_err(|error| format!("batch {}: {error}", rows.len()))?;
        compare(sidecar, rows.iter().sum(), &batch)
            .map_err(|error| format!("batch {}: {error}", rows.len()))?;
        rows.push(batch.height());
    }
    equal("rows", &rows.iter().sum(), &sidecar.height()?)?;
    sidecar.batches().map_or(Ok(()), |expected| equal("rows of the batches", &rows, &expected))
}

/// The entries of the JSON are there; more may be.
fn metadata_holds(sidecar: &Sidecar, schema: Option<&Metadata>, fields: &ArrowSchema) -> Check {
    contains("schema metadata", schema, &sidecar.schema_metadata())?;
    for (column, expected) in sidecar.field_metadata() {
        let field = fields.get(column).ok_or_else(|| format!("arrow_schema() has no {column:?}"))?;
        contains(&format!("metadata of {column:?}"), field.metadata.as_ref().map(Arc::as_ref), &expected)?;
    }
    Ok(())
}

fn contains(what: &str, found: Option<&Metadata>, expected: &BTreeMap<String, String>) -> Check {
    for (key, value) in expected {
        let found = found.and_then(|found| found.get(key.as_str())).map(PlSmallStr::as_str);
        equal(&format!("{what}, {key:?}"), &found, &Some(value.as_str()))?;
    }
    Ok(())
}
