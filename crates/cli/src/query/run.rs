//! The results of a query.

use std::path::Path;

use floe::lazy::{IpcSinkOptions, LazyIpcExt, LazyIpcPrune};
use floe_tools::FileSource;
use polars_core::prelude::*;
use polars_lazy::prelude::*;

use crate::error::{Failure, Result, without_methods};
use crate::input::Input;

type Frames = Box<dyn Iterator<Item = Result<DataFrame>>>;

/// A predicate as it stands behind `--where`.
pub(crate) fn predicate(text: &str) -> Result<Expr> {
    let failed = |what: &str| Failure::new(format!("--where {text:?}: {what}"));
    let expr = polars_sql::sql_expr(text).map_err(|error| failed(&without_methods(&error.to_string())))?;
    match expr {
        Expr::Alias(..) => Err(failed("it is given a name, where it should be true or false")),
        expr => Ok(expr),
    }
}

/// The rows for which a predicate holds, and of them the columns asked for, in their order.
pub(crate) fn narrowed(lf: LazyFrame, filter: Option<&str>, columns: Option<&[String]>) -> Result<LazyFrame> {
    let lf = match filter {
        Some(text) => lf.filter(predicate(text)?),
        None => lf,
    };
    Ok(match columns {
        Some(columns) => lf.select(columns.iter().map(|name| col(name.as_str())).collect::<Vec<_>>()),
        None => lf,
    })
}

/// The schema of a query, and its frames as the streaming engine makes them, of `rows` rows each if that is given. `others`
/// are the files that are not Arrow IPC.
pub(crate) fn frames(lf: LazyFrame, rows: Option<usize>, others: &[String]) -> Result<(Schema, Frames)> {
    let batches = lf.prune_ipc().collect_ipc_batches(rows).map_err(|error| placed(error.into(), others))?;
    let schema = batches.schema().as_ref().clone();
    let others = others.to_vec();
    Ok((schema, Box::new(batches.map(move |frame| frame.map_err(|error| placed(error.into(), &others))))))
}

fn placed(failure: Failure, others: &[String]) -> Failure {
    match failure {
        Failure::Message(text) => Failure::Message(with_names(text, others)),
        other => other,
    }
}

/// An error of a query, with the files that it may be about if it names none.
pub(crate) fn with_names(text: String, others: &[String]) -> String {
    match others.is_empty() || others.iter().any(|name| text.contains(name)) {
        true => text,
        false => format!("{}: {text}", others.join(" or ")),
    }
}

fn collected(lf: LazyFrame, others: &[String]) -> Result<DataFrame> {
    let (schema, frames) = frames(lf, None, others)?;
    let mut all = DataFrame::empty_with_schema(&schema);
    for frame in frames {
        all.vstack_mut(&frame?)?;
    }
    Ok(all)
}

fn rows(n: usize) -> IdxSize {
    IdxSize::try_from(n).unwrap_or(IdxSize::MAX)
}

/// The first rows.
pub(crate) fn first(lf: LazyFrame, n: usize, others: &[String]) -> Result<DataFrame> {
    collected(lf.limit(rows(n)), others)
}

/// The last rows.
pub(crate) fn last(lf: LazyFrame, n: usize, others: &[String]) -> Result<DataFrame> {
    collected(lf.tail(rows(n)), others)
}

/// As [`narrowed`], of rows that are there.
pub(crate) fn of_frame(
    frame: DataFrame,
    filter: Option<&str>,
    columns: Option<&[String]>,
) -> Result<DataFrame> {
    collected(narrowed(frame.lazy(), filter, columns)?, &[])
}

/// The result of a query as Arrow IPC in a temporary file, for commands that look at messages.
pub(crate) fn spool(lf: LazyFrame, name: &str) -> Result<Input> {
    let (file, temporary) = Input::temporary(name)?;
    let failed = |error: std::io::Error| Failure::of(name, crate::error::plain(&error));
    let target: Box<dyn std::io::Write + Send> = Box::new(file.try_clone().map_err(failed)?);
    lf.sink_ipc_file(target, IpcSinkOptions::default()).map_err(|error| match Failure::from(error) {
        Failure::Message(text) => named(name, &temporary, &text),
        other => other,
    })?;
    let source = FileSource::new(file).map_err(failed)?;
    Ok(Input::spooled(name.to_owned(), source, temporary))
}

fn named(name: &str, temporary: &Path, text: &str) -> Failure {
    let text = text.replace(&temporary.display().to_string(), name);
    match text.starts_with(name) {
        true => Failure::new(text),
        false => Failure::of(name, text),
    }
}
