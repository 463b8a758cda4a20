//! Arrays to field nodes and buffers. One file a physical layout, mirrored by `decode`.
//!
//! What is written is what the array holds: slices are compacted at every depth, so that five
//! rows of a large array take the space of five rows. No byte is written of a value that no row
//! refers to: of strings that were filtered out, of what nulls hide ([`under_nulls`]). Where the bytes
//! are right as they lie, the buffer written is the array's own, not a copy.
//!
//! The wire type decides, not the array: a string view array becomes views or offsets by what
//! `field` says.

mod binary;
mod boolean;
mod buffer;
mod copy_values;
mod deferred;
mod keys;
mod list;
mod primitive;
mod struct_;
pub mod under_nulls;
mod usage;
mod view;

use crate::recycle::share;
use arrow::array::{Array, Utf8Array};
use arrow::bitmap::Bitmap;
use floe_format::{DataType, Error, Field, FieldNode, FloatType, IntType, Place, Result};
use polars_buffer::Buffer;
use polars_utils::float16::pf16;

pub use buffer::EncodedBuffer;
pub use deferred::DeferredBuffers;
pub use keys::Remap;
pub use primitive::encode_joined;

/// The flattened columns of a record batch, in order: what its header and body are made of.
#[derive(Debug, Default)]
pub struct Encoded {
    /// One node an array, depth-first.
    pub nodes: Vec<FieldNode>,
    /// The buffers, uncompressed and unpadded.
    pub buffers: Vec<EncodedBuffer>,
    /// How many data buffers each view array has.
    pub variadic: Vec<usize>,
    /// What makes the buffers that are [deferred](EncodedBuffer::Deferred), in their order.
    pub deferred: Vec<DeferredBuffers>,
}

/// Where encoding puts its output, and what dictionary keys become.
pub struct EncodeCtx<'a> {
    out: Encoded,
    remaps: &'a [Option<Remap>],
    canonical_views: bool,
    unreferenced_data: bool,
    deferred: bool,
}

impl<'a> EncodeCtx<'a> {
    /// A context with nothing encoded yet. `remaps[slot]` says what the keys of a
    /// dictionary-encoded field become; without one they are written as they are.
    #[must_use]
    pub fn new(remaps: &'a [Option<Remap>]) -> Self {
        Self {
            out: Encoded::default(),
            remaps,
            canonical_views: false,
            unreferenced_data: false,
            deferred: false,
        }
    }

    /// Whether the data of views is always copied together in the order of the rows: what is written
    /// then depends on the values alone, not on the buffers they lie in.
    #[must_use]
    pub fn with_canonical_views(self, canonical_views: bool) -> Self {
        Self { canonical_views, ..self }
    }

    /// Whether buffers may be written as they lie though some bytes belong to no row, where that saves a copy: those of
    /// strings and binaries of which most is in use, and those of numbers and booleans whose nulls hold something.
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

    /// Makes room for so many more plain columns.
    pub fn reserve(&mut self, columns: usize) {
        self.out.nodes.reserve(columns);
        self.out.buffers.reserve(columns.saturating_mul(2));
    }

    /// What has been encoded.
    #[must_use]
    pub fn finish(self) -> Encoded {
        self.out
    }

    fn node(&mut self, array: &dyn Array) {
        self.out.nodes.push(FieldNode { len: array.len(), null_count: array.null_count() });
    }

    /// A node and a validity buffer, which is empty if nothing is null.
    fn node_and_validity(&mut self, array: &dyn Array) {
        self.node(array);
        match array.validity() {
            Some(validity) if validity.unset_bits() > 0 => self.bits(validity),
            _ => self.bytes(Buffer::default()),
        }
    }

    fn bytes(&mut self, buffer: impl Into<EncodedBuffer>) {
        self.out.buffers.push(buffer.into());
    }

    fn values<T: arrow::types::NativeType>(&mut self, values: &Buffer<T>) {
        self.bytes(as_bytes(values.clone()));
    }

    /// A bitmap from bit 0 on; copied only if it starts within a byte.
    fn bits(&mut self, bitmap: &Bitmap) {
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
}

/// Any buffer of plain values, as bytes.
pub(crate) fn as_bytes<T: arrow::types::NativeType>(buffer: Buffer<T>) -> Buffer<u8> {
    match buffer.try_transmute::<u8>() {
        Ok(bytes) => bytes,
        // Alignment of bytes is always right; a copy is still better than a panic.
        Err(buffer) => bytemuck::cast_slice::<T, u8>(&buffer).to_vec().into(),
    }
}

/// Appends an array to what the context has encoded.
///
/// `array` must be a physical array of the kind that `field` decodes to.
///
/// # Errors
/// When it is not, or holds values the wire type cannot.
pub fn encode_column(ctx: &mut EncodeCtx<'_>, field: &Field, array: &dyn Array) -> Result<()> {
    encode(ctx, field, array).map_err(|error| error.at(Place::Column(field.name.to_string())))
}

fn encode(ctx: &mut EncodeCtx<'_>, field: &Field, array: &dyn Array) -> Result<()> {
    if let Some(encoding) = &field.dictionary {
        return keys::encode(ctx, encoding, array);
    }
    match &field.data_type {
        DataType::Null => {
            ctx.out.nodes.push(FieldNode { len: array.len(), null_count: array.len() });
            Ok(())
        },
        DataType::Bool => boolean::encode(ctx, down(array)?),
        DataType::Int(int) => encode_int(ctx, *int, array),
        DataType::Float(FloatType::Half) => primitive::encode::<pf16>(ctx, array),
        DataType::Float(FloatType::Single) => primitive::encode::<f32>(ctx, array),
        DataType::Float(FloatType::Double) => primitive::encode::<f64>(ctx, array),
        DataType::Decimal { bits: 128, .. } => primitive::encode::<i128>(ctx, array),
        DataType::Date32 => primitive::encode::<i32>(ctx, array),
        DataType::Time { bits: 64, .. } | DataType::Timestamp { .. } | DataType::Duration(_) => {
            primitive::encode::<i64>(ctx, array)
        },
        DataType::LargeBinary => match array.as_any().downcast_ref() {
            Some(offsets) => binary::encode(ctx, offsets),
            None => view::encode_offsets::<[u8]>(ctx, down(array)?),
        },
        DataType::LargeUtf8 => match array.as_any().downcast_ref::<Utf8Array<i64>>() {
            Some(offsets) => binary::encode(ctx, &offsets.to_binary()),
            None => view::encode_offsets::<str>(ctx, down(array)?),
        },
        DataType::BinaryView => view::encode::<[u8]>(ctx, down(array)?),
        DataType::Utf8View => view::encode::<str>(ctx, down(array)?),
        DataType::LargeList => list::encode(ctx, field, down(array)?),
        DataType::FixedSizeList(_) => list::encode_fixed(ctx, field, down(array)?),
        DataType::Struct => struct_::encode(ctx, &field.children, down(array)?),
        other => Err(Error::unsupported(format!("{other:?} is not a type that floe writes"))),
    }
}

fn encode_int(ctx: &mut EncodeCtx<'_>, int: IntType, array: &dyn Array) -> Result<()> {
    match (int.bits, int.signed) {
        (8, true) => primitive::encode::<i8>(ctx, array),
        (16, true) => primitive::encode::<i16>(ctx, array),
        (32, true) => primitive::encode::<i32>(ctx, array),
        (64, true) => primitive::encode::<i64>(ctx, array),
        (128, true) => primitive::encode::<i128>(ctx, array),
        (8, false) => primitive::encode::<u8>(ctx, array),
        (16, false) => primitive::encode::<u16>(ctx, array),
        (32, false) => primitive::encode::<u32>(ctx, array),
        (64, false) => primitive::encode::<u64>(ctx, array),
        (128, false) => primitive::encode::<u128>(ctx, array),
        (bits, _) => Err(Error::invalid(format!("integers of {bits} bits do not exist"))),
    }
}

fn down<A: 'static>(array: &dyn Array) -> Result<&A> {
    array.as_any().downcast_ref::<A>().ok_or_else(|| {
        Error::invalid(format!("an array of type {:?} does not match the schema", array.dtype()))
    })
}

fn child(field: &Field) -> Result<&Field> {
    field.children.first().ok_or_else(|| Error::invalid(format!("field \"{}\" has no child", field.name)))
}
