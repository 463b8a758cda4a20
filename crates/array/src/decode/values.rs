//! Buffers of all parts as values: one view into the source where there is one part, else one allocation that each
//! part's buffer is decompressed, read or copied into.
//!
//! What to watch when changing this: threads fill the parts at the same time, each only its own slice of the
//! allocation. `set_len` rests on every slice being written as a whole. After a failed attempt a stretch is
//! decompressed and transformed again. So a transform may depend on its stretch alone, and the last result for a
//! stretch counts.

use std::sync::{Mutex, PoisonError};

use arrow::bitmap::Bitmap;
use arrow::types::NativeType;
use floe_format::{Error, FieldNode, Result};
use floe_runtime::alloc::{self, byte_len, try_with_capacity};
use polars_buffer::Buffer;

use super::ctx::{BufferRef, DecodeCtx, lens, total_len};
use super::fetch::BufferSource;
use crate::bitmaps;
use crate::share;
use crate::typed::{self, as_uninit_bytes};

/// Callbacks around the values of a part, given its number.
pub(super) struct StretchHooks<'c, T> {
    /// Runs before any value of the part is there.
    pub(super) prepare: &'c (dyn Fn(usize) -> Result<()> + Sync),
    /// Runs on each stretch of values.
    pub(super) transform: &'c Transform<'c, T>,
}

/// Callback on values that have just been written, while they are in cache: the part, the position of the first value in
/// the part, the values.
pub(super) type Transform<'c, T> = dyn Fn(usize, usize, &mut [T]) -> Result<()> + Sync + 'c;

/// The error of the first stretch that has one, in the order of the values, whichever thread found one first.
#[derive(Default)]
struct FirstError(Mutex<Option<(usize, Error)>>);

impl FirstError {
    /// Keeps the result for `len` values from `start` on. It replaces an earlier result for them: a stretch that is
    /// decompressed again is seen again.
    fn note(&self, start: usize, len: usize, result: Result<()>) {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = first.take_if(|(at, _)| (start..start + len).contains(at));
        if let Err(error) = result
            && first.as_ref().is_none_or(|(at, _)| start < *at)
        {
            *first = Some((start, error));
        }
    }

    fn result(self) -> Result<()> {
        let first = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        first.map_or(Ok(()), |(_, error)| Err(error))
    }
}

/// The validity bitmaps of an array, not read yet.
pub(super) struct Validity(pub(super) Vec<BufferRef>);

impl Validity {
    /// One bitmap over all parts; `None` if nothing is null.
    pub(super) fn read(self, ctx: &DecodeCtx<'_>, nodes: &[FieldNode]) -> Result<Option<Bitmap>> {
        Self::read_at(&self.0, ctx, nodes)
    }

    fn read_at(buffers: &[BufferRef], ctx: &DecodeCtx<'_>, nodes: &[FieldNode]) -> Result<Option<Bitmap>> {
        if nodes.iter().all(|node| node.null_count == 0) {
            return Ok(None);
        }
        let bitmaps = nodes.iter().zip(buffers).map(|(node, buffer)| {
            if node.null_count == 0 { Ok(None) } else { ctx.bits(*buffer, node.len).map(Some) }
        });
        let bitmap = join_bitmaps(ctx, bitmaps.collect::<Result<Vec<_>>>()?, nodes)?;
        Ok((bitmap.unset_bits() > 0).then_some(bitmap))
    }
}

/// Values that others are appended to.
pub(super) struct Destination<T> {
    pub(super) values: Vec<T>,
    /// Whether an unknown number of values will follow: room for those is taken as well.
    pub(super) grows: bool,
}

impl<T> Default for Destination<T> {
    fn default() -> Self {
        Self { values: Vec::new(), grows: false }
    }
}

impl<'a> DecodeCtx<'a> {
    /// The next array's values and validity, the values of all parts contiguous.
    pub(super) fn fixed_and_validity<T: NativeType>(&mut self) -> Result<(Buffer<T>, Option<Bitmap>)> {
        if let [part] = self.parts.as_mut_slice() {
            // As below, without lists of one element: with small batches those are half of the work.
            let node = part.node()?;
            let [validity, values] = [part.buffer()?, part.buffer()?].map(|spec| BufferRef { part: 0, spec });
            let view = if node.null_count == 0 { typed::typed_slice } else { typed::typed };
            let values = self.fixed_by(&[values], &[node.len], view)?;
            return Ok((values, Validity::read_at(&[validity], self, &[node])?));
        }
        let nodes = self.nodes()?;
        let validity = self.validity()?;
        let values = self.fixed(&lens(&nodes))?;
        Ok((values, validity.read(self, &nodes)?))
    }

    /// The next buffer of every part, a validity bitmap. It is read once the array's length has been checked against
    /// its values: a part without nulls has no bitmap that would back it.
    pub(super) fn validity(&mut self) -> Result<Validity> {
        Ok(Validity(self.next_buffers()?))
    }

    /// The next buffer as a bitmap of values over all parts.
    pub(super) fn bitmap(&mut self, nodes: &[FieldNode]) -> Result<Bitmap> {
        let buffers = self.next_buffers()?;
        let bitmaps = nodes.iter().zip(buffers).map(|(node, buffer)| self.bits(buffer, node.len).map(Some));
        join_bitmaps(self, bitmaps.collect::<Result<Vec<_>>>()?, nodes)
    }

    fn bits(&self, buffer: BufferRef, len: usize) -> Result<Bitmap> {
        let bytes = len.div_ceil(8);
        let buffer = typed::typed::<u8>(self.bytes(buffer)?, bytes)?;
        debug_assert!(buffer.len() * 8 >= len);
        // SAFETY: the buffer has at least `len` bits (`typed` checked) and starts at its storage's
        // start, since `typed` makes a storage of exactly these bytes.
        Ok(unsafe { Bitmap::from_inner_unchecked(own_storage(buffer), 0, len, None) })
    }

    /// The next buffer as `counts[i]` values of each part, contiguous.
    pub(super) fn fixed<T: NativeType>(&mut self, counts: &[usize]) -> Result<Buffer<T>> {
        let buffers = self.next_buffers()?;
        self.fixed_at(&buffers, counts)
    }

    /// As [`Self::fixed`], for buffers taken before.
    pub(super) fn fixed_at<T: NativeType>(
        &self,
        buffers: &[BufferRef],
        counts: &[usize],
    ) -> Result<Buffer<T>> {
        self.fixed_by(buffers, counts, typed::typed)
    }

    /// The same, with views into the source made by `view`.
    fn fixed_by<T: NativeType>(
        &self,
        buffers: &[BufferRef],
        counts: &[usize],
        view: fn(Buffer<u8>, usize) -> Result<Buffer<T>>,
    ) -> Result<Buffer<T>> {
        // A single part may be a view into the source. It is located once, here.
        let mut first = None;
        if let ([buffer], [count]) = (buffers, counts) {
            if *count == 0 {
                return Ok(Buffer::default());
            }
            match self.locate(*buffer)? {
                BufferSource::InMemory(plain) if !self.options.big_endian || size_of::<T>() == 1 => {
                    self.charge(byte_len::<T>(*count)?)?;
                    return view(plain, *count);
                },
                found => first = Some(found),
            }
        }
        self.append_parts(Destination::default(), buffers, counts, first, None).map(share)
    }

    /// As [`Self::fixed`], behind values that are there.
    pub(super) fn append_fixed<T: NativeType>(&mut self, values: Vec<T>, counts: &[usize]) -> Result<Vec<T>> {
        let buffers = self.next_buffers()?;
        self.append_parts(Destination { values, grows: true }, &buffers, counts, None, None)
    }

    /// As [`Self::append_fixed`], for buffers taken before, with `change` applied to the values of
    /// each part: while they are in the cache, and in parallel.
    pub(super) fn append_transformed<T: NativeType>(
        &self,
        known: Destination<T>,
        buffers: &[BufferRef],
        counts: &[usize],
        change: &StretchHooks<'_, T>,
    ) -> Result<Vec<T>> {
        self.append_parts(known, buffers, counts, None, Some(change))
    }

    /// Charges the values of all parts, whose buffers must be able to hold them. Returns how many there are.
    fn charge_parts<T: NativeType>(&self, buffers: &[BufferRef], counts: &[usize]) -> Result<usize> {
        let mut total = 0usize;
        for (buffer, count) in buffers.iter().zip(counts) {
            let bytes = byte_len::<T>(*count)?;
            self.require(*buffer, bytes)?;
            self.note_decompressed(*buffer, bytes);
            total = total
                .checked_add(*count)
                .ok_or_else(|| Error::invalid("the lengths of the batches overflow"))?;
        }
        self.charge(byte_len::<T>(total)?)?;
        Ok(total)
    }

    /// Writes the parts' values behind those of `known`. `first` is the source of the first part, if it
    /// has been located.
    fn append_parts<T: NativeType>(
        &self,
        known: Destination<T>,
        buffers: &[BufferRef],
        counts: &[usize],
        mut first: Option<BufferSource<'a>>,
        change: Option<&StretchHooks<'_, T>>,
    ) -> Result<Vec<T>> {
        let total = self.charge_parts::<T>(buffers, counts)?;
        let Destination { values: mut out, grows } = known;
        let known = out.len();
        // Reading into memory wants it initialised; decompressing and copying do not.
        let fresh = out.capacity() == 0 && !grows;
        let initialised = fresh && buffers.iter().any(|buffer| self.is_unread(*buffer));
        if initialised {
            out = alloc::try_initialised::<T>(total)?;
            out.clear();
        } else if fresh {
            out = try_with_capacity::<T>(total)?;
        } else {
            alloc::reserve_more(&mut out, total)?;
        }
        let mut rest = as_uninit_bytes(&mut out.spare_capacity_mut()[..total]);
        let mut jobs = Vec::with_capacity(buffers.len());
        for (buffer, count) in buffers.iter().zip(counts) {
            let (here, behind) = rest.split_at_mut(byte_len::<T>(*count)?);
            rest = behind;
            jobs.push((*buffer, here, first.take()));
        }
        self.run_jobs(jobs, |(buffer, dst, found)| {
            let part = buffer.part;
            if let Some(StretchHooks { prepare, .. }) = change {
                prepare(part)?;
            }
            let found = match found {
                Some(found) => found,
                None => self.locate(buffer)?,
            };
            let first = FirstError::default();
            let each = |start: usize, bytes: &mut [u8]| {
                // Without hooks values stay as they are.
                let Some(StretchHooks { transform, .. }) = change else { return };
                // Stretches are of whole values, since they begin at multiples of 64 KiB.
                let (start, values) = (start / size_of::<T>(), bytemuck::cast_slice_mut(bytes));
                first.note(start, values.len(), transform(part, start, values));
            };
            self.fill(found, buffer, dst, size_of::<T>(), initialised, &each)?;
            first.result()
        })?;
        // SAFETY: `fill` returned Ok for every part, and the parts' slices cover all `total`
        // elements behind the `known` ones: each was written completely.
        unsafe { out.set_len(known + total) };
        Ok(out)
    }
}

/// A storage of exactly the buffer's bytes.
fn own_storage(buffer: Buffer<u8>) -> polars_buffer::SharedStorage<u8> {
    if !buffer.is_sliced() {
        return buffer.into_storage();
    }
    // SAFETY: the slice is the buffer's own memory, which the owner handed over keeps alive.
    unsafe {
        let slice = std::slice::from_raw_parts(buffer.as_slice().as_ptr(), buffer.len());
        polars_buffer::SharedStorage::from_slice_with_owner(slice, buffer)
    }
}

/// Bitmaps one after another; `None` stands for all set.
fn join_bitmaps(ctx: &DecodeCtx<'_>, mut parts: Vec<Option<Bitmap>>, nodes: &[FieldNode]) -> Result<Bitmap> {
    if parts.len() == 1
        && let Some(Some(bitmap)) = parts.pop()
    {
        return Ok(bitmap);
    }
    let mut out = ctx.bits_for(total_len(nodes)?)?;
    bitmaps::extend(&mut out, parts.iter().map(Option::as_ref).zip(nodes.iter().map(|node| node.len)));
    Ok(out.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_counts_and_not_one_of_what_is_there_no_more() {
        let error = |at: usize| Err(Error::invalid(format!("at {at}")));
        let first = FirstError::default();
        first.note(200, 100, error(200));
        first.note(0, 100, Ok(()));
        first.note(100, 100, error(100));
        first.note(300, 100, error(300));
        assert!(first.result().is_err_and(|error| error.to_string().contains("at 100")));

        let first = FirstError::default();
        first.note(200, 100, error(200));
        // All of it, written anew.
        first.note(0, 400, Ok(()));
        assert_eq!(first.result(), Ok(()));
    }
}
