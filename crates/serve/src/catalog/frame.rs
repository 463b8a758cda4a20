//! Tables as LazyFrames.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use axum::http::StatusCode;
use floe::lazy::{IpcScanOptions, scan_ipc};
use floe_format::SourceFormat;
use floe_query::{ScanError, is_ipc, scan_file};
use polars_buffer::Buffer;
use polars_core::error::PolarsError;
use polars_io::HiveOptions;
use polars_lazy::dsl::concat;
use polars_lazy::prelude::*;
use polars_utils::pl_path::PlRefPath;

use super::find::{FileEntry, Table};
use crate::error::{ApiError, Result};

/// Bytes at the start that tell a separator.
const START: u64 = 4 << 10;

/// Scans a table. Its files are those that were found, and no others: a folder is not walked again.
pub(super) fn scan(table: &Table) -> Result<LazyFrame> {
    let unreadable = |error: PolarsError| {
        let error = ApiError::from(error);
        // The input is at fault, not the query.
        ApiError { status: StatusCode::CONFLICT, ..error }
    };
    let Some(first) = table.files.first() else { return Err(ApiError::no_table(&table.name)) };
    let paths: Vec<PathBuf> = table.files.iter().map(|file| file.path.clone()).collect();
    if is_ipc(first.format) {
        let options = IpcScanOptions::default().with_glob(false).with_hive(table.is_hive);
        return scan_ipc(paths, options).map_err(unreadable);
    }
    if first.format == SourceFormat::Parquet {
        return parquet(table, &paths);
    }
    let parts = table.files.iter().map(one).collect::<Result<Vec<_>>>()?;
    concat(parts, UnionArgs::default()).map_err(unreadable)
}

fn parquet(table: &Table, paths: &[PathBuf]) -> Result<LazyFrame> {
    let paths: Vec<PlRefPath> = paths.iter().filter_map(|path| PlRefPath::try_from_path(path).ok()).collect();
    let start = table.folder.as_ref().map_or(0, |folder| folder.as_os_str().len());
    let hive = HiveOptions {
        enabled: Some(table.is_hive),
        hive_start_idx: start,
        schema: None,
        try_parse_dates: true,
    };
    let args = ScanArgsParquet { glob: false, hive_options: hive, ..Default::default() };
    Ok(LazyFrame::scan_parquet_files(Buffer::from(paths), args)?)
}

/// A file of text.
fn one(file: &FileEntry) -> Result<LazyFrame> {
    let mut start = Vec::new();
    File::open(&file.path)?.take(START).read_to_end(&mut start)?;
    scan_file(&file.path, file.format, &start).map_err(|error| match error {
        ScanError::Polars(error) => ApiError { status: StatusCode::CONFLICT, ..ApiError::from(error) },
        other => ApiError::new(StatusCode::CONFLICT, "table_unreadable", other.to_string()),
    })
}
