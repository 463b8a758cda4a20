//! Facts of a file, without reading its rows.

use std::fs::File;

use floe_format::{IpcLimits, SourceFormat};
use floe_query::is_ipc;
use floe_tools::{FileSource, scan};
use polars_io::SerReader;
use polars_io::prelude::ParquetReader;

use super::find::FileEntry;

/// Facts of a file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Unknown for text, which would have to be read.
    pub(crate) rows: Option<u64>,
    pub(crate) columns: Option<usize>,
    pub(crate) error: Option<String>,
}

pub(super) fn of(file: &FileEntry) -> Facts {
    if is_ipc(file.format) {
        return of_ipc(file);
    }
    if file.format == SourceFormat::Parquet {
        // A reader of bytes that may be broken: its panics are errors here.
        let found = std::panic::catch_unwind(|| of_parquet(file));
        return found.unwrap_or_else(|_| Facts::failed("its footer cannot be read"));
    }
    Facts::default()
}

impl Facts {
    fn failed(error: impl ToString) -> Self {
        Self { error: Some(error.to_string().replace('\n', " ")), ..Self::default() }
    }
}

fn of_ipc(file: &FileEntry) -> Facts {
    let source = match File::open(&file.path).and_then(FileSource::new) {
        Ok(source) => source,
        Err(_) => return Facts::failed("it cannot be opened"),
    };
    let contents = match scan(&source, &IpcLimits::default(), &mut |_, _| Ok(())) {
        Ok(contents) => contents,
        Err(fault) => return Facts::failed(fault),
    };
    let columns = contents.streams.first().map(|stream| stream.schema.fields.len());
    let error = match &contents.fault {
        Some(fault) => Some(fault.to_string()),
        None if !contents.is_whole() => Some("it has no footer: it was cut off, or is still written".into()),
        None => None,
    };
    Facts { rows: Some(contents.rows()), columns, error }
}

fn of_parquet(file: &FileEntry) -> Facts {
    let Ok(opened) = File::open(&file.path) else { return Facts::failed("it cannot be opened") };
    let mut reader = ParquetReader::new(opened);
    match (reader.num_rows(), reader.schema()) {
        (Ok(rows), Ok(schema)) => {
            Facts { rows: u64::try_from(rows).ok(), columns: Some(schema.len()), error: None }
        },
        (Err(error), _) | (_, Err(error)) => Facts::failed(error),
    }
}
