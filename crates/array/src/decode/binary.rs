//! Strings and bytes with offsets, or of one width: they become views over the data as it lies.

use arrow::array::{Array, BinaryArray, BinaryViewArrayGeneric, View, ViewType};
use arrow::bitmap::Bitmap;
use arrow::datatypes::ArrowDataType;
use arrow::offset::{Offset, OffsetsBuffer};
use arrow::types::NativeType;
use floe_format::{Error, FieldNode, Result};
use polars_buffer::Buffer;

use super::DecodeCtx;
use super::ctx::{Slot, total_len};
use super::fixed::concat;
use crate::aligned::{byte_len, try_with_capacity};
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

pub(super) fn decode<O: Offset + NativeType, T: ViewType + ?Sized>(ctx: &mut DecodeCtx<'_>) -> Result<Box<dyn Array>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity(&nodes)?;
    let offset_slots = ctx.slots()?;
    let data_slots = ctx.slots()?;
    let total = total_len(&nodes)?;
    for (slot, node) in offset_slots.iter().zip(&nodes) {
        if node.len > 0 {
            ctx.require(*slot, byte_len::<O>(node.len)?)?;
        }
    }
    let mut builder = ViewBuilder::new(total)?;
    for ((node, offsets), data) in nodes.iter().zip(offset_slots).zip(data_slots) {
        let data = ctx.bytes(data)?;
        let checked = read_offsets::<O>(ctx, offsets, node.len, data.len())?;
        if T::IS_UTF8 && ctx.options().validate {
            validate::utf8_offsets(&checked.offsets, checked.first, checked.last, &data)?;
        }
        builder.append(&checked, data)?;
    }
    Ok(builder.finish::<T>(validity))
}

/// Views over data buffers, in the making.
struct ViewBuilder {
    views: Vec<View>,
    buffers: Vec<Buffer<u8>>,
    /// Bytes of all values.
    bytes: usize,
}

impl ViewBuilder {
    fn new(rows: usize) -> Result<Self> {
        Ok(Self { views: try_with_capacity(rows)?, buffers: Vec::new(), bytes: 0 })
    }

    /// Adds a view for each value; `data` becomes one buffer, or several beyond 4 GiB.
    fn append<O: Offset>(&mut self, checked: &Checked<O>, data: Buffer<u8>) -> Result<()> {
        self.bytes += checked.last - checked.first;
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

    fn next_buffer(&self) -> Result<u32> {
        u32::try_from(self.buffers.len()).map_err(|_| Error::unsupported("more than 2^32 data buffers"))
    }

    fn finish<T: ViewType + ?Sized>(self, validity: Option<Bitmap>) -> Box<dyn Array> {
        let total = self.buffers.iter().map(Buffer::len).sum();
        // SAFETY: every view was made by `new_view` from checked offsets into the buffer it names;
        // for strings the bytes were checked to be UTF-8 (or the caller vouched for it by
        // `skip_validation`, which is unsafe).
        let array = unsafe {
            BinaryViewArrayGeneric::<T>::new_unchecked(
                T::DATA_TYPE,
                self.views.into(),
                self.buffers.into(),
                validity,
                Some(self.bytes),
                total,
            )
        };
        Box::new(array)
    }
}

/// The view of `data[start..end]`, which is at `offset` of buffer `index`.
#[inline(always)]
fn new_view(data: &[u8], start: usize, end: usize, index: u32, offset: u32) -> View {
    let len = end - start;
    #[expect(clippy::cast_possible_truncation, reason = "callers keep values below 4 GiB")]
    let length = len as u32;
    if len > View::MAX_INLINE_SIZE as usize {
        let prefix = u32::from_le_bytes([data[start], data[start + 1], data[start + 2], data[start + 3]]);
        return View { length, prefix, buffer_idx: index, offset };
    }
    // Twelve bytes at once where they are there, the rest masked away.
    let mut inline = [0u8; 16];
    if let Some(ahead) = data.get(start..start + 12) {
        inline[..12].copy_from_slice(ahead);
    } else {
        inline[..len].copy_from_slice(&data[start..end]);
    }
    let mask = (1u128 << (len * 8)) - 1;
    let value = ((u128::from_le_bytes(inline) & mask) << 32) | u128::from(length);
    View::from(value)
}

/// Bytes with 64-bit offsets, kept so: Polars' `BinaryOffset`.
pub(super) fn decode_offsets(ctx: &mut DecodeCtx<'_>) -> Result<Box<dyn Array>> {
    let arrays = ctx.each_part(|ctx| {
        let nodes = ctx.nodes()?;
        let validity = ctx.validity(&nodes)?;
        let (offsets, data) = (ctx.slots()?, ctx.slots()?);
        let ([node], [offsets], [data]) = (&nodes[..], &offsets[..], &data[..]) else {
            return Err(Error::invalid("one part at a time"));
        };
        let data = ctx.bytes(*data)?;
        let checked = read_offsets::<i64>(ctx, *offsets, node.len, data.len())?;
        // SAFETY: `read_offsets` checked that they rise and stay within the data.
        let offsets = unsafe { OffsetsBuffer::new_unchecked(checked.offsets) };
        let array = BinaryArray::<i64>::try_new(ArrowDataType::LargeBinary, offsets, data, validity);
        Ok(Box::new(array.map_err(|e| Error::invalid(e.to_string()))?) as Box<dyn Array>)
    })?;
    concat(arrays)
}

/// Values of one width.
pub(super) fn decode_fixed(ctx: &mut DecodeCtx<'_>, width: usize) -> Result<Box<dyn Array>> {
    let nodes = ctx.nodes()?;
    let validity = ctx.validity(&nodes)?;
    let slots = ctx.slots()?;
    let total = total_len(&nodes)?;
    if width == 0 {
        ctx.unbacked_rows(total)?;
    }
    for (slot, node) in slots.iter().zip(&nodes) {
        ctx.require(*slot, checked_mul(node, width)?)?;
    }
    ctx.charge(byte_len::<View>(total)?)?;
    let mut builder = ViewBuilder::new(total)?;
    for (node, slot) in nodes.iter().zip(slots) {
        let need = checked_mul(node, width)?;
        let data = crate::aligned::typed::<u8>(ctx.bytes(slot)?, need)?;
        let offsets: Vec<i64> = (0..=node.len).map(|i| i64::try_from(i * width).unwrap_or(i64::MAX)).collect();
        builder.append(&Checked { offsets: offsets.into(), first: 0, last: need }, data)?;
    }
    Ok(builder.finish::<[u8]>(validity))
}

fn checked_mul(node: &FieldNode, width: usize) -> Result<usize> {
    node.len.checked_mul(width).ok_or_else(|| Error::invalid("the length of a fixed-size array overflows"))
}
