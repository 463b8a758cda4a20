//! The bytes of a buffer: found in memory or read, and decompressed.

use std::mem::MaybeUninit;
use std::ops::Range;

use floe_codec::ParsedBuffer;
use floe_format::{BufferSpec, Codec, Error, ErrorKind, Result};
use floe_runtime::alloc;
use polars_buffer::Buffer;

use super::ctx::{BufferRef, DecodeCtx};
use crate::body::Body;
use crate::share;
use crate::typed::{self, copy_to_uninit, swap_bytes, too_short};

/// Buffers of at least twice this are read in stripes of this size, in parallel.
const READ_STRIPE_BYTES: usize = 4 << 20;

/// Where the bytes of a buffer are, once the framing of compression has been read.
pub(super) enum BufferSource<'a> {
    Empty,
    /// In memory that can be shared.
    InMemory(Buffer<u8>),
    /// In the body as they are, to be read.
    Unread(BufferSpec),
    Compressed {
        codec: Codec,
        len: usize,
        frame: StoredBytes<'a>,
    },
}

/// Stored bytes: shared, lent, or read for the occasion.
pub(super) enum StoredBytes<'a> {
    Shared(Buffer<u8>),
    Lent(&'a [u8]),
}

impl StoredBytes<'_> {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Shared(buffer) => buffer,
            Self::Lent(slice) => slice,
        }
    }

    /// The bytes behind the length prefix, which `parse` has found to be there.
    fn behind_prefix(self) -> Self {
        match self {
            Self::Shared(buffer) => Self::Shared(buffer.sliced(8..)),
            // A shorter buffer was refused by `parse`.
            Self::Lent(slice) => Self::Lent(slice.get(8..).unwrap_or_default()),
        }
    }
}

impl<'a> DecodeCtx<'a> {
    /// The whole buffer, decompressed. A view into the source where possible. It is charged like a copy: any number of
    /// buffers may share bytes, and each is validated.
    pub(super) fn bytes(&self, buffer_ref: BufferRef) -> Result<Buffer<u8>> {
        self.read_source(self.locate(buffer_ref)?, buffer_ref)
    }

    fn read_source(&self, found: BufferSource<'_>, buffer_ref: BufferRef) -> Result<Buffer<u8>> {
        match found {
            BufferSource::Empty => Ok(Buffer::default()),
            BufferSource::InMemory(buffer) => {
                self.charge(buffer.len())?;
                Ok(buffer)
            },
            BufferSource::Unread(spec) => {
                let body = self.body(buffer_ref);
                self.read(body, spec).map(share)
            },
            BufferSource::Compressed { codec, len, frame } => {
                self.note_decompressed(buffer_ref, len);
                self.decompress_all(codec, len, &frame)
            },
        }
    }

    /// Counts the bytes that a buffer decompresses to, if it is compressed: the budget allows more for those.
    pub(super) fn note_decompressed(&self, buffer_ref: BufferRef, len: usize) {
        if self.codec(buffer_ref).is_some() {
            self.budget.note_decompressed(buffer_ref.spec.len, len as u64);
        }
    }

    /// Decompresses a frame into memory of its own.
    fn decompress_all(
        &self,
        codec: floe_codec::Codec,
        len: usize,
        frame: &StoredBytes<'_>,
    ) -> Result<Buffer<u8>> {
        let mut out = self.vec::<u8>(len)?;
        self.decompress(codec, frame.as_slice(), &mut out.spare_capacity_mut()[..len], &|_, _| ())?;
        // SAFETY: `decompress` returned Ok, so all `len` bytes were written.
        unsafe { out.set_len(len) };
        Ok(share(out))
    }

    /// As [`Self::bytes`] for several buffers, in parallel.
    pub(super) fn bytes_of_all(&self, buffer_refs: &[BufferRef]) -> Result<Vec<Buffer<u8>>> {
        self.map_jobs(buffer_refs.to_vec(), |buffer_ref| self.bytes(buffer_ref))
    }

    /// Writes the first `dst.len()` bytes of the buffer, as values `width` bytes wide in the
    /// machine's byte order. On `Ok` all of `dst` is written, and `each` has seen it, see
    /// [`decompress_each`](floe_codec::decompress_each).
    pub(super) fn fill(
        &self,
        found: BufferSource<'_>,
        buffer_ref: BufferRef,
        dst: &mut [MaybeUninit<u8>],
        width: usize,
        is_initialised: bool,
        each: floe_codec::Each<'_>,
    ) -> Result<()> {
        if dst.is_empty() {
            return Ok(());
        }
        let need = dst.len();
        match found {
            BufferSource::Empty => return Err(too_short(need as u64, 0)),
            BufferSource::InMemory(buffer) => {
                let source = buffer.get(..need).ok_or_else(|| too_short(need as u64, buffer.len() as u64))?;
                copy_to_uninit(source, dst);
            },
            BufferSource::Unread(spec) => {
                if spec.len < need as u64 {
                    return Err(too_short(need as u64, spec.len));
                }
                let range = spec.offset..spec.offset.saturating_add(need as u64);
                if !is_initialised {
                    dst.fill(MaybeUninit::new(0));
                }
                // SAFETY: all of `dst` is initialised: written just now, or before (`is_initialised`).
                self.read_into(self.body(buffer_ref), range, unsafe { typed::assume_init(dst) })?;
            },
            BufferSource::Compressed { codec, len, frame } if len == need => {
                if !self.options.big_endian {
                    return self.decompress(codec, frame.as_slice(), dst, each);
                }
                // `each` sees the bytes below, in the machine's order.
                self.decompress(codec, frame.as_slice(), dst, &|_, _| ())?;
            },
            BufferSource::Compressed { len, .. } if len < need => {
                return Err(too_short(need as u64, len as u64));
            },
            BufferSource::Compressed { codec, len, frame } => {
                copy_to_uninit(&self.decompress_all(codec, len, &frame)?[..need], dst);
            },
        }
        // SAFETY: every arm above that comes here has written all of `dst`.
        let bytes = unsafe { typed::assume_init(dst) };
        if self.options.big_endian {
            swap_bytes(bytes, width);
        }
        each(0, bytes);
        Ok(())
    }

    fn read(&self, body: &dyn Body, spec: BufferSpec) -> Result<Vec<u8>> {
        let len = usize::try_from(spec.len).map_err(|_| Error::invalid("a buffer does not fit in memory"))?;
        self.charge(len)?;
        let mut out = alloc::try_initialised::<u8>(len)?;
        self.read_into(body, spec.offset..spec.offset.saturating_add(spec.len), &mut out)?;
        Ok(out)
    }

    /// Reads a range of a body, a large one in stripes at once.
    fn read_into(&self, body: &dyn Body, range: Range<u64>, dst: &mut [u8]) -> Result<()> {
        if dst.len() < 2 * READ_STRIPE_BYTES {
            return body.read_into(range, dst);
        }
        let mut stripes = Vec::with_capacity(dst.len().div_ceil(READ_STRIPE_BYTES));
        let mut start = range.start;
        for stripe in dst.chunks_mut(READ_STRIPE_BYTES) {
            let end = start + stripe.len() as u64;
            stripes.push((start..end, stripe));
            start = end;
        }
        self.run_jobs(stripes, |(range, dst)| body.read_into(range, dst))
    }

    fn decompress(
        &self,
        codec: Codec,
        frame: &[u8],
        dst: &mut [MaybeUninit<u8>],
        each: floe_codec::Each<'_>,
    ) -> Result<()> {
        floe_codec::decompress_each(codec, frame, dst, self.executor, each).map_err(codec_error)
    }

    /// Checks that the stored bytes can hold `need` bytes, before anything is allocated.
    pub(super) fn require(&self, buffer_ref: BufferRef, need: usize) -> Result<()> {
        let need = need as u64;
        let have = match self.codec(buffer_ref) {
            None => buffer_ref.spec.len,
            Some(codec) => floe_codec::max_expanded_len(codec, buffer_ref.spec.len),
        };
        if have < need { Err(too_short(need, have)) } else { Ok(()) }
    }

    /// Whether the buffer is not compressed and has to be read from its source.
    pub(super) fn is_unread(&self, buffer_ref: BufferRef) -> bool {
        self.codec(buffer_ref).is_none() && self.body(buffer_ref).shared(0..0).is_none()
    }

    fn codec(&self, buffer_ref: BufferRef) -> Option<Codec> {
        self.parts.get(buffer_ref.part).and_then(|part| part.header.compression)
    }

    fn body(&self, buffer_ref: BufferRef) -> &'a dyn Body {
        self.parts[buffer_ref.part].body
    }

    pub(super) fn locate(&self, buffer_ref: BufferRef) -> Result<BufferSource<'a>> {
        let spec = buffer_ref.spec;
        if spec.len == 0 {
            return Ok(BufferSource::Empty);
        }
        let body = self.body(buffer_ref);
        let range = spec.offset..spec.offset.saturating_add(spec.len);
        let shared = body.shared(range.clone());
        let Some(codec) = self.codec(buffer_ref) else {
            return Ok(shared.map_or(BufferSource::Unread(spec), BufferSource::InMemory));
        };
        let stored = match (shared, body.lent(range)) {
            (Some(shared), _) => StoredBytes::Shared(shared),
            (None, Some(slice)) => StoredBytes::Lent(slice),
            (None, None) => StoredBytes::Shared(share(self.read(body, spec)?)),
        };
        match floe_codec::parse(stored.as_slice()).map_err(codec_error)? {
            ParsedBuffer::Empty => Ok(BufferSource::Empty),
            ParsedBuffer::Raw(_) => Ok(match stored {
                StoredBytes::Shared(buffer) => BufferSource::InMemory(buffer.sliced(8..)),
                StoredBytes::Lent(_) => BufferSource::Unread(BufferSpec {
                    offset: spec.offset.saturating_add(8),
                    len: spec.len.saturating_sub(8),
                }),
            }),
            ParsedBuffer::Frame { len, frame } => {
                let limits = self.budget.limits();
                if len > limits.max_buffer_bytes {
                    return Err(Error::new(ErrorKind::LimitExceeded {
                        limit: "max_buffer_bytes",
                        claimed: len,
                        allowed: limits.max_buffer_bytes,
                    }));
                }
                let max_len = floe_codec::max_decompressed_len(codec, frame);
                if len > max_len {
                    return Err(Error::invalid(format!(
                        "a frame of {} bytes claims to hold {len} bytes, it cannot hold more than {max_len}",
                        frame.len()
                    )));
                }
                let len = usize::try_from(len)
                    .map_err(|_| Error::invalid(format!("{len} bytes do not fit in memory")))?;
                Ok(BufferSource::Compressed { codec, len, frame: stored.behind_prefix() })
            },
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used in map_err")]
fn codec_error(error: floe_codec::Error) -> Error {
    Error::new(ErrorKind::Codec(format!("decompression failed: {error}")))
}
