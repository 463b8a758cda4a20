//! Columns of numbers whose values a reader's bytes are read into, where they stay.
//!
//! A body that comes from a reader is kept as segments, and a window of batches is decoded while the next one is read.
//! Of numbers that are not compressed nothing has to be decoded: all that is done is to copy them behind those of the
//! batch before. They are read to that place at once. Their bitmaps, and whatever other columns have, stay segments:
//!
//! ```text
//!   body   | a validity | a values ...... | b offsets | b text .... |     a: numbers, b: strings
//!          | segment    | behind a's rows | segment   | segment     |
//! ```
//!
//! Some batches do not suit: compressed ones, and those whose buffers lie in another order or have other lengths. Such
//! a batch is read as segments, and its numbers are decoded before anything else is read, so that rows stay in their
//! order. So are all that follow it.
//!
//! What to watch when changing this: values are read in the order in which they lie in the body, behind their bitmap.
//! They never overlap a range that becomes a segment. Once a batch did not suit, no later one may be read in place: its
//! rows would come before those of that batch.

use std::collections::VecDeque;
use std::ops::Range;

use arrow::bitmap::Bitmap;
use floe_array::decode::{ColumnOffsets, is_plain};
use floe_array::{Body, Segments};
use floe_format::{BatchHeader, BufferSpec, Endianness, Field, Result};

use super::frame_builder::FrameBuilder;
use super::options::{ColumnCounts, Projection};
use super::pending::PendingBatch;
use crate::schema::ReadSchema;

/// A buffer shorter than this is better read together with its neighbours.
const MIN_BYTES: u64 = if cfg!(fuzzing) { 8 } else { 64 << 10 };

/// The columns, by their place in the projection, whose values in these first batches of a stream would have been
/// better read in place.
pub(super) fn suited(
    schema: &ReadSchema,
    projection: &Projection,
    batches: &[PendingBatch<'_>],
) -> Vec<usize> {
    let raw = batches.iter().all(|batch| !batch.is_compressed());
    if !raw || batches.is_empty() || schema.wire.endianness == Endianness::Big {
        return Vec::new();
    }
    let mut counts = ColumnCounts::default();
    let mut bytes = vec![0u64; projection.indices.len()];
    for batch in batches {
        let Ok(starts) = counts.starts(schema, batch.header(), batch.version()) else { return Vec::new() };
        for (sum, index) in bytes.iter_mut().zip(&projection.indices) {
            let values = starts.get(*index).and_then(|start| batch.header().buffers.get(start.buffer + 1));
            // A column without values is not large enough to be read in place.
            *sum += values.map_or(0, |values| values.len);
        }
    }
    let is_suited = |(at, index): (usize, &usize)| {
        let plain = schema.wire.fields.get(*index).is_some_and(is_plain);
        (plain && bytes.get(at)? / batches.len() as u64 >= MIN_BYTES).then_some(at)
    };
    projection.indices.iter().enumerate().filter_map(is_suited).collect()
}

/// The part of one batch that is read in place.
pub(super) struct InPlace<'a> {
    frame: &'a mut FrameBuilder,
    fields: &'a [Field],
    rows: usize,
    /// By their position in the body.
    pending: VecDeque<Values>,
}

/// The values of one column.
struct Values {
    /// In the frame.
    column: usize,
    stored: BufferSpec,
    /// The bitmap, if there are nulls.
    validity: Option<BufferSpec>,
}

impl Values {
    fn range(&self) -> Range<u64> {
        self.stored.offset..self.stored.offset.saturating_add(self.stored.len)
    }
}

impl<'a> InPlace<'a> {
    /// A batch's values of the frame's columns, while `kept` are the ranges that become segments; nothing if the batch
    /// does not suit.
    pub(super) fn new(
        frame: &'a mut FrameBuilder,
        schema: &'a ReadSchema,
        header: &BatchHeader,
        starts: &[ColumnOffsets],
        kept: &[Range<u64>],
    ) -> Option<Self> {
        if header.compression.is_some() || header.rows == 0 {
            return None;
        }
        let values = |(column, index): (usize, usize)| {
            let start = starts.get(index)?;
            let node = header.nodes.get(start.node)?;
            let [validity, stored] = *header.buffers.get(start.buffer..start.buffer + 2)? else {
                return None;
            };
            let has_nulls = node.null_count > 0;
            let bitmap = has_nulls.then_some(validity);
            let precedes = bitmap.is_none_or(|bitmap| {
                let end = bitmap.offset.saturating_add(bitmap.len);
                bitmap.len >= header.rows.div_ceil(8) as u64 && end <= stored.offset
            });
            let suits = node.len == header.rows && stored.len > 0 && precedes;
            suits.then_some(Values { column, stored, validity: bitmap })
        };
        let mut pending: Vec<Values> = frame.indices().enumerate().map(values).collect::<Option<_>>()?;
        pending.sort_by_key(|values| values.stored.offset);
        let apart = pending.windows(2).all(|pair| pair[0].range().end <= pair[1].range().start);
        let is_kept = |range: Range<u64>| {
            let behind = kept.partition_point(|kept| kept.end <= range.start);
            kept.get(behind).is_some_and(|kept| kept.start < range.end)
        };
        let suits = !pending.is_empty() && apart && !pending.iter().any(|values| is_kept(values.range()));
        let fields = schema.wire.fields.as_slice();
        suits.then(|| Self { frame, fields, rows: header.rows, pending: pending.into() })
    }

    /// Bytes of all values.
    pub(super) fn bytes(&self) -> u64 {
        self.pending.iter().fold(0, |sum, values| sum.saturating_add(values.stored.len))
    }

    /// Where in the body the next values begin, if that is before `until`.
    pub(super) fn next_before(&self, until: u64) -> Option<u64> {
        self.pending.front().map(|values| values.stored.offset).filter(|offset| *offset < until)
    }

    /// Reads the next values by `read`, which stands there and fills memory; the bytes before them are in `body`.
    pub(super) fn read(
        &mut self,
        body: &Segments,
        read: &mut dyn FnMut(&mut [u8]) -> Result<()>,
    ) -> Result<()> {
        // Nothing is pending: the caller has read all values.
        let Some(Values { column, stored, validity }) = self.pending.pop_front() else { return Ok(()) };
        let bitmap = |spec: BufferSpec| {
            let bytes = body.shared(spec.offset..spec.offset.saturating_add(spec.len))?;
            Bitmap::try_new(bytes.get(..self.rows.div_ceil(8))?.to_vec(), self.rows).ok()
        };
        let validity = match validity.map(bitmap) {
            None => None,
            Some(Some(bitmap)) => (bitmap.unset_bits() > 0).then_some(bitmap),
            Some(None) => {
                return Err(floe_format::Error::invalid("a bitmap lies where the body has not been read"));
            },
        };
        self.frame.read(column, self.fields, self.rows, validity, stored.len, read)
    }
}

#[cfg(test)]
mod tests {
    use floe_format::{Codec, DataType, FieldNode, IntType, Schema};

    use super::*;
    use crate::read::options::ReadOptions;
    use crate::read::types::TypeOptions;

    /// Two columns of `i64`.
    fn schema() -> ReadSchema {
        let field = |name: &str| Field {
            name: name.into(),
            nullable: true,
            data_type: DataType::Int(IntType { bits: 64, signed: true }),
            children: Vec::new(),
            dictionary: None,
            metadata: Vec::new(),
        };
        let schema = Schema { fields: vec![field("a"), field("b")], ..Schema::default() };
        ReadSchema::new(schema, &TypeOptions::default())
    }

    /// A batch of 64 rows with nulls, whose four buffers lie at these places.
    fn header(places: [(u64, u64); 4]) -> BatchHeader {
        BatchHeader {
            rows: 64,
            nodes: vec![FieldNode { len: 64, null_count: 1 }; 2],
            buffers: places.map(|(offset, len)| BufferSpec { offset, len }).to_vec(),
            ..BatchHeader::default()
        }
    }

    /// Whether a batch is read in place if these ranges of it are kept.
    fn suits(header: &BatchHeader, kept: &[Range<u64>]) -> bool {
        let schema = schema();
        let projection = Projection::new(&schema, &ReadOptions::default()).expect("all columns");
        let (mut frame, others) = FrameBuilder::split(&projection, &[0, 1]);
        assert!(others.is_empty() && frame.indices().eq([0, 1]));
        let starts = [ColumnOffsets::default(), ColumnOffsets { node: 1, buffer: 2, variadic: 0 }];
        InPlace::new(&mut frame, &schema, header, &starts, kept).is_some()
    }

    const USUAL: [(u64, u64); 4] = [(0, 8), (64, 512), (576, 8), (640, 512)];

    #[test]
    fn values_behind_their_bitmaps_and_apart_are_read_in_place() {
        let kept = [0..8, 576..584];
        assert!(suits(&header(USUAL), &kept));
        let [a, b, c, d] = USUAL;
        assert!(suits(&header([c, d, a, b]), &kept), "columns in another order");
        assert!(!suits(&header([a, d, c, b]), &kept), "values before their bitmap");
        assert!(!suits(&header([a, b, c, b]), &kept), "values of two columns");
        assert!(!suits(&header([a, (64, 600), c, d]), &kept), "values that overlap");
        assert!(!suits(&header([a, b, (576, 7), d]), &kept), "a bitmap too short");
        assert!(!suits(&header(USUAL), &[0..8, 100..200]), "values among what is kept");
        assert!(!suits(&header(USUAL), &[0..8, 8..584]), "values among what is kept");
        let mut other = header(USUAL);
        other.compression = Some(Codec::Lz4);
        assert!(!suits(&other, &kept), "compressed");
        let mut other = header(USUAL);
        other.nodes[1].len = 63;
        assert!(!suits(&other, &kept), "fewer values than rows");
        let mut other = header(USUAL);
        other.buffers.pop();
        assert!(!suits(&other, &kept), "no values");
    }
}
