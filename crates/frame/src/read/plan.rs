//! The wants of a reader of a stream, for each record batch.

use std::ops::Range;
use std::sync::Arc;

use super::dictionary_store::Store;
use super::frame_builder::FrameBuilder;
use super::in_place::InPlace;
use super::options::{ColumnCounts, Projection};
use super::pending::BatchHead;
use super::segments::{MAX_GAP_BYTES, ranges};
use crate::schema::ReadSchema;

/// The wanted part of a stream, and the state needed to find it.
pub(super) struct Plan {
    pub(super) projection: Arc<Projection>,
    pub(super) store: Store,
    pub(super) counts: ColumnCounts,
}

impl Plan {
    /// The ranges of a batch's body that the projected columns need, without the parts that are read in place.
    pub(super) fn ranges<'a>(
        &mut self,
        schema: &'a ReadSchema,
        head: &BatchHead,
        body_len: u64,
        in_place: Option<&'a mut FrameBuilder>,
    ) -> floe_format::Result<(Vec<Range<u64>>, Option<InPlace<'a>>)> {
        if body_len > 0 && body_len <= MAX_GAP_BYTES && !cfg!(fuzzing) {
            return Ok((std::iter::once(0..body_len).collect(), None));
        }
        let header = &head.header;
        let starts = self.counts.starts(schema, header, head.version)?;
        let kept = |in_place: &[usize]| {
            ranges(header, &starts, &schema.wire.fields, &self.projection.indices, in_place)
        };
        if let Some(frame) = in_place.filter(|frame| frame.takes_reads()) {
            let mut columns: Vec<usize> = frame.indices().collect();
            columns.sort_unstable();
            let kept = kept(&columns);
            if let Some(in_place) = InPlace::new(frame, schema, header, &starts, &kept) {
                return Ok((kept, Some(in_place)));
            }
        }
        Ok((kept(&[]), None))
    }
}
