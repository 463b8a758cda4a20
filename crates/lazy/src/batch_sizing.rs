//! Where the batches of a query begin and end.
//!
//! The ends depend on the rows and their types alone, not on the frames in which the rows arrive.

use polars_core::prelude::*;

use crate::size;

/// Rows of a batch, when no number was asked for: those of the streaming engine's ideal frame.
const IDEAL_ROWS: usize = 100_000;
/// Bytes that a batch should not exceed, when no number of rows was asked for.
const MAX_BYTES: u64 = 32 << 20;
/// Rows between two places where a batch may end early: that many bitmaps' bits are whole bytes.
const END_ROWS: usize = 64;
/// Blocks of a span. A batch may end with each of them.
const BLOCKS_PER_SPAN: usize = 16;

/// Where frames end.
#[derive(Debug, Clone)]
pub(crate) enum BatchSizing {
    /// At multiples of this many rows.
    Rows(usize),
    /// Where the rows and their types say.
    ByContent(RowSpans),
}

impl BatchSizing {
    /// For record batches of that many rows, by default of a sensible size.
    pub(crate) fn for_batches(rows: Option<usize>, schema: &Schema) -> Self {
        match rows {
            Some(rows) => Self::Rows(rows.max(1)),
            None => Self::ByContent(RowSpans::new(schema, IDEAL_ROWS, MAX_BYTES)),
        }
    }

    /// For frames of about this many rows or bytes, which begin where the rows alone say.
    pub(crate) fn about(rows: usize, bytes: u64, schema: &Schema) -> Self {
        Self::ByContent(RowSpans::new(schema, rows, bytes))
    }
}

/// Cuts the query's rows into spans of one number of rows, which the types determine. Each span is a batch.
///
/// A span with values of any length is several batches: halves, quarters, eighths or sixteenths of it. It is as few as
/// have at most three quarters of the bytes, at the rate so far. So batches of similar rows are even. Where the rate is
/// wrong, a batch ends at the first multiple of 64 rows at which it has all of the bytes.
#[derive(Debug, Clone)]
pub(crate) struct RowSpans {
    /// Rows of a span.
    rows: usize,
    /// Bits that a batch should not exceed.
    max_bits: u64,
    /// Bits per row in the columns whose values are all of one length.
    fixed_bits: u64,
    /// The columns whose values are of any length.
    varying: Vec<usize>,
}

impl RowSpans {
    fn new(schema: &Schema, rows: usize, bytes: u64) -> Self {
        let (mut fixed_bits, mut all_bits) = (0u64, 0u64);
        let mut varying = Vec::new();
        for (index, dtype) in schema.iter_values().enumerate() {
            let bits = size::row_bits(dtype);
            match bits {
                Ok(bits) => fixed_bits = fixed_bits.saturating_add(bits),
                Err(_) => varying.push(index),
            }
            let (Ok(bits) | Err(bits)) = bits;
            all_bits = all_bits.saturating_add(bits);
        }
        let max_bits = bytes.saturating_mul(8);
        // A part of the engine's frames, which are cut without a rest.
        let whole = u64::try_from(rows).unwrap_or(u64::MAX).saturating_mul(all_bits);
        let parts = usize::try_from(whole.div_ceil(max_bits)).unwrap_or(usize::MAX);
        let parts = parts.clamp(1, (rows / END_ROWS).max(1));
        Self { rows: (rows / parts).max(1), max_bits, fixed_bits, varying }
    }

    /// Bits of some rows of a frame.
    fn bits(&self, df: &DataFrame, start: usize, len: usize) -> u64 {
        let start = size::row(start);
        let columns = self.varying.iter().filter_map(|index| df.columns().get(*index));
        let varying: u64 = columns.map(|column| size::bits(&column.slice(start, len))).sum();
        varying.saturating_add(self.fixed_bits.saturating_mul(u64::try_from(len).unwrap_or(u64::MAX)))
    }

    /// How many rows of a frame end a batch. If none do, the place is behind them all.
    pub(crate) fn end(&self, cursor: &mut Cursor, df: &DataFrame) -> Option<usize> {
        let max_rows = df.height().min(self.rows - cursor.row);
        let end = if self.varying.is_empty() { None } else { self.early_end(cursor, df, max_rows) };
        let taken = end.unwrap_or(max_rows);
        cursor.row += taken;
        if cursor.row == self.rows {
            *cursor = Cursor::default();
            return Some(taken);
        }
        if end.is_some() {
            *cursor = Cursor { row: cursor.row, start: cursor.row, bits: 0 };
        }
        end
    }

    /// Whether a batch ends before this row of the span, with which a block begins.
    fn is_even_end(&self, cursor: Cursor, row: usize, block: usize) -> bool {
        let wide = |count: usize| u128::try_from(count).unwrap_or(u128::MAX);
        let rate = u128::from(cursor.bits) * wide(self.rows) / wide(row - cursor.start).max(1);
        let max_bits = u128::from(self.max_bits / 4 * 3).max(1);
        let parts =
            usize::try_from(rate.div_ceil(max_bits)).unwrap_or(usize::MAX).checked_next_power_of_two();
        // A block that is too large for a batch is no place to end one. Rows that the last one leaves stay with it.
        parts.is_some_and(|parts| {
            let number = row / block;
            (2..=BLOCKS_PER_SPAN).contains(&parts)
                && number < BLOCKS_PER_SPAN
                && number.is_multiple_of(BLOCKS_PER_SPAN / parts)
        })
    }

    /// The end of a batch that has its bytes within the next `max_rows` rows.
    fn early_end(&self, cursor: &mut Cursor, df: &DataFrame, max_rows: usize) -> Option<usize> {
        let block = (self.rows / BLOCKS_PER_SPAN).max(1);
        let mut at = 0;
        while at < max_rows {
            let len = (block - (cursor.row + at) % block).min(max_rows - at);
            let bits = self.bits(df, at, len);
            if cursor.bits.saturating_add(bits) >= self.max_bits
                && let Some(end) = self.full(*cursor, df, at, len)
            {
                return Some(end);
            }
            cursor.bits = cursor.bits.saturating_add(bits);
            at += len;
            let row = cursor.row + at;
            if row.is_multiple_of(block) && self.is_even_end(*cursor, row, block) {
                return Some(at);
            }
        }
        None
    }

    /// The first multiple of 64 rows at which the batch has all bytes, looked for in rows of one block
    /// before which it has those of the cursor.
    fn full(&self, cursor: Cursor, df: &DataFrame, start: usize, len: usize) -> Option<usize> {
        let (mut from, mut bits) = (start, cursor.bits);
        // Multiples of 64, counted from the span's begin: the first of the range to the last.
        let (mut low, mut high) =
            ((cursor.row + start) / END_ROWS + 1, (cursor.row + start + len) / END_ROWS + 1);
        let last = high;
        while low < high {
            let middle = low + (high - low) / 2;
            let at = middle * END_ROWS - cursor.row;
            // Bytes before `from` are counted already.
            let more = self.bits(df, from, at.saturating_sub(from));
            if bits.saturating_add(more) >= self.max_bits {
                high = middle;
            } else {
                (from, bits, low) = (at, bits.saturating_add(more), middle + 1);
            }
        }
        (low < last).then(|| low * END_ROWS - cursor.row)
    }
}

/// How far the rows have been looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cursor {
    /// In the span.
    row: usize,
    /// The row of the span with which the batch begins.
    start: usize,
    /// Of the batch, if they are counted.
    bits: u64,
}
