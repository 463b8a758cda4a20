//! Statements about the values of a batch in its metadata: sortedness flags, as Polars' streaming
//! engine writes and reads them, and floe's own [`statistics`](crate::statistics).

use std::ops::Range;

use arrow::array::Array;
use floe_format::{Error, Result, Schema, Text};
use polars_core::prelude::{DataFrame, DataType};

use super::batch::EncodedColumns;
use super::body_buffer::BodyBuffer;
use crate::statistics::bounds::bounds;
use crate::statistics::{BatchStatistics, ColumnStatistics, fingerprint, schema_fingerprint};

/// The key of the flags: a JSON list of one number per column.
pub(crate) const FLAGS_KEY: &str = "polars:statistics:v1";

/// The flags of a frame's columns.
pub(crate) fn flags_metadata(df: &DataFrame) -> (Text, Text) {
    let flags = df.columns().iter().map(|column| column.get_flags().bits().to_string());
    (FLAGS_KEY.into(), format!("[{}]", flags.collect::<Vec<_>>().join(",")).into())
}

/// Statistics of one column, which has been encoded alone.
pub(crate) fn column_statistics(
    array: &dyn Array,
    dtype: &DataType,
    encoded: &EncodedColumns,
) -> ColumnStatistics {
    let (min, max) = bounds(array, dtype);
    let lens: Vec<u64> = encoded.buffers.iter().map(|buffer| buffer.len() as u64).collect();
    let fingerprint = fingerprint(&encoded.nodes, &lens, |buffer, range, out| {
        let stored = encoded.buffers.get(buffer).ok_or_else(|| Error::invalid("a buffer is missing"))?;
        copy(stored, range, out)
    });
    match fingerprint {
        Ok(fingerprint) => ColumnStatistics { nulls: array.null_count(), fingerprint, min, max },
        // Readers ignore statistics whose fingerprint does not match.
        Err(_) => ColumnStatistics::default(),
    }
}

/// Copies a range of a buffer's stored bytes.
fn copy(stored: &BodyBuffer, range: Range<u64>, out: &mut [u8]) -> Result<()> {
    let invalid = || Error::invalid("a sample beyond its buffer");
    let mut skip = usize::try_from(range.start).map_err(|_| invalid())?;
    let mut rest = out;
    for piece in stored.pieces() {
        if rest.is_empty() {
            break;
        }
        let from = skip.min(piece.len());
        skip -= from;
        let len = rest.len().min(piece.len() - from);
        let (now, later) = rest.split_at_mut(len);
        now.copy_from_slice(&piece[from..from + len]);
        rest = later;
    }
    if rest.is_empty() { Ok(()) } else { Err(invalid()) }
}

/// Bytes of statistics that a footer has room for. Beyond that only the batches have them.
const FOOTER_BYTES: usize = 16 << 20;

/// The statistics of the batches written so far, as text.
pub(crate) struct StatisticsLog {
    schema: u64,
    batches: usize,
    lines: String,
}

impl StatisticsLog {
    pub(crate) fn new(schema: &Schema) -> Self {
        Self { schema: schema_fingerprint(schema), batches: 0, lines: String::new() }
    }

    /// Goes on behind batches that have been written by somebody else, of which the footer says `lines`.
    pub(crate) fn resume(&mut self, batches: usize, lines: &str) {
        self.batches = batches;
        self.lines.push_str(lines);
        // A line for each batch, also where one has no statistics.
        let missing = batches.saturating_sub(1).saturating_sub(lines.matches('\n').count());
        self.lines.extend(std::iter::repeat_n('\n', missing));
    }

    /// The text of the next batch. Takes the statistics of its columns.
    pub(crate) fn next(&mut self, rows: usize, columns: &mut [EncodedColumns]) -> String {
        let columns =
            columns.iter_mut().flat_map(|columns| std::mem::take(&mut columns.statistics)).collect();
        let batch = self.batches;
        let text = BatchStatistics { batch, rows, schema: self.schema, columns }.to_text();
        self.batches += 1;
        if self.lines.len() <= FOOTER_BYTES {
            if batch > 0 {
                self.lines.push('\n');
            }
            self.lines.push_str(&text);
        }
        text
    }

    /// The footer's copy, if there is anything to say and room for it.
    pub(crate) fn take_footer(&mut self) -> Option<Text> {
        let lines = std::mem::take(&mut self.lines);
        (self.batches > 0 && lines.len() <= FOOTER_BYTES).then(|| lines.into())
    }
}
