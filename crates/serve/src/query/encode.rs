//! Frames into the bytes of the format that was asked for.

use std::io::Write;

use floe::prelude::*;
use floe::{BatchedStreamWriter, BatchedWriter};
use polars_core::prelude::*;
use polars_io::csv::write::{BatchedWriter as BatchedCsv, CsvWriter};
use polars_io::json::BatchedWriter as BatchedJson;
use polars_io::parquet::write::BatchedWriter as BatchedParquet;
use polars_io::prelude::{ParquetCompression, ParquetWriter, StatisticsOptions};

/// The formats of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Arrows,
    Arrow,
    Csv,
    NdJson,
    Parquet,
}

impl Format {
    pub(crate) const ALL: [Self; 5] = [Self::Arrows, Self::Arrow, Self::Csv, Self::NdJson, Self::Parquet];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Arrows => "arrows",
            Self::Arrow => "arrow",
            Self::Csv => "csv",
            Self::NdJson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::Arrows => "application/vnd.apache.arrow.stream",
            Self::Arrow => "application/vnd.apache.arrow.file",
            Self::Csv => "text/csv",
            Self::NdJson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    fn is_ipc(self) -> bool {
        matches!(self, Self::Arrows | Self::Arrow)
    }
}

/// How an answer is encoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encoding {
    pub(crate) format: Format,
    /// Without one it is the format's own: none for Arrow IPC, ZSTD for Parquet.
    pub(crate) codec: Option<Codec>,
    /// Without one the oldest for streams, which readers without views understand, and the newest for files.
    pub(crate) compat: Option<Compat>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    None,
    Lz4,
    Zstd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compat {
    Oldest,
    Newest,
}

impl Encoding {
    /// Whether its options go together: text has no codec, and only Arrow has compatibility levels.
    pub(crate) fn check(self) -> Result<(), String> {
        let Self { format, codec, compat } = self;
        if compat.is_some() && !format.is_ipc() {
            return Err(format!("`compat` is about Arrow IPC, and the format is {}", format.name()));
        }
        if codec.is_some_and(|codec| codec != Codec::None) && matches!(format, Format::Csv | Format::NdJson) {
            return Err(format!(
                "`codec` is about Arrow IPC and Parquet, and the format is {}",
                format.name()
            ));
        }
        Ok(())
    }
}

/// An encoder of frames of one schema.
pub(crate) enum Encoder<W: Write> {
    Stream(BatchedStreamWriter<W>),
    File(BatchedWriter<W>),
    Csv(BatchedCsv<W>),
    NdJson(BatchedJson<W>),
    Parquet(Box<BatchedParquet<W>>),
}

impl<W: Write + Send> Encoder<W> {
    pub(crate) fn new(encoding: Encoding, out: W, schema: &Schema) -> PolarsResult<Self> {
        let Encoding { format, codec, compat } = encoding;
        let compression = match codec {
            None | Some(Codec::None) => None,
            Some(Codec::Lz4) => Some(IpcCompression::LZ4),
            Some(Codec::Zstd) => Some(IpcCompression::ZSTD(Default::default())),
        };
        let level = |default| match compat {
            None => default,
            Some(Compat::Oldest) => CompatLevel::oldest(),
            Some(Compat::Newest) => CompatLevel::newest(),
        };
        Ok(match format {
            Format::Arrows => {
                let writer = IpcStreamWriter::new(out).with_compression(compression);
                let writer = writer.with_compat_level(level(CompatLevel::oldest()));
                Self::Stream(writer.with_record_batch_size(Some(usize::MAX)).batched(schema)?)
            },
            Format::Arrow => {
                let writer = IpcWriter::new(out).with_compression(compression);
                let writer = writer.with_compat_level(level(CompatLevel::newest()));
                Self::File(writer.with_record_batch_size(Some(usize::MAX)).batched(schema)?)
            },
            Format::Csv => Self::Csv(CsvWriter::new(out).batched(schema)?),
            Format::NdJson => Self::NdJson(BatchedJson::new(out)),
            Format::Parquet => {
                let compression = match codec {
                    None => ParquetCompression::default(),
                    Some(Codec::None) => ParquetCompression::Uncompressed,
                    Some(Codec::Lz4) => ParquetCompression::Lz4Raw,
                    Some(Codec::Zstd) => ParquetCompression::Zstd(None),
                };
                let writer = ParquetWriter::new(out).with_compression(compression);
                let writer = writer.with_statistics(StatisticsOptions::default());
                Self::Parquet(Box::new(writer.batched(schema)?))
            },
        })
    }

    /// Encodes the next frame.
    pub(crate) fn write(&mut self, mut frame: DataFrame) -> PolarsResult<()> {
        match self {
            Self::Stream(writer) => writer.write_batch(&frame),
            Self::File(writer) => writer.write_batch(&frame),
            Self::Csv(writer) => {
                frame.align_chunks_par();
                writer.write_batch(&frame)
            },
            Self::NdJson(writer) => {
                frame.align_chunks_par();
                writer.write_batch(&frame)
            },
            Self::Parquet(writer) => {
                // The writer takes chunks that lie alike, and makes a row group of each.
                frame.rechunk_mut();
                writer.write_batch(&frame)
            },
        }
    }

    /// The end of the format: an end marker, a footer, or nothing.
    pub(crate) fn finish(self) -> PolarsResult<()> {
        match self {
            Self::Stream(mut writer) => drop(writer.finish()?),
            Self::File(mut writer) => drop(writer.finish()?),
            Self::Csv(mut writer) => writer.finish()?,
            Self::NdJson(_) => {},
            Self::Parquet(writer) => drop(writer.finish()?),
        }
        Ok(())
    }
}
