//! `floe FILE`: one line of facts, and the first rows.

use std::io::Write;
use std::path::Path;

use crate::error::{Outcome, Result};
use crate::input::Input;
use crate::term;

pub(crate) fn run(path: &Path) -> Result<Outcome> {
    let input = Input::open_rows(path)?;
    let contents = input.scan()?;
    let columns = contents.streams.first().map_or(0, |stream| stream.schema.fields.len());
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{}: {}, {} rows in {} batches, {columns} columns, {}",
        input.name,
        contents.kind_name(),
        term::count(contents.rows()),
        term::count(contents.batches.len() as u64),
        term::bytes(contents.len),
    )?;
    #[cfg(feature = "frame")]
    {
        drop(out);
        let frame = crate::rows::first(&input, &contents, term::rows(), None)?;
        crate::rows::write_table(&frame, &mut std::io::stdout().lock(), Some(term::width()))?;
    }
    Ok(Outcome::Good)
}
