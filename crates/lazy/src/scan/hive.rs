//! Columns out of folders' names.

use std::path::Path;
use std::sync::Arc;

use floe_frame::IpcIndex;
use polars_core::prelude::*;

use super::source::Sources;
use crate::hive::{name_and_value, text, types};

/// The values in the folders' names: a row for each source; nothing if no folder is called `key=value`.
///
/// A column's type is the one given by the caller. Without, it is what floe noted in the files when it
/// wrote them; or that of the sources' own column of that name; or what all values suggest.
pub(super) fn partitions(
    sources: &Sources,
    indexes: &[Arc<IpcIndex>],
    given: Option<&Schema>,
) -> PolarsResult<Option<DataFrame>> {
    let Sources::Files { paths, hive_start, .. } = sources else { return Ok(None) };
    let paths: Vec<&str> = paths.iter().map(|path| path.as_str()).collect();
    let keys = Key::all(&paths, *hive_start)?;
    if keys.is_empty() {
        return Ok(None);
    }
    let noted = if given.is_some() { Schema::default() } else { noted(indexes, &keys)? };
    let columns = keys.iter().map(|key| {
        let (dtype, why) = match given {
            Some(given) => match given.get(&key.name) {
                Some(dtype) => (dtype.clone(), "the hive schema says"),
                None => polars_bail!(
                    SchemaFieldNotFound: "the folders of {} have a key \"{}\", which the hive schema lacks",
                    paths.first().unwrap_or(&""), key.name
                ),
            },
            None => match (noted.get(&key.name), own(indexes, &key.name)) {
                (Some(dtype), _) => (dtype.clone(), "it was when it was written"),
                (None, Some(dtype)) => (dtype, "the sources have"),
                (None, None) => return key.inferred(),
            },
        };
        key.typed(&dtype, why, &paths)
    });
    let columns = columns.collect::<PolarsResult<Vec<Column>>>()?;
    Ok(Some(DataFrame::new(paths.len(), columns)?))
}

/// A key, and the text of its value for each source.
struct Key {
    name: PlSmallStr,
    texts: StringChunked,
}

impl Key {
    /// The keys of all sources, in the order of the first, whose keys all others must have.
    fn all(paths: &[&str], hive_start: usize) -> PolarsResult<Vec<Key>> {
        let Some((first, _)) = paths.split_first() else { return Ok(Vec::new()) };
        let mut names: Vec<PlSmallStr> = Vec::new();
        for found in parts(first, hive_start) {
            let (name, _) = found?;
            polars_ensure!(
                !names.contains(&name),
                Duplicate: "{first}: the key \"{name}\" is twice among the folders' names"
            );
            names.push(name);
        }
        let mut texts: Vec<Vec<Option<String>>> = vec![Vec::with_capacity(paths.len()); names.len()];
        for (row, path) in paths.iter().enumerate() {
            let mut count = 0;
            for found in parts(path, hive_start) {
                let (name, value) = found?;
                let at = names.iter().position(|known| *known == name).and_then(|at| texts.get_mut(at));
                // Further along than the row: it has the key twice.
                let Some(texts) = at.filter(|texts| texts.len() == row) else {
                    polars_bail!(
                        SchemaMismatch: "{path}: has another folder for a key \"{name}\" than {first}"
                    )
                };
                texts.push(value);
                count += 1;
            }
            polars_ensure!(
                count == names.len(),
                SchemaMismatch: "{path}: has folders for {count} keys, and {first} for {}", names.len()
            );
        }
        let keys = names.into_iter().zip(texts);
        Ok(keys.map(|(name, texts)| Key { texts: texts.into_iter().collect(), name }).collect())
    }
}

/// The names and values of a path's folders.
fn parts(path: &str, start: usize) -> impl Iterator<Item = PolarsResult<(PlSmallStr, Option<String>)>> {
    let folders = Path::new(path.get(start..).unwrap_or("")).parent();
    let folders = folders.into_iter().flat_map(Path::components);
    let named = folders.filter_map(|folder| name_and_value(folder.as_os_str().to_str()?));
    named.map(move |found| match found {
        Ok((name, value)) => Ok((name.as_ref().into(), value.map(Into::into))),
        Err(error) => polars_bail!(
            ComputeError: "{path}: a folder's name is percent-encoded, but not as UTF-8: {error}"
        ),
    })
}

/// The types of these keys that floe noted in the files.
fn noted(indexes: &[Arc<IpcIndex>], keys: &[Key]) -> PolarsResult<Schema> {
    let mut noted = Schema::default();
    let mut last: Option<PlSmallStr> = None;
    for index in indexes {
        // Metadata of floe's own is not in the map. Of repeated keys the last counts.
        let metadata = index.custom_metadata_bytes();
        let Some((_, text)) = metadata.iter().rev().find(|(key, _)| key == types::SCHEMA_KEY.as_bytes())
        else {
            continue;
        };
        let Ok(text) = std::str::from_utf8(text) else { continue };
        // Mostly all files say the same.
        if last.as_deref() == Some(text) {
            continue;
        }
        let path = index.path().unwrap_or(Path::new("")).display();
        let schema = types::from_metadata(text).map_err(|e| {
            e.wrap_msg(|msg| {
                format!(
                    "{path}: the metadata `{}` is not valid: {msg}; give the keys' types with `with_hive_schema`",
                    types::SCHEMA_KEY
                )
            })
        })?;
        last = Some(text.into());
        for (name, dtype) in schema.iter().filter(|(name, _)| keys.iter().any(|key| key.name == **name)) {
            match noted.get(name) {
                None | Some(DataType::Null) => {
                    noted.with_column(name.clone(), dtype.clone());
                },
                Some(known) => polars_ensure!(
                    dtype.is_null() || known == dtype,
                    SchemaMismatch: "{path}: the key \"{name}\" was written as {dtype}, and as {known} in other \
                    files; give its type with `with_hive_schema`"
                ),
            }
        }
    }
    Ok(noted)
}

/// The type of the sources' own column of that name. (One that Polars cannot hold is an error elsewhere,
/// if it is wanted at all.)
fn own(indexes: &[Arc<IpcIndex>], name: &PlSmallStr) -> Option<DataType> {
    let first = indexes.first()?;
    let at = first.column_names().position(|column| column == name)?;
    let schema = first.schema(Some(&[at])).ok()?;
    schema.iter_values().next().cloned()
}

impl Key {
    /// Values of a type, and why it is that.
    fn typed(&self, dtype: &DataType, why: &str, paths: &[&str]) -> PolarsResult<Column> {
        let (values, unfit) = text::values(&self.texts, dtype).map_err(|e| {
            e.wrap_msg(|msg| format!("the folders' values of \"{}\" cannot be {dtype}: {msg}", self.name))
        })?;
        if let Some(row) = unfit {
            // Dates that are written in another way.
            if let Ok(dates) = dates(self.texts.clone().into_column())
                && dtype.is_temporal()
                && dates.dtype() == &DataType::Date
            {
                return Ok(dates.cast(dtype)?.with_name(self.name.clone()));
            }
            polars_bail!(
                ComputeError: "{}: the folder's value \"{}\" of the key \"{}\" is no {dtype}, as {why}; give the \
                keys' types with `with_hive_schema`",
                paths.get(row).unwrap_or(&""), self.texts.get(row).unwrap_or(""), self.name
            );
        }
        Ok(values.with_name(self.name.clone()).into_column())
    }

    /// Values of the type that they suggest.
    fn inferred(&self) -> PolarsResult<Column> {
        let dtype = types::inferred(self.texts.iter().flatten());
        let (values, unfit) = text::values(&self.texts, &dtype)?;
        let values = if unfit.is_some() { self.texts.clone().into_series() } else { values };
        dates(values.with_name(self.name.clone()).into_column())
    }
}

/// Text that is all dates as dates.
#[cfg(feature = "dtype-date")]
fn dates(column: Column) -> PolarsResult<Column> {
    use polars_time::prelude::StringMethods;

    if !column.dtype().is_string() {
        return Ok(column);
    }
    match column.str()?.as_date(None, false).map(IntoColumn::into_column) {
        Ok(dates) if dates.null_count() == column.null_count() && dates.null_count() < dates.len() => {
            Ok(dates.with_name(column.name().clone()))
        },
        _ => Ok(column),
    }
}

#[cfg(not(feature = "dtype-date"))]
fn dates(column: Column) -> PolarsResult<Column> {
    Ok(column)
}
