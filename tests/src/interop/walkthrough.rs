//! The two walk-throughs every user of Arrow IPC starts from: three columns, one batch written five times, as
//! a stream and as a file. `pyarrow_walkthrough.py` is the same in Python; each reads what the other wrote.

use std::fs::File;
use std::path::Path;

use floe::prelude::*;
use polars_core::prelude::*;

use super::report::{Check, Report, equal, text};

fn batch() -> PolarsResult<DataFrame> {
    DataFrame::new(
        4,
        vec![
            Column::new("f0".into(), [1_i64, 2, 3, 4]),
            Column::new("f1".into(), [Some("foo"), Some("bar"), Some("baz"), None]),
            Column::new("f2".into(), [Some(true), None, Some(false), Some(true)]),
        ],
    )
}

/// Writes `walkthrough.arrows` and `walkthrough.arrow`.
pub(super) fn write(folder: &Path, report: &mut Report) {
    report.check("the folder", || std::fs::create_dir_all(folder).map_err(text));
    report.check("a stream of five batches", || write_stream(folder).map_err(text));
    report.check("a file of five batches", || write_file(folder).map_err(text));
}

fn write_stream(folder: &Path) -> PolarsResult<()> {
    let batch = batch()?;
    let sink = File::create(folder.join("walkthrough.arrows"))?;
    let mut writer = IpcStreamWriter::new(sink).batched(batch.schema())?;
    for _ in 0..5 {
        writer.write_batch(&batch)?;
    }
    writer.finish().map(|_| ())
}

fn write_file(folder: &Path) -> PolarsResult<()> {
    let batch = batch()?;
    let sink = File::create(folder.join("walkthrough.arrow"))?;
    let mut writer = IpcWriter::new(sink).batched(batch.schema())?;
    for _ in 0..5 {
        writer.write_batch(&batch)?;
    }
    writer.finish().map(|_| ())
}

/// Reads both, as the other side wrote them.
pub(super) fn read(folder: &Path, report: &mut Report) {
    report.check("iterating the stream", || read_stream(folder));
    report.check("opening the file", || read_file(folder));
}

fn read_stream(folder: &Path) -> Check {
    let source = File::open(folder.join("walkthrough.arrows")).map_err(text)?;
    let mut reader = IpcStreamReader::new(source);
    let schema = reader.schema().map_err(text)?;
    let expected = batch().map_err(text)?;
    equal("schema", &schema, expected.schema())?;
    let batches = reader.batches().map_err(text)?.collect::<PolarsResult<Vec<_>>>().map_err(text)?;
    equal("batches", &batches.len(), &5)?;
    batches.iter().try_for_each(|found| same(found, &expected))
}

fn read_file(folder: &Path) -> Check {
    let source = File::open(folder.join("walkthrough.arrow")).map_err(text)?;
    let reader = IpcReader::new(source);
    equal("num_record_batches", &reader.num_record_batches().map_err(text)?, &5)?;
    same(&reader.get_batch(3).map_err(text)?, &batch().map_err(text)?)
}

fn same(found: &DataFrame, expected: &DataFrame) -> Check {
    if found.equals_missing(expected) { Ok(()) } else { Err(format!("found {found}, expected {expected}")) }
}
