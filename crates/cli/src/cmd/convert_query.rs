//! Conversions that need a query: predicates, sorting, partitions, folders with keys, other formats.

use std::path::{Path, PathBuf};

use floe::lazy::{
    ExistingFiles, IpcMetadata, IpcSinkOptions, LazyFrame, LazyInterrupt, LazyIpcExt, PartitionBy, col,
};
use floe::prelude::*;
use floe_tools::Contents;
use polars_core::prelude::*;

use super::convert::{Compat, Options, Why};
use super::convert_rows::{self, Target};
use crate::error::{Failure, Outcome, Result};
use crate::input::{Input, is_many, is_other, is_partitioned};
use crate::output::Format;
use crate::{query, signals};

/// Why messages alone do not do; nothing if they may.
pub(crate) fn why(files: &[PathBuf], options: &Options) -> Result<Option<Why>> {
    if let Some(option) = options.query_option() {
        return Ok(Some(Why::Option(option)));
    }
    for path in files.iter().filter(|path| path.as_path() != Path::new("-")) {
        if is_many(path) && is_partitioned(path)? {
            return Ok(Some(Why::Keys));
        }
        if is_other(path) {
            return Ok(Some(Why::Format));
        }
    }
    Ok(None)
}

pub(crate) fn run(
    files: &[PathBuf],
    output: PathBuf,
    format: Option<Format>,
    force: bool,
    options: Options,
    why: &Why,
) -> Result<Outcome> {
    // Onto a terminal only what was asked for by name.
    let force = force || (output.as_path() == Path::new("-") && format.is_some());
    let format = match &options.partition_by {
        Some(_) if matches!(format, None | Some(Format::Arrow)) => None,
        Some(_) => return Err(Failure::new("--partition-by writes Arrow IPC files: leave out `-f`")),
        None => Some(Format::of(format, &output)?.unwrap_or(Format::Arrows)),
    };
    if let Some(format) = format {
        options.check(format)?;
    }
    let table = query::table(files)?;
    let first = table.inputs.iter().find_map(|(input, contents)| Some((input, contents.as_ref()?)));
    let lf = query::narrowed(table.lf, options.filter.as_deref(), None)?;
    let lf = sorted(lf, options.sort_by.as_deref().unwrap_or_default())?;
    let lf = query::narrowed(lf, None, options.columns.as_deref())?;
    let Some(format) = format else {
        return partition(lf, &output, force, &options, first, &table.others);
    };
    let (schema, frames) = query::frames(lf, options.batch_rows.map(|rows| rows as usize), &table.others)?;
    convert_rows::finish(frames, &schema, &Target { output: &output, format, force }, &options, first, why)
}

/// By columns, or with a `-` in front from large to small.
fn sorted(mut lf: LazyFrame, by: &[String]) -> Result<LazyFrame> {
    if by.is_empty() {
        return Ok(lf);
    }
    let schema = lf.collect_schema()?;
    let mut columns = Vec::new();
    let mut descending = Vec::new();
    for name in by {
        // A column may be called so.
        let (name, down) = match name.strip_prefix('-') {
            Some(rest) if !schema.contains(name) => (rest, true),
            _ => (name.as_str(), false),
        };
        if !schema.contains(name) {
            return Err(Failure::new(format!("--sort-by: there is no column {name:?}")));
        }
        columns.push(col(name));
        descending.push(down);
    }
    let nulls_last = vec![true; columns.len()];
    let options = SortMultipleOptions { descending, nulls_last, ..Default::default() };
    Ok(lf.sort_by_exprs(columns, options.with_maintain_order(true)))
}

/// A folder of files, one or more for each value of the keys.
fn partition(
    lf: LazyFrame,
    output: &Path,
    force: bool,
    options: &Options,
    first: Option<(&Input, &Contents)>,
    others: &[String],
) -> Result<Outcome> {
    if output == Path::new("-") {
        return Err(Failure::new("--partition-by writes a folder: name one, instead of `-`"));
    }
    let keys = options.partition_by.iter().flatten().map(String::as_str).collect();
    let metadata = first.and_then(|(_, contents)| contents.streams.first());
    let metadata = metadata.map(|stream| convert_rows::custom_metadata(&stream.schema)).unwrap_or_default();
    let metadata = IpcMetadata { schema: metadata.schema, fields: metadata.fields };
    let mut sink = IpcSinkOptions::default()
        .with_compression(convert_rows::codec(options, first.map(|(_, contents)| contents))?)
        .with_record_batch_size(options.batch_rows.map(|rows| rows as usize))
        .with_statistics(options.statistics)
        .with_metadata(metadata)
        .with_existing(if force { ExistingFiles::Replace } else { ExistingFiles::Error });
    sink = match options.compat {
        Some(Compat::Oldest) => sink.with_compat_level(CompatLevel::oldest()),
        Some(Compat::Newest) => sink.with_compat_level(CompatLevel::newest()),
        Some(Compat::Interop) => sink.with_interop(true),
        None => sink,
    };
    let done = interruptible(lf).sink_ipc_partitioned(output, PartitionBy::Keys(keys), sink);
    done.map_err(|error| match Failure::from(error) {
        Failure::Message(text) if text.contains("the folder is not empty") => {
            let text = text.split("; choose").next().unwrap_or(&text);
            Failure::new(format!("{text}; `--force` replaces its files"))
        },
        Failure::Message(text) if !text.contains(&*output.to_string_lossy()) => {
            Failure::of(output.display(), query::with_names(text, others))
        },
        other => other,
    })?;
    Ok(Outcome::Good)
}

/// The query with an error where a signal has come: the sink takes back the folders that it has made.
fn interruptible(lf: LazyFrame) -> LazyFrame {
    signals::be_gentle();
    lf.interruptible(|| {
        polars_ensure!(signals::came().is_none(), ComputeError: "interrupted");
        Ok(())
    })
}
