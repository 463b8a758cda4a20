//! The state of encoding the columns of a batch.

use std::borrow::Borrow;
use std::fmt;

use arrow::array::Array;
use arrow::bitmap::Bitmap;
use floe_format::{Field, FieldNode, Result};
use polars_buffer::Buffer;

use super::buffer::EncodedBuffer;
use super::bytes::as_bytes;
use super::deferred::{DeferredBuffers, MIN_DEFERRED_BYTES};
use super::remap::Remap;
use crate::share;

/// The flattened columns of a record batch, in order: what its header and body are made of.
#[derive(Debug, Default)]
pub struct Encoded {
    /// One node an array, depth-first.
    pub nodes: Vec<FieldNode>,
    /// The buffers, uncompressed and unpadded.
    pub buffers: Vec<EncodedBuffer>,
    /// How many data buffers each view array has.
    pub variadic: Vec<usize>,
    /// Makers of the buffers that are [deferred](EncodedBuffer::Deferred), in their order.
    pub deferred: Vec<DeferredBuffers>,
}

/// The state of encoding the columns of a batch, and the options of that.
pub struct EncodeCtx<'a> {
    pub(super) out: Encoded,
    pub(super) remaps: &'a [Option<Remap>],
    pub(super) canonical_views: bool,
    pub(super) unreferenced_data: bool,
    deferred: bool,
    /// The dispatcher, which layouts call for their children.
    pub(super) encode_child: EncodeField,
}

impl fmt::Debug for EncodeCtx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { out, remaps, canonical_views, unreferenced_data, deferred, encode_child: _ } = self;
        f.debug_struct("EncodeCtx")
            .field("nodes", &out.nodes.len())
            .field("buffers", &out.buffers.len())
            .field("remaps", &remaps.len())
            .field("canonical_views", canonical_views)
            .field("unreferenced_data", unreferenced_data)
            .field("deferred", deferred)
            .finish_non_exhaustive()
    }
}

/// Appends an array of a field.
pub(super) type EncodeField = fn(&mut EncodeCtx<'_>, &Field, &dyn Array) -> Result<()>;

impl<'a> EncodeCtx<'a> {
    /// A context with nothing encoded yet.
    pub(super) fn with(remaps: &'a [Option<Remap>], encode_child: EncodeField) -> Self {
        Self {
            out: Encoded::default(),
            remaps,
            canonical_views: false,
            unreferenced_data: false,
            deferred: false,
            encode_child,
        }
    }

    /// Appends an array of a child of the field that is being encoded.
    pub(super) fn encode(&mut self, child: &Field, array: &dyn Array) -> Result<()> {
        (self.encode_child)(self, child, array)
    }

    /// Whether the data of views is always copied together in the order of the rows. The bytes written then depend on
    /// the values alone, not on the buffers they lie in.
    #[must_use]
    pub fn with_canonical_views(self, canonical_views: bool) -> Self {
        Self { canonical_views, ..self }
    }

    /// Whether a buffer may be written as it lies though some bytes belong to no row, where that saves a copy. It holds
    /// for strings and binaries of which at least three quarters are in use, and for numbers and booleans with values
    /// under nulls.
    #[must_use]
    pub fn with_unreferenced_data(self, unreferenced_data: bool) -> Self {
        Self { unreferenced_data, ..self }
    }

    /// Whether buffers that have to be made are [deferred](DeferredBuffers), where it is known how long they will be.
    ///
    /// ```
    /// use arrow::array::Utf8ViewArray;
    /// use floe_array::{EncodeCtx, encode_column};
    /// # use floe_format::{DataType, Field};
    /// # let field = Field {
    /// #     name: "s".into(), nullable: true, data_type: DataType::LargeUtf8, children: vec![],
    /// #     dictionary: None, metadata: vec![],
    /// # };
    ///
    /// let strings = Utf8ViewArray::from_slice_values(vec!["views to offsets"; 5_000]);
    /// let mut ctx = EncodeCtx::new(&[]).with_deferred_buffers(true);
    /// encode_column(&mut ctx, &field, &strings)?; // Large strings, with offsets.
    /// let encoded = ctx.finish();
    /// let lens: Vec<usize> = encoded.buffers.iter().map(|buffer| buffer.len()).collect();
    /// assert_eq!(lens, [0, 5_001 * 8, 5_000 * 16]); // No validity, offsets, values.
    /// for buffers in encoded.deferred {
    ///     assert_eq!(buffers.first(), 1);
    ///     let made = buffers.materialize()?;
    ///     assert!(made.iter().map(|buffer| buffer.len()).eq([5_001 * 8, 5_000 * 16]));
    /// }
    /// # floe_format::Result::Ok(())
    /// ```
    #[must_use]
    pub fn with_deferred_buffers(self, deferred: bool) -> Self {
        Self { deferred, ..self }
    }

    /// Makes room for `columns` more plain columns.
    pub fn reserve(&mut self, columns: usize) {
        self.out.nodes.reserve(columns);
        self.out.buffers.reserve(columns.saturating_mul(2));
    }

    /// The columns that have been encoded.
    #[must_use]
    pub fn finish(self) -> Encoded {
        self.out
    }

    /// Runs work that needs its buffers at once.
    pub(super) fn undeferred<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let deferred = std::mem::replace(&mut self.deferred, false);
        let done = work(self);
        self.deferred = deferred;
        done
    }

    pub(super) fn node(&mut self, array: &dyn Array) {
        self.out.nodes.push(FieldNode { len: array.len(), null_count: array.null_count() });
    }

    /// A node and a validity buffer, which is empty if nothing is null.
    pub(super) fn node_and_validity(&mut self, array: &dyn Array) {
        self.node(array);
        match array.validity() {
            Some(validity) if validity.unset_bits() > 0 => self.bits(validity),
            _ => self.bytes(Buffer::default()),
        }
    }

    pub(super) fn bytes(&mut self, buffer: impl Into<EncodedBuffer>) {
        self.out.buffers.push(buffer.into());
    }

    pub(super) fn values<T: arrow::types::NativeType>(&mut self, values: &Buffer<T>) {
        self.bytes(as_bytes(values.clone()));
    }

    /// A bitmap from bit 0 on; copied only if it starts within a byte.
    pub(super) fn bits(&mut self, bitmap: &Bitmap) {
        let (buffer, offset, len) = bitmap.as_buffer();
        let bytes = len.div_ceil(8);
        if offset % 8 == 0 && len % 8 == 0 {
            self.bytes(buffer.sliced(offset / 8..offset / 8 + bytes));
            return;
        }
        // Also when the last byte has bits that are not the bitmap's: they must be zero.
        let mut out: Vec<u8> = Vec::with_capacity(bytes + 8);
        let mut chunks = bitmap.chunks::<u64>();
        for chunk in chunks.by_ref() {
            out.extend_from_slice(&chunk.to_le_bytes());
        }
        out.extend_from_slice(&chunks.remainder().to_le_bytes());
        out.truncate(bytes);
        self.bytes(share(out));
    }

    /// Adds the buffers that `make` makes of an array: now, or [later](DeferredBuffers::materialize) if that is wanted and
    /// they are large. `lens` says how long they will be, if that is known; it is not called if they are made now.
    pub(super) fn make<A: ToOwned<Owned: Send + 'static> + ?Sized>(
        &mut self,
        array: &A,
        lens: impl FnOnce(&A) -> Option<Vec<usize>>,
        make: impl FnOnce(&A) -> Result<Vec<EncodedBuffer>> + Send + 'static,
    ) -> Result<()> {
        let lens = if self.deferred { lens(array) } else { None };
        match lens {
            Some(lens) if lens.iter().sum::<usize>() >= MIN_DEFERRED_BYTES => {
                let (first, array) = (self.out.buffers.len(), array.to_owned());
                self.out.buffers.extend(lens.iter().map(|len| EncodedBuffer::Deferred(*len)));
                self.out.deferred.push(DeferredBuffers {
                    first,
                    lens,
                    make: Box::new(move || make(array.borrow())),
                });
            },
            _ => self.out.buffers.extend(make(array)?),
        }
        Ok(())
    }
}
