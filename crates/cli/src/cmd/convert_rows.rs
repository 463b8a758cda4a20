//! Conversions that need rows: through frames, a batch in memory at a time.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use floe::prelude::*;
use floe_format::KeyValues;
use floe_tools::{Compression, Contents, Recompression};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use polars_core::prelude::*;

use super::convert::{Compat, Job, Options, Why};
use crate::error::{Failure, Outcome, Result};
use crate::input::Input;
use crate::output::{Format, Output};
use crate::rows::{self, Frames, Regroup};
use crate::term;

/// Tells what copying would not have done: that rows are decoded, and what changes its type.
pub(crate) fn run(job: Job, why: &Why) -> Result<Outcome> {
    let Job { inputs, output, format, force, options } = job;
    let columns = options.columns.as_deref();
    let mut schema: Option<Schema> = None;
    let mut all: Vec<Frames<'_>> = Vec::new();
    for (input, contents) in &inputs {
        let (found, frames) = rows::frames(input, contents, columns)?;
        match &schema {
            None => schema = Some(found),
            Some(first) if *first == found => {},
            Some(first) => return Err(Failure::of(&input.name, how_differs(first, &found, &inputs))),
        }
        all.push(frames);
    }
    let schema = schema.ok_or_else(|| Failure::new("there is no input"))?;
    if let Why::Impossible(why) = why {
        term::tell(&format!("floe: messages cannot be copied ({why}): rows are decoded and written anew"));
    }
    let frames: Frames<'_> = Box::new(all.into_iter().flatten());
    let frames: Frames<'_> = match options.batch_rows {
        Some(rows) => Box::new(Regroup::new(frames, rows as usize)),
        None => frames,
    };
    let first = inputs.first().map(|(input, contents)| (input, contents));
    finish(frames, &schema, &Target { output: &output, format, force }, &options, first, why)
}

/// Where rows go.
pub(crate) struct Target<'a> {
    pub(crate) output: &'a Path,
    pub(crate) format: Format,
    pub(crate) force: bool,
}

/// Writes the frames. `first` is the input that codec and metadata come from.
pub(crate) fn finish(
    frames: Frames<'_>,
    schema: &Schema,
    target: &Target<'_>,
    options: &Options,
    first: Option<(&Input, &Contents)>,
    why: &Why,
) -> Result<Outcome> {
    let Target { output, format, force } = *target;
    options.check(format)?;
    if format.is_binary()
        && let Some((input, contents)) = first
    {
        tell_types(input, contents, schema, why);
    }
    let mut frames = Counted::new(frames);
    if !format.is_binary() {
        rows::write_frames(&mut frames, schema, Some(format), output, force)?;
        return Ok(Outcome::Good);
    }
    let out = Output::create(output, force, true)?;
    #[cfg(feature = "query")]
    if format == Format::Parquet {
        write_parquet(out, schema, options, first, frames)?;
        return Ok(Outcome::Good);
    }
    let codec = codec(options, first.map(|(_, contents)| contents))?;
    write(out, format, schema, codec, options, first, &mut frames)?;
    Ok(Outcome::Good)
}

#[cfg(feature = "query")]
fn write_parquet(
    mut out: Output,
    schema: &Schema,
    options: &Options,
    first: Option<(&Input, &Contents)>,
    frames: Counted<'_>,
) -> Result<()> {
    let rows = options.batch_rows.map_or(rows::ROW_GROUP, |rows| rows as usize);
    let mut groups = Regroup::new(Box::new(frames), rows);
    let metadata = first.and_then(|(_, contents)| contents.streams.first());
    let metadata = metadata.map(|stream| schema_metadata(&stream.schema.metadata).cloned().collect());
    let metadata: KeyValues = metadata.unwrap_or_default();
    crate::query::write_parquet(&mut out, schema, options.compression, &metadata, &mut groups)?;
    out.commit()
}

/// Frames with a count of their rows on a terminal.
struct Counted<'a> {
    frames: Frames<'a>,
    bar: ProgressBar,
    started: Instant,
}

impl<'a> Counted<'a> {
    fn new(frames: Frames<'a>) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{spinner} {human_pos} rows, {per_sec}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self { frames, bar, started: Instant::now() }
    }
}

impl Iterator for Counted<'_> {
    type Item = Result<DataFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        let frame = self.frames.next();
        if let Some(Ok(frame)) = &frame {
            self.bar.inc(frame.height() as u64);
            // A conversion that takes no time needs no bar.
            if self.bar.is_hidden() && self.started.elapsed() > Duration::from_secs(2) {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
        }
        frame
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Options {
    /// Options that a format has no place for.
    pub(crate) fn check(&self, format: Format) -> Result<()> {
        let is_ipc = matches!(format, Format::Arrow | Format::Arrows);
        let misplaced = match format {
            _ if is_ipc => None,
            _ if self.compat.is_some() => Some("--compat"),
            _ if self.statistics => Some("--statistics"),
            Format::Parquet => None,
            _ => self.compression.is_some().then_some("--compression"),
        };
        match misplaced {
            Some(option) => Err(Failure::new(format!("{option} is for Arrow IPC, not for what is written"))),
            None => Ok(()),
        }
    }
}

fn how_differs(first: &Schema, other: &Schema, inputs: &[(Input, Contents)]) -> String {
    let name = inputs.first().map_or("", |(input, _)| &input.name);
    let odd = other.iter().find(|(name, dtype)| first.get(name) != Some(dtype));
    match odd {
        Some((column, dtype)) => match first.get(column) {
            Some(known) => format!("column {column:?} is {dtype}, in {name} {known}: cast one of them first"),
            None => format!("column {column:?} is not in {name}"),
        },
        None => format!("its columns are not those of {name}, or in another order"),
    }
}

/// Says which columns change their type.
fn tell_types(input: &Input, contents: &Contents, schema: &Schema, why: &Why) {
    let Some(stream) = contents.streams.first() else { return };
    let dtypes = rows::dtypes(input, &stream.schema);
    for (field, dtype) in stream.schema.fields.iter().zip(dtypes) {
        if let Some((dtype, true)) = dtype
            && schema.contains(&field.name)
        {
            let why = match why {
                Why::Option(option) => format!(", since {option} needs rows"),
                _ => String::new(),
            };
            term::tell(&format!(
                "{}: column {:?}: {} becomes {dtype}{why}",
                input.name, field.name, field.data_type
            ));
        }
    }
}

/// The user's metadata of a schema. The keys of folders are in columns now.
fn schema_metadata<'a>(
    metadata: &'a KeyValues,
) -> impl Iterator<Item = &'a <KeyValues as IntoIterator>::Item> + 'a {
    metadata.iter().filter(|(key, _)| key != "floe.hive_schema")
}

/// The user's metadata of a schema and its columns.
pub(crate) fn custom_metadata(wire: &floe_format::Schema) -> CustomMetadata {
    let pair =
        |(key, value): &<KeyValues as IntoIterator>::Item| (key.as_str().into(), value.as_str().into());
    let of_field = |field: &floe_format::Field| {
        let own =
            field.metadata.iter().filter(|(key, _)| !key.starts_with("_PL_") && !key.starts_with("ARROW:"));
        let metadata: Metadata = own.map(pair).collect();
        (!metadata.is_empty()).then(|| (field.name.as_str().into(), metadata))
    };
    CustomMetadata {
        schema: schema_metadata(&wire.metadata).map(pair).collect(),
        fields: wire.fields.iter().filter_map(of_field).collect(),
    }
}

/// Custom metadata of a schema and its columns.
#[derive(Default)]
pub(crate) struct CustomMetadata {
    pub(crate) schema: Metadata,
    pub(crate) fields: Vec<(PlSmallStr, Metadata)>,
}

/// As asked, or as the input is.
pub(crate) fn codec(options: &Options, contents: Option<&Contents>) -> Result<Option<IpcCompression>> {
    let found = contents.and_then(|contents| contents.batches.first()).and_then(|batch| batch.codec);
    let asked = options.compression.or(match found {
        None => None,
        Some(floe_format::Codec::Lz4) => Some(Recompression::To(Compression::Lz4)),
        Some(floe_format::Codec::Zstd) => Some(Recompression::To(Compression::Zstd { level: 3 })),
    });
    Ok(match asked {
        None | Some(Recompression::Raw) => None,
        Some(Recompression::To(Compression::Lz4)) => Some(IpcCompression::LZ4),
        Some(Recompression::To(Compression::Zstd { level })) => {
            Some(IpcCompression::ZSTD(ZstdLevel::try_new(level)?))
        },
    })
}

fn write(
    mut out: Output,
    format: Format,
    schema: &Schema,
    codec: Option<IpcCompression>,
    options: &Options,
    first: Option<(&Input, &Contents)>,
    frames: &mut dyn Iterator<Item = Result<DataFrame>>,
) -> Result<()> {
    let Options { batch_rows, compat, statistics, .. } = options;
    let fields = first.and_then(|(_, contents)| contents.streams.first()).map(|stream| &stream.schema);
    macro_rules! write {
        ($writer:ident) => {{
            let rows = batch_rows.map(|rows| rows as usize);
            let mut writer = $writer::new(&mut out).with_compression(codec).with_statistics(*statistics);
            if rows.is_some() {
                writer = writer.with_record_batch_size(rows);
            }
            writer = match compat {
                Some(Compat::Oldest) => writer.with_compat_level(CompatLevel::oldest()),
                Some(Compat::Newest) => writer.with_compat_level(CompatLevel::newest()),
                Some(Compat::Interop) => writer.with_interop(true),
                None => writer,
            };
            if let Some(wire) = fields {
                let CustomMetadata { schema: metadata, fields } = custom_metadata(wire);
                writer.set_custom_schema_metadata(Arc::new(metadata));
                for (column, metadata) in fields.into_iter().filter(|(column, _)| schema.contains(column)) {
                    writer.set_custom_field_metadata(&column, metadata);
                }
            }
            let mut writer = writer.batched(schema)?;
            for frame in frames {
                writer.write_batch(&frame?)?;
            }
            writer.finish()?;
        }};
    }
    match format {
        Format::Arrow => write!(IpcWriter),
        _ => write!(IpcStreamWriter),
    }
    out.commit()
}
