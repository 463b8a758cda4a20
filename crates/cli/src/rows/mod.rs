//! Rows: frames out of inputs, and out again.

mod read;
mod regroup;
mod value;
mod write;

pub(crate) use read::{Batches, dtypes, first, frames, index, last, of, of_batch, value_faults};
pub(crate) use regroup::{Frames, Regroup};
pub(crate) use value::{json, key, plain};
pub(crate) use write::{TextWriter, write_table};

use std::io::IsTerminal;
use std::path::Path;

use floe::prelude::*;
use polars_core::prelude::*;

use crate::error::Result;
use crate::output::{Format, Output};
use crate::term;

/// The format that rows are shown in when nobody says: a table on a terminal, CSV into a pipe.
pub(crate) fn format_or_default(format: Option<Format>) -> Format {
    format.unwrap_or(if std::io::stdout().is_terminal() { Format::Table } else { Format::Csv })
}

/// Rows of a row group of Parquet: as many as Polars has by default.
#[cfg(feature = "query")]
pub(crate) const ROW_GROUP: usize = 1 << 18;

/// Writes one frame to standard output.
pub(crate) fn show(frame: &DataFrame, format: Option<Format>) -> Result<()> {
    write_frames(&mut std::iter::once(Ok(frame.clone())), frame.schema(), format, Path::new("-"), true)
}

/// Writes frames in any format; a file appears whole or not at all.
pub(crate) fn write_frames(
    frames: &mut dyn Iterator<Item = Result<DataFrame>>,
    schema: &Schema,
    format: Option<Format>,
    path: &Path,
    force: bool,
) -> Result<()> {
    let format = format_or_default(format);
    let mut out = Output::create(path, force, format.is_binary())?;
    match format {
        Format::Arrow => {
            let mut writer = IpcWriter::new(&mut out).batched(schema)?;
            for frame in frames {
                writer.write_batch(&frame?)?;
            }
            writer.finish()?;
        },
        Format::Arrows => {
            let mut writer = IpcStreamWriter::new(&mut out).batched(schema)?;
            for frame in frames {
                writer.write_batch(&frame?)?;
            }
            writer.finish()?;
        },
        #[cfg(feature = "query")]
        Format::Parquet => {
            let mut groups = Regroup::new(Box::new(frames), ROW_GROUP);
            crate::query::write_parquet(&mut out, schema, None, &Default::default(), &mut groups)?;
        },
        #[cfg(not(feature = "query"))]
        Format::Parquet => return Err(crate::error::built_without("Parquet", "query")),
        format => {
            let width = (path == Path::new("-") && std::io::stdout().is_terminal()).then(term::width);
            let mut writer = TextWriter::new(&mut out, format, width);
            writer.write(&DataFrame::empty_with_schema(schema))?;
            for frame in frames {
                writer.write(&frame?)?;
            }
            writer.finish()?;
        },
    }
    out.commit()
}
