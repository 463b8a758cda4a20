//! Batches that are encoded on the calling thread, since handing them to the pool would cost more.

use floe_format::{Field, KeyValues};
use polars_core::prelude::*;

use super::chunk;
use super::encode::{self, columns};
use super::engine::Engine;
use super::group::EncodeConfig;
use super::message_sink::MessageSink;
use super::statistics::flags_metadata;
use crate::error::format_error;
use crate::row_size::estimate;

/// Below this much work a batch is encoded on the calling thread.
const INLINE_BYTES: usize = 64 << 10;
/// The same for an uncompressed batch that the caller waits for: there is nothing to do meanwhile.
const INLINE_RAW_BYTES: usize = 512 << 10;
/// The work of an array that is written from where it lies.
const ARRAY_BYTES: usize = 64;

impl<S: MessageSink> Engine<S> {
    /// Bytes that encoding a column of `size` bytes has to look at, roughly. Thousands of arrays that are written from
    /// where they lie take less time than waking the pool's threads.
    pub(super) fn work(&self, field: &Field, arrays: &[ArrayRef], size: usize) -> usize {
        let EncodeConfig { compression, statistics, parallel, .. } = &*self.config;
        let as_written =
            compression.is_none() && !statistics && encode::are_as_written(field, arrays, size, *parallel);
        if as_written { size.min(arrays.len() * ARRAY_BYTES) } else { size }
    }

    /// A batch of less work than this many bytes is encoded on the calling thread.
    pub(super) fn inline_bytes(&self, waits: bool) -> usize {
        let is_raw = self.config.compression.is_none() && !self.config.statistics;
        if waits && is_raw { INLINE_RAW_BYTES } else { INLINE_BYTES }
    }

    /// The only chunk of each column, if the frame is one batch without dictionaries that is encoded in no time. For
    /// such a frame, preparing tasks would cost more than encoding it.
    pub(super) fn small<'d>(&self, df: &'d DataFrame, waits: bool) -> Option<Vec<&'d ArrayRef>> {
        let rows = df.height();
        // The size that `chunk` takes without the option.
        let max_rows = self.batch_size.unwrap_or(chunk::DEFAULT_ROWS);
        if rows == 0
            || rows > max_rows
            || self.config.statistics
            || self.config.canonical_views
            || !self.dictionaries.is_empty()
            || !self.in_flight.is_empty()
        {
            return None;
        }
        let (mut bytes, mut work) = (0, 0);
        let max_work = self.inline_bytes(waits);
        let only_chunk = |(field, column): (&Field, &'d Column)| {
            let Column::Series(series) = column else { return None };
            let [one] = series.chunks().as_slice() else { return None };
            let size = estimate(one.as_ref());
            bytes += size;
            work += self.work(field, series.chunks(), size);
            (work < max_work && bytes <= chunk::MAX_BYTES).then_some(one)
        };
        self.config.schema.wire.fields.iter().zip(df.columns()).map(only_chunk).collect()
    }

    pub(super) fn write_small(
        &mut self,
        df: &DataFrame,
        chunks: &[&ArrayRef],
        metadata: &KeyValues,
    ) -> PolarsResult<()> {
        let EncodeConfig { schema, compression, unreferenced_data, .. } = &*self.config;
        let encoded = columns(&schema.wire.fields, chunks, *compression, *unreferenced_data);
        let encoded = encoded.map_err(format_error)?;
        if self.flags {
            let mut metadata = metadata.clone();
            metadata.push(flags_metadata(df));
            return self.emit(df.height(), vec![encoded], &metadata);
        }
        self.emit(df.height(), vec![encoded], metadata)
    }
}
