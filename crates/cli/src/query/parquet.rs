//! Frames into Parquet.

use std::io::Write;

use floe_format::KeyValues;
use floe_tools::{Compression, Recompression};
use polars_core::prelude::*;
use polars_io::prelude::{KeyValueMetadata, ParquetCompression, ParquetWriter, StatisticsOptions};
use polars_utils::compression::ZstdLevel;

use crate::error::Result;

/// Writes frames, each a row group at least. `metadata` is that of the schema.
pub(crate) fn write(
    out: &mut impl Write,
    schema: &Schema,
    codec: Option<Recompression>,
    metadata: &KeyValues,
    frames: &mut dyn Iterator<Item = Result<DataFrame>>,
) -> Result<()> {
    let compression = match codec {
        None => ParquetCompression::default(),
        Some(Recompression::Raw) => ParquetCompression::Uncompressed,
        Some(Recompression::To(Compression::Lz4)) => ParquetCompression::Lz4Raw,
        Some(Recompression::To(Compression::Zstd { level })) => {
            ParquetCompression::Zstd(Some(ZstdLevel::try_new(level)?))
        },
    };
    let pairs: Vec<(String, String)> =
        metadata.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let mut writer = ParquetWriter::new(out)
        .with_compression(compression)
        .with_statistics(StatisticsOptions::default())
        .with_key_value_metadata((!pairs.is_empty()).then(|| KeyValueMetadata::from_static(pairs)))
        .batched(schema)?;
    for frame in frames {
        let mut frame = frame?;
        // The writer takes chunks that lie alike, and makes a row group of each.
        frame.rechunk_mut();
        writer.write_batch(&frame)?;
    }
    writer.finish()?;
    Ok(())
}
