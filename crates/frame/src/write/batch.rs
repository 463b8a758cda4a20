//! One record batch or dictionary batch, ready to be written: its columns laid out one behind another.

use floe_codec::Compression;
use floe_format::{BatchHeader, BodyLayout, FieldNode, Result};

use super::body_buffer::{BodyBuffer, PendingBuffers};
use crate::statistics::ColumnStatistics;

/// Some columns of a batch.
#[derive(Default)]
pub(crate) struct EncodedColumns {
    pub(crate) nodes: Vec<FieldNode>,
    pub(crate) variadic: Vec<usize>,
    pub(crate) buffers: Vec<BodyBuffer>,
    /// Which of the buffers are still being made or compressed.
    pub(super) pending: Vec<PendingBuffers>,
    pub(crate) raw_bytes: u64,
    /// Of each column, if statistics are written.
    pub(crate) statistics: Vec<ColumnStatistics>,
}

impl EncodedColumns {
    /// Adds the columns that follow.
    pub(crate) fn append(&mut self, other: Self) {
        let Self { nodes, variadic, buffers, pending, raw_bytes, statistics } = other;
        self.raw_bytes += raw_bytes;
        self.statistics.extend(statistics);
        let before = self.buffers.len();
        self.pending.extend(pending.into_iter().map(|pending| pending.behind(before)));
        if self.nodes.is_empty() {
            // The common case of one group: taken over as it is.
            (self.nodes, self.variadic, self.buffers) = (nodes, variadic, buffers);
            return;
        }
        self.nodes.extend(nodes);
        self.variadic.extend(variadic);
        self.buffers.extend(buffers);
    }
}

/// A batch with its header, waiting for its turn.
pub(crate) struct EncodedBatch {
    pub(crate) header: BatchHeader,
    pub(crate) body_len: u64,
    pub(crate) buffers: Vec<BodyBuffer>,
    /// Which of them are still being made, in their order.
    pub(crate) pending: Vec<PendingBuffers>,
    pub(crate) raw_bytes: u64,
}

/// Lays out the columns of a batch one after another. Buffers that are still being compressed are waited for: the header
/// has their lengths.
pub(crate) fn assemble(
    rows: usize,
    columns: Vec<EncodedColumns>,
    compression: Option<Compression>,
) -> Result<EncodedBatch> {
    let mut all = EncodedColumns::default();
    for columns in columns {
        all.append(columns);
    }
    let EncodedColumns { nodes, variadic, mut buffers, mut pending, raw_bytes, statistics: _ } = all;
    if compression.is_some() {
        pending.drain(..).try_for_each(|pending| pending.place(&mut buffers))?;
    }
    let mut layout = BodyLayout::default();
    let specs = buffers.iter().map(|buffer| layout.push(buffer.len())).collect();
    let header = BatchHeader {
        rows,
        nodes,
        buffers: specs,
        variadic,
        compression: compression.map(Compression::codec),
    };
    Ok(EncodedBatch { header, body_len: layout.body_len(), buffers, pending, raw_bytes })
}
