//! Strings and bytes with offsets, or of one width: they become views over the data as it lies.

use std::mem::MaybeUninit;
use std::ops::Range;
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
use super::ctx::{BufferRef, total_len};
use super::make_views::{new_view, write_views};
use crate::aligned::{byte_len, reserve_more, try_with_capacity, typed};
use crate::recycle::share;
use crate::validate;

/// Offsets of one part, checked: `len + 1` of them, rising, within the data.
pub(super) struct CheckedOffsets<O> {
    pub(super) offsets: Buffer<O>,
    pub(super) first: usize,
    pub(super) last: usize,
}

/// Reads the offsets of an array of `len` rows over `end` values.
pub(super) fn read_offsets<O: Offset + NativeType>(
    ctx: &DecodeCtx<'_>,
    slot: BufferRef,
    len: usize,
    end: usize,
) -> Result<CheckedOffsets<O>> {
    // Some writers leave the offsets of an empty array out.
    if len == 0 {
        return Ok(CheckedOffsets { offsets: vec![O::zero()].into(), first: 0, last: 0 });
    }
    let count = len.checked_add(1).ok_or_else(|| Error::invalid("a length overflows"))?;
    let offsets = ctx.fixed_at::<O>(&[slot], &[count])?;
    let (first, last) = if ctx.options().validate {
        validate::offsets(&offsets, end)?
    } else {
        (offsets[0].to_usize(), offsets[len].to_usize())
    };
    Ok(CheckedOffsets { offsets, first, last })
}

pub(super) fn decode<O: Offset + NativeType, T: ViewType + ?Sized>(
    ctx: &mut DecodeCtx<'_>,
) -> Result<Box<dyn Array>> {
    let mut views = ViewBuilder::default();
    let validity = append_views::<O, T>(ctx, &mut views)?;
    Ok(views.finish::<T>(validity))
}

/// The most bytes of one data buffer: views have 32 bits to say where in it they begin.
const MAX_BUFFER_BYTES: usize = u32::MAX as usize;

/// Adds the views and buffers of all parts; returns the validity of these rows.
pub(super) fn append_views<O: Offset + NativeType, T: ViewType + ?Sized>(
    ctx: &mut DecodeCtx<'_>,
    out: &mut ViewBuilder,
) -> Result<Option<Bitmap>> {
    append_views_in::<O, T>(ctx, out, MAX_BUFFER_BYTES)
}

/// The same with data buffers of up to so many bytes.
fn append_views_in<O: Offset + NativeType, T: ViewType + ?Sized>(
    ctx: &mut DecodeCtx<'_>,
    out: &mut ViewBuilder,
    max_buffer_bytes: usize,
) -> Result<Option<Bitmap>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let offset_slots = ctx.next_buffers()?;
    let data_slots = ctx.next_buffers()?;
    let total = total_len(&nodes)?;
    for (slot, node) in offset_slots.iter().zip(&nodes) {
        if node.len > 0 {
            ctx.require(*slot, byte_len::<O>(node.len)?)?;
        }
    }
    let validity = validity.read(ctx, &nodes)?;
    let known = out.views.len();
    let first = out.buffers.len();
    out.reserve(ctx, total)?;
    let mut rest = &mut out.views.spare_capacity_mut()[..total];
    let mut jobs = Vec::with_capacity(nodes.len());
    let mut at = 0;
    for ((node, offsets), data) in nodes.iter().zip(&offset_slots).zip(&data_slots) {
        let (here, behind) = rest.split_at_mut(node.len);
        rest = behind;
        let rows = validity.as_ref().map(|v| v.clone().sliced(at, node.len));
        at += node.len;
        jobs.push(Mutex::new(ViewJob {
            offsets: *offsets,
            data: *data,
            views: here,
            validity: rows,
            made: PartBuffers::default(),
        }));
    }
    ctx.run(jobs.len(), |i| {
        let Some(job) = jobs.get(i) else { return Ok(()) };
        let mut job = job.lock().unwrap_or_else(PoisonError::into_inner);
        make_views::<O, T>(ctx, &mut job, first + i, max_buffer_bytes)
    })?;
    let made = jobs.into_iter().map(|job| job.into_inner().unwrap_or_else(PoisonError::into_inner).made);
    let made: Vec<PartBuffers> = made.collect();
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
    made: PartBuffers,
}

/// What views were made over.
#[derive(Default)]
struct PartBuffers {
    /// The data, empty if all values fit into their views: one buffer, or several of what is too much for one.
    buffers: Vec<Buffer<u8>>,
    /// What the views take for the number of the first of them.
    first: usize,
    bytes: usize,
}

/// Rows whose strings are checked and made views of at once, while they are in the cache.
const STRIPE_ROWS: usize = 32 << 10;

/// Makes the views of part `place`, whose data becomes buffer `place`, unless a part is more than fits into one. On
/// Ok all views are written.
fn make_views<O: Offset + NativeType, T: ViewType + ?Sized>(
    ctx: &DecodeCtx<'_>,
    job: &mut ViewJob<'_>,
    place: usize,
    max_buffer_bytes: usize,
) -> Result<()> {
    if job.views.is_empty() {
        // Some writers leave the offsets of an empty array out.
        job.made = PartBuffers { buffers: vec![Buffer::default()], first: place, bytes: 0 };
        return Ok(());
    }
    let (offsets, data) = offsets_and_data::<O>(ctx, job)?;
    if data.len() > max_buffer_bytes {
        return make_huge::<O, T>(ctx, job, &offsets, &data, max_buffer_bytes);
    }
    let index = u32::try_from(place).map_err(|_| Error::unsupported("more than 2^32 data buffers"))?;
    let validate = ctx.options().validate;
    let any_long = AtomicBool::new(false);
    let stripes = job.views.chunks_mut(STRIPE_ROWS).enumerate();
    let stripes: Vec<_> = stripes.map(|(i, views)| Mutex::new((i * STRIPE_ROWS, views))).collect();
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
    let data = if any_long { data } else { Buffer::default() };
    job.made = PartBuffers { buffers: vec![data], first: place, bytes };
    Ok(())
}

/// As [`make_views`], for more data than one buffer can be of.
fn make_huge<O: Offset + NativeType, T: ViewType + ?Sized>(
    ctx: &DecodeCtx<'_>,
    job: &mut ViewJob<'_>,
    offsets: &[O],
    data: &Buffer<u8>,
    max_buffer_bytes: usize,
) -> Result<()> {
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
    job.made = PartBuffers { buffers: windows.finish(), first: 0, bytes };
    Ok(())
}

/// Data in buffers of a limited size, as values that rise are made views of.
struct Windows<'a> {
    data: &'a Buffer<u8>,
    max_buffer_bytes: usize,
    /// The range of the buffer that is not full yet.
    open: Option<Range<usize>>,
    full: Vec<Buffer<u8>>,
}

impl<'a> Windows<'a> {
    fn new(data: &'a Buffer<u8>, max_buffer_bytes: usize) -> Self {
        Self { data, max_buffer_bytes, open: None, full: Vec::new() }
    }

    /// The view of `data[start..end]`, with the buffers counted from 0.
    fn view(&mut self, start: usize, end: usize) -> Result<View> {
        if end - start <= View::MAX_INLINE_SIZE as usize {
            return Ok(new_view(self.data, start, end, 0, 0));
        }
        if end - start > self.max_buffer_bytes {
            return Err(Error::unsupported("a single value of more than 4 GiB"));
        }
        let open = match self.open.take() {
            Some(open) if end - open.start > self.max_buffer_bytes => {
                self.full.push(self.data.clone().sliced(open));
                start..end
            },
            Some(open) => open.start..end,
            None => start..end,
        };
        let index = u32::try_from(self.full.len());
        let index = index.map_err(|_| Error::unsupported("more than 2^32 data buffers"))?;
        let offset = u32::try_from(start - open.start).map_err(|_| Error::invalid("an offset overflows"))?;
        self.open = Some(open);
        Ok(new_view(self.data, start, end, index, offset))
    }

    /// The buffers: at least one.
    fn finish(mut self) -> Vec<Buffer<u8>> {
        match self.open.take() {
            Some(open) => self.full.push(self.data.clone().sliced(open)),
            None => self.full.push(Buffer::default()),
        }
        self.full
    }
}

/// The offsets of a part, one more than it has rows, not checked, and its data.
fn offsets_and_data<O: Offset + NativeType>(
    ctx: &DecodeCtx<'_>,
    job: &ViewJob<'_>,
) -> Result<(Buffer<O>, Buffer<u8>)> {
    let count = job.views.len().checked_add(1).ok_or_else(|| Error::invalid("a length overflows"))?;
    if job.views.len() < STRIPE_ROWS {
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
    pub(super) fn reserve(&mut self, ctx: &DecodeCtx<'_>, rows: usize) -> Result<()> {
        ctx.charge(byte_len::<View>(rows)?)?;
        if self.grows {
            return reserve_more(&mut self.views, rows);
        }
        self.views = try_with_capacity(rows)?;
        Ok(())
    }

    /// Adds the buffers that the parts' views, from `known` on, were made over, and has those know which they are:
    /// behind a part that became several buffers, and in it, they are others than they were taken for.
    fn add_part_buffers(&mut self, known: usize, nodes: &[FieldNode], made: Vec<PartBuffers>) -> Result<()> {
        let mut rest = self.views.get_mut(known..).unwrap_or_default();
        for (PartBuffers { mut buffers, first, bytes }, node) in made.into_iter().zip(nodes) {
            let (here, behind) = rest.split_at_mut(node.len);
            rest = behind;
            let place = self.buffers.len();
            self.bytes = self.bytes.map(|all| all.saturating_add(bytes));
            self.buffers.append(&mut buffers);
            if place == first {
                continue;
            }
            let shift = place.checked_sub(first).and_then(|shift| u32::try_from(shift).ok());
            let shift = shift.filter(|_| u32::try_from(self.buffers.len()).is_ok());
            let shift = shift.ok_or_else(|| Error::unsupported("more than 2^32 data buffers"))?;
            let long = here.iter_mut().filter(|view| view.length > View::MAX_INLINE_SIZE);
            long.for_each(|view| view.buffer_idx += shift);
        }
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
        Ok(Box::new(array.map_err(|e| Error::invalid(e.to_string()))?) as Box<dyn Array>)
    })?;
    ctx.join(&arrays)
}

/// Values of one width.
pub(super) fn decode_fixed(ctx: &mut DecodeCtx<'_>, width: usize) -> Result<Box<dyn Array>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity()?;
    let slots = ctx.next_buffers()?;
    let total = total_len(&nodes)?;
    if width == 0 {
        ctx.unbacked_rows(total)?;
    }
    for (slot, node) in slots.iter().zip(&nodes) {
        ctx.require(*slot, checked_mul(node, width)?)?;
    }
    let validity = validity.read(ctx, &nodes)?;
    let mut builder = ViewBuilder::default();
    builder.reserve(ctx, total)?;
    let mut made = Vec::with_capacity(nodes.len());
    for (node, slot) in nodes.iter().zip(slots) {
        let bytes = checked_mul(node, width)?;
        let data = typed::<u8>(ctx.bytes(slot)?, bytes)?;
        let mut windows = Windows::new(&data, MAX_BUFFER_BYTES);
        for row in 0..node.len {
            builder.views.push(windows.view(row * width, (row + 1) * width)?);
        }
        made.push(PartBuffers { buffers: windows.finish(), first: 0, bytes });
    }
    builder.add_part_buffers(0, &nodes, made)?;
    Ok(builder.finish::<[u8]>(validity))
}

fn checked_mul(node: &FieldNode, width: usize) -> Result<usize> {
    node.len.checked_mul(width).ok_or_else(|| Error::invalid("the length of a fixed-size array overflows"))
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryViewArray, Utf8ViewArray};
    use floe_format::{BatchHeader, BodyLayout, IpcLimits, Version};

    use super::super::{Budget, ColumnOffsets, ColumnPart, DecodeOptions};
    use super::*;
    use crate::{Dictionaries, Serial};

    /// A batch of strings; of nulls with the bytes that they hold.
    fn batch(values: &[(&[u8], bool)]) -> (BatchHeader, Buffer<u8>) {
        let mut ends = vec![0i64];
        for (value, _) in values {
            ends.push(ends.last().unwrap() + i64::try_from(value.len()).unwrap());
        }
        let bits = values.iter().map(|(_, valid)| *valid).collect::<Bitmap>();
        let offsets = ends.iter().flat_map(|end| end.to_le_bytes()).collect();
        let data: Vec<u8> = values.iter().flat_map(|(value, _)| value.iter().copied()).collect();
        let (mut layout, mut body, mut buffers) = (BodyLayout::default(), Vec::new(), Vec::new());
        for buffer in [bits.as_slice().0.to_vec(), offsets, data] {
            let spec = layout.push(buffer.len());
            body.resize(usize::try_from(spec.offset).unwrap(), 0);
            body.extend(buffer);
            buffers.push(spec);
        }
        let nodes = vec![FieldNode { len: values.len(), null_count: bits.unset_bits() }];
        (BatchHeader { rows: values.len(), nodes, buffers, ..BatchHeader::default() }, body.into())
    }

    fn decode<T: ViewType + ?Sized>(
        batches: &[&[(&[u8], bool)]],
        max_buffer_bytes: usize,
    ) -> Result<Box<dyn Array>> {
        let batches: Vec<_> = batches.iter().map(|values| batch(values)).collect();
        let (options, budget) =
            (DecodeOptions::new(Version::V5, false, IpcLimits::default()), Budget::default());
        let dictionaries = Dictionaries::default();
        let parts = batches
            .iter()
            .map(|(header, body)| ColumnPart::new(header, body, &dictionaries, ColumnOffsets::default()));
        let mut ctx = DecodeCtx::new(parts.collect(), &options, &budget, &Serial);
        let mut out = ViewBuilder::default();
        let validity = append_views_in::<i64, T>(&mut ctx, &mut out, max_buffer_bytes)?;
        Ok(out.finish::<T>(validity))
    }

    const LONG: &[u8] = "a text that is long enough, and not \u{e4}\u{f6}\u{fc} but \u{1f600}".as_bytes();
    const NOT_UTF8: &[u8] = b"\xff\xfe\xfd\xfc but long enough to stay where it is \xff";

    /// Data of which the largest buffers are full after a value or two; a part before and a part behind that is not so.
    #[test]
    fn data_beyond_the_largest_buffer_becomes_several() {
        let huge: Vec<(&[u8], bool)> = (0..40)
            .map(|i| match i % 4 {
                0 => (LONG, true),
                1 => (&b"short"[..], true),
                2 => (NOT_UTF8, false),
                _ => (&LONG[..30], true),
            })
            .collect();
        let few: &[(&[u8], bool)] = &[(LONG, true), (NOT_UTF8, false), (b"", true), (&LONG[..20], true)];
        let none: &[(&[u8], bool)] = &[];
        let orders = [[few, &huge, few], [&huge, few, few], [&huge, none, &huge], [few, few, none]];
        for parts in orders {
            for max_buffer_bytes in [LONG.len(), 2 * LONG.len() + 1, 500, MAX_BUFFER_BYTES] {
                let array = decode::<str>(&parts, max_buffer_bytes).unwrap();
                let array = array.as_any().downcast_ref::<Utf8ViewArray>().unwrap();
                assert!(array.data_buffers().iter().all(|buffer| buffer.len() <= max_buffer_bytes));
                let expected = parts.iter().flat_map(|part| part.iter());
                let expected = expected.map(|(value, valid)| valid.then_some(*value));
                assert!(
                    array.iter().map(|value| value.map(str::as_bytes)).eq(expected.clone()),
                    "{max_buffer_bytes}"
                );
                // What null rows hold is UTF-8 as well, or nothing: Polars looks at it.
                for view in array.views().iter() {
                    let index = view.buffer_idx as usize;
                    let start = view.offset as usize;
                    if view.length > View::MAX_INLINE_SIZE {
                        let bytes = &array.data_buffers()[index][start..start + view.length as usize];
                        assert!(std::str::from_utf8(bytes).is_ok(), "{bytes:x?}");
                    }
                }
                let array = decode::<[u8]>(&parts, max_buffer_bytes).unwrap();
                let array = array.as_any().downcast_ref::<BinaryViewArray>().unwrap();
                assert!(array.iter().eq(expected));
            }
        }
    }

    /// The same with as much data as it takes: a stream of some 160 KB. It takes 4.5 GB of memory, so it is run where
    /// `FLOE_TEST_HUGE` is set, and says so elsewhere.
    #[test]
    fn more_than_4_gib_beside_a_null_that_is_not_utf8() {
        const ROW: usize = 4 << 20;
        const ROWS: usize = 1_100;
        if std::env::var_os("FLOE_TEST_HUGE").is_none() {
            println!("not run: FLOE_TEST_HUGE is not set");
            return;
        }
        let stored =
            |len: usize, frames: &[u8]| [&i64::try_from(len).unwrap().to_le_bytes()[..], frames].concat();
        let zstd = floe_codec::Compression::Zstd { level: 1 };
        let mut frame = Vec::new();
        floe_codec::compress_always(zstd, &vec![b'a'; ROW], &mut frame).unwrap();
        let data = stored(ROW * ROWS, &frame.repeat(ROWS));
        let ends: Vec<u8> =
            (0..=ROWS).flat_map(|row| i64::try_from(row * ROW).unwrap().to_le_bytes()).collect();
        let mut offsets = Vec::new();
        floe_codec::compress_always(zstd, &ends, &mut offsets).unwrap();
        let (mut layout, mut body, mut buffers) = (BodyLayout::default(), Vec::new(), Vec::new());
        for buffer in [Vec::new(), stored(ends.len(), &offsets), data] {
            let spec = layout.push(buffer.len());
            body.resize(usize::try_from(spec.offset).unwrap(), 0);
            body.extend(buffer);
            buffers.push(spec);
        }
        assert!(body.len() < 1 << 20, "{} bytes", body.len());
        let nodes = vec![FieldNode { len: ROWS, null_count: 0 }];
        let compression = Some(floe_format::Codec::Zstd);
        let huge = BatchHeader { rows: ROWS, nodes, buffers, compression, ..BatchHeader::default() };
        let body = Buffer::<u8>::from(body);
        let (small, nulls) = batch(&[(NOT_UTF8, false), (LONG, true)]);
        let limits = IpcLimits { amplification_floor: 1 << 40, ..IpcLimits::default() };
        let (options, budget) = (DecodeOptions::new(Version::V5, false, limits), Budget::new(&limits));
        let dictionaries = Dictionaries::default();
        let parts = [(&huge, &body), (&small, &nulls)];
        let parts = parts
            .map(|(header, body)| ColumnPart::new(header, body, &dictionaries, ColumnOffsets::default()));
        let mut ctx = DecodeCtx::new(parts.into(), &options, &budget, &Serial);
        let array = super::decode::<i64, str>(&mut ctx).unwrap();
        let array = array.as_any().downcast_ref::<Utf8ViewArray>().unwrap();
        assert!(array.value(0).len() == ROW && array.value(ROWS - 1).len() == ROW);
        assert!(array.get(ROWS).is_none() && array.views()[ROWS].length == 0);
        assert_eq!(array.value(ROWS + 1).as_bytes(), LONG);
    }

    #[test]
    fn what_is_not_utf8_in_a_valid_row_is_an_error_however_large_the_data() {
        let parts: [&[(&[u8], bool)]; 2] =
            [&[(LONG, true), (LONG, true)], &[(NOT_UTF8, true), (LONG, false)]];
        for max_buffer_bytes in [LONG.len(), MAX_BUFFER_BYTES] {
            assert!(decode::<str>(&parts, max_buffer_bytes).is_err());
            assert!(decode::<[u8]>(&parts, max_buffer_bytes).is_ok());
        }
        assert!(decode::<[u8]>(&parts, 20).is_err(), "a value that no buffer can hold");
    }
}
