//! Raw buffers to the buffers of a body: compressed, by plans that batches share.

use floe_array::encode::EncodedBuffer;
use floe_codec::{Compression, CompressionPlan, UncompressedFrame};
use floe_format::{Error, Result};
use floe_runtime::Executor;

use super::body_buffer::{BodyBuffer, PendingBuffers};
use super::plans::{MIN_SPLIT_BYTES, PlanRole, PlanSource};
use super::split::SplitQueue;
use crate::error::codec_error;
use crate::trace;

/// Compresses the buffers of a column. With `split`, all large ones but the last become tasks of their own. Otherwise a
/// column of lists or strings, which has several, would keep one thread busy when the others have nothing left.
pub(super) fn compress_all(
    buffers: Vec<EncodedBuffer>,
    compression: Compression,
    executor: &'static dyn Executor,
    split: Option<SplitQueue<'_>>,
    role: PlanRole,
) -> Result<(Vec<BodyBuffer>, Vec<PendingBuffers>)> {
    let sources = role.plan_sources(&buffers, compression)?;
    let last = buffers.iter().rposition(|buffer| buffer.len() >= MIN_SPLIT_BYTES);
    let mut pending = Vec::new();
    let mut now = Vec::with_capacity(buffers.len());
    for (i, (buffer, source)) in buffers.into_iter().zip(sources).enumerate() {
        if let Some(split) = split
            && buffer.len() >= MIN_SPLIT_BYTES
            && last.is_some_and(|last| i < last)
        {
            let task = split.push_awaited(buffer.len(), move || {
                let _span = trace::span("compress");
                Ok(vec![compress_one(buffer, compression, source, executor)?])
            });
            pending.push(PendingBuffers::new(i, task));
            now.push(BodyBuffer::default());
        } else {
            now.push(compress_one(buffer, compression, source, executor)?);
        }
    }
    Ok((now, pending))
}

fn compress_one(
    buffer: EncodedBuffer,
    compression: Compression,
    source: PlanSource,
    executor: &dyn Executor,
) -> Result<BodyBuffer> {
    if buffer.is_empty() {
        // A buffer of no bytes needs no prefix (and most readers want none).
        return Ok(BodyBuffer::Raw(buffer));
    }
    let buffer = buffer.join()?;
    let len = i64::try_from(buffer.len()).map_err(|_| Error::invalid("a buffer of more than 2^63 bytes"))?;
    let prefix = len.to_le_bytes();
    let mut out = prefix.to_vec();
    let (plan, is_reused) = plan(source, compression, &buffer)?;
    let is_compressed = plan.compress(&buffer, &mut out, executor).map_err(codec_error)?;
    trace::buffer(&plan, is_reused, buffer.len(), out.len() - prefix.len());
    if !is_compressed {
        let frame = UncompressedFrame::new(compression.codec(), buffer.len());
        return Ok(BodyBuffer::Uncompressed { prefix, frame, bytes: buffer });
    }
    if out.capacity() - out.len() > out.len() {
        out.shrink_to_fit();
    }
    Ok(BodyBuffer::Compressed(out))
}

/// The plan for a buffer, and whether it is the leader's as it was.
fn plan(source: PlanSource, compression: Compression, buffer: &[u8]) -> Result<(CompressionPlan, bool)> {
    let leader = match source {
        PlanSource::Made(plan) => return Ok((plan, false)),
        PlanSource::Shared(plans, number) => plans.wait(number),
        PlanSource::OwnSample => None,
    };
    let Some(leader) = leader else {
        return Ok((CompressionPlan::for_one(compression, buffer).map_err(codec_error)?, false));
    };
    let plan = leader.reuse_or_replan(buffer).map_err(codec_error)?;
    let is_reused = plan == leader;
    Ok((plan, is_reused))
}
