//! Bytes of one width: views over the data as it lies.

use arrow::array::Array;
use floe_format::Result;

use super::ctx::{DecodeCtx, total_len};
use super::data_windows::{MAX_BUFFER_BYTES, Windows};
use super::list::values_of;
use super::view_builder::{PartBuffers, ViewBuilder};
use crate::typed::typed;

pub(super) fn decode(ctx: &mut DecodeCtx<'_>, width: usize) -> Result<Box<dyn Array>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let buffer_refs = ctx.next_buffers()?;
    let total = total_len(&nodes)?;
    if width == 0 {
        ctx.unbacked_rows(total)?;
    }
    for (buffer_ref, node) in buffer_refs.iter().zip(&nodes) {
        ctx.require(*buffer_ref, values_of(node, width)?)?;
    }
    let validity = validity.read(ctx, &nodes)?;
    let mut builder = ViewBuilder::default();
    builder.reserve(ctx, total)?;
    let mut made = Vec::with_capacity(nodes.len());
    for (node, buffer_ref) in nodes.iter().zip(buffer_refs) {
        let bytes = values_of(node, width)?;
        let data = typed::<u8>(ctx.bytes(buffer_ref)?, bytes)?;
        let mut windows = Windows::new(&data, MAX_BUFFER_BYTES);
        for row in 0..node.len {
            builder.views.push(windows.view(row * width, (row + 1) * width)?);
        }
        made.push(PartBuffers { buffers: windows.finish(), first: 0, bytes });
    }
    builder.add_part_buffers(0, &nodes, made)?;
    Ok(builder.finish::<[u8]>(validity))
}
