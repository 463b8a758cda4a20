//! Conversions that need rows: through frames, a batch in memory at a time.

use std::sync::Arc;

use floe::prelude::*;
use floe_tools::{Compression, Contents, Recompression};
use polars_core::prelude::*;

use super::convert::{Compat, Job, Options, Why};
use crate::error::{Failure, Outcome, Result};
use crate::input::Input;
use crate::output::{Format, Output};
use crate::{rows, term};

type Frames<'a> = Box<dyn Iterator<Item = Result<DataFrame>> + 'a>;

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
    if format.is_binary()
        && let Some((input, contents)) = inputs.first()
    {
        tell_types(input, contents, &schema, why);
    }
    let frames: Frames<'_> = Box::new(all.into_iter().flatten());
    let mut frames: Frames<'_> = match options.batch_rows {
        Some(rows) => Box::new(Regroup { frames, rows: rows as usize, held: None, done: false }),
        None => frames,
    };
    if !format.is_binary() {
        return no_compression(&options)
            .and_then(|()| rows::write_frames(&mut frames, &schema, Some(format), &output, force))
            .map(|()| Outcome::Good);
    }
    let codec = codec(&options, inputs.first().map(|(_, contents)| contents))?;
    let out = Output::create(&output, force, true)?;
    write(out, format, &schema, codec, &options, inputs.first(), &mut frames)?;
    Ok(Outcome::Good)
}

fn no_compression(options: &Options) -> Result<()> {
    let Options { compression, batch_rows: _, columns: _, compat, statistics } = options;
    match compression.is_some() || compat.is_some() || *statistics {
        true => Err(Failure::new("--compression, --compat and --statistics are for Arrow IPC, not for text")),
        false => Ok(()),
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
                Why::Text | Why::Impossible(_) => String::new(),
            };
            term::tell(&format!(
                "{}: column {:?}: {} becomes {dtype}{why}",
                input.name, field.name, field.data_type
            ));
        }
    }
}

/// As asked, or as the input is.
fn codec(options: &Options, contents: Option<&Contents>) -> Result<Option<IpcCompression>> {
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
    first: Option<&(Input, Contents)>,
    frames: &mut dyn Iterator<Item = Result<DataFrame>>,
) -> Result<()> {
    let Options { compression: _, batch_rows, columns: _, compat, statistics } = options;
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
                None => writer,
            };
            if let Some(wire) = fields {
                let pairs =
                    wire.metadata.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into()));
                writer.set_custom_schema_metadata(Arc::new(pairs.collect::<Metadata>()));
                for field in wire.fields.iter().filter(|field| schema.contains(&field.name)) {
                    let own = field
                        .metadata
                        .iter()
                        .filter(|(key, _)| !key.starts_with("_PL_") && !key.starts_with("ARROW:"));
                    let pairs = own.map(|(key, value)| (key.as_str().into(), value.as_str().into()));
                    let pairs = pairs.collect::<Metadata>();
                    if !pairs.is_empty() {
                        writer.set_custom_field_metadata(&field.name, pairs);
                    }
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

/// Frames of this many rows each; the last one has the rest.
struct Regroup<'a> {
    frames: Frames<'a>,
    rows: usize,
    held: Option<DataFrame>,
    done: bool,
}

impl Iterator for Regroup<'_> {
    type Item = Result<DataFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.done && self.held.as_ref().map_or(0, DataFrame::height) < self.rows {
            match self.frames.next() {
                None => self.done = true,
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(frame)) => match &mut self.held {
                    None => self.held = Some(frame),
                    Some(held) => {
                        if let Err(error) = held.vstack_mut(&frame) {
                            return Some(Err(error.into()));
                        }
                    },
                },
            }
        }
        let held = self.held.take().filter(|held| held.height() > 0)?;
        if held.height() > self.rows {
            let cut = i64::try_from(self.rows).unwrap_or(i64::MAX);
            self.held = Some(held.slice(cut, held.height()));
        }
        Some(Ok(held.head(Some(self.rows))))
    }
}
