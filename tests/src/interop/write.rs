//! Writes every frame of the catalogue, in every way that floe writes.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use floe::prelude::*;
use polars_core::prelude::*;
use serde_json::json;

use super::catalogue::{Frame, How, frames};
use super::report::{Check, Report, equal, text};
use super::sidecar::Sidecar;

/// The folder gets `<frame>.json` and `<frame>.<level>-<codec>.{arrows,arrow}`.
pub(super) fn all(folder: &Path, report: &mut Report) {
    report.check("the folder", || std::fs::create_dir_all(folder).map_err(text));
    for mut frame in frames() {
        let json = folder.join(format!("{}.json", frame.name));
        report.check(frame.name, || sidecar(&frame)?.write(&json));
        for (level_name, level) in [("oldest", CompatLevel::oldest()), ("newest", CompatLevel::newest())] {
            for (codec_name, codec) in codecs() {
                for ending in ["arrows", "arrow"] {
                    if ending == "arrow" && frame.how == How::Deltas {
                        continue;
                    }
                    let name = format!("{}.{level_name}-{codec_name}.{ending}", frame.name);
                    let path = folder.join(&name);
                    report.check(&name, || {
                        let file = File::create(&path).map_err(text)?;
                        let summary = match ending {
                            "arrows" => stream(&mut frame, file, level, codec).map_err(text)?,
                            _ => self::file(&mut frame, file, level, codec).map_err(text)?,
                        };
                        check_summary(&frame, summary, &path)
                    });
                }
            }
        }
    }
}

fn codecs() -> [(&'static str, Option<IpcCompression>); 3] {
    [("none", None), ("lz4", Some(IpcCompression::LZ4)), ("zstd", Some(IpcCompression::default()))]
}

/// The two writers have the same methods and no common trait for them.
macro_rules! write_with {
    ($writer:expr, $frame:expr) => {{
        let (mut writer, frame) = ($writer, $frame);
        if !frame.schema_metadata.is_empty() {
            writer.set_custom_schema_metadata(Arc::new(frame.schema_metadata.clone()));
        }
        // The writer makes the metadata of an extension type from the dtype.
        for (column, metadata) in frame.field_metadata.iter().filter(|_| frame.name != "extension") {
            writer.set_custom_field_metadata(column, metadata.clone());
        }
        if frame.how == How::Whole {
            writer.finish(&mut frame.df)?;
            return Ok(writer.summary());
        }
        let mut writer = writer.batched(frame.df.schema())?;
        for batch in batches(frame) {
            if frame.batch_metadata.is_empty() {
                writer.write_batch(&batch)?;
            } else {
                writer.write_batch_with_metadata(&batch, frame.batch_metadata.clone())?;
            }
        }
        writer.finish()
    }};
}

fn stream(
    frame: &mut Frame,
    file: File,
    level: CompatLevel,
    codec: Option<IpcCompression>,
) -> PolarsResult<WriteSummary> {
    let writer = IpcStreamWriter::new(file)
        .with_compression(codec)
        .with_compat_level(level)
        .with_record_batch_size(frame.batch_size)
        .with_dictionary_deltas(frame.how == How::Deltas);
    write_with!(writer, frame)
}

fn file(
    frame: &mut Frame,
    file: File,
    level: CompatLevel,
    codec: Option<IpcCompression>,
) -> PolarsResult<WriteSummary> {
    let writer = IpcWriter::new(file)
        .with_compression(codec)
        .with_compat_level(level)
        .with_record_batch_size(frame.batch_size);
    write_with!(writer, frame)
}

fn batches(frame: &Frame) -> impl Iterator<Item = DataFrame> {
    let mut start = 0;
    batch_rows(frame).into_iter().map(move |rows| {
        let batch = frame.df.slice(start, rows);
        start += i64::try_from(rows).expect("small");
        batch
    })
}

/// The writer's promise: as many rows as asked for, and the rest.
fn batch_rows(frame: &Frame) -> Vec<usize> {
    let (height, size) = (frame.df.height(), frame.batch_size.unwrap_or(usize::MAX));
    (0..height).step_by(size).map(|start| size.min(height - start)).collect()
}

fn sidecar(frame: &Frame) -> Result<Sidecar, String> {
    let map = |metadata: &Metadata| -> BTreeMap<String, String> {
        metadata.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    };
    let fields: BTreeMap<_, _> =
        frame.field_metadata.iter().map(|(name, entries)| (name, map(entries))).collect();
    let mut sidecar = Sidecar::of(&frame.df)?
        .with("schema_metadata", json!(map(&frame.schema_metadata)))
        .with("field_metadata", json!(fields))
        .with("batch_metadata", json!(map(&frame.batch_metadata)));
    if frame.batch_size.is_some() {
        sidecar = sidecar.with("batches", json!(batch_rows(frame)));
    }
    Ok(sidecar)
}

fn check_summary(frame: &Frame, summary: WriteSummary, path: &Path) -> Check {
    let len = std::fs::metadata(path).map_err(text)?.len();
    equal("summary: written bytes", &summary.written_bytes, &len)?;
    equal("summary: rows", &summary.rows, &(frame.df.height() as u64))?;
    if frame.batch_size.is_some() {
        equal("summary: batches", &summary.batches, &(batch_rows(frame).len() as u64))?;
    }
    Ok(())
}
