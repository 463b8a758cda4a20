//! CSV and Parquet, which become Arrow IPC in a temporary file before a command looks at them.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use floe::prelude::*;
use floe_format::{SourceFormat, sniff};
use floe_tools::{FileSource, ReadAt};
use polars_core::prelude::*;
use polars_io::csv::read::CsvReadOptions;
use polars_io::prelude::ParquetReader;
use polars_io::utils::compression::{ByteSourceReader, SupportedCompression};

use crate::error::{Failure, Result, without_methods};
use crate::input::Input;

/// Bytes at the start that tell the format.
const SNIFFED: usize = 4 << 10;

/// Whether it is one of the formats that are read here.
pub(crate) fn is_readable(format: SourceFormat) -> bool {
    use SourceFormat::{Csv, Gzip, Parquet, Zstd};
    matches!(format, Csv | Parquet | Gzip | Zstd)
}

/// The same rows as Arrow IPC. They are in memory as a whole meanwhile.
pub(crate) fn as_ipc(input: Input, format: SourceFormat) -> Result<Input> {
    let failed = |error: PolarsError| {
        Failure::of(
            &input.name,
            format!("{format}, which cannot be read: {}", without_methods(&error.to_string())),
        )
    };
    let mut frame = match format {
        SourceFormat::Parquet => open(&input.path).and_then(|file| ParquetReader::new(file).finish()),
        _ => csv(&input),
    }
    .map_err(failed)?;
    let (file, temporary) = Input::temporary(&input.name)?;
    IpcWriter::new(file.try_clone()?).finish(&mut frame).map_err(failed)?;
    let source = FileSource::new(file)?;
    Ok(Input::spooled(input.name.clone(), source, temporary))
}

fn open(path: &Path) -> PolarsResult<File> {
    Ok(File::open(path)?)
}

/// CSV, also compressed. Dates stay text.
fn csv(input: &Input) -> PolarsResult<DataFrame> {
    let len = usize::try_from(input.source.len()).unwrap_or(usize::MAX).min(SNIFFED);
    let mut start = vec![0; len];
    input.source.read_exact_at(&mut start, 0)?;
    let compression = SupportedCompression::check(&start);
    let mut reader = ByteSourceReader::try_new(BufReader::new(open(&input.path)?), compression)?;
    let (start, _) = reader.read_next_slice(&floe::Buffer::new(), SNIFFED, None)?;
    let inside = sniff(&start);
    polars_ensure!(
        compression.is_none() || matches!(inside, SourceFormat::Csv | SourceFormat::Unknown),
        ComputeError: "what is compressed in it is {inside}, and not CSV: decompress it first"
    );
    let separator = separator(&start);
    CsvReadOptions::default()
        .with_infer_schema_length(None)
        .map_parse_options(|options| options.with_separator(separator))
        .into_reader_with_file_handle(open(&input.path)?)
        .finish()
}

/// The separator that the first line has most of; a comma where that cannot be seen.
fn separator(start: &[u8]) -> u8 {
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |separator: u8| line.iter().filter(|byte| **byte == separator).count();
    let best = [b',', b'\t', b';', b'|'].into_iter().rev().max_by_key(|separator| count(*separator));
    best.filter(|_| line.is_ascii()).unwrap_or(b',')
}
