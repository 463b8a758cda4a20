//! Files of other formats than Arrow IPC as LazyFrames.

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use floe_format::{SourceFormat, sniff};
use polars_core::prelude::*;
use polars_io::utils::compression::{ByteSourceReader, SupportedCompression};
use polars_lazy::prelude::*;
use polars_utils::pl_path::PlRefPath;

/// Bytes at the start that tell the format.
const SNIFFED: usize = 4 << 10;

/// Whether it is one of the formats that [`scan_file`] reads.
///
/// ```
/// use floe_format::SourceFormat;
///
/// assert!(floe_query::is_readable(SourceFormat::Parquet) && !floe_query::is_readable(SourceFormat::IpcFile));
/// ```
#[must_use]
pub fn is_readable(format: SourceFormat) -> bool {
    use SourceFormat::{Csv, Gzip, Json, NdJson, Parquet, Zstd};
    matches!(format, Csv | Gzip | Json | NdJson | Parquet | Zstd)
}

/// Whether it is Arrow IPC.
///
/// ```
/// assert!(floe_query::is_ipc(floe_format::SourceFormat::IpcStream));
/// ```
#[must_use]
pub fn is_ipc(format: SourceFormat) -> bool {
    matches!(format, SourceFormat::IpcFile | SourceFormat::IpcStream)
}

/// The reason why a file is not scanned.
#[derive(Debug)]
#[non_exhaustive]
pub enum ScanError {
    /// Of a format that is not read here.
    Format(SourceFormat),
    /// Compressed, and inside is a format that is only read as it is.
    Inside(SourceFormat),
    /// A query's paths are UTF-8, and this one is not.
    NotUtf8,
    /// An error of reading it.
    Polars(PolarsError),
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(format) => write!(f, "it is {format}, which is not read here"),
            Self::Inside(inside) => write!(
                f,
                "what is compressed in it is {inside}, which is only read as it is: decompress it first"
            ),
            Self::NotUtf8 => f.write_str("a query's paths are UTF-8, and this one is not: rename it"),
            Self::Polars(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ScanError {}

impl From<PolarsError> for ScanError {
    fn from(error: PolarsError) -> Self {
        Self::Polars(error)
    }
}

/// Scans CSV, NDJSON and Parquet, the first two also compressed. `format` is that of the file, `start` its first bytes.
///
/// The schema is looked up now: a query does not know the names of its files, so this is the time to say that one is
/// broken.
///
/// ```
/// use floe_format::sniff;
/// use polars_core::prelude::*;
///
/// let path = std::env::temp_dir().join(format!("floe-query-doc-{}.csv", std::process::id()));
/// # std::fs::write(&path, "a,b\n1,x\n").unwrap();
/// let mut lf = floe_query::scan_file(&path, sniff(b"a,b\n1,x\n"), b"a,b\n1,x\n").unwrap();
/// assert_eq!(lf.collect_schema()?.get("a"), Some(&DataType::Int64));
/// # std::fs::remove_file(&path).unwrap();
/// # PolarsResult::Ok(())
/// ```
///
/// # Errors
/// When it is of another format, or cannot be read.
pub fn scan_file(path: &Path, format: SourceFormat, start: &[u8]) -> Result<LazyFrame, ScanError> {
    let decompressed_start;
    let (inside, start) = match format {
        SourceFormat::Gzip | SourceFormat::Zstd => {
            let (inside, bytes) = decompressed(path, start)?;
            decompressed_start = bytes;
            (inside, decompressed_start.as_slice())
        },
        format => (format, start),
    };
    let mut lf = match json_lines(inside, start) {
        SourceFormat::Parquet if inside == format => {
            let args = ScanArgsParquet { glob: false, ..Default::default() };
            LazyFrame::scan_parquet(pl_path(path)?, args)?
        },
        SourceFormat::NdJson => {
            // This reader takes every path for a pattern.
            let path = glob::Pattern::escape(path.to_str().ok_or(ScanError::NotUtf8)?);
            LazyJsonLineReader::new(PlRefPath::new(path)).with_infer_schema_length(None).finish()?
        },
        SourceFormat::Csv => crate::csv::scan(&pl_path(path)?, separator(start))?,
        // A column of text, compressed.
        SourceFormat::Text | SourceFormat::Unknown if inside != format => {
            crate::csv::scan(&pl_path(path)?, b',')?
        },
        inside if inside != format => return Err(ScanError::Inside(inside)),
        format => return Err(ScanError::Format(format)),
    };
    lf.collect_schema()?;
    Ok(lf)
}

/// One object is a line of NDJSON as well, and so is the beginning of a long one.
fn json_lines(format: SourceFormat, start: &[u8]) -> SourceFormat {
    let text = start.trim_ascii_start();
    let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let is_cut = first.len() == text.trim_ascii_end().len();
    match format {
        SourceFormat::Json if first.starts_with(b"{") && (is_cut || first.ends_with(b"}")) => {
            SourceFormat::NdJson
        },
        other => other,
    }
}

/// The format inside of a compressed file, and its first decompressed bytes.
fn decompressed(path: &Path, start: &[u8]) -> PolarsResult<(SourceFormat, Vec<u8>)> {
    let compression = SupportedCompression::check(start);
    let file = BufReader::new(File::open(path)?);
    let mut reader = ByteSourceReader::try_new(file, compression)?;
    let (start, _) = reader.read_next_slice(&polars_buffer::Buffer::new(), SNIFFED, None)?;
    Ok((sniff(&start), start.to_vec()))
}

/// The separator that the first line has most of; a comma where that cannot be seen.
fn separator(start: &[u8]) -> u8 {
    let line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |separator: u8| line.iter().filter(|byte| **byte == separator).count();
    let best = [b',', b'\t', b';', b'|'].into_iter().rev().max_by_key(|separator| count(*separator));
    best.filter(|_| line.is_ascii()).unwrap_or(b',')
}

fn pl_path(path: &Path) -> Result<PlRefPath, ScanError> {
    PlRefPath::try_from_path(path).map_err(|_| ScanError::NotUtf8)
}
