//! The columns of a batch to field nodes and the buffers of a body.

use floe_array::decode::is_plain;
use floe_array::encode::{EncodedBuffer, Remap, encode_joined};
use floe_array::{EncodeCtx, Encoded, encode_column};
use floe_codec::Compression;
use floe_format::{Field, FieldNode, Result};
use floe_runtime::ablation::{self, Mechanism};
use floe_runtime::{Executor, Serial};
use polars_core::prelude::ArrayRef;

use super::batch::EncodedColumns;
use super::body_buffer::{BodyBuffer, MAX_COPIED_PIECE_BYTES};
use super::compress::compress_all;
use super::plans::PlanRole;
use super::split::SplitQueue;
use crate::row_size::estimate;
use crate::trace;

/// How the columns of a batch are encoded.
#[derive(Clone, Copy)]
pub(crate) struct Encoding<'a> {
    pub(crate) remaps: &'a [Option<Remap>],
    pub(crate) compression: Option<Compression>,
    pub(crate) canonical_views: bool,
    pub(crate) unreferenced_data: bool,
    pub(crate) executor: &'static dyn Executor,
}

/// Encodes and compresses one column, with `split` in several tasks. [`assemble`](super::batch::assemble) waits for
/// those that compress. Where nothing is compressed, the writing thread waits for the task that makes a deferred
/// buffer.
pub(crate) fn column(
    field: &Field,
    array: &ArrayRef,
    encoding: Encoding<'_>,
    split: Option<SplitQueue<'_>>,
    role: PlanRole,
) -> Result<EncodedColumns> {
    let Encoding { remaps, compression, canonical_views, unreferenced_data, executor } = encoding;
    let deferred = compression.is_none() && split.is_some() && ablation::is_on(Mechanism::DeferredBuffers);
    let mut ctx = EncodeCtx::new(remaps)
        .with_canonical_views(canonical_views)
        .with_unreferenced_data(unreferenced_data)
        .with_deferred_buffers(deferred);
    {
        let _span = trace::span("encode");
        encode_column(&mut ctx, field, array.as_ref())?;
    }
    compress(ctx.finish(), compression, executor, split, role)
}

/// If the pool encodes, shorter pieces are joined. A vectored write of many pieces takes the writing thread longer than
/// of one, and everything waits for the writing thread.
const MIN_PIECE_BYTES: usize = 16 << 10;

/// Whether uncompressed numbers are written from the buffers they lie in: those of one array, or of several that have
/// no nulls and are long enough not to be joined. `bytes` is the size of all values; `parallel` says whether the pool
/// encodes.
pub(crate) fn are_as_written(field: &Field, arrays: &[ArrayRef], bytes: usize, parallel: bool) -> bool {
    let min_bytes = if parallel { MIN_PIECE_BYTES } else { MAX_COPIED_PIECE_BYTES };
    let has_nulls = || arrays.iter().any(|array| array.null_count() > 0);
    is_plain(field) && (arrays.len() == 1 || (bytes / arrays.len().max(1) >= min_bytes && !has_nulls()))
}

/// Encodes uncompressed numbers as the several pieces they are in. `None` for all else.
pub(crate) fn pieces(field: &Field, arrays: &[ArrayRef], parallel: bool) -> Result<Option<EncodedColumns>> {
    let bytes = || arrays.iter().map(|array| estimate(array.as_ref())).sum();
    if arrays.len() < 2 || !are_as_written(field, arrays, bytes(), parallel) {
        return Ok(None);
    }
    let mut node = FieldNode { len: 0, null_count: 0 };
    let mut values = Vec::with_capacity(arrays.len());
    let mut len = 0;
    for array in arrays {
        let mut ctx = EncodeCtx::new(&[]);
        encode_column(&mut ctx, field, array.as_ref())?;
        // A node, no validity, values. If it is anything else, the general way is right for it as well.
        let Encoded { nodes, mut buffers, .. } = ctx.finish();
        let (Some(piece), Some(bytes)) = (nodes.first(), buffers.pop()) else { return Ok(None) };
        node.len += piece.len;
        len += bytes.len();
        values.push(bytes.join()?);
    }
    let buffers = vec![BodyBuffer::default(), BodyBuffer::Raw(EncodedBuffer::Pieces(values))];
    Ok(Some(EncodedColumns {
        nodes: vec![node],
        buffers,
        raw_bytes: len as u64,
        ..EncodedColumns::default()
    }))
}

/// Encodes uncompressed numbers that [`pieces`] leaves to be joined, in tasks of their own. `None` for all else.
pub(crate) fn joined(
    field: &Field,
    arrays: &[ArrayRef],
    unreferenced_data: bool,
    split: SplitQueue<'_>,
) -> Option<Result<EncodedColumns>> {
    if arrays.len() < 2 || !is_plain(field) {
        return None;
    }
    let mut ctx = EncodeCtx::new(&[])
        .with_unreferenced_data(unreferenced_data)
        .with_deferred_buffers(ablation::is_on(Mechanism::DeferredBuffers));
    let encoded = encode_joined(&mut ctx, field, arrays);
    Some(encoded.and_then(|()| compress(ctx.finish(), None, &Serial, Some(split), PlanRole::Independent)))
}

/// Encodes and compresses all columns of a small batch in one go.
pub(crate) fn columns(
    fields: &[Field],
    arrays: &[&ArrayRef],
    compression: Option<Compression>,
    unreferenced_data: bool,
) -> Result<EncodedColumns> {
    let mut ctx = EncodeCtx::new(&[]).with_unreferenced_data(unreferenced_data);
    ctx.reserve(fields.len());
    for (field, array) in fields.iter().zip(arrays) {
        encode_column(&mut ctx, field, array.as_ref())?;
    }
    compress(ctx.finish(), compression, &Serial, None, PlanRole::Independent)
}

fn compress(
    encoded: Encoded,
    compression: Option<Compression>,
    executor: &'static dyn Executor,
    split: Option<SplitQueue<'_>>,
    role: PlanRole,
) -> Result<EncodedColumns> {
    let Encoded { nodes, buffers, variadic, deferred } = encoded;
    let raw_bytes = buffers.iter().map(|buffer| buffer.len() as u64).sum();
    let (buffers, pending) = match compression {
        None => {
            let make =
                |split: SplitQueue<'_>| deferred.into_iter().map(|buffers| split.make(buffers)).collect();
            // Without a queue nothing has been deferred.
            (buffers.into_iter().map(BodyBuffer::Raw).collect(), split.map(make).unwrap_or_default())
        },
        Some(compression) => {
            let _span = trace::span("compress");
            compress_all(buffers, compression, executor, split, role)?
        },
    };
    Ok(EncodedColumns { nodes, variadic, buffers, pending, raw_bytes, statistics: Vec::new() })
}
