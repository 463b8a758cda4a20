//! Strings and bytes with offsets, or of one width: they become views over the data as it lies.

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use arrow::array::{Array, BinaryArray, BinaryViewArrayGeneric, View, ViewType};
use arrow::bitmap::Bitmap;
use arrow::datatypes::ArrowDataType;
use arrow::offset::{Offset, OffsetsBuffer};
use arrow::types::NativeType;
use floe_format::{Error, FieldNode, Result};
use polars_buffer::Buffer;

use super::DecodeCtx;
use super::ctx::{Slot, total_len};
use super::make_views::{new_view, write_views};
use crate::aligned::{byte_len, reserve_more, try_with_capacity};
use crate::join;
use crate::recycle::share;
use crate::validate;

/// Offsets of one part, checked: `len + 1` of them, rising, within the data.
pub(super) struct Checked<O> {
    pub(super) offsets: Buffer<O>,
    pub(super) first: usize,
    pub(super) last: usize,
}

/// Reads the offsets of an array of `len` rows over `end` values.
pub(super) fn read_offsets<O: Offset + NativeType>(
    ctx: &DecodeCtx<'_>,
    slot: Slot,
    len: usize,
    end: usize,
) -> Result<Checked<O>> {
    // Some writers leave the offsets of an empty array out.
    if len == 0 {
        return Ok(Checked { offsets: vec![O::zero()].into(), first: 0, last: 0 });
    }
    let count = len.checked_add(1).ok_or_else(|| Error::invalid("a length overflows"))?;
    let offsets = ctx.fixed_at::<O>(&[slot], &[count])?;
    let (first, last) = if ctx.options().validate {
        validate::offsets(&offsets, end)?
    } else {
        (offsets[0].to_usize(), offsets[len].to_usize())
    };
    Ok(Checked { offsets, first, last })
}

pub(super) fn decode<O: Offset + NativeType, T: ViewType + ?Sized>(
    ctx: &mut DecodeCtx<'_>,
) -> Result<Box<dyn Array>> {
    let mut views = ViewBuilder::default();
    let validity = onto::<O, T>(ctx, &mut views)?;
    Ok(views.finish::<T>(validity))
}

/// Adds the views and buffers of all parts; returns the validity of these rows.
pub(super) fn onto<O: Offset + NativeType, T: ViewType + ?Sized>(
    ctx: &mut DecodeCtx<'_>,
    out: &mut ViewBuilder,
) -> Result<Option<Bitmap>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let offset_slots = ctx.slots()?;
    let data_slots = ctx.slots()?;
    let total = total_len(&nodes)?;
    for (slot, node) in offset_slots.iter().zip(&nodes) {
        if node.len > 0 {
            ctx.require(*slot, byte_len::<O>(node.len)?)?;
        }
    }
    let validity = validity.read(ctx, &nodes)?;
    let known = out.views.len();
    let first = out.buffers.len();
    out.reserve(total)?;
    let mut rest = &mut out.views.spare_capacity_mut()[..total];
    let mut jobs = Vec::with_capacity(nodes.len());
    let mut at = 0;
    for ((node, offsets), data) in nodes.iter().zip(&offset_slots).zip(&data_slots) {
        let (here, behind) = rest.split_at_mut(node.len);
        rest = behind;
        let rows = validity.as_ref().map(|v| v.clone().sliced(at, node.len));
        at += node.len;
        jobs.push(Mutex::new(Job {
            offsets: *offsets,
            data: *data,
            views: here,
            validity: rows,
            made: Made::default(),
        }));
    }
    let huge = AtomicBool::new(false);
    ctx.run(jobs.len(), |i| {
        let Some(job) = jobs.get(i) else { return Ok(()) };
        let mut job = job.lock().unwrap_or_else(PoisonError::into_inner);
        make_views::<O, T>(ctx, &mut job, first + i, &huge)
    })?;
    if huge.into_inner() {
        drop(jobs);
        huge_onto::<O>(ctx, &nodes, &offset_slots, &data_slots, out)?;
        return Ok(validity);
    }
    for job in jobs {
        let made = job.into_inner().unwrap_or_else(PoisonError::into_inner).made;
        out.bytes = out.bytes.map(|bytes| bytes + made.bytes);
        out.buffers.push(made.data);
    }
    // SAFETY: `make_views` returned Ok for every part, having written each of its views, and the
    // parts' slices cover all of them.
    unsafe { out.views.set_len(known + total) };
    Ok(validity)
}

/// The views of one part, to be made.
struct Job<'a> {
    offsets: Slot,
    data: Slot,
    views: &'a mut [MaybeUninit<View>],
    validity: Option<Bitmap>,
    made: Made,
}

#[derive(Default)]
struct Made {
    /// The data, or nothing if all values fit into their views.
    data: Buffer<u8>,
    bytes: usize,
}

/// Rows whose strings are checked and made views of at once, while they are in the cache.
const STRIPE: usize = 32 << 10;

/// Makes the views of part `index`, whose data becomes buffer `index`. On Ok all views are
/// written, unless `huge` was set: data beyond 4 GiB needs several buffers.
fn make_views<O: Offset + NativeType, T: ViewType + ?Sized>(
    ctx: &DecodeCtx<'_>,
    job: &mut Job<'_>,
    index: usize,
    huge: &AtomicBool,
) -> Result<()> {
    if job.views.is_empty() {
        // Some writers leave the offsets of an empty array out.
        return Ok(());
    }
    let (offsets, data) = offsets_and_data::<O>(ctx, job)?;
    let index = u32::try_from(index).map_err(|_| Error::unsupported("more than 2^32 data buffers"))?;
    let validate = ctx.options().validate;
    if u32::try_from(data.len()).is_err() {
        if validate && T::IS_UTF8 {
            let (first, last) = validate::offsets(&offsets, data.len())?;
            validate::utf8_offsets(&offsets, first, last, &data).map_err(|error| match &job.validity {
                None => error,
                Some(_) => Error::unsupported(
                    "more than 4 GiB of strings, perhaps with null rows that are not UTF-8",
                ),
            })?;
        }
        huge.store(true, Ordering::Relaxed);
        return Ok(());
    }
    let any_long = AtomicBool::new(false);
    let stripes = job.views.chunks_mut(STRIPE).enumerate();
    let stripes: Vec<_> = stripes.map(|(i, views)| Mutex::new((i * STRIPE, views))).collect();
    let made = ctx.run(stripes.len(), |i| {
        let Some(stripe) = stripes.get(i) else { return Ok(()) };
        let mut stripe = stripe.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, views) = &mut *stripe;
        let offsets = offsets.get(*start..=*start + views.len()).unwrap_or_default();
        if validate {
            let (first, last) = validate::offsets(offsets, data.len())?;
            if T::IS_UTF8 {
                validate::utf8_offsets(offsets, first, last, &data)?;
            }
        }
        let rows = offsets.windows(2).map(|pair| (pair[0].to_usize(), pair[1].to_usize()));
        if write_views(views, rows, &data, index) {
            any_long.store(true, Ordering::Relaxed);
        }
        Ok(())
    });
    drop(stripes);
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return Ok(()) };
    let mut bytes = last.to_usize().saturating_sub(first.to_usize());
    let mut any_long = any_long.into_inner();
    if let Err(error) = made {
        // What a null row holds need not be UTF-8; it must not be seen either.
        let Some(validity) = job.validity.as_ref().filter(|_| T::IS_UTF8) else { return Err(error) };
        validate::offsets(&offsets, data.len())?;
        validate::utf8_rows(&offsets, &data, validity)?;
        let rows = offsets.windows(2).zip(validity);
        let rows =
            rows.map(|(pair, valid)| if valid { (pair[0].to_usize(), pair[1].to_usize()) } else { (0, 0) });
        bytes = rows.clone().map(|(start, end)| end - start).sum();
        any_long = write_views(job.views, rows, &data, index);
    }
    job.made = Made { data: if any_long { data } else { Buffer::default() }, bytes };
    Ok(())
}

/// The offsets of a part, one more than it has rows, not checked, and its data.
fn offsets_and_data<O: Offset + NativeType>(
    ctx: &DecodeCtx<'_>,
    job: &Job<'_>,
) -> Result<(Buffer<O>, Buffer<u8>)> {
    let count = job.views.len().checked_add(1).ok_or_else(|| Error::invalid("a length overflows"))?;
    if job.views.len() < STRIPE {
        return Ok((ctx.fixed_at::<O>(&[job.offsets], &[count])?, ctx.bytes(job.data)?));
    }
    let found = Mutex::new((Buffer::default(), Buffer::default()));
    ctx.run(2, |i| {
        if i == 0 {
            let data = ctx.bytes(job.data)?;
            found.lock().unwrap_or_else(PoisonError::into_inner).1 = data;
        } else {
            let offsets = ctx.fixed_at::<O>(&[job.offsets], &[count])?;
            found.lock().unwrap_or_else(PoisonError::into_inner).0 = offsets;
        }
        Ok(())
    })?;
    Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// As [`onto`], one part after another, for data beyond 4 GiB.
fn huge_onto<O: Offset + NativeType>(
    ctx: &DecodeCtx<'_>,
    nodes: &[FieldNode],
    offsets: &[Slot],
    data: &[Slot],
    out: &mut ViewBuilder,
) -> Result<()> {
    for ((node, offsets), data) in nodes.iter().zip(offsets).zip(data) {
        let data = ctx.bytes(*data)?;
        let checked = read_offsets::<O>(ctx, *offsets, node.len, data.len())?;
        out.append(&checked, data)?;
    }
    Ok(())
}

/// Views over data buffers, in the making.
pub(super) struct ViewBuilder {
    pub(super) views: Vec<View>,
    pub(super) buffers: Vec<Buffer<u8>>,
    /// Bytes of all values, where that is known.
    pub(super) bytes: Option<usize>,
    /// Whether more will come, nobody knows how much.
    pub(super) grows: bool,
}

impl Default for ViewBuilder {
    fn default() -> Self {
        Self { views: Vec::new(), buffers: Vec::new(), bytes: Some(0), grows: false }
    }
}

impl ViewBuilder {
    /// One to be added to again and again.
    pub(super) fn growing() -> Self {
        Self { grows: true, ..Self::default() }
    }

    /// Room for so many more views.
    pub(super) fn reserve(&mut self, rows: usize) -> Result<()> {
        if self.grows {
            return reserve_more(&mut self.views, rows);
        }
        self.views = try_with_capacity(rows)?;
        Ok(())
    }

    /// Adds a view for each value; `data` becomes one buffer, or several beyond 4 GiB.
    fn append<O: Offset>(&mut self, checked: &Checked<O>, data: Buffer<u8>) -> Result<()> {
        self.bytes = self.bytes.map(|bytes| bytes + (checked.last - checked.first));
        let window = usize::try_from(u32::MAX).unwrap_or(usize::MAX);
        if data.len() <= window {
            let index = self.next_buffer()?;
            let mut any_long = false;
            let bytes = data.as_slice();
            self.views.extend(checked.offsets.windows(2).map(|pair| {
                let (start, end) = (pair[0].to_usize(), pair[1].to_usize());
                any_long |= end - start > View::MAX_INLINE_SIZE as usize;
                #[expect(clippy::cast_possible_truncation, reason = "data.len() fits in u32")]
                new_view(bytes, start, end, index, start as u32)
            }));
            if any_long {
                self.buffers.push(data);
            }
            return Ok(());
        }
        let mut base = checked.first;
        for pair in checked.offsets.windows(2) {
            let (start, end) = (pair[0].to_usize(), pair[1].to_usize());
            if end - start > window {
                return Err(Error::unsupported("a single value of more than 4 GiB"));
            }
            if end - base > window {
                self.buffers.push(data.clone().sliced(base..start));
                base = start;
            }
            let index = self.next_buffer()?;
            let offset = u32::try_from(start - base).map_err(|_| Error::invalid("an offset overflows"))?;
            self.views.push(new_view(&data, start, end, index, offset));
        }
        self.buffers.push(data.sliced(base..checked.last));
        Ok(())
    }

    pub(super) fn next_buffer(&self) -> Result<u32> {
        u32::try_from(self.buffers.len()).map_err(|_| Error::unsupported("more than 2^32 data buffers"))
    }

    pub(super) fn finish<T: ViewType + ?Sized>(self, validity: Option<Bitmap>) -> Box<dyn Array> {
        let total = self.buffers.iter().map(Buffer::len).sum();
        // SAFETY: every view was made by `new_view` from checked offsets into the buffer it names;
        // for strings the bytes were checked to be UTF-8 (or the caller vouched for it by
        // `skip_validation`, which is unsafe).
        let array = unsafe {
            BinaryViewArrayGeneric::<T>::new_unchecked(
                T::DATA_TYPE,
                share(self.views),
                self.buffers.into(),
                validity,
                self.bytes,
                total,
            )
        };
        Box::new(array)
    }
}

/// Bytes with 64-bit offsets, kept so: Polars' `BinaryOffset`.
pub(super) fn decode_offsets(ctx: &mut DecodeCtx<'_>) -> Result<Box<dyn Array>> {
    let arrays = ctx.each_part(|ctx| {
        let nodes = ctx.nodes()?;
        let validity = ctx.validity()?;
        let (offsets, data) = (ctx.slots()?, ctx.slots()?);
        let ([node], [offsets], [data]) = (&nodes[..], &offsets[..], &data[..]) else {
            return Err(Error::invalid("one part at a time"));
        };
        let data = ctx.bytes(*data)?;
        let checked = read_offsets::<i64>(ctx, *offsets, node.len, data.len())?;
        let validity = validity.read(ctx, &nodes)?;
        // SAFETY: `read_offsets` checked that they rise and stay within the data.
        let offsets = unsafe { OffsetsBuffer::new_unchecked(checked.offsets) };
        let array = BinaryArray::<i64>::try_new(ArrowDataType::LargeBinary, offsets, data, validity);
        Ok(Box::new(array.map_err(|e| Error::invalid(e.to_string()))?) as Box<dyn Array>)
    })?;
    join(&arrays)
}

/// Values of one width.
pub(super) fn decode_fixed(ctx: &mut DecodeCtx<'_>, width: usize) -> Result<Box<dyn Array>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let slots = ctx.slots()?;
    let total = total_len(&nodes)?;
    if width == 0 {
        ctx.unbacked_rows(total)?;
    }
    for (slot, node) in slots.iter().zip(&nodes) {
        ctx.require(*slot, checked_mul(node, width)?)?;
    }
    ctx.charge(byte_len::<View>(total)?)?;
    let validity = validity.read(ctx, &nodes)?;
    let mut builder = ViewBuilder::default();
    builder.reserve(total)?;
    for (node, slot) in nodes.iter().zip(slots) {
        let need = checked_mul(node, width)?;
        let data = crate::aligned::typed::<u8>(ctx.bytes(slot)?, need)?;
        let offsets: Vec<i64> =
            (0..=node.len).map(|i| i64::try_from(i * width).unwrap_or(i64::MAX)).collect();
        builder.append(&Checked { offsets: offsets.into(), first: 0, last: need }, data)?;
    }
    Ok(builder.finish::<[u8]>(validity))
}

fn checked_mul(node: &FieldNode, width: usize) -> Result<usize> {
    node.len.checked_mul(width).ok_or_else(|| Error::invalid("the length of a fixed-size array overflows"))
}
