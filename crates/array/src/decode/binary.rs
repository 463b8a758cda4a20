//! Strings and bytes with offsets: they become views over the data as it lies.

use std::mem::MaybeUninit;

use arrow::array::{Array, BinaryArray, View, ViewType};
use arrow::bitmap::Bitmap;
use arrow::datatypes::ArrowDataType;
use arrow::offset::{Offset, OffsetsBuffer};
use arrow::types::NativeType;
use floe_format::{Error, Result};
use floe_runtime::alloc::byte_len;
use polars_buffer::Buffer;

use super::ctx::{BufferRef, DecodeCtx, total_len};
use super::data_windows::{MAX_BUFFER_BYTES, Windows};
use super::make_views::write_views;
use super::offsets::{one_more, read_offsets};
use super::view_builder::{PartBuffers, ViewBuilder};
use crate::made::{boxed, view_number};
use crate::validate;

pub(super) fn decode<O: Offset + NativeType, T: ViewType + ?Sized>(
    ctx: &mut DecodeCtx<'_>,
) -> Result<Box<dyn Array>> {
    let mut views = ViewBuilder::default();
    let validity = append_views::<O, T>(ctx, &mut views)?;
    Ok(views.finish::<T>(validity))
}

/// Adds the views and buffers of all parts; returns the validity of these rows.
pub(super) fn append_views<O: Offset + NativeType, T: ViewType + ?Sized>(
    ctx: &mut DecodeCtx<'_>,
    out: &mut ViewBuilder,
) -> Result<Option<Bitmap>> {
    append_views_in::<O, T>(ctx, out, MAX_BUFFER_BYTES)
}

/// The same with data buffers of up to `max_buffer_bytes`.
fn append_views_in<O: Offset + NativeType, T: ViewType + ?Sized>(
    ctx: &mut DecodeCtx<'_>,
    out: &mut ViewBuilder,
    max_buffer_bytes: usize,
) -> Result<Option<Bitmap>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let offset_refs = ctx.next_buffers()?;
    let data_refs = ctx.next_buffers()?;
    let total = total_len(&nodes)?;
    for (buffer_ref, node) in offset_refs.iter().zip(&nodes) {
        if node.len > 0 {
            ctx.require(*buffer_ref, byte_len::<O>(node.len)?)?;
        }
    }
    let validity = validity.read(ctx, &nodes)?;
    let known = out.views.len();
    let first = out.buffers.len();
    out.reserve(ctx, total)?;
    let mut rest = &mut out.views.spare_capacity_mut()[..total];
    let mut jobs = Vec::with_capacity(nodes.len());
    let mut at = 0;
    for ((node, offsets), data) in nodes.iter().zip(&offset_refs).zip(&data_refs) {
        let (here, behind) = rest.split_at_mut(node.len);
        rest = behind;
        let rows = validity.as_ref().map(|v| v.clone().sliced(at, node.len));
        at += node.len;
        let place = first + jobs.len();
        jobs.push(ViewJob { offsets: *offsets, data: *data, views: here, validity: rows, place });
    }
    let made = ctx.map_jobs(jobs, |job| make_views::<O, T>(ctx, job, max_buffer_bytes))?;
    // SAFETY: `make_views` returned Ok for every part, having written each of its views, and the
    // parts' slices cover all of them.
    unsafe { out.views.set_len(known + total) };
    out.add_part_buffers(known, &nodes, made)?;
    Ok(validity)
}

/// The views of one part, to be made.
struct ViewJob<'a> {
    offsets: BufferRef,
    data: BufferRef,
    views: &'a mut [MaybeUninit<View>],
    validity: Option<Bitmap>,
    /// The number of the part's data buffer, unless it becomes several.
    place: usize,
}

/// Strings are checked and become views in stripes of this many rows, while they are in the cache.
const STRIPE_ROWS: usize = 32 << 10;

/// Makes the views of a part, whose data becomes one buffer unless it is more than fits into one. On Ok all views are
/// written.
fn make_views<O: Offset + NativeType, T: ViewType + ?Sized>(
    ctx: &DecodeCtx<'_>,
    job: ViewJob<'_>,
    max_buffer_bytes: usize,
) -> Result<PartBuffers> {
    if job.views.is_empty() {
        // Some writers leave the offsets of an empty array out.
        return Ok(PartBuffers { buffers: vec![Buffer::default()], first: job.place, bytes: 0 });
    }
    let (offsets, data) = offsets_and_data::<O>(ctx, &job)?;
    if data.len() > max_buffer_bytes {
        return make_huge::<O, T>(ctx, job, &offsets, &data, max_buffer_bytes);
    }
    let index = view_number(job.place)?;
    let (bytes, any_long) = match make_in_stripes::<O, T>(ctx, job.views, &offsets, &data, index) {
        Ok(any_long) => (data_len(&offsets), any_long),
        Err(error) => {
            // The bytes of a null row need not be UTF-8, and must not be seen.
            let Some(validity) = job.validity.as_ref().filter(|_| T::IS_UTF8) else { return Err(error) };
            make_valid_only(job.views, &offsets, &data, validity, index)?
        },
    };
    let data = if any_long { data } else { Buffer::default() };
    Ok(PartBuffers { buffers: vec![data], first: job.place, bytes })
}

/// Bytes between the first offset and the last.
fn data_len<O: Offset>(offsets: &[O]) -> usize {
    // There are two offsets or more, which rise: they were checked, or the caller vouched for them.
    let (first, last) = (offsets.first(), offsets.last());
    last.zip(first).map_or(0, |(last, first)| last.to_usize().saturating_sub(first.to_usize()))
}

/// Checks rows and makes their views, a stripe at a time. Whether a view points into the data.
fn make_in_stripes<O: Offset, T: ViewType + ?Sized>(
    ctx: &DecodeCtx<'_>,
    views: &mut [MaybeUninit<View>],
    offsets: &[O],
    data: &Buffer<u8>,
    index: u32,
) -> Result<bool> {
    let validate = ctx.options().validate;
    let stripes = views.chunks_mut(STRIPE_ROWS).enumerate().collect();
    let any_long = ctx.map_jobs(stripes, |(i, views)| {
        let start = i * STRIPE_ROWS;
        let offsets = offsets
            .get(start..=start + views.len())
            .ok_or_else(|| Error::invalid("there are fewer offsets than rows"))?;
        if validate {
            let (first, last) = validate::offsets(offsets, data.len())?;
            if T::IS_UTF8 {
                validate::utf8_offsets(offsets, first, last, data)?;
            }
        }
        let rows = offsets.windows(2).map(|pair| (pair[0].to_usize(), pair[1].to_usize()));
        Ok(write_views(views, rows, data, index))
    })?;
    Ok(any_long.into_iter().any(|any_long| any_long))
}

/// Makes the views of text that is UTF-8 in valid rows only: null rows become empty. Returns the bytes of all values, and
/// whether a view refers to the data.
fn make_valid_only<O: Offset>(
    views: &mut [MaybeUninit<View>],
    offsets: &[O],
    data: &Buffer<u8>,
    validity: &Bitmap,
    index: u32,
) -> Result<(usize, bool)> {
    validate::offsets(offsets, data.len())?;
    validate::utf8_rows(offsets, data, validity)?;
    let rows = offsets.windows(2).zip(validity);
    let rows =
        rows.map(|(pair, valid)| if valid { (pair[0].to_usize(), pair[1].to_usize()) } else { (0, 0) });
    let bytes = rows.clone().map(|(start, end)| end - start).sum();
    Ok((bytes, write_views(views, rows, data, index)))
}

/// As [`make_views`], for more data than one buffer can be of.
fn make_huge<O: Offset + NativeType, T: ViewType + ?Sized>(
    ctx: &DecodeCtx<'_>,
    job: ViewJob<'_>,
    offsets: &[O],
    data: &Buffer<u8>,
    max_buffer_bytes: usize,
) -> Result<PartBuffers> {
    // Null rows whose values must not be seen.
    let mut hidden = None;
    if ctx.options().validate {
        let (first, last) = validate::offsets(offsets, data.len())?;
        if T::IS_UTF8
            && let Err(error) = validate::utf8_offsets(offsets, first, last, data)
        {
            let Some(validity) = job.validity.as_ref() else { return Err(error) };
            validate::utf8_rows(offsets, data, validity)?;
            hidden = Some(validity);
        }
    }
    let mut windows = Windows::new(data, max_buffer_bytes);
    let mut bytes = 0;
    for (row, (view, pair)) in job.views.iter_mut().zip(offsets.windows(2)).enumerate() {
        let is_hidden = hidden.is_some_and(|validity| validity.get(row) == Some(false));
        let (start, end) = if is_hidden { (0, 0) } else { (pair[0].to_usize(), pair[1].to_usize()) };
        bytes += end - start;
        view.write(windows.view(start, end)?);
    }
    Ok(PartBuffers { buffers: windows.finish(), first: 0, bytes })
}

/// The offsets of a part, one more than it has rows, not checked, and its data.
fn offsets_and_data<O: Offset + NativeType>(
    ctx: &DecodeCtx<'_>,
    job: &ViewJob<'_>,
) -> Result<(Buffer<O>, Buffer<u8>)> {
    let count = one_more(job.views.len())?;
    if job.views.len() < STRIPE_ROWS {
        return Ok((ctx.fixed_at::<O>(&[job.offsets], &[count])?, ctx.bytes(job.data)?));
    }
    let offsets = || ctx.fixed_at::<O>(&[job.offsets], &[count]);
    let (data, offsets) = ctx.executor.join(|| ctx.bytes(job.data), offsets);
    Ok((offsets?, data?))
}

/// Bytes with 64-bit offsets, kept so: Polars' `BinaryOffset`.
pub(super) fn decode_offsets(ctx: &mut DecodeCtx<'_>) -> Result<Box<dyn Array>> {
    let arrays = ctx.each_part(|ctx| {
        let nodes = ctx.nodes()?;
        let validity = ctx.validity()?;
        let (offsets, data) = (ctx.next_buffers()?, ctx.next_buffers()?);
        let ([node], [offsets], [data]) = (&nodes[..], &offsets[..], &data[..]) else {
            return Err(Error::invalid("one part at a time"));
        };
        let data = ctx.bytes(*data)?;
        let checked = read_offsets::<i64>(ctx, *offsets, node.len, data.len())?;
        let validity = validity.read(ctx, &nodes)?;
        // SAFETY: `read_offsets` checked that they rise and stay within the data.
        let offsets = unsafe { OffsetsBuffer::new_unchecked(checked.offsets) };
        let array = BinaryArray::<i64>::try_new(ArrowDataType::LargeBinary, offsets, data, validity);
        boxed(array)
    })?;
    ctx.join(&arrays)
}

#[cfg(test)]
#[path = "binary_tests.rs"]
mod tests;
