//! The state of decoding a column: which batches, where in them, under which limits.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::bitmap::{Bitmap, MutableBitmap};
use arrow::types::NativeType;
use floe_codec::Stored;
use floe_format::{
    BatchHeader, BufferSpec, Codec, Error, ErrorKind, Field, FieldNode, IpcLimits, Result, Version,
};
use polars_buffer::Buffer;

use super::Start;
use crate::aligned::{
    self, as_uninit_bytes, byte_len, copy_to_uninit, swap_bytes, too_short, try_with_capacity,
};
use crate::body::{Body, Executor};
use crate::dictionary::Dictionaries;
use crate::recycle::share;

/// How to read, the same for all columns of a source.
#[derive(Debug, Clone, Copy)]
pub struct DecodeOptions {
    pub(super) validate: bool,
    /// Buffers hold big-endian values.
    pub big_endian: bool,
    /// Metadata version of the batch.
    pub version: Version,
    /// What may be claimed.
    pub limits: IpcLimits,
}

impl DecodeOptions {
    /// Options that validate what they decode.
    #[must_use]
    pub fn new(version: Version, big_endian: bool, limits: IpcLimits) -> Self {
        Self { validate: true, big_endian, version, limits }
    }

    /// The metadata version of the batch.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// What a field takes in a batch of this version.
    #[must_use]
    pub fn counts(&self, field: &Field) -> super::Counts {
        super::Counts::of(field, self.version)
    }

    /// Validates what is decoded, unless the writer is trusted.
    #[must_use]
    pub fn with_trust(self, trust: Trust) -> Self {
        Self { validate: !trust.0, ..self }
    }
}

/// Whether the writer is trusted with what the format leaves to its honesty: offsets, UTF-8, views. Not by
/// default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trust(bool);

impl Trust {
    /// Nothing of that is validated.
    ///
    /// # Safety
    /// The bytes must be valid Arrow data. If they are not, using the arrays reads memory out of
    /// bounds.
    #[must_use]
    pub unsafe fn in_writer() -> Self {
        Self(true)
    }
}

/// What one read has decompressed or expanded so far, of what it may.
#[derive(Debug, Default)]
pub struct Budget(AtomicU64);

impl Budget {
    fn charge(&self, bytes: u64, limits: &IpcLimits) -> Result<()> {
        let used = self.0.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if used > limits.max_total_bytes {
            return Err(Error::new(ErrorKind::Limit {
                limit: "max_total_bytes",
                claimed: used,
                allowed: limits.max_total_bytes,
            }));
        }
        Ok(())
    }
}

/// One record batch (or dictionary batch) and the position in its lists.
#[derive(Clone)]
pub struct Part<'a> {
    header: &'a BatchHeader,
    body: &'a dyn Body,
    dictionaries: &'a Dictionaries,
    at: Start,
}

impl<'a> Part<'a> {
    /// The batch with this header and body, from the column that begins at `at`.
    #[must_use]
    pub fn new(
        header: &'a BatchHeader,
        body: &'a dyn Body,
        dictionaries: &'a Dictionaries,
        at: Start,
    ) -> Self {
        Self { header, body, dictionaries, at }
    }

    pub(super) fn dictionaries(&self) -> &'a Dictionaries {
        self.dictionaries
    }

    fn node(&mut self) -> Result<FieldNode> {
        let node = self.header.nodes.get(self.at.node).copied();
        self.at.node += 1;
        node.ok_or_else(|| Error::invalid("the batch has fewer field nodes than the schema needs"))
    }

    fn buffer(&mut self) -> Result<BufferSpec> {
        let spec = self.header.buffers.get(self.at.buffer).copied();
        self.at.buffer += 1;
        spec.ok_or_else(|| Error::invalid("the batch has fewer buffers than the schema needs"))
    }

    fn variadic(&mut self) -> Result<usize> {
        let count = self.header.variadic.get(self.at.variadic).copied();
        self.at.variadic += 1;
        count
            .ok_or_else(|| Error::invalid("the batch has fewer variadic buffer counts than the schema needs"))
    }
}

/// Buffers of twice this and more are read in stripes of so many bytes.
const READ_STRIPE: usize = 4 << 20;

/// Decoding state of one column over one or more batches.
pub struct DecodeCtx<'a> {
    parts: Vec<Part<'a>>,
    options: &'a DecodeOptions,
    budget: &'a Budget,
    executor: &'a dyn Executor,
}

/// A buffer of one part: still to be fetched, decompressed and checked.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub(super) part: usize,
    pub(super) spec: BufferSpec,
}

/// What is done to the values of a part, given its number, once they are in place.
pub(super) type Change<'c, T> = &'c (dyn Fn(usize, &mut [T]) -> Result<()> + Sync);

/// The validity bitmaps of an array, not read yet.
pub(super) struct Validity(Vec<Slot>);

impl Validity {
    /// One bitmap over all parts; `None` if nothing is null.
    pub(super) fn read(self, ctx: &DecodeCtx<'_>, nodes: &[FieldNode]) -> Result<Option<Bitmap>> {
        Self::read_at(&self.0, ctx, nodes)
    }

    fn read_at(slots: &[Slot], ctx: &DecodeCtx<'_>, nodes: &[FieldNode]) -> Result<Option<Bitmap>> {
        if nodes.iter().all(|node| node.null_count == 0) {
            return Ok(None);
        }
        let bitmaps = nodes.iter().zip(slots).map(|(node, slot)| {
            if node.null_count == 0 { Ok(None) } else { ctx.bits(*slot, node.len).map(Some) }
        });
        let bitmap = join_bitmaps(bitmaps.collect::<Result<Vec<_>>>()?, nodes)?;
        Ok((bitmap.unset_bits() > 0).then_some(bitmap))
    }
}

/// Where a buffer's bytes are, seen through compression's framing.
enum Found<'a> {
    Empty,
    /// In memory that can be shared.
    Plain(Buffer<u8>),
    /// To be read.
    Remote(BufferSpec),
    Frame {
        codec: floe_codec::Codec,
        len: usize,
        frame: Stretch<'a>,
    },
}

/// Stored bytes: shared, lent, or read for the occasion.
enum Stretch<'a> {
    Shared(Buffer<u8>),
    Lent(&'a [u8]),
}

impl Stretch<'_> {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(buffer) => buffer,
            Self::Lent(slice) => slice,
        }
    }

    fn behind_prefix(self) -> Self {
        match self {
            Self::Shared(buffer) => Self::Shared(buffer.sliced(8..)),
            Self::Lent(slice) => Self::Lent(slice.get(8..).unwrap_or_default()),
        }
    }
}

impl<'a> DecodeCtx<'a> {
    /// A context over these parts: at least one.
    #[must_use]
    pub fn new(
        parts: Vec<Part<'a>>,
        options: &'a DecodeOptions,
        budget: &'a Budget,
        executor: &'a dyn Executor,
    ) -> Self {
        Self { parts, options, budget, executor }
    }

    pub(super) fn options(&self) -> &'a DecodeOptions {
        self.options
    }

    pub(super) fn parts(&self) -> &[Part<'a>] {
        &self.parts
    }

    /// Whether any part is.
    pub(super) fn is_compressed(&self) -> bool {
        self.parts.iter().any(|part| part.header.compression.is_some())
    }

    pub(super) fn charge(&self, bytes: usize) -> Result<()> {
        self.budget.charge(bytes as u64, &self.options.limits)?;
        aligned::probe(bytes)
    }

    /// Checks rows that no byte of the input stands behind: null arrays, empty structs, lists of
    /// width zero.
    pub(super) fn unbacked_rows(&self, rows: usize) -> Result<()> {
        let allowed = self.options.limits.max_unbacked_rows;
        if rows > allowed {
            return Err(Error::new(ErrorKind::Limit {
                limit: "max_unbacked_rows",
                claimed: rows as u64,
                allowed: allowed as u64,
            }));
        }
        aligned::probe(rows / 8)
    }

    /// Decodes part by part and concatenates: for layouts whose parts do not simply follow one
    /// another in memory. Afterwards `self` stands where the parts stand.
    pub(super) fn each_part<T>(&mut self, mut decode: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let parts = std::mem::take(&mut self.parts);
        let mut out = Vec::with_capacity(parts.len());
        let mut done = Vec::with_capacity(parts.len());
        for part in parts {
            let mut one = DecodeCtx::new(vec![part], self.options, self.budget, self.executor);
            out.push(decode(&mut one)?);
            done.append(&mut one.parts);
        }
        self.parts = done;
        Ok(out)
    }

    /// A context for each of these fields, which follow one another, so that they can be decoded at once.
    /// Afterwards `self` stands behind them.
    pub(super) fn apart(&mut self, fields: &[Field]) -> Result<Vec<Self>> {
        let mut out = Vec::with_capacity(fields.len());
        for field in fields {
            out.push(Self::new(self.parts.clone(), self.options, self.budget, self.executor));
            let counts = self.options.counts(field);
            for part in &mut self.parts {
                part.at = part.at.behind(part.header, counts)?;
            }
        }
        Ok(out)
    }

    /// The context's parts, to come back to with [`Self::rewind`].
    pub(super) fn mark(&self) -> Vec<Part<'a>> {
        self.parts.clone()
    }

    pub(super) fn rewind(&mut self, mark: Vec<Part<'a>>) {
        self.parts = mark;
    }

    /// The next node of every part.
    pub(super) fn nodes(&mut self) -> Result<Vec<FieldNode>> {
        self.parts.iter_mut().map(Part::node).collect()
    }

    /// The next buffer of every part.
    pub(super) fn slots(&mut self) -> Result<Vec<Slot>> {
        let parts = self.parts.iter_mut().enumerate();
        parts.map(|(part, p)| Ok(Slot { part, spec: p.buffer()? })).collect()
    }

    /// The next `n` buffers of every part, `n` being its next variadic count.
    pub(super) fn variadic_slots(&mut self) -> Result<Vec<Vec<Slot>>> {
        let mut all = Vec::with_capacity(self.parts.len());
        for (part, p) in self.parts.iter_mut().enumerate() {
            let count = p.variadic()?;
            all.push((0..count).map(|_| Ok(Slot { part, spec: p.buffer()? })).collect::<Result<Vec<_>>>()?);
        }
        Ok(all)
    }

    /// The next buffer of every part, a validity bitmap, to be read once the array's length has
    /// been checked against its values: a part without nulls has no bitmap that would back it.
    pub(super) fn validity(&mut self) -> Result<Validity> {
        Ok(Validity(self.slots()?))
    }

    /// The next array's values and validity, the values of all parts contiguous.
    pub(super) fn fixed_and_validity<T: NativeType>(&mut self) -> Result<(Buffer<T>, Option<Bitmap>)> {
        if let [part] = self.parts.as_mut_slice() {
            // As below, without a list of what there is one of: of small batches that is half of the work.
            let node = part.node()?;
            let [validity, values] = [part.buffer()?, part.buffer()?].map(|spec| Slot { part: 0, spec });
            let values = self.fixed_at(&[values], &[node.len])?;
            return Ok((values, Validity::read_at(&[validity], self, &[node])?));
        }
        let nodes = self.nodes()?;
        let validity = self.validity()?;
        let values = self.fixed(&lens(&nodes))?;
        Ok((values, validity.read(self, &nodes)?))
    }

    /// The next buffer as a bitmap of values over all parts.
    pub(super) fn bitmap(&mut self, nodes: &[FieldNode]) -> Result<Bitmap> {
        let slots = self.slots()?;
        let bitmaps = nodes.iter().zip(slots).map(|(node, slot)| self.bits(slot, node.len).map(Some));
        join_bitmaps(bitmaps.collect::<Result<Vec<_>>>()?, nodes)
    }

    fn bits(&self, slot: Slot, len: usize) -> Result<Bitmap> {
        let bytes = len.div_ceil(8);
        let buffer = aligned::typed::<u8>(self.bytes(slot)?, bytes)?;
        debug_assert!(buffer.len() * 8 >= len);
        // SAFETY: the buffer has at least `len` bits (`typed` checked) and starts at its storage's
        // start, since `typed` makes a storage of exactly these bytes.
        Ok(unsafe { Bitmap::from_inner_unchecked(own_storage(buffer), 0, len, None) })
    }

    /// The next buffer as `counts[i]` values of each part, contiguous.
    pub(super) fn fixed<T: NativeType>(&mut self, counts: &[usize]) -> Result<Buffer<T>> {
        let slots = self.slots()?;
        self.fixed_at(&slots, counts)
    }

    /// As [`Self::fixed`], for buffers taken before.
    pub(super) fn fixed_at<T: NativeType>(&self, slots: &[Slot], counts: &[usize]) -> Result<Buffer<T>> {
        // A single part may be a view into the source. What is found of it is found once.
        let mut first = None;
        if let ([slot], [count]) = (slots, counts) {
            if *count == 0 {
                return Ok(Buffer::default());
            }
            match self.find(*slot)? {
                Found::Plain(plain) if !self.options.big_endian || size_of::<T>() == 1 => {
                    return aligned::typed(plain, *count);
                },
                found => first = Some(found),
            }
        }
        self.fill_behind(Vec::new(), slots, counts, first, None).map(share)
    }

    /// As [`Self::fixed`], behind values that are there.
    pub(super) fn fixed_onto<T: NativeType>(
        &mut self,
        mut known: Vec<T>,
        counts: &[usize],
    ) -> Result<Vec<T>> {
        let slots = self.slots()?;
        if known.capacity() == 0 {
            let mut total = 0usize;
            for (slot, count) in slots.iter().zip(counts) {
                self.check_claim(*slot, byte_len::<T>(*count)?)?;
                total = total.saturating_add(*count);
            }
            aligned::reserve_more(&mut known, total)?;
        }
        self.fill_behind(known, &slots, counts, None, None)
    }

    /// As [`Self::fixed_onto`], for buffers taken before, with `change` applied to the values of
    /// each part, given its number: while they are in the cache, and in parallel.
    pub(super) fn changed_onto<T: NativeType>(
        &self,
        known: Vec<T>,
        slots: &[Slot],
        counts: &[usize],
        change: Change<'_, T>,
    ) -> Result<Vec<T>> {
        self.fill_behind(known, slots, counts, None, Some(change))
    }

    /// Writes the parts' values behind `out`'s. `first` is what was found of the first part, if it
    /// was looked for.
    fn fill_behind<T: NativeType>(
        &self,
        mut out: Vec<T>,
        slots: &[Slot],
        counts: &[usize],
        mut first: Option<Found<'a>>,
        change: Option<Change<'_, T>>,
    ) -> Result<Vec<T>> {
        let mut total = 0usize;
        for (slot, count) in slots.iter().zip(counts) {
            self.check_claim(*slot, byte_len::<T>(*count)?)?;
            total = total
                .checked_add(*count)
                .ok_or_else(|| Error::invalid("the lengths of the batches overflow"))?;
        }
        byte_len::<T>(total)?;
        let known = out.len();
        // Reading into memory wants it initialised; decompressing and copying do not.
        let fresh = out.capacity() == 0;
        let zeroed = fresh && slots.iter().any(|slot| self.is_remote(*slot));
        if zeroed {
            out = aligned::try_initialised::<T>(total)?;
            out.clear();
        } else if fresh {
            out = try_with_capacity::<T>(total)?;
        } else {
            aligned::reserve_more(&mut out, total)?;
        }
        let mut rest = as_uninit_bytes(&mut out.spare_capacity_mut()[..total]);
        let mut jobs = Vec::with_capacity(slots.len());
        for (slot, count) in slots.iter().zip(counts) {
            let (here, behind) = rest.split_at_mut(byte_len::<T>(*count)?);
            rest = behind;
            jobs.push(Mutex::new((*slot, here, first.take())));
        }
        self.run(jobs.len(), |i| {
            let Some(job) = jobs.get(i) else { return Ok(()) };
            let mut job = job.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let (slot, dst, found) = &mut *job;
            let found = match found.take() {
                Some(found) => found,
                None => self.find(*slot)?,
            };
            self.fill(found, *slot, dst, size_of::<T>(), zeroed)?;
            match change {
                // SAFETY: `fill` returned Ok, so that all of `dst` is written.
                Some(change) => change(i, bytemuck::cast_slice_mut(unsafe { aligned::assume_init(dst) })),
                None => Ok(()),
            }
        })?;
        drop(jobs);
        // SAFETY: `fill` returned Ok for every part, and the parts' slices cover all `total`
        // elements behind the `known` ones: each was written completely.
        unsafe { out.set_len(known + total) };
        Ok(out)
    }

    /// Runs `work(0..n)` on the executor and returns the first error in order.
    pub(super) fn run(&self, n: usize, work: impl Fn(usize) -> Result<()> + Sync) -> Result<()> {
        if n <= 1 {
            return if n == 1 { work(0) } else { Ok(()) };
        }
        let failed: Mutex<Option<(usize, Error)>> = Mutex::new(None);
        self.executor.for_each(n, &|i| {
            if let Err(error) = work(i) {
                let mut first = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if first.as_ref().is_none_or(|(at, _)| i < *at) {
                    *first = Some((i, error));
                }
            }
        });
        match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    /// The whole buffer, decompressed. A view into the source where possible.
    pub(super) fn bytes(&self, slot: Slot) -> Result<Buffer<u8>> {
        self.unpack(self.find(slot)?, slot)
    }

    fn unpack(&self, found: Found<'_>, slot: Slot) -> Result<Buffer<u8>> {
        match found {
            Found::Empty => Ok(Buffer::default()),
            Found::Plain(buffer) => Ok(buffer),
            Found::Remote(spec) => {
                let body = self.body(slot);
                self.read(body, spec).map(share)
            },
            Found::Frame { codec, len, frame } => {
                let mut out = try_with_capacity::<u8>(len)?;
                self.decompress(codec, frame.as_slice(), &mut out.spare_capacity_mut()[..len])?;
                // SAFETY: `decompress` returned Ok, so all `len` bytes were written.
                unsafe { out.set_len(len) };
                Ok(share(out))
            },
        }
    }

    /// As [`Self::bytes`] for several buffers, in parallel.
    pub(super) fn bytes_of_all(&self, slots: &[Slot]) -> Result<Vec<Buffer<u8>>> {
        let found: Vec<Mutex<Buffer<u8>>> = slots.iter().map(|_| Mutex::new(Buffer::default())).collect();
        self.run(slots.len(), |i| {
            if let (Some(slot), Some(found)) = (slots.get(i), found.get(i)) {
                *found.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = self.bytes(*slot)?;
            }
            Ok(())
        })?;
        Ok(found
            .into_iter()
            .map(|b| b.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
            .collect())
    }

    /// Writes the first `dst.len()` bytes of the buffer, as values `width` bytes wide in the
    /// machine's byte order. On `Ok` all of `dst` is written.
    fn fill(
        &self,
        found: Found<'_>,
        slot: Slot,
        dst: &mut [MaybeUninit<u8>],
        width: usize,
        is_zeroed: bool,
    ) -> Result<()> {
        if dst.is_empty() {
            return Ok(());
        }
        let need = dst.len();
        match found {
            Found::Empty => return Err(too_short(need as u64, 0)),
            Found::Plain(buffer) => {
                let source = buffer.get(..need).ok_or_else(|| too_short(need as u64, buffer.len() as u64))?;
                copy_to_uninit(source, dst);
            },
            Found::Remote(spec) => {
                if spec.len < need as u64 {
                    return Err(too_short(need as u64, spec.len));
                }
                let range = spec.offset..spec.offset + need as u64;
                if !is_zeroed {
                    dst.fill(MaybeUninit::new(0));
                }
                // SAFETY: all of `dst` is zero: written just now, or before (`is_zeroed`).
                self.read_into(self.body(slot), range, unsafe { aligned::assume_init(dst) })?;
            },
            Found::Frame { codec, len, frame } if len == need => {
                self.decompress(codec, frame.as_slice(), dst)?;
            },
            Found::Frame { len, .. } if len < need => return Err(too_short(need as u64, len as u64)),
            found @ Found::Frame { .. } => copy_to_uninit(&self.unpack(found, slot)?[..need], dst),
        }
        if self.options.big_endian {
            // SAFETY: every arm above that comes here has written all of `dst`.
            swap_bytes(unsafe { aligned::assume_init(dst) }, width);
        }
        Ok(())
    }

    fn read(&self, body: &dyn Body, spec: BufferSpec) -> Result<Vec<u8>> {
        let len = usize::try_from(spec.len).map_err(|_| Error::invalid("a buffer does not fit in memory"))?;
        let mut out = aligned::try_initialised::<u8>(len)?;
        self.read_into(body, spec.offset..spec.offset + spec.len, &mut out)?;
        Ok(out)
    }

    /// Reads a range of a body, a large one in stripes at once.
    fn read_into(&self, body: &dyn Body, range: Range<u64>, dst: &mut [u8]) -> Result<()> {
        if dst.len() < 2 * READ_STRIPE {
            return body.read_into(range, dst);
        }
        let mut stripes = Vec::with_capacity(dst.len().div_ceil(READ_STRIPE));
        let mut start = range.start;
        for stripe in dst.chunks_mut(READ_STRIPE) {
            let end = start + stripe.len() as u64;
            stripes.push(Mutex::new((start..end, stripe)));
            start = end;
        }
        self.run(stripes.len(), |i| {
            let Some(stripe) = stripes.get(i) else { return Ok(()) };
            let mut stripe = stripe.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let (range, dst) = &mut *stripe;
            body.read_into(range.clone(), dst)
        })
    }

    fn decompress(&self, codec: floe_codec::Codec, frame: &[u8], dst: &mut [MaybeUninit<u8>]) -> Result<()> {
        let run = |n: usize, work: &(dyn Fn(usize) + Sync)| self.executor.for_each(n, work);
        floe_codec::decompress_with(codec, frame, dst, &run).map_err(codec_error)
    }

    /// Whether the stored bytes can hold `need` bytes at all, before anything is allocated.
    fn check_claim(&self, slot: Slot, need: usize) -> Result<()> {
        let need = need as u64;
        let have = match self.codec(slot) {
            None => slot.spec.len,
            // The most that a block of the codec can expand to: LZ4's length bytes add 255 each; a
            // ZSTD block of 4 bytes (header and RLE byte) makes 128 KiB.
            Some(Codec::Lz4) => slot.spec.len.saturating_mul(255),
            Some(Codec::Zstd) => (slot.spec.len / 4 + 1).saturating_mul(128 << 10),
        };
        if have < need { Err(too_short(need, have)) } else { Ok(()) }
    }

    /// As [`Self::check_claim`], for layouts that fetch their buffers themselves.
    pub(super) fn require(&self, slot: Slot, need: usize) -> Result<()> {
        self.check_claim(slot, need)
    }

    /// Whether the buffer's bytes, as they are, have to be read.
    fn is_remote(&self, slot: Slot) -> bool {
        self.codec(slot).is_none() && self.body(slot).shared(0..0).is_none()
    }

    fn codec(&self, slot: Slot) -> Option<Codec> {
        self.parts.get(slot.part).and_then(|part| part.header.compression)
    }

    fn body(&self, slot: Slot) -> &'a dyn Body {
        self.parts[slot.part].body
    }

    fn find(&self, slot: Slot) -> Result<Found<'a>> {
        let spec = slot.spec;
        if spec.len == 0 {
            return Ok(Found::Empty);
        }
        let body = self.body(slot);
        let range = spec.offset..spec.offset + spec.len;
        let shared = body.shared(range.clone());
        let Some(codec) = self.codec(slot) else {
            return Ok(shared.map_or(Found::Remote(spec), Found::Plain));
        };
        let codec = match codec {
            Codec::Lz4 => floe_codec::Codec::Lz4,
            Codec::Zstd => floe_codec::Codec::Zstd,
        };
        let stored = match (shared, body.lent(range)) {
            (Some(shared), _) => Stretch::Shared(shared),
            (None, Some(slice)) => Stretch::Lent(slice),
            (None, None) => Stretch::Shared(share(self.read(body, spec)?)),
        };
        match floe_codec::parse(stored.as_slice()).map_err(codec_error)? {
            Stored::Empty => Ok(Found::Empty),
            Stored::Raw(_) => Ok(match stored {
                Stretch::Shared(buffer) => Found::Plain(buffer.sliced(8..)),
                Stretch::Lent(_) => Found::Remote(BufferSpec { offset: spec.offset + 8, len: spec.len - 8 }),
            }),
            Stored::Frame { len, frame } => {
                let limits = &self.options.limits;
                if len > limits.max_buffer_bytes {
                    return Err(Error::new(ErrorKind::Limit {
                        limit: "max_buffer_bytes",
                        claimed: len,
                        allowed: limits.max_buffer_bytes,
                    }));
                }
                let most = floe_codec::max_decompressed_len(codec, frame);
                if len > most {
                    return Err(Error::invalid(format!(
                        "a frame of {} bytes claims to hold {len} bytes, it cannot hold more than {most}",
                        frame.len()
                    )));
                }
                self.budget.charge(len, limits)?;
                let len = usize::try_from(len)
                    .map_err(|_| Error::invalid(format!("{len} bytes do not fit in memory")))?;
                Ok(Found::Frame { codec, len, frame: stored.behind_prefix() })
            },
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used in map_err")]
fn codec_error(error: floe_codec::Error) -> Error {
    Error::new(ErrorKind::Codec(error.to_string()))
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
fn join_bitmaps(mut bitmaps: Vec<Option<Bitmap>>, nodes: &[FieldNode]) -> Result<Bitmap> {
    if bitmaps.len() == 1
        && let Some(Some(bitmap)) = bitmaps.pop()
    {
        return Ok(bitmap);
    }
    let total = total_len(nodes)?;
    aligned::probe(total / 8)?;
    let mut out = MutableBitmap::with_capacity(total);
    for (bitmap, node) in bitmaps.iter().zip(nodes) {
        match bitmap {
            Some(bitmap) => out.extend_from_bitmap(bitmap),
            None => out.extend_constant(node.len, true),
        }
    }
    Ok(out.freeze())
}

/// Rows of all parts.
pub(super) fn total_len(nodes: &[FieldNode]) -> Result<usize> {
    nodes
        .iter()
        .try_fold(0usize, |sum, node| sum.checked_add(node.len))
        .filter(|n| isize::try_from(*n).is_ok())
        .ok_or_else(|| Error::invalid("the lengths of the batches overflow"))
}

/// Rows of each part.
pub(super) fn lens(nodes: &[FieldNode]) -> Vec<usize> {
    nodes.iter().map(|node| node.len).collect()
}
