//! Every way to write a frame, and every way to read it back.

use std::io::Cursor;
use std::ops::Range;

use arrow::datatypes::Metadata;
use floe::prelude::*;
use floe::{IpcIndexBuilder, IpcIndexOptions, StreamDecoder};
use polars_core::prelude::*;
use polars_utils::compression::ZstdLevel;
use rand::Rng as _;
use rand::rngs::StdRng;

/// How to write.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// A file, or a stream.
    pub file: bool,
    /// The codec.
    pub compression: Option<IpcCompression>,
    /// View types, or large ones.
    pub newest: bool,
    /// Rows of a record batch.
    pub batch_rows: Option<usize>,
    /// On the pool, or alone.
    pub parallel: bool,
}

/// No codec, and each codec, ZSTD at several levels.
#[must_use]
pub fn codecs() -> Vec<Option<IpcCompression>> {
    let zstd = |level| Some(IpcCompression::ZSTD(ZstdLevel::try_new(level).expect("a level there is")));
    vec![None, Some(IpcCompression::LZ4), zstd(1), zstd(3)]
}

impl Config {
    /// A stream without compression.
    #[must_use]
    pub fn stream() -> Self {
        Self { file: false, compression: None, newest: false, batch_rows: None, parallel: true }
    }

    /// A file without compression.
    #[must_use]
    pub fn file() -> Self {
        Self { file: true, newest: true, ..Self::stream() }
    }

    /// Any of them.
    pub fn any(rng: &mut StdRng) -> Self {
        let codecs = codecs();
        let batch_rows = [None, Some(1), Some(7), Some(1000), Some(usize::MAX)];
        Self {
            file: rng.random(),
            compression: codecs[rng.random_range(0..codecs.len())],
            newest: rng.random(),
            batch_rows: batch_rows[rng.random_range(0..batch_rows.len())],
            parallel: rng.random(),
        }
    }

    /// With another codec.
    #[must_use]
    pub fn with_compression(self, compression: Option<IpcCompression>) -> Self {
        Self { compression, ..self }
    }

    /// With this many rows per batch.
    #[must_use]
    pub fn with_batch_rows(self, rows: usize) -> Self {
        Self { batch_rows: Some(rows), ..self }
    }

    /// The compat level.
    #[must_use]
    pub fn compat_level(&self) -> CompatLevel {
        if self.newest { CompatLevel::newest() } else { CompatLevel::oldest() }
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// The writer's.
    pub fn try_write(&self, df: &DataFrame) -> PolarsResult<Vec<u8>> {
        let Self { file, compression, newest: _, batch_rows, parallel } = *self;
        let mut bytes = Vec::new();
        let mut df = df.clone();
        if file {
            IpcWriter::new(&mut bytes)
                .with_compression(compression)
                .with_compat_level(self.compat_level())
                .with_record_batch_size(batch_rows)
                .with_parallel(parallel)
                .finish(&mut df)?;
        } else {
            IpcStreamWriter::new(&mut bytes)
                .with_compression(compression)
                .with_compat_level(self.compat_level())
                .with_record_batch_size(batch_rows)
                .with_parallel(parallel)
                .finish(&mut df)?;
        }
        Ok(bytes)
    }

    /// Writes a frame that can be written.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    #[track_caller]
    pub fn write(&self, df: &DataFrame) -> Vec<u8> {
        self.try_write(df).unwrap_or_else(|error| panic!("{self:?} does not write: {error}"))
    }

    /// Writes a frame in record batches of the caller's, with metadata of the schema and of each batch.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    #[track_caller]
    pub fn write_batches(&self, batches: &[DataFrame]) -> Vec<u8> {
        let schema = batches[0].schema();
        let metadata: Metadata = [("key".into(), "value".into())].into();
        let write = || -> PolarsResult<Vec<u8>> {
            let mut bytes = Vec::new();
            if self.file {
                let mut writer = IpcWriter::new(&mut bytes)
                    .with_compression(self.compression)
                    .with_compat_level(self.compat_level());
                writer.set_custom_schema_metadata(Arc::new(metadata.clone()));
                let mut writer = writer.batched(schema)?;
                for batch in batches {
                    writer.write_batch_with_metadata(batch, metadata.clone())?;
                }
                writer.finish()?;
            } else {
                let mut writer = IpcStreamWriter::new(&mut bytes)
                    .with_compression(self.compression)
                    .with_compat_level(self.compat_level());
                writer.set_custom_schema_metadata(Arc::new(metadata.clone()));
                let mut writer = writer.batched(schema)?;
                for batch in batches {
                    writer.write_batch_with_metadata(batch, metadata.clone())?;
                }
                writer.finish()?;
            }
            Ok(bytes)
        };
        write().unwrap_or_else(|error| panic!("{self:?} does not write: {error}"))
    }
}

/// One way to read all of a file or a stream. `None`: it has no batches, and so gave no frame.
pub type Read = fn(&[u8]) -> PolarsResult<Option<DataFrame>>;

/// A stream pushed in pieces of an odd length, so that no buffer lies where it is aligned. `None`: it has no batches.
///
/// # Errors
/// As [`StreamDecoder`].
pub fn pushed(bytes: &[u8], columns: Option<Vec<String>>) -> PolarsResult<Option<DataFrame>> {
    let mut decoder = StreamDecoder::new().with_columns(columns);
    let mut frames = Vec::new();
    for piece in bytes.chunks(333) {
        frames.extend(decoder.push(piece.to_vec())?);
    }
    decoder.finish()?;
    concat(frames.into_iter().map(Ok))
}

/// A file read by an index and a plan that are given what they ask for, range by range.
///
/// # Errors
/// As [`IpcIndexBuilder`] and [`ReadPlan`](floe::ReadPlan).
///
/// # Panics
/// When they ask for what the file does not have.
pub fn planned(bytes: &[u8], columns: Option<Vec<String>>) -> PolarsResult<Option<DataFrame>> {
    let at = |at: u64| usize::try_from(at).expect("a position in memory");
    let get = |range: &Range<u64>| bytes[at(range.start)..at(range.end)].to_vec();
    let options = IpcIndexOptions::default().with_tail_bytes(64);
    let mut builder = IpcIndexBuilder::new(bytes.len() as u64, options);
    while let Some(range) = builder.needed().first() {
        builder.give(range.clone(), get(range))?;
    }
    let index = builder.finish()?;
    let columns = match columns {
        Some(names) => index.column_indices(&names)?,
        None => (0..index.column_names().len()).collect(),
    };
    let mut plan = index.plan(0..index.num_record_batches(), &columns)?;
    while let Some(range) = plan.needed().first() {
        plan.give(range.clone(), get(range))?;
    }
    plan.decode().map(Some)
}

/// Every way to read a stream.
pub const STREAM_READS: [(&str, Read); 7] = [
    ("StreamDecoder::push", |bytes| pushed(bytes, None)),
    ("IpcStreamReader::new", |bytes| IpcStreamReader::new(bytes).finish().map(Some)),
    ("IpcStreamReader::new, no rechunk", |bytes| {
        IpcStreamReader::new(bytes).set_rechunk(false).finish().map(Some)
    }),
    ("IpcStreamReader::from_bytes", |bytes| IpcStreamReader::from_bytes(bytes.to_vec()).finish().map(Some)),
    ("IpcStreamReader::from_bytes, misaligned, no rechunk", |bytes| {
        IpcStreamReader::from_bytes(misaligned(bytes)).set_rechunk(false).finish().map(Some)
    }),
    ("IpcStreamReader::batches", |bytes| concat(IpcStreamReader::new(bytes).batches()?)),
    ("IpcStreamReader::from_bytes.batches", |bytes| {
        concat(IpcStreamReader::from_bytes(bytes.to_vec()).batches()?)
    }),
];

/// Every way to read a file.
pub const FILE_READS: [(&str, Read); 8] = [
    ("IpcIndex::plan", |bytes| planned(bytes, None)),
    ("IpcReader::new", |bytes| IpcReader::new(Cursor::new(bytes)).finish().map(Some)),
    ("IpcReader::new, no rechunk", |bytes| {
        IpcReader::new(Cursor::new(bytes)).set_rechunk(false).finish().map(Some)
    }),
    ("IpcReader::from_bytes", |bytes| IpcReader::from_bytes(bytes.to_vec()).finish().map(Some)),
    ("IpcReader::from_bytes, misaligned, no rechunk", |bytes| {
        IpcReader::from_bytes(misaligned(bytes)).set_rechunk(false).finish().map(Some)
    }),
    ("IpcReader::batches", |bytes| concat(IpcReader::new(Cursor::new(bytes)).batches()?)),
    ("IpcReader::from_bytes.batches", |bytes| concat(IpcReader::from_bytes(bytes.to_vec()).batches()?)),
    ("IpcReader::get_batch", |bytes| {
        let reader = IpcReader::new(Cursor::new(bytes));
        let batches = reader.num_record_batches()?;
        concat((0..batches).map(|index| reader.get_batch(index)))
    }),
];

/// Every way to read a file or a stream.
#[must_use]
pub fn reads(file: bool) -> &'static [(&'static str, Read)] {
    if file { &FILE_READS } else { &STREAM_READS }
}

/// Puts batches under each other.
///
/// # Errors
/// The first of the batches'.
pub fn concat(batches: impl IntoIterator<Item = PolarsResult<DataFrame>>) -> PolarsResult<Option<DataFrame>> {
    let mut whole: Option<DataFrame> = None;
    for batch in batches {
        let batch = batch?;
        match &mut whole {
            Some(whole) => {
                whole.vstack_mut(&batch)?;
            },
            None => whole = Some(batch),
        }
    }
    Ok(whole)
}

/// Bytes that start at an odd address.
struct Misaligned {
    bytes: Vec<u8>,
    start: usize,
}

impl AsRef<[u8]> for Misaligned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

fn misaligned(bytes: &[u8]) -> impl AsRef<[u8]> + Send + Sync + 'static {
    let mut buffer: Vec<u8> = Vec::with_capacity(bytes.len() + 2);
    let start = 1 + buffer.as_ptr().addr() % 2;
    buffer.resize(start, 0);
    buffer.extend_from_slice(bytes);
    Misaligned { bytes: buffer, start }
}
